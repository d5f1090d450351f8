"""Rates averaged over noise, E phi(h + sqrt(D) z), for many (h, D): polynomials in h on panels, and in sqrt(D).

tables     polynomials for the D of all points, in few groups
averages   means over a period of h = m + R cos p of one point: sums over even steps of p, which are exponentially
           exact, or Gauss-Legendre on the panels that h passes
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev

from widelimit.numerics.coding.units import Unit
from widelimit.numerics.compile.cache import njit
from widelimit.theory.errors import ConvergenceError

Array = np.ndarray
_NODES, _ROWS = 16, 20  # of a polynomial in h, in sqrt(D)
_FITTED, _BETWEEN = 2e-14, 2e-13  # what is left of the series in h and in sqrt(D), of the largest value
_PANELS = 600
_SERIES = np.linalg.inv(chebyshev.chebvander(chebyshev.chebpts1(_NODES), _NODES - 1))
_LEGENDRE = np.polynomial.legendre.leggauss(_NODES)
_POWERS = np.array(
    [[*chebyshev.cheb2poly([0.0] * k + [1.0]), *[0.0] * (_NODES - 1 - k)] for k in range(_NODES)]
)
_COUNTS = (16, 24, 32, 48, 64, 96, 128)  # intervals of half a period, if not panels
_STEPS = 384  # a multiple of twice as many
_COSINES, _SINES = (
    np.cos(np.pi * np.arange(_STEPS + 1) / _STEPS),
    np.sin(np.pi * np.arange(_STEPS + 1) / _STEPS),
)


class Table(NamedTuple):
    """Polynomials on panels of h for some points: `weights` (points, rows) mix `powers` (rows, panels, degree + 1).

    Powers of the place on a panel, from -1 to 1. Chebyshev's coefficients fall by eight from each to the next, so that
    powers have their digits too.
    """

    places: Array
    edges: Array
    powers: Array
    weights: Array


def tables(neuron: Unit, variance: Array, reach: float) -> list[Table]:
    """Polynomials for the averages over each of the variances, at |h| up to `reach`."""
    own, back = np.unique(np.sqrt(variance), return_inverse=True)
    found, waiting = [], [np.arange(own.size)]
    while waiting:
        group = waiting.pop()
        one = _table(neuron, own[group], reach)
        if one is None:
            half = group.size // 2
            waiting += [group[:half], group[half:]]
            continue
        edges, series, weights = one
        places = np.flatnonzero((back >= group[0]) & (back <= group[-1]))
        found.append(Table(places, edges, series @ _POWERS, weights[back[places] - group[0]]))
    return found


def _table(neuron: Unit, deviation: Array, reach: float) -> tuple[Array, Array, Array] | None:
    """Panels and series for deviations in order; None where a polynomial between them does not do."""
    if deviation.size <= _ROWS:
        return *_panels(neuron, deviation, reach), np.eye(deviation.size)
    middle, half = (deviation[-1] + deviation[0]) / 2, (deviation[-1] - deviation[0]) / 2
    nodes = chebyshev.chebpts1(_ROWS)
    edges, series = _panels(neuron, middle + half * nodes, reach)
    back = np.linalg.inv(chebyshev.chebvander(nodes, _ROWS - 1))
    modes = np.abs(np.tensordot(back, series, 1))
    if modes[-2:].max() > _BETWEEN * modes.max():
        return None
    return edges, series, chebyshev.chebvander((deviation - middle) / half, _ROWS - 1) @ back


def _panels(neuron: Unit, deviation: Array, reach: float) -> tuple[Array, Array]:
    """Edges, and series of each deviation on each panel, halved where they have not converged."""
    edges = _edges(neuron, float(deviation[0]), reach)
    kept: list[tuple[float, Array]] = []
    low, high = edges[:-1], edges[1:]
    while low.size:
        if len(kept) + low.size > _PANELS:
            raise ConvergenceError(
                f"Averages of {neuron.phi.name} are not smooth enough to find what oscillates."
            )
        h = (low + high)[:, None] / 2 + (high - low)[:, None] / 2 * chebyshev.chebpts1(_NODES)
        shape = (deviation.size, *h.shape)
        at = np.broadcast_to(h, shape).reshape(-1)
        values = neuron.rates(at, np.repeat(deviation**2, h.size)).reshape(shape)
        series = values @ _SERIES.T
        left = np.abs(series[..., -2:]).max(axis=-1) > _FITTED * np.abs(values).max(axis=-1)
        tiny = high - low <= 1e-13 * np.maximum(np.abs(low), np.abs(high)) + 1e-300
        open_ = left.any(axis=0) & ~tiny
        kept += [(float(low[k]), series[:, k]) for k in np.flatnonzero(~open_)]
        low, high = low[open_], high[open_]
        between = (low + high) / 2
        low, high = np.concatenate([low, between]), np.concatenate([between, high])
    kept.sort(key=lambda one: one[0])
    return np.array([*(one[0] for one in kept), reach]), np.stack([one[1] for one in kept], axis=1)


def _edges(neuron: Unit, deviation: float, reach: float) -> Array:
    """Panels that double away from where the activation varies: between samples nothing hides."""
    found = {-reach, 0.0, reach}
    for centre, scale in neuron.spots():
        width = float(np.hypot(scale, deviation))
        steps = [0.0]
        while width > 0 and width < 2 * reach:
            steps.append(width)
            width *= 2
        found |= {centre + sign * step for step in steps for sign in (1, -1)}
    return np.array(sorted(edge for edge in found if abs(edge) <= reach))


@njit(nogil=True, error_model="numpy")
def intervals(edges: Array, r: float, m: float) -> int:
    """In how many intervals half a period of h = m + r cos p goes, 0 where panels are cheaper.

    A polynomial of this degree reaches its digits on a panel of width w where the function varies on 1.8 w: what is
    left of a sum over n intervals is exp(-2 n asinh(1.8 w/r)), 1e-8 here, and of twice as many its square.
    """
    width, count = np.inf, 0
    for i in range(edges.size - 1):
        if not ((edges[i] >= m + r and i > 0) or (edges[i + 1] <= m - r and i < edges.size - 2)):
            width = min(width, edges[i + 1] - edges[i])
            count += 1
    least = 9.2 / np.arcsinh(1.8 * width / r)
    for found in _COUNTS:
        if found >= least:
            return found if found <= 8 * count else 0
    return 0


@njit(nogil=True, error_model="numpy")
def finer(count: int) -> int:
    """Twice as many intervals, or panels."""
    return 2 * count if 2 * count <= _COUNTS[-1] else 0


@njit(nogil=True, error_model="numpy")
def averages(edges: Array, powers: Array, r: float, m: float, count: int, first: int, out: Array) -> None:
    """Fill `out` with means over a period of h = m + r cos p: f, 2 f cos p, f', 2 f' cos p, 2 f' cos^2 p, 2 f' sin^2 p.

    By the ends of `count` intervals of half a period (`first` = 0) or their middles (1); by panels where `count` is 0.
    """
    out[:] = 0.0
    if count == 0:
        _by_panels(edges, powers, r, m, out)
        return
    step = _STEPS // count
    i = edges.size - 2
    for j in range(first * (step // 2), _STEPS + 1, step):
        c, s = _COSINES[j], _SINES[j]
        h = m + r * c
        while i > 0 and h < edges[i]:
            i -= 1
        _add(edges[i], edges[i + 1], powers[i], h, c, s, (0.5 if j == 0 or j == _STEPS else 1.0) / count, out)


@njit(nogil=True, error_model="numpy")
def _by_panels(edges: Array, powers: Array, r: float, m: float, out: Array) -> None:
    for i in range(edges.size - 1):
        low, high = edges[i], edges[i + 1]
        if (low >= m + r and i > 0) or (high <= m - r and i < edges.size - 2):
            continue
        start = 0.0 if i == edges.size - 2 else np.arccos(min(1.0, max(-1.0, (high - m) / r)))
        end = np.pi if i == 0 else np.arccos(min(1.0, max(-1.0, (low - m) / r)))
        half = (end - start) / 2
        if half <= 0:
            continue
        for j in range(_NODES):
            p = start + half * (1 + _LEGENDRE[0][j])
            c = np.cos(p)
            _add(low, high, powers[i], m + r * c, c, np.sin(p), half * _LEGENDRE[1][j] / np.pi, out)


@njit(nogil=True, error_model="numpy", fastmath={"contract"})
def _add(
    low: float, high: float, powers: Array, h: float, c: float, s: float, weight: float, out: Array
) -> None:
    """Add f(h) and f'(h) of a polynomial on [low, high] to the averages: even and odd powers by Horner's rule each."""
    y = min(1.0, max(-1.0, (2 * h - low - high) / (high - low)))
    z = y * y
    even, odd, even_, odd_ = powers[_NODES - 2], powers[_NODES - 1], 0.0, 0.0
    for k in range(_NODES - 4, -1, -2):
        even_, odd_ = even_ * z + even, odd_ * z + odd
        even, odd = even * z + powers[k], odd * z + powers[k + 1]
    f, g = weight * (even + y * odd), weight * (odd + 2 * y * (even_ + y * odd_)) * 2 / (high - low)
    out[0] += f
    out[1] += 2 * f * c
    out[2] += g
    out[3] += 2 * g * c
    out[4] += 2 * g * c * c
    out[5] += 2 * g * s * s
