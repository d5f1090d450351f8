"""Gaussian expectations as SymPy nodes.

``Expectation(f, x, q)`` is E f(x) with x ~ N(0, q); ``Expectation(f, (x, y), (q_x, q_y, c))`` has variances q_x, q_y
and *correlation* c. The node is inert: ``.doit()`` looks for a closed form by rules, ``.evalf()`` integrates to any
precision, ``.diff()`` uses the identities of Price and Stein. `DiracDelta` and kinks in the integrand are welcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import mpmath
from sympy import (
    Add,
    DiracDelta,
    Dummy,
    Expr,
    Mul,
    S,
    Symbol,
    Tuple,
    exp,
    expand,
    expand_mul,
    lambdify,
    sqrt,
)
from sympy.core.function import AppliedUndef

from widelimit.theory.calculus.exact import plain
from widelimit.theory.calculus.gaussian.quadrature import Branched, expectation, expectation_pair
from widelimit.theory.calculus.gaussian.special import normal_density
from widelimit.theory.calculus.pieces import KINKED, one_sided, split
from widelimit.theory.errors import ArgumentError, DomainError, ParseError, shown


class Expectation(Expr):  # type: ignore[misc]  # SymPy is untyped
    """Gaussian expectation of one or two variables.

    >>> from sympy import symbols, tanh
    >>> x, y = symbols("x y", real=True)
    >>> Expectation(tanh(x)**2, x, 1).evalf(20)
    0.39429449039784117442
    >>> Expectation(x*y, (x, y), (2, 3, S(1)/2)).variables
    (x, y)
    """

    is_commutative = True

    def __new__(cls, integrand: Any, variables: Any, covariance: Any) -> Expectation:
        """Build a node; the covariance is q, or (q_x, q_y, c) with the correlation c."""
        integrand = plain("integrand", integrand)
        given = tuple(variables) if isinstance(variables, tuple | list | Tuple) else (variables,)
        if (
            len(given) not in (1, 2)
            or not all(isinstance(v, Symbol) for v in given)
            or len(set(given)) < len(given)
        ):
            raise ArgumentError("variables", "must be one or two distinct symbols", given)
        several = covariance if isinstance(covariance, tuple | list | Tuple) else (covariance,)
        names, moments = Tuple(*given), Tuple(*(plain("covariance", moment) for moment in several))
        if len(moments) != (1 if len(names) == 1 else 3):
            raise ArgumentError("covariance", "must be q, or (q_x, q_y, c) for two variables", tuple(moments))
        for moment in moments[:2]:
            if moment.is_negative:
                raise ArgumentError("covariance", "must have variances of zero or more", tuple(moments))
        if len(moments) == 3 and moments[2].is_number and moments[2].is_comparable and abs(moments[2]) > 1:
            raise ArgumentError("covariance", "must have a correlation from -1 to 1", moments[2])
        node: Expectation = Expr.__new__(cls, integrand, names, moments)
        return node

    @property
    def integrand(self) -> Expr:
        """The function under the expectation."""
        return self.args[0]

    @property
    def variables(self) -> tuple[Symbol, ...]:
        """The bound variables."""
        return tuple(self.args[1])

    @property
    def covariance(self) -> tuple[Expr, ...]:
        """(q,) or (q_x, q_y, c)."""
        return tuple(self.args[2])

    @property
    def free_symbols(self) -> set[Symbol]:
        """Symbols of the integrand other than the bound ones, and those of the covariance."""
        found: set[Symbol] = self.args[0].free_symbols - set(self.variables)
        moments: set[Symbol] = self.args[2].free_symbols
        return found | moments

    @property
    def bound_symbols(self) -> list[Symbol]:
        """The bound variables."""
        return list(self.variables)

    def breaks(self, variable: Symbol) -> tuple[Expr, ...]:
        """Return the points where the integrand, as a function of one bound variable, is not smooth."""
        factors = [f for f in Mul.make_args(self.integrand) if f.has(variable)]
        return split(Mul(*factors), variable).breaks

    def _eval_subs(self, old: Expr, new: Expr) -> Expr:
        moments = self.args[2]._subs(old, new)
        if old in self.variables:
            return self.func(self.args[0], self.args[1], moments)
        node = self
        if set(self.variables) & new.free_symbols:
            node = self._renamed()
        return self.func(node.args[0]._subs(old, new), node.args[1], moments)

    def _xreplace(self, rule: Any) -> tuple[Expr, bool]:
        if self in rule:
            return rule[self], True
        if not isinstance(rule, Mapping):  # a transformation inside simplify: not for integrands
            return self, False
        inner = {k: v for k, v in rule.items() if k not in self.variables}
        node = self
        if any(set(self.variables) & getattr(v, "free_symbols", set()) for v in inner.values()):
            node = self._renamed()
        integrand, changed = node.args[0]._xreplace(inner)
        moments, moved = self.args[2]._xreplace(inner)
        if not (changed or moved):
            return self, False
        return self.func(integrand, node.args[1], moments), True

    def _renamed(self) -> Expectation:
        fresh = {v: Dummy(v.name, **v.assumptions0) for v in self.variables}
        return Expectation(self.args[0].xreplace(fresh), tuple(fresh.values()), self.args[2])

    def _eval_is_real(self) -> bool | None:
        real: bool | None = self.args[0].is_real
        return real

    def _eval_is_nonnegative(self) -> bool | None:
        return True if self.args[0].is_nonnegative else None

    def _eval_is_zero(self) -> bool | None:
        return True if self.args[0].is_zero else None

    def doit(self, **hints: Any) -> Expr:
        """Return the closed form that the rules find, or the node itself.

        >>> from sympy import Symbol, exp
        >>> x, q = Symbol("x", real=True), Symbol("q", positive=True)
        >>> Expectation(exp(x), x, q).doit()
        exp(q/2)
        """
        return _closed_by[0](self)

    def _eval_derivative(self, symbol: Symbol) -> Expr:
        return differentiate(self, symbol)

    def _eval_evalf(self, prec: int) -> Expr | None:
        if self.free_symbols:
            return None
        return Expr._from_mpmath(_numeric(self, mpmath.libmp.prec_to_dps(prec) + 2), prec)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        names = ", ".join(printer._print(v) for v in self.variables)
        body = printer._print(self.integrand)
        law = self._law(printer._print, ",", r"\mathcal{N}")
        text = rf"\mathbb{{E}}_{{{names} \sim {law}}}\left[{body}\right]"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        names = ", ".join(map(str, self.variables))
        return f"E[{printer._print(self.integrand)}; {names} ~ {self._law(printer._print, ',', 'N')}]"

    def _law(self, show: Any, comma: str, name: str) -> str:
        head = f"{name}(0{comma} " + f"{comma} ".join(show(m) for m in self.covariance[:2])
        return head + (f"; {show(self.covariance[2])})" if len(self.covariance) == 3 else ")")

    def _mathml_presentation(self, printer: Any) -> Any:
        dom = printer.dom

        def tag(name: str, *children: Any) -> Any:
            element = dom.createElement(name)
            for child in children:
                element.appendChild(dom.createTextNode(child) if isinstance(child, str) else child)
            return element

        def listing(items: Any, separator: str = ",") -> list[Any]:
            parts: list[Any] = []
            for item in items:
                parts += [tag("mo", separator)] if parts else []
                parts.append(printer._print(item))
            return parts

        law = [tag("mo", "("), tag("mn", "0"), tag("mo", ","), *listing(self.covariance[:2])]
        if len(self.covariance) == 3:
            law += [tag("mo", ";"), printer._print(self.covariance[2])]
        under = tag("mrow", *listing(self.variables), tag("mo", "∼"), tag("mi", "𝒩"), *law, tag("mo", ")"))
        body = tag("mrow", tag("mo", "["), printer._print(self.integrand), tag("mo", "]"))
        return tag("mrow", tag("msub", tag("mi", "𝔼"), under), body)


_closed_by: list[Callable[[Expectation], Expr]] = []


def close_with(closed: Callable[[Expectation], Expr]) -> Callable[[Expectation], Expr]:
    """Let ``.doit()`` ask `closed`, which is built on this module and returns what it cannot close as it is."""
    _closed_by[:] = [closed]
    return closed


def price(f: Expr, x: Symbol, y: Symbol, qx: Expr, qy: Expr, c: Expr) -> Expr:
    """Return d/dc E f(x, y) = sqrt(q_x q_y) E d^2 f/dx dy, delta functions at kinks included (Price's theorem)."""
    mixed = weak_derivative(weak_derivative(f, x), y)
    return sqrt(qx * qy) * Expectation(mixed, (x, y), (qx, qy, c))


def weak_derivative(f: Expr, x: Symbol) -> Expr:
    """Differentiate in the sense of distributions: a jump gives a `DiracDelta` of its height.

    >>> from sympy import Max, Symbol, sign
    >>> x = Symbol("x", real=True)
    >>> weak_derivative(sign(x), x)
    2*DiracDelta(x)
    """
    if smooth(f, x):
        return f.diff(x)
    if isinstance(f, Add):
        return Add(*(weak_derivative(term, x) for term in f.args))
    outside, inside = f.as_independent(x, as_Add=False)
    if inside.has(DiracDelta):
        raise DomainError(f"The derivative of {inside} in {x} is not a function or a sum of delta functions.")
    pieces = split(inside, x)
    if poles := pieces.poles():
        raise DomainError(
            f"The derivative of {inside} is no function and no delta function at {x} = {poles[0]}."
        )
    jumps = Add(*(height * DiracDelta(x - b) for b, height in pieces.jumps()))
    return outside * (pieces.diff().expr + jumps)


def smooth(f: Expr, x: Symbol) -> bool:
    """Say whether a function of x has no kink, shown (`Abs`, `Max`) or hidden (the root of a square)."""
    return not f.has(*KINKED) and not split(f, x).breaks


def differentiate(node: Expectation, s: Symbol) -> Expr:
    """Differentiate by a parameter: Stein's identity for variances, Price's for the correlation.

    dE/dq = E f''/2 for smooth f, E x f'/(2 q) otherwise; with a fixed correlation dE/dq_x = E x f_x/(2 q_x).
    """
    f, names, moments = node.integrand, node.variables, node.covariance
    total = Expectation(f.diff(s), names, moments) if f.has(s) else S.Zero
    for variable, q in zip(names, moments, strict=False):
        if q.has(s):
            if len(names) == 1 and not f.has(DiracDelta) and smooth(f, variable):
                slope = Expectation(f.diff(variable, 2), names, moments) / 2
            elif f.has(DiracDelta):
                slope = score(node, moments.index(q))
                total += slope * q.diff(s)
                continue
            else:
                slope = Expectation(variable * weak_derivative(f, variable), names, moments) / (2 * q)
            total += slope * q.diff(s)
    if len(names) == 2 and moments[2].has(s):
        total += price(f, *names, *moments) * moments[2].diff(s)
    return total


def score(node: Expectation, index: int) -> Expr:
    """Return the derivative by a moment as E f * d(log density)/d(moment): valid whatever f is.

    Independent of Price's and Stein's identities, so that they can be checked by it.
    """
    f, names, moments = node.integrand, node.variables, node.covariance
    if len(names) == 1:
        (x,), (q,) = names, moments
        return Expectation(expand(f * (x**2 - q) / (2 * q**2)), names, moments)
    (x, y), (qx, qy, c) = names, moments
    u, v = x / sqrt(qx), y / sqrt(qy)
    form = u**2 - 2 * c * u * v + v**2
    if index == 2:
        weight = c / (1 - c**2) + u * v / (1 - c**2) - c * form / (1 - c**2) ** 2
    else:
        mine, q = ((u, qx), (v, qy))[index]
        weight = (-1 + (mine**2 - c * u * v) / (1 - c**2)) / (2 * q)
    return Expectation(f * weight, names, moments)


def _numeric(node: Expectation, dps: int) -> Any:
    f, names = node.integrand, node.variables
    with mpmath.workdps(dps + 10):
        moments = [_number(m, dps + 10) for m in node.covariance]
        if len(names) == 1:
            if f.has(DiracDelta):
                return _number(without_deltas(node), dps)
            return expectation(branched(f, names[0], dps), moments[0], dps)
        (x, y), (qx, qy, c) = names, moments
        if f.has(DiracDelta):
            return _number(without_deltas(node), dps)
        if qx == 0 or qy == 0 or abs(c) == 1:
            return _number(degenerate(node), dps)
        terms = [_separated(term, x, y) for term in Add.make_args(_unmixed(f, x, y))]
        if None not in terms:
            pairs = [(branched(g, x, dps), branched(h.xreplace({y: x}), x, dps)) for g, h in terms]  # type: ignore[misc]
            return expectation_pair(pairs, qx, qy, c, dps)
        _refuse_undefined(f)
        general = lambdify((x, y), f, "mpmath")
        return expectation_pair([(Branched((), (mpmath.mpf,)),) * 2], qx, qy, c, dps, general)


def degenerate(node: Expectation) -> Expr:
    """Reduce two variables to one where a variance is zero or the correlation is 1 or -1."""
    (x, y), (qx, qy, c) = node.variables, node.covariance
    if qx.is_zero:
        return Expectation(node.integrand.subs(x, 0), y, qy)
    if qy.is_zero:
        return Expectation(node.integrand.subs(y, 0), x, qx)
    side = S.One if c > 0 else S.NegativeOne
    scale = S.One if qx == qy else sqrt(qy / qx)
    return Expectation(node.integrand.subs(y, side * scale * x), x, qx)


def without_deltas(node: Expectation) -> Expr:
    """Integrate the delta functions of an integrand out; what remains has one variable less."""
    names, moments = node.variables, node.covariance
    total = S.Zero
    for term in Add.make_args(expand_mul(node.integrand)):
        deltas = [d for d in Mul.make_args(term) if isinstance(d, DiracDelta)]
        if not deltas:
            total += Expectation(term, names, moments)
            continue
        delta = deltas[0]
        hit = [v for v in names if delta.has(v)]
        if len(hit) != 1 or len(delta.args) > 1 or not delta.args[0].is_polynomial(hit[0]):
            raise DomainError(f"The delta function {delta} is not one of a single Gaussian variable.")
        x = hit[0]
        slope = delta.args[0].diff(x)
        place = expand(x - delta.args[0] / slope)
        rest = term / delta
        if len(names) == 1:
            total += _at_point(rest, x, place) * normal_density(place, moments[0]) / abs(slope)
            continue
        i = names.index(x)
        qx, qy, c = moments[i], moments[1 - i], moments[2]
        other = names[1 - i]
        mean, variance = c * sqrt(qy / qx) * place, qy * (1 - c**2)
        inner = Expectation(_at_point(rest, x, place).subs(other, other + mean), other, variance)
        weight = normal_density(place, qx) / abs(slope)
        total += weight * (without_deltas(inner) if inner.integrand.has(DiracDelta) else inner)
    return total


def _at_point(f: Expr, x: Symbol, place: Expr) -> Expr:
    """Return f at a point; at a jump, the mean of both sides (the limit of smooth approximations of phi phi'')."""
    if smooth(f, x):
        return f.subs(x, place)
    pieces = [split(factor, x) for factor in Mul.make_args(f)]
    value = S.One
    for piece in pieces:
        k = sum(1 for b in piece.breaks if (place - b).is_positive)
        if any((place - b).is_zero for b in piece.breaks):
            sides = (one_sided(piece.exprs[k + side], x, place, 2 * side - 1) for side in (0, 1))
            value *= Add(*sides) / 2
        else:
            value *= piece.exprs[k].subs(x, place)
    return value


def _number(expr: Expr, dps: int) -> Any:
    value = expr.evalf(dps)
    return mpmath.mpmathify(value._to_mpmath(mpmath.libmp.dps_to_prec(dps)))


@lru_cache(maxsize=512)
def branched(f: Expr, x: Symbol, dps: int) -> Branched:
    """Return a function of one variable as mpmath callables between numeric breaks."""
    pieces = split(f, x)
    breaks = tuple(_number(b, dps + 15) for b in pieces.breaks)
    return Branched(breaks, tuple(_compiled(e, x) for e in pieces.exprs))


@lru_cache(maxsize=1024)
def _compiled(e: Expr, x: Symbol) -> Any:
    _refuse_undefined(e)
    function = lambdify(x, e, "mpmath")
    if not e.has(x):
        return lambda point: mpmath.mpf(1) * function(point)
    return function


def _refuse_undefined(e: Expr) -> None:
    """Functions that are only a name have no value, and `lambdify` would write their names into code as they are."""
    if e.has(AppliedUndef):
        raise DomainError(
            f"The function {shown(str(next(iter(e.atoms(AppliedUndef)))))} has no value: it is undefined."
        )


def _unmixed(f: Expr, x: Symbol, y: Symbol) -> Expr:
    """Expand products as far as needed to separate x from y."""
    return f if _separated(f, x, y) is not None else expand(f, func=False)


def _factors(term: Expr) -> list[Expr]:
    """Return the factors of a product, exponentials of sums taken apart again."""
    found: list[Expr] = []
    for factor in Mul.make_args(term):
        if isinstance(factor, exp):
            found += [exp(part) for part in Add.make_args(expand(factor.args[0]))]
        else:
            found.append(factor)
    return found


def _separated(term: Expr, x: Symbol, y: Symbol) -> tuple[Expr, Expr] | None:
    left, right = S.One, S.One
    for factor in _factors(term):
        if not factor.has(y):
            left *= factor
        elif not factor.has(x):
            right *= factor
        else:
            return None
    return left, right


__all__ = ["Expectation", "ParseError", "differentiate", "price", "score", "weak_derivative"]
