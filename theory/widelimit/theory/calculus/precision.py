"""Evaluate symbolic mathematics at a point to any number of digits, without using the identities under test."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import mpmath
from sympy import Derivative, Dummy, Expr, Float, Integral, Rational, Subs, Symbol
from sympy.core.function import AppliedUndef

from widelimit.theory.calculus.exact import plain
from widelimit.theory.calculus.gaussian.expectation import Expectation, score
from widelimit.theory.calculus.gaussian.quadrature import integral
from widelimit.theory.errors import DerivationError

SPARE = 15  # digits beyond those asked for
Values = Mapping[Symbol, Any]  # numbers that a step of a derivation is checked at


def evaluate(expr: Expr, values: Mapping[Symbol, Any], dps: int) -> Any:
    """Return the value of an expression as an mpf (or mpc) with about `dps` digits.

    Knows `Expectation` (quadrature), `Derivative` (the density is differentiated, not the integrand: Price's and
    Stein's identities can be tested by it), `Integral` (quadrature), sums and every SymPy function.

    >>> from sympy import Symbol, tanh
    >>> x, q = Symbol("x", real=True), Symbol("q", positive=True)
    >>> print(mpmath.nstr(evaluate(Expectation(tanh(x)**2, x, q) - q, {q: 1}, 20), 20))
    -0.60570550960215882558
    """
    work = dps + SPARE
    numbers = {s: exact(v, work) for s, v in values.items()}
    result = _numeric(plain("expr", expr), numbers, work)
    if not result.is_number or result.has(AppliedUndef):
        raise DerivationError(f"{expr} has no value at {dict(values)}: {result} is left.")
    with mpmath.workdps(work):
        return mpmath.mpmathify(result._to_mpmath(mpmath.mp.prec))


def numbers(values: Values, dps: int, *symbols: Symbol) -> tuple[Any, ...]:
    """Return what symbols are at a point, as numbers of mpmath with about `dps` digits.

    >>> from sympy.abc import a, b
    >>> numbers({a: 2, b: 3}, 15, b, a)
    (mpf('3.0'), mpf('2.0'))
    """
    return tuple(evaluate(symbol, values, dps) for symbol in symbols)


def named(values: Values) -> dict[str, Any]:
    """Return the same by the names of the symbols.

    >>> from sympy.abc import a
    >>> named({a: 2})
    {'a': mpf('2.0')}
    """
    return {symbol.name: mpmath.mpmathify(value) for symbol, value in values.items()}


def exact(value: Any, dps: int) -> Expr:
    """Return a number as SymPy: whole numbers exactly, others with `dps` digits.

    A float is the decimal that it is written as; a number of mpmath is what its bits say, however few they are.

    >>> exact(0.4, 20), exact(mpmath.mpf(0.4), 20)
    (0.40000000000000000000, 0.40000000000000002220)
    """
    binary = isinstance(value, mpmath.mpf)
    value = plain("value", value)
    if value.is_Integer:
        return value
    if isinstance(value, Float) and not binary:
        value = Rational(str(value)) if value._prec <= 53 else value  # 0.3 means 3/10
    return value.evalf(dps)


def _numeric(expr: Expr, values: Mapping[Symbol, Expr], dps: int) -> Expr:
    if expr.has(Derivative):
        expr = expr.replace(lambda e: isinstance(e, Derivative), differentiated)
    special: dict[Expr, Expr] = {}
    for node in _outermost(expr):
        special[node] = _value(node, values, dps)
    if special:
        expr = expr.xreplace(special)
    return expr.xreplace(dict(values)).evalf(dps)


def _value(node: Expr, values: Mapping[Symbol, Expr], dps: int) -> Expr:
    if isinstance(node, Expectation):
        return _expected(node.subs(dict(values)), dps - SPARE)  # quadrature carries its own guard digits
    if isinstance(node, Subs):
        return _numeric(node.expr.subs(zip(node.variables, node.point, strict=True)), values, dps)
    (t, low, high) = node.limits[0]
    inner = Integral(node.function, *node.limits[1:]) if len(node.limits) > 1 else node.function

    def function(point: Any) -> Any:
        here = {**values, t: Float(point, dps)}
        return _numeric(inner, here, dps)._to_mpmath(mpmath.mp.prec)

    with mpmath.workdps(dps):
        ends = [_numeric(end, values, dps)._to_mpmath(mpmath.mp.prec) for end in (low, high)]
        # Not finer than the nodes inside are evaluated: their rounding would be taken for structure.
        return Float(integral(function, ends, max(dps - SPARE - 3, 3)), dps)


@lru_cache(maxsize=512)
def _expected(node: Expr, dps: int) -> Expr:
    """Return an expectation's value; both sides of an equation often hold the same ones."""
    return node.evalf(dps)


def _outermost(expr: Expr) -> list[Expr]:
    if isinstance(expr, Expectation | Subs) or (isinstance(expr, Integral) and expr.has(Expectation)):
        return [expr]
    found: list[Expr] = []
    for arg in expr.args:
        if isinstance(arg, Expr):
            found += _outermost(arg)
    return found


def differentiated(node: Derivative) -> Expr:
    """Carry out derivatives; an `Expectation` is differentiated through its density."""
    expr = node.expr
    for symbol, count in node.variable_count:
        for _ in range(int(count)):
            expr = by_score(expr, symbol)
    return expr


def by_score(expr: Expr, symbol: Symbol) -> Expr:
    """Return d expr/d symbol with every Expectation differentiated as E f d(log density)."""
    nodes = [node for node in expr.atoms(Expectation) if node.has(symbol)]
    names = {node: Dummy() for node in nodes}
    outer = expr.xreplace(names)
    total = outer.diff(symbol)
    for node, name in names.items():
        slope = sum(score(node, i) * m.diff(symbol) for i, m in enumerate(node.covariance))
        if node.integrand.has(symbol) and symbol not in node.variables:
            slope += Expectation(node.integrand.diff(symbol), node.variables, node.covariance)
        total += outer.diff(name) * slope
    return total.xreplace({name: node for node, name in names.items()})


__all__ = ["by_score", "differentiated", "evaluate", "exact", "named", "numbers"]
