"""Are the residuals of a claim as large as their errors say? Sums of squares of rows that share networks.

A residual over its standard error follows Student's t where the theory is true; `normal` maps it to the normal
deviate of the same probability, so that the sum of squares of n rows has mean n whatever their degrees of freedom.
The rows of one point are read off the same networks: with the correlations C of a point, the sum has variance
``2 tr C^2``, more than the 2n of independent rows. So it is taken for g times a chi^2 of ``n / g`` degrees of freedom
with ``g = sum over points tr C^2 / n`` (Satterthwaite 1946; Box, Ann. Math. Statist. 25, 1954), which asks for no
inverse of C: there are often more rows than replicates. `overlap` estimates tr C^2 from the replicates that the limits
are combined from; the excess ``(1 - r^2)^2 / degrees of freedom`` that sampling noise adds to a squared correlation
r^2 is taken off.

Both tails count: residuals that are too small for their errors say that the errors are wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import special

from widelimit.validate.harness.outcome import Fit
from widelimit.validate.harness.statistics.limit import fitted

_FEW = 3  # degrees of freedom; with fewer nothing is known of correlations, and rows count as one


def normal(residual: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """The normal deviate that is as improbable as a residual of so many degrees of freedom.

    >>> normal(np.array([0.0, -2.0]), np.array([5.0, np.inf])).round(3) + 0.0
    array([ 0., -2.])
    """
    size = special.ndtri_exp(np.log(np.maximum(special.stdtr(freedom, -np.abs(residual)), 1e-300)))
    return np.sign(residual) * -size


def of_p(p_value: np.ndarray) -> np.ndarray:
    """The normal deviate, of no sign, of a two-sided p-value."""
    return -special.ndtri(np.clip(p_value, 1e-300, 1.0) / 2)


def overlap(
    samples: Sequence[np.ndarray],
    sizes: Sequence[int] = (),
    exponent: float = 1.0,
    *,
    pilot: int | None = None,
    location: Literal["mean", "median"] = "mean",
    curve: bool = False,
    pooled: bool = False,
    freedom: np.ndarray,
) -> float:
    """tr C^2 of the correlations C between the limits of a point's rows, which all have an error.

    ``samples[j]`` has shape (replicates, rows). `curve`: of the coefficients that test the finite-size law, instead of
    the limits. `pooled`: limits are those of `extrapolate` with shifts. `freedom`: degrees of freedom of the rows'
    standard errors.

    >>> same = np.random.default_rng(0).standard_normal((50, 1)) * np.ones(4)
    >>> overlap([same], freedom=np.full(4, 49.0))
    16.0
    """
    factors = np.ones((1, samples[0].shape[1]))
    if len(samples) > 1:
        fit = fitted(samples, sizes, exponent, pilot, pooled=pooled)
        factors = fit.for_limit if fit.for_curve is None or not curve else fit.for_curve
    covariance = np.zeros((factors.shape[1],) * 2)
    for one, factor in zip(samples, factors, strict=True):
        count = len(one)
        if count > 1:
            centred = np.sign(one - np.median(one, axis=0)) if location == "median" else one - one.mean(0)
            # a median scatters as the signs about it, by the width of the distribution there
            spread = (one.std(0) if location == "median" else np.ones_like(factor)) * factor
            scaled = centred * spread / (count * (count - 1)) ** 0.5
            covariance += scaled.T @ scaled
    scale = np.maximum(np.diag(covariance), 1e-300) ** -0.5
    correlations = covariance * scale[:, None] * scale
    known, rows = float(np.median(freedom)), len(scale)
    if known < _FEW:
        return float(rows**2)
    squares = correlations**2
    return float(np.clip((squares - (1 - squares) ** 2 / known).sum(), rows, rows**2))


def sum_of_squares(deviates: np.ndarray, overlaps: float) -> Fit | None:
    """Test a sum of squares of normal deviates whose correlations have this tr C^2, over all points together.

    None where there are no deviates.

    >>> sum_of_squares(np.ones(8), 8.0).p_value > 0.5
    True
    """
    many = len(deviates)
    if many == 0:
        return None
    share = max(overlaps / many, 1.0)
    total, degrees = float((deviates**2).sum()), many / share
    tails = special.chdtrc(degrees, total / share), special.chdtr(degrees, total / share)
    return Fit(total / many, many, degrees, float(min(1.0, 2 * min(tails))))
