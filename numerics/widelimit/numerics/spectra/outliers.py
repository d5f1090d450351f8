"""Single population eigenvalues above white noise: where they show, how well, and when to keep them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import brentq

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.numerics.spectra.formulas import edges, hard
from widelimit.theory import spectra as theory

Array = np.ndarray
_ANGLES = 4096
_GRADED = (0.0, 1e-6, 1e-4, 1e-2, 0.1, 0.4, 1.0)  # a density next to 1/sqrt(x) at zero is resolved


@by_value
@dataclass(frozen=True)
class Outlier:
    """What becomes of a population eigenvalue in white noise.

    eigenvalue: of the sample covariance; the edge of the noise where the spike is lost in it. overlap: squared cosine
    between the eigenvectors of sample and population, 0 where it is lost. threshold: above this population
    eigenvalue a spike shows; lower_threshold: below this one too (0 where p >= n, where none does).
    deviation: standard deviation of the eigenvalue times sqrt(n), real Gaussian samples; 0 where it is lost.
    """

    eigenvalue: Any
    overlap: Any
    threshold: Any
    lower_threshold: Any
    deviation: Any


def bbp(spike: Any, ratio: Any, *, noise: Any = 1.0) -> Outlier:
    """Return where a population eigenvalue shows in a sample covariance matrix (Baik, Ben Arous, Peche).

    x = l (1 + c v/(l - v)) and cos^2 = (1 - c v^2/(l - v)^2)/(1 + c v/(l - v)) for l above v (1 + sqrt c), or below
    v (1 - sqrt c); else x is the edge v (1 +- sqrt c)^2 and the overlap 0.

    Args:
        spike: the population eigenvalue l, of which the noise is part (a signal of strength s has l = s + v).
        ratio: c = dimensions over samples.
        noise: v, all other population eigenvalues.

    All broadcast. Raises `ArgumentError` for a negative spike, a ratio or noise that is not positive, and for numbers
    beyond 1e30.

    >>> bbp(3.0, 1.0)
    Outlier(eigenvalue=4.5, overlap=0.5, threshold=2.0, lower_threshold=0.0, deviation=3.6742346141747673)
    >>> bbp([1.2, 5.0], 0.25).overlap
    array([0.        , 0.92647059])
    """
    population, c, v = arguments.broadcast(
        spike=arguments.near_one("spike", arguments.non_negative("spike", spike)),
        ratio=arguments.near_one("ratio", arguments.positive("ratio", ratio)),
        noise=arguments.near_one("noise", arguments.positive("noise", noise)),
    )
    upper, lower, high, low = (np.asarray(one) for one in _places()(c, v))
    lower = np.where(c < 1, lower, 0.0)
    shows = (population > upper) | ((population < lower) & (c < 1))
    inside = np.where(shows, population, 2 * upper)
    value, overlap, deviation = (np.asarray(one) for one in _outlier()(inside, c, v, 1.0))
    edge = np.where(population < v, low, high)
    return Outlier(
        *(
            arguments.scalar(np.asarray(one))
            for one in (
                np.where(shows, value, edge),
                np.where(shows, np.clip(overlap, 0.0, 1.0), 0.0),
                upper,
                lower,
                np.where(shows, deviation, 0.0),
            )
        )
    )


def gavish_donoho(ratio: Any, *, noise_known: bool = True) -> Any:
    """Return the threshold above which singular values of signal and white noise are worth keeping.

    With known noise in units of sqrt(v n), for a matrix of n rows and p = c n columns (either may be longer): 4/sqrt 3
    for square ones. Otherwise in units of the median singular value (of the min(n, p) that are not zero): 2.858.

    Raises `ArgumentError` for a ratio that is not positive, or beyond 1e30.

    >>> round(gavish_donoho(1.0), 9), round(gavish_donoho(1.0, noise_known=False), 6)
    (2.309401077, 2.858362)
    """
    c = arguments.near_one("ratio", arguments.positive("ratio", ratio))
    found = np.asarray(hard()(c))
    if arguments.flag("noise_known", noise_known):
        return arguments.scalar(found)
    medians = np.array([_median(float(one)) for one in c.ravel()]).reshape(c.shape)
    return arguments.scalar(np.asarray(found / np.sqrt(medians)))


def _median(ratio: float) -> float:
    """Median of the eigenvalues of white noise of unit variance that are not zero."""
    wide = min(ratio, 1 / ratio)
    low, high = (float(one) for one in edges()(wide, 0.0, 1.0))
    nodes, weights = np.polynomial.legendre.leggauss(24)

    def below(angle: float) -> float:
        total = 0.0
        for start, end in pairwise(_GRADED):
            angles = angle * ((start + end) / 2 + (end - start) / 2 * nodes)
            x = low + (high - low) * np.sin(angles / 2) ** 2
            values = np.asarray(_density()(x, wide, 0.0, 1.0)) * np.sin(angles)
            total += angle * (end - start) / 2 * float(weights @ values)
        return total * (high - low) / 2 - 0.5

    angle = brentq(below, 0.1, 3.1, xtol=1e-15, rtol=1e-14)
    return (low + (high - low) * float(np.sin(angle / 2)) ** 2) * max(ratio, 1.0)


def quantiles(shares: Array, ratio: float, spread: float) -> Array:
    """Quantiles of the bulk of unit noise at c <= 1, from its density along the angle between its edges."""
    low, high = (float(one) for one in edges()(ratio, spread, 1.0))
    angle = np.pi * (np.arange(_ANGLES) + 0.5) / _ANGLES
    # from the bottom; next to zero the places themselves are squares of small angles
    half = (high - low) / 2
    x = low + 2 * half * np.sin(angle / 2) ** 2
    density = np.asarray(_density()(x, ratio, spread, 1.0))
    mass = density * half * np.sin(angle) * np.pi / _ANGLES
    total = np.concatenate([[0.0], np.cumsum(mass)])
    ends = np.pi * np.arange(_ANGLES + 1) / _ANGLES
    at = np.interp(shares, total / total[-1], ends)
    return low + 2 * half * np.sin(at / 2) ** 2


@functools.cache
def _places() -> Compiled:
    white = {theory.SPREAD: 0}
    formulas = (
        theory.threshold(),
        theory.threshold(-1),
        theory.bulk_edge().subs(white),
        theory.bulk_edge(-1).subs(white),
    )
    return compile(formulas, (theory.RATIO, theory.NOISE), name="thresholds")


@functools.cache
def _outlier() -> Compiled:
    formulas = (theory.spiked_eigenvalue(), theory.spiked_overlap(), theory.spiked_deviation())
    return compile(formulas, (theory.SPIKE, theory.RATIO, theory.NOISE, theory.SAMPLES), name="outlier")


@functools.cache
def _density() -> Compiled:
    names = (theory.VALUE, theory.RATIO, theory.SPREAD, theory.NOISE)
    return compile(theory.bulk_density(), names, name="bulk_density")
