"""Evaluate any expression of the theory floor to a number of any precision.

SymPy's `evalf` does most of it: our nodes (Gaussian expectations, bivariate probabilities) evaluate themselves.
Derivatives are taken numerically, never by the rules of the node inside them, so that a check of such a rule is one.
"""

from __future__ import annotations

from collections.abc import Mapping

import mpmath
from sympy import Basic, Derivative, Expr, Float, Integral, Rational, Subs, Symbol, sympify

from widelimit.theory.errors import DerivationError

Value = mpmath.mpf | mpmath.mpc
Number = int | float | str | Rational | Float | mpmath.mpf | mpmath.mpc


def evaluate(
    expr: Expr, values: Mapping[Symbol, Number] | None = None, dps: int = 30
) -> mpmath.mpf | mpmath.mpc:
    """Return the value of `expr` at `values`, good to about `dps` digits.

    Pass exact numbers (integers, rationals, decimal strings): a Python float stands for its own binary value.

    >>> from sympy import Derivative, Symbol, sin
    >>> t = Symbol("t")
    >>> mpmath.nstr(evaluate(Derivative(sin(t), t), {t: Rational(1, 3)}, 20), 20)
    '0.94495694631473766439'
    """
    given = {symbol: _exact(value, dps + 10) for symbol, value in (values or {}).items()}
    with mpmath.workdps(dps + 10):
        number = _number(sympify(expr), given, dps + 10)
    return number


def _number(expr: Expr, values: Mapping[Symbol, Expr], dps: int) -> Value:
    held = _outermost(expr)
    replaced = {node: _from_mpmath(_differentiate(node, values, dps), dps) for node in held}
    value = expr.xreplace(replaced).subs(values).evalf(dps)
    if value.free_symbols or not value.is_number or value.has(Integral):
        raise DerivationError(f"{expr} has no numerical value at {dict(values)}.")
    number = value._to_mpmath(mpmath.libmp.dps_to_prec(dps))
    return number if isinstance(number, mpmath.mpc) else mpmath.mpf(number)


def _outermost(expr: Basic) -> list[Expr]:
    """Return the derivatives and substitutions that are inside no other one."""
    if isinstance(expr, Derivative | Subs):
        return [expr]
    return [node for arg in expr.args for node in _outermost(arg)]


def _differentiate(node: Derivative | Subs, values: Mapping[Symbol, Expr], dps: int) -> mpmath.mpf:
    if isinstance(node, Subs):
        inside = {**values, **{s: p.subs(values) for s, p in zip(node.variables, node.point, strict=True)}}
        return _number(node.expr, inside, dps)
    (symbol, order), *others = node.variable_count
    rest = Derivative(node.expr, *others) if others else node.expr
    where = values[symbol].evalf(dps)._to_mpmath(mpmath.libmp.dps_to_prec(dps))

    def at(point: mpmath.mpf) -> mpmath.mpf:
        digits = mpmath.mp.dps
        return _number(rest, {**values, symbol: _from_mpmath(point, digits)}, digits)

    return mpmath.diff(at, where, int(order))


def _from_mpmath(number: mpmath.mpf | mpmath.mpc, dps: int) -> Expr:
    return Expr._from_mpmath(number, mpmath.libmp.dps_to_prec(dps))


def _exact(value: Number, dps: int) -> Expr:
    if isinstance(value, mpmath.mpf | mpmath.mpc):
        return _from_mpmath(value, dps)
    return Rational(value) if isinstance(value, int | str) else sympify(value)
