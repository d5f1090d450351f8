"""The resting map T and its slope over boxes, rounded outward: what certificates of fixed points rest on.

As `loops.rest`, but every number is an interval. Input weights times inputs are intervals too (`offsets`): what is
enclosed is the cell as its weights say, not what floats make of it.
"""

from __future__ import annotations

import numpy as np

from widelimit.numerics import intervals
from widelimit.numerics.cells.loops import GRU, GRU_PAPER, VANILLA
from widelimit.numerics.compile.cache import njit

add, mul, scale, div = intervals.add, intervals.mul, intervals.scale, intervals.div
sigmoid, sigmoid_slope = intervals.sigmoid, intervals.sigmoid_slope
tanh, tanh_slope = intervals.tanh, intervals.tanh_slope
matvec, matmul = intervals.matvec, intervals.matmul


@njit(nogil=True, error_model="numpy")
def offsets(input_weights, biases, inputs):
    """Return lower and upper bounds of W_in x + b_in and of the hidden bias, each (2, rows)."""
    low, high = biases.copy(), biases.copy()
    zero = True
    for x in inputs:
        zero = zero and x == 0.0
    if not zero:
        below, above = np.empty(biases.shape[1]), np.empty(biases.shape[1])
        matvec(input_weights, inputs, inputs, below, above)
        for i in range(biases.shape[1]):
            low[0, i], high[0, i] = add(below[i], above[i], biases[0, i], biases[0, i])
    return low, high


@njit(nogil=True, error_model="numpy")
def _combined(weights, below, above, slope_low, slope_high):
    """Fill the slope sum_k c_k W_k of blocks W_k with intervals c_k of a unit each, (blocks, d)."""
    d = slope_low.shape[0]
    for i in range(d):
        for j in range(d):
            low, high = 0.0, 0.0
            for k in range(below.shape[0]):
                w = weights[k * d + i, j]
                if w != 0.0:
                    one, other = scale(w, below[k, i], above[k, i])
                    low, high = add(low, high, one, other)
            slope_low[i, j], slope_high[i, j] = low, high


@njit(nogil=True, error_model="numpy")
def rest(code, weights, off_low, off_high, low, high, value_low, value_high, slope_low, slope_high):
    """Fill bounds of T(h) and dT/dh over all h of the box [low, high]; `off_low`, `off_high` are from `offsets`."""
    d = low.size
    rows = weights.shape[0]
    a_low, a_high = np.empty(rows), np.empty(rows)
    if code == GRU_PAPER:
        _paper(weights, off_low, off_high, low, high, value_low, value_high, slope_low, slope_high)
        return
    matvec(weights, low, high, a_low, a_high)
    for i in range(rows):
        a_low[i], a_high[i] = add(a_low[i], a_high[i], off_low[1, i], off_high[1, i])
        if code != GRU or i < 2 * d:
            a_low[i], a_high[i] = add(a_low[i], a_high[i], off_low[0, i], off_high[0, i])
    below, above = np.zeros((rows // d, d)), np.zeros((rows // d, d))
    for i in range(d):
        if code == VANILLA:
            value_low[i], value_high[i] = tanh(a_low[i], a_high[i])
            below[0, i], above[0, i] = tanh_slope(a_low[i], a_high[i])
        elif code == GRU:
            _gru_unit(a_low, a_high, off_low, off_high, i, d, value_low, value_high, below, above)
        else:
            _lstm_unit(a_low, a_high, i, d, value_low, value_high, below, above)
    _combined(weights, below, above, slope_low, slope_high)


@njit(nogil=True, error_model="numpy")
def _gru_unit(a_low, a_high, off_low, off_high, i, d, value_low, value_high, below, above):
    """n = tanh(a_n + r m); dn/da_r = (1 - n^2) m r (1 - r), dn/dm = (1 - n^2) r."""
    n = 2 * d + i
    r = sigmoid(a_low[i], a_high[i])
    product = mul(r[0], r[1], a_low[n], a_high[n])
    drive = add(product[0], product[1], off_low[0, n], off_high[0, n])
    value_low[i], value_high[i] = tanh(drive[0], drive[1])
    steep = tanh_slope(drive[0], drive[1])
    gate = sigmoid_slope(a_low[i], a_high[i])
    inner = mul(gate[0], gate[1], a_low[n], a_high[n])
    below[0, i], above[0, i] = mul(steep[0], steep[1], inner[0], inner[1])
    below[2, i], above[2, i] = mul(steep[0], steep[1], r[0], r[1])


@njit(nogil=True, error_model="numpy")
def _lstm_unit(a_low, a_high, i, d, value_low, value_high, below, above):
    """h = o tanh(c), c = i g/(1 - f); dc/da_i = c (1 - i), dc/da_f = c f, dc/da_g = i (1 - g^2)/(1 - f)."""
    f, g, o = d + i, 2 * d + i, 3 * d + i
    entering = sigmoid(a_low[i], a_high[i])
    shut = sigmoid(-a_high[f], -a_low[f])
    gain = div(entering[0], entering[1], shut[0], shut[1])
    value = tanh(a_low[g], a_high[g])
    c = mul(gain[0], gain[1], value[0], value[1])
    squashed, out = tanh(c[0], c[1]), sigmoid(a_low[o], a_high[o])
    value_low[i], value_high[i] = mul(out[0], out[1], squashed[0], squashed[1])
    steep = tanh_slope(c[0], c[1])
    steep = mul(steep[0], steep[1], out[0], out[1])
    flow = mul(steep[0], steep[1], c[0], c[1])
    closed, open_ = sigmoid(-a_high[i], -a_low[i]), sigmoid(a_low[f], a_high[f])
    below[0, i], above[0, i] = mul(flow[0], flow[1], closed[0], closed[1])
    below[1, i], above[1, i] = mul(flow[0], flow[1], open_[0], open_[1])
    candidate = tanh_slope(a_low[g], a_high[g])
    candidate = mul(candidate[0], candidate[1], gain[0], gain[1])
    below[2, i], above[2, i] = mul(candidate[0], candidate[1], steep[0], steep[1])
    gate = sigmoid_slope(a_low[o], a_high[o])
    below[3, i], above[3, i] = mul(gate[0], gate[1], squashed[0], squashed[1])


@njit(nogil=True, error_model="numpy")
def _paper(weights, off_low, off_high, low, high, value_low, value_high, slope_low, slope_high):
    """n = tanh(U_h (r h) + b); d(r h)/dh = r + h r (1 - r) U_r."""
    d = low.size
    a_low, a_high = np.empty(d), np.empty(d)
    matvec(weights[:d], low, high, a_low, a_high)
    s_low, s_high = np.empty(d), np.empty(d)
    inner_low, inner_high = np.empty((d, d)), np.empty((d, d))
    for i in range(d):
        drive = add(a_low[i], a_high[i], off_low[1, i], off_high[1, i])
        drive = add(drive[0], drive[1], off_low[0, i], off_high[0, i])
        r, gate = sigmoid(drive[0], drive[1]), sigmoid_slope(drive[0], drive[1])
        s_low[i], s_high[i] = mul(r[0], r[1], low[i], high[i])
        turned = mul(gate[0], gate[1], low[i], high[i])
        for j in range(d):
            entry = scale(weights[i, j], turned[0], turned[1])
            if i == j:
                entry = add(entry[0], entry[1], r[0], r[1])
            inner_low[i, j], inner_high[i, j] = entry
    matvec(weights[2 * d :], s_low, s_high, a_low, a_high)
    matmul(weights[2 * d :], inner_low, inner_high, slope_low, slope_high)
    for i in range(d):
        drive = add(a_low[i], a_high[i], off_low[1, 2 * d + i], off_high[1, 2 * d + i])
        drive = add(drive[0], drive[1], off_low[0, 2 * d + i], off_high[0, 2 * d + i])
        value_low[i], value_high[i] = tanh(drive[0], drive[1])
        steep = tanh_slope(drive[0], drive[1])
        for j in range(d):
            slope_low[i, j], slope_high[i, j] = mul(steep[0], steep[1], slope_low[i, j], slope_high[i, j])


@njit(nogil=True, error_model="numpy")
def memory(weights, off_low, off_high, low, high, c_low, c_high):
    """Fill bounds of the memory c = i g/(1 - f) at which an LSTM rests, over all outputs h of a box."""
    d = low.size
    a_low, a_high = np.empty(4 * d), np.empty(4 * d)
    matvec(weights, low, high, a_low, a_high)
    for i in range(3 * d):
        a_low[i], a_high[i] = add(a_low[i], a_high[i], off_low[1, i], off_high[1, i])
        a_low[i], a_high[i] = add(a_low[i], a_high[i], off_low[0, i], off_high[0, i])
    for i in range(d):
        entering, shut = sigmoid(a_low[i], a_high[i]), sigmoid(-a_high[d + i], -a_low[d + i])
        gain, value = (
            div(entering[0], entering[1], shut[0], shut[1]),
            tanh(a_low[2 * d + i], a_high[2 * d + i]),
        )
        c_low[i], c_high[i] = mul(gain[0], gain[1], value[0], value[1])
