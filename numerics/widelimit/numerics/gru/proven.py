"""`homoclinic_proof`: that a saddle's manifolds meet at some bias of a bracket, by interval arithmetic.

For every bias b_1 of a bracket: a small box around the saddle holds a piece of its unstable manifold, a graph over the
unstable direction (`orbits.saddles`); its end is followed by proven Taylor steps (`orbits.taylor`) across a line near
the saddle to a line through the focus, which all these trajectories cross in the same step and in one direction
(`orbits.sections`): so where they cross depends continuously on b_1. The same backwards in time for the stable
manifold. At the two ends the crossings lie, by intervals, on different sides of each other. Hence they meet in
between, and a trajectory through that point comes from the saddle and goes back to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from widelimit.numerics import intervals as iv
from widelimit.numerics.cells import Cell
from widelimit.numerics.gru.loops import START, branches, homoclinic, saddle_of
from widelimit.numerics.gru.oscillating import cell as cell_of
from widelimit.numerics.orbits import integration as flow
from widelimit.numerics.orbits import saddles, sections, taylor
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ConvergenceError

Array = np.ndarray
Interval = tuple[float, float]
_RADII = (1e-13, 1e-12, 1e-11, 1e-10, 1e-9)  # of the bracket that is proven, tried in this order
_BOX, _ROOM = 1e-8, 1e4  # size of the box at the saddle, and how much wider than the bracket it is at least
_NEAR = 6e-3  # of the way to the focus: the first line, past which rounding at the saddle counts no more
_HELP = "Ask `homoclinic` for its estimate, or take a bracket around another homoclinic orbit."


@by_value
@dataclass(frozen=True)
class Proof:
    """What is proven: for some b_1 in the interval `bias_1` the saddle has a homoclinic orbit; floats are exact bounds.

    It holds for every gain, angle and bias_2 within one float of those given, so for decimals and pi/6 themselves.
    `splitting`: of the manifolds at the lower and at the upper end of `bias_1`, an interval each, of opposite signs.
    `saddle`: lower and upper bounds, (2, 2), and `lambda_u`, `lambda_s` intervals of its eigenvalues, for every b_1 of
    the interval. `steps`: Taylor steps of both manifolds. Time in units of 1/(1 - z).
    """

    bias_1: Interval
    splitting: tuple[Interval, Interval]
    saddle: Array
    lambda_u: Interval
    lambda_s: Interval
    steps: int

    @property
    def radius(self) -> float:
        """Half the width of the interval."""
        return 0.5 * (self.bias_1[1] - self.bias_1[0])

    @property
    def stable(self) -> bool | None:
        """Whether the cycle beside the orbit is stable: the sum of eigenvalues is negative; None if that is open."""
        low, high = iv.add(*self.lambda_u, *self.lambda_s)
        return True if high < 0 else False if low > 0 else None


def homoclinic_proof(gain: float, angle: float, *, bias_2: float, bracket: Any) -> Proof:
    """Return a proof that dh/dt = tanh(g R(theta) h + b) - h has a homoclinic orbit at some b_1 of a bracket.

    The interval that is proven is the narrowest that interval arithmetic of floats decides, from 2e-13 on; it lies in
    the bracket.

    Args:
        gain: g.
        angle: theta, between 0 and pi/2.
        bias_2: b_2, held.
        bracket: two values of b_1 between which the splitting changes its sign.

    Raises `ArgumentError` as `homoclinic`, and `ConvergenceError` where no proof is found: that is no disproof.

    >>> import math
    >>> proof = homoclinic_proof(2.0, math.pi / 6, bias_2=-0.16, bracket=(-1.0945, -1.0940))
    >>> proof.bias_1[0] < -1.0942366847757135812 < proof.bias_1[1], proof.radius < 2e-12, proof.stable
    (True, True, True)
    """
    found = homoclinic(gain, angle, bias_2=bias_2, bracket=bracket)
    g, theta, second = float(np.asarray(gain)), float(np.asarray(angle)), float(np.asarray(bias_2))
    ends = [float(one) for one in np.asarray(bracket, dtype=float)]
    cell = cell_of(g, theta, 0.5, (found.bias_1, second))
    ways = _ways(cell)
    reached = "its steps lost a manifold"
    for radius in _RADII:
        low = max(found.bias_1 - radius * max(1.0, abs(found.bias_1)), ends[0])
        high = min(found.bias_1 + radius * max(1.0, abs(found.bias_1)), ends[1])
        if not low < found.bias_1 < high:
            continue
        size = max(_BOX, _ROOM * radius)
        fields = [_field(g, theta, second, *pair) for pair in ((low, high), (low, low), (high, high))]
        met = [_followed(fields, way, size) for way in ways]
        if met[0] is None or met[1] is None:
            continue
        below, above = (iv.sub(*one, *other) for one, other in zip(met[0][0], met[1][0], strict=True))
        reached = f"the splitting is in [{below[0]:.3g}, {below[1]:.3g}] at one end, [{above[0]:.3g}, {above[1]:.3g}]"
        reached += f" at the other of a bracket of width {high - low:.2g}"
        if below[1] < 0 < above[0] or above[1] < 0 < below[0]:
            return _proof((low, high), (below, above), met[0][1] + met[1][1], ways[0], fields[0], size)
    raise ConvergenceError(f"No homoclinic orbit could be proven: {reached}. {_HELP}")


@by_value
@dataclass(frozen=True)
class _Way:
    """A manifold to follow: sign of time, approximate saddle, directions along and across it, lines to cross."""

    sign: float
    saddle: Array
    frame: Array
    lines: tuple[sections.Line, sections.Line]


def _ways(cell: Cell) -> tuple[_Way, _Way]:
    """Both manifolds, by floats: what is proven does not rest on it."""
    saddle, focus, _, directions = saddle_of(cell)
    sides = [side for side, _ in branches(cell, saddle, focus, directions)]
    size = float(np.linalg.norm(focus - saddle))
    last = sections.Line(focus, (focus - saddle) / size)
    out, into = (
        _Way(sign, saddle, np.stack([side, other], 1), (_near(cell, saddle, side, sign, _NEAR * size), last))
        for sign, side, other in ((1.0, sides[0], sides[1]), (-1.0, sides[1], sides[0]))
    )
    return out, into


def _near(cell: Cell, saddle: Array, side: Array, sign: float, far: float) -> sections.Line:
    """A line across a manifold at a distance from the saddle, its origin off the manifold."""
    trail = np.empty((4_000, 2))
    count = flow.path(cell.code, cell.weights, cell.offsets, saddle + START * side, 0.1, sign, trail)
    where = np.flatnonzero(np.linalg.norm(trail[:count] - saddle, axis=1) > far)
    if not where.size:
        raise ConvergenceError(f"No homoclinic orbit could be proven: it is too close to its saddle. {_HELP}")
    here = trail[int(where[0])]
    speed = np.asarray(cell.step(here)) - here
    ray = np.array([-speed[1], speed[0]]) / np.linalg.norm(speed)
    return sections.Line(here - 10 * far * ray, ray)


def _field(gain: float, angle: float, bias_2: float, low: float, high: float) -> Array:
    """Bounds of (g R(theta) | b) for `taylor`: gain, angle, b_2 within a float of those given, b_1 in an interval."""
    context = type(mpmath.iv)()
    theta = context.mpf([iv.down(angle), iv.up(angle)])
    turn = [(iv.down(float(one.a)), iv.up(float(one.b))) for one in (context.cos(theta), context.sin(theta))]
    c, s = (iv.mul(iv.down(gain), iv.up(gain), *one) for one in turn)
    rows = [[c, (-s[1], -s[0]), (low, high)], [s, c, (iv.down(bias_2), iv.up(bias_2))]]
    return np.ascontiguousarray(np.moveaxis(np.array(rows), 2, 0))


def _start(field: Array, way: _Way, size: float) -> sections.Enclosure | None:
    """Where the manifold leaves the box at the saddle; None if no cone is found."""
    fine, steep, fixed, _ = saddles.cone(field, way.sign, way.saddle, way.frame, size)
    if not fine:
        return None
    frame = taylor.along(field, way.sign, way.saddle + size * way.frame[:, 0])
    middle, reach = saddles.departs(way.saddle, way.frame, size, steep, fixed, frame)
    return sections.Enclosure(middle, frame, reach)


def _followed(fields: list[Array], way: _Way, size: float) -> tuple[list[Interval], int] | None:
    """Where the manifold crosses the last line at both ends of the bracket, and the steps; None if that is not proven.

    `fields`: that of the whole bracket, in which both lines are crossed in one step each, and those of its ends.
    """
    starts = [_start(field, way, size) for field in fields]
    steps = 0
    for line in way.lines:
        if starts[0] is None:
            return None
        crossing = sections.first(fields[0], way.sign, starts[0], line)
        if crossing is None:
            return None
        steps += len(crossing.spans) + 1
        met: list[Interval] = []
        for field, start in zip(fields, starts, strict=True):
            where = None if start is None else sections.again(field, way.sign, start, line, crossing)
            if where is None:
                return None
            met.append(where)
        starts = [line.at(field, way.sign, where) for field, where in zip(fields, met, strict=True)]
    return met[1:], steps


def _proof(
    bias: Interval, splitting: tuple[Interval, Interval], steps: int, way: _Way, field: Array, size: float
) -> Proof:
    _, _, fixed, _ = saddles.cone(field, way.sign, way.saddle, way.frame, size)
    box, rates = saddles.resting(field, way.saddle, way.frame, fixed)
    out, into = ((float(low), float(high)) for low, high in rates.T)
    return Proof(bias, splitting, box, out, into, steps)
