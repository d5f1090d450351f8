"""`fixed_points`: all fixed points of a trained network that its own states lead to, each with a proof."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.cells import Cell, read
from widelimit.numerics.dynamics import newton
from widelimit.numerics.dynamics.certificate import Bounds, certify
from widelimit.numerics.dynamics.connections import connections, same_graph, ways_out
from widelimit.numerics.dynamics.scales import time_constants
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_log = logging.getLogger(__name__)
_STEP_SECONDS = 8e-9  # of a start, a unit to the third: some eight steps of Newton's method
_PAIRS = 600  # midpoints that are started from in a round
_ROUNDS = 4
_FOLLOWED, _STEPS = 30, 500  # starts that are followed along the dynamics, and for how long
_VALLEYS = 200  # starts that slow points are looked for from
_DAMPING, _RELAXED = 3e-3, 12
_NEAR = 1e-2  # of the span of all states: slow points closer than that are one


@by_value
@dataclass(frozen=True)
class SlowPoints:
    """Where the network nearly rests, without a proof that it does: `states`, and `speeds` |F| in a step."""

    states: Array
    speeds: Array

    def __len__(self) -> int:
        return len(self.speeds)


@by_value
@dataclass(frozen=True)
class FixedPoints:
    """Fixed points of `cell`, sinks first.

    `states` (k, n): h, or (h, c) of an LSTM. `radii`: exactly one fixed point lies within so much of each state in the
    maximum norm; `unique`: no other has its output h within so much. `residuals`: |F| = |step - state|.
    `eigenvalues` (k, n): of a step, largest magnitude first; `index`: how many of them lie outside the unit circle.
    `slow`: where the network nearly rests. `graph`: pairs (i, j), one of the two ways out of point i, of index 1,
    leads to point j; -1 where it leads to no point of the list. `unsettled`: starts from which none was found.
    """

    cell: Cell
    states: Array
    radii: Array
    unique: Array
    residuals: Array
    eigenvalues: Array
    index: Array
    slow: SlowPoints
    graph: tuple[tuple[int, int], ...]
    unsettled: int

    def __len__(self) -> int:
        return len(self.states)

    @property
    def time_constants(self) -> Array:
        """1/|log|lambda|| of every eigenvalue, in steps."""
        return time_constants(self.eigenvalues)

    @property
    def sinks(self) -> Array:
        """Numbers of the points without an unstable direction."""
        return np.flatnonzero(self.index == 0)

    def same_graph(self, other: FixedPoints) -> bool:
        """Whether another network has as many points of each index, joined in the same way (`dynamics` 6)."""
        return same_graph((self.index.tolist(), self.graph), (other.index.tolist(), other.graph))

    @property
    def outputs(self) -> Array:
        """The outputs h of all points, (k, d)."""
        return np.asarray(self.states[:, : self.cell.size])


def fixed_points(cell: Any, *, starts: Any, inputs: Any = None, slow_speed: float = 1e-3) -> FixedPoints:
    """Find the fixed points of a trained network at a constant input by Newton's method, each with a certificate.

    Roots of h - T(h), T the resting map (of a GRU its candidate, which the update gate cannot hide), are searched for
    from states that the network visits, from where some of them and the ways out of saddles end, and from midpoints of
    pairs of points that were found. What is proved to be a
    root is a point (`dynamics` 1: a ball that a Newton-like map contracts, in outward-rounded arithmetic); balls that
    overlap are one. Where the network moves by less than `slow_speed` without such a proof is a slow point. The list is
    complete as far as the starts reach; in two and three dimensions `gru.portrait` proves completeness.

    Args:
        cell: torch module or cell (RNN with tanh, GRU, LSTM), dictionary of arrays, or a `cells.Cell`.
        starts: states to search from, (k, d), or trials of them, (trials, steps, d); of an LSTM h alone or (h, c).
        inputs: constant input, zeros if left out.
        slow_speed: |F| per step below which a state counts as slow.

    Raises `ArgumentError` for cells that `cells.read` refuses, starts that are empty or of another width.

    >>> found = fixed_points({"weight_hh": [[2.0]]}, starts=[[0.5], [-0.5], [0.1]])
    >>> found.states.ravel().round(6), found.index
    (array([ 0.957504, -0.957504,  0.      ]), array([0, 0, 1]))
    >>> found.graph, float(found.unique[2].round(6))
    (((2, 0), (2, 1)), 0.649519)
    """
    network = read(cell, inputs=inputs)
    rows = _starts(network, starts)
    speed = arguments.positive_number("slow_speed", slow_speed)
    search = _Search(network)
    for h in rows:
        search.start(h)
    unsettled = search.unsettled
    for h in rows[np.unique(np.linspace(0, len(rows) - 1, _FOLLOWED).astype(int))]:
        search.start(search.end(network.full(np.clip(h, -1.0, 1.0))))
    for _ in range(_ROUNDS):
        before = search.count
        for h in (*search.ends(), *search.midpoints()):
            search.start(h)
        if search.count == before:
            break
    slow = _slow(network, search, rows, speed)
    _log.debug("%d points from %d starts, %d slow", search.count, len(rows), len(slow))
    return _result(network, search, slow, unsettled)


class _Search:
    """Certified points so far: centres, radii of existence and of uniqueness; and where Newton's method got stuck."""

    def __init__(self, cell: Cell) -> None:
        self.cell, self.offsets = cell, cell.offsets
        self.count, self.unsettled = 0, 0
        self.centres, self.radii, self.unique = np.zeros((8, cell.size)), np.zeros(8), np.zeros(8)
        self.stuck: list[Array] = []
        self._pairs: set[tuple[int, int]] = set()
        self._seen = 0

    def start(self, h: Array) -> None:
        """Search from one state."""
        h = np.clip(h, -1.0, 1.0)
        outcome = newton.settle(
            self.cell.code, self.cell.weights, self.offsets, h, self.centres, self.unique, self.count
        )
        if outcome == newton.KNOWN:
            return
        proof = certify(self.cell, h) if outcome == newton.SETTLED else None
        if proof is None:
            self.stuck.append(h)
            self.unsettled += 1
            return
        distance = np.abs(self.centres[: self.count] - h).max(1) if self.count else np.zeros(0)
        if (distance <= self.radii[: self.count] + proof.radius).any() or (distance <= proof.unique).any():
            return  # the balls overlap, or the other point lies where this one is the only one
        if self.count == len(self.radii):
            self.centres = np.concatenate([self.centres, np.zeros_like(self.centres)])
            self.radii, self.unique = np.tile(self.radii, 2), np.tile(self.unique, 2)
        self.centres[self.count], self.radii[self.count], self.unique[self.count] = (
            h,
            proof.radius,
            proof.unique,
        )
        self.count += 1

    def end(self, state: Array) -> Array:
        """The output of a state after many steps, fewer where it comes to rest."""
        here = state.copy()
        newton.follow(
            self.cell.code,
            self.cell.weights,
            self.offsets,
            here,
            self.centres,
            self.unique,
            self.count,
            _STEPS,
        )
        return np.ascontiguousarray(here[: self.cell.size])

    def ends(self) -> list[Array]:
        """Where the ways out of new points with one unstable direction end."""
        found = []
        for k in range(self._seen, self.count):
            state = self.cell.full(self.centres[k])
            found += [self.end(start) for start in ways_out(self.cell, state, float(self.unique[k]))]
        self._seen = self.count
        return found

    def midpoints(self) -> list[Array]:
        """Midpoints of pairs that were not tried, closest pairs first."""
        found = self.centres[: self.count]
        new = [pair for pair in itertools.combinations(range(self.count), 2) if pair not in self._pairs]
        new.sort(key=lambda pair: float(np.abs(found[pair[0]] - found[pair[1]]).sum()))
        self._pairs.update(new[:_PAIRS])
        return [(found[i] + found[j]) / 2 for i, j in new[:_PAIRS]]


def _starts(cell: Cell, starts: Any) -> Array:
    """Outputs h of all starts, as rows."""
    array = arguments.real("starts", starts)
    width = array.shape[-1] if array.ndim else 0
    if array.ndim not in (2, 3) or width not in (cell.size, cell.state_size) or not array.size:
        widths = f"{cell.size}" + (
            f" (h) or {cell.state_size} (h and c)" if cell.state_size > cell.size else ""
        )
        must = f"must be states as rows, (k, d) or (trials, steps, d), of {widths} numbers"
        raise ArgumentError("starts", must, but=f"has shape {np.shape(starts)}")
    rows = array.reshape(-1, width)
    costs.affordable("starts", len(rows), seconds=_STEP_SECONDS * cell.size**3, each="start")
    return np.ascontiguousarray(rows[:, : cell.size])


def _slow(cell: Cell, search: _Search, rows: Array, most: float) -> SlowPoints:
    """States at which the network nearly rests: in valleys of |G| next to the starts, thinned out."""
    some = rows[np.unique(np.linspace(0, len(rows) - 1, _VALLEYS).astype(int))]
    candidates = [h.copy() for h in search.stuck[:_VALLEYS]]
    for h in np.clip(some, -1.0, 1.0):
        here = h.copy()
        newton.relax(cell.code, cell.weights, search.offsets, here, _DAMPING, _RELAXED)
        candidates.append(here)
    known = search.centres[: search.count]
    span = float(np.ptp(np.concatenate([rows, known]), axis=0).max())
    kept: list[Array] = []
    states, speeds = [], []
    for h in candidates:
        near = [*known, *kept]
        if near and np.abs(np.asarray(near) - h).max(1).min() <= _NEAR * span:
            continue
        state = cell.full(h)
        speed = float(np.linalg.norm(cell.step(state) - state))
        if speed < most:
            kept.append(h)
            states.append(state)
            speeds.append(speed)
    order = np.argsort(speeds)
    return SlowPoints(np.reshape(states, (-1, cell.state_size))[order], np.asarray(speeds)[order])


def _result(cell: Cell, search: _Search, slow: SlowPoints, unsettled: int) -> FixedPoints:
    outputs, count = search.centres[: search.count], search.count
    states = cell.full(outputs) if count else np.zeros((0, cell.state_size))
    values = np.zeros((count, cell.state_size), complex)
    radii = search.radii[:count].copy()
    bounds = Bounds.of(cell)
    for k, state in enumerate(states):
        found = np.linalg.eigvals(cell.jacobian(state))
        values[k] = found[np.argsort(-np.abs(found), kind="stable")]
        if cell.kind == "lstm":
            low, high = bounds.memory(outputs[k], radii[k])
            c = state[cell.size :]
            radii[k] = max(radii[k], float(np.nextafter(np.maximum(high - c, c - low).max(), np.inf)))
    index = (np.abs(values) > 1).sum(1).astype(int)
    order = np.lexsort((np.arange(count), index))
    residuals = np.array([np.linalg.norm(cell.step(state) - state) for state in states])
    graph = connections(cell, states[order], index[order], search.unique[:count][order])
    return FixedPoints(
        cell,
        states[order],
        radii[order],
        search.unique[:count][order],
        residuals.reshape(count)[order],
        values[order],
        index[order],
        slow,
        graph,
        unsettled,
    )
