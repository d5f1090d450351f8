"""Proofs that a cell has exactly one fixed point near a state: outward-rounded, so that no rounding can spoil them.

With C an approximate inverse of I - T'(h): if h - C (h - T(h)) moves the centre of a ball of radius r by eta, and
contracts by alpha on the ball, and eta + alpha r <= r, the ball holds exactly one fixed point, within
eta/(1 - alpha) of its centre. Balls are of the maximum norm. A tanh network is also proved by Newton's theorem in the
form of Kantorovich, whose ball needs no interval.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import intervals
from widelimit.numerics.cells import Cell, boxes
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.results import by_value
from widelimit.theory.dynamics import fixed as theory

Array = np.ndarray
_LARGEST = 0.5  # radius that is tried
_SURE = 1.0 + 1e-12  # what plain floats may lose in a few operations on bounds, many times over


@dataclass(frozen=True)
class Certificate:
    """Exactly one fixed point lies within `radius` of the state, and no other within `unique`."""

    radius: float
    unique: float


def certify(cell: Cell, h: Array) -> Certificate | None:
    """Return the proof for the fixed point next to h, or None where there is none."""
    bounds = Bounds.of(cell)
    slope = cell.rest(h)[1]
    try:
        inverse = np.linalg.inv(np.eye(cell.size) - slope)
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(inverse).all():
        return None
    inverse = np.ascontiguousarray(inverse)
    first = bounds.moved(h, inverse)
    if not first < _LARGEST:
        return None
    small = bounds.contraction(h, 2 * first + 1e-14, inverse)
    if not small < 0.5:  # alpha of the smallest ball: with eta <= r/2 less is needed
        return None
    best = Certificate(_radius(first, small), 2 * first + 1e-14)
    if cell.kind == "rnn":
        return _kantorovich(cell, first, small, inverse) or best
    return _widest(bounds, h, inverse, first, best)


def _widest(bounds: Bounds, h: Array, inverse: Array, first: float, best: Certificate) -> Certificate:
    """The same with a larger ball in which the fixed point is the only one, found by a few trials."""
    trial = max(1e-6, 100 * first)
    for _ in range(4):
        alpha = bounds.contraction(h, trial, inverse)
        if not first + alpha * trial * _SURE <= trial or alpha >= 1:
            trial /= 4
            if trial <= best.unique:
                break
            continue
        best = Certificate(min(best.radius, _radius(first, alpha)), trial)
        if alpha > 0.4:
            break
        trial = min(_LARGEST, trial * min(0.6 / max(alpha, 1e-9), 1e4))
        if trial <= best.unique:
            break
    return best


def _radius(first: float, alpha: float) -> float:
    """How far a contraction by alpha gets whose first step is `first`.

    >>> round(_radius(0.1, 0.5), 9)
    0.2
    """
    return float(_contraction().njit(first, alpha)) * _SURE


def _kantorovich(cell: Cell, first: float, alpha: float, inverse: Array) -> Certificate | None:
    """Newton's theorem for a tanh network; `alpha` bounds the defect of the inverse, on a small ball."""
    norm = float(np.abs(inverse).sum(1).max()) * _SURE
    rows = float(np.abs(cell.weights).sum(1).max()) * _SURE
    bend = float(_bend().njit(norm, rows)) * _SURE
    if not 2 * first * bend * _SURE < (1 - alpha) ** 2:
        return None
    return _theorem(first, alpha, bend)


def _theorem(first: float, defect: float, bend: float) -> Certificate:
    """Both radii of Newton's theorem.

    >>> found = _theorem(0.1, 0.05, 2.0)
    >>> round(found.radius, 9), round(found.unique, 9)
    (0.120563828, 0.829436172)
    """
    found, unique = _newton().njit(first, defect, bend)
    return Certificate(float(found) * _SURE, float(unique) / _SURE**2)


@by_value
@dataclass(frozen=True)
class Bounds:
    """Enclosures of one cell's resting map."""

    cell: Cell
    low: Array
    high: Array

    @classmethod
    def of(cls, cell: Cell) -> Bounds:
        """Enclose the constant part of the drives."""
        return cls(cell, *boxes.offsets(cell.input_weights, cell.biases, cell.inputs))

    def moved(self, h: Array, inverse: Array) -> float:
        """Return an upper bound of the maximum norm of C (h - T(h))."""
        return float(_moved(self.cell.code, self.cell.weights, self.low, self.high, h, inverse))

    def contraction(self, h: Array, radius: float, inverse: Array) -> float:
        """Return an upper bound of the norm of I - C (I - T') on the ball of so large a radius around h."""
        return float(_contracted(self.cell.code, self.cell.weights, self.low, self.high, h, radius, inverse))

    def memory(self, h: Array, radius: float) -> tuple[Array, Array]:
        """Return bounds of an LSTM's memory at rest over that ball."""
        low, high = np.empty(h.size), np.empty(h.size)
        below, above = np.nextafter(h - radius, -np.inf), np.nextafter(h + radius, np.inf)
        boxes.memory(self.cell.weights, self.low, self.high, below, above, low, high)
        return low, high


@njit(nogil=True, error_model="numpy")
def _moved(code, weights, off_low, off_high, h, inverse):
    d = h.size
    low, high, slope_low, slope_high = np.empty(d), np.empty(d), np.empty((d, d)), np.empty((d, d))
    boxes.rest(code, weights, off_low, off_high, h, h, low, high, slope_low, slope_high)
    for i in range(d):
        low[i], high[i] = intervals.sub(h[i], h[i], low[i], high[i])
    below, above = np.empty(d), np.empty(d)
    intervals.matvec(inverse, low, high, below, above)
    largest = 0.0
    for i in range(d):
        largest = max(largest, max(-below[i], above[i]))
    return largest


@njit(nogil=True, error_model="numpy")
def _contracted(code, weights, off_low, off_high, h, radius, inverse):
    d = h.size
    low, high, slope_low, slope_high = np.empty(d), np.empty(d), np.empty((d, d)), np.empty((d, d))
    below, above = np.empty((d, d)), np.empty((d, d))
    for i in range(d):
        low[i], high[i] = intervals.down(h[i] - radius), intervals.up(h[i] + radius)
    value_low, value_high = np.empty(d), np.empty(d)
    boxes.rest(code, weights, off_low, off_high, low, high, value_low, value_high, slope_low, slope_high)
    for i in range(d):
        for j in range(d):
            one = 1.0 if i == j else 0.0
            slope_low[i, j], slope_high[i, j] = intervals.sub(one, one, slope_low[i, j], slope_high[i, j])
    intervals.matmul(inverse, slope_low, slope_high, below, above)
    largest = 0.0
    for i in range(d):
        total = 0.0
        for j in range(d):
            one = 1.0 if i == j else 0.0
            from_low, from_high = intervals.sub(one, one, below[i, j], above[i, j])
            total = intervals.up(total + max(-from_low, from_high))
        largest = max(largest, total)
    return largest


@functools.cache
def _contraction() -> Compiled:
    return compile(theory.contraction_radius(), (theory.STEP, theory.CONTRACTION), name="contraction_radius")


@functools.cache
def _bend() -> Compiled:
    return compile(theory.tanh_bend(), (theory.INVERSE, theory.ROWS), name="tanh_bend")


@functools.cache
def _newton() -> Compiled:
    radii: list[Any] = [theory.existence_radius(), theory.uniqueness_radius()]
    return compile(radii, (theory.STEP, theory.DEFECT, theory.BENT), name="newton_radii")
