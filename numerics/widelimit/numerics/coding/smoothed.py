"""Rates averaged over noise, E phi(h + sqrt(D) z), for many (h, D): polynomials in h on panels, and in sqrt(D).

tables     polynomials for the D of all points, in few groups
averages   means over a period of h = m + R cos p, by Gauss-Legendre in p on the panels that h passes
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev

from widelimit.numerics import threads
from widelimit.numerics.coding.units import Unit
from widelimit.numerics.compile.cache import njit
from widelimit.theory.errors import ConvergenceError

Array = np.ndarray
_NODES, _ROWS = 16, 20  # of a polynomial in h, in sqrt(D)
_FITTED, _BETWEEN = 2e-14, 2e-13  # what is left of the series in h and in sqrt(D), of the largest value
_PANELS = 600
_BLOCK = 256  # points whose polynomials are held at once
_SERIES = np.linalg.inv(chebyshev.chebvander(chebyshev.chebpts1(_NODES), _NODES - 1))
_LEGENDRE = np.polynomial.legendre.leggauss(_NODES)


class Table(NamedTuple):
    """Polynomials on panels of h for some points: `weights` (points, rows) mix `series` (rows, panels, degree + 1)."""

    places: Array
    edges: Array
    series: Array
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
        found.append(Table(places, edges, series, weights[back[places] - group[0]]))
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


def averages(found: list[Table], amplitude: Array, centre: Array, rows: Array) -> Array:
    """Means over a period at the points `rows`, (5, points): of rates, of rates by 2 cos p, of their slopes, of slopes
    by 2 cos p, and by 2 cos^2 p."""
    out = np.empty((5, rows.size))
    order = np.full(1 + max(int(one.places[-1]) for one in found), -1)
    order[rows] = np.arange(rows.size)
    for table in found:
        here = np.flatnonzero(order[table.places] >= 0)
        flat = table.series.reshape(len(table.series), -1)

        def work(part: slice, table: Table = table, here: Array = here, flat: Array = flat) -> None:
            mine = here[part]
            to = order[table.places[mine]]
            series = (table.weights[mine] @ flat).reshape(-1, *table.series.shape[1:])
            out[:, to] = _periods(table.edges, series, amplitude[to], centre[to], *_LEGENDRE)

        threads.each(work, threads.chunks(here.size, 256, _BLOCK))
    return out


@njit(cache=True, nogil=True)
def _periods(
    edges: Array, series: Array, amplitude: Array, centre: Array, nodes: Array, weights: Array
) -> Array:
    """`averages` of points whose polynomials are `series` (points, panels, degree + 1)."""
    out = np.zeros((5, amplitude.size))
    turn, at = np.empty((2, nodes.size))
    work = np.empty((4, nodes.size))
    for k in range(amplitude.size):
        r, m = amplitude[k], centre[k]
        for i in range(edges.size - 1):
            low, high = edges[i], edges[i + 1]
            if (low >= m + r and i > 0) or (high <= m - r and i < edges.size - 2):
                continue
            first = 0.0 if i == edges.size - 2 else np.arccos(min(1.0, max(-1.0, (high - m) / r)))
            last = np.pi if i == 0 else np.arccos(min(1.0, max(-1.0, (low - m) / r)))
            half = (last - first) / 2
            if half <= 0:
                continue
            for j in range(nodes.size):
                turn[j] = np.cos(first + half * (1 + nodes[j]))
                at[j] = 2 * min(1.0, max(-1.0, (2 * (m + r * turn[j]) - low - high) / (high - low)))
            _clenshaw(series[k, i], at, work)
            mean, one, flat, once, twice = 0.0, 0.0, 0.0, 0.0, 0.0
            for j in range(nodes.size):
                part, c = half * weights[j], turn[j]
                f, g = part * work[0, j], part * work[2, j]
                mean += f
                one += f * c
                flat += g
                once += g * c
                twice += g * c * c
            scale = 2 / (high - low)
            out[0, k] += mean / np.pi
            out[1, k] += 2 * one / np.pi
            out[2, k] += scale * flat / np.pi
            out[3, k] += 2 * scale * once / np.pi
            out[4, k] += 2 * scale * twice / np.pi
    return out


@njit(cache=True, nogil=True)
def _clenshaw(series: Array, double: Array, work: Array) -> None:
    """A Chebyshev series and its slope at half of `double`, into the first and third row of `work`.

    Clenshaw's recurrence and its derivative, all places at once: rows hold the last two of each.
    """
    work[:] = 0.0
    for k in range(series.size - 1, 0, -1):
        c = series[k]
        for j in range(double.size):
            y, b, d = double[j], work[0, j], work[2, j]
            work[2, j], work[3, j] = y * d - work[3, j] + 2 * b, d
            work[0, j], work[1, j] = y * b - work[1, j] + c, b
    for j in range(double.size):
        y, b, d = double[j], work[0, j], work[2, j]
        work[0, j], work[2, j] = series[0] + y / 2 * b - work[1, j], b + y / 2 * d - work[3, j]
