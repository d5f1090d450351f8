"""Where trajectories cross a line, proven: enclosures are followed to it, and what they are across it is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from widelimit.numerics import intervals as iv
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.orbits import taylor
from widelimit.numerics.results import by_value

Array = np.ndarray
add, sub, mul, scale, div, up = iv.add, iv.sub, iv.mul, iv.scale, iv.div, iv.up
_FIRST, _LONGEST, _LEAST = 0.25, 0.5, 1e-5
_REST = 1e-17  # of a step's remainder: below what rounding adds
_STEPS = 4_000
_NARROWED = 3  # times the way to the section is bounded by the velocities on it
_EVEN = 10.0  # the largest ratio of speeds across it during the step that crosses


@by_value
@dataclass(frozen=True)
class Enclosure:
    """A parallelogram: all `middle` + `frame` r with |r_i| <= `reach_i`."""

    middle: Array
    frame: Array
    reach: Array


@by_value
@dataclass(frozen=True)
class Line:
    """The line through `origin` along `ray`, floats; the half of it on which `ray` points is the section."""

    origin: Array
    ray: Array

    @property
    def across(self) -> Array:
        """The normal: exactly orthogonal to `ray`, also in floats."""
        return np.array([-self.ray[1], self.ray[0]])

    def at(self, field: Array, sign: float, where: tuple[float, float]) -> Enclosure:
        """Return the enclosure of a piece of the line, `where` along it: a start that rounding has not smeared."""
        middle = self.origin + 0.5 * (where[0] + where[1]) * self.ray
        frame = taylor.along(field, sign, middle)
        off = []
        for start, slope, end in zip(self.origin, self.ray, middle, strict=True):
            moved = add(*sub(start, start, end, end), *scale(slope, *where))
            off.append((float(moved[0]), float(moved[1])))
        part = np.abs(taylor.turned(frame, *off))
        return Enclosure(middle, frame, part.max(0))


@by_value
@dataclass(frozen=True)
class Crossing:
    """How a crossing was found: the steps before it, the step in which it happens, and the box held during it."""

    spans: tuple[float, ...]
    last: float
    held: Array


@njit(nogil=True, error_model="numpy")
def _offset(direction, origin, middle):
    """Enclose direction . (middle - origin)."""
    low, high = 0.0, 0.0
    for i in range(2):
        p, q = sub(middle[i], middle[i], origin[i], origin[i])
        p, q = scale(direction[i], p, q)
        low, high = add(low, high, p, q)
    return low, high


@njit(nogil=True, error_model="numpy")
def _along(first, low, high, second, origin, middle, frame, reach):
    """Enclose (first - k second) . (x - origin) over a parallelogram, for all k of an interval.

    The directions are floats, each multiplied on its own, so that k meets small numbers alone.
    """
    below, above = _offset(first, origin, middle)
    p, q = _offset(second, origin, middle)
    p, q = mul(low, high, p, q)
    below, above = sub(below, above, p, q)
    for j in range(2):
        one, two = (0.0, 0.0), (0.0, 0.0)
        for i in range(2):
            p, q = scale(frame[i, j], first[i], first[i])
            one = add(one[0], one[1], p, q)
            p, q = scale(frame[i, j], second[i], second[i])
            two = add(two[0], two[1], p, q)
        p, q = mul(low, high, two[0], two[1])
        p, q = sub(one[0], one[1], p, q)
        p, q = mul(p, q, -reach[j], reach[j])
        below, above = add(below, above, p, q)
    return below, above


@njit(nogil=True, error_model="numpy")
def _speed(velocity, direction):
    low, high = 0.0, 0.0
    for i in range(2):
        p, q = scale(direction[i], velocity[0, i], velocity[1, i])
        low, high = add(low, high, p, q)
    return low, high


@njit(nogil=True, error_model="numpy")
def _position(field, sign, held, origin, ray, across, middle, frame, reach):
    """Enclose ray . (x - origin) at the crossing; trajectories cross while they are in `held`."""
    start = taylor.hull(middle, frame, reach)
    velocity = taylor.velocity(field, sign, held)
    box = np.empty((2, 2))
    off = _along(across, 0.0, 0.0, ray, origin, middle, frame, reach)
    for _ in range(_NARROWED):
        low, high = _speed(velocity, across)
        low, high = div(off[0], off[1], low, high)
        time = max(abs(low), abs(high))  # until the crossing, or since
        for i in range(2):
            low, high = mul(-time, time, velocity[0, i], velocity[1, i])
            box[0, i], box[1, i] = add(start[0, i], start[1, i], low, high)
        velocity = taylor.velocity(field, sign, box)
    one, other = _speed(velocity, ray), _speed(velocity, across)
    low, high = div(one[0], one[1], other[0], other[1])
    return _along(ray, low, high, across, origin, middle, frame, reach)


def _side(line: Line, here: Enclosure) -> tuple[float, float]:
    low, high = _along(line.across, 0.0, 0.0, line.ray, line.origin, here.middle, here.frame, here.reach)
    return float(low), float(high)


def _step(field: Array, sign: float, here: Enclosure, span: float) -> tuple[Enclosure, Array, float] | None:
    fine, held, rest, *new = taylor.moved(field, sign, here.middle, here.frame, here.reach, span)
    return (Enclosure(*new), held, float(rest)) if fine else None


def first(field: Array, sign: float, start: Enclosure, line: Line) -> Crossing | None:
    """Return how all trajectories from an enclosure first cross the section together, None if that is not proven."""
    here, h, longest = start, _FIRST, _LONGEST
    spans: list[float] = []
    while len(spans) < _STEPS and h > _LEAST:
        taken = _step(field, sign, here, h)
        if taken is None or taken[2] > _REST:
            h *= 0.75
            longest = h if taken is None else longest
            continue
        there, _, rest = taken
        crossing = _crossed(field, sign, here, there, line, tuple(spans), h)
        if crossing is not None:
            return crossing
        before, after = _side(line, here), _side(line, there)
        ahead = min((one.middle - line.origin) @ line.ray for one in (here, there)) > 0
        if after[0] <= 0 <= after[1] or (ahead and before[0] * after[0] < 0):
            h *= 0.75  # no step ends on the line, and none passes the section unproven
            continue
        here = there
        spans.append(h)
        h = min(1.5 * h, longest) if rest < 0.01 * _REST else h
    return None


def _crossed(
    field: Array,
    sign: float,
    here: Enclosure,
    there: Enclosure,
    line: Line,
    spans: tuple[float, ...],
    h: float,
) -> Crossing | None:
    """The crossing of the section by a step, or by one that is longer by what the enclosure is long; None if none."""
    before, after = _side(line, here), _side(line, there)
    if before[0] * after[0] > 0 and before[1] * after[1] > 0:
        return None
    if min((one.middle - line.origin) @ line.ray for one in (here, there)) <= 0:
        return None
    span = h
    if after[0] <= 0 <= after[1]:
        speed = taylor.velocity(field, sign, np.stack([there.middle] * 2)).mean(0) @ line.across
        span += 1.2 * (after[1] - after[0]) / max(abs(float(speed)), 1e-300)
    taken = _step(field, sign, here, span) if span <= 2 * h else None
    if taken is None:
        return None
    after = _side(line, taken[0])
    low, high = _speed(taylor.velocity(field, sign, taken[1]), line.across)
    even = (low > 0 and high < _EVEN * low) or (high < 0 and low > _EVEN * high)
    passed = before[1] < 0 < after[0] or after[1] < 0 < before[0]
    return Crossing(spans, span, taken[1]) if even and passed else None


def again(
    field: Array, sign: float, start: Enclosure, line: Line, crossing: Crossing
) -> tuple[float, float] | None:
    """Return where a narrower field and start cross the section in the same step: an interval along `ray`."""
    here = start
    for span in crossing.spans:
        taken = _step(field, sign, here, span)
        if taken is None:
            return None
        here = taken[0]
    time, near = 0.0, here
    for _ in range(8):
        off = float((near.middle - line.origin) @ line.across)
        velocity = taylor.velocity(field, sign, np.stack([near.middle] * 2)).mean(0)
        time -= off / float(velocity @ line.across)
        taken = _step(field, sign, here, time) if 0 < time < crossing.last else None
        if taken is None:
            return None
        near = taken[0]
        if abs(off) < 1e-14:
            break
    low, high = _position(
        field,
        sign,
        crossing.held,
        line.origin,
        line.ray,
        line.across,
        near.middle,
        near.frame,
        near.reach,
    )
    return (float(low), float(high)) if np.isfinite(low) and np.isfinite(high) else None
