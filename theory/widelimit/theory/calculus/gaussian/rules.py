"""Second half of the rules: Gaussian moments of polynomial * exp(quadratic) * steps * error functions.

1. The exponential is folded into the Gaussian by completing the square (its new covariance must be positive).
2. erf(u) = E sign(sqrt(2) u - w) over one more independent standard Gaussian w: it becomes one more threshold.
3. Polynomials go by Stein's recursion E[z_i g] = mean_i E g + sum_j cov_ij E[d_j g]; a differentiated threshold is a
   delta function, which conditions the Gaussian and leaves its density as a factor.
4. What is left are orthant probabilities of at most two thresholds (three at zero): erfc, asin,
   `BivariateNormalCDF`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from sympy import (
    Add,
    Expr,
    I,
    Integer,
    Matrix,
    Mul,
    Poly,
    S,
    Symbol,
    asin,
    cos,
    erf,
    erfc,
    exp,
    expand,
    eye,
    factor,
    pi,
    sin,
    sqrt,
)

from widelimit.theory.calculus.gaussian.special import BivariateNormalCDF, erfcx
from widelimit.theory.calculus.gaussian.terms import Affine, NoRule, Term, terms_of

Sum = dict[Expr, Expr]  # transcendental value -> rational coefficient


@dataclass(frozen=True)
class ClosedForm:
    """`value` holds where every one of `conditions` (expressions that must be positive) does."""

    value: Expr
    conditions: tuple[Expr, ...]


def closed_form(f: Expr, variables: Sequence[Symbol], covariance: Matrix) -> ClosedForm:
    """Return E f of a centred Gaussian vector with this covariance, or raise `NoRule`."""
    total: Sum = {}
    conditions: dict[Expr, None] = {}
    for term in terms_of(f, variables):
        used = [i for i, v in enumerate(variables) if _depends(term, i, v)]
        reduced = _restricted(term, used)
        fold = _complete_square(reduced, [variables[i] for i in used], covariance.extract(used, used))
        conditions |= dict.fromkeys(fold.conditions)
        for value, coefficient in _moment(reduced, fold).items():
            total[value] = total.get(value, S.Zero) + coefficient
    return ClosedForm(Add(*(tidy(c) * v for v, c in total.items())), tuple(conditions))


def _depends(term: Term, i: int, v: Symbol) -> bool:
    return (
        term.poly.degree(v) > 0
        or term.exponent.has(v)
        or any(slopes[i] != 0 for slopes, _ in term.steps + term.errors)
    )


def _restricted(term: Term, used: list[int]) -> Term:
    if not used:
        return term
    gens = [term.poly.gens[i] for i in used]

    def cut(items: tuple[Affine, ...]) -> tuple[Affine, ...]:
        return tuple((tuple(slopes[i] for i in used), constant) for slopes, constant in items)

    return Term(Poly(term.poly.as_expr(), *gens), term.exponent, cut(term.steps), cut(term.errors))


def tidy(value: Expr) -> Expr:
    """Factor a rational expression, each factor with the sign that it has at small arguments.

    1 - c**2 becomes (1 - c)*(c + 1), which keeps its digits near c = 1.
    """
    sign, size = _signed(value)
    return sign * size


def _signed(value: Expr) -> tuple[Expr, Expr]:
    """Return (number, product of factors) of a rational expression."""
    if value.is_Atom or not value.free_symbols:
        return S.One, expand(value) if value.has(I) else value
    sign = S.One
    parts = []
    for part in Mul.make_args(factor(value)):
        base, power = part.as_base_exp()
        if part.is_number:
            sign *= part
            continue
        if isinstance(base, Add) and power.is_Integer and _leads_negative(base):
            base, sign = -base, sign * S.NegativeOne**power
        parts.append(base**power)
    return sign, Mul(*parts)


def scaled(value: Expr, variance: Expr) -> Expr:
    """Return value/sqrt(variance), with common factors cancelled before a minus sign can hide them."""
    sign, size = _signed(value)
    return sign * (size / root(variance))


def root(value: Expr) -> Expr:
    """Return the square root of a positive rational expression as a product over its factors.

    Each factor is positive: it is at small arguments, and no zero is crossed on the way while the Gaussian exists.
    """
    content, primitive = tidy(value).as_content_primitive()
    parts = [part.as_base_exp() for part in (content, *Mul.make_args(primitive))]
    return Mul(*(sqrt(base**power) if base.is_number else base ** (power / 2) for base, power in parts))


def _leads_negative(base: Expr) -> bool:
    lowest = min(Add.make_args(base), key=lambda t: (len(t.free_symbols), str(t)))
    return lowest.as_coeff_Mul()[0].is_negative is True


@dataclass(frozen=True)
class _Fold:
    """A Gaussian with the exponential folded in: weight * exp(exponent) * N(mean, covariance)."""

    weight: Expr
    exponent: Expr
    mean: Matrix
    covariance: Matrix
    conditions: tuple[Expr, ...]


def _complete_square(term: Term, variables: list[Symbol], covariance: Matrix) -> _Fold:
    n = len(variables)
    if n == 0:
        return _Fold(exp(term.exponent), S.Zero, Matrix(0, 1, []), Matrix(0, 0, []), ())
    if term.exponent == 0:
        return _Fold(S.One, term.exponent, Matrix([0] * n), covariance, ())
    poly = Poly(term.exponent, *variables)
    quadratic = Matrix(n, n, lambda i, j: -poly.diff(variables[i]).diff(variables[j]).as_expr())
    linear = Matrix([poly.coeff_monomial(v) for v in variables])
    constant = poly.coeff_monomial(1)
    if (term.steps or term.errors) and (linear.has(I) or quadratic.has(I)):
        raise NoRule("an oscillating factor and a threshold together")
    if quadratic.has(I):
        raise NoRule("an oscillating quadratic")
    if quadratic.is_zero_matrix:
        folded, weight, conditions = covariance, S.One, ()
    else:
        stretch = eye(n) + covariance * quadratic
        determinant = tidy(expand(stretch.det()))
        folded = (stretch.adjugate() * covariance / determinant).applyfunc(tidy)
        weight = 1 / root(determinant)
        conditions = () if _positive(quadratic) else (determinant, (covariance * quadratic).trace() + n)[:n]
    mean = (folded * linear).applyfunc(tidy)
    exponent = tidy(expand((linear.T * folded * linear)[0, 0] / 2 + constant))
    return _Fold(weight, exponent, mean, folded, conditions)


def _positive(quadratic: Matrix) -> bool:
    """Say whether a quadratic form is positive semidefinite for sure: it then only narrows the Gaussian."""
    if quadratic.is_diagonal():
        return all(entry.is_nonnegative for entry in quadratic.diagonal())
    return not quadratic.free_symbols and bool(quadratic.is_positive_semidefinite)


@dataclass
class _State:
    """Gaussian vector of variables and thresholds, some thresholds conditioned to zero.

    The density of those at zero is `weight` * exp(`exponent`); the exponential of the term is included in it.
    """

    mean: list[Expr]
    covariance: list[list[Expr]]
    left: tuple[int, ...]  # thresholds that are still step or sign functions
    weight: Expr
    exponent: Expr
    memo: dict[tuple[int, ...], dict[Any, Any]] = field(default_factory=dict)


class _Stein:
    """Stein's recursion over monomials; results are combinations of states."""

    def __init__(self, term: Term, fold: _Fold) -> None:
        self.size = n = len(fold.mean)
        thresholds = [(1, list(slopes), constant) for slopes, constant in term.steps]
        thresholds += [
            (2, [sqrt(2) * a for a in slopes], sqrt(2) * constant) for slopes, constant in term.errors
        ]
        self.kinds = [kind for kind, _, _ in thresholds]  # also the height of the jump
        k = len(thresholds)
        rows = [Matrix(1, n, list(slopes)) for _, slopes, _ in thresholds]
        lift = eye(n).col_join(Matrix(rows)) if rows else eye(n)
        offset = [S.Zero] * n + [constant for _, _, constant in thresholds]
        mean = [m + b for m, b in zip(lift * fold.mean, offset, strict=True)]
        full = lift * fold.covariance * lift.T
        for i, kind in enumerate(self.kinds):
            if kind == 2:
                full[n + i, n + i] += 1  # the auxiliary Gaussian
        self.states: dict[tuple[int, ...], _State] = {}
        self.states[()] = _State(
            [tidy(expand(m)) for m in mean],
            [[tidy(expand(full[i, j])) for j in range(n + k)] for i in range(n + k)],
            tuple(range(k)),
            fold.weight,
            fold.exponent,
        )

    def conditioned(self, key: tuple[int, ...], threshold: int) -> tuple[int, ...]:
        """Return the state in which one more threshold variable is zero."""
        new = tuple(sorted((*key, threshold)))
        if new not in self.states:
            old, at = self.states[key], self.size + threshold
            variance, shift = old.covariance[at][at], old.mean[at]
            gain = [tidy(row[at] / variance) for row in old.covariance]
            count = len(old.mean)
            self.states[new] = _State(
                [tidy(expand(old.mean[i] - gain[i] * shift)) for i in range(count)],
                [
                    [
                        tidy(expand(old.covariance[i][j] - gain[i] * old.covariance[j][at]))
                        for j in range(count)
                    ]
                    for i in range(count)
                ],
                tuple(i for i in old.left if i != threshold),
                old.weight / (sqrt(2 * pi) * root(variance)),
                tidy(old.exponent - shift**2 / (2 * variance)),
            )
        return new

    def moment(self, powers: tuple[int, ...], key: tuple[int, ...] = ()) -> dict[tuple[int, ...], Expr]:
        """Return E z**powers * thresholds as {state: coefficient}."""
        state = self.states[key]
        if powers in state.memo:
            return state.memo[powers]
        if not any(powers):
            return {key: S.One}
        i = next(k for k, p in enumerate(powers) if p)
        lower = tuple(p - (k == i) for k, p in enumerate(powers))
        parts = [(state.mean[i], self.moment(lower, key))] if state.mean[i] != 0 else []
        for j, p in enumerate(lower):
            if p and state.covariance[i][j] != 0:
                below = tuple(e - (k == j) for k, e in enumerate(lower))
                parts.append((p * state.covariance[i][j], self.moment(below, key)))
        for t in state.left:
            gain = state.covariance[i][self.size + t]
            if gain != 0:
                parts.append((self.kinds[t] * gain, self.moment(lower, self.conditioned(key, t))))
        result: dict[tuple[int, ...], Expr] = {}
        for weight, part in parts:
            for where, coefficient in part.items():
                result[where] = result.get(where, S.Zero) + weight * coefficient
        state.memo[powers] = {where: expand(c) for where, c in result.items()}
        return state.memo[powers]


def _moment(term: Term, fold: _Fold) -> Sum:
    stein = _Stein(term, fold)
    weights: dict[tuple[int, ...], Expr] = {}
    constant_only = not fold.mean
    for powers, coefficient in term.poly.terms():
        powers = () if constant_only else powers
        for where, part in stein.moment(powers).items():
            weights[where] = weights.get(where, S.Zero) + coefficient * part
    total: Sum = {}
    for where, coefficient in weights.items():
        state = stein.states[where]
        for value, weight in _orthant(stein, state).items():
            for real, share in _real(value, expand(coefficient * weight)):
                key = real * state.weight
                total[key] = total.get(key, S.Zero) + share
    return total


def _real(value: Expr, coefficient: Expr) -> list[tuple[Expr, Expr]]:
    """Return the real part: the integrand is real, so the imaginary parts of its terms cancel."""
    exponents = [e for e in Mul.make_args(value) if isinstance(e, exp) and e.has(I)]
    if not exponents and not coefficient.has(I):
        return [(value, coefficient)]
    angle = S.Zero
    for e in exponents:
        argument = expand(e.args[0])
        imaginary = argument.coeff(I)
        value = value / e * exp(tidy(expand(argument - I * imaginary)))
        angle += imaginary
    re_part, im_part = coefficient.coeff(I, 0), coefficient.coeff(I, 1)
    angle = tidy(angle)
    return [(value * cos(angle), re_part), (value * sin(angle), -im_part)]


def _orthant(stein: _Stein, state: _State) -> Sum:
    """Return exp(exponent) * E of the remaining step and sign functions, as {value: coefficient}."""
    n, left, exponent = stein.size, state.left, state.exponent
    height = exp(exponent)
    if not left:
        return {height: S.One}
    centred = all(state.mean[n + t] == 0 for t in left)
    if centred and len(left) <= 3:
        return {height * value: c for value, c in _centred(stein, state).items()}
    if len(left) == 1:
        return _one(
            stein.kinds[left[0]],
            state.mean[n + left[0]],
            state.covariance[n + left[0]][n + left[0]],
            exponent,
        )
    if len(left) == 2:
        return _two(stein, state, exponent)
    raise NoRule("more than two thresholds")


def _centred(stein: _Stein, state: _State) -> Sum:
    """Thresholds at the mean: E sign sign = 2/pi asin(rho), odd products vanish, a step is (1 + sign)/2."""
    signs = [t for t in state.left if stein.kinds[t] == 2]
    steps = [t for t in state.left if stein.kinds[t] == 1]
    total: Sum = {}
    for count in range(len(steps) + 1):
        for chosen in combinations(steps, count):
            together = (*signs, *chosen)
            weight = S.Half ** len(steps)
            if not together:
                total[S.One] = total.get(S.One, S.Zero) + weight
            elif len(together) == 2:
                value = asin(_correlation(stein, state, *together))
                total[value] = total.get(value, S.Zero) + 2 * weight / pi
            # one or three signs: odd, zero
    return total


def _correlation(stein: _Stein, state: _State, a: int, b: int) -> Expr:
    n, cov = stein.size, state.covariance
    va, vb = cov[n + a][n + a], cov[n + b][n + b]
    if va == vb:
        return tidy(cov[n + a][n + b] / va)
    return tidy(cov[n + a][n + b]) / (root(va) * root(vb))


def _one(kind: int, mean: Expr, variance: Expr, exponent: Expr) -> Sum:
    point = scaled(mean, 2 * variance)
    if kind == 2:
        return {exp(exponent) * erf(point): S.One}
    tail = -point
    if exponent != 0 and tail.is_positive:  # exp(large) * erfc(large) without overflow
        return {exp(tidy(exponent - mean**2 / (2 * variance))) * erfcx(tail): S.Half}
    return {exp(exponent) * erfc(tail): S.Half}


def _two(stein: _Stein, state: _State, exponent: Expr) -> Sum:
    """E h_1 h_2 from the joint distribution function, with sign = 2 step - 1."""
    n, (a, b) = stein.size, state.left
    rho = _correlation(stein, state, a, b)
    edges = [scaled(state.mean[n + t], state.covariance[n + t][n + t]) for t in (a, b)]
    joint = exp(exponent) * BivariateNormalCDF(*edges, rho)
    ka, kb = stein.kinds[a], stein.kinds[b]
    total: Sum = {joint: Integer(ka * kb)}

    def add(part: Sum, weight: int) -> None:
        for value, c in part.items():
            total[value] = total.get(value, S.Zero) + weight * c

    for own, other, t in ((ka, kb, a), (kb, ka, b)):
        if other == 2:  # -1 of the other factor
            add(_one(1, state.mean[n + t], state.covariance[n + t][n + t], exponent), -own)
    if ka == 2 and kb == 2:
        add({exp(exponent): S.One}, 1)
    return total
