"""Derivatives of what is only known by an equation: fixed points, and formulas along with them; of maps, twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
from sympy import Add, Expr, Symbol

from widelimit.theory.calculus import exact
from widelimit.theory.errors import ArgumentError


def symbol(name: str, value: object) -> Symbol:
    """Return an argument that is a symbol; SymPy would evaluate text that it is asked to differentiate by."""
    if not isinstance(value, Symbol):
        raise ArgumentError(name, "must be a symbol", value)
    return value


@exact.takes(formula=exact.plain)
def along(formula: Expr, changes: Mapping[Symbol, Expr]) -> Expr:
    """Return how a formula changes with its symbols: the chain rule, with the change of each of them.

    >>> from sympy.abc import a, b
    >>> print(along(a**2 * b, {a: 1, b: 3}))
    3*a**2 + 2*a*b
    """
    return Add(*(formula.diff(symbol) * change for symbol, change in changes.items()))


@exact.takes(image=exact.plain)
def fixed_point(image: Expr, point: Symbol, changes: Mapping[Symbol, Expr]) -> Expr:
    """Return how the fixed point of a map changes: F_theta/(1 - F_point), the implicit function theorem.

    `image` is F(point, theta) and `changes` says by how much each theta changes. There is no derivative where
    1 - F_point = 0.

    >>> from sympy.abc import a, y
    >>> print(fixed_point(a * y + 1, y, {a: 1}))  # y = 1/(1 - a)
    y/(1 - a)
    """
    return along(image, changes) / (1 - image.diff(point))


def taylor(formulas: Sequence[Expr], symbols: Sequence[Symbol]) -> list[Expr]:
    """Return formulas, their first and their second derivatives, one after the other, row by row.

    >>> from sympy.abc import a, b
    >>> taylor([a * b**2], [a, b])
    [a*b**2, b**2, 2*a*b, 0, 2*b, 2*b, 2*a]
    """
    values = [exact.plain("formulas", one) for one in formulas]
    variables = [symbol("symbols", one) for one in symbols]
    first = [one.diff(a) for one in values for a in variables]
    second = [one.diff(a, b) for one in values for a in variables for b in variables]
    return [*values, *first, *second]


def difference(function: Callable[[Any, int], Any], at: Any, dps: int) -> Any:
    """Return the derivative of a function of (point, digits) for a check: a difference, with half as many digits again.

    >>> print(mpmath.nstr(difference(lambda y, digits: mpmath.exp(y), mpmath.mpf(0), 15), 15))
    1.0
    """
    digits = 3 * dps // 2 + 8
    with mpmath.workdps(digits):
        step = mpmath.mpf(10) ** (-(dps // 2) - 2)
        return (function(at + step, digits) - function(at - step, digits)) / (2 * step)
