"""Matrices of floats and of intervals times vectors and matrices of intervals.

Sums are made of plain floats, upper and lower bounds apart, and widened once: with n products a sum is off by at most
n u/(1 - n u) times the sum of magnitudes, which itself is computed to 1 - n u; `_share` is twice that and `_TINY` pays
for what underflows.
"""

from __future__ import annotations

import math

from widelimit.numerics.compile.cache import njit
from widelimit.numerics.intervals.rounding import add, down, mul, up

_UNIT = 2.0**-53
_TINY = 1e-322
_MOST = 1.7976931348623157e308


@njit(nogil=True, error_model="numpy")
def _share(terms):
    return (2.0 * terms + 4.0) * _UNIT


@njit(nogil=True, error_model="numpy")
def _widened(low, high, size, terms):
    error = size * _share(terms) + terms * _TINY
    if not error <= _MOST:
        return -math.inf, math.inf
    return down(low - error), up(high + error)


@njit(nogil=True, error_model="numpy")
def dot(factors, low, high):
    """Return an interval that holds sum_j factors_j x_j for all x in a box; `factors` are floats.

    >>> import numpy as np
    >>> below, above = dot(np.array([1.0, -2.0]), np.zeros(2), np.ones(2))
    >>> below < -2.0 < 1.0 < above, above - below < 3.0 + 1e-14
    (True, True)
    """
    below, above, size = 0.0, 0.0, 0.0
    for j in range(factors.size):
        w = factors[j]
        if w >= 0.0:
            below += w * low[j]
            above += w * high[j]
        else:
            below += w * high[j]
            above += w * low[j]
        size += abs(w) * max(abs(low[j]), abs(high[j]))
    return _widened(below, above, size, factors.size)


@njit(nogil=True, error_model="numpy")
def matvec(matrix, low, high, out_low, out_high):
    """Fill a box that holds `matrix` x for all x of a box; `matrix` holds floats.

    >>> import numpy as np
    >>> below, above = np.empty(1), np.empty(1)
    >>> matvec(np.array([[1.0, 1.0]]), np.zeros(2), np.ones(2), below, above)
    >>> bool(below[0] < 0.0 and above[0] > 2.0)
    True
    """
    for i in range(matrix.shape[0]):
        out_low[i], out_high[i] = dot(matrix[i], low, high)


@njit(nogil=True, error_model="numpy")
def box_matvec(m_low, m_high, low, high, out_low, out_high):
    """Fill a box that holds M x for all M of an interval matrix and all x of a box.

    >>> import numpy as np
    >>> below, above = np.empty(1), np.empty(1)
    >>> box_matvec(np.full((1, 2), -1.0), np.ones((1, 2)), np.zeros(2), np.ones(2), below, above)
    >>> bool(below[0] < -2.0 and above[0] > 2.0)
    True
    """
    for i in range(m_low.shape[0]):
        below, above = 0.0, 0.0
        for j in range(m_low.shape[1]):
            one, other = mul(m_low[i, j], m_high[i, j], low[j], high[j])
            below, above = add(below, above, one, other)
        out_low[i], out_high[i] = below, above


@njit(nogil=True, error_model="numpy")
def matmul(matrix, low, high, out_low, out_high):
    """Fill an interval matrix that holds `matrix` M for all M of an interval matrix; `matrix` holds floats.

    >>> import numpy as np
    >>> below, above = np.empty((1, 1)), np.empty((1, 1))
    >>> matmul(np.array([[1.0, -1.0]]), np.zeros((2, 1)), np.ones((2, 1)), below, above)
    >>> bool(below[0, 0] < -1.0 and above[0, 0] > 1.0)
    True
    """
    rows, inner, columns = matrix.shape[0], matrix.shape[1], low.shape[1]
    for i in range(rows):
        for k in range(columns):
            out_low[i, k] = 0.0
            out_high[i, k] = 0.0
        error = 0.0  # one bound for the row: the sum of all its magnitudes
        for j in range(inner):
            w = matrix[i, j]
            largest = 0.0
            if w >= 0.0:
                for k in range(columns):
                    out_low[i, k] += w * low[j, k]
                    out_high[i, k] += w * high[j, k]
                    largest = max(largest, max(abs(low[j, k]), abs(high[j, k])))
            else:
                for k in range(columns):
                    out_low[i, k] += w * high[j, k]
                    out_high[i, k] += w * low[j, k]
                    largest = max(largest, max(abs(low[j, k]), abs(high[j, k])))
            error += abs(w) * largest
        for k in range(columns):
            out_low[i, k], out_high[i, k] = _widened(out_low[i, k], out_high[i, k], error, inner)
