"""One step of a recurrent cell and its Jacobian, as numba functions of plain arrays, for loops of other rooms.

Every function takes what a `Cell` holds: its `code`, `weights` (blocks of the recurrent weights on top of each other)
and `offsets` (row 0: input weights times inputs plus their bias, row 1: the hidden bias). A state is h, or (h, c) of an
LSTM.
"""

from __future__ import annotations

import numpy as np

from widelimit.numerics.cells import units
from widelimit.numerics.compile.cache import njit

VANILLA, GRU, GRU_PAPER, LSTM = 0, 1, 2, 3
_OPEN = 700.0  # drive of a forget gate beyond which 1 - f is no float

_vanilla, _candidate, _reset = units.VANILLA.njit, units.CANDIDATE.njit, units.RESET.njit
_next, _lstm, _lstm_rest = units.NEXT.njit, units.LSTM.njit, units.LSTM_REST.njit


@njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def product(weights, h, rows, first, out):
    """Fill out[:rows] with rows `first` ... of weights times h: a loop, as a call of BLAS takes seconds to compile."""
    for i in range(rows):
        total = 0.0
        for j in range(h.size):
            total += weights[first + i, j] * h[j]
        out[i] = total


@njit(nogil=True, error_model="numpy")
def _add(offsets, row, first, out):
    for i in range(out.size):
        out[i] += offsets[row, first + i]


@njit(nogil=True, error_model="numpy")
def _drives(weights, offsets, h, first, rows):
    """Whole drives of so many units from `first` on."""
    out = np.empty(rows)
    product(weights, h, rows, first, out)
    _add(offsets, 1, first, out)
    _add(offsets, 0, first, out)
    return out


@njit(nogil=True, error_model="numpy")
def candidate(code, weights, offsets, h, value, slope):
    """Fill `value` with the candidate n(h) of a GRU and `slope` with dn/dh; its roots n(h) = h are the fixed points."""
    d = h.size
    if code == GRU:
        drives = np.empty(3 * d)
        product(weights, h, 3 * d, 0, drives)
        _add(offsets, 1, 0, drives)
        for i in range(d):
            n, by_r, _, by_m = _candidate(offsets[0, i] + drives[i], offsets[0, 2 * d + i], drives[2 * d + i])
            value[i] = n
            for j in range(d):
                slope[i, j] = by_r * weights[i, j] + by_m * weights[2 * d + i, j]
        return
    drives = _drives(weights, offsets, h, 0, d)
    scaled, inner = np.empty(d), np.empty((d, d))
    for i in range(d):
        scaled[i], by_r, by_h = _reset(drives[i], h[i])
        for j in range(d):
            inner[i, j] = by_r * weights[i, j]
        inner[i, i] += by_h
    drives = _drives(weights, offsets, scaled, 2 * d, d)
    for i in range(d):
        value[i], steep = _vanilla(drives[i])
        for j in range(d):
            slope[i, j] = 0.0
        for k in range(d):
            w = steep * weights[2 * d + i, k]
            for j in range(d):
                slope[i, j] += w * inner[k, j]


@njit(nogil=True, error_model="numpy")
def rest(code, weights, offsets, h, value, slope, speed):
    """Fill `value` with T(h), whose roots T(h) = h are the fixed points, `slope` with dT/dh and `speed`.

    T is the map itself of a vanilla cell; the candidate of a GRU, which moves by `speed` = 1 - z of the way to it in a
    step; and of an LSTM the output at the memory at which it rests, c = i g / (1 - f), given h (`speed` = 1 - f).
    """
    d = h.size
    if code == VANILLA:
        drives = _drives(weights, offsets, h, 0, weights.shape[0])
        for i in range(d):
            value[i], steep = _vanilla(drives[i])
            speed[i] = 1.0
            for j in range(d):
                slope[i, j] = steep * weights[i, j]
    elif code == LSTM:
        drives = _drives(weights, offsets, h, 0, weights.shape[0])
        for i in range(d):
            forget = min(drives[d + i], _OPEN)
            found = _lstm_rest(drives[i], forget, drives[2 * d + i], drives[3 * d + i])
            value[i] = found[1]
            speed[i] = _next(forget, 0.0, 0.0)[2]
            for j in range(d):
                slope[i, j] = (
                    found[6] * weights[i, j]
                    + found[7] * weights[d + i, j]
                    + found[8] * weights[2 * d + i, j]
                    + found[9] * weights[3 * d + i, j]
                )
    else:
        candidate(code, weights, offsets, h, value, slope)
        drives = _drives(weights, offsets, h, d, d)
        for i in range(d):
            speed[i] = _next(drives[i], 0.0, 0.0)[2]


@njit(nogil=True, error_model="numpy")
def memory(weights, offsets, h, out):
    """Fill `out` with the memory c = i g / (1 - f) at which an LSTM rests whose output is held at h."""
    d = h.size
    drives = _drives(weights, offsets, h, 0, 4 * d)
    for i in range(d):
        forget = min(drives[d + i], _OPEN)
        out[i] = _lstm_rest(drives[i], forget, drives[2 * d + i], drives[3 * d + i])[0]


@njit(nogil=True, error_model="numpy")
def step(code, weights, offsets, state, out, jacobian):
    """Fill `out` with the next state and `jacobian` with its derivative by the state."""
    if code == VANILLA:
        rest(code, weights, offsets, state, out, jacobian, np.empty(state.size))
    elif code == LSTM:
        _step_lstm(weights, offsets, state, out, jacobian)
    else:
        d = state.size
        value = np.empty(d)
        candidate(code, weights, offsets, state, value, jacobian)
        drives = _drives(weights, offsets, state, d, d)
        for i in range(d):
            out[i], by_z, by_n, by_h = _next(drives[i], value[i], state[i])
            for j in range(d):
                jacobian[i, j] = by_n * jacobian[i, j] + by_z * weights[d + i, j]
            jacobian[i, i] += by_h


@njit(nogil=True, error_model="numpy")
def _step_lstm(weights, offsets, state, out, jacobian):
    d = state.size // 2
    drives = _drives(weights, offsets, state[:d], 0, 4 * d)
    for i in range(2 * d):
        for j in range(2 * d):
            jacobian[i, j] = 0.0
    for i in range(d):
        found = _lstm(drives[i], drives[d + i], drives[2 * d + i], drives[3 * d + i], state[d + i])
        out[d + i], out[i] = found[0], found[1]
        for j in range(d):
            for k in range(4):
                jacobian[d + i, j] += found[2 + k] * weights[k * d + i, j]
                jacobian[i, j] += found[7 + k] * weights[k * d + i, j]
        jacobian[d + i, d + i] = found[6]
        jacobian[i, d + i] = found[11]


@njit(nogil=True, error_model="numpy")
def advance(code, weights, offsets, state, out):
    """Fill `out` with the next state, without a Jacobian."""
    if code == LSTM:
        d = state.size // 2
        drives = _drives(weights, offsets, state[:d], 0, 4 * d)
        for i in range(d):
            found = _lstm(drives[i], drives[d + i], drives[2 * d + i], drives[3 * d + i], state[d + i])
            out[d + i], out[i] = found[0], found[1]
        return
    d = state.size
    if code == VANILLA:
        drives = _drives(weights, offsets, state, 0, d)
        for i in range(d):
            out[i] = _vanilla(drives[i])[0]
        return
    drives = _drives(weights, offsets, state, 0, 2 * d)
    inner, scaled = np.empty(d), np.empty(d)
    if code == GRU_PAPER:
        for i in range(d):
            scaled[i] = _reset(drives[i], state[i])[0]
        product(weights, scaled, d, 2 * d, inner)
    else:
        product(weights, state, d, 2 * d, inner)
    _add(offsets, 1, 2 * d, inner)
    for i in range(d):
        if code == GRU:
            n = _candidate(drives[i], offsets[0, 2 * d + i], inner[i])[0]
        else:
            n = _vanilla(offsets[0, 2 * d + i] + inner[i])[0]
        out[i] = _next(drives[d + i], n, state[i])[0]


@njit(nogil=True, error_model="numpy")
def steps(code, weights, offsets, states, count, out):
    """Fill the rows of `out` with the states that `count` steps make of the rows of `states`."""
    for k in range(states.shape[0]):
        here, there = np.empty(states.shape[1]), np.empty(states.shape[1])
        for i in range(here.size):
            here[i] = states[k, i]
        for _ in range(count):
            advance(code, weights, offsets, here, there)
            here, there = there, here
        for i in range(here.size):
            out[k, i] = here[i]
