"""Inner loops: modes that move, and the curves that part the starts which survive from those which collapse.

Everything moves by one integrator: Gragg's midpoint rule in even numbers of substeps, extrapolated to none (Bulirsch
and Stoer), of order 14, with a step that keeps the last correction at the level of rounding.
"""

from __future__ import annotations

import math

import numpy as np

from widelimit.numerics.compile.cache import njit
from widelimit.numerics.ssl import terms

learned = terms.FLOW.njit
by_rule = terms.DIRECT_FLOW.njit

LEARNED, DIRECT, BORDER, MANIFOLD = 0, 1, 2, 3  # what moves: see `velocity`
COLUMNS = 7
TOLERANCE = 2e-14
MOST = 100_000  # steps


@njit(nogil=True, error_model="numpy")
def velocity(kind, y, k, out):
    """Fill `out` with the velocity of `y`; k: alpha_p, beta, x, x_a, eta, a, whether the target moves.

    learned    (p, log s, tau, integral of K) in time
    direct     (log u, tau) in time
    border     (p, log s) in p: the curve along which modes move, whatever their speed
    manifold   (tau, log u) in tau
    """
    rate, ema, x, spread, decay, power, moving = k[0], k[1], k[2], k[3], k[4], k[5], k[6]
    if kind == LEARNED:
        out[0], out[1], out[2], out[3] = learned(y[0], y[1], rate, ema, y[2], x, spread, decay)
        out[2] *= moving
    elif kind == DIRECT:
        out[0], out[1] = by_rule(math.exp(y[0]), power, ema, y[1], x, spread, decay)
        out[1] *= moving
    elif kind == BORDER:
        along, up, _, _ = learned(y[0], y[1], rate, ema, k[7], x, spread, decay)
        out[0], out[1] = 1.0, up / along
    else:
        up, along = by_rule(math.exp(y[1]), power, ema, y[0], x, spread, decay)
        out[0], out[1] = 1.0, up / along


@njit(nogil=True, error_model="numpy")
def midpoint(kind, y, slope, k, h, steps, out, before, here, motion):
    """Fill `out` with what Gragg's rule makes of `y` after a time h in `steps` substeps."""
    small = h / steps
    for i in range(y.size):
        before[i] = y[i]
        here[i] = y[i] + small * slope[i]
    for _ in range(steps - 1):
        velocity(kind, here, k, motion)
        for i in range(y.size):
            after = before[i] + 2.0 * small * motion[i]
            before[i] = here[i]
            here[i] = after
    velocity(kind, here, k, motion)
    for i in range(y.size):
        out[i] = 0.5 * (before[i] + here[i] + small * motion[i])


@njit(nogil=True, error_model="numpy")
def advance(kind, y, k, floor, span, first):
    """Move `y` along over `span`; return the last step, or 0 where it takes too many."""
    size = y.size
    slope, before, here, motion = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    table, row = np.empty((COLUMNS, size)), np.empty((COLUMNS, size))
    done, h = 0.0, math.copysign(min(abs(first), abs(span)), span)
    last = h
    for _ in range(MOST):
        if done == span:
            return last
        if abs(h) >= abs(span - done):
            h = span - done
        velocity(kind, y, k, slope)
        error = math.inf
        column = 1
        for column in range(COLUMNS):
            midpoint(kind, y, slope, k, h, 2 * (column + 1), row[0], before, here, motion)
            for j in range(1, column + 1):
                ratio = (column + 1) / (column + 1 - j)
                for i in range(size):
                    row[j, i] = row[j - 1, i] + (row[j - 1, i] - table[j - 1, i]) / (ratio * ratio - 1.0)
            if column > 1:
                error = 0.0
                for i in range(size):
                    scale = floor[i] + abs(y[i]) + abs(h * slope[i])
                    gap = abs(row[column, i] - row[column - 1, i]) / scale
                    error = max(error, gap) if gap == gap else math.inf
            for j in range(column + 1):
                for i in range(size):
                    table[j, i] = row[j, i]
            if error <= TOLERANCE:
                break
        if error <= 50.0 * TOLERANCE:
            for i in range(size):
                y[i] = table[column, i]
            done = span if h == span - done else done + h
            last = h
            h *= 1.6 if column < COLUMNS - 1 else 0.9
        else:
            h *= 0.3 if error < math.inf else 0.1
        if abs(h) <= 1e-15 * abs(span):
            return 0.0
    return 0.0


@njit(nogil=True, error_model="numpy")
def follow(kind, starts, constants, floor, times, out):
    """Fill out[:, :, j] with states of every start at increasing times; return whether all were reached."""
    for n in range(starts.shape[1]):
        y, k = starts[:, n].copy(), constants[:, n].copy()
        now, first = 0.0, 0.0
        for j in range(times.size):
            if times[j] > now:
                if first == 0.0:
                    first = 0.01 * times[j]
                reached = advance(kind, y, k, floor, times[j] - now, first)
                if reached == 0.0:
                    return False
                first = max(abs(reached), 1e-6 * (times[j] - now))
                now = times[j]
            for i in range(y.size):
                out[i, n, j] = y[i]
    return True


@njit(nogil=True, error_model="numpy")
def along(kind, at, value, slopes, stops, constants, out):
    """Fill `out` with the ordinate at `stops` of curves that leave (at, value) with a slope, where flows are 0/0.

    A first step of 1e-7 follows the slope; beyond, errors made there shrink.
    """
    floor = np.array([0.0, 1.0])
    y = np.empty(2)
    for n in range(stops.size):
        k = constants[:, n].copy()
        span = stops[n] - at[n]
        offset = math.copysign(min(1e-7 * abs(at[n]), abs(span)), span)
        y[0], y[1] = at[n] + offset, value[n] + slopes[n] * offset
        rest = stops[n] - y[0]
        if (
            abs(span) > abs(offset)
            and rest != 0.0
            and advance(kind, y, k, floor, rest, 3.0 * abs(offset)) == 0.0
        ):
            out[n] = math.nan
            continue
        out[n] = y[1]
