"""Pruning by magnitude: the largest threshold that leaves every layer a weight, and what is kept there.

The threshold at collapse is the least of the layers' largest weights. It is integrated over by panels between the
quantiles of it that leave out 1e-17 on either side, where all functions are smooth.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import pruning as theory

Array = np.ndarray
_LEFT_OUT = 1e-17
_PANELS, _NODES = 48, 16
_FAR = 40.0  # standard deviations: no weight of any network is larger


@by_value
@dataclass(frozen=True)
class Layers:
    """Gaussian layers: `counts` weights of standard deviations `scales`."""

    counts: Array
    scales: Array

    def at(self, thresholds: Array) -> tuple[Array, ...]:
        """Return, a row a layer: share above, probability of any, density of the largest, mean kept, its variance."""
        rows = _layer()(thresholds, self.scales[:, None], self.counts[:, None])
        return tuple(np.asarray(row) for row in rows)

    def survives(self, threshold: float) -> float:
        """Return the probability that every layer has a weight above a threshold."""
        return float(np.prod(self.at(np.array([threshold]))[1]))

    def median_kept(self) -> float:
        """Return the expected number of weights above the median of the threshold at collapse."""
        low, high = self._ends()
        median = brentq(lambda t: self.survives(t) - 0.5, low, high, xtol=1e-15, rtol=1e-14)
        share = self.at(np.array([median]))[0][:, 0]
        return float(self.counts @ share)

    def log_kept(self) -> tuple[float, float]:
        """Return E log of the mean number kept at collapse, given its threshold, and E of the mean logarithm.

        The layer that dies keeps its largest weight, all others truncated binomial numbers of weights. The second is to
        second order in their spread.
        """
        nodes, weights = _panels(*self._ends())
        _, survives, density, mean, variance = self.at(nodes)
        first = second = 0.0
        for layer in range(len(self.counts)):
            others = np.arange(len(self.counts)) != layer
            weight = weights * density[layer] * np.prod(survives[others], axis=0)
            kept = 1 + mean[others].sum(0)
            first += float(weight @ np.log(kept))
            second += float(weight @ np.asarray(_log()(kept, variance[others].sum(0))))
        return first, second

    def _ends(self) -> tuple[float, float]:
        """Thresholds between which that at collapse lies but for 1e-17 on either side."""
        far = _FAR * float(self.scales.max())

        def above(t: float) -> float:
            return np.log(max(self.survives(t), 1e-300)) - np.log(_LEFT_OUT)

        def below(t: float) -> float:
            share = self.at(np.array([t]))[0][:, 0]
            empty = np.max(self.counts * np.log1p(-np.minimum(share, 1 - 1e-16)))
            return float(empty) - np.log(_LEFT_OUT)

        high = brentq(above, 0.0, far)
        low = 0.0 if below(0.0) > 0 else brentq(below, 0.0, high) if below(high) > 0 else 0.0
        return float(low), float(high)


def _panels(low: float, high: float) -> tuple[Array, Array]:
    x, w = np.polynomial.legendre.leggauss(_NODES)
    edges = np.linspace(low, high, _PANELS + 1)
    half = (edges[1] - edges[0]) / 2
    middles = (edges[:-1] + edges[1:]) / 2
    return (middles[:, None] + half * x).ravel(), np.tile(half * w, _PANELS)


@functools.cache
def _layer() -> Compiled:
    """Share, survival, density, mean and variance as functions of threshold, scale and count."""
    share = theory.share_above()
    mean = theory.kept_mean()
    formulas = (
        theory.SHARE,
        theory.layer_survives(),
        theory.collapse_density(),
        mean,
        theory.kept_variance().subs(theory.MEAN, mean),
    )
    arguments = (theory.THRESHOLD, theory.SIGMA, theory.COUNT)
    return compile(tuple(one.subs(theory.SHARE, share) for one in formulas), arguments, name="layer")


@functools.cache
def _log() -> Compiled:
    return compile(theory.log_kept(), (theory.MEAN, theory.VARIANCE), name="log_kept")
