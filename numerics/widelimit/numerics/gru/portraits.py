"""`portrait`: all fixed points of a cell with proof, its limit cycles, what leads where, and data to draw it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from widelimit.numerics import arguments, results
from widelimit.numerics.cells import Cell, read
from widelimit.numerics.gru import compiled
from widelimit.numerics.gru.complete import roots
from widelimit.numerics.orbits import AtRestError, AwayError, Closed, settle
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError, ConvergenceError

Array = np.ndarray
_NEAR = 1e-4  # how far from a fixed point or a cycle its neighbours start
_SAME = 1e-5  # distance of two ends that are one
_GRID = 41
TIMES = ("continuous", "step")


@by_value
@dataclass(frozen=True)
class LimitCycle:
    """A limit cycle in continuous time: `period`, `states` at equal times, `multipliers` (one is 1), `stable`."""

    period: float
    states: Array
    multipliers: Array
    stable: bool


@by_value
@dataclass(frozen=True)
class Plot:
    """Called, it draws its portrait; of a cell of two units it has what a figure needs, `axis` and `velocity`.

    `velocity` (n, n, 2) is that at (axis[j], axis[i]); nullclines are its zero lines. Both raise `ArgumentError` for
    other numbers of units, of which the picture shows eigenvalues.
    """

    portrait: Portrait = field(repr=False)

    def __call__(self, ax: Any = None, **options: Any) -> Any:
        """Draw the portrait on Matplotlib's axes `ax`, or on a figure of its own, and return the axes."""
        return results.plot(self.portrait, ax, **options)

    @property
    def axis(self) -> Array:
        """Places along each axis of the grid."""
        if (size := self.portrait.cell.state_size) != 2:
            raise ArgumentError("cell", "must have two units to have a plane", but=f"has {size}")
        return np.linspace(-1.1, 1.1, _GRID)

    @functools.cached_property
    def velocity(self) -> Array:
        """The step of the cell less the state, on the grid."""
        grid = np.stack(np.meshgrid(self.axis, self.axis), -1).reshape(-1, 2)
        return (self.portrait.cell.step(grid) - grid).reshape(_GRID, _GRID, 2)


@by_value
@dataclass(frozen=True)
class Portrait:
    """Fixed points of a cell of up to three units, and what leads where.

    `fixed_points`, `radii` (k, d): in each box lies exactly one; `complete`: there are no others, which is proved;
    `undecided`: boxes that rounding left open where it is not. `kinds`: "sink", "source" or "saddle". `eigenvalues`:
    of the differential equation, or of the map with `time="step"`; (k, d), (k, 2 d) of an LSTM.
    `limit_cycles`: those that were found from fixed points, corners and other cycles (two units, continuous time).
    `signature`: numbers of sinks, sources, saddles, stable cycles, unstable cycles. `graph`: (fixed point, end), ends
    are "fixed point 3" or "cycle 0", of what leaves saddles and sources along their unstable directions.
    """

    fixed_points: Array
    radii: Array
    kinds: tuple[str, ...]
    eigenvalues: Array
    complete: bool
    undecided: int
    limit_cycles: tuple[LimitCycle, ...]
    signature: tuple[int, int, int, int, int]
    graph: tuple[tuple[int, str], ...]
    time: str
    cell: Cell = field(repr=False)

    @functools.cached_property
    def plot(self) -> Plot:
        """``portrait.plot(ax=None)`` draws it; ``.plot.axis`` and ``.plot.velocity`` are the flow of two units."""
        return Plot(self)


def portrait(cell: Any, *, inputs: Any = None, time: str = "continuous") -> Portrait:
    """Return the portrait of a recurrent cell of one, two or three units.

    Fixed points solve n(h) = h: the update gate moves none of them. They are found by branch and prune in outward-
    rounded intervals, so that each is proved to exist, to be alone in its box, and the list to be complete.

    Args:
        cell: a torch RNN, GRU or LSTM, a cell, or a dictionary of arrays (see `numerics.cells.read`).
        inputs: one constant input vector, zeros if left out.
        time: "continuous", dh/dt = step(h) - h, or "step", the map itself: both have the same fixed points, but a
            sink of the equation need not be one of the map.

    Raises `ArgumentError` for other cells, more than three units (`numerics.dynamics.fixed_points` certifies single
    points of larger ones) or inputs that do not fit.

    >>> two = portrait({"weight_hh": [[3.0, 0.0], [0.0, 3.0]]})  # two decoupled bistable units
    >>> two.signature, two.complete, len(two.fixed_points)
    ((4, 1, 4, 0, 0), True, 9)
    >>> portrait({"weight_hh": [[-3.0]]}, time="step").eigenvalues.real  # doubles its period; dh/dt = h' - h rests
    array([[-3.]])
    """
    known = arguments.choice("time", time, TIMES)
    given = read(cell, inputs=inputs)
    if given.size > 3:
        help = "Complete lists end there: the number of boxes grows with the power of the dimension. "
        help += "Certify single points with numerics.dynamics.fixed_points."
        raise ArgumentError("cell", "must have at most three units", but=f"has {given.size}", help=help)
    found = roots(given)
    rates = np.array([_rates(given, h) for h in found.states]).reshape(len(found.states), given.state_size)
    eigenvalues = rates if known == "continuous" else _of_map(rates)
    kinds = tuple(_kind(given, h, one, known) for h, one in zip(found.states, eigenvalues, strict=True))
    cycles, graph = (
        _Explorer(given, found.states, kinds, rates).explore() if known == "continuous" else ((), ())
    )
    signature = (
        kinds.count("sink"),
        kinds.count("source"),
        kinds.count("saddle"),
        sum(one.stable for one in cycles),
        sum(not one.stable for one in cycles),
    )
    return Portrait(
        found.states, found.radii, kinds, eigenvalues, found.undecided == 0, found.undecided, cycles,
        signature, graph, known, given,
    )  # fmt: skip


def _rates(cell: Cell, h: Array) -> Array:
    """Eigenvalues of the differential equation, largest real part first."""
    values = np.linalg.eigvals(cell.jacobian(cell.full(h)) - np.eye(cell.state_size)).astype(complex)
    return values[np.lexsort((-values.imag, -values.real))]


def _of_map(rates: Array) -> Array:
    """1 + lambda, from the theory's formula at step 1, which is linear: real and imaginary parts by themselves."""
    real = np.asarray(compiled.MAP_EIGENVALUE(rates.real, 1.0))
    none = float(compiled.MAP_EIGENVALUE(0.0, 1.0))
    return real + 1j * (np.asarray(compiled.MAP_EIGENVALUE(rates.imag, 1.0)) - none)


def _kind(cell: Cell, h: Array, eigenvalues: Array, time: str) -> str:
    """Sink, source or saddle; a saddle of two units by the sign of det(1 - dn/dh), which no saturated gate can blur."""
    if time == "continuous" and cell.kind != "lstm" and cell.size <= 2:
        _, slope, speed = cell.rest(h)
        if cell.size == 2 and np.linalg.det(np.eye(2) - slope) < 0:
            return "saddle"
        trace = float(speed @ (np.diag(slope) - 1))
        return "sink" if trace < 0 else "source"
    grows = eigenvalues.real > 0 if time == "continuous" else np.abs(eigenvalues) > 1
    return "sink" if not grows.any() else "source" if grows.all() else "saddle"


class _Explorer:
    """Follows what leaves and what comes, forwards and backwards, until no new cycle is found."""

    def __init__(self, cell: Cell, points: Array, kinds: Sequence[str], rates: Array) -> None:
        self.cell, self.points, self.kinds, self.rates = cell, points, kinds, rates
        self.full = np.array([cell.full(h) for h in points]).reshape(len(points), cell.state_size)
        self.cycles: list[LimitCycle] = []

    def explore(self) -> tuple[tuple[LimitCycle, ...], tuple[tuple[int, str], ...]]:
        """Return the limit cycles and where unstable directions lead."""
        edges = []
        for k, kind in enumerate(self.kinds):
            if kind != "sink":
                edges += [(k, self._end(start, 1.0)) for start in self._leaving(k)]
        if self.cell.state_size == 2:
            for k, kind in enumerate(self.kinds):
                if kind == "sink":
                    self._end(self.full[k] + [_NEAR, 0.0], -1.0)
            for corner in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
                self._end(np.array(corner, dtype=float), 1.0)
            looked = 0
            while looked < len(self.cycles) < 20:  # inside and outside of every cycle
                ring = self.cycles[looked]
                sign = -1.0 if ring.stable else 1.0
                middle, span = ring.states.mean(0), ring.states[0] - ring.states.mean(0)
                for share in (1 - 10 * _NEAR, 1 + 10 * _NEAR):
                    self._end(middle + share * span, sign)
                looked += 1
        known = {edge: None for edge in edges if edge[1]}
        return tuple(self.cycles), tuple(known)

    def _leaving(self, k: int) -> list[Array]:
        """States next to a fixed point along its unstable directions, both ways."""
        values, vectors = np.linalg.eig(self.cell.jacobian(self.full[k]) - np.eye(self.cell.state_size))
        out = []
        for value, vector in zip(values, vectors.T, strict=True):
            if value.real > 0:
                way = np.real(vector)
                size = float(np.abs(way).max())
                if size > 1e-8:
                    out += [self.full[k] + sign * _NEAR * way / size for sign in (1, -1)]
        return out

    def _end(self, start: Array, sign: float) -> str:
        """Name of what a start leads to; new cycles are kept."""
        try:
            found = settle(self.cell, start, sign=sign)
        except AtRestError as rest:
            gaps = np.abs(self.full - rest.state).max(1)
            k = int(gaps.argmin())
            return f"fixed point {k}" if gaps[k] < _SAME else ""
        except AwayError:
            return ""
        except ConvergenceError:  # too slow: nothing is said of it
            return ""
        return f"cycle {self._number(found)}"

    def _number(self, found: Closed) -> int:
        for k, one in enumerate(self.cycles):
            if abs(one.period - found.period) < 1e-6 * one.period:
                gap = np.abs(one.states - found.states[0]).max(1).min()
                if gap < 0.1 * np.ptp(one.states, axis=0).max():
                    return k
        multipliers = np.linalg.eigvals(found.monodromy)
        multipliers = multipliers[np.argsort(-np.abs(multipliers))]
        others = np.delete(multipliers, int(np.abs(multipliers - 1).argmin()))
        self.cycles.append(
            LimitCycle(found.period, found.states, multipliers, bool((np.abs(others) < 1).all()))
        )
        return len(self.cycles) - 1
