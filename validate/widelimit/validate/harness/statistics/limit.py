"""From replicates at several sizes to the limit, with an honest standard error.

The law is ``y(N) = limit + slope N^-gamma``. Weighted least squares gives ``limit = sum_j c_j y_j`` from the
size means y_j. The weights are those of replicates whose variance falls as N^-kappa, with kappa in {0, 1, 2}
read off the pilot, so that the c_j are no functions of the noise that the standard error is estimated from.
(Weights 1/s_j^2 would prefer the size whose variance came out small by chance, and understate the error.)

The standard error is not taken from the weights: ``se^2 = sum_j c_j^2 s_j^2 / T_j`` holds whatever the
variances are, with Satterthwaite's degrees of freedom (Biometrics Bulletin 2, 1946). After a two-stage
plan, s_j^2 is the sum of squares that the second stage added, over ``T - pilot``: given the pilot, which
fixed T and the c_j, it is an unbiased chi^2, independent of the mean. Hence the t-interval is exact for
normal replicates (up to Satterthwaite's approximation), however the pilot chose T.

Where the theory says how far a finite system is from the limit (`Claim.predict_at`), that shift is taken off the means
first. What is left has no slope: the law is the constant ``y(N) - shift(N) = limit``, of bias O(N^-2gamma), and all
sizes are pooled by the same weights. Extrapolation costs a factor of 3 to 10 in the standard error, which that saves.

Everything is vectorised over the trailing axes of the samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from scipy import special

from widelimit.numerics.results import by_value

ROUNDING = 1e-12  # a deviation from the law below this share of the data is arithmetic, not physics


@by_value
@dataclass(frozen=True)
class Estimate:
    """Limits of rows (arrays of one shape; `means` and `errors` have the sizes in front).

    `lack_of_fit` is the p-value of the law against one with a further term N^-2gamma (with three sizes: the
    chi^2 of the residual), and `shift` how far that term would move the limit; 1 and 0 where there are no more sizes
    than the law has coefficients. `means` are those of the replicates, as they are; the limit of pooled sizes has no
    `slope`.
    """

    limit: np.ndarray
    standard_error: np.ndarray
    degrees_of_freedom: np.ndarray
    slope: np.ndarray
    slope_error: np.ndarray
    lack_of_fit: np.ndarray
    shift: np.ndarray
    replicates: np.ndarray
    means: np.ndarray
    errors: np.ndarray

    @staticmethod
    def join(estimates: Sequence[Estimate]) -> Estimate:
        """Lay the rows of many points side by side; sizes, which differ between claims, are left out."""
        names = [field.name for field in fields(Estimate) if field.name not in ("means", "errors")]
        joined = {
            name: np.concatenate([np.atleast_1d(getattr(e, name)) for e in estimates]) for name in names
        }
        none = np.empty((0, *joined["limit"].shape))
        return Estimate(**joined, means=none, errors=none)


def extrapolate(
    samples: Sequence[np.ndarray],
    sizes: Sequence[int] = (),
    exponent: float = 1.0,
    *,
    pilot: int | None = None,
    location: Literal["mean", "median"] = "mean",
    shifts: np.ndarray | None = None,
) -> Estimate:
    """Estimate the limit of each row from ``samples[j]``, of shape (replicates, ...), at ``sizes[j]``.

    With no size or one, the limit is the location itself. `pilot` is the number of replicates (the first
    ones) that fixed how many there are; None where the number was fixed in advance. One replicate counts as
    exact. `shifts`, of shape (sizes, ...), are what the theory predicts of each size less its limit: the sizes are then
    pooled.

    >>> exact = [1.0 + 3.0 / n + np.zeros((4, 1)) for n in (10, 20, 40)]
    >>> estimate = extrapolate(exact, (10, 20, 40))
    >>> round(float(estimate.limit[0]), 9), round(float(estimate.slope[0]), 9)
    (1.0, 3.0)
    >>> pooled = extrapolate(exact, (10, 20, 40), shifts=3.0 / np.array([[10], [20], [40]]))
    >>> round(float(pooled.limit[0]), 9), float(pooled.slope[0])
    (1.0, 0.0)
    """
    located = [locate(np.asarray(one, dtype=float), pilot, location) for one in samples]
    means, variances, freedom = (np.stack(part) for part in zip(*located, strict=True))
    replicates = np.full(means.shape[1:], max(len(one) for one in samples))
    errors = np.sqrt(variances)
    if len(samples) == 1:
        zero, one = np.zeros_like(means[0]), np.ones_like(means[0])
        limit = means[0] if shifts is None else means[0] - shifts[0]
        return Estimate(limit, errors[0], freedom[0], zero, zero, one, zero, replicates, means, errors)

    fit = fitted(samples, sizes, exponent, pilot, pooled=shifts is not None)
    left = means if shifts is None else means - shifts
    limit, error, limit_freedom = combine(fit.for_limit, left, variances, freedom, fit.laws)
    slope, slope_error, _ = combine(fit.for_slope, left, variances, freedom, fit.laws)
    lack, shift = np.ones_like(limit), np.zeros_like(limit)
    if fit.for_curve is not None:
        curve, curve_error, curve_freedom = combine(fit.for_curve, left, variances, freedom, fit.laws)
        curve = np.where(np.abs(curve * fit.beyond).max(0) <= ROUNDING * np.abs(means).max(0), 0.0, curve)
        lack = two_sided(curve, curve_error, curve_freedom)
        shift = np.abs(curve * fit.constant)
    return Estimate(limit, error, limit_freedom, slope, slope_error, lack, shift, replicates, means, errors)


@by_value
@dataclass(frozen=True)
class Fitted:
    """The linear combinations of size means that are the limit, the slope and the coefficient of the next order.

    All have the sizes in front. The next order is ``beyond``, the part of N^-2gamma that the law cannot follow, and
    would move the limit by ``constant`` times its coefficient; None where there are no more sizes than the law has
    coefficients (two, or the limit alone where sizes are pooled). `laws`: how variances of size means may fall.
    """

    for_limit: np.ndarray
    for_slope: np.ndarray
    for_curve: np.ndarray | None
    beyond: np.ndarray
    constant: np.ndarray
    laws: Sequence[np.ndarray]


def fitted(
    samples: Sequence[np.ndarray],
    sizes: Sequence[int],
    exponent: float,
    pilot: int | None,
    *,
    pooled: bool = False,
    counts: np.ndarray | None = None,
) -> Fitted:
    """Weighted least squares of ``limit + slope N^-exponent`` at two sizes or more; without slope if `pooled`.

    `counts`: how many replicates there are to be of each size, (sizes, ...); default: as many as there are.

    >>> pair = [np.zeros((2, 1)), np.zeros((2, 1))]
    >>> fitted(pair, (1, 3), 1.0, None, pooled=True).for_limit.ravel().round(9).tolist()
    [0.25, 0.75]
    """
    column = (-1,) + (1,) * (np.ndim(samples[0]) - 1)
    z = (np.asarray(sizes, dtype=float) ** -exponent).reshape(column)
    if counts is None:
        counts = np.array([len(one) for one in samples], dtype=float).reshape(column)
    laws = [law / counts for law in _variance_laws(samples, sizes, pilot)]
    weights = 1 / laws[0]
    weights = weights / weights.sum(0)
    center = (weights * z).sum(0)
    for_slope = weights * (z - center) / (weights * (z - center) ** 2).sum(0) * (not pooled)
    for_limit = weights - center * for_slope
    constant = (for_limit * z**2).sum(0)
    beyond = z**2 - constant - (for_slope * z**2).sum(0) * z
    coefficients = 1 if pooled else 2
    further = len(samples) > coefficients
    for_curve = weights * beyond / (weights * beyond**2).sum(0) if further else None
    return Fitted(for_limit, for_slope, for_curve, beyond, constant, laws)


def tail(difference: np.ndarray, error: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Probability that Student's t exceeds difference / error; with no error, 0 if it is positive, else 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, difference / error, np.where(difference > 0, np.inf, -np.inf))
    return special.stdtr(freedom, -t)


def two_sided(difference: np.ndarray, error: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Two-sided p-value of a difference from 0."""
    return np.minimum(1.0, 2 * tail(np.abs(difference), error, freedom))


def quantile(probability: np.ndarray | float, freedom: np.ndarray) -> np.ndarray:
    """The value that Student's t exceeds with this (small) probability."""
    return -special.stdtrit(freedom, probability)


def median_variance(samples: np.ndarray) -> np.ndarray:
    """Variance of the sample median along the first axis: the bootstrap's, in closed form (Maritz and
    Jarrett 1978).

    >>> float(median_variance(np.array([1.0, 1.0, 1.0])))
    0.0
    """
    n = len(samples)
    half = (n + 1) / 2
    steps = np.diff(special.betainc(half, half, np.arange(n + 1) / n))
    ordered = np.sort(samples, axis=0)
    ordered = (
        ordered - ordered[n // 2]
    )  # differences from the middle, so that the subtraction below keeps its digits
    first, second = np.tensordot(steps, ordered, 1), np.tensordot(steps, ordered**2, 1)
    return np.maximum(second - first**2, 0.0)


def locate(
    samples: np.ndarray, pilot: int | None, location: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean or median of the replicates, the variance of that, and its degrees of freedom.

    The bootstrap's variance of a median scatters by 2 / (1 + sqrt n), relatively and squared, not by 2 / (n
    - 1).
    """
    count = len(samples)
    first = count if pilot is None else min(pilot, count)  # replicates that fixed how many there are
    staged = first < count
    center = np.median(samples, axis=0) if location == "median" else samples.mean(0)
    if count == 1:
        return center, np.zeros_like(center), np.full_like(center, np.inf)
    if location == "median":
        used = samples[first:] if staged else samples
        scatter = median_variance(used) * len(used) / count
        return center, scatter, np.full_like(center, min(len(used) - 1.0, 1 + len(used) ** 0.5))
    squares, freedom = ((samples - center) ** 2).sum(0), count - 1.0
    if staged:
        known = samples[:first]
        squares = np.maximum(squares - ((known - known.mean(0)) ** 2).sum(0), 0.0)
        freedom = float(count - first)
    variance = squares / freedom / count
    variance = np.where(np.sqrt(variance) <= 1e-3 * ROUNDING * np.abs(center), 0.0, variance)
    return center, variance, np.full_like(center, freedom)


def _variance_laws(
    samples: Sequence[np.ndarray], sizes: Sequence[int], pilot: int | None
) -> list[np.ndarray]:
    """How a replicate's variance may fall with size, up to a factor; the weights go by the first.

    The pilot tells which of 1, 1/N, 1/N^2 it is. Without one nothing may be read off the data that the
    error comes from: then it is 1/N, as for a mean over N units, and the other two are kept as
    possibilities.
    """
    shape = np.shape(samples[0])[1:]
    logs = np.log(np.asarray(sizes, dtype=float)).reshape((-1,) + (1,) * len(shape))
    logs = logs - logs.mean()
    if pilot is None:
        return [np.exp(-kappa * logs) * np.ones(shape) for kappa in (1, 0, 2)]
    variances = np.stack([np.asarray(one, dtype=float)[:pilot].var(0) for one in samples])
    safe = (variances > 0).all(0)
    slope = (logs * np.log(np.where(safe, variances, 1.0))).sum(0) / (logs**2).sum()
    return [np.exp(-logs * np.where(safe, np.clip(np.rint(-slope), 0, 2), 0.0))]


def combine(
    factors: np.ndarray,
    means: np.ndarray,
    variances: np.ndarray,
    freedom: np.ndarray,
    laws: Sequence[np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A linear combination of the size means, its standard error and the degrees of freedom of that.

    Satterthwaite's formula with the measured variances alone gives most degrees of freedom where a variance
    came out small by chance, which inflates the far tails that multiplicity needs; hence the least over the
    laws, too.
    """
    total = (factors**2 * variances).sum(0)
    candidates = [_satterthwaite(factors**2 * one, freedom) for one in (variances, *laws)]
    effective = np.where(total > 0, np.minimum.reduce(candidates), np.inf)
    return (factors * means).sum(0), np.sqrt(total), effective


def _satterthwaite(parts: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Degrees of freedom of a sum of independent variances."""
    spread = (parts**2 / freedom).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, parts.sum(0) ** 2 / spread, np.inf)
