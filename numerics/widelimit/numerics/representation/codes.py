"""What is measured of responses: cross-validated spectra, exponents, and a penalty on spectra."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.theory.representation import codes as theory

Array = np.ndarray
FEWEST = 5  # ranks of a fit


@by_value
@dataclass(frozen=True)
class PowerLawFit:
    """A line through logarithms: eigenvalue = exp(intercept) n^-exponent.

    `standard_error` of the exponent, by the scatter about the line. `dropped`: ranks of the range that were not
    positive. `ranks`: how many were fitted.
    """

    exponent: float
    intercept: float
    standard_error: float
    dropped: int
    ranks: int


def fit_exponent(eigenvalues: Any, *, first: int = 11, last: int = 500) -> PowerLawFit:
    """Fit n^-alpha to a spectrum as Stringer et al. (2019) do: least squares of logarithms with weights 1/n.

    Args:
        eigenvalues: by rank, from the first; those of cross-validated PCA can be negative.
        first: rank that the fit starts with, counted from 1.
        last: rank that it ends with, or the last that there is.

    Values that are not positive are dropped and counted: taking their absolute value would flatten the fit. Raises
    `ArgumentError` where fewer than five ranks are left.

    >>> fit = fit_exponent(np.arange(1, 501.0) ** -1.04)
    >>> round(fit.exponent, 12), fit.ranks, fit.dropped
    (1.04, 490, 0)
    """
    values = arguments.vector("eigenvalues", eigenvalues)
    start, stop = arguments.count("first", first), arguments.count("last", last)
    if stop < start + FEWEST - 1:
        raise ArgumentError(
            "last", f"must be at least {start + FEWEST - 1}", stop, "A fit takes five ranks or more."
        )
    ranks = np.arange(start, min(stop, values.size) + 1, dtype=float)
    inside = values[start - 1 : stop]
    good = inside > 0
    if good.sum() < FEWEST:
        but = f"has {int(good.sum())} positive ones from rank {start} to {min(stop, values.size)}"
        raise ArgumentError("eigenvalues", "must have five or more positive values in the fit", but=but)
    n, y = np.log(ranks[good]), np.log(inside[good])
    w = 1 / ranks[good]
    slope, intercept, error = _line(n, y, w)
    return PowerLawFit(-slope, intercept, error, int((~good).sum()), int(good.sum()))


def _line(x: Array, y: Array, w: Array) -> tuple[float, float, float]:
    """Weighted least squares: slope, intercept, and the slope's standard error."""
    middle, level = np.average(x, weights=w), np.average(y, weights=w)
    spread = float(np.sum(w * (x - middle) ** 2))
    slope = float(np.sum(w * (x - middle) * (y - level))) / spread
    left = y - level - slope * (x - middle)
    variance = float(np.sum(w * left**2)) / max(x.size - 2, 1)
    return slope, float(level - slope * middle), float(np.sqrt(variance / spread))


@by_value
@dataclass(frozen=True)
class CrossValidatedPCA:
    """Variances along the principal axes of the first repeat, by rank.

    `total` is that of the first repeat, `signal` what it shares with the second, and `noise` the difference. All are
    means over stimuli of squares; Stringer's code has their sums.
    """

    signal: Array
    total: Array
    noise: Array


def cvpca(first: Any, second: Any) -> CrossValidatedPCA:
    """Cross-validated PCA of two repeats of the same stimuli (Stringer et al. 2019).

    Each unit is centred over stimuli. Axes u_n are those of the first repeat, the signal is (X_1 u_n).(X_2 u_n)/T.

    Args:
        first: responses of one repeat, stimuli x units.
        second: of the other, the same stimuli and units in the same order.

    Raises `ArgumentError` for repeats of different shape, fewer than three stimuli, units that never respond.

    >>> rng = np.random.default_rng(0)
    >>> shared = rng.standard_normal((50, 20))
    >>> found = cvpca(shared, shared)
    >>> found.signal.shape, bool(np.allclose(found.noise, 0))
    ((20,), True)
    """
    one, other = pair(first, second)
    return cross(one, other)


def pair(first: Any, second: Any, times: int = 1) -> tuple[Array, Array]:
    """Return two repeats, checked and centred over stimuli; `times`: eigendecompositions that are to be paid for."""
    one, other = _responses("first", first), _responses("second", second)
    if one.shape != other.shape:
        must = f"must have the shape of `first`, {one.shape}"
        raise ArgumentError("second", must, but=f"has shape {other.shape}", help="Rows are the same stimuli.")
    for each, power in (({"memory": 64.0}, 2), ({"seconds": 3e-10 * times}, 3)):
        costs.affordable("first", min(one.shape), **each, power=power, each="unit")
    return one, other


def _responses(name: str, value: Any) -> Array:
    array = arguments.real(name, value)
    if array.ndim != 2:
        raise ArgumentError(name, "must be stimuli x units", but=f"has shape {array.shape}")
    if array.shape[0] < 3:
        raise ArgumentError(name, "must have three stimuli or more", but=f"has {array.shape[0]}")
    if array.shape[1] < 1:
        raise ArgumentError(name, "must have units", but=f"has shape {array.shape}")
    if np.abs(array).max() > 1e100:
        raise ArgumentError(name, "must have responses below 1e100", float(np.abs(array).max()))
    centred = array - array.mean(axis=0)
    still = (np.abs(centred) <= 1e-12 * np.abs(array).max(axis=0)).all(axis=0)
    if still.any():
        which = int(np.flatnonzero(still)[0])
        but = f"has {int(still.sum())} constant units, first unit {which}"
        raise ArgumentError(
            name, "must have units that respond", but=but, help="Leave them out of both repeats."
        )
    return centred


def cross(one: Array, other: Array) -> CrossValidatedPCA:
    """Cross-validated PCA of centred repeats, by the smaller of the two Gram matrices."""
    stimuli, units = one.shape
    if units < stimuli:
        values, axes = np.linalg.eigh(one.T @ one / stimuli)
        mixed = one.T @ other / stimuli
    else:
        values, axes = np.linalg.eigh(one @ one.T / stimuli)
        mixed = other @ one.T / stimuli
    most = min(stimuli - 1, units)
    total = np.maximum(values[::-1][:most], 0.0)
    signal = np.einsum("in,ij,jn->n", axes, mixed, axes, optimize=True)[::-1][:most]
    return CrossValidatedPCA(signal, total, total - signal)


@functools.cache
def _penalty() -> Compiled:
    target = compile(
        theory.penalty_target(),
        (theory.RANK, theory.ANCHOR, theory.ANCHORED, theory.EXPONENT),
        name="penalty_target",
    )
    return target


@functools.cache
def _term() -> Compiled:
    return compile(theory.penalty_term(), (theory.EXCESS,), name="penalty_term")


def spectral_penalty(eigenvalues: Any, *, anchor: int = 11, exponent: float = 1.0) -> float:
    """Penalty on what deviates from a power law through the anchor, averaged over all units (Nassar et al. 2020).

    (1/N) sum over n > anchor of (r - 1)^2 + max(0, r - 1), r = lambda_n/gamma_n, gamma_n = lambda_anchor
    (anchor/n)^alpha. Ranks count from 1 (their code's anchor of 10 is the eleventh); eigenvalues below zero, which are
    rounding, are skipped. `validate.representation.regulariser` is the same as a torch loss.

    >>> round(spectral_penalty(np.arange(1, 201.0) ** -0.5), 7), round(spectral_penalty(np.arange(1, 201.0) ** -1.5), 7)
    (6.2922085, 0.3879053)
    """
    values = arguments.vector("eigenvalues", eigenvalues)
    start = arguments.count("anchor", anchor)
    alpha = arguments.non_negative_number("exponent", exponent)
    if start >= values.size:
        raise ArgumentError("anchor", f"must be below the number of eigenvalues, {values.size}", start)
    if values[start - 1] <= 0:
        raise ArgumentError("eigenvalues", "must be positive at the anchor", float(values[start - 1]))
    ranks, beyond = np.arange(start + 1, values.size + 1, dtype=float), values[start:]
    with np.errstate(all="ignore"):
        target = np.asarray(_penalty()(ranks, float(start), float(values[start - 1]), alpha))
        kept = beyond >= 0
        ratio = beyond[kept] / target[kept]
        total = float(np.sum(_term()(ratio))) / values.size if kept.any() else 0.0
    if not np.isfinite(total):
        raise ArgumentError("exponent", "must give a target that floats hold", alpha, "Use a smaller one.")
    return total
