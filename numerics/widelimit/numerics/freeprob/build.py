"""From factors to a law: exact moments, atoms, edges of the support, then the density between them.

moments    power series of S (Lagrange inversion), in units of the mean
atoms      theorems on atoms of free products (Bercovici and Voiculescu 1998; Belinschi 2003)
edges      one group of equal square layers: images of the real segments on which z increases (Huang and Zhong 2018);
           several groups: where the density on the physical branch vanishes
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from widelimit.numerics.freeprob.continuation import Branch
from widelimit.numerics.freeprob.edges import detect_intervals
from widelimit.numerics.freeprob.products import Factor, ProductSystem, _log, averages
from widelimit.numerics.freeprob.series import exp_series, log_s_series
from widelimit.numerics.freeprob.spectral import SpectralLaw, remembered

ORDER = 8
_DEEP = 20.0  # decades of e between a knee and the top from which on it pays to look at it


@remembered
def product_law(
    factors: Sequence[Factor], name: str, points: Sequence[tuple[float, float]] | None = None
) -> SpectralLaw:
    """Law of the free product described by `factors` (see `products`).

    `points`: atoms off zero as (log location, mass), where the factors alone do not tell (rectangular
    orthogonal layers).
    """
    factors = [f for f in factors if f.count != 0.0]
    system = ProductSystem(factors)
    log_mean, spread = system.spread()
    moments = log_moments(factors)
    atoms = find_atoms(factors, points)
    if sum(a for _, a in atoms) > 1.0 - 1e-13:
        return SpectralLaw(name, None, [], atoms, moments)
    branch = Branch(system, log_mean + np.log(1e3 * spread), np.pi / 2)
    if len(system.factors) == 1:
        intervals = _cut(_exact_intervals(system), system.factors[0])
    else:
        intervals = detect_intervals(
            branch, system.tail, log_mean, sum(a for x, a in atoms if x == -np.inf), _hard(factors)
        )
    unbounded = any(f.slopes.unbounded for f in factors)
    reaches_zero = intervals[0][0] == -np.inf
    knee = -np.inf
    if len(system.factors) == 1 and reaches_zero and not any(x == -np.inf for x, _ in atoms):
        knee = find_knee(system)
        knee = knee if knee < intervals[0][1] - _DEEP else -np.inf
    return SpectralLaw(
        name,
        branch,
        intervals,
        atoms,
        moments,
        unbounded=unbounded,
        exact=ORDER,
        reaches_zero=reaches_zero,
        knee=knee,
        inherited=max(f.slopes.error for f in factors),
    )


def log_moments(factors: Sequence[Factor]) -> Callable[[int], float]:
    """Return k -> log E lambda^k, by Lagrange inversion of the series of log S."""
    log_mean = sum(f.count * (f.log_scale + np.log(f.mean)) for f in factors)
    exponent = np.zeros(ORDER)  # log(1/S) per unit mean, coefficients of m^0 ...
    powers = np.arange(1, ORDER)
    for factor in factors:
        mean = factor.mean
        scaled = np.array([factor.slopes.moment(k) / mean**k for k in range(1, ORDER + 1)])
        series = -log_s_series(scaled)
        series *= factor.ratio ** np.arange(ORDER)
        logarithm = -((-1.0) ** powers) / powers  # of 1 + m
        if factor.gaussian:
            series[1:] += logarithm * factor.ratio**powers
        elif factor.nu != factor.ratio:
            series[1:] += logarithm * (factor.ratio**powers - factor.nu**powers)
        exponent += factor.count * series
    exponent[1:] += -((-1.0) ** powers) / powers  # log(1 + m)
    with np.errstate(invalid="ignore"):  # where slopes have infinite moments
        values = [np.log(exp_series(k * exponent, k)[k - 1] / k) for k in range(1, ORDER + 1)]
    return lambda k: k * log_mean + float(values[k - 1])


def find_atoms(
    factors: Sequence[Factor], known: Sequence[tuple[float, float]] | None = None
) -> list[tuple[float, float]]:
    """Atoms as (log location, mass): zeros by rank.

    Others where the masses of all factors exceed their number less one.
    """
    zero = 1.0 - _rank(factors)
    atoms = [(-np.inf, zero)] if zero > 1e-14 else []
    if known is not None:
        return [*atoms, *known]
    if any(f.gaussian for f in factors):
        return atoms
    points = [(0.0, 1.0)]
    for factor in factors:
        points = [
            (x + factor.count * (factor.log_scale + np.log(y)), a - factor.count * (1.0 - b))
            for x, a in points
            for y, b in factor.slopes.atoms
            if y > 0.0 and a - factor.count * (1.0 - b) > 1e-14
        ]
    return atoms + points


def _rank(factors: Sequence[Factor]) -> float:
    """Limit of rank / N_0: the narrowest place of the product."""
    places = [
        1.0,
        *((1.0 - f.slopes.mass_at(0.0)) / f.ratio for f in factors),
        *(1.0 / f.ratio for f in factors),
    ]
    return min(places)


def _hard(factors: Sequence[Factor]) -> bool:
    """Whether the continuous part reaches down to zero: z(m) vanishes there to second order or more.

    At m = -rank the factors 1 + m, 1 + Lambda m (Gaussian) and 1/S_D (zero slopes of that rank) vanish once each; a
    continuous law of slopes down to zero counts as twice.
    """
    rank = _rank(factors)
    order = 1.0 if rank == 1.0 else 0.0
    for factor in factors:
        full = 1.0 / factor.ratio
        if factor.gaussian and abs(full - rank) < 1e-12:
            order += factor.count
        if not factor.gaussian and factor.nu != factor.ratio:
            order += factor.count * ((abs(full - rank) < 1e-12) - float(abs(1.0 / factor.nu - rank) < 1e-12))
        low, high = factor.slopes.components[0]
        zero = factor.slopes.mass_at(0.0)
        if abs(full * (1.0 - zero) - rank) < 1e-12:
            reaches = (high > low == 0.0) or (
                zero > 0 and len(factor.slopes.components) > 1 and factor.slopes.components[1][0] == 0.0
            )
            order += 2 * factor.count if reaches else (factor.count if zero > 0 else 0.0)
    return order > 1.5


def _exact_intervals(system: ProductSystem) -> list[tuple[float, float]]:
    """Complement of the images of {zeta > 0 real, off the slopes' support: log z real and increasing}."""
    ends = [x for component in system.factors[0].slopes.components for x in component]
    gaps = [(0.0, ends[0]), *zip(ends[1::2], [*ends[2::2], np.inf], strict=True)]
    forbidden = [image for low, high in gaps if high > low for image in _images(system, low, high)]
    cuts = sorted(forbidden)
    intervals, begin = [], -np.inf
    for low, high in cuts:
        if low > begin + 1e-13 * max(1.0, abs(low)):
            intervals.append((begin, low))
        begin = max(begin, high)
    return intervals


def _cut(intervals: Sequence[tuple[float, float]], factor: Factor) -> list[tuple[float, float]]:
    """Cut where a single orthogonal layer shows the density of its slopes, with infinite peaks where phi'' vanishes."""
    if factor.gaussian or factor.count != 1.0:
        return list(intervals)
    marks = [factor.log_scale + np.log(x) for x in factor.slopes.marks if x > 0]
    pieces = []
    for low, high in intervals:
        inner = sorted(y for y in marks if low + 1e-9 < y < high - 1e-9)
        pieces += list(itertools.pairwise([low, *inner, high]))
    return pieces


def _images(system: ProductSystem, low: float, high: float) -> list[tuple[float, float]]:
    """Images (in log z) of the maximal runs inside (low, high) on which log z is real and increasing."""
    grid = np.concatenate((np.geomspace(1e-15, 0.5, 240), 1.0 - np.geomspace(0.5, 1e-15, 240)[1:]))
    if np.isinf(high):
        points = low * (1.0 + np.geomspace(1e-15, 1e15, 480))
    elif low == 0.0:
        points = np.concatenate(
            (high * np.geomspace(1e-30, 0.5, 240), high * (1.0 - np.geomspace(0.5, 1e-15, 240)[1:]))
        )
    else:
        points = low + (high - low) * grid
    points = np.unique(points[(points > low) & (points < high)])
    log_z, good = _real_curve(system, points)
    images = []
    runs = np.flatnonzero(np.diff(np.concatenate(([False], good, [False])).astype(int)))
    for first, last in zip(runs[::2], runs[1::2] - 1, strict=True):
        bottom, top = log_z[first], log_z[last]
        if first > 0:
            bottom = min(bottom, _turn(system, points[first - 1], points[first]))
        elif low == 0.0:
            bottom = -np.inf
        if last < points.size - 1:
            top = max(top, _turn(system, points[last + 1], points[last]))
        elif np.isinf(high):
            top = np.inf
        if first == 0 and low > 0.0:
            bottom = _end(system, low, bottom)
        if last == points.size - 1 and np.isfinite(high):
            top = _end(system, high, top)
        images.append((bottom, top))
    return images


def _end(system: ProductSystem, location: float, value: float) -> float:
    """At an atom of the slopes w is infinite and log z is the log of the product's atom."""
    factor = system.factors[0]
    if factor.slopes.mass_at(location) > 0 and not factor.gaussian:
        return factor.count * (factor.log_scale + np.log(location))
    return value


def _real_curve(system: ProductSystem, zeta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log|z| and whether log z is real and increasing, at real zeta off the support."""
    factor = system.factors[0]
    with np.errstate(all="ignore"):
        one, w, v = (part.real for part in averages(zeta.astype(complex), factor))
        n, orthogonal = factor.count, 0.0 if factor.gaussian else factor.count
        log_z = (
            (1 - orthogonal) * np.log(np.abs(one))
            - np.log(np.abs(w))
            + n * (factor.log_scale + np.log(np.abs(w * zeta)))
        )
        turns = (1 - orthogonal) * (one < 0) + (n - 1) * (w < 0)
        slope = (1 - orthogonal) * v / one + (n - 1) * v / w + n
    return log_z, np.isfinite(log_z) & (slope > 0) & (np.abs(turns) < 1e-9)


def find_knee(system: ProductSystem) -> float:
    """Where the density of deep products falls as at an edge although the support goes on, else -oo.

    Slopes reach zero, but few do: at real zeta below nearly all of them log z is nearly real, and where it turns
    the bulk ends. With kappa = E d^-2 / (E d^-1)^2 of orthogonal weights that is next to zeta E d^-1 = 1/(n kappa).
    """
    factor = system.factors[0]
    top, smallest = factor.slopes.largest, float(np.abs(factor.slopes.nodes).min())
    if factor.slopes.components[0][0] > 0.0:
        return -np.inf
    zeta = np.geomspace(max(1e-40 * top, 1e-6 * smallest), top, 400)
    log_z, slope, rest = _curve(system, zeta)
    with np.errstate(invalid="ignore"):
        few = (np.abs(log_z.imag) < 1.0) & (np.abs(rest) < 0.1)
        turns = np.flatnonzero(few[:-1] & (slope.real[:-1] > 0) & (slope.real[1:] <= 0))
    return float(log_z.real[turns[0]]) if turns.size else -np.inf


def _curve(system: ProductSystem, zeta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log z, its slope in log zeta, and 1 + w."""
    factor = system.factors[0]
    with np.errstate(all="ignore"):
        one, w, v = averages(zeta.astype(complex), factor)
        n, orthogonal = factor.count, 0.0 if factor.gaussian else factor.count
        log_z = (1 - orthogonal) * _log(one) - _log(w) + n * (factor.log_scale + _log(w * zeta))
        return log_z, (1 - orthogonal) * v / one + (n - 1) * v / w + n, one


def _turn(system: ProductSystem, outside: float, inside: float) -> float:
    """log z at the end of a run between a point outside and one inside."""
    for _ in range(200):
        middle = 0.5 * (outside + inside)
        if middle in (outside, inside):
            break
        if _real_curve(system, np.array([middle]))[1][0]:
            inside = middle
        else:
            outside = middle
    return float(_real_curve(system, np.array([inside]))[0][0])
