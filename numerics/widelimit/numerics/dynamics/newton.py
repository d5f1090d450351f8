"""Searches for roots of G(h) = h - T(h) from states that a network visits: Newton's method, and its damped form.

T is the resting map of a cell (`cells.loops.rest`): of a GRU the candidate, which no update gate slows down.
"""

from __future__ import annotations

import numpy as np

from widelimit.numerics.cells import loops
from widelimit.numerics.compile.cache import njit

SETTLED, STUCK, KNOWN = 0, 1, 2
_MOST, _HALVINGS = 60, 20
_CLOSE = 1e-9  # of a Newton step: the next two end at rounding

rest = loops.rest


@njit(nogil=True, error_model="numpy")
def solve(a, b):
    """Overwrite `b` by the solution of a x = b, and `a`, by elimination with row pivots; no pivot is left at 0."""
    d = b.size
    for k in range(d):
        best = k
        for i in range(k + 1, d):
            if abs(a[i, k]) > abs(a[best, k]):
                best = i
        if best != k:
            for j in range(d):
                a[k, j], a[best, j] = a[best, j], a[k, j]
            b[k], b[best] = b[best], b[k]
        if abs(a[k, k]) < 1e-14:
            a[k, k] = 1e-14
        for i in range(k + 1, d):
            factor = a[i, k] / a[k, k]
            if factor != 0.0:
                for j in range(k + 1, d):
                    a[i, j] -= factor * a[k, j]
                b[i] -= factor * b[k]
    for k in range(d - 1, -1, -1):
        total = b[k]
        for j in range(k + 1, d):
            total -= a[k, j] * b[j]
        b[k] = total / a[k, k]


@njit(nogil=True, error_model="numpy")
def inside(h, centres, radii, count):
    """The number of the first of `count` balls (maximum norm) that holds h, or -1."""
    for k in range(count):
        held = True
        for i in range(h.size):
            if not abs(h[i] - centres[k, i]) <= radii[k]:
                held = False
                break
        if held:
            return k
    return -1


@njit(nogil=True, error_model="numpy")
def _gap(code, weights, offsets, h, gap, slope, speed):
    """Fill G = h - T(h) and dT/dh; return |G|^2 / 2."""
    rest(code, weights, offsets, h, gap, slope, speed)
    total = 0.0
    for i in range(h.size):
        gap[i] = h[i] - gap[i]
        total += gap[i] * gap[i]
    return 0.5 * total


@njit(nogil=True, error_model="numpy")
def settle(code, weights, offsets, h, centres, radii, count):
    """Move h to a root by Newton's method with a line search on |G|^2; stop where a ball that is known holds it.

    Returns SETTLED, STUCK (a minimum of |G| that is no root, or too many steps) or KNOWN.
    """
    d = h.size
    gap, slope, speed = np.empty(d), np.empty((d, d)), np.empty(d)
    step, matrix, trial = np.empty(d), np.empty((d, d)), np.empty(d)
    value = _gap(code, weights, offsets, h, gap, slope, speed)
    close = 0
    for _ in range(_MOST):
        if inside(h, centres, radii, count) >= 0:
            return KNOWN
        for i in range(d):
            step[i] = -gap[i]
            for j in range(d):
                matrix[i, j] = -slope[i, j]
            matrix[i, i] += 1.0
        solve(matrix, step)
        largest = 0.0
        for i in range(d):
            largest = max(largest, abs(step[i]))
        if not largest < 1e300:
            return STUCK
        if largest < _CLOSE:
            close += 1
            for i in range(d):
                h[i] += step[i]
            if close == 2:
                return SETTLED
            value = _gap(code, weights, offsets, h, gap, slope, speed)
            continue
        share, lower = min(1.0, 2.0 / largest), False
        for _ in range(_HALVINGS):
            for i in range(d):
                trial[i] = h[i] + share * step[i]
            new = _gap(code, weights, offsets, trial, gap, slope, speed)
            if new <= value * (1.0 - 1e-3 * share):
                lower = True
                break
            share *= 0.5
        if not lower:
            return STUCK
        value = new
        for i in range(d):
            h[i] = trial[i]
    return STUCK


@njit(nogil=True, error_model="numpy")
def relax(code, weights, offsets, h, damping, count):
    """Move h to the valley of |G| next to it: `count` steps of Levenberg and Marquardt, which do not run along it."""
    d = h.size
    gap, slope, speed = np.empty(d), np.empty((d, d)), np.empty(d)
    step, matrix, trial = np.empty(d), np.empty((d, d)), np.empty(d)
    value = _gap(code, weights, offsets, h, gap, slope, speed)
    for _ in range(count):
        for i in range(d):
            for j in range(d):
                slope[i, j] = -slope[i, j]
            slope[i, i] += 1.0
        for i in range(d):
            step[i] = 0.0
            for j in range(d):
                matrix[i, j] = 0.0
        for k in range(d):
            for i in range(d):
                w = slope[k, i]
                step[i] -= w * gap[k]
                for j in range(d):
                    matrix[i, j] += w * slope[k, j]
        for i in range(d):
            matrix[i, i] += damping
        solve(matrix, step)
        for i in range(d):
            trial[i] = h[i] + step[i]
        new = _gap(code, weights, offsets, trial, gap, slope, speed)
        if not new < value:
            return
        value = new
        for i in range(d):
            h[i] = trial[i]


@njit(nogil=True, error_model="numpy")
def follow(code, weights, offsets, state, centres, radii, count, most):
    """Step `state` until one of `count` balls holds its output and it has come to rest; its number, or -1."""
    d = weights.shape[1]
    after = np.empty(state.size)
    for _ in range(most):
        loops.advance(code, weights, offsets, state, after)
        moved = 0.0
        for i in range(d):
            moved = max(moved, abs(after[i] - state[i]))
        for i in range(state.size):
            state[i] = after[i]
        if moved < 1e-7:
            found = inside(state[:d], centres, radii, count)
            if found >= 0:
                return found
            if moved < 1e-13:
                return -1
    return -1
