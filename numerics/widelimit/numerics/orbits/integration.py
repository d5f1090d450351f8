"""dh/dt = step(h) - h of a recurrent cell, and how neighbours move: midpoint rule, extrapolated (Bulirsch, Stoer).

A row of numbers a vector: row 0 is the state, rows 1.. are neighbours that start along each axis, so that rows 1..
of a segment are its transfer matrix, transposed. Gragg's rule in 2, 4, ..., 16 substeps is extrapolated to none until
the last correction is rounding; a step that needs few columns grows, one that needs more than eight is halved.
"""

from __future__ import annotations

import numpy as np

from widelimit.numerics.cells import loops
from widelimit.numerics.compile.cache import njit

COLUMNS = 8
TOLERANCE = 2e-14
LEAST = 1e-9  # a step below this fails
SMALL = 12  # units up to which loops beat a library's products


@njit(nogil=True, error_model="numpy")
def velocity(code, weights, offsets, sign, rows, out, after, jacobian):
    """Fill `out` with the velocities of the rows, times `sign` (-1: backwards in time)."""
    size = rows.shape[1]
    if rows.shape[0] == 1:
        loops.advance(code, weights, offsets, rows[0], after)
    else:
        loops.step(code, weights, offsets, rows[0], after, jacobian)
        if size <= SMALL:
            for k in range(1, rows.shape[0]):
                for i in range(size):
                    total = -rows[k, i]
                    for j in range(size):
                        total += jacobian[i, j] * rows[k, j]
                    out[k, i] = sign * total
        else:
            moved = np.dot(rows[1:], jacobian.T)
            for k in range(1, rows.shape[0]):
                for i in range(size):
                    out[k, i] = sign * (moved[k - 1, i] - rows[k, i])
    for i in range(size):
        out[0, i] = sign * (after[i] - rows[0, i])


@njit(nogil=True, error_model="numpy")
def _midpoint(code, weights, offsets, sign, rows, slope, h, count, out, before, motion, after, jacobian):
    """Fill `out` with what `count` substeps of the midpoint rule make of the rows after a time h."""
    small = h / count
    for k in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            before[k, i] = rows[k, i]
            out[k, i] = rows[k, i] + small * slope[k, i]
    for _ in range(count - 1):
        velocity(code, weights, offsets, sign, out, motion, after, jacobian)
        for k in range(rows.shape[0]):
            for i in range(rows.shape[1]):
                there = before[k, i] + 2.0 * small * motion[k, i]
                before[k, i] = out[k, i]
                out[k, i] = there


@njit(nogil=True, error_model="numpy")
def _extrapolated(table, k):
    """Extrapolate row k of the table by the rows above it, in place; return the size of the last correction."""
    last = 0.0
    for a in range(table.shape[2]):
        for b in range(table.shape[3]):
            for j in range(1, k + 1):
                ratio = (k + 1.0) / (k + 1.0 - j)
                change = (table[k, j - 1, a, b] - table[k - 1, j - 1, a, b]) / (ratio * ratio - 1.0)
                table[k, j, a, b] = table[k, j - 1, a, b] + change
                if j == k:
                    last = max(last, abs(change) / (1.0 + abs(table[k, j, a, b])))
    return last


@njit(nogil=True, error_model="numpy")
def advance(code, weights, offsets, rows, span, first, sign):
    """Move the rows by a time `span` in place; return the last step's size (what to begin the next with), 0: failed."""
    count, size = rows.shape
    table = np.empty((COLUMNS, COLUMNS, count, size))
    slope, before, motion = np.empty((count, size)), np.empty((count, size)), np.empty((count, size))
    after, jacobian = np.empty(size), np.empty((size, size))
    done, h = 0.0, first
    while done < span:
        short = h >= span - done
        step = span - done if short else h
        velocity(code, weights, offsets, sign, rows, slope, after, jacobian)
        taken = -1
        for k in range(COLUMNS):
            _midpoint(
                code,
                weights,
                offsets,
                sign,
                rows,
                slope,
                step,
                2 * k + 2,
                table[k, 0],
                before,
                motion,
                after,
                jacobian,
            )
            if k > 1 and _extrapolated(table, k) <= TOLERANCE:
                taken = k
                break
            if k == 1:
                _extrapolated(table, k)
        if taken < 0:
            h = 0.5 * step
            if not h > LEAST:
                return 0.0
            continue
        for a in range(count):
            for b in range(size):
                rows[a, b] = table[taken, taken, a, b]
        done = span if short else done + step
        if not short or taken > 5:
            h = step * (1.5 if taken < 5 else 0.8 if taken == COLUMNS - 1 else 1.0)
    return h


@njit(nogil=True, error_model="numpy")
def segments(code, weights, offsets, start, span, states, transfers):
    """Fill states at equal times of a span, its end included, and the transfer matrices between; say if it went."""
    pieces, size = transfers.shape[0], start.size
    rows = np.empty((1 + size, size))
    rows[0] = start
    states[0] = start
    h = span / pieces
    for k in range(pieces):
        for i in range(size):
            for j in range(size):
                rows[1 + i, j] = 1.0 if i == j else 0.0
        h = advance(code, weights, offsets, rows, span / pieces, h, 1.0)
        if h == 0.0:
            return False
        states[k + 1] = rows[0]
        for i in range(size):
            for j in range(size):
                transfers[k, i, j] = rows[1 + j, i]
    return True


@njit(nogil=True, error_model="numpy")
def path(code, weights, offsets, start, dt, sign, out):
    """Fill the rows of `out` with the states at times 0, dt, 2 dt, ...; return how many were reached."""
    rows = np.empty((1, start.size))
    rows[0] = start
    out[0] = start
    h = min(dt, 0.25)
    for k in range(1, out.shape[0]):
        h = advance(code, weights, offsets, rows, dt, h, sign)
        if h == 0.0 or not np.all(np.isfinite(rows[0])):
            return k
        out[k] = rows[0]
        if sign < 0.0 and np.abs(rows[0]).max() > 4.0:  # backwards, away for good: the box from -1 to 1 traps
            return k + 1
    return out.shape[0]


@njit(nogil=True, error_model="numpy")
def product(transfers):
    """Return the transfer matrix of the whole span."""
    size = transfers.shape[1]
    total = np.eye(size)
    for k in range(transfers.shape[0]):
        total = np.dot(transfers[k], total)
    return total
