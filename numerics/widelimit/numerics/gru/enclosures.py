"""The resting map T of a cell and its derivative over a box, in outward-rounded intervals; its roots T(h) = h rest.

As `cells.loops.rest`, with its arguments: T is the map of a vanilla cell, the candidate of a GRU, and of an LSTM the
output at the memory where it rests. `w_low`, `w_high` hold all of dT/dh over the box.
"""

from __future__ import annotations

import numpy as np

from widelimit.numerics import intervals as iv
from widelimit.numerics.cells.loops import GRU, LSTM, VANILLA
from widelimit.numerics.compile.cache import njit

_add, _mul, _scale, _div, _dot = iv.add, iv.mul, iv.scale, iv.div, iv.dot
_sigmoid, _sigmoid_slope, _tanh, _tanh_slope = iv.sigmoid, iv.sigmoid_slope, iv.tanh, iv.tanh_slope


@njit(nogil=True, error_model="numpy")
def _drive(row, low, high, first, second):
    below, above = _dot(row, low, high)
    below, above = _add(below, above, first, first)
    return _add(below, above, second, second)


@njit(nogil=True, error_model="numpy")
def rest(code, weights, offsets, low, high, t_low, t_high, w_low, w_high):
    """Fill enclosures of T and of dT/dh over the box from `low` to `high`."""
    if code == VANILLA:
        _vanilla(weights, offsets, low, high, t_low, t_high, w_low, w_high)
    elif code == GRU:
        _gru(weights, offsets, low, high, t_low, t_high, w_low, w_high)
    elif code == LSTM:
        _lstm(weights, offsets, low, high, t_low, t_high, w_low, w_high)
    else:
        _paper(weights, offsets, low, high, t_low, t_high, w_low, w_high)


@njit(nogil=True, error_model="numpy")
def _vanilla(weights, offsets, low, high, t_low, t_high, w_low, w_high):
    for i in range(low.size):
        a, b = _drive(weights[i], low, high, offsets[0, i], offsets[1, i])
        t_low[i], t_high[i] = _tanh(a, b)
        p, q = _tanh_slope(a, b)
        for j in range(low.size):
            w_low[i, j], w_high[i, j] = _scale(weights[i, j], p, q)


@njit(nogil=True, error_model="numpy")
def _gru(weights, offsets, low, high, t_low, t_high, w_low, w_high):
    d = low.size
    for i in range(d):
        a, b = _drive(weights[i], low, high, offsets[0, i], offsets[1, i])
        r, r_ = _sigmoid(a, b)
        s, s_ = _sigmoid_slope(a, b)
        m, m_ = _drive(weights[2 * d + i], low, high, 0.0, offsets[1, 2 * d + i])
        u, u_ = _mul(r, r_, m, m_)
        u, u_ = _add(u, u_, offsets[0, 2 * d + i], offsets[0, 2 * d + i])
        t_low[i], t_high[i] = _tanh(u, u_)
        p, q = _tanh_slope(u, u_)
        s, s_ = _mul(s, s_, m, m_)
        for j in range(d):
            one, one_ = _scale(weights[2 * d + i, j], r, r_)
            two, two_ = _scale(weights[i, j], s, s_)
            one, one_ = _add(one, one_, two, two_)
            w_low[i, j], w_high[i, j] = _mul(one, one_, p, q)


@njit(nogil=True, error_model="numpy")
def _paper(weights, offsets, low, high, t_low, t_high, w_low, w_high):
    d = low.size
    r_low, r_high, x_low, x_high = np.empty(d), np.empty(d), np.empty(d), np.empty(d)
    s_low, s_high = np.empty(d), np.empty(d)
    for k in range(d):
        a, b = _drive(weights[k], low, high, offsets[0, k], offsets[1, k])
        r_low[k], r_high[k] = _sigmoid(a, b)
        x_low[k], x_high[k] = _mul(r_low[k], r_high[k], low[k], high[k])
        s, s_ = _sigmoid_slope(a, b)
        s_low[k], s_high[k] = _mul(s, s_, low[k], high[k])
    for i in range(d):
        row = weights[2 * d + i]
        u, u_ = _drive(row, x_low, x_high, offsets[0, 2 * d + i], offsets[1, 2 * d + i])
        t_low[i], t_high[i] = _tanh(u, u_)
        p, q = _tanh_slope(u, u_)
        for j in range(d):
            total, total_ = _scale(row[j], r_low[j], r_high[j])
            for k in range(d):
                one, one_ = _scale(weights[k, j], s_low[k], s_high[k])
                one, one_ = _scale(row[k], one, one_)
                total, total_ = _add(total, total_, one, one_)
            w_low[i, j], w_high[i, j] = _mul(total, total_, p, q)


@njit(nogil=True, error_model="numpy")
def _lstm(weights, offsets, low, high, t_low, t_high, w_low, w_high):
    d = low.size
    for i in range(d):
        a, a_ = _drive(weights[i], low, high, offsets[0, i], offsets[1, i])
        f, f_ = _drive(weights[d + i], low, high, offsets[0, d + i], offsets[1, d + i])
        g, g_ = _drive(weights[2 * d + i], low, high, offsets[0, 2 * d + i], offsets[1, 2 * d + i])
        o, o_ = _drive(weights[3 * d + i], low, high, offsets[0, 3 * d + i], offsets[1, 3 * d + i])
        into, into_ = _sigmoid(a, a_)
        shut, shut_ = _sigmoid(-f_, -f)
        kept, kept_ = _sigmoid(f, f_)
        new, new_ = _tanh(g, g_)
        out, out_ = _sigmoid(o, o_)
        share, share_ = _div(into, into_, shut, shut_)  # i / (1 - f)
        c, c_ = _mul(share, share_, new, new_)
        y, y_ = _tanh(c, c_)
        t_low[i], t_high[i] = _mul(out, out_, y, y_)
        steep, steep_ = _tanh_slope(c, c_)
        steep, steep_ = _mul(steep, steep_, out, out_)
        closed, closed_ = _sigmoid(-a_, -a)
        by_i, by_i_ = _mul(c, c_, closed, closed_)
        by_f, by_f_ = _mul(c, c_, kept, kept_)
        slope, slope_ = _tanh_slope(g, g_)
        by_g, by_g_ = _mul(share, share_, slope, slope_)
        slope, slope_ = _sigmoid_slope(o, o_)
        by_o, by_o_ = _mul(slope, slope_, y, y_)
        for j in range(d):
            one, one_ = _scale(weights[i, j], by_i, by_i_)
            two, two_ = _scale(weights[d + i, j], by_f, by_f_)
            one, one_ = _add(one, one_, two, two_)
            two, two_ = _scale(weights[2 * d + i, j], by_g, by_g_)
            one, one_ = _add(one, one_, two, two_)
            one, one_ = _mul(one, one_, steep, steep_)
            two, two_ = _scale(weights[3 * d + i, j], by_o, by_o_)
            w_low[i, j], w_high[i, j] = _add(one, one_, two, two_)
