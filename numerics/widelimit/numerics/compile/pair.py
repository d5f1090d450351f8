"""Expectations E f(x) g(y) of two correlated Gaussians, x ~ N(0, q_x), y ~ N(0, q_y), correlation c.

    coefficients   a_n = E f(sqrt(q) z) h_n(z), h_n the normalised Hermite polynomials, many q at once
    series         Mehler: E f g = sum_n a_n b_n c^n. Few terms unless |c| is next to 1 and f is rough
    conditioned    E_t[F(t) G(t)] with F, G smoothed by what x and y do not share; any c, any f, slower
    pair           series where its tail bound is rounding, else conditioned

The tail of the series after N terms is at most |c|^N sqrt(E f^2 - sum a_n^2) sqrt(E g^2 - sum b_n^2) (Parseval).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from widelimit.numerics.compile.features import Features
from widelimit.numerics.compile.quadrature import (
    ELEMENTS,
    EPS,
    KRONROD,
    NODE,
    ROUNDING,
    TINY,
    Array,
    Integrand,
    _edges,
    _level,
    gaussian,
    panels,
)
from widelimit.numerics.results import by_value

TERMS = 512
_REACH = 13.0  # h_n(z) exp(-z^2/4) stays bounded, so exp(-z^2/4) has to vanish


@by_value
@dataclass(frozen=True)
class Coefficients:
    """Hermite coefficients (rows, terms), second moments E f^2 (rows,) and the error of each row's coefficients."""

    values: Array
    moment: Array
    error: Array

    @property
    def tail(self) -> Array:
        """What Parseval leaves for the coefficients that were not computed, rounding included (rows,)."""
        return np.maximum(self.moment - (self.values**2).sum(axis=1), 0) + ROUNDING * self.moment


def coefficients(
    f: Integrand, q: Array, features: Features, terms: int = TERMS, mean: Array | None = None
) -> Coefficients:
    """Return a_0 .. a_{terms-1} of one function at every q: E f(mean + sqrt(q) z) h_n(z), mean 0 by default.

    >>> a = coefficients(lambda x, rows: np.exp(x)[None], np.array([0.25]), Features(spots=((0.0, 1.0),)), 3)
    >>> np.allclose(a.values, math.exp(0.125) * np.array([1, 0.5, 0.125 * math.sqrt(2)]), rtol=1e-14)
    True
    """
    q = np.maximum(np.asarray(q, float), TINY)
    squares, uncertain = gaussian(lambda x, rows: f(x, rows) ** 2, q, features, mean)
    values, moment = projected(f, q, features, terms, mean)
    # the nodes resolve f if they reproduce its second moment
    scale = np.sqrt(squares[0])
    with np.errstate(invalid="ignore"):
        error = np.abs(moment - squares[0]) / np.where(scale > 0, scale, 1) + ROUNDING * scale
    known = np.isfinite(squares[0]) & np.isfinite(uncertain[0])
    return Coefficients(values, squares[0], np.where(known, error, math.inf))


def projected(
    f: Integrand, q: Array, features: Features, terms: int, mean: Array | None = None
) -> tuple[Array, Array]:
    """Return E f h_n, (rows, terms), and E f^2 by one rule, not adapted: right also where f is mostly rounding."""
    centre = np.zeros_like(q) if mean is None else np.asarray(mean, float)
    level = np.maximum(_level(features.scale, q) + 1, 3)
    values, moment = np.empty((q.size, terms)), np.empty(q.size)
    for k in np.unique(level):
        chosen = np.flatnonzero(level == k)
        if features.kinks or 2 * _REACH * 2.0**k > ELEMENTS / 16:
            got = _by_panels(f, q[chosen], features, centre[chosen], chosen, terms)
        else:
            got = _by_trapezoid(f, q[chosen], centre[chosen], chosen, int(k), terms)
        values[chosen], moment[chosen] = got
    return values, moment


@functools.lru_cache(maxsize=8)
def _hermite(level: int, terms: int) -> tuple[Array, Array]:
    """Return trapezoid nodes z and the matrix of h_n(z) times weights, (nodes, 1 + terms); column 0 is the weight."""
    count = math.ceil(_REACH * 2.0**level)
    z = np.arange(-count, count + 1) * 2.0**-level
    weight = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) * 2.0**-level
    matrix = np.empty((1 + terms, z.size))
    matrix[0] = weight
    before, now = np.zeros_like(z), weight
    for n in range(terms):
        matrix[1 + n] = now
        before, now = now, (z * now - math.sqrt(n) * before) / math.sqrt(n + 1)
    return z, np.ascontiguousarray(matrix.T)


def _by_trapezoid(
    f: Integrand, q: Array, mean: Array, rows: Array, level: int, terms: int
) -> tuple[Array, Array]:
    z, matrix = _hermite(level, terms)
    values, moment = np.empty((q.size, terms)), np.empty(q.size)
    block = max(1, ELEMENTS // z.size)
    for start in range(0, q.size, block):
        part = slice(start, start + block)
        with np.errstate(all="ignore"):
            samples = f(mean[part, None] + np.sqrt(q[part, None]) * z, rows[part])[0]
            values[part] = samples @ matrix[:, 1:]
            moment[part] = samples**2 @ matrix[:, 0]
    return values, moment


def _by_panels(
    f: Integrand, q: Array, features: Features, mean: Array, rows: Array, terms: int
) -> tuple[Array, Array]:
    values, moment = np.empty((q.size, terms)), np.empty(q.size)
    edges = _edges(q, features, mean, _REACH)
    edges = np.sort(np.concatenate([edges, 0.5 * (edges[:, 1:] + edges[:, :-1])], axis=1), axis=1)
    block = max(1, ELEMENTS // (21 * edges.shape[1]))
    for start in range(0, q.size, block):
        part = slice(start, start + block)
        half = 0.5 * np.diff(edges[part], axis=1)
        z = (0.5 * (edges[part, 1:] + edges[part, :-1]))[..., None] + half[..., None] * NODE
        weight = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) * half[..., None] * KRONROD
        z, weight = z.reshape(len(half), -1), weight.reshape(len(half), -1)
        with np.errstate(all="ignore"):
            samples = f(mean[part, None] + np.sqrt(q[part, None]) * z, rows[part])[0]
            samples = np.where(weight > 0, samples, 0.0)
            moment[part] = (samples**2 * weight).sum(axis=1)
            before, now = np.zeros_like(z), samples * weight
            for n in range(terms):
                values[part, n] = now.sum(axis=1)
                before, now = now, (z * now - math.sqrt(n) * before) / math.sqrt(n + 1)
    return values, moment


def series(a: Coefficients, b: Coefficients, c: Array) -> tuple[Array, Array]:
    """Return sum_n a_n b_n c^n and a bound of its error, per row."""
    terms = a.values.shape[1]
    size = np.sqrt(a.moment * b.moment)
    total = np.zeros_like(c)
    with np.errstate(invalid="ignore"):
        for n in range(terms - 1, -1, -1):
            total = total * c + a.values[:, n] * b.values[:, n]
        tail = np.abs(c) ** terms * np.sqrt(a.tail * b.tail)
        error = tail + a.error * np.sqrt(b.moment) + b.error * np.sqrt(a.moment) + ROUNDING * size
    return total, error


def conditioned(
    f: Integrand,
    g: Integrand,
    q: tuple[float, float],
    c: float,
    shapes: tuple[Features, Features],
    row: int,
    distance: float,
) -> tuple[float, float]:
    """Return E f g and an error bound for one row by conditioning on what x and y share.

    x = sqrt(q_x |c|) t + sqrt(q_x (1 - |c|)) z, y = sign(c) sqrt(q_y |c|) t + sqrt(q_y (1 - |c|)) z' with t, z, z'
    independent. `distance` is 1 - |c|, given separately so that it keeps its digits.
    """
    common, blur = math.sqrt(abs(c)), math.sqrt(distance)
    signs = (1.0, math.copysign(1.0, c))
    spots = []
    for sign, width, shape in zip(signs, q, shapes, strict=True):
        unit = sign * math.sqrt(width) * common
        if unit:
            spots += [(k / unit, max(blur / common, 1e-12)) for k in shape.kinks]
            spots += [(m / unit, max(s / abs(unit), blur / common)) for m, s in shape.spots]
    spots = [(centre, scale) for centre, scale in spots if abs(centre) < 50 and scale < 50]
    inner_errors = [0.0]

    def smoothed(function: Integrand, width: float, shape: Features, mean: Array) -> Array:
        who = np.full(mean.size, row)
        if distance * width < TINY or blur < 1e-11:  # nothing left to average over
            return function(mean[:, None], who)[0, :, 0]
        values, errors = gaussian(
            lambda x, rows: function(x, who[: len(rows)]), np.full(mean.size, width * distance), shape, mean
        )
        inner_errors[0] = max(inner_errors[0], float(errors.max()))
        return values[0]

    def product(t: Array, _rows: Array) -> Array:
        flat = t.ravel()
        parts = [
            smoothed(function, width, shape, sign * math.sqrt(width) * common * flat)
            for function, width, shape, sign in zip((f, g), q, shapes, signs, strict=True)
        ]
        return (parts[0] * parts[1]).reshape(1, *t.shape)

    shape = Features(kinks=tuple(sorted({spot[0] for spot in spots})), spots=tuple(spots))
    one = np.ones(1)
    value, error = panels(product, one, shape, np.zeros(1), np.zeros(1, int))
    return float(value[0, 0]), float(error[0, 0])


def pair(
    f: Integrand,
    g: Integrand,
    q_x: Array,
    q_y: Array,
    c: Array,
    shapes: tuple[Features, Features],
    distance: Array | None = None,
) -> tuple[Array, Array]:
    """Return E f(x) g(y) and error bounds, one row per (q_x, q_y, c); `distance` is 1 - |c| to all digits if known."""
    distance = 1 - np.abs(c) if distance is None else distance
    same = f is g and np.array_equal(q_x, q_y)
    closest = float(np.abs(c).max(initial=0.0))
    terms = TERMS if closest >= 0.93 else max(8, math.ceil(math.log(EPS / 16) / math.log(max(closest, 1e-3))))
    a = coefficients(f, q_x, shapes[0], min(terms, TERMS))
    b = a if same else coefficients(g, q_y, shapes[1], min(terms, TERMS))
    values, errors = series(a, b, c)
    with np.errstate(invalid="ignore"):
        rough = np.flatnonzero(
            ~(errors <= 10 * ROUNDING * np.sqrt(a.moment * b.moment)) & np.isfinite(a.moment * b.moment)
        )
    for i in rough:
        value, error = conditioned(
            f, g, (float(q_x[i]), float(q_y[i])), float(c[i]), shapes, int(i), float(distance[i])
        )
        if error < errors[i] or not np.isfinite(errors[i]):
            values[i], errors[i] = value, error
    missing = ~np.isfinite(a.moment * b.moment)
    values[missing] = errors[missing] = math.inf
    return values, errors
