"""`fit`: how much of a spectrum is noise, and what stands out of it.

read        a matrix, frame or file becomes eigenvalues and degrees of freedom                    (reading)
bulk        noise, and the ratio or the spread of the population where they are asked for         (shape, settle)
count       eigenvalues above the bulk, one test after the other                                  (count)
outliers    spikes behind them, overlaps, standard errors                                         (`_behind`)
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from widelimit.numerics import arguments
from widelimit.numerics.freeprob import SpectralLaw
from widelimit.numerics.freeprob import law as law_of
from widelimit.numerics.results import by_value
from widelimit.numerics.spectra.edge_laws import tracy_widom
from widelimit.numerics.spectra.formulas import compiled, edges, hard
from widelimit.numerics.spectra.outliers import quantiles
from widelimit.numerics.spectra.reading import Spectrum, read
from widelimit.theory import spectra as theory
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
FAMILIES = ("marchenko_pastur", "deformed")
LEVEL = 0.01
_LOWER = (
    0.75  # of the eigenvalues, that tell the shape of the bulk before anything is known of what stands out
)
_SHARES = (np.arange(40) + 0.5) / 40 * _LOWER
_ROUNDS = 200
_MOST_SHARE = 0.9  # of an edge's variance that may come from the trace


@by_value
@dataclass(frozen=True)
class SpectrumFit:
    """A bulk of noise and the components above it.

    noise, noise_error: mean population eigenvalue of the bulk, and its standard error. ratio, ratio_error: dimensions
    of the bulk over samples; the error is 0 where the number of samples is known. spread: relative variance q of the
    bulk's population eigenvalues, 0 for white noise. components: how many eigenvalues stand above the bulk; for
    each, from the largest: its p_value against the largest eigenvalue of noise alone, the outlier itself, the
    population eigenvalue in spikes with its spike_error, and in overlaps the squared cosine between its eigenvector
    and the population's. next_p_value: of the first eigenvalue that is no component; below `level` where all but two
    stand above the others, so that this family has no bulk here. edges: of the bulk.
    threshold: population eigenvalues below it leave no trace for large matrices; detection_limit: the one that this
    test finds half of the time. hard_threshold: sample eigenvalues above it are worth keeping (Gavish and Donoho).
    samples: degrees of freedom, dimensions: eigenvalues. constant_features: columns that were set aside.
    """

    noise: float
    noise_error: float
    ratio: float
    ratio_error: float
    spread: float
    components: int
    p_values: Array
    outliers: Array
    spikes: Array
    spike_errors: Array
    overlaps: Array
    next_p_value: float
    edges: tuple[float, float]
    threshold: float
    detection_limit: float
    hard_threshold: float
    samples: float
    dimensions: int
    family: str
    level: float
    constant_features: tuple[int, ...] = ()
    eigenvalues: Array = field(default_factory=lambda: np.zeros(0), repr=False)

    @cached_property
    def law(self) -> SpectralLaw:
        """The law of the bulk: density, distribution, quantiles, moments."""
        from widelimit.theory import freeprob

        if self.spread == 0:
            return law_of(freeprob.marchenko_pastur(self.ratio, self.noise))
        values = {theory.RATIO: self.ratio, theory.SPREAD: self.spread, theory.NOISE: self.noise}
        return law_of(S=theory.bulk_s().subs(values))


def fit(
    data: Any = None,
    *,
    eigenvalues: Any = None,
    samples: Any = None,
    family: str = "marchenko_pastur",
    level: float = LEVEL,
) -> SpectrumFit:
    """Fit the noise of a sample covariance matrix, and count what stands above it.

    Args:
        data: rows are samples, columns features: an array, a frame, or a file. It is centred, which leaves n - 1
            degrees of freedom; constant columns are set aside.
        eigenvalues: in place of `data`, all p eigenvalues of the covariance matrix, zeros included.
        samples: beside `eigenvalues`, the degrees of freedom n (rows less one where the data were centred). Where it is
            left out, an effective number is told by the zeros if there are any, else fitted to the shape of the bulk.
        family: `marchenko_pastur`, white noise; or `deformed`: the bulk has population eigenvalues like those of an
            inverse Wishart matrix, whose relative variance `spread` is fitted too. Correlations among the samples,
            which make a bulk wider than p/n says, are absorbed the same way.
        level: chance with which noise alone counts as a component.

    Each eigenvalue in turn is compared with the largest one of noise in the dimensions that are left (Johnstone's test,
    with Ma's centre and width, less what the fluctuations of the trace take away), until one is not significant at
    `level`. The noise is unbiased to order 1/n: what spikes take from the bulk is given back. Raises
    `ArgumentError` for rows with missing entries, fewer than three eigenvalues, negative ones, and data and eigenvalues
    together; `DomainError` where no noise is left beside the components.

    >>> random = np.random.default_rng(0)
    >>> x = random.standard_normal((400, 100)); x[:, 0] *= 2.5
    >>> found = fit(x)
    >>> found.components, float(found.p_values[0]) < 1e-6, round(float(found.spikes[0] / 6.25), 1)
    (1, True, 0.9)
    >>> abs(found.noise - 1) < 3 * found.noise_error, round(found.ratio, 4)
    (True, 0.2481)
    >>> values = [6.0, *np.linspace(0.2, 2.2, 40)]
    >>> one = fit(eigenvalues=values, samples=120)
    >>> [round(float(v), 6) for v in (one.noise_error, one.next_p_value, one.spike_errors[0], one.overlaps[0])]
    [0.02476, 1.0, 0.717285, 0.888863]
    >>> [round(v, 6) for v in (*one.edges, one.threshold, one.detection_limit, one.hard_threshold)]
    [0.216678, 3.017938, 1.913298, 2.344188, 4.100173]
    >>> wide = fit(eigenvalues=values, samples=200, family="deformed")
    >>> round(wide.spread, 6), round(wide.law.mean, 6)
    (0.037359, 1.207767)
    >>> free = fit(eigenvalues=values)
    >>> round(free.ratio, 6), round(free.ratio_error, 6)
    (0.236121, 0.011806)
    """
    family = arguments.choice("family", family, FAMILIES)
    level = arguments.number_within("level", level, 1e-12, 0.5)
    spectrum = read(data, eigenvalues, samples)
    scale = float(spectrum.values.mean())
    if not scale > 0:
        raise DomainError("All eigenvalues are zero: there is no noise to fit.")
    found = _fit(replace(spectrum, values=spectrum.values / scale), family, level)
    return replace(
        found,
        noise=found.noise * scale,
        noise_error=found.noise_error * scale,
        outliers=spectrum.values[: found.components].copy(),
        spikes=found.spikes * scale,
        spike_errors=found.spike_errors * scale,
        edges=(found.edges[0] * scale, found.edges[1] * scale),
        threshold=found.threshold * scale,
        detection_limit=found.detection_limit * scale,
        hard_threshold=found.hard_threshold * scale,
        eigenvalues=spectrum.values,
    )


def _fit(spectrum: Spectrum, family: str, level: float) -> SpectrumFit:
    values, known = spectrum.values, spectrum.samples
    if known is None and family == "deformed":
        help = "A wider bulk could come from fewer samples as well."
        raise ArgumentError("samples", "must be given for the family 'deformed'", but="is missing", help=help)
    bulk = _shape(values, known, family)
    count, p_values, following = _count(values, bulk, level)
    if known is None or family == "deformed":  # sharper, now that it is known what belongs to the bulk
        bulk = _settle(values, count, bulk, free=True)
        count, p_values, following = _count(values, bulk, level)
    bulk = _settle(values, count, bulk, free=known is None or family == "deformed")
    return _result(spectrum, bulk, (count, p_values, following), family, level)


@dataclass(frozen=True)
class _Bulk:
    """Noise v, samples n, spread q, dimensions that are left; `fixed`: n is known."""

    noise: float
    samples: float
    spread: float
    left: int
    fixed: bool

    @property
    def ratio(self) -> float:
        return self.left / self.samples


def _shape(values: Array, samples: float | None, family: str) -> _Bulk:
    """Match the lower quantiles of the bulk, which a few outliers do not move."""
    size = values.size
    if family == "marchenko_pastur" and samples is not None:
        return _Bulk(1.0, samples, 0.0, size, True)
    positive = np.sort(values[values > 0]) if samples is None or samples < size else np.sort(values)
    wanted = np.interp(_SHARES, (np.arange(positive.size) + 0.5) / positive.size, positive)

    def at(free: float) -> Array:
        if samples is None:
            return quantiles(_SHARES, free, 0.0)
        ratio = size / samples
        if ratio <= 1:
            return quantiles(_SHARES, ratio, free)
        return quantiles(_SHARES, 1 / ratio, free / ratio) * ratio

    def misfit(free: float) -> float:
        shape = at(float(np.exp(free)))
        scale = float(wanted @ shape) / float(shape @ shape)
        return float(((wanted - scale * shape) ** 2).sum()) / float(wanted @ wanted)

    low, high = (1e-4, 1.0) if samples is None else (1e-4, 10.0)
    best = float(np.exp(minimize_scalar(misfit, bounds=(np.log(low), np.log(high)), method="bounded").x))
    if samples is None:
        return _Bulk(1.0, size / best, 0.0, size, False)
    return _Bulk(1.0, samples, best if best > 2 * low else 0.0, size, True)


def _settle(values: Array, count: int, bulk: _Bulk, *, free: bool) -> _Bulk:
    """Solve the first trace for the noise, and the second for what else is free, beside `count` spikes."""
    left = values.size - count
    outliers, rest = values[:count], values[count:]
    total, squares = float(rest.sum()), float((rest**2).sum())
    if not total > 1e-13 * values.size:
        raise DomainError(
            f"No noise is left beside {count} components: the matrix has no larger rank. Add what noise there is, or "
            "pass fewer of the eigenvalues."
        )
    now = replace(bulk, left=left, noise=total / left)
    for _ in range(_ROUNDS):
        spikes = _spikes(outliers, now)
        noise = (total + float((outliers - spikes).sum())) / left
        after = replace(now, noise=noise)
        if free:
            trace = squares + float((outliers**2 - spikes**2).sum())
            spread, samples = (
                float(one) for one in _second()(left, noise, now.samples, float(spikes.sum()), trace)
            )
            if now.fixed:
                after = replace(after, spread=max(0.0, spread))
            else:
                after = replace(after, samples=float(samples) if 0 < samples < 1e12 else 1e12)
        done = abs(after.noise - now.noise) <= 1e-14 * after.noise and (
            abs(after.spread - now.spread) + abs(after.ratio - now.ratio) <= 1e-12
        )
        now = after
        if done:
            break
    return now


def _count(values: Array, bulk: _Bulk, level: float) -> tuple[int, Array, float]:
    """How many eigenvalues stand out, the p-value of each, and of the first that does not."""
    most = int(min(values.size, bulk.samples)) - 2
    p_values: list[float] = []
    chance = 1.0
    for count in range(max(1, most)):
        now = _settle(values, count, bulk, free=False)
        chance = p_value(float(values[count]), now)
        if chance > level:
            return count, np.array(p_values), chance
        p_values.append(chance)
    return len(p_values), np.array(p_values), chance


def p_value(value: float, bulk: _Bulk) -> float:
    """Chance that the largest eigenvalue of noise, whose mean is what it is here, is as large."""
    law = tracy_widom(1)
    centre, scale, kept = _largest_of(bulk)
    return float(law.sf(law.mean + ((value - centre) / scale - law.mean) / kept))


def critical(level: float, bulk: _Bulk) -> float:
    """Eigenvalue whose p-value is `level`."""
    law = tracy_widom(1)
    centre, scale, kept = _largest_of(bulk)
    return centre + scale * (law.mean + kept * (_score(level) - law.mean))


@functools.lru_cache(maxsize=64)
def _score(level: float) -> float:
    """What the largest eigenvalue of noise exceeds with this chance, in its own units."""
    return float(tracy_widom(1).quantile(1 - level))


def _largest_of(bulk: _Bulk) -> tuple[float, float, float]:
    """Centre and width of the largest eigenvalue's law, and how much narrower it is for a trace that is known."""
    size = float(bulk.left)
    centre, scale = (float(one) for one in _largest()(size, bulk.samples, bulk.spread, bulk.noise))
    variance = float(_trace()(centre, bulk.samples, size, bulk.spread))
    share = variance / scale**2 / tracy_widom(1).variance
    return centre, scale, float(np.sqrt(1 - min(share, _MOST_SHARE)))


def _result(
    spectrum: Spectrum, bulk: _Bulk, counted: tuple[int, Array, float], family: str, level: float
) -> SpectrumFit:
    count, p_values, following = counted
    low, high = (float(one) for one in edges()(bulk.ratio, bulk.spread, bulk.noise))
    inside = np.maximum(spectrum.values[:count], high * (1 + 1e-12))
    spikes, overlaps, errors = (
        np.atleast_1d(one) for one in _outside()(inside, bulk.ratio, bulk.spread, bulk.noise, bulk.samples)
    )
    just, _, _ = _outside()(high * (1 + 1e-12), bulk.ratio, bulk.spread, bulk.noise, bulk.samples)
    limit, _, _ = _outside()(
        max(critical(level, bulk), high * (1 + 1e-12)), bulk.ratio, bulk.spread, bulk.noise, bulk.samples
    )
    noise_error, ratio_error = (
        float(one) for one in _errors()(bulk.noise, bulk.spread, bulk.samples, float(bulk.left), bulk.ratio)
    )
    return SpectrumFit(
        noise=bulk.noise,
        noise_error=noise_error,
        ratio=bulk.ratio,
        ratio_error=0.0 if bulk.fixed else ratio_error,
        spread=bulk.spread,
        components=count,
        p_values=p_values,
        outliers=spectrum.values[:count],
        spikes=spikes,
        spike_errors=errors,
        overlaps=np.clip(overlaps, 0.0, 1.0),
        next_p_value=following,
        edges=(low, high),
        threshold=float(just),
        detection_limit=float(limit),
        hard_threshold=bulk.noise * float(hard()(bulk.ratio)) ** 2,
        samples=bulk.samples,
        dimensions=spectrum.values.size,
        family=family,
        level=level,
        constant_features=spectrum.constant,
    )


def _spikes(outliers: Array, bulk: _Bulk) -> Array:
    """Population eigenvalues behind outliers; one inside the bulk takes nothing from it."""
    if outliers.size == 0:
        return outliers
    high = float(edges()(bulk.ratio, bulk.spread, bulk.noise)[1]) * (1 + 1e-12)
    found = np.asarray(
        _outside()(np.maximum(outliers, high), bulk.ratio, bulk.spread, bulk.noise, bulk.samples)[0]
    )
    return np.minimum(found, outliers)


_c, _q, _v, _n, _p, _x = (
    theory.RATIO, theory.SPREAD, theory.NOISE, theory.SAMPLES, theory.DIMENSIONS, theory.VALUE
)  # fmt: skip
_outside = compiled(
    "outside", (_x, _c, _q, _v, _n), theory.spike_behind, theory.overlap_behind, theory.deviation_behind
)
_second = compiled(
    "second", (_p, _v, _n, theory.SPIKES, theory.SQUARES), theory.spread_from, theory.samples_from
)
_largest = compiled("largest", (_p, _n, _q, _v), theory.largest_centre, theory.largest_scale)
_trace = compiled("trace", (_x, _n, _p, _q), theory.trace_variance)
_errors = compiled("errors", (_v, _q, _n, _p, _c), theory.noise_error, theory.ratio_error)
