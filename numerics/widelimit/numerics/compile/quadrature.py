"""Gaussian expectations E f(m + sqrt(q) z) of many functions at many (m, q) together, each with an error bound.

    gaussian     chooses per row: trapezoid where f is smooth and not too narrow, else panels
    trapezoid    the rule that converges exponentially for analytic f; the step is halved until two halvings agree
    panels       Gauss-Kronrod (10, 21) on panels cut at the kinks, graded towards every feature, then bisected

A row is one (m, q); rows advance together in NumPy and only f itself is compiled. An integrand is a callable
``f(x, rows) -> (k, *x.shape)``: k functions at the points x, whose first axis belongs to the given rows. An
expectation that does not exist, or that overflows, comes back as inf, never as a number that looks right. One that was
not resolved (sin(x)*tanh(x) over a Gaussian of millions of periods) has the error bound inf; whoever calls refuses it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from widelimit.numerics.compile.features import Features

Array = np.ndarray
Integrand = Callable[[Array, Array], Array]

EPS = float(np.finfo(float).eps)
NOISE = 1e-11  # a panel's error this small against E|f| may be rounding of f
ROUNDING = 16 * EPS  # of the integrand and of the sum, relative to E|f|
TINY = 1e-290  # stands for q = 0, where f is replaced by its mean over the two sides of 0
REACH = (
    9.0,
    13.0,
    19.0,
    27.0,
    38.0,
)  # |z| up to which the weight is followed, as far as f makes it necessary
CROWD = 512  # so many panels of one integral unfinished at once: more than kinks or spots account for
UNRESOLVED = 1e-6  # an error above this share of E|f| is no result, where f can have turned so often:
PERIODS = 100.0  # where the Gaussian is so many times wider than the finest scale of f. Elsewhere it is rounding of f
GRADED = (26, 120)  # panels towards a fractional power, each a quarter of the last: away from 0, and at 0
NODES = 4096  # more trapezoid nodes than this: use panels
ELEMENTS = 1 << 16  # function values held at once: stays in the cache of a core


def gaussian(f: Integrand, q: Array, features: Features, mean: Array | None = None) -> tuple[Array, Array]:
    """Return E f(mean + sqrt(q) z) and error bounds, both (k, rows), for q >= 0.

    >>> f = lambda x, rows: np.stack([np.tanh(x) ** 2, np.cos(x)])
    >>> values, errors = gaussian(f, np.array([1.0]), Features(spots=((0.0, 1.0),)))
    >>> float(values[1, 0] - math.exp(-0.5)) < 1e-15, float(errors.max()) < 1e-14
    (True, True)
    """
    q = np.maximum(np.asarray(q, float), TINY)
    centre = np.zeros_like(q) if mean is None else np.asarray(mean, float)
    rows = np.arange(q.size)
    if features.kinks:
        return panels(f, q, features, centre, rows)
    level = _level(features.scale, q)
    narrow = 2 * REACH[0] * 2.0**level > NODES
    if not narrow.any():
        return trapezoid(f, q, features, centre, rows, level)
    values = errors = np.empty((0, 0))
    for chosen, method in ((~narrow, trapezoid), (narrow, panels)):
        if chosen.any():
            args = (level[chosen],) if method is trapezoid else ()
            got = method(f, q[chosen], features, centre[chosen], rows[chosen], *args)
            if values.size == 0:
                values, errors = np.empty((len(got[0]), q.size)), np.empty((len(got[0]), q.size))
            values[:, chosen], errors[:, chosen] = got
    return values, errors


def _level(scale: float, q: Array) -> Array:
    """Return k such that a step of 2^-k in z resolves the Gaussian and a function of the given scale."""
    step = np.minimum(0.5, scale / (3.0 * np.sqrt(q)))
    return np.ceil(-np.log2(step)).astype(int)


@functools.lru_cache(maxsize=256)
def _grid(level: int, reach: float, even: bool) -> tuple[Array, Array]:
    """Return nodes z and the weights of steps h, 2h, 4h (columns), h = 2^-level; half the line if f is even."""
    count = 4 * math.ceil(reach * 2.0**level / 4)
    index = np.arange(0 if even else -count, count + 1)
    z = index * 2.0**-level
    density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) * 2.0**-level
    if even:
        density = np.where(index > 0, 2 * density, density)
    weights = np.stack([density, 2 * density * (index % 2 == 0), 4 * density * (index % 4 == 0)], axis=1)
    return z, weights


def trapezoid(
    f: Integrand, q: Array, features: Features, mean: Array, rows: Array, level: Array
) -> tuple[Array, Array]:
    """Expectations of smooth functions; rows that do not converge to rounding go on to `panels`."""
    values = errors = np.empty((0, 0))
    even = features.even and not mean.any()
    pending = [(int(k), 0, np.flatnonzero(level == k)) for k in np.unique(level)]
    unfinished: list[Array] = []
    while pending:
        k, reach, chosen = pending.pop()
        z, weights = _grid(k, REACH[reach], even)
        if z.size > 2 * NODES:
            unfinished.append(chosen)
            continue
        block = max(1, ELEMENTS // z.size)
        for part in (chosen[i : i + block] for i in range(0, chosen.size, block)):
            with np.errstate(all="ignore"):
                samples = f(mean[part, None] + np.sqrt(q[part, None]) * z, rows[part])
                size = np.abs(samples) @ weights[:, 0]
                edge = (
                    np.abs(samples[..., -1]) * weights[-1, 0]
                    + (not even) * np.abs(samples[..., 0]) * weights[0, 0]
                )
                fine, coarse, coarser = np.moveaxis(samples @ weights, -1, 0)
                step, before = np.abs(fine - coarse), np.abs(coarse - coarser)
                # exponential convergence: halving the step squares the relative error
                unit = np.where(size > 0, size, 1.0)
                squared = 4 * (step / unit) ** 2 * unit
                bound = np.where(step <= 4 * (before / unit) ** 2 * unit, np.minimum(squared, step), step)
            if values.size == 0:
                values, errors = np.full((2, len(samples), q.size), math.inf)
            cut = ~((edge <= 4 * EPS * size * 2.0**-k) | (size == 0)).all(axis=0)
            done = (bound <= 8 * EPS * size).all(axis=0) & ~cut
            ready = part[done]
            values[:, ready] = fine[:, done]
            errors[:, ready] = bound[:, done] + ROUNDING * size[:, done]
            if (longer := part[cut]).size and reach + 1 < len(REACH):
                pending.append((k, reach + 1, longer))
            elif longer.size:
                unfinished.append(longer)
            if (again := part[~done & ~cut]).size:
                pending.append((k + 1, reach, again))
    for left in unfinished:
        values[:, left], errors[:, left] = panels(f, q[left], features, mean[left], rows[left])
    return values, errors


_KRONROD = np.array(
    [
        0.0,
        0.1488743389816312,
        0.2943928627014602,
        0.4333953941292472,
        0.5627571346686047,
        0.6794095682990244,
        0.7808177265864169,
        0.8650633666889845,
        0.9301574913557082,
        0.9739065285171717,
        0.9956571630258081,
    ]
)
_K_WEIGHTS = np.array(
    [
        0.1494455540029169,
        0.1477391049013385,
        0.1427759385770601,
        0.1347092173114733,
        0.1234919762620659,
        0.1093871588022976,
        0.0931254545836976,
        0.0750396748109199,
        0.0547558965743520,
        0.0325581623079647,
        0.0116946388673719,
    ]
)
_G_WEIGHTS = np.array(
    [0.2955242247147529, 0.2692667193099964, 0.2190863625159820, 0.1494513491505806, 0.0666713443086881]
)
NODE = np.concatenate([-_KRONROD[:0:-1], _KRONROD])
KRONROD = np.concatenate([_K_WEIGHTS[:0:-1], _K_WEIGHTS])
GAUSS = np.zeros(21)
GAUSS[1::2] = np.concatenate([_G_WEIGHTS[::-1], _G_WEIGHTS])


def panels(f: Integrand, q: Array, features: Features, mean: Array, rows: Array) -> tuple[Array, Array]:
    """Expectations of functions with kinks or of very wide Gaussians, by adaptive panels."""
    values = errors = np.empty((0, 0))
    for reach in REACH:
        todo = np.arange(q.size) if values.size == 0 else np.flatnonzero(np.isinf(values).any(axis=0))
        if todo.size == 0:
            break
        got, error, cut = _panels(f, q[todo], features, mean[todo], rows[todo], reach)
        if values.size == 0:
            values, errors = np.full((2, len(got), q.size), math.inf)
        good = ~cut
        values[:, todo[good]], errors[:, todo[good]] = got[:, good], error[:, good]
    return values, errors


def _edges(q: Array, features: Features, mean: Array, reach: float) -> Array:
    """Return panel edges in z per row: even steps, kinks, and around each feature steps that grow by four."""
    steps = np.linspace(-reach, reach, 2 * math.ceil(reach / 1.5) + 1)
    marks = [*features.kinks]
    root = np.sqrt(q)
    widest = float((reach * root + np.abs(mean)).max())
    for centre, scale in features.spots:
        marks.append(centre)
        size = scale
        while size < widest + abs(centre) and math.isfinite(size):
            marks += [centre - size, centre + size]
            size *= 4
    with np.errstate(over="ignore"):
        special = (np.array(marks) - mean[:, None]) / root[:, None]
    parts = [np.broadcast_to(steps, (q.size, steps.size)), special]
    for place in features.sharp:  # a fractional power: the function has no scale of its own there
        graded = 4.0 ** -np.arange(GRADED[place == 0])
        centre = (place - mean[:, None]) / root[:, None]
        parts += [centre - graded, centre + graded]
    edges = np.concatenate(parts, axis=1)
    return np.sort(np.clip(edges, -reach, reach), axis=1)


def _panels(
    f: Integrand, q: Array, features: Features, mean: Array, rows: Array, reach: float
) -> tuple[Array, Array, Array]:
    edges = _edges(q, features, mean, reach)
    owner = np.repeat(np.arange(q.size), edges.shape[1] - 1)
    low, high = edges[:, :-1].ravel(), edges[:, 1:].ravel()
    wide = high > low
    owner, low, high = owner[wide], low[wide], high[wide]
    total = error = size = tail = np.empty((0, 0))
    cut: Array = np.zeros(q.size, bool)
    parent: Array | float = math.inf
    before: Array | float = math.inf
    for attempt in range(60):
        kept: list[tuple[Array, ...]] = []
        block = max(1, ELEMENTS // 21)
        for start in range(0, owner.size, block):
            part = slice(start, start + block)
            half = 0.5 * (high[part] - low[part])
            z = 0.5 * (high[part] + low[part])[:, None] + half[:, None] * NODE
            who = owner[part]
            with np.errstate(all="ignore"):
                weight = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
                samples = f(mean[who, None] + np.sqrt(q[who, None]) * z, rows[who]) * (weight * half[:, None])
                whole = samples @ KRONROD
                magnitude = np.abs(samples) @ KRONROD
                raw = np.abs(whole - samples @ GAUSS)
                spread = np.abs(samples - 0.5 * whole[..., None]) @ KRONROD
                sharp = spread * np.minimum(1.0, (200 * raw / np.where(spread > 0, spread, 1)) ** 1.5)
                rough = np.where(spread > 0, sharp, raw)
            kept.append((whole, rough, magnitude))
        whole, rough, magnitude = (np.concatenate(parts, axis=1) for parts in zip(*kept, strict=True))
        if total.size == 0:
            total, error, size = np.zeros((3, len(whole), q.size))
            for k in range(len(whole)):
                size[k] = np.bincount(owner, magnitude[k], q.size)
            ends = np.abs(np.maximum(np.abs(low), np.abs(high)) - reach) < 1e-12
            tail = np.stack([np.bincount(owner, np.where(ends, m, 0.0), q.size) for m in magnitude])
            allowed = 1e-2 * EPS if reach < REACH[-1] else 1e-8
            cut = np.asarray(~np.isfinite(size).all(axis=0) | (tail > allowed * size).any(axis=0))
        # a panel is done when its error is rounding, or a negligible share of the whole
        fine = ((rough <= 5 * EPS * magnitude) | (rough <= 0.1 * EPS * size[:, owner])).all(axis=0)
        # or when cutting it no longer helped: what is left is the rounding of f itself
        noise = (rough <= NOISE * size[:, owner]) & (rough >= 0.25 * parent)
        fine |= (noise | (rough <= 0.1 * EPS * size[:, owner])).all(axis=0)
        fine |= (high - low < 4 * EPS * np.maximum(np.abs(low), np.abs(high))) | cut[owner]
        # or when a row's panels doubled and doubled again and their errors stay: f itself has no more digits there
        left = np.stack([np.bincount(owner[~fine], r[~fine], q.size) for r in rough])
        crowded = np.bincount(owner[~fine], minlength=q.size) > CROWD
        fine |= (crowded & (left > 0.5 * before).any(axis=0))[owner]
        before = left
        for k in range(len(whole)):
            total[k] += np.bincount(owner[fine], whole[k, fine], q.size)
            error[k] += np.bincount(owner[fine], rough[k, fine], q.size)
        if fine.all():
            break
        owner, low, high = owner[~fine], low[~fine], high[~fine]
        if attempt == 59 or owner.size > 1_000_000:
            for k in range(len(whole)):
                total[k] += np.bincount(owner, whole[k, ~fine], q.size)
                error[k] += np.bincount(owner, rough[k, ~fine], q.size)
            break
        parent = np.tile(rough[:, ~fine], 2)
        middle = 0.5 * (low + high)
        owner, low, high = np.tile(owner, 2), np.concatenate([low, middle]), np.concatenate([middle, high])
    turning = np.sqrt(q) > PERIODS * features.scale
    error[(error > UNRESOLVED * size) & turning] = math.inf
    total[:, cut] = error[:, cut] = math.inf
    return total, error + ROUNDING * size + 100 * tail, cut
