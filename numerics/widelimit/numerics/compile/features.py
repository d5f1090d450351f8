"""Where an integrand needs attention: kinks, centres and scales of its smooth parts, parity.

A quadrature that only looks at samples can miss a spike. The expression itself says where spikes can be: every
function of x in it (tanh(x - 30), exp(-10**4*(x - 0.3)**2)) varies near the points where its argument is small,
on the scale on which the argument changes by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from sympy import Expr, Symbol

from widelimit.theory.calculus.pieces import split


@dataclass(frozen=True)
class Features:
    """Kinks (in order), (centre, scale) pairs of what is smooth, and whether every function is even.

    `sharp`: kinks at which a function behaves like a fractional power; panels are graded towards them.
    """

    kinks: tuple[float, ...] = ()
    spots: tuple[tuple[float, float], ...] = ()
    even: bool = False
    sharp: tuple[float, ...] = ()

    @property
    def scale(self) -> float:
        """The finest scale on which the smooth parts vary."""
        return min((scale for _, scale in self.spots), default=math.inf)


def features(expressions: Sequence[Expr], x: Symbol) -> Features:
    """Read the features of functions of `x` off their expressions.

    >>> x = Symbol("x", real=True)
    >>> features([sympy.tanh(x - 3)], x)
    Features(kinks=(), spots=((3.0, 1.0),), even=False, sharp=())
    >>> features([sympy.Max(x, 0) ** 2], x).kinks
    (0.0,)
    """
    kinks: set[float] = set()
    sharp: set[float] = set()
    spots: set[tuple[float, float]] = set()
    for expr in expressions:
        pieces = split(expr, x)
        kinks |= {float(b) for b in pieces.breaks}
        sharp |= {float(b) for b in pieces.branches()}
        for part in pieces.exprs:
            spots |= {spot for node in sympy.preorder_traversal(part) for spot in _spots(node, x)}
    even = not kinks and all(sympy.expand(expr.subs(x, -x) - expr) == 0 for expr in expressions)
    return Features(tuple(sorted(kinks)), tuple(sorted(spots)), even, tuple(sorted(sharp)))


def _spots(node: Expr, x: Symbol) -> list[tuple[float, float]]:
    if isinstance(node, sympy.Pow) and node.base.has(x) and not (node.exp.is_Integer and node.exp > 0):
        argument = node.base  # a pole or a branch point
    elif isinstance(node, sympy.exp):
        argument = node.exp
    elif isinstance(node, sympy.Function) and node.args[0].has(x):
        argument = node.args[0]
    else:
        return []
    return _of_polynomial(argument, x) if argument.is_polynomial(x) and argument.has(x) else []


def _of_polynomial(argument: Expr, x: Symbol) -> list[tuple[float, float]]:
    """Return the places where a polynomial is small or turns, with the distance over which it changes by one."""
    poly = sympy.Poly(argument, x)
    if poly.free_symbols_in_domain or poly.degree() > 12:
        return []
    coefficients = np.array([float(c) for c in poly.all_coeffs()])
    slope = np.polyder(coefficients)
    roots = np.concatenate([np.roots(coefficients), np.roots(slope)])
    centres = {float(root.real) for root in np.asarray(roots, complex)}
    found = []
    for centre in centres:
        derivative, scale, factorial = coefficients, math.inf, 1.0
        for order in range(1, len(coefficients)):
            derivative, factorial = np.polyder(derivative), factorial * order
            if size := abs(np.polyval(derivative, centre)) / factorial:
                scale = min(scale, float(size) ** (-1.0 / order))
        if math.isfinite(scale):
            found.append((centre, scale))
    return found
