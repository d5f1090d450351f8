"""One random layer by numbers: what names such as q_{l+1} stand for, where a derivation states a formula for them.

A unit of the next layer is a sum over units with independent weights. Here the weights run through all signs, which is
exact for second moments, and the pre-activations through the nodes of a quadrature of mpmath's own between the kinks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
from sympy import Expr

from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.gaussian.expectation import branched

Function = Callable[[Any], Any]
_FURTHEST = 14  # standard deviations: 1e-43 beyond


def by_number(expr: Expr, dps: int) -> tuple[Function, tuple[Any, ...]]:
    """Return a function of `x` that takes and gives mpmath's numbers, and where it has kinks or jumps.

    >>> function, breaks = by_number(abs(X), 15)
    >>> print(function(mpmath.mpf(-2)), len(breaks))
    2.0 1
    """
    found = branched(expr, X, dps + 15)
    return found, found.breaks


def over_unit(function: Function, variance: Any, breaks: tuple[Any, ...] = ()) -> Any:
    """Return the mean of a function of u ~ N(0, variance), by tanh-sinh quadrature between `breaks`.

    >>> print(mpmath.nstr(over_unit(lambda u: u**4, 2), 12))
    12.0
    """
    root = mpmath.sqrt(variance)
    inside = (b for b in breaks if abs(b) < _FURTHEST * root)
    ends = sorted({-_FURTHEST * root, *inside, mpmath.mpf(0), _FURTHEST * root})
    return mpmath.quad(lambda u: function(u) * mpmath.npdf(u, 0, root), ends)


def mean_square(expr: Expr, variance: Any, dps: int, weight: Any = 1, bias: Any = 0) -> Any:
    """Return the mean square of (w_1 f(u_1) + w_2 f(u_2)) weight/sqrt(2) + s bias, u ~ N(0, variance), signs w and s.

    The two units may have the same pre-activation: what their product adds has a mean of zero over the weights.

    >>> print(mpmath.nstr(mean_square(X, 2, 15, weight=3, bias=1), 12))
    19.0
    """
    function, breaks = by_number(expr, dps)

    def square(u: Any) -> Any:
        value = function(u) * weight / mpmath.sqrt(2)
        return over_signs(lambda w: (w[0] * value + w[1] * value + w[2] * bias) ** 2, 3)

    return over_unit(square, variance, breaks)


def marchenko_pastur(scale: Any, aspect: Any, m: Any) -> Any:
    """Return where the M-transform of Marchenko and Pastur's law is m > 0: `scale` times W W', `aspect` rows a column.

    The mean of x/(z - x), integrated over the angle of the law's semicircle; m below aspect^(-1/2), aspect at most 1.

    >>> print(mpmath.nstr(marchenko_pastur(1, mpmath.mpf("0.5"), mpmath.mpf("0.5")), 10))  # (1 + m)(1 + m/2)/m
    3.75
    """
    edge = scale * (1 + mpmath.sqrt(aspect)) ** 2

    def excess(z: Any) -> Any:
        def density(angle: Any) -> Any:
            x = 1 + aspect + 2 * mpmath.sqrt(aspect) * mpmath.cos(angle)
            return scale * mpmath.sin(angle) ** 2 / (z - scale * x)

        return 2 / mpmath.pi * mpmath.quad(density, [0, mpmath.pi]) - m

    return mpmath.findroot(excess, (edge * 1.02, edge + scale / m), solver="anderson")
