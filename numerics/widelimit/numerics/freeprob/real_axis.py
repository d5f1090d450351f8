"""What real values of the unknown tell about a user's transform: atoms, edges of the support, gaps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from widelimit.numerics.freeprob.continuation import Branch, track
from widelimit.numerics.freeprob.curves import Curve
from widelimit.theory.errors import ConvergenceError, DomainError


def zero_mass(curve: Curve) -> float:
    """At z -> 0- t rises to -a/(1 - a), where t/S vanishes: follow t up from -oo while |z| falls."""
    points = -np.geomspace(1e8, 1e-14, 800)
    value, slope = curve.real(points)
    bad = ~np.isfinite(value) | ~(slope.real > 0)
    if not bad.any():
        return 0.0
    first = int(np.argmax(bad))
    if first == 0:
        raise DomainError("The S-transform belongs to no law: z(m) does not rise along the negative axis.")
    inside, outside = points[first - 1], points[first]
    for _ in range(200):
        middle = 0.5 * (inside + outside)
        if middle in (inside, outside):
            break
        value, slope = curve.real(np.array([middle]))
        if np.isfinite(value[0]) and slope[0].real > 0:
            inside = middle
        else:
            outside = middle
    mass = inside / (inside - 1.0)
    return float(mass) if mass > 1e-12 else 0.0


def positive_atoms(curve: Curve, branch: Callable[[], Branch]) -> list[tuple[float, float]]:
    """At an atom m is infinite, t = 1, and log z = log x + a (t - 1) + ... on both sides.

    Both sides may be on any sheet; where there are several, `branch` has to pass next to the atom.
    """
    h = np.array([2e-3, 1e-3, 5e-4])
    sides = [[curve.real(1.0 + sign * h, sheet)[0] for sheet in curve.sheets] for sign in (-1, 1)]
    atoms: list[tuple[float, float]] = []
    for below, above in itertools.product(*sides):
        both = np.concatenate((below, above))
        if not np.isfinite(both).all() or np.abs(np.exp(1j * both.imag) - 1).max() > 1e-9:
            continue
        mass, location = _limits((above - below).real / (2 * h), (above + below).real / 2)
        if mass is None or any(abs(location - x) < 1e-9 for x, _ in atoms):
            continue
        if curve.roots and not _passes(branch(), location, mass):
            continue
        atoms.append((location, mass))
    return atoms


def _limits(slopes: np.ndarray, middles: np.ndarray) -> tuple[float | None, float]:
    """Mass and location of an atom, extrapolated from h, h/2 and h/4; no mass where none is seen."""
    seen = abs(slopes[2] - slopes[1]) < 1e-3
    for factor in (4, 16):  # both are even in h
        slopes, middles = ((factor * v[1:] - v[:-1]) / (factor - 1) for v in (slopes, middles))
    mass = float(slopes[0])
    return (min(mass, 1.0) if seen and 1e-9 < mass <= 1 + 1e-9 else None), float(middles[0])


def _passes(branch: Branch, location: float, mass: float) -> bool:
    """Whether the branch itself has t - 1 = (log z - location)/mass above the atom."""
    begin, away = np.array([location + branch.height * 1j]), 1e-3j * mass
    try:
        state, done = track(branch.system, branch.above(begin.real), begin, np.array([location + away]))
    except ConvergenceError:
        return False
    return bool(done[0] == 1.0) and abs(np.expm1(state[0, 0]) * mass / away - 1) < 0.05


def s_intervals(curve: Curve, branch: Branch) -> list[tuple[float, float]]:
    """Complement of the images of the segments of real t on which z is positive and rises with t.

    Only segments that lie on the physical branch count (a transform may have others).
    """

    def good(points: np.ndarray, sheet: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        value, slope = curve.real(points, sheet)
        with np.errstate(invalid="ignore"):
            rises = slope.real * np.sign(points) > 0
            return value.real, np.isfinite(value) & (np.abs(np.exp(1j * value.imag) - 1) < 1e-9) & rises

    forbidden = []
    grid = np.concatenate((np.geomspace(1e-30, 0.5, 300), 1 - np.geomspace(0.5, 1e-12, 240)[1:]))
    negative = -np.geomspace(1e6, 1e-30, 900)
    segments = []
    places = ((negative, False), (grid, False), (1 + np.geomspace(1e-12, 1e12, 480), True))
    for sheet, (points, outer) in itertools.product(curve.sheets, places):
        value, fine = good(points, sheet)
        runs = np.flatnonzero(np.diff(np.concatenate(([False], fine, [False])).astype(int)))
        segments += [
            (points, value, outer, first, last, sheet)
            for first, last in zip(runs[::2], runs[1::2] - 1, strict=True)
        ]
    on_branch = _on_branch(branch, [(p[a : b + 1], v[a : b + 1], sheet) for p, v, _, a, b, sheet in segments])
    for (points, value, outer, first, last, sheet), physical in zip(segments, on_branch, strict=True):
        if physical:
            ends = not any(sheet)  # z reaches zero and infinity on the first sheet
            bottom = -np.inf if ends and points is grid and first == 0 else value[first]
            top = np.inf if ends and outer and last == points.size - 1 else value[last]
            if first:
                bottom = _turn(partial(good, sheet=sheet), points[first - 1], points[first])
            if ends and points is negative:  # next to where z leaves zero
                bottom = -np.inf if bottom < value[last] - 25.0 else bottom
            if last < points.size - 1:
                top = _turn(partial(good, sheet=sheet), points[last + 1], points[last])
            forbidden.append((bottom, top))
    intervals, begin = [], -np.inf
    hole = 1e-6 if curve.roots else 1e-9  # on other sheets gaps pass through t = 0 and infinity
    for low, high in sorted(forbidden):
        if low > begin + hole * max(1.0, abs(low)):
            intervals.append((begin, low))
        begin = max(begin, high)
    if not np.isinf(begin):
        raise ConvergenceError("No upper edge was found on the real axis.")
    return [interval for interval in intervals if np.isfinite(interval[1])]


def _on_branch(
    branch: Branch, segments: Sequence[tuple[np.ndarray, np.ndarray, Sequence[int]]]
) -> list[bool]:
    """Whether the physical branch takes these real t at these log z, segment by segment, at three points of each."""
    picks = []
    if not segments:
        return []
    for _, value, _ in segments:
        inside = np.flatnonzero((value < branch.reach) & (value > branch.reach - 500.0))
        near = inside[value[inside] > branch.reach - 50.0]
        inside = near if near.size else inside
        picks.append(
            inside[[inside.size // 4, inside.size // 2, (3 * inside.size) // 4]] if inside.size else inside
        )
    values = np.concatenate([value[pick] for (_, value, _), pick in zip(segments, picks, strict=True)])
    taken = np.exp(branch.descend(values, strict=False)[0][0]) if values.size else values
    found, begin = [], 0
    for (points, _, sheet), pick in zip(segments, picks, strict=True):
        t = points[pick]
        near = np.abs(taken[begin : begin + t.size] - t) < 1e-6 * np.abs(t)
        found.append(
            bool(near.sum() > (0 if sheet else 1)) if t.size else bool(points[-1] > 1e11 and not any(sheet))
        )
        begin += t.size
    return found


def _turn(good: Callable, outside: float, inside: float) -> float:
    """Value at the end of a run, between a point outside it and one inside, cut into 32 parts at a time."""
    for _ in range(40):
        points = np.linspace(outside, inside, 33)[1:-1]
        fine = good(points)[1]
        first = int(np.argmax(fine)) if fine.any() else points.size
        closer = (points[first - 1] if first else outside, points[first] if fine.any() else inside)
        if closer == (outside, inside) or closer[0] == closer[1]:
            break
        outside, inside = closer
    return float(good(np.array([inside]))[0][0])


def line_atom(curve: Curve, deviation: float) -> list[tuple[float, float]]:
    """At an atom omega = 0 and z = x + a omega + ... on both sides."""
    h = deviation * np.array([2e-3, 1e-3, 5e-4])
    below, above = (curve.real(sign * h)[0] for sign in (-1, 1))
    both = np.concatenate((below, above))
    if not np.isfinite(both).all() or np.abs(both.imag).max() > 1e-9 * deviation:
        return []
    mass, location = _limits((above - below).real / (2 * h), (above + below).real / 2)
    return [] if mass is None else [(location, mass)]


def outer_edge(curve: Curve, deviation: float, sign: float, mean: float) -> float:
    """First point, coming from infinity on one side, where z(omega) turns back."""
    points = sign * deviation * np.geomspace(1e8, 1e-10, 900)
    value, slope = curve.real(points)
    with np.errstate(invalid="ignore"):
        bad = ~np.isfinite(value) | ~(slope.real > 0) | (np.abs(value.imag) > 1e-9 * np.abs(value))
    if not bad.any():
        return float(value[-1].real)
    first = int(np.argmax(bad))

    def good(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        v, s = curve.real(point)
        return v.real, np.isfinite(v) & (s.real > 0)

    return _turn(good, points[first], points[first - 1]) if first else mean
