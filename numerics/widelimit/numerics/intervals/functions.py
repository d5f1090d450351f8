"""Exponential, logistic function and hyperbolic tangent of intervals, from nothing but rounded sums and products.

No library says how far its `tanh` may be off; so exp is computed here by its series. With u = 2^-53: the argument is
r = x - k log 2, |r| <= 0.3466, whose first difference is exact and whose last is off by 0.36 u; Horner's rule with
terms c_k r^k loses at most u sum_k |r|^k (|r| s_{k+1} + s_k + c_k), s_k <= 1.4143/k!, which is 2.6 u or 3.7 u of the
value; the series ends after r^14/14! (0.01 u). Together below 4.3 u; `_SLACK` is 8 u. exp(y) - 1 = y q(y) for
|y| <= 0.7 loses 5.4 u in the same way.
"""

from __future__ import annotations

import math

from widelimit.numerics.compile.cache import njit
from widelimit.numerics.intervals.rounding import down, up

_SLACK = 2.0**-50
_INVERSE = 1.4426950408889634  # 1 / log 2
_HIGH = 6.93147180369123816490e-01  # log 2 in 21 bits, so that k times it is exact
_LOW = 1.90821492927058770002e-10  # and the rest
_EDGE = 700.0
_TERMS = tuple(1.0 / math.factorial(k) for k in range(19))


@njit(nogil=True, error_model="numpy")
def _series(y, first, last):
    total = _TERMS[last]
    for k in range(last - 1, first - 1, -1):
        total = _TERMS[k] + y * total
    return total


@njit(nogil=True, error_model="numpy")
def exp_at(x):
    """Return an interval that holds exp(x) of one float.

    >>> low, high = exp_at(1.0)
    >>> low < 2.718281828459045 < high, high - low < 1e-14
    (True, True)
    """
    if not x < _EDGE:
        return (1e304, math.inf) if x >= _EDGE else (0.0, math.inf)
    if x < -_EDGE:
        return 0.0, 1e-304
    k = math.floor(x * _INVERSE + 0.5)
    value = math.ldexp(_series((x - k * _HIGH) - k * _LOW, 0, 14), int(k))
    return value - 2.0 * value * _SLACK, value + 2.0 * value * _SLACK


@njit(nogil=True, error_model="numpy")
def sigmoid_at(x):
    """Return an interval that holds 1/(1 + exp(-x)) of one float; of x < 0 with all its relative digits.

    >>> low, high = sigmoid_at(-40.0)
    >>> low < 4.248354255291589e-18 < high, high / low < 1 + 1e-14
    (True, True)
    """
    if x != x:
        return 0.0, 1.0
    low, high = exp_at(-abs(x))
    if x < 0.0:
        return max(down(low / up(1.0 + low)), 0.0), up(high / down(1.0 + high))
    return down(1.0 / up(1.0 + high)), min(up(1.0 / down(1.0 + low)), 1.0)


@njit(nogil=True, error_model="numpy")
def tanh_at(x):
    """Return an interval that holds tanh(x) of one float.

    >>> low, high = tanh_at(0.5)
    >>> low < 0.46211715726000975 < high, high - low < 1e-14
    (True, True)
    """
    if x != x:
        return -1.0, 1.0
    y = abs(x)
    if y <= 0.35:
        grown = 2.0 * y * _series(2.0 * y, 1, 18)
        low, high = max(down(grown - grown * _SLACK), 0.0), up(grown + grown * _SLACK)
        low, high = max(down(low / up(2.0 + low)), 0.0), up(high / down(2.0 + high))
    else:
        low, high = exp_at(2.0 * y)
        low = down(1.0 - up(2.0 / down(1.0 + low)))
        high = 1.0 if high == math.inf else min(up(1.0 - down(2.0 / up(1.0 + high))), 1.0)
    return (low, high) if x >= 0.0 else (-high, -low)


@njit(nogil=True, error_model="numpy")
def _logistic_slope(x):
    """Enclose exp(-|x|)/(1 + exp(-|x|))^2, which rises with the exponential."""
    low, high = exp_at(-abs(x))
    below, above = up(1.0 + low), down(1.0 + high)
    return max(down(low / up(below * below)), 0.0), min(up(high / down(above * above)), 0.25)


@njit(nogil=True, error_model="numpy")
def exp(low, high):
    """Return an interval that holds exp(x) for all x of an interval.

    >>> below, above = exp(0.0, 1.0)
    >>> below < 1.0 < 2.718281828459045 < above
    True
    """
    return exp_at(low)[0], exp_at(high)[1]


@njit(nogil=True, error_model="numpy")
def sigmoid(low, high):
    """Return an interval that holds 1/(1 + exp(-x)) for all x of an interval; 1 - sigmoid(x) is sigmoid(-x).

    >>> below, above = sigmoid(0.0, 1.0)
    >>> below < 0.5 < 0.7310585786300049 < above
    True
    """
    return sigmoid_at(low)[0], sigmoid_at(high)[1]


@njit(nogil=True, error_model="numpy")
def tanh(low, high):
    """Return an interval that holds tanh(x) for all x of an interval.

    >>> below, above = tanh(-1.0, 0.0)
    >>> below < -0.7615941559557649 < 0.0 <= above
    True
    """
    return tanh_at(low)[0], tanh_at(high)[1]


@njit(nogil=True, error_model="numpy")
def sigmoid_slope(low, high):
    """Return an interval that holds sigmoid(x) (1 - sigmoid(x)) for all x of an interval.

    >>> sigmoid_slope(-1.0, 2.0)[1]
    0.25
    """
    if not low <= high:
        return 0.0, 0.25
    far = low if -low > high else high
    if low <= 0.0 <= high:
        return _logistic_slope(far)[0], 0.25
    return _logistic_slope(far)[0], _logistic_slope(low if low > 0.0 else high)[1]


@njit(nogil=True, error_model="numpy")
def tanh_slope(low, high):
    """Return an interval that holds 1 - tanh(x)^2 for all x of an interval.

    >>> below, above = tanh_slope(1.0, 2.0)
    >>> below < 0.07065082485316447 < 0.41997434161402614 < above
    True
    """
    below, above = sigmoid_slope(2.0 * low, 2.0 * high)
    return 4.0 * below, 4.0 * above
