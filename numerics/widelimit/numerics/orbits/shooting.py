"""Limit cycles of a recurrent cell in continuous time: where a start leads, and Newton's method on start and period."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from widelimit.numerics.cells import Cell
from widelimit.numerics.orbits import integration as flow
from widelimit.numerics.orbits.newton import resting
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ConvergenceError

Array = np.ndarray
PIECES = 64
_STILL = 1e-6  # distance to a sink at which a state counts as fallen into it
_ROUNDS = 13
_DT = 0.25
_SAMPLES = 1600  # of a round: slow gates take long rounds of long steps


class AwayError(ConvergenceError):
    """A start that runs away backwards in time."""


class AtRestError(ConvergenceError):
    """A start that leads to no cycle, because it falls into a fixed point: `state`."""

    def __init__(self, state: Array) -> None:
        super().__init__("The state falls into the fixed point " + str(np.round(state, 6).tolist()) + ".")
        self.state = state


@by_value
@dataclass(frozen=True)
class Closed:
    """A closed orbit: `states` at equal times, (pieces + 1, n), first and last alike; `transfers` between them."""

    period: float
    states: Array
    transfers: Array

    @property
    def monodromy(self) -> Array:
        """The derivative of the state after a period by the state."""
        return np.asarray(flow.product(self.transfers))


def settle(cell: Cell, start: Array, pieces: int = PIECES, sign: float = 1.0) -> Closed:
    """Return the cycle that a start leads to; backwards in time with `sign` -1.

    Raises `AtRestError` where that is a fixed point, `AwayError` where it leaves for good (backwards alone),
    `ConvergenceError` where it neither rests nor closes.
    """
    here = np.array(start, dtype=float)
    span = 25.0
    for _ in range(_ROUNDS):
        dt = max(_DT, span / _SAMPLES)
        trail = np.empty((int(span / dt) + 1, here.size))
        reached = flow.path(cell.code, cell.weights, cell.offsets, here, dt, sign, trail)
        if sign < 0 and np.abs(trail[reached - 1]).max() > 1.5:
            raise AwayError("Backwards in time the state runs away.")
        if reached < len(trail):
            break
        here = trail[-1].copy()
        rest = resting(cell, here)
        if rest is not None and float(np.abs(rest - here).max()) < _STILL:
            raise AtRestError(rest)
        period = dt * _first_return(trail[::-1])
        if period > 0 and (found := close(cell, here, period, pieces)) is not None:
            near = np.abs(found.states - here).max(1).min()
            if near < 0.3 * np.ptp(found.states, axis=0).max() + 1e-12:
                return found
        span *= 2.0
    raise ConvergenceError(
        "The state neither comes to rest nor closes a cycle: it may be chaotic, or move too slowly. Pass another start."
    )


def _first_return(back: Array) -> float:
    """Return how many samples ago the state was next to where it is, 0 if never: the latest of the close approaches."""
    gaps = np.abs(back - back[0]).max(1)
    extent = float(np.ptp(back, axis=0).max())
    if extent < 1e-7:
        return 0.0
    away = np.flatnonzero(gaps > 0.3 * extent)
    if not away.size:
        return 0.0
    dips = np.flatnonzero((gaps[1:-1] <= gaps[:-2]) & (gaps[1:-1] < gaps[2:])) + 1
    dips = dips[dips > away[0]]
    if not dips.size:
        return 0.0
    best = float(gaps[dips].min())
    good = dips[gaps[dips] <= best + 0.05 * extent]
    return float(good[0]) if best < 0.3 * extent else 0.0


def close(cell: Cell, start: Array, period: float, pieces: int = PIECES) -> Closed | None:
    """Return the cycle next to a start and a period by Newton's method, None where it leads elsewhere."""
    size, here, span = start.size, start.copy(), period
    last = np.inf
    for _ in range(30):
        states, transfers = np.empty((pieces + 1, size)), np.empty((pieces, size, size))
        if not flow.segments(cell.code, cell.weights, cell.offsets, here, span, states, transfers):
            return None
        miss = states[-1] - here
        error = float(np.abs(miss).max())
        begin, end = cell.step(here) - here, cell.step(states[-1]) - states[-1]
        extent = float(np.ptp(states, axis=0).max())
        if extent < 1e-9 or not np.isfinite(error):
            return None
        if error < 5e-14 or (error < 1e-11 and error >= 0.5 * last):
            return _shortest(cell, Closed(span, states, transfers), pieces)
        system = np.zeros((size + 1, size + 1))
        system[:size, :size] = np.asarray(flow.product(transfers)) - np.eye(size)
        system[:size, size], system[size, :size] = end, begin
        try:
            change = np.linalg.solve(system, np.append(-miss, 0.0))
        except np.linalg.LinAlgError:
            return None
        damp = min(1.0, 0.3 * max(extent, 1e-3) / max(float(np.abs(change[:size]).max()), 1e-300))
        damp = min(damp, 0.25 * span / max(abs(float(change[size])), 1e-300))
        here, span, last = here + damp * change[:size], span + damp * float(change[size]), error
    return None


def _shortest(cell: Cell, found: Closed, pieces: int) -> Closed:
    """The same cycle with its least period."""
    for parts in (5, 3, 2):
        if found.period / parts < 0.5 or pieces * parts < 1:
            continue
        rows = found.states[0][None].copy()
        flow.advance(cell.code, cell.weights, cell.offsets, rows, found.period / parts, 0.1, 1.0)
        if float(np.abs(rows[0] - found.states[0]).max()) < 1e-7 * float(np.ptp(found.states, axis=0).max()):
            shorter = close(cell, found.states[0], found.period / parts, pieces)
            return shorter if shorter is not None else found
    return found
