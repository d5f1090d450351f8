"""Proven steps of dh/dt = tanh(A h + b) - h in the plane: Taylor series in interval arithmetic (Lohner's method).

A field is an array (2, 2, 3): lower and upper bounds of the rows of (A | b); a sign of -1 runs it backwards. States are
enclosed by parallelograms m + Q r, |r_i| <= reach_i, whose first side points along the flow: there rounding and start
accumulate, and there they do not matter, because a section across the flow does not feel them (mean-value form with
a moving frame; Lohner 1992, Zgliczynski 2002).

series     Taylor coefficients of the solution through a box, and their derivatives by its start
hold       a box that no solution leaves during a step
moved      the enclosure after a step
"""

from __future__ import annotations

import math

import numpy as np

from widelimit.numerics import intervals as iv
from widelimit.numerics.compile.cache import njit

add, sub, mul, scale, div, up = iv.add, iv.sub, iv.mul, iv.scale, iv.div, iv.up
tanh, tanh_slope = iv.tanh, iv.tanh_slope
ORDER = 20
_ROUNDS = 30  # of widening a box that is to hold a step
_LARGEST = 1e3  # of a box worth going on with


@njit(nogil=True, error_model="numpy")
def _drive(field, states, k, row, i):
    """Enclose row i of A h of one coefficient; with b for the state itself."""
    low, high = 0.0, 0.0
    if k == 0 and row == 0:
        low, high = field[0, i, 2], field[1, i, 2]
    for j in range(2):
        one, other = mul(field[0, i, j], field[1, i, j], states[0, k, row, j], states[1, k, row, j])
        low, high = add(low, high, one, other)
    return low, high


@njit(nogil=True, error_model="numpy")
def _folded(x, one, y, other, first, total, i):
    """Enclose the sum of x_{total - j} y_j from j = first on, of rows `one` and `other`."""
    low, high = 0.0, 0.0
    for j in range(first, total + 1):
        p, q = mul(x[0, total - j, one, i], x[1, total - j, one, i], y[0, j, other, i], y[1, j, other, i])
        low, high = add(low, high, p, q)
    return low, high


@njit(nogil=True, error_model="numpy")
def series(field, sign, start, order):
    """Return Taylor coefficients, (2, order + 1, rows, 2), of solutions that start in row 0 of a box (2, rows, 2).

    Further rows are directions: their coefficients are the derivatives of those of row 0 along them.

    >>> field = np.zeros((2, 2, 3))
    >>> start = np.ones((2, 1, 2))
    >>> [round(float(one), 12) for one in series(field, 1.0, start, 3)[0, :, 0, 0]]  # exp(-t)
    [1.0, -1.0, 0.5, -0.166666666667]
    """
    rows = start.shape[1]
    states = np.empty((2, order + 1, rows, 2))
    speeds, outs, slopes = np.empty_like(states), np.empty_like(states), np.empty_like(states)
    for row in range(rows):
        for i in range(2):
            states[0, 0, row, i], states[1, 0, row, i] = start[0, row, i], start[1, row, i]
    for row in range(rows):  # outs = tanh(u), slopes = 1 - outs^2, speeds = k u_k
        for i in range(2):
            low, high = _drive(field, states, 0, row, i)
            speeds[0, 0, row, i], speeds[1, 0, row, i] = 0.0, 0.0
            if row == 0:
                outs[0, 0, 0, i], outs[1, 0, 0, i] = tanh(low, high)
                slopes[0, 0, 0, i], slopes[1, 0, 0, i] = tanh_slope(low, high)
            else:
                low, high = mul(slopes[0, 0, 0, i], slopes[1, 0, 0, i], low, high)
                outs[0, 0, row, i], outs[1, 0, row, i] = low, high
                low, high = mul(outs[0, 0, 0, i], outs[1, 0, 0, i], low, high)
                slopes[0, 0, row, i], slopes[1, 0, row, i] = scale(-2.0, low, high)
    for k in range(1, order + 1):
        for row in range(rows):
            for i in range(2):
                low, high = sub(
                    outs[0, k - 1, row, i],
                    outs[1, k - 1, row, i],
                    states[0, k - 1, row, i],
                    states[1, k - 1, row, i],
                )
                low, high = div(low, high, k * 1.0, k * 1.0)
                states[0, k, row, i], states[1, k, row, i] = scale(sign, low, high)
        for row in range(rows):
            for i in range(2):
                low, high = _drive(field, states, k, row, i)
                speeds[0, k, row, i], speeds[1, k, row, i] = scale(k * 1.0, low, high)
        for row in range(rows):
            for i in range(2):
                low, high = _folded(slopes, 0, speeds, row, 1, k, i)
                if row > 0:
                    p, q = _folded(slopes, row, speeds, 0, 1, k, i)
                    low, high = add(low, high, p, q)
                outs[0, k, row, i], outs[1, k, row, i] = div(low, high, k * 1.0, k * 1.0)
        for row in range(rows):
            for i in range(2):
                low, high = _folded(outs, 0, outs, row, 0, k, i)
                slopes[0, k, row, i], slopes[1, k, row, i] = scale(-1.0 if row == 0 else -2.0, low, high)
    return states


@njit(nogil=True, error_model="numpy")
def velocity(field, sign, box):
    """Return the velocities in a box, both (2, 2): lower and upper bounds."""
    out = np.empty((2, 2))
    start = box.reshape(2, 1, 1, 2)
    for i in range(2):
        low, high = _drive(field, start, 0, 0, i)
        low, high = tanh(low, high)
        low, high = sub(low, high, box[0, i], box[1, i])
        out[0, i], out[1, i] = scale(sign, low, high)
    return out


@njit(nogil=True, error_model="numpy")
def hull(middle, frame, reach):
    """Return the box around a parallelogram."""
    out = np.empty((2, 2))
    for i in range(2):
        far = up(up(abs(frame[i, 0]) * reach[0]) + up(abs(frame[i, 1]) * reach[1]))
        out[0, i], out[1, i] = sub(middle[i], middle[i], -far, far)
    return out


@njit(nogil=True, error_model="numpy")
def hold(field, sign, box, back, span):
    """Return whether one was found, and a box that solutions from `box` do not leave from time -back to span."""
    out = box.copy()
    for _ in range(_ROUNDS):
        speed = velocity(field, sign, out)
        inside = True
        wider = np.empty((2, 2))
        for i in range(2):
            low, high = mul(-back, span, speed[0, i], speed[1, i])
            low, high = add(box[0, i], box[1, i], min(low, 0.0), max(high, 0.0))
            inside = inside and low >= out[0, i] and high <= out[1, i]
            more = 0.1 * (high - low) + 1e-300
            wider[0, i], wider[1, i] = min(low - more, out[0, i]), max(high + more, out[1, i])
        if inside:
            return True, out
        out = wider
        if not np.abs(out).max() < _LARGEST:
            break
    return False, out


@njit(nogil=True, error_model="numpy")
def along(field, sign, middle):
    """Return a frame whose first column points along the flow: nearly a rotation, of floats."""
    box = np.empty((2, 2))
    box[0], box[1] = middle, middle
    speed = velocity(field, sign, box)
    x, y = 0.5 * (speed[0, 0] + speed[1, 0]), 0.5 * (speed[0, 1] + speed[1, 1])
    size = math.hypot(x, y)
    if not size > 0.0:
        x, y, size = 1.0, 0.0, 1.0
    c, s = x / size, y / size
    return np.array([[c, -s], [s, c]])


@njit(nogil=True, error_model="numpy")
def turned(frame, x, y):
    """Enclose the two coordinates, in a frame made by `along`, of a vector of intervals x, y; (2, 2)."""
    c, s = frame[0, 0], frame[1, 0]
    p, q = mul(c, c, c, c)
    r, t = mul(s, s, s, s)
    norm = add(p, q, r, t)
    out = np.empty((2, 2))
    for k in range(2):
        if k == 0:
            one, other = scale(c, x[0], x[1]), scale(s, y[0], y[1])
        else:
            one, other = scale(-s, x[0], x[1]), scale(c, y[0], y[1])
        low, high = add(one[0], one[1], other[0], other[1])
        out[0, k], out[1, k] = div(low, high, norm[0], norm[1])
    return out


@njit(nogil=True, error_model="numpy")
def _horner(coefficients, last, row, i, span):
    low, high = coefficients[0, last, row, i], coefficients[1, last, row, i]
    for k in range(last - 1, -1, -1):
        low, high = scale(span, low, high)
        low, high = add(low, high, coefficients[0, k, row, i], coefficients[1, k, row, i])
    return low, high


@njit(nogil=True, error_model="numpy")
def moved(field, sign, middle, frame, reach, span):
    """Enclose where all solutions from a parallelogram are after a time: (found, box held, rest, and a parallelogram).

    `rest` is the largest width of the remainder, what a smaller step would lessen.
    """
    box = hull(middle, frame, reach)
    found, held = hold(field, sign, box, 0.0, span)
    if not found or not span >= 0.0:
        return False, held, math.inf, middle, frame, reach
    start = np.empty((2, 3, 2))
    start[:, 0] = box
    for k in range(2):
        for j in range(2):
            start[0, 1 + j, k], start[1, 1 + j, k] = frame[k, j], frame[k, j]
    spread = series(field, sign, start, ORDER - 1)
    single = np.empty((2, 1, 2))
    single[0, 0], single[1, 0] = middle, middle
    centre = series(field, sign, single, ORDER)
    last = series(field, sign, held.reshape(2, 1, 2).copy(), ORDER)
    rest, value = 0.0, np.empty((2, 2))
    for i in range(2):
        width = last[1, ORDER, 0, i] - last[0, ORDER, 0, i]
        rest = max(rest, width * span**ORDER)
        centre[0, ORDER, 0, i], centre[1, ORDER, 0, i] = last[0, ORDER, 0, i], last[1, ORDER, 0, i]
        value[0, i], value[1, i] = _horner(centre, ORDER, 0, i, span)
    goal = 0.5 * (value[0] + value[1])
    new = along(field, sign, goal)
    out = np.zeros(2)
    miss = turned(
        new,
        sub(value[0, 0], value[1, 0], goal[0], goal[0]),
        sub(value[0, 1], value[1, 1], goal[1], goal[1]),
    )
    for k in range(2):
        out[k] = max(abs(miss[0, k]), abs(miss[1, k]))
    for j in range(2):
        part = turned(
            new,
            _horner(spread, ORDER - 1, 1 + j, 0, span),
            _horner(spread, ORDER - 1, 1 + j, 1, span),
        )
        for k in range(2):
            out[k] = up(out[k] + up(max(abs(part[0, k]), abs(part[1, k])) * reach[j]))
    fine = bool(np.isfinite(out).all() and np.isfinite(goal).all())
    return fine, held, rest, goal, new, out
