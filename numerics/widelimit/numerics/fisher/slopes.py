"""Moments of the slopes phi' of one unit over samples that share part of its pre-activation.

Given the shared part s the samples are independent: g_k(s) = E phi'(s + sqrt(v) z)^k comes from the engine's adaptive
quadrature. Over s runs a Gauss-Legendre rule whose panels are cut where the kinks and the functions in phi' make g_k
vary, on the scale that the average over z leaves them.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.features import Features, features
from widelimit.numerics.compile.quadrature import TINY, gaussian
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.errors import InfiniteMomentError
from widelimit.theory.fisher import spread as theory
from widelimit.theory.kernel import slope

_REACH = 9.0  # standard deviations of what is shared
_STEPS = np.linspace(-_REACH, _REACH, 13)
_GRADE = 3.0  # a panel this many times as wide as the one nearer to a feature
_NODE, _WEIGHT = np.polynomial.legendre.leggauss(12)
_POWERS = np.arange(1, 5)


@by_value
@dataclass(frozen=True)
class SlopeMoments:
    """`given`: E phi'^k, k = 1 to 4, given what the samples share, a column for each value of that, of `weights`."""

    given: np.ndarray
    weights: np.ndarray

    @property
    def second(self) -> float:
        """E phi'^2."""
        return float(self.given[1] @ self.weights)

    @property
    def fourth(self) -> float:
        """E phi'^4."""
        return float(self.given[3] @ self.weights)

    @property
    def pair(self) -> float:
        """E phi'(u)^2 phi'(v)^2 over two samples."""
        return float(self.given[1] ** 2 @ self.weights)

    def kurtosis(self, samples: int, along: bool) -> float:
        """E w^2 / (E w)^2 over units: w = (mean of phi' over the samples)^2, or (not `along`) the mean of phi'^2."""
        square, single = (part @ self.weights for part in _moments()[0 if along else 1](*self.given, samples))
        return max(1.0, float(square / single**2)) if single > 0 else 1.0


@functools.cache
def _moments() -> tuple[Compiled, Compiled]:
    t = theory
    given = (t.FIRST_GIVEN, t.SECOND_GIVEN, t.THIRD_GIVEN, t.FOURTH_GIVEN, t.SAMPLES)
    return (
        compile(t.kurtosis_along(), given, name="kurtosis_along"),
        compile(t.kurtosis_across(), given, name="kurtosis_across"),
    )


@functools.lru_cache(maxsize=512)
def slope_moments(activation: Activation, q: float, rho: float) -> SlopeMoments:
    """Return the moments at the variance `q`; |rho| is the share of it that all samples have in common.

    The samples of a network that are anticorrelated share nothing, but the squares of their slopes depend on rho^2.
    Raises `InfiniteMomentError` where E phi'^4 is infinite.

    >>> found = slope_moments(Activation.of("relu"), 1.0, 0.5)
    >>> round(found.second, 12), round(found.pair, 12)  # slopes are 1 for both where both are positive
    (0.5, 0.333333333333)
    """
    common = min(1.0, abs(rho))
    function, shape = _slope(activation)
    own, shared = q * (1.0 - common), math.sqrt(q * common)
    z, weights = _rule(shape, shared, math.sqrt(own))

    def powers(points: np.ndarray, _rows: np.ndarray) -> np.ndarray:
        value = np.broadcast_to(function(points), points.shape)
        return np.stack([value**k for k in _POWERS])

    if own < TINY:
        given = powers(shared * z, z)
    else:
        given, _ = gaussian(powers, np.full(z.size, own), shape, shared * z)
    if not np.isfinite(given).all():
        raise InfiniteMomentError(
            f"E phi'^4 of {activation.name} is infinite at the length {q:.3g}, so that gradients of single samples "
            "differ without bound at any finite width. Lower `sigma_w`, or use an activation with a bounded slope."
        )
    return SlopeMoments(given, weights)


def _rule(shape: Features, shared: float, blur: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes z and weights of what the samples share, sqrt(q |rho|) z."""
    if shared == 0.0:
        return np.zeros(1), np.ones(1)
    marks = [_STEPS]
    for centre, scale in (*((kink, 0.0) for kink in shape.kinks), *shape.spots):
        width = max(scale, blur) / shared
        steps = width * _GRADE ** np.arange(-1.0, max(0.0, math.log(2 * _REACH / max(width, 1e-12), _GRADE)))
        marks += [centre / shared + steps, centre / shared - steps, np.array([centre / shared])]
    edges = np.unique(np.clip(np.concatenate(marks), -_REACH, _REACH))
    half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
    z = (middle + half * _NODE).ravel()
    weights = (half * _WEIGHT).ravel() * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return z, weights / weights.sum()


@functools.lru_cache(maxsize=64)
def _slope(activation: Activation) -> tuple[Compiled, Features]:
    prime = slope(activation)
    return compile(prime, (X,), name="slope_value"), features([prime], X)
