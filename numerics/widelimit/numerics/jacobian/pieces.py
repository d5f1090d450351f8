"""phi'^2 as smooth pieces between the kinks of phi, compiled for complex x and written so that it keeps its digits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from sympy import Add, Expr, Function, Integer, Symbol, cosh, erf, exp, factor, pi, sign, sqrt, tanh

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory.calculus.activation import Activation

_x = Symbol("x")


@dataclass(frozen=True)
class Piece:
    """An interval between kinks with the compiled (phi'^2, d phi'^2/dx) of complex x, or a constant."""

    low: float
    high: float
    curve: Compiled | None
    constant: float


@lru_cache(maxsize=64)
def slope_pieces(activation: Activation) -> tuple[Piece, ...]:
    """Split phi'^2 at its kinks and compile every smooth part."""
    regular = activation.derivative(1).regular
    ends = [-np.inf, *(float(b) for b in regular.breaks), np.inf]
    pieces = []
    for low, high, expr in zip(ends, ends[1:], regular.exprs, strict=False):
        slope = _relative(expr.xreplace({regular.variable: _x}))
        if not slope.has(_x):
            pieces.append(Piece(low, high, None, float(slope) ** 2))
        else:
            square = slope**2
            pieces.append(
                Piece(low, high, compile([square, square.diff(_x)], [_x], name="slope", dtype=complex), 0.0)
            )
    return tuple(pieces)


class ndtr(Function):
    """The normal distribution function, under the name of compiled code; SymPy would turn erfc(-u) into 2 - erfc(u)."""

    def fdiff(self, argindex: int = 1) -> Expr:
        """The normal density."""
        return exp(-(self.args[0] ** 2) / 2) / sqrt(2 * pi)


def _relative(expr: Expr) -> Expr:
    """Rewrite a slope so that it keeps its digits where it is small.

    1 - tanh^2 becomes 1/cosh^2, 1 +- tanh(u) becomes 2/(1 + exp(-+2u)), 1 +- erf(u) becomes 2 ndtr(+-sqrt(2) u).
    """
    for node in expr.atoms(tanh):
        symbol = Symbol("u")
        argument = node.args[0]
        product, plus, minus = Integer(1), 0, 0
        for part in factor(expr.xreplace({node: symbol})).as_ordered_factors():
            base, exponent = part.as_base_exp()
            if base in (symbol + 1, symbol - 1, 1 - symbol) and exponent.is_Integer:
                plus += int(exponent) if base == symbol + 1 else 0
                minus += 0 if base == symbol + 1 else int(exponent)
                product *= (-1) ** exponent if base == symbol - 1 else 1
            else:
                product *= part
        pairs = min(plus, minus)
        expr = product.xreplace({symbol: node}) * cosh(argument) ** (-2 * pairs)
        expr *= (2 / (1 + exp(-2 * argument))) ** (plus - pairs)
        expr *= (2 / (1 + exp(2 * argument))) ** (minus - pairs)
    return expr.replace(lambda e: isinstance(e, Add) and e.has(erf), _complementary)


def _complementary(total: Expr) -> Expr:
    constant, rest = total.as_coeff_Add()
    for term in Add.make_args(rest):
        weight, function = term.as_coeff_Mul()
        if isinstance(function, erf) and constant and abs(weight) == abs(constant):
            return 2 * constant * ndtr(sign(weight * constant) * sqrt(2) * function.args[0]) + rest - term
    return total
