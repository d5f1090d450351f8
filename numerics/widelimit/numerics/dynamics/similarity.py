"""Canonical correlations of two sets of signals, and those that chance gives, white or smooth."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import integrate
from scipy.linalg import toeplitz

from widelimit.numerics import arguments, costs, ridge
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory.dynamics import similarity as theory
from widelimit.theory.errors import ArgumentError, CertainWarning, DataWarning

Array = np.ndarray
_ROUNDING = 1e-10  # of the largest eigenvalue: what may be negative by rounding
_EXACT = 4096  # samples up to which the temporal covariance is diagonalised
_SHORT = 256  # samples of a stretch that stands for all, where it does
_LINEAR = 1e-7  # of the signals: what half a stretch may give otherwise


@by_value
@dataclass(frozen=True)
class Similarity:
    """`correlations` r_1 >= r_2 >= ... of p <= q signals in `samples` samples; of what was regressed out, less."""

    correlations: Array
    samples: int
    p: int
    q: int

    @property
    def mean_square(self) -> float:
        """The mean of r^2."""
        return float(np.mean(self.correlations**2))

    @property
    def mean(self) -> float:
        """The mean of r."""
        return float(np.mean(self.correlations))

    @property
    def largest(self) -> float:
        """The largest correlation."""
        return float(self.correlations[0])

    @property
    def smallest(self) -> float:
        """The smallest correlation."""
        return float(self.correlations[-1])

    def null(self, *, autocorrelation: Any = None, trials: int = 1) -> Null:
        """Return `cca_null` for as many samples and signals."""
        return cca_null(self.samples, self.p, self.q, autocorrelation=autocorrelation, trials=trials)


@by_value
@dataclass(frozen=True)
class Null:
    """What independent signals have: `mean_square` of r, and the share `atom` of correlations that are 1 by counting.

    `mean` of r, `largest` and `smallest` are those of white signals, None for smooth ones. `degrees`: how many
    independent samples there are, (sum b_k)^2 / sum b_k^2; of white signals all.
    """

    mean_square: float
    mean: float | None
    largest: float | None
    smallest: float | None
    atom: float
    degrees: float


def cca(x: Any, y: Any, *, given: Any = None, components: int | None = None) -> Similarity:
    """Return the canonical correlations of two sets of signals; no mean is removed.

    Args:
        x: samples times signals, (n, p), or trials times samples times signals.
        y: the same of other signals at the same times.
        given: signals that both share for a known reason (their input), regressed out of both first.
        components: keep so many principal components of each first (singular-vector CCA).

    Raises `ArgumentError` for shapes that do not fit, or signals that are zero. Warns (`DataWarning`) of signals that
    depend on each other, which count as fewer, and (`CertainWarning`) where p + q exceeds the samples: p + q - n of
    the correlations are then 1 whatever the data.

    >>> t = np.linspace(0, 6, 50)
    >>> found = cca(np.stack([np.sin(t), np.cos(t)], 1), np.stack([np.sin(t + 1), t**2], 1))
    >>> round(found.largest, 6), found.p, found.samples
    (1.0, 2, 50)
    """
    first, second = (
        _signals(name, value, together=components is not None) for name, value in (("x", x), ("y", y))
    )
    if len(first) != len(second):
        raise ArgumentError("y", f"must have {len(first)} samples, as x has", but=f"has {len(second)}")
    free = len(first)
    if given is not None:
        known = _basis("given", _signals("given", given), None)
        if len(known) != free:
            raise ArgumentError("given", f"must have {free} samples, as x has", but=f"has {len(known)}")
        free -= known.shape[1]
        first, second = (signals - known @ (known.T @ signals) for signals in (first, second))
    one, other = _basis("x", first, components), _basis("y", second, components)
    p, q = sorted((one.shape[1], other.shape[1]))
    found = np.linalg.svd(one.T @ other, compute_uv=False)
    _warn_certain(free, p, q)
    return Similarity(np.minimum(found, 1.0), free, p, q)


def cca_null(
    samples: int,
    p: int,
    q: int,
    *,
    autocorrelation: Any = None,
    trials: int = 1,
) -> Null:
    """Return what canonical correlations of independent signals are: Wachter's law, or that of smooth signals (new).

    Signals that are smooth in time have fewer independent samples than samples: with eigenvalues b_k of the temporal
    covariance E r^2 = (1/p) sum_k pi_k(p) pi_k(q), pi_k(m) = b_k/(b_k + kappa_m), sum_k pi_k(m) = m, up to O(1/p).

    Args:
        samples: n, in all trials together.
        p, q: numbers of signals.
        autocorrelation: of every signal at lags 0, 1, 2, ... (zero beyond its end), or a function of an array of lags;
            white if left out. Only its shape counts.
        trials: samples are so many independent stretches of equal length.

    Raises `ArgumentError` for more signals than samples, trials that do not divide the samples, or an autocorrelation
    that is not positive definite. Warns (`CertainWarning`) where p + q exceeds the samples (`atom`).

    >>> white = cca_null(1000, 100, 150)
    >>> round(white.mean, 8), round(white.smallest, 8), round(white.largest, 8), white.mean_square
    (0.35557804, 0.07587587, 0.65897106, 0.15)
    >>> round(cca_null(400, 20, 30, autocorrelation=lambda lag: 0.9**lag).mean_square, 6)
    0.406818
    """
    n = costs.affordable("samples", arguments.count("samples", samples), memory=1e-6, each="sample")
    p, q = sorted((arguments.count("p", p), arguments.count("q", q)))
    if q > n:
        raise ArgumentError("samples", f"must be at least {q}, the larger number of signals", samples)
    parts = arguments.count("trials", trials)
    if n % parts:
        raise ArgumentError("trials", f"must divide the {n} samples", trials)
    _warn_certain(n, p, q)
    a, b = p / n, q / n
    atom = _atom(p, q, n)
    if autocorrelation is None:
        low, high = (1.0, 1.0) if q == n else (float(edge) for edge in _edges().njit(a, b))
        mean = atom + (_mean(a, low, high) if q < n else 0.0)
        return Null(float(_white().njit(b)), mean, 1.0 if atom else high, low, atom, float(n))
    row = _row(autocorrelation, n // parts)
    lags = np.arange(row.size)
    degrees = n / float(1 + 2 * ((1 - lags[1:] / row.size) * row[1:] ** 2).sum())
    linear = _linear(row, p, q, parts) if row.size > _SHORT and q < n else None
    found, ridges = linear or _whole(row, p, q, parts)
    shared = np.asarray(_shared()(found.values, *ridges))
    square = parts * float(shared @ found.weights) / p
    return Null(min(square, 1.0), None, None, None, atom, degrees)


def autocorrelation(x: Any) -> Array:
    """Return the mean autocorrelation of signals at lags 0, 1, ..., each of them scaled to the same mean square.

    The sum over pairs is divided by all samples, whatever the lag, so that what comes out is positive definite; lags
    that are not short against the samples come out too small. Where the autocorrelation is known, take it instead.

    Args:
        x: samples times signals, or trials times samples times signals: lags do not reach into another trial.

    >>> autocorrelation(np.array([[1.0], [-1.0], [1.0], [-1.0]]))
    array([ 1.  , -0.75,  0.5 , -0.25])
    """
    signals = _signals("x", x)
    power = np.sqrt((signals**2).mean(0))
    if not (power > 0).any():
        raise ArgumentError("x", "must have signals that are not zero", but="has none")
    length = np.shape(x)[-2]
    signals = signals[:, power > 0] / power[power > 0]
    padded = np.zeros((len(signals) // length, 2 * length, signals.shape[1]))
    padded[:, :length] = signals.reshape(-1, length, signals.shape[1])
    found = np.fft.irfft((np.abs(np.fft.rfft(padded, axis=1)) ** 2).sum((0, 2)), 2 * length)[:length]
    return np.asarray(found / found[0])


def _signals(name: str, value: Any, *, together: bool = False) -> Array:
    """Signals as columns, each divided by its largest magnitude, which no canonical correlation feels.

    Principal components do feel it: `together` divides all by the same.
    """
    array = arguments.real(name, value)
    if array.ndim == 3:
        array = array.reshape(-1, array.shape[-1])
    if array.ndim != 2 or not array.size:
        must = "must be samples times signals, or trials times samples times signals"
        raise ArgumentError(name, must, but=f"has shape {np.shape(value)}")
    largest = np.abs(array).max(None if together else 0)
    return np.asarray(array / np.where(largest > 0, largest, 1.0))


def _basis(name: str, signals: Array, components: int | None) -> Array:
    """Orthonormal columns that span the signals, or their first principal components."""
    left, values, _ = np.linalg.svd(signals, full_matrices=False)
    rank = int((values > max(signals.shape) * 4e-16 * max(values[0], 1e-10)).sum())
    if not rank:
        raise ArgumentError(name, "must have signals that are not zero", but="has none")
    if components is not None:
        rank = min(rank, arguments.count("components", components))
    elif rank < signals.shape[1]:
        text = f"Signals of `{name}` depend on each other: {signals.shape[1]} of them span {rank} dimensions."
        warnings.warn(text, DataWarning, stacklevel=3)
    return np.asarray(left[:, :rank])


def _warn_certain(n: int, p: int, q: int) -> None:
    if p + q > n:
        text = (
            f"{p} and {q} signals in {n} samples: {min(p, p + q - n)} of the {p} canonical correlations are 1 whatever "
            "the data. Take more samples or fewer components."
        )
        warnings.warn(text, CertainWarning, stacklevel=3)


def _atom(p: int, q: int, n: int) -> float:
    """The share of correlations that are 1 by counting.

    >>> _atom(20, 40, 50)
    0.5
    """
    return float(_certain().njit(p, q, n))


def _mean(a: float, low: float, high: float) -> float:
    """E r of white signals less what has r = 1, by quadrature in r = middle + half cos(angle)."""
    density, middle, half = _density().njit, (low + high) / 2, (high - low) / 2

    def at(angle: float) -> float:
        r = min(max(middle + half * math.cos(angle), low), high)
        if not low < r < high or r >= 1.0:
            return 0.0
        return 2 * r * r * float(density(a, low, high, r * r)) * half * math.sin(angle)

    if half <= 1e-12 * middle:
        return 0.0
    return float(integrate.quad(at, 0, math.pi, epsabs=1e-13, epsrel=1e-12, limit=300)[0])


def _row(given: Any, length: int) -> Array:
    """The checked first row of the temporal covariance of one trial, 1 at lag 0."""
    if callable(given):
        given = _called(given, length)
    lags = arguments.vector("autocorrelation", given)[:length]
    if not lags[0] > 0 or np.abs(lags).max() > lags[0]:
        must = "must have its largest magnitude, above 0, at lag 0"
        raise ArgumentError("autocorrelation", must, but=f"is {lags[0]:.4g} there")
    costs.affordable("samples", length, memory=64.0, each="sample")
    row = np.zeros(length)
    row[: lags.size] = lags / lags[0]
    return row


@by_value
@dataclass(frozen=True)
class _Spectrum:
    """Positive eigenvalues of the temporal covariance of one trial, each counted `weights` times."""

    values: Array
    weights: Array

    @property
    def count(self) -> float:
        """How many there are."""
        return float(self.weights.sum())


def _modes(row: Array) -> _Spectrum:
    """All eigenvalues."""
    values = _split(row) if row.size <= _EXACT else _circulant(row)
    if values.min() < -_ROUNDING * values.max():
        must, help = (
            "must be positive definite",
            "No signals have it: take a function that falls smoothly to 0.",
        )
        ratio = values.min() / values.max()
        raise ArgumentError(
            "autocorrelation", must, but=f"has an eigenvalue of {ratio:.2g} times the largest", help=help
        )
    values = values[values > 1e-15 * values.max()]
    return _Spectrum(values, np.ones(values.size))


def _whole(row: Array, p: int, q: int, parts: int) -> tuple[_Spectrum, Array]:
    """All eigenvalues, and the effective ridges of p and q signals."""
    found = _modes(row)
    return found, _ridges(found, p, q, parts)


def _linear(row: Array, p: int, q: int, parts: int) -> tuple[_Spectrum, Array] | None:
    """The same from stretches of `_SHORT` samples and the symbol; None where that is not exact enough.

    Sums of a smooth function over the eigenvalues of a Toeplitz matrix grow by its mean over the symbol, the Fourier
    series of the row, with every sample, but for what both ends give (Szego's strong limit theorem). So the stretch
    counts once and the symbol for the other samples; half a stretch must give the same, at both ridges.
    """
    symbol = np.fft.rfft(np.concatenate([row, [0.0], row[:0:-1]])).real
    share = np.full(symbol.size, 1.0 / row.size)
    share[[0, -1]] *= 0.5
    if symbol.min() <= _ROUNDING * symbol.max():
        return None
    short, half = (_split(row[:size]) for size in (_SHORT, _SHORT // 2))
    if min(short.min(), half.min()) <= 0:
        return None
    found = _Spectrum(
        np.concatenate([symbol, short]),
        np.concatenate([share * (row.size - short.size), np.ones(short.size)]),
    )
    ridges, held = _ridges(found, p, q, parts), _shared()
    for count, kappa in zip((p, q), ridges, strict=True):
        one, other, mean = (np.asarray(held(values, kappa, 0.0)) for values in (half, short, symbol))
        grown = float(one.sum() + (short.size - half.size) * (mean @ share))
        if abs(grown - other.sum()) > _LINEAR * count / parts:
            return None
    return found, ridges


def _called(function: Callable[..., Any], length: int) -> Any:
    try:
        return function(np.arange(length))
    except Exception as error:
        raise ArgumentError(
            "autocorrelation",
            "must be a function of an array of lags",
            but=f"raised {type(error).__name__}: {error}",
        ) from None


def _split(row: Array) -> Array:
    """Eigenvalues of a symmetric Toeplitz matrix from its even and odd vectors, each a matrix of half the size."""
    n, half = row.size, row.size // 2
    if n == 1:
        return row.copy()
    upper = toeplitz(row[:half])
    index = np.arange(half)
    mirrored = row[n - 1 - index[:, None] - index[None, :]]
    even, odd = upper + mirrored, upper - mirrored
    if n % 2:
        middle = math.sqrt(2.0) * row[half - index]
        even = np.block([[even, middle[:, None]], [middle[None, :], np.full((1, 1), row[0])]])
    return np.concatenate([np.linalg.eigvalsh(even), np.linalg.eigvalsh(odd)])


def _circulant(row: Array) -> Array:
    """Eigenvalues of the circulant matrix closest to a long Toeplitz matrix, whose spectrum has the same limit."""
    n = row.size
    lag = np.arange(n)
    first = ((n - lag) * row + lag * np.concatenate([[0.0], row[:0:-1]])) / n
    return np.asarray(np.fft.fft(first).real)


def _ridges(modes: _Spectrum, p: int, q: int, parts: int) -> Array:
    """The effective ridges kappa with sum pi_k = p and = q over all trials, p <= q."""
    whole = round(modes.count, 6) * parts
    if q > whole:
        must = f"must have at least {-(-q // parts)} modes, as many as there are signals"
        raise ArgumentError(
            "autocorrelation", must, but=f"has {modes.count:.0f}: all signals lie in their span"
        )
    counts, ridges = np.array([p, q]), np.zeros(2)
    fewer = counts < whole  # as many signals as modes leave nothing to be ridged
    if fewer.any():
        found = ridge.solve(
            eigenvalues=modes.values,
            weights=modes.weights / modes.count,
            signal=np.ones(modes.values.size),
            sample_ratio=counts[fewer] / whole,
            penalty=0.0,
        )
        ridges[fewer] = found.effective_ridge
    return ridges


@functools.cache
def _edges() -> Compiled:
    return compile([theory.lowest(), theory.highest()], (theory.FIRST, theory.SECOND), name="wachter_edges")


@functools.cache
def _density() -> Compiled:
    t = theory
    return compile(t.similarity_density(), (t.FIRST, t.LOWEST, t.HIGHEST, t.SQUARE), name="wachter_density")


@functools.cache
def _certain() -> Compiled:
    return compile(theory.certain(), (theory.FEWER, theory.MORE, theory.SAMPLES), name="certain")


@functools.cache
def _white() -> Compiled:
    return compile(theory.white_mean_square(), (theory.SECOND,), name="white_mean_square")


@functools.cache
def _shared() -> Compiled:
    return compile(
        theory.shared_square(), (theory.TEMPORAL, theory.RIDGE, theory.RIDGE_2), name="shared_square"
    )
