"""One random layer by numbers: what names such as q_{l+1} stand for, where a derivation states a formula for them.

A unit of the next layer is a sum over units with independent weights. Here the weights run through all signs, which is
exact for second moments, and the pre-activations through the nodes of a quadrature of mpmath's own between the kinks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import mpmath
from sympy import Expr

from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.gaussian.expectation import branched
from widelimit.theory.errors import DerivationError

Function = Callable[[Any], Any]


def by_number(expr: Expr, dps: int, *besides: Expr) -> tuple[Function, tuple[Any, ...]]:
    """Return a function of `x` that takes and gives mpmath's numbers, and where it, or one `besides`, is not smooth.

    >>> function, breaks = by_number(abs(X), 15)
    >>> print(function(mpmath.mpf(-2)), len(breaks))
    2.0 1
    """
    found, *others = (branched(one, X, dps + 15) for one in (expr, *besides))
    return found, tuple(sorted({*found.breaks, *(place for one in others for place in one.breaks)}))


def over_unit(function: Function, variance: Any, breaks: Iterable[Any] = ()) -> Any:
    """Return the mean of a function of u ~ N(0, variance), by tanh-sinh quadrature between `breaks`.

    To mpmath's precision, and as far out as the density is above it.

    >>> print(mpmath.nstr(over_unit(lambda u: u**4, 2), 12))
    12.0
    """
    root = mpmath.sqrt(variance)
    reach = root * mpmath.sqrt(2 * mpmath.log(10) * (mpmath.mp.dps + 5))
    ends = sorted({-reach, *(b for b in breaks if abs(b) < reach), mpmath.mpf(0), reach})
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


def atom(place: Any, mass: Any, m: Any) -> Any:
    """Return where the M-transform of an atom is m > 0, the rest of the law being at 0.

    >>> print(mpmath.nstr(atom(2, mpmath.mpf("0.5"), mpmath.mpf("0.5")), 10))  # (1 + p/m) x
    4.0
    """
    return mpmath.findroot(lambda z: mass * place / (z - place) - m, place * (1 + mass / m) * 1.1)


def depth_of_decay(rate: Any, dps: int) -> Any:
    """Return the depth l at which rate^l has fallen to 1/e, by bisection; negative where it grows.

    Raises `DerivationError` for a rate of 1, or one that is not positive.

    >>> print(mpmath.nstr(depth_of_decay(mpmath.mpf("0.5"), 15), 10))  # 1/log(2)
    1.442695041
    """
    if not rate > 0 or rate == 1:
        raise DerivationError(f"A deviation is multiplied by {mpmath.nstr(rate, 5)} a layer: no depth scale.")
    sign = 1 if rate < 1 else -1
    low, high = mpmath.mpf(0), mpmath.mpf(1)
    with mpmath.workdps(dps + 10):
        target = mpmath.exp(-1)
        while rate ** (sign * high) > target:
            low, high = high, 2 * high
        for _ in range(int(mpmath.mp.prec)):
            middle = (low + high) / 2
            low, high = (middle, high) if rate ** (sign * middle) > target else (low, middle)
        return sign * high
