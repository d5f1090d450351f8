"""Which Gaussian expectations exist: the rate at which log|f| grows against x**2, by rules."""

from __future__ import annotations

from sympy import Add, Expr, Max, Mul, Poly, Pow, S, Symbol, cosh, erfc, exp, limit, log, oo, sign, sinh

from widelimit.theory.calculus.pieces import split
from widelimit.theory.errors import InfiniteMomentError


def widest(f: Expr, x: Symbol) -> Expr:
    """Return the supremum of the variances q for which E|f(x)|, x ~ N(0, q), is finite; infinity if all are.

    E exists while log|f| grows slower than x**2/(2 q).

    >>> x = Symbol("x", real=True)
    >>> widest(exp(x**2/2)**2, x), widest(exp(3*x), x), widest(exp(exp(x)), x)
    (1/2, oo, 0)
    """
    pieces = split(f, x)
    rate = Max(_rate(pieces.exprs[0], x, -1), _rate(pieces.exprs[-1], x, 1))
    if rate is oo:
        return S.Zero
    return oo if rate <= 0 else 1 / (2 * rate)


def require_finite(f: Expr, x: Symbol, what: str, somewhere: bool = False) -> None:
    """Raise `InfiniteMomentError` unless E f exists at every variance, or at small ones at least (`somewhere`).

    Symbols other than x count as harmless.
    """
    if f.free_symbols - {x}:
        return
    bound = widest(f, x)
    if bound is not oo and not (somewhere and bound > 0):
        where = "at every variance" if bound == 0 else f"at every variance from {bound} on"
        raise InfiniteMomentError(
            f"The {what} is infinite {where}: the function grows too fast for a Gaussian."
        )


def too_fast(name: str, variance: float, bound: float, what: str) -> InfiniteMomentError:
    """Return the error of an activation at a variance, where something of it is infinite from `bound` on.

    >>> print(too_fast("exp(x**2/4)", 1.5, 1.0, "E phi^2 is"))
    The activation exp(x**2/4) grows too fast for units of the variance 1.5: E phi^2 is infinite from 1 on. Reduce ...
    """
    where = f"from {bound:.6g} on" if bound else "whatever it is"
    return InfiniteMomentError(
        f"The activation {name} grows too fast for units of the variance {variance:.6g}: {what} infinite {where}. "
        "Reduce sigma_w, sigma_b, the depth or the norms of the inputs."
    )


def _rate(f: Expr, x: Symbol, side: int) -> Expr:
    """Return lim log|f|/x**2 at side*infinity (an upper bound where terms cancel or oscillate)."""
    if not f.has(x) or f.is_polynomial(x):
        return S.Zero
    if isinstance(f, Mul):
        rates = [_rate(part, x, side) for part in f.args]
        return -oo if -oo in rates else Add(*rates)  # a double exponential decay beats what the others do
    if isinstance(f, Add):
        return Max(*(_rate(part, x, side) for part in f.args))
    if isinstance(f, exp):
        return _quadratic(f.args[0], x, side)
    if isinstance(f, Pow):
        if f.exp.has(x):
            return _quadratic(f.exp * log(f.base), x, side)
        return f.exp * _rate(f.base, x, side)
    if isinstance(f, sinh | cosh):
        return Max(_quadratic(f.args[0], x, side), _quadratic(-f.args[0], x, side))
    if isinstance(f, erfc):
        falls = limit(f.args[0], x, side * oo) is oo
        return _quadratic(-(f.args[0] ** 2), x, side) if falls else S.Zero
    return S.Zero  # tanh, erf, atan, asinh, sin, cos, log: bounded, or slower than a power


def _quadratic(u: Expr, x: Symbol, side: int) -> Expr:
    """Return lim u/x**2 at side*infinity."""
    if u.is_polynomial(x):
        poly = Poly(u, x)
        if poly.degree() > 2:
            return sign(poly.LC()) * side ** poly.degree() * oo
        return poly.coeff_monomial(x**2)
    if isinstance(u, Add):
        parts = [_quadratic(part, x, side) for part in u.args]
        if not {oo, -oo} <= set(parts):
            return Add(*parts)
    return limit(u / x**2, x, side * oo)
