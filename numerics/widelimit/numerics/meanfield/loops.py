"""The loops over layers of `propagate` in nopython code: lengths, then eps = 1 - c along them.

Each follows the layers for as long as its method is right and returns where it stopped, so that the caller can go on
with the next method from there. The moments and pair functions are passed as compiled functions of a fixed type: one
compilation serves all activations.
"""

from __future__ import annotations

import numpy as np
from numba import types

from widelimit.numerics.compile.cache import njit
from widelimit.numerics.compile.quadrature import ROUNDING
from widelimit.numerics.meanfield.pairs import SMALL_GAP

_F, _I = types.float64, types.int64
_C1, _C2 = types.Array(_F, 1, "C"), types.Array(_F, 2, "C")
_MOMENTS = types.FunctionType(types.UniTuple(_F, 3)(_F))
_PAIR = types.FunctionType(types.UniTuple(_F, 2)(_F, _F))
SETTLED = 2e-16  # relative change of q below which the length has reached its fixed point


@njit(_I(_MOMENTS, _C1, _C1, _C1, _I, _F, _F, _F, _F), nogil=True, error_model="numpy", cache=True)
def lengths(moments, q, v, p, layer, s, bias, low, high):
    """Fill q, V, P from `layer` on; return the first layer not filled: q left [low, high], or settled, or the end."""
    while layer < q.size:
        here = q[layer]
        if not (low <= here <= high):
            return layer
        values = moments(here)
        v[layer], p[layer] = values[0], values[1]
        layer += 1
        if layer < q.size:
            new = s * values[0] + bias
            if abs(new - here) <= SETTLED * here:
                q[layer] = here
                return layer
            q[layer] = new
    return layer


@njit(_F(_F, _F, _F, _F), nogil=True, error_model="numpy", inline="always")
def _onward(weight, gap, noise, eps):
    """Return eps one layer on; it stays where the length is 0, where no correlation is."""
    if np.isnan(weight):
        return eps
    return min(max(weight * gap + noise, 0.0), 2.0)


@njit(_I(_PAIR, _C1, _C1, _C1, _C1, _C1, _C1, _C1, _I, _I), nogil=True, error_model="numpy", cache=True)
def closed(pair, eps, q, at_one, weight, noise, nodes, weights, layer, last):
    """Follow eps over layers `layer` .. `last` - 1 with closed pair expectations at equal lengths."""
    while layer < last:
        row = min(layer, q.size - 1)
        e = eps[layer]
        if e == 0.0 and noise[row] == 0.0:
            eps[layer + 1 : last + 1] = 0.0
            return last
        gap = 0.0
        if e > 0.0 and q[row] > 0.0:
            gap = at_one[row] - pair(q[row], e)[0]
            if not (gap >= SMALL_GAP * abs(at_one[row])):
                gap = 0.0
                for k in range(nodes.size):  # t = e s^2 smooths the square root that a kink leaves at t = 0
                    gap += pair(q[row], e * nodes[k] ** 2)[1] * 2.0 * nodes[k] * weights[k]
                gap *= q[row] * e
        eps[layer + 1] = _onward(weight[row], gap, noise[row], e)
        layer += 1
    return layer


@njit(_I(_C2, _C1, _C1, _C1, _C1, _C1, _C1, _C1, _I, _I, _I), nogil=True, error_model="numpy", cache=True)
def series(products, tail, moment, spread, eps, q, weight, noise, first, layer, last):
    """Follow eps by Hermite coefficients (rows from layer `first` on) while what they leave out is rounding."""
    terms = products.shape[1]
    while layer < last:
        row = min(layer - first, q.size - 1)
        e = eps[layer]
        if e == 0.0 and noise[row] == 0.0:
            eps[layer + 1 : last + 1] = 0.0
            return last
        gap = 0.0
        if e > 0.0 and q[row] > 0.0:
            c, power, total = 1.0 - e, 1.0, 0.0
            for n in range(terms):
                total += products[row, n] / (n + 1) * power
                power *= c
            gap = spread[row] - q[row] * c * total
            if gap < SMALL_GAP * abs(spread[row]):
                total, power, sums = 0.0, 1.0, 0.0
                for n in range(terms):
                    sums += power
                    total += products[row, n] / (n + 1) * sums
                    power *= c
                gap = q[row] * e * total
            share = 1.0 if gap < 2.0 * SMALL_GAP * abs(spread[row]) else abs(c) ** terms
            if not (tail[row] * share <= 4.0 * ROUNDING * moment[row]):
                return layer
        eps[layer + 1] = _onward(weight[row], gap, noise[row], e)
        layer += 1
    return layer
