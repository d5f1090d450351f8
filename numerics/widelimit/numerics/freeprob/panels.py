"""Integrals of a density over an interval of support: Gauss-Legendre panels in a variable that tames the edges.

    both ends finite    y = low + (high - low) sin(t/2)^2, 0 < t < pi: square-root edges become analytic
    low end at -oo      y = high - t^2, t > 0: an edge at zero in log coordinates, with panels that double
    ... with a knee     y = knee + (high - knee) cos(t/2)^2 down to the knee, y = knee - (t - pi)^2 below: what is
                        nearly a square-root edge above a faint tail, as that of deep networks, becomes nearly analytic

Panels are split until the Legendre coefficients of density * dy/dvariable have decayed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ConvergenceError

ORDER = 20
TOLERANCE = 2e-14  # of mass, for a panel
MOST = 150  # panels of one stretch
_UNSEEN = 64 * float(np.finfo(float).eps)  # distance of y from an end, relative to y


@lru_cache(maxsize=1)
def _rule() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    nodes, weights = legendre.leggauss(ORDER)
    vandermonde = legendre.legvander(nodes, ORDER - 1)
    to_coefficients = (vandermonde * weights[:, None]).T * (np.arange(ORDER) + 0.5)[:, None]
    return nodes, weights, to_coefficients


@dataclass(frozen=True)
class Interval:
    """An interval of the coordinate on which the density is positive; `knee` as in the module, -oo for none."""

    low: float
    high: float
    knee: float = -np.inf
    unit: float = 1.0  # rounding of y is that of this, where y is smaller

    def to_coordinate(self, t: np.ndarray) -> np.ndarray:
        """Return y."""
        if self.bent:
            body = self.knee + (self.high - self.knee) * np.cos(t / 2) ** 2
            return np.where(t < np.pi, body, self.knee - (t - np.pi) ** 2)
        if self.decreasing:
            return self.high - t * t
        return self.low + (self.high - self.low) * np.sin(t / 2) ** 2

    def speed(self, t: np.ndarray) -> np.ndarray:
        """Return |dy/dt|."""
        if self.bent:
            return np.where(t < np.pi, 0.5 * (self.high - self.knee) * np.sin(t), 2 * (t - np.pi))
        if self.decreasing:
            return 2 * t
        return 0.5 * (self.high - self.low) * np.sin(t)

    def to_variable(self, y: np.ndarray) -> np.ndarray:
        """Return the variable t of y."""
        if self.bent:
            share = np.clip((self.high - y) / (self.high - self.knee), 0.0, 1.0)
            return np.where(
                y > self.knee, 2 * np.arcsin(np.sqrt(share)), np.pi + np.sqrt(np.maximum(self.knee - y, 0.0))
            )
        if self.decreasing:
            return np.sqrt(np.maximum(self.high - y, 0.0))
        return 2 * np.arcsin(np.sqrt(np.clip((y - self.low) / (self.high - self.low), 0.0, 1.0)))

    def clear(self, t: np.ndarray) -> np.ndarray:
        """Return t kept so far from square-root ends that rounding of y does not hide the distance to the end."""
        high = np.sqrt(_UNSEEN * max(self.unit, abs(self.high)))
        if self.bent:
            return np.maximum(t, 2 * high / np.sqrt(self.high - self.knee))
        if self.decreasing:
            return np.maximum(t, high)
        low, width = (
            np.sqrt(_UNSEEN * max(self.unit, abs(self.low))),
            np.sqrt(max(self.high - self.low, 1e-300)),
        )
        return np.clip(t, min(2 * low / width, 0.1), np.pi - min(2 * high / width, 0.1))

    def body(self) -> list[tuple[float, float]]:
        """Panels above the knee to begin with: they double from 0.7 in sqrt(high - y) and from 1 in sqrt(y - knee)."""
        unit = 2.0 / np.sqrt(self.high - self.knee)  # of t, for a unit of either root
        cuts = [0.0, np.pi]
        for first, origin, sign in ((0.7 * unit, 0.0, 1.0), (unit, np.pi, -1.0)):
            cuts += [origin + sign * first * 2.0**k for k in range(60) if first * 2.0**k < 0.55 * np.pi]
        cuts = sorted(cuts)
        cuts = [a for a, b in itertools.pairwise([*cuts, np.inf]) if b - a > 0.3 * unit]
        return list(itertools.pairwise(cuts))

    def whole(self) -> list[tuple[float, float]]:
        """Panels of an interval with two ends to begin with: quarters, that halve towards a lower end next to zero."""
        cuts = [0.0, *(k * np.pi / 4 for k in range(1, 5))]
        if self.unit == 0.0 and 0.0 < self.low < 1e-4 * self.high:
            steps = int(np.log2(np.pi / 4 / np.sqrt(self.low / self.high))) + 1
            cuts += [np.pi / 4 * 0.5**k for k in range(1, steps)]
        return list(itertools.pairwise(sorted(cuts)))

    @property
    def decreasing(self) -> bool:
        """Whether y falls as t grows."""
        return bool(np.isinf(self.low))

    @property
    def bent(self) -> bool:
        """Whether there is a knee."""
        return self.decreasing and bool(np.isfinite(self.knee))


@by_value
@dataclass(frozen=True)
class Panels:
    """The panels of one interval in increasing t: edges in t, Legendre coefficients of density dy/dt, and the nodes."""

    interval: Interval
    edges: np.ndarray
    coefficients: np.ndarray
    coordinate: np.ndarray
    density: np.ndarray
    weights: np.ndarray
    states: np.ndarray
    error: float

    @property
    def mass(self) -> float:
        """Integral of the density."""
        return float(self.density @ self.weights)

    def cumulative(self, t: np.ndarray) -> np.ndarray:
        """Mass between the start of the variable and t."""
        index = np.clip(np.searchsorted(self.edges, t, side="right") - 1, 0, self.edges.size - 2)
        half = 0.5 * np.diff(self.edges)
        full = 2 * half * self.coefficients[:, 0]
        before = np.concatenate(([0.0], np.cumsum(full)))[index]
        u = np.clip((t - self.edges[index]) / half[index] - 1.0, -1.0, 1.0)
        values = legendre.legvander(u, ORDER)
        orders = np.arange(1, ORDER)  # integral of P_n from -1 is (P_{n+1} - P_{n-1})/(2n + 1)
        inside = self.coefficients[index, 0] * (u + 1) + np.einsum(
            "ij,ij->i", self.coefficients[index, 1:], (values[:, 2:] - values[:, :-2]) / (2 * orders + 1)
        )
        return before + half[index] * inside

    def below(self, y: np.ndarray) -> np.ndarray:
        """Mass of this interval below y."""
        part = self.cumulative(self.interval.to_variable(y))
        result = self.mass - part if self.interval.decreasing else part
        return np.clip(
            np.where(y >= self.interval.high, self.mass, np.where(y <= self.interval.low, 0.0, result)),
            0,
            None,
        )

    def invert(self, mass: np.ndarray) -> np.ndarray:
        """Return the y below which this interval holds `mass`."""
        goal = self.mass - mass if self.interval.decreasing else mass
        low, high = np.full(goal.shape, self.edges[0]), np.full(goal.shape, self.edges[-1])
        for _ in range(60):
            middle = 0.5 * (low + high)
            less = self.cumulative(middle) < goal
            low, high = np.where(less, middle, low), np.where(less, high, middle)
        return self.interval.to_coordinate(0.5 * (low + high))


Solver = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
Remaining = Callable[[np.ndarray], np.ndarray]


def integrate(
    interval: Interval,
    solve: Solver,
    expected: float | None = None,
    tolerance: float = TOLERANCE,
    remaining: Remaining | None = None,
) -> Panels:
    """Cover an interval by panels; `solve(y)` returns density and states. `expected`: the mass where it is known.

    `remaining(states)`: the mass of the interval below each state, where a formula tells. It ends a low tail at the
    right place: further down a density is rounding, which over a long enough stretch would add up.
    """
    if not interval.decreasing:
        kept, error = _refine(interval.whole(), interval, solve, tolerance)
        return _assembled(interval, kept, error)
    begin, body = (np.pi, interval.body()) if interval.bent else (0.0, [])
    far = 2.8
    first = [(begin, begin + 0.7), (begin + 0.7, begin + 1.4), (begin + 1.4, begin + far)]
    kept, error = _refine([*body, *first], interval, solve, tolerance)
    last = kept
    growth = 2.0
    while far < 1e8:
        mass, outer = (sum(float(p.density @ p.weights) for p in group) for group in (kept, last))
        missing = outer if expected is None else abs(expected - mass)
        if (outer < 1e-15 and missing < 1e-3) or missing < 2e-15:
            break
        if remaining is not None:
            end = kept[-1]
            falling = float(end.density[-1] * (interval.high - end.coordinate[-1]))
            below = abs(float(remaining(end.states[:, -1:])[0]))
            if below < 1e-3:  # next to rounding the density tells better; far above the tail it tells nothing
                below = min(below, falling)
            if below < 0.1 * tolerance:
                break
            growth = min(growth, 2.0 if below > 1e-5 else 1.25)
        try:
            more, worst = _refine([(begin + far, begin + growth * far)], interval, solve, tolerance)
        except ConvergenceError:
            if growth > 1.05:
                growth = growth**0.5
                continue
            if missing > max(1e-8, 1e3 * tolerance):
                raise
            break  # nothing is left this far down, and the transform has lost its digits
        if _is_rounding(more):
            break
        kept += more
        last = more
        error = max(error, worst)
        far *= growth
    return _assembled(interval, kept, error)


def _is_rounding(stretch: Sequence[_Panel]) -> bool:
    """Whether a density no longer falls, far below the rounding of the transform that it is the imaginary part of."""
    level = max(float(p.density.max()) for p in stretch)
    return 0.0 < level < 1e-17 and min(float(p.density.min()) for p in stretch) > 0.3 * level


class _Panel(NamedTuple):
    left: float
    right: float
    coefficients: np.ndarray
    coordinate: np.ndarray
    density: np.ndarray
    weights: np.ndarray
    states: np.ndarray


def _refine(
    pending: list[tuple[float, float]], interval: Interval, solve: Solver, tolerance: float, depth: int = 30
) -> tuple[list[_Panel], float]:
    """Split panels until their Legendre coefficients have decayed; returns them in order, and the largest remainder."""
    nodes, weights, to_coefficients = _rule()
    kept: list[_Panel] = []
    error = 0.0
    before = [np.inf] * len(pending)  # remainders of the parents: a split that gains nothing meets rounding
    for level in range(depth + 1):
        if not pending:
            break
        left, right = np.array(pending).T
        half = 0.5 * (right - left)
        t = 0.5 * (left + right)[:, None] + half[:, None] * nodes
        seen = interval.clear(t)
        y, speed = interval.to_coordinate(seen), interval.speed(seen)
        density, states = solve(y.ravel())
        density = density.reshape(t.shape)
        states = states.reshape(states.shape[0], *t.shape)
        values = density * speed
        coefficients = values @ to_coefficients.T
        remainder = np.abs(coefficients[:, -3:]).max(axis=1) * half
        allowed = np.maximum(tolerance, 4e-16 * np.abs(values).max(axis=1) * half)
        parents, pending, before = before, [], []
        for i in range(left.size):
            room = level < depth and len(kept) + len(pending) < MOST
            if (
                room
                and remainder[i] > allowed[i]
                and (remainder[i] < 0.8 * parents[i] or remainder[i] > max(2e-10, 100 * tolerance))
            ):
                middle = 0.5 * (left[i] + right[i])
                pending += [(left[i], middle), (middle, right[i])]
                before += [remainder[i]] * 2
            else:
                kept.append(
                    _Panel(
                        left[i],
                        right[i],
                        coefficients[i],
                        y[i],
                        density[i],
                        half[i] * weights * speed[i],
                        states[:, i],
                    )
                )
                error = max(error, float(remainder[i]))
    return sorted(kept, key=lambda p: p.left), error


def _assembled(interval: Interval, kept: list[_Panel], error: float) -> Panels:
    return Panels(
        interval,
        np.array([kept[0].left, *(p.right for p in kept)]),
        np.array([p.coefficients for p in kept]),
        np.concatenate([p.coordinate for p in kept]),
        np.concatenate([p.density for p in kept]),
        np.concatenate([p.weights for p in kept]),
        np.concatenate([p.states for p in kept], axis=1),
        error,
    )
