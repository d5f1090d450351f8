"""First half of the rules: an integrand becomes a sum of polynomial * exp(quadratic) * steps * error functions.

`Step(u)` below is 1 for u > 0; its argument, like that of every error function kept, is affine in the Gaussian
variables. Sines and cosines (also hyperbolic) become exponentials. What does not fit raises `NoRule`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sympy import (
    Add,
    Expr,
    I,
    Integer,
    Mul,
    Poly,
    Pow,
    S,
    Symbol,
    cos,
    cosh,
    erf,
    erfc,
    exp,
    expand,
    log,
    sin,
    sinh,
)

from widelimit.theory.calculus.pieces import KINKED, Pieces, split

Affine = tuple[tuple[Expr, ...], Expr]  # (coefficients of the variables, constant)
Side = Callable[[Expr], tuple[Affine, ...]]  # the step that is 1 on one side of a break
Key = tuple[Expr, tuple[Affine, ...], tuple[Affine, ...]]

MAX_TERMS = 400


class NoRule(Exception):
    """No rule applies: the expectation stays a node."""


@dataclass(frozen=True)
class Term:
    """poly * exp(exponent) * product of Step(u) over `steps` * product of erf(u) over `errors`."""

    poly: Poly
    exponent: Expr
    steps: tuple[Affine, ...]
    errors: tuple[Affine, ...]


@dataclass
class _Draft:
    """A product under construction."""

    polynomial: Expr
    exponent: Expr
    steps: tuple[Affine, ...]
    errors: tuple[Affine, ...]

    def times(self, other: _Draft) -> _Draft:
        return _Draft(
            self.polynomial * other.polynomial,
            self.exponent + other.exponent,
            self.steps + other.steps,
            self.errors + other.errors,
        )


def terms_of(f: Expr, variables: Sequence[Symbol]) -> list[Term]:
    """Return the terms of an integrand, those with equal exponent, steps and errors added up."""
    collected: dict[Key, Expr] = {}
    for draft in _sum(f, tuple(variables)):
        key = (expand(draft.exponent), _ordered(draft.steps), _ordered(draft.errors))
        collected[key] = collected.get(key, S.Zero) + draft.polynomial
        if len(collected) > MAX_TERMS:
            raise NoRule(f"more than {MAX_TERMS} terms")
    terms = []
    for (exponent, steps, errors), polynomial in collected.items():
        poly = Poly(expand(polynomial), *variables)
        if not poly.is_zero:
            terms.append(Term(poly, exponent, steps, errors))
    return terms


def _ordered(items: tuple[Affine, ...]) -> tuple[Affine, ...]:
    return tuple(sorted(items, key=str))


def _sum(f: Expr, variables: tuple[Symbol, ...]) -> list[_Draft]:
    if not f.has(*variables):
        return [_Draft(f, S.Zero, (), ())]
    if isinstance(f, Add):
        return [draft for term in f.args for draft in _sum(term, variables)]
    return _product(f, variables)


def _product(f: Expr, variables: tuple[Symbol, ...]) -> list[_Draft]:
    drafts = [_Draft(S.One, S.Zero, (), ())]
    rest = []
    kinked: dict[Symbol, list[Expr]] = {}
    for factor in Mul.make_args(f):
        if factor.has(*KINKED):
            present = [v for v in variables if factor.has(v)]
            if len(present) == 1:
                kinked.setdefault(present[0], []).append(factor)
                continue
            if isinstance(factor, Add) or (
                isinstance(factor, Pow) and factor.exp.is_Integer and factor.exp > 0
            ):
                rest.append(factor)
                continue
            raise NoRule(f"{factor} has kinks in more than one variable")
        rest.append(factor)
    for variable, factors in kinked.items():
        drafts = _multiply(drafts, _stepped(split(Mul(*factors), variable), variables))
    for factor in rest:
        drafts = _multiply(drafts, _factor(factor, variables))
    return drafts


def _multiply(left: list[_Draft], right: list[_Draft]) -> list[_Draft]:
    if len(left) * len(right) > 4 * MAX_TERMS:
        raise NoRule("too many terms")
    return [a.times(b) for a in left for b in right]


def _factor(factor: Expr, variables: tuple[Symbol, ...]) -> list[_Draft]:
    if factor.is_polynomial(*variables):
        return [_Draft(factor, S.Zero, (), ())]
    if isinstance(factor, Pow) and not isinstance(factor, exp):
        base, power = factor.as_base_exp()
        if power.is_Integer and 0 < power <= 32 and not power.has(*variables):
            if isinstance(base, exp):
                return _factor(exp(base.args[0] * power), variables)
            inner = _sum(base, variables)
            drafts = inner
            for _ in range(int(power) - 1):
                drafts = _gathered(_multiply(drafts, inner))
            return drafts
        if not base.has(*variables) and base.is_positive:
            return _factor(exp(power * log(base)), variables)
        raise NoRule(f"{factor} is not a whole power")
    if isinstance(factor, Add):
        return _sum(factor, variables)
    argument = factor.args[0] if factor.args else S.Zero
    if isinstance(factor, exp):
        if not (argument.is_polynomial(*variables) and Poly(argument, *variables).total_degree() <= 2):
            raise NoRule(f"{factor} is not the exponential of a quadratic")
        return [_Draft(S.One, argument, (), ())]
    if isinstance(factor, sin | cos | sinh | cosh) and argument.is_polynomial(*variables):
        unit = I if isinstance(factor, sin | cos) else S.One
        odd = isinstance(factor, sin | sinh)
        up, down = (_factor(exp(s * unit * argument), variables)[0] for s in (1, -1))
        half = 1 / (2 * unit) if odd else S.Half
        up.polynomial, down.polynomial = half, -half if odd else half
        return [up, down]
    if isinstance(factor, erf):
        return [_Draft(S.One, S.Zero, (), (affine(argument, variables),))]
    if isinstance(factor, erfc):
        return [
            _Draft(S.One, S.Zero, (), ()),
            _Draft(S.NegativeOne, S.Zero, (), (affine(argument, variables),)),
        ]
    raise NoRule(f"no rule for {factor}")


def _gathered(drafts: list[_Draft]) -> list[_Draft]:
    collected: dict[Key, _Draft] = {}
    for d in drafts:
        key = (expand(d.exponent), _ordered(d.steps), _ordered(d.errors))
        if key in collected:
            collected[key].polynomial = expand(collected[key].polynomial + d.polynomial)
        else:
            collected[key] = _Draft(d.polynomial, *key)
    return list(collected.values())


def affine(u: Expr, variables: Sequence[Symbol]) -> Affine:
    """Return (coefficients, constant) of an affine function, or raise `NoRule`."""
    if not u.is_polynomial(*variables):
        raise NoRule(f"{u} is not affine")
    poly = Poly(u, *variables)
    if poly.total_degree() > 1:
        raise NoRule(f"{u} is not affine")
    return tuple(poly.coeff_monomial(v) for v in variables), poly.coeff_monomial(1)


def _stepped(pieces: Pieces, variables: tuple[Symbol, ...]) -> list[_Draft]:
    """Write a piecewise function with steps that switch on outwards, so that tails are small numbers."""
    x = pieces.variable

    def above(b: Expr) -> tuple[Affine, ...]:
        return (affine(x - b, variables),)

    def below(b: Expr) -> tuple[Affine, ...]:
        return (affine(b - x, variables),)

    return [
        inner.times(_Draft(Integer(sign), S.Zero, steps, ()))
        for e, sign, steps in _outward(pieces, above, below)
        if e != 0
        for inner in _sum(e, variables)
    ]


def _outward(pieces: Pieces, above: Side, below: Side) -> Iterator[tuple[Expr, int, tuple[Affine, ...]]]:
    breaks, exprs = pieces.breaks, pieces.exprs
    if len(breaks) == 1:
        yield exprs[0], 1, below(breaks[0])
        yield exprs[1], 1, above(breaks[0])
        return
    ends: list[Expr | None] = [None, *breaks, None]
    for e, low, high in zip(exprs, ends, ends[1:], strict=False):
        if low is not None and low.is_nonnegative:  # right of the origin: 1[x > low] - 1[x > high]
            yield e, 1, above(low)
            if high is not None:
                yield e, -1, above(high)
        elif high is not None and high.is_nonpositive:
            yield e, 1, below(high)
            if low is not None:
                yield e, -1, below(low)
        else:
            yield e, 1, ()
            if low is not None:
                yield e, -1, below(low)
            if high is not None:
                yield e, -1, above(high)
