"""All fixed points of a cell of one, two or three units, with proof: branch and prune in outward-rounded intervals.

A box that may hold roots of h = T(h) is cut down to X and T(X); Krawczyk's operator K over a slightly larger box
either misses it (no root), lies inside (exactly one), or cuts it down; what is left is split off its centre. Every
root lies in the open box from -1 to 1; the search begins a little outside, where saturated roots are not on its face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from widelimit.numerics.cells import Cell, boxes
from widelimit.numerics.cells import loops as cells
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.intervals import dot, down, matmul, up
from widelimit.numerics.results import by_value

Array = np.ndarray
MOST = 60_000  # boxes
ROOTS = 200
EDGE = 1.05
_SHARE = 0.46875  # where a box is split
_STOP = 1e-11  # a box of this width that is still not decided is given up
_LARGE = 1e9  # of the preconditioner: beyond, rounding exceeds what could be proved
_INFLATE = 0.15


@by_value
@dataclass(frozen=True)
class Roots:
    """`states`, `radii`, (k, d): exactly one root lies in each box; `undecided` boxes, and `boxes` looked at."""

    states: Array
    radii: Array
    undecided: int
    boxes: int


def roots(cell: Cell) -> Roots:
    """Return all fixed points of a cell of up to three units."""
    size = cell.size
    states, radii = np.empty((ROOTS, size)), np.empty((ROOTS, size))
    enclosed = boxes.offsets(cell.input_weights, cell.biases, cell.inputs)
    count, undecided, seen = _search(cell.code, cell.weights, cell.offsets, *enclosed, states, radii)
    order = np.lexsort(states[:count].T[::-1])
    return Roots(states[:count][order], radii[:count][order], int(undecided), int(seen))


@njit(nogil=True, error_model="numpy")
def _midpoint(code, weights, offsets, low, high, middle, inverse):
    """Fill the middle of a box and the inverse of 1 - dT/dh there; return whether it can precondition."""
    d = low.size
    for i in range(d):
        middle[i] = 0.5 * (low[i] + high[i])
    value, slope, speed = np.empty(d), np.empty((d, d)), np.empty(d)
    cells.rest(code, weights, offsets, middle, value, slope, speed)
    system = np.eye(d) - slope
    if d == 1:
        if abs(system[0, 0]) < 1.0 / _LARGE:
            return False
        inverse[0, 0] = 1.0 / system[0, 0]
        return True
    det = np.linalg.det(system)
    if not abs(det) > 1e-12:
        return False
    inverse[:] = np.linalg.inv(system)
    return np.abs(inverse).max() < _LARGE


@njit(nogil=True, error_model="numpy")
def krawczyk(code, weights, off_low, off_high, low, high, middle, inverse, k_low, k_high):
    """Fill K = m - C (m - T(m)) + (1 - C (1 - dT/dh over the box))(box - m)."""
    d = low.size
    t_low, t_high = np.empty(d), np.empty(d)
    w_low, w_high = np.empty((d, d)), np.empty((d, d))
    boxes.rest(code, weights, off_low, off_high, middle, middle, t_low, t_high, w_low, w_high)
    miss_low, miss_high = np.empty(d), np.empty(d)
    for i in range(d):
        miss_low[i], miss_high[i] = down(t_low[i] - middle[i]), up(t_high[i] - middle[i])
    boxes.rest(code, weights, off_low, off_high, low, high, t_low, t_high, w_low, w_high)
    for i in range(d):
        for j in range(d):
            one = 1.0 if i == j else 0.0
            w_low[i, j], w_high[i, j] = down(one - w_high[i, j]), up(one - w_low[i, j])
            # 1 - dT/dh
    p_low, p_high = np.empty((d, d)), np.empty((d, d))
    matmul(inverse, w_low, w_high, p_low, p_high)
    for i in range(d):
        below, above = dot(inverse[i], miss_low, miss_high)
        spread = 0.0
        for j in range(d):
            one = 1.0 if i == j else 0.0
            size = max(abs(down(one - p_high[i, j])), abs(up(one - p_low[i, j])))
            reach = max(up(high[j] - middle[j]), up(middle[j] - low[j]))
            spread = up(spread + up(size * reach))
        k_low[i] = down(down(middle[i] + below) - spread)
        k_high[i] = up(up(middle[i] + above) + spread)


@njit(nogil=True, error_model="numpy")
def _shrink(code, weights, offsets, off_low, off_high, k_low, k_high):
    """Shrink a box in which a root was proved, as far as rounding lets."""
    d = k_low.size
    middle, inverse = np.empty(d), np.empty((d, d))
    for _ in range(8):
        if not _midpoint(code, weights, offsets, k_low, k_high, middle, inverse):
            return
        n_low, n_high = np.empty(d), np.empty(d)
        krawczyk(code, weights, off_low, off_high, k_low, k_high, middle, inverse, n_low, n_high)
        shrunk = False
        for i in range(d):
            n_low[i], n_high[i] = max(n_low[i], k_low[i]), min(n_high[i], k_high[i])
            if n_high[i] - n_low[i] < 0.9 * (k_high[i] - k_low[i]):
                shrunk = True
        for i in range(d):
            k_low[i], k_high[i] = n_low[i], n_high[i]
        if not shrunk:
            return


@njit(nogil=True, error_model="numpy")
def _search(code, weights, offsets, off_low, off_high, states, radii):
    d = weights.shape[1]
    lows, highs = np.empty((4096, d)), np.empty((4096, d))
    u_low, u_high = np.empty((ROOTS, d)), np.empty((ROOTS, d))  # where each root is the only one
    lows[0], highs[0] = -EDGE, EDGE
    depth, count, undecided, seen = 1, 0, 0, 0
    middle, inverse = np.empty(d), np.empty((d, d))
    t_low, t_high, w_low, w_high = np.empty(d), np.empty(d), np.empty((d, d)), np.empty((d, d))
    k_low, k_high, x_low, x_high = np.empty(d), np.empty(d), np.empty(d), np.empty(d)
    while depth > 0:
        depth -= 1
        low, high = lows[depth].copy(), highs[depth].copy()
        if seen >= MOST or depth > 4000:
            undecided += 1
            continue
        seen += 1
        alive, done = True, False
        for _ in range(20):
            boxes.rest(code, weights, off_low, off_high, low, high, t_low, t_high, w_low, w_high)
            gain = 1.0
            for i in range(d):
                new_low, new_high = max(low[i], t_low[i]), min(high[i], t_high[i])
                if not new_low <= new_high:
                    alive = False
                    break
                gain = min(gain, (new_high - new_low) / max(high[i] - low[i], 1e-300))
                low[i], high[i] = new_low, new_high
            if not alive or gain > 0.7:
                break
        if not alive:
            continue
        for _ in range(12):
            for i in range(d):
                wider = _INFLATE * (high[i] - low[i]) + 1e-14
                x_low[i], x_high[i] = low[i] - wider, high[i] + wider
            if not _midpoint(code, weights, offsets, x_low, x_high, middle, inverse):
                break
            krawczyk(code, weights, off_low, off_high, x_low, x_high, middle, inverse, k_low, k_high)
            inside, gain = True, 1.0
            for i in range(d):
                if not (k_low[i] > x_low[i] and k_high[i] < x_high[i]):
                    inside = False
                new_low, new_high = max(low[i], k_low[i]), min(high[i], k_high[i])
                if not new_low <= new_high and not inside:
                    alive = False
                gain = min(gain, (new_high - new_low) / max(high[i] - low[i], 1e-300))
            if inside:
                done = True
                break
            if not alive or gain > 0.7:
                if alive:
                    for i in range(d):
                        low[i], high[i] = max(low[i], k_low[i]), min(high[i], k_high[i])
                break
            for i in range(d):
                low[i], high[i] = max(low[i], k_low[i]), min(high[i], k_high[i])
        if not alive:
            continue
        if done:
            _shrink(code, weights, offsets, off_low, off_high, k_low, k_high)
            new, unclear = True, False
            for k in range(count):
                same, apart = True, False
                for i in range(d):
                    if k_low[i] < u_low[k, i] or k_high[i] > u_high[k, i]:
                        same = False
                    if k_low[i] > up(states[k, i] + radii[k, i]) or k_high[i] < down(
                        states[k, i] - radii[k, i]
                    ):
                        apart = True
                if same:
                    new = False
                elif not apart:
                    unclear = True
            if new and unclear:  # perhaps a root twice: neither box holds the other one
                undecided += 1
            elif new and count < ROOTS:
                for i in range(d):
                    u_low[count, i], u_high[count, i] = x_low[i], x_high[i]
                    states[count, i] = 0.5 * (k_low[i] + k_high[i])
                    radii[count, i] = max(up(k_high[i] - states[count, i]), up(states[count, i] - k_low[i]))
                count += 1
            elif new:
                undecided += 1
            continue
        widest = 0
        for i in range(1, d):
            if high[i] - low[i] > high[widest] - low[widest]:
                widest = i
        width = high[widest] - low[widest]
        if width < _STOP:
            undecided += 1
            continue
        cut = low[widest] + _SHARE * width
        lows[depth], highs[depth] = low, high
        lows[depth + 1], highs[depth + 1] = low, high
        highs[depth, widest] = cut
        lows[depth + 1, widest] = cut
        depth += 2
    return count, undecided, seen
