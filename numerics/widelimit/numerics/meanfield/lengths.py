"""Fixed points of the length map q' = s V(q) + b, all of them, for many (s, b) at once.

Table          V, E phi'^2 and dV/dq on one grid of log q per activation
fixed_points   sign changes of s V + b - q on the grid, refined by safeguarded Newton with the compiled V
reached        which of them the recursion reaches from a given start
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from widelimit.numerics import threads
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ConvergenceError

Array = np.ndarray
Moments = Callable[[Array], tuple[Array, Array]]  # q -> (V, P, dV/dq), errors
FINE = 4  # fine steps to a coarse one
GRID = np.logspace(-12, 14, 26 * 16 * FINE + 1)
COARSE = GRID[::FINE]
FLAT = 1e-13  # |s V + b - q| below this share of q everywhere: every q is fixed


@by_value
@dataclass(frozen=True)
class Table:
    """V and dV/dq on `GRID`, V(0+) and dV/dq(0+)."""

    v: Array
    slope: Array
    v_zero: float
    slope_zero: float

    @staticmethod
    def of(moments: Moments) -> Table:
        """Evaluate an activation's moments on the grid."""
        (v, _, slope), _ = moments(np.concatenate([[0.0], GRID]))
        slope = np.where(np.isfinite(v), slope, np.inf)
        at_zero = float(v[0]) if v[0] > 1e-200 else 0.0  # V vanishes with q
        return Table(v[1:], slope[1:], at_zero, float(slope[0]))

    @property
    def below_linear(self) -> bool:
        """Whether V grows by a smaller power than q where the grid ends: then s V + b has a fixed point for all s."""
        v, slope = self.v[-1], self.slope[-1]
        return bool(np.isfinite(v) and GRID[-1] * slope < 0.999 * v)

    @property
    def monotone(self) -> bool:
        """Whether V increases wherever it is finite."""
        return bool((self.slope[np.isfinite(self.v)] >= 0).all())


@by_value
@dataclass(frozen=True)
class Roots:
    """Fixed points per row in increasing order, padded with NaN, their moments; `every` marks rows of V(q) = q."""

    q: Array  # (rows, most)
    moments: Array  # (3, rows, most): V, E phi'^2, dV/dq
    error: Array  # (rows, most): bound of the error of V
    every: Array  # (rows,)


def fixed_points(moments: Moments, table: Table, s: Array, b: Array) -> Roots:
    """Return every q >= 0 with q = s V(q) + b, one row per (s, b)."""
    parts = threads.chunks(s.size, 512, largest=4096)
    found = threads.each(lambda part: _brackets(table, s[part], b[part]), parts)
    row, low, high, start, rising = (
        np.concatenate(
            [entry[k] + (part.start if k == 0 else 0) for entry, part in zip(found, parts, strict=True)]
        )
        for k in range(5)
    )
    row = row.astype(int)
    every = np.concatenate([entry[5] for entry in found])
    q = _refine(moments, s[row], b[row], low, high, start, rising)
    with np.errstate(invalid="ignore", over="ignore"):
        at_zero = np.flatnonzero((s * table.v_zero + b == 0) & ~every)
    row, q = np.concatenate([row, at_zero]), np.concatenate([q, np.zeros(at_zero.size)])
    order = np.lexsort((q, row))
    row, q = row[order], q[order]
    values, errors = moments(q) if q.size else (np.empty((3, 0)), np.empty((3, 0)))
    with np.errstate(invalid="ignore"):  # where V ends in infinity the sign changes without a root
        true = (np.abs(s[row] * values[0] + b[row] - q) <= 1e-6 * (q + b[row])) | (q == 0)
    row, q, values, errors = row[true], q[true], values[:, true], errors[:, true]
    place = np.arange(row.size) - np.searchsorted(row, row)
    most = int(place.max(initial=-1)) + 1
    padded, stats, bound = (
        np.full((s.size, most), np.nan),
        np.full((3, s.size, most), np.nan),
        np.zeros((s.size, most)),
    )
    padded[row, place], stats[:, row, place], bound[row, place] = q, values, errors[0]
    return Roots(padded, stats, bound, every)


def _brackets(table: Table, s: Array, b: Array) -> tuple[Array, ...]:
    """Return rows, brackets, first guesses and directions of the positive fixed points; which rows hold every q."""
    with np.errstate(invalid="ignore", over="ignore"):
        excess = s[:, None] * table.v[::FINE] + b[:, None] - COARSE
    finite = np.isfinite(table.v[::FINE])
    every = (np.abs(excess[:, finite]) <= FLAT * COARSE[finite]).all(axis=1) & (
        finite.sum() > COARSE.size // 2
    )
    excess[every] = 1.0
    above = excess > 0
    row, left = np.nonzero(above[:, 1:] != above[:, :-1])
    rising = ~above[row, left]
    with np.errstate(all="ignore"):  # the step of the fine grid that holds the sign change
        near = FINE * left[:, None] + np.arange(FINE + 1)
        finer = s[row, None] * table.v[near] + b[row, None] - GRID[near]
        inner = ((finer[:, 1:] > 0) != ~rising[:, None]).argmax(axis=1)
        left, ends = near[:, 0] + inner, np.arange(row.size)
        low, high = GRID[left], GRID[left + 1]
        f_low, f_high = finer[ends, inner], finer[ends, inner + 1]
        slopes = (s[row] * table.slope[left] - 1, s[row] * table.slope[left + 1] - 1)
        start = _hermite_root(low, high, f_low, f_high, *slopes)
    # below the grid V is linear, above it too (or bounded)
    with np.errstate(invalid="ignore", over="ignore"):
        begin = s * table.v_zero + b
    under = np.flatnonzero((begin > 0) & ~above[:, 0] & ~every)
    with np.errstate(all="ignore"):
        guess = begin[under] / (1 - s[under] * table.slope_zero)
        last = s * table.slope[-1] if finite[-1] else np.full(s.size, np.inf)
        over = np.flatnonzero(above[:, -1] & ~every & (last < 1))
        reach = GRID[-1] + excess[over, -1] / (1 - last[over])
    over, reach = over[reach < 1e290], reach[reach < 1e290]
    return (
        np.concatenate([row, under, over]),
        np.concatenate([low, np.zeros(under.size), np.full(over.size, GRID[-1])]),
        np.concatenate([high, np.full(under.size, GRID[0]), 4 * reach]),
        np.concatenate([start, guess, reach]),
        np.concatenate([rising, np.zeros(under.size + over.size, bool)]),
        every,
    )


def _hermite_root(low: Array, high: Array, f0: Array, f1: Array, d0: Array, d1: Array) -> Array:
    """Return the root in [low, high] of the cubic in log q through values and slopes at both ends."""
    width = np.log(high / low)
    d0, d1 = d0 * low * width, d1 * high * width
    left, right = np.zeros_like(low), np.ones_like(low)
    falling = f0 > 0
    for _ in range(26):
        t = 0.5 * (left + right)
        value = (
            f0 * (1 + 2 * t) * (1 - t) ** 2
            + d0 * t * (1 - t) ** 2
            + f1 * t * t * (3 - 2 * t)
            + d1 * t * t * (t - 1)
        )
        beyond = (value > 0) != falling
        left, right = np.where(beyond, left, t), np.where(beyond, t, right)
    return np.where(np.isfinite(value), low * np.exp(0.5 * (left + right) * width), np.sqrt(low * high))


def _refine(moments: Moments, s: Array, b: Array, low: Array, high: Array, q: Array, rising: Array) -> Array:
    """Polish roots of s V + b - q inside their brackets; `rising` says where it is negative below the root."""
    low, high = low.copy(), high.copy()
    q = np.where((q > low) & (q < high), q, np.where(low > 0, np.sqrt(low) * np.sqrt(high), 0.5 * high))
    active = np.arange(q.size)
    for _ in range(200):
        if active.size == 0:
            return q
        here = q[active]
        (v, _, slope), _ = moments(here)
        with np.errstate(all="ignore"):
            value = s[active] * v + b[active] - here
            pull = s[active] * slope - 1
            step = -value / pull
        value = np.where(np.isfinite(value), value, np.inf)
        up = (value > 0) == rising[active]
        high[active] = np.where(up, here, high[active])
        low[active] = np.where(up, low[active], here)
        with np.errstate(all="ignore"):
            new = here + step
            inside = (new > low[active]) & (new < high[active]) & np.isfinite(step)
            middle = np.where(
                low[active] > 0, np.sqrt(low[active]) * np.sqrt(high[active]), 0.5 * high[active]
            )
        rounding = 4e-16 * (here + np.abs(b[active]))
        done = np.abs(value) <= rounding
        # the next error is about step^2/(q pull)
        done |= (np.abs(step) <= 1e-7 * here * np.sqrt(np.minimum(1, np.abs(pull)))) & inside
        done |= high[active] - low[active] <= 4e-16 * high[active]
        q[active] = np.where(inside & (np.abs(value) > 0), new, np.where(done, here, middle))
        active = active[~done]
    raise ConvergenceError(
        f"A fixed point of the length map near q = {q[active[0]]:g} was not resolved in 200 steps."
    )


def reached(roots: Roots, moments: Moments, table: Table, s: Array, b: Array, start: Array) -> Array:
    """Return the index of the fixed point that the recursion reaches from `start`, -1 where it runs away."""
    if roots.q.shape[1] == 0:
        return np.full(s.size, -1)
    here = start.copy()
    if not table.monotone:  # follow the recursion itself until it has settled near a fixed point
        for _ in range(400):
            with np.errstate(all="ignore"):
                new = s * moments(here)[0][0] + b
            new = np.where(np.isfinite(new) & (new < 1e280), new, 1e280)
            settled = np.abs(new - here) <= 1e-10 * here
            here = new
            if settled.all():
                break
    places, where = np.unique(here, return_inverse=True)
    with np.errstate(all="ignore"):
        excess = s * moments(places)[0][0][where] + b - here
    excess = np.where(np.isfinite(excess), excess, np.inf)
    near = np.abs(roots.q - here[:, None]) <= 1e-9 * here[:, None]
    known = ~np.isnan(roots.q)
    above = known & (roots.q > here[:, None])
    below = known & (roots.q < here[:, None])
    first_above = np.where(above.any(axis=1), above.argmax(axis=1), -1)
    last_below = np.where(below.any(axis=1), below.shape[1] - 1 - below[:, ::-1].argmax(axis=1), -1)
    index = np.where(excess > 0, first_above, last_below)
    return np.where(near.any(axis=1), near.argmax(axis=1), index)
