"""Edges of the support where no formula tells them: from the density on the physical branch, by scan and bisection."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from widelimit.numerics.freeprob.continuation import Branch
from widelimit.theory.errors import ConvergenceError

_TOUCH = 0.02  # of the median density: a dip that falls below this touches zero
_BLIND = 1e-6  # of the width of the support: so near to a cusp floats do not tell its density


def detect_intervals(
    branch: Branch,
    tail: Callable[[np.ndarray], np.ndarray] | None,
    centre: float,
    zero: float,
    hard: bool | None,
    floor: float = 1e-11,
) -> list[tuple[float, float]]:
    """Intervals on which the physical branch has positive density, from a scan and bisection."""
    high, low = branch.reach, centre - 1.0
    while low > centre - (
        1e7 if tail is not None else 2e3
    ):  # down to where nothing is left below, or to where the transform has lost its digits
        try:
            states, _ = branch.descend(np.array([low]))
        except ConvergenceError:
            low = centre - 0.5 * (centre - low)
            break
        if tail is not None:
            empty = 1.0 - zero - tail(states)[0] < 1e-12
        else:
            empty = -branch.system.transform(states).imag[0] / np.pi < floor
        if empty:
            break
        low = centre - 2 * (centre - low)
    grid = np.unique(
        np.concatenate((high - (high - low) * np.linspace(0, 1, 201) ** 2, np.linspace(low, high, 160)))
    )
    positive = _density(branch, grid) > floor
    changes = np.flatnonzero(positive[1:] != positive[:-1])
    edges = [_edge(branch, grid[i], grid[i + 1], bool(positive[i]), floor) for i in changes]
    if hard or (hard is None and positive[0]):
        if positive[0]:
            edges = [-np.inf, *edges]
        elif edges:
            edges[0] = -np.inf
    elif positive[0]:
        edges = [low, *edges]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _density(branch: Branch, y: np.ndarray, lost: float = 0.0) -> np.ndarray:
    """The density at y, `lost` where the branch could not be followed."""
    states, _ = branch.descend(y, strict=False)
    return np.nan_to_num(-branch.system.transform(states).imag / np.pi, nan=lost)


def _edge(branch: Branch, left: float, right: float, falling: bool, floor: float) -> float:
    """Multisection of a bracket, then the zero of density^2, which is linear at a square-root edge."""
    whole = right - left
    for _ in range(12):
        points = np.linspace(left, right, 10)
        positive = _density(branch, points[1:-1]) > floor
        flags = np.concatenate(([falling], positive, [not falling]))
        k = int(np.flatnonzero(flags[1:] != flags[:-1])[0])
        left, right = points[k], points[k + 1]
        if right - left < 1e-9 * max(whole, 1e-3):
            break
    edge = 0.5 * (left + right)
    sign = -1.0 if falling else 1.0
    near = edge + sign * 1e-7 * np.array([1.0, 2.0])
    first, second = _density(branch, near) ** 2
    ratio = second / max(first, 1e-300)
    if ratio < 1 / 1.5:  # an inverse square root
        first, second, ratio = 1 / first, 1 / second, 1 / ratio
    if 1.5 < ratio < 2.5:
        edge = float(near[0] - first * (near[1] - near[0]) / (second - first))
    return float(edge)


def line_intervals(branch: Branch, low: float, high: float) -> list[tuple[float, float]]:
    """Subintervals of (low, high) with positive density, cut where it touches zero."""
    floor = 1e-9 / (high - low)
    grid = low + (high - low) * np.sin(np.pi / 2 * np.linspace(0, 1, 402)[1:-1]) ** 2
    density = _density(branch, grid)
    touch = _TOUCH * float(np.median(density[density > floor])) if (density > floor).any() else 0.0
    deep = [
        (x, value)
        for x, value in (
            _dip(branch, *grid[i - 1 : i + 2]) for i in _minima(np.where(density > floor, density, 0.0))
        )
        if value < touch
    ]
    places = np.concatenate((grid, [x for x, _ in deep]))
    order = np.argsort(places)
    places, positive = places[order], (np.concatenate((density, [value for _, value in deep])) > floor)[order]
    changes = np.flatnonzero(positive[1:] != positive[:-1])
    edges = [_edge(branch, places[i], places[i + 1], bool(positive[i]), floor) for i in changes]
    edges = ([low] if positive[0] else []) + edges + ([high] if positive[-1] else [])
    cusps = [x for x, value in deep if value > floor]
    edges += [x + side * _BLIND * (high - low) for x in cusps for side in (-1, 1)]
    edges.sort()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _minima(density: np.ndarray) -> np.ndarray:
    """Indices of inner local minima."""
    inner = density[1:-1]
    return 1 + np.flatnonzero((inner > 0) & (inner <= density[:-2]) & (inner <= density[2:]))


def _dip(branch: Branch, left: float, middle: float, right: float) -> tuple[float, float]:
    """The place and the value of the smallest density between two points."""
    place, lowest = middle, np.inf
    for _ in range(8):
        points = np.linspace(left, right, 14)[1:-1]  # never the middle, where symmetry may hide the branch
        values = _density(branch, points, lost=np.inf)
        k = int(np.argmin(values))
        if values[k] > 0.99 * lowest:  # the bottom, or as near to it as floats come
            break
        place, lowest = float(points[k]), float(values[k])
        step = points[1] - points[0]
        left, right = place - step, place + step
        if lowest == 0.0:
            break
    return place, lowest
