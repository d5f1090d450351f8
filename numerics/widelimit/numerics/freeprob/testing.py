"""Whether eigenvalues have a law: by sums of Chebyshev polynomials over them, whose Gaussian fluctuations are known.

Eigenvalues of one matrix repel each other: they are no independent numbers, and a Kolmogorov-Smirnov test of them as
such is wrong. Sums of T_k((x - middle)/half width) over all of them are independent Gaussians of variance k/2, at any
size (Bai and Silverstein 2004, Johansson 1998), around N E T_k + (1 + (-1)^k)/4.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from scipy.stats import chi2

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import freeprob as theory
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
_ANGLES = 2000
_MOST = 20  # orders
_HELP = "Fit noise first (spectra.fit), or scale the eigenvalues, if they are of another unit."


@by_value
@dataclass(frozen=True)
class LawTest:
    """A test by linear statistics: under the law, z are independent standard Gaussians, one an order k = 1, 2, ...

    statistic: the sum of their squares; p_value: the chance of one as large. sums: of T_k over the eigenvalues (mean
    over replicates), expected: what the law says of them. replicates: matrices that were tested together.
    """

    p_value: float
    statistic: float
    z: Array
    sums: Array
    expected: Array
    replicates: int


def judged(law: Any, eigenvalues: Any, orders: int = 4) -> LawTest:
    """Test eigenvalues of one real matrix (N of them), or of several (replicates x N), against a law.

    The law is a semicircle (symmetric matrices, variance v/N off the diagonal and twice that on it) or a
    Marchenko-Pastur law (sample covariance); zeros of matrices with more dimensions than samples count as its atom.
    Errors of order 1/N are left out: with many replicates of small matrices they show. Raises `DomainError` for
    another law, whose fluctuations are not told by its density alone, and `ArgumentError` for no eigenvalues.

    >>> from widelimit.numerics import freeprob
    >>> law = freeprob.law(theory.semicircle())
    >>> law.test([-1.5, -0.5, 0.4, 1.6]).z.round(4).tolist()
    [-0.0, 0.11, 0.2694, -0.7693]
    """
    if law.quadratic is None:
        raise DomainError(
            f"The law {law.name} has no test: fluctuations are known here for semicircles and Marchenko-Pastur laws."
        )
    values = np.atleast_2d(arguments.real("eigenvalues", eigenvalues, _HELP))
    if values.ndim != 2 or values.shape[1] < 2:
        but = f"has shape {values.shape}"
        raise ArgumentError("eigenvalues", "must be two numbers or more, or rows of them", but=but)
    count = arguments.count("orders", orders)
    if count > _MOST:
        raise ArgumentError("orders", f"must be at most {_MOST}", orders)
    high = law.support[0][1]
    middle, half = _centre(law)
    rows = [_continuous(law, row, 1e-9 * high) for row in values]
    sums = np.array([chebyshev.chebvander((row - middle) / half, count)[:, 1:].sum(0) for row in rows])
    number = np.mean([row.size for row in rows])
    k = np.arange(1.0, count + 1)
    variance, shift = (np.asarray(one) for one in _statistics()(k))
    expected = number * _means(law, count) + shift
    z = (sums.mean(0) - expected) / np.sqrt(variance / len(rows))
    statistic = float(z @ z)
    return LawTest(float(chi2.sf(statistic, count)), statistic, z, sums.mean(0), expected, len(rows))


def _centre(law: Any) -> tuple[float, float]:
    low, high = law.support[0]
    return (low + high) / 2, (high - low) / 2


def _continuous(law: Any, row: Array, near: float) -> Array:
    """Eigenvalues that are not on the law's atom, as many as it has."""
    for place, mass in law.atoms:
        gone = np.argsort(np.abs(row - place))[: round(mass * row.size)]
        if (np.abs(row[gone] - place) > max(near, 1e-9)).any():
            raise ArgumentError(
                "eigenvalues",
                f"must have a share of {mass:.6g} at {place:g}, where the law has an atom",
                but="have fewer",
                help="Pass all of them, zeros included.",
            )
        row = np.delete(row, gone)
    return row


@functools.lru_cache(maxsize=64)
def _means(law: Any, count: int) -> Array:
    """E T_k of the continuous part, by the midpoint rule along the angle, along which all is smooth."""
    middle, half = _centre(law)
    angle = np.pi * (np.arange(_ANGLES) + 0.5) / _ANGLES
    mass = np.asarray(law.density(middle + half * np.cos(angle))) * half * np.sin(angle) * np.pi / _ANGLES
    mass = mass / mass.sum()
    return np.array([float(mass @ np.cos(k * angle)) for k in range(1, count + 1)])


@functools.cache
def _statistics() -> Compiled:
    formulas = (theory.statistic_variance(), theory.statistic_shift())
    return compile(formulas, (theory.ORDER,), name="linear_statistics")
