"""How well statistics tell two rules apart: accuracy by recorded units, from covariances or from two pilots."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh
from scipy.special import ndtri

from widelimit.numerics import arguments
from widelimit.numerics.results import pictured
from widelimit.numerics.rules import checks, formulas
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
_ROUNDING = 1e-12
_LEAST = 1e-9  # above chance, or below certainty, of a pilot


def accuracy(difference: Any, covariance: Any, *, noise: Any, units: Any) -> Any:
    """Return the best linear accuracy between two rules, Phi(sqrt(d'(Sigma + N/n)^-1 d)/2).

    Args:
        difference: d, of the mean statistics of both rules, (p,) or a number.
        covariance: Sigma, between networks of one rule, (p, p) or a number; N likewise.
        noise: N, covariance of the measurement by one unit.
        units: n, recorded units, positive (infinitely many are allowed); the result has their shape.

    Raises `ArgumentError` for other shapes, matrices that are not symmetric or have negative eigenvalues, or a sum of
    both that is not positive definite.

    >>> round(accuracy(1.0, 0.25, noise=4.0, units=16), 12)  # Phi(sqrt 2 / 2)
    0.760249938907
    >>> both = [[1.0, 0.3], [0.3, 1.0]], [[2.0, 0.0], [0.0, 4.0]]
    >>> accuracy([1.0, 0.5], both[0], noise=both[1], units=[1, 10, np.inf]).round(6).tolist()
    [0.618786, 0.680528, 0.695279]
    """
    d = np.atleast_1d(arguments.real("difference", difference))
    if d.ndim != 1 or not d.size:
        raise ArgumentError("difference", "must be a number or a list of them", but=f"has shape {d.shape}")
    checks.near_one("difference", d, zero=True)
    inner, outer = _square("covariance", covariance, d.size), _square("noise", noise, d.size)
    n = arguments.positive("units", units, infinite=True)
    checks.near_one("units", np.where(np.isinf(n), 1.0, n))
    scale = math.sqrt(max(np.abs(inner).max(), np.abs(outer).max()) or 1.0)
    inner, outer, d = inner / scale**2, outer / scale**2, d / scale
    shares, basis = _together(inner, outer)
    along = np.abs(basis.T @ d)
    tiny = along <= _ROUNDING * np.abs(along).max(initial=0.0)
    along = np.where(tiny, 0.0, along)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = np.asarray(formulas.separation()(along, shares, 1 - shares, n[..., None]))
    distance = np.sqrt(np.where(along == 0, 0.0, squares).sum(-1))
    return arguments.scalar(np.asarray(formulas.accuracy()(distance)))


def _together(inner: Array, outer: Array) -> tuple[Array, Array]:
    """A basis in which Sigma + N is 1 and Sigma diagonal: its entries there, from 0 to 1."""
    try:
        shares, basis = eigh(inner, inner + outer)
    except np.linalg.LinAlgError:
        help = "Drop statistics that follow from others, or that do not vary."
        must = "must make a positive definite sum with the noise"
        raise ArgumentError("covariance", must, but="does not", help=help) from None
    shares = np.clip(shares, 0.0, 1.0)
    return np.where(shares < _ROUNDING, 0.0, shares), basis


def _square(name: str, value: Any, size: int) -> Array:
    array = arguments.real(name, value)
    if array.ndim == 0 and size == 1:
        array = array.reshape(1, 1)
    if array.shape != (size, size):
        raise ArgumentError(name, f"must be {size} by {size}", but=f"has shape {array.shape}")
    largest = float(np.abs(array).max())
    if largest and not 1e-30 <= largest <= 1e30:
        raise ArgumentError(name, "must have a size between 1e-30 and 1e30", largest, "Choose other units.")
    if np.abs(array - array.T).max() > 1e-10 * largest:
        raise ArgumentError(name, "must be symmetric", but="is not")
    least = float(np.linalg.eigvalsh(array)[0])
    if least < -1e-10 * largest:
        raise ArgumentError(name, "must have no negative eigenvalues", but=f"has {least:.4g}")
    return (array + array.T) / 2


@pictured
@dataclass(frozen=True)
class Pilots:
    """What two pilots say: `limit`, the accuracy by infinitely many units; `needed`, the units that come within a
    target of what it has above chance; `half`, the units at which half of the squared distance is there, tr N/tr Sigma.
    """

    limit: float
    needed: float
    half: float
    inner: float
    outer: float

    def accuracy(self, units: Any) -> Any:
        """Return the accuracy that some number of units would have."""
        n = arguments.positive("units", units, infinite=True)
        square = np.asarray(formulas.separation()(1.0, self.inner, self.outer, n))
        return arguments.scalar(np.asarray(formulas.accuracy()(np.sqrt(square))))


def from_pilots(units: Any, accuracies: Any, *, target: Any = 0.95) -> Pilots:
    """Return the accuracy that more units would have, from two pilots: 1/D^2 = A + B/n of one direction.

    Exact where signal and noise have one direction, or covariances of one shape; else an interpolation.

    Args:
        units: both numbers of recorded units.
        accuracies: both accuracies, between two rules, above 1/2 and below 1.
        target: share of the limit's excess over chance that `needed` units reach, above 0 and below 1.

    Raises `ArgumentError` for other numbers, `DomainError` where accuracies do not rise with the units, or rise faster
    than averaging noise allows.

    >>> pilots = from_pilots([10, 100], [accuracy(1.0, 0.25, noise=4.0, units=n) for n in (10, 100)])
    >>> round(pilots.limit, 6), round(pilots.half, 6), round(pilots.needed)
    (0.841345, 16.0, 105)
    """
    n, right = arguments.real("units", units), arguments.real("accuracies", accuracies)
    for name, one in (("units", n), ("accuracies", right)):
        if one.shape != (2,):
            raise ArgumentError(name, "must be two numbers", but=f"has shape {one.shape}")
    checks.positive("units", n)
    if n[0] == n[1]:
        raise ArgumentError("units", "must be two different numbers", units)
    if not ((right >= 0.5 + _LEAST) & (right <= 1 - _LEAST)).all():
        raise ArgumentError("accuracies", "must be above 1/2 and below 1", accuracies)
    share = arguments.number_within("target", target, 1e-6, 1 - 1e-6)
    inverse = 1 / (4 * ndtri(right) ** 2)
    outer = float((inverse[0] - inverse[1]) / (1 / n[0] - 1 / n[1]))
    inner = float(inverse[0] - outer / n[0])
    if outer <= 0:
        raise DomainError("Accuracy does not rise with the units: noise of measurement does not limit it.")
    if inner <= 0:
        raise DomainError(
            "Accuracy rises faster than averaging noise over units allows. The pilots are too uncertain for this."
        )
    limit = float(formulas.accuracy()(1 / math.sqrt(inner)))
    wanted = 0.5 + share * (limit - 0.5)
    needed = outer / (1 / (4 * ndtri(wanted) ** 2) - inner)
    return Pilots(limit, float(needed), outer / inner, inner, outer)


def variance_error(kurtosis: Any, entries: Any) -> Any:
    """Return sqrt((kappa - 1)/m), the relative standard error of a variance of m independent entries.

    Weights between n and n units have m = n^2, activations of n units m = n times the images.

    Args:
        kurtosis: E x^4 / (E x^2)^2, 1 or more (3 of a Gaussian); arrays broadcast.
        entries: m, positive.

    >>> round(variance_error(3.0, 200), 12)
    0.1
    """
    kappa = checks.positive("kurtosis", kurtosis)
    if (kappa < 1).any():
        raise ArgumentError("kurtosis", "must be at least 1", kurtosis, "Pass that of a Gaussian as 3.")
    kappa, m = arguments.broadcast(kurtosis=kappa, entries=checks.positive("entries", entries))
    return arguments.scalar(np.asarray(formulas.variance_error()(kappa, m)))
