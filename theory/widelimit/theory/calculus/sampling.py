"""Values of SymPy expressions at a point that end fast on anything: a tower of exponentials is infinite, not computed.

``expr.subs(x, 11).evalf()`` simplifies exactly first and then computes every digit of every exponent; here each node is
one operation of mpmath with 20 digits, and a number beyond 2**(2**30) is infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import mpmath
import sympy
from sympy import Basic, Expr, Float, Symbol
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, BooleanFalse, BooleanTrue, Not, Or

DIGITS = 20
FINE = 80  # digits for differences of high order
_HUGE = 2**30  # bits before the point from which on a number counts as infinite
_ANGLE = 2**12  # bits before the point up to which sines are computed

_UNARY: Mapping[type, Callable[..., Any]] = {
    sympy.log: mpmath.log, sympy.sinh: mpmath.sinh, sympy.cosh: mpmath.cosh, sympy.tanh: mpmath.tanh,
    sympy.atan: mpmath.atan, sympy.asinh: mpmath.asinh, sympy.erf: mpmath.erf, sympy.erfc: mpmath.erfc,
    sympy.Abs: abs, sympy.sign: mpmath.sign, sympy.asin: mpmath.asin, sympy.acos: mpmath.acos,
    sympy.acosh: mpmath.acosh, sympy.atanh: mpmath.atanh,
}  # fmt: skip
_PERIODIC: Mapping[type, Callable[..., Any]] = {sympy.sin: mpmath.sin, sympy.cos: mpmath.cos}


def value(expr: Expr, variable: Symbol | None = None, point: Any = 0, *, digits: int = DIGITS) -> Any:
    """Return the value as an mpf or mpc, NaN where it is undefined, None where it is too large to be told.

    >>> from sympy import Symbol, exp, log
    >>> x = Symbol("x", real=True)
    >>> print(value(exp(-exp(exp(exp(x)))), x, 3), value(exp(exp(exp(exp(x)))), x, 3), value(1 / x, x, 0))
    0.0 None nan
    """
    with mpmath.workdps(digits):
        walk = _Walk(variable, mpmath.mpmathify(point))
        try:
            found = walk.value(expr)
        except ZeroDivisionError:
            return mpmath.nan
        except Exception:  # whatever SymPy and mpmath raise on a node that has no number here
            return None
        if walk.overflowed and not mpmath.isfinite(found):
            return None
        return found.real if isinstance(found, mpmath.mpc) and found.imag == 0 else found


def is_real(found: Any) -> bool:
    """Whether a result of `value` is a finite real number."""
    return isinstance(found, mpmath.mpf) and bool(mpmath.isfinite(found))


def apart_from_zero(expr: Expr, variable: Symbol) -> bool:
    """Whether a function keeps its sign, and its distance from zero in every dip, as far as fifty points tell.

    What vanishes at infinity only, such as 1 + erf(x), never reaches zero.

    >>> from sympy import Symbol, cos, erf, exp
    >>> x = Symbol("x", real=True)
    >>> [apart_from_zero(f, x) for f in (2 + cos(x), 1 + erf(x), 1 - cos(x), exp(x) - x - 1)]
    [True, True, False, False]
    """
    places = [k / 8 for k in range(-25, 26)]  # up to sinh(25/8) = 11.4
    found = [_number(expr, variable, place) for place in places]
    if None in found or not min(found) * max(found) > 0:
        return False
    size = [abs(number) for number in found]
    dips = [k for k in range(1, len(size) - 1) if size[k] <= min(size[k - 1], size[k + 1])]
    return all(_least(expr, variable, places[k]) > 1e-4 * max(size[k - 1], size[k + 1]) for k in dips)


def _number(expr: Expr, variable: Symbol, place: float) -> Any:
    found = value(expr, variable, mpmath.sinh(place), digits=FINE)
    return found if is_real(found) else None


def _least(expr: Expr, variable: Symbol, place: float) -> Any:
    """The least size next to a sample, by thirds of the way between its neighbours."""
    low, high = place - 1 / 8, place + 1 / 8
    left = right = mpmath.mpf(0)
    for _ in range(24):
        thirds = low + (high - low) / 3, high - (high - low) / 3
        left, right = (abs(_number(expr, variable, third) or 0) for third in thirds)
        low, high = (low, thirds[1]) if left <= right else (thirds[0], high)
    return min(left, right)


def mirrored(expr: Expr, variable: Symbol, point: Any) -> bool:
    """Whether f(-p) = -f(p) to thirty digits.

    >>> from sympy import Symbol, tanh
    >>> x = Symbol("x", real=True)
    >>> mirrored(x**2 * tanh(x), x, 2), mirrored(x**2, x, 2)
    (True, False)
    """
    with mpmath.workdps(FINE):
        at = mpmath.mpf(point)
        sides = [value(expr, variable, p, digits=FINE) for p in (at, -at)]
        if None in sides or not all(mpmath.isfinite(side) for side in sides):
            return False
        return bool(abs(sides[0] + sides[1]) <= mpmath.mpf(10) ** -30 * abs(sides[0]))


def shown(found: Any) -> str:
    """A result of `value` in six digits."""
    if found != found:
        return "undefined"
    return str(mpmath.nstr(found, 6))


class _Walk:
    """One evaluation: each node once."""

    def __init__(self, variable: Symbol | None, point: Any) -> None:
        self.known: dict[Basic, Any] = {} if variable is None else {variable: point}
        self.overflowed = False

    def value(self, node: Basic) -> Any:
        if node not in self.known:
            self.known[node] = self.bounded(self.compute(node))
        return self.known[node]

    def bounded(self, number: Any) -> Any:
        if (
            isinstance(number, mpmath.mpf)
            and mpmath.isfinite(number)
            and number
            and mpmath.mag(number) > _HUGE
        ):
            return self.infinite(number > 0)
        return number

    def infinite(self, positive: bool = True) -> Any:
        self.overflowed = True
        return mpmath.inf if positive else -mpmath.inf

    def compute(self, node: Any) -> Any:
        if node.is_Rational:
            return mpmath.mpf(node.p) / node.q
        if isinstance(node, Float):
            return mpmath.mpf(node._mpf_)
        if isinstance(node, sympy.Add):
            return mpmath.fsum(map(self.value, node.args))
        if isinstance(node, sympy.Mul):
            return mpmath.fprod(map(self.value, node.args))
        if isinstance(node, sympy.exp):
            return self.exp(self.value(node.args[0]))
        if isinstance(node, sympy.Pow):
            return self.power(node)
        if type(node) in _PERIODIC:
            return self.periodic(node)
        if isinstance(node, sympy.Max | sympy.Min):
            return (max if isinstance(node, sympy.Max) else min)(map(self.value, node.args))
        if isinstance(node, sympy.Piecewise):
            return next((self.value(e) for e, c in node.args if self.holds(c)), mpmath.nan)
        if isinstance(node, sympy.Heaviside):
            return (mpmath.sign(self.value(node.args[0])) + 1) / 2
        if type(node) in _UNARY:
            argument = self.value(node.args[0])
            if isinstance(node, sympy.sinh | sympy.cosh) and mpmath.mag(argument) > 30:
                return self.infinite(isinstance(node, sympy.cosh) or argument > 0)
            return _UNARY[type(node)](argument)
        return self.other(node)

    def exp(self, argument: Any) -> Any:
        if mpmath.isfinite(argument) and argument and mpmath.mag(argument) > 30:
            return self.infinite() if mpmath.re(argument) > 0 else mpmath.mpf(0)
        return mpmath.exp(argument)

    def power(self, node: Any) -> Any:
        base, exponent = self.value(node.base), self.value(node.exp)
        if not base:
            if mpmath.re(exponent) < 0:
                raise ZeroDivisionError
            return base**exponent
        if node.exp.is_Integer and mpmath.isfinite(base) and abs(mpmath.mag(base) * int(node.exp)) < _HUGE:
            return base ** int(node.exp)
        if node.exp.is_Integer and not mpmath.isfinite(base):
            return base ** int(node.exp)
        if isinstance(base, mpmath.mpc) or base < 0:
            return base**exponent
        return self.exp(exponent * mpmath.log(base))

    def periodic(self, node: Any) -> Any:
        argument = self.value(node.args[0])
        if not mpmath.isfinite(argument) or (argument and mpmath.mag(argument) > _ANGLE):
            self.overflowed = True
            return mpmath.nan
        return _PERIODIC[type(node)](argument)

    def holds(self, condition: Any) -> bool:
        if isinstance(condition, BooleanTrue | BooleanFalse):
            return bool(condition)
        if isinstance(condition, And | Or):
            return (all if isinstance(condition, And) else any)(map(self.holds, condition.args))
        if isinstance(condition, Not):
            return not self.holds(condition.args[0])
        if not isinstance(condition, Relational):
            raise TypeError
        difference = self.value(condition.lhs) - self.value(condition.rhs)
        return bool(condition.func(int(mpmath.sign(difference)), 0))

    def other(self, node: Any) -> Any:
        """Constants such as pi, and functions that only SymPy knows, by SymPy's own evaluation of one node."""
        if isinstance(node, sympy.Function):
            numbers = [Expr._from_mpmath(self.value(arg), mpmath.mp.prec) for arg in node.args]
            node = node.func(*numbers)
        return _constant(node, mpmath.mp.prec)


@lru_cache(maxsize=4096)
def _constant(node: Any, bits: int) -> Any:
    """Roots of polynomials are asked for again and again."""
    return mpmath.mpmathify(node.evalf(mpmath.libmp.prec_to_dps(bits))._to_mpmath(bits))
