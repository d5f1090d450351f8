"""Outward rounding and arithmetic of intervals, as pairs of floats in compiled code.

Every operation of floats is right to half a unit in the last place; `up` and `down` go to the neighbouring float or
one beyond without changing the processor's rounding mode (Rump, Zimmermann, Boldo, Melquiond, BIT 49, 2009: for every
finite c, c + (u(1 + 2u)|c| + eta), rounded to nearest, is above c by one or two floats; u = 2^-53, eta the smallest
float). What overflows becomes an interval without end, never one that is too small.
"""

from __future__ import annotations

import math

from widelimit.numerics.compile.cache import njit

_HALF = 2.0**-53 * (1.0 + 2.0**-52)
_TINY = 5e-324
_MOST = 1.7976931348623157e308


@njit(nogil=True, error_model="numpy")
def up(value):
    """Return a float above `value`, its neighbour or the next one; what is no number becomes infinity.

    >>> up(1.0) == 1.0 + 2.0**-52, up(float("nan"))
    (True, inf)
    """
    if not value >= -_MOST:
        return -_MOST if value < 0.0 else math.inf
    return value + (abs(value) * _HALF + _TINY)


@njit(nogil=True, error_model="numpy")
def down(value):
    """Return a float below `value`, its neighbour or the next one; what is no number becomes minus infinity.

    >>> 1.0 - 2.0**-52 <= down(1.0) < 1.0, down(float("inf"))
    (True, 1.7976931348623157e+308)
    """
    if not value <= _MOST:
        return _MOST if value > 0.0 else -math.inf
    return value - (abs(value) * _HALF + _TINY)


@njit(nogil=True, error_model="numpy")
def add(a_low, a_high, b_low, b_high):
    """Return an interval that holds a + b for all a, b of two intervals.

    >>> low, high = add(0.1, 0.1, 0.2, 0.2)
    >>> low < 0.30000000000000004 < high
    True
    """
    return down(a_low + b_low), up(a_high + b_high)


@njit(nogil=True, error_model="numpy")
def sub(a_low, a_high, b_low, b_high):
    """Return an interval that holds a - b for all a, b of two intervals.

    >>> low, high = sub(1.0, 2.0, 0.0, 1.0)
    >>> low < 0.0 < 2.0 < high
    True
    """
    return down(a_low - b_high), up(a_high - b_low)


@njit(nogil=True, error_model="numpy")
def mul(a_low, a_high, b_low, b_high):
    """Return an interval that holds a b for all a, b of two intervals.

    >>> low, high = mul(-1.0, 2.0, 3.0, 4.0)
    >>> low < -4.0 < 8.0 < high
    True
    """
    p, q, r, s = a_low * b_low, a_low * b_high, a_high * b_low, a_high * b_high
    if not (abs(p) <= _MOST and abs(q) <= _MOST and abs(r) <= _MOST and abs(s) <= _MOST):
        return -math.inf, math.inf
    return down(min(min(p, q), min(r, s))), up(max(max(p, q), max(r, s)))


@njit(nogil=True, error_model="numpy")
def scale(factor, low, high):
    """Return an interval that holds factor x for all x of an interval.

    >>> low, high = scale(-2.0, 1.0, 3.0)
    >>> low < -6.0 < -2.0 < high
    True
    """
    p, q = factor * low, factor * high
    if not (abs(p) <= _MOST and abs(q) <= _MOST):
        return -math.inf, math.inf
    return down(min(p, q)), up(max(p, q))


@njit(nogil=True, error_model="numpy")
def sqr(low, high):
    """Return an interval that holds x^2 for all x of an interval.

    >>> sqr(-1.0, 1.0)[0]
    0.0
    """
    p, q = low * low, high * high
    if not (p <= _MOST and q <= _MOST):
        return 0.0, math.inf
    if low <= 0.0 <= high:
        return 0.0, up(max(p, q))
    return max(down(min(p, q)), 0.0), up(max(p, q))


@njit(nogil=True, error_model="numpy")
def div(a_low, a_high, b_low, b_high):
    """Return an interval that holds a / b for all a, b of two intervals; the whole line where b holds zero.

    >>> low, high = div(1.0, 1.0, 3.0, 3.0)
    >>> low < 1 / 3 < high, div(1.0, 1.0, -1.0, 1.0)
    (True, (-inf, inf))
    """
    if not (b_low > 0.0 or b_high < 0.0):
        return -math.inf, math.inf
    p, q, r, s = a_low / b_low, a_low / b_high, a_high / b_low, a_high / b_high
    if not (abs(p) <= _MOST and abs(q) <= _MOST and abs(r) <= _MOST and abs(s) <= _MOST):
        return -math.inf, math.inf
    return down(min(min(p, q), min(r, s))), up(max(max(p, q), max(r, s)))
