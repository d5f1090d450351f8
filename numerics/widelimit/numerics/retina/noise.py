"""Rectified noise inside a cell: mean, variance and Fano factor of [u + eta z]_+ at any drive."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.retina import checks, formulas
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_TAIL = -3.0  # below, moments are continued fractions


@by_value
@dataclass(frozen=True)
class Variability:
    """`mean`, `variance` and `fano` = variance/mean of r = [u + eta z]_+; `counted_fano` after a Poisson stage."""

    mean: Any
    variance: Any
    fano: Any
    counted_fano: Any


@by_value
@dataclass(frozen=True)
class FanoMaximum:
    """The largest Fano factor over eta, `ratio`, its place u/eta, `drive`, and the noise 1/ratio.

    Below `critical_noise` the Fano factor is below 1 at every drive: counts are sub-Poisson.
    """

    ratio: float
    drive: float
    critical_noise: float


def variability(drive: Any, noise: Any) -> Variability:
    """Return mean, variance and Fano factor of r = [u + eta z]_+, z ~ N(0, 1).

    m = u Phi(q) + eta pdf(q), E r^2 = (u^2 + eta^2) Phi(q) + u eta pdf(q), q = u/eta (mcintosh2016deep has the noise).
    The Fano factor is eta^2/u far above threshold, 2 eta^2/|u| far below, where the mean itself may underflow to 0.

    Args:
        drive: u; arrays broadcast.
        noise: eta, standard deviation of the noise before the rectifier.

    Raises `ArgumentError` for a noise that is not positive: [u]_+ has no variance then.

    >>> found = variability([-4.0, -2.0, 0.0, 2.0], 1.0)
    >>> found.fano.round(6), round(float(found.mean[2]), 9)
    (array([0.432477, 0.670926, 0.854372, 0.478069]), 0.39894228)
    >>> round(float(found.mean[0]) * 1e6, 6)
    7.145258
    >>> round(float(found.counted_fano[2]), 6)  # 1 + sqrt(pi/2) - 1/sqrt(2 pi)
    1.854372
    """
    u = checks.level("drive", drive)
    eta = arguments.near_one(
        "noise",
        arguments.positive("noise", noise, "Without noise the response is max(u, 0), its variance 0."),
    )
    u, eta = arguments.broadcast(drive=u, noise=eta)
    mean, variance, fano = standard(u / eta)
    fano = eta * fano
    parts = (eta * mean, eta**2 * variance, fano, np.asarray(formulas.counted_fano()(fano)))
    return Variability(*(arguments.scalar(np.asarray(one)) for one in parts))


def pool(weights: Any, drive: Any, noise: Any) -> Variability:
    """Return the same of a weighted sum of cells with independent noise: means and w^2 times variances add.

    Args:
        weights: one for each cell, not negative, one or more positive.
        drive: one for each cell, or one for all.
        noise: one for each cell, or one for all.

    Raises `ArgumentError` for negative weights or shapes that do not fit.

    >>> round(pool([0.25] * 4, 1.0, 0.5).variance * 4, 9) == round(variability(1.0, 0.5).variance, 9)
    True
    """
    w = arguments.near_one("weights", arguments.non_negative("weights", weights))
    if w.ndim != 1 or not w.size or not w.any():
        raise ArgumentError("weights", "must be one number for each cell, one or more positive", weights)
    one = variability(drive, noise)
    w, mean, variance = arguments.broadcast(
        weights=w, drive=np.asarray(one.mean), noise=np.asarray(one.variance)
    )
    if w.ndim != 1:
        raise ArgumentError("drive", "must be one number for each cell", but=f"has shape {w.shape}")
    total, spread = float(w @ mean), float(w**2 @ variance)
    if total == 0:
        raise ArgumentError(
            "drive", "must leave a mean above 0", but="lies so far below threshold that it is 0"
        )
    fano = spread / total
    return Variability(total, spread, fano, float(formulas.counted_fano()(fano)))


@functools.cache
def fano_maximum() -> FanoMaximum:
    """Return the largest Fano factor of [u + eta z]_+ over eta, and the noise below which it is below 1 everywhere.

    >>> fano_maximum()
    FanoMaximum(ratio=0.865598..., drive=-0.318066..., critical_noise=1.155269...)
    """
    place = brentq(formulas.fano_slope(), -1.0, 0.0, xtol=1e-15, rtol=1e-14)
    ratio = float(standard(np.array([place]))[2][0])
    return FanoMaximum(ratio, float(place), 1 / ratio)


def standard(ratio: Array) -> tuple[Array, Array, Array]:
    """Return mean, variance and Fano factor of [q + z]_+."""
    q = np.asarray(ratio, dtype=float)
    mean, variance, fano = (np.zeros(q.shape) for _ in range(3))

    far, high = q <= _TAIL, q > 0
    for where, sign, moments in ((high, 1, formulas.high), (~(far | high), -1, formulas.middle)):
        if where.any():
            mean[where], variance[where] = moments()(sign * q[where])
            fano[where] = variance[where] / mean[where]
    if far.any():
        mean[far], fano[far] = formulas.tail()(-q[far])
        variance[far] = fano[far] * mean[far]
    return mean, variance, fano
