"""What cross-validated PCA and plain PCA find on average, rank by rank, in the limit of many units and stimuli."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.representation import curve
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError, InternalError
from widelimit.theory.representation import crossvalidation as theory

Array = np.ndarray
LEAST_STIMULI = 3
_MASS = 1e-4  # of an eigenvalue that a panel may miss
_UNSEEN = 1e-30  # of the largest eigenvalue: what is smaller has no part in any sum


@by_value
@dataclass(frozen=True)
class ExpectedPCA:
    """Expectations by rank, from the first: as many as there are units or stimuli, whichever are fewer.

    `cross_validated` is what (X_1 u_n).(X_2 u_n)/T tends to, u_n the principal axes of the first repeat; `sample` the
    eigenvalues of that repeat's sample covariance.
    """

    cross_validated: Array
    sample: Array


def expected_cvpca(eigenvalues: Any, *, noise: Any, stimuli: int) -> ExpectedPCA:
    """Expect cross-validated PCA of Gaussian responses: signal plus fresh noise in each of two repeats.

    The exact limit of many units and stimuli (`theory.representation.crossvalidation`); rank n is the n-th unit of
    spectral mass from the top. Deviations at finite size are of order one over the size; the first two or three ranks
    fluctuate by sqrt(2/T). Takes milliseconds, a tenth of a second for 10,000 units.

    Args:
        eigenvalues: of the signal's covariance, in any order, one for each unit.
        noise: variance of the noise of one repeat: a number, the same for all units; one number for each eigenvalue,
            along its direction; or the covariance matrix in the basis of the signal's eigenvectors.
        stimuli: how many were shown, T. Where means over stimuli are subtracted there are T - 1.

    Raises `ArgumentError` for eigenvalues or noise below zero, and for fewer than three stimuli.

    >>> spectrum = np.arange(1, 501.0) ** -1.04
    >>> found = expected_cvpca(spectrum, noise=0.02, stimuli=400)
    >>> [round(float(value), 6) for value in (found.cross_validated[29], found.cross_validated[99], found.sample[29])]
    [0.029105, 0.011125, 0.095612]
    """
    signal = arguments.vector("eigenvalues", arguments.non_negative("eigenvalues", eigenvalues))
    count = arguments.count("stimuli", stimuli, LEAST_STIMULI)
    both = _together(signal, noise)
    most = costs.affordable(
        "stimuli", min(signal.size, count), memory=32.0, seconds=3e-6 * signal.size**0.8, each="rank"
    )
    return _expected(*both, float(count), most)


def _together(signal: Array, noise: Any) -> tuple[Array, Array]:
    """Eigenvalues of one repeat's covariance, decreasing, and the signal's variance along their directions."""
    added = arguments.real("noise", noise)
    if added.ndim == 2:
        return _rotated(signal, added)
    if added.ndim > 1 or (added.ndim == 1 and added.shape != signal.shape):
        must = f"must be a number, {signal.size} numbers or a covariance matrix of that size"
        raise ArgumentError("noise", must, but=f"has shape {added.shape}")
    added = arguments.non_negative("noise", added)
    with np.errstate(over="ignore"):
        total = signal + added
    order = np.argsort(-total, kind="stable")
    return total[order], signal[order]


def _rotated(signal: Array, noise: Array) -> tuple[Array, Array]:
    if noise.shape != (signal.size, signal.size):
        must = f"must have {signal.size} rows and columns, one for each eigenvalue"
        raise ArgumentError("noise", must, but=f"has shape {noise.shape}")
    size = float(np.abs(noise).max())
    if np.abs(noise - noise.T).max() > 1e-10 * size:
        raise ArgumentError("noise", "must be a symmetric covariance matrix", but="is not symmetric")
    if size > 0 and float(np.linalg.eigvalsh(noise / size)[0]) < -1e-10:
        raise ArgumentError("noise", "must be a covariance matrix", but="has an eigenvalue below zero")
    total, directions = np.linalg.eigh(np.diag(signal) + (noise + noise.T) / 2)
    along = (directions**2 * signal[:, None]).sum(axis=0)
    return np.maximum(total[::-1], 0.0), np.minimum(along[::-1], np.maximum(total[::-1], 0.0))


def _expected(total: Array, signal: Array, stimuli: float, most: int) -> ExpectedPCA:
    """Ranks of a spectrum that decreases; units in which its largest is one."""
    largest = float(total[0])
    if not np.isfinite(largest) or largest > 1e150:
        raise ArgumentError(
            "eigenvalues", "must be below 1e150", largest, "Choose units in which they are near 1."
        )
    crossed, sample = np.zeros(most), np.zeros(most)
    if largest == 0.0:
        return ExpectedPCA(crossed, sample)
    seen = int((total > _UNSEEN * largest).sum())
    scales, counts, along = _merged(total[:seen] / largest, signal[:seen] / largest)
    there = min(most, seen)
    x, cv, wrong = curve.per_rank(scales, counts, along, stimuli, there)
    if not wrong < _MASS:  # no spectrum is known that does this
        raise InternalError(f"The mass of the sample spectrum is wrong by {wrong:.2g} eigenvalues.")
    sample[:there], crossed[:there] = x * largest, cv * largest
    return ExpectedPCA(crossed, sample)


def _merged(total: Array, signal: Array) -> tuple[Array, Array, Array]:
    """Equal eigenvalues once, with how many there are and the mean of their signals."""
    starts = np.flatnonzero(np.concatenate([[True], np.diff(total) != 0]))
    counts = np.diff(np.append(starts, total.size)).astype(float)
    return total[starts], counts, np.add.reduceat(signal, starts) / counts


@by_value
@dataclass(frozen=True)
class Spike:
    """One direction of the signal in white noise: arrays of the arguments' common shape.

    `sample` and `cross_validated` eigenvalue, the latter 0 below `threshold`, where the direction is lost: `sample` is
    then the upper end of the noise's bulk. `seen`: whether it is above.
    """

    sample: Any
    cross_validated: Any
    threshold: Any
    seen: Any


@functools.cache
def _spike() -> Compiled:
    return compile(
        (theory.spike_sample(), theory.spike_cross_validated(), theory.spike_threshold()),
        (theory.SPIKE, theory.NOISE, theory.ASPECT),
        name="cvpca_spike",
    )


@functools.cache
def _inverse() -> Compiled:
    return compile(
        theory.spike_inverse(), (theory.READ, theory.NOISE, theory.ASPECT), name="cvpca_spike_inverse"
    )


def spike(variance: Any, *, noise: Any, aspect: Any) -> Spike:
    """Expect PCA of one signal direction of a variance in white noise; `aspect` is units over stimuli, N/T.

    >>> found = spike(4.0, noise=1.0, aspect=2.0)
    >>> found.sample, found.cross_validated, spike(1.0, noise=1.0, aspect=2.0).cross_validated
    (7.5, 3.5, 0.0)
    >>> round(found.threshold, 9), found.seen
    (1.414213562, True)
    """
    given = arguments.broadcast(
        variance=arguments.non_negative("variance", variance),
        noise=arguments.positive("noise", noise, "Without noise there is nothing to correct."),
        aspect=arguments.positive("aspect", aspect),
    )
    for name, value in zip(("variance", "noise", "aspect"), given, strict=True):
        arguments.near_one(name, value, 70)  # formulas square what they get
    level, sigma2, beta = given
    (*_, threshold) = _spike()(np.ones(level.shape), sigma2, beta)
    at = np.maximum(level, threshold)
    sample, crossed, _ = _spike()(at, sigma2, beta)
    seen = np.asarray(level > threshold)
    crossed = np.where(seen, crossed, 0.0)
    return Spike(*(arguments.scalar(np.asarray(one)) for one in (sample, crossed, threshold, seen)))


def spike_variance(cross_validated: Any, *, noise: Any, aspect: Any) -> Any:
    """Return the variance behind a cross-validated eigenvalue of one direction in white noise: the inverse of `spike`.

    >>> spike_variance(3.5, noise=1.0, aspect=2.0)
    4.0
    """
    given = arguments.broadcast(
        cross_validated=arguments.non_negative("cross_validated", cross_validated),
        noise=arguments.positive("noise", noise),
        aspect=arguments.positive("aspect", aspect),
    )
    for name, value in zip(("cross_validated", "noise", "aspect"), given, strict=True):
        arguments.near_one(name, value, 70)  # formulas square what they get
    return arguments.scalar(np.asarray(_inverse()(*given)))
