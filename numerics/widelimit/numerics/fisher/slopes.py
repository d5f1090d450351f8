"""Moments of the slopes phi' of one unit over samples that share part of its pre-activation."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.kernel import slope

_Z = np.linspace(-6.0, 6.0, 241)
_WEIGHT = np.exp(-0.5 * _Z**2) / np.exp(-0.5 * _Z**2).sum()


@by_value
@dataclass(frozen=True)
class SlopeMoments:
    """`given`: E phi'^k, k = 1 to 4, given what the samples share, in columns of equal steps of the latter."""

    given: np.ndarray

    @property
    def second(self) -> float:
        """E phi'^2."""
        return float(self.given[1] @ _WEIGHT)

    @property
    def fourth(self) -> float:
        """E phi'^4."""
        return float(self.given[3] @ _WEIGHT)

    @property
    def pair(self) -> float:
        """E phi'(u)^2 phi'(v)^2 over two samples."""
        return float(self.given[1] ** 2 @ _WEIGHT)

    def kurtosis(self, samples: int, along: bool) -> float:
        """E w^2 / (E w)^2 over units: w = (mean of phi' over the samples)^2, or (not `along`) the mean of phi'^2."""
        g1, g2, g3, g4 = self.given
        n = samples
        if not along:
            top, bottom = float((g4 + (n - 1) * g2**2) @ _WEIGHT), n * self.second**2
            return max(1.0, top / bottom) if bottom > 0 else 1.0
        # fourth and second moment of the mean of n samples that are independent given what they share
        fourth = g4 + (n - 1) * (4 * g3 * g1 + 3 * g2**2)
        fourth += (n - 1) * (n - 2) * (6 * g2 * g1**2 + (n - 3) * g1**4)
        second = g2 + (n - 1) * g1**2
        top, bottom = float(fourth @ _WEIGHT), n * float(second @ _WEIGHT) ** 2
        return max(1.0, top / bottom) if bottom > 0 else 1.0


@functools.lru_cache(maxsize=512)
def slope_moments(activation: Activation, q: float, rho: float) -> SlopeMoments:
    """Moments at the variance `q`; |rho| is the share of it that all samples have in common.

    The samples of a network that are anticorrelated share nothing, but the squares of their slopes depend on rho^2.
    """
    shared = min(1.0, abs(rho))
    x = math.sqrt(q) * (math.sqrt(shared) * _Z[:, None] + math.sqrt(1.0 - shared) * _Z)
    slopes = np.broadcast_to(_slope(activation)(x), x.shape)
    return SlopeMoments(np.array([slopes**k @ _WEIGHT for k in (1, 2, 3, 4)]))


@functools.lru_cache(maxsize=64)
def _slope(activation: Activation) -> Compiled:
    return compile(slope(activation), (X,), name="slope_value")
