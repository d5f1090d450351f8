"""What batches do: the floor of the mean-square error and the largest step at which it is stable.

Entries feed each other through one sum only (`theory.alignment.noise`), so that the floor is a quotient of two sums and
the largest step the root of one.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq

from widelimit.numerics.alignment import formulas

Array = np.ndarray
_INSIDE = 1e-13  # how far below the first pole the root is looked for
_SMALL = 1e-13  # a step, over that pole, that any number of entries bears


def stable_step(rates: Array, noisy: Array, batch: int, count: Array | float = 1.0) -> float:
    """The step below which the mean square of all entries is stable; `count` entries have each rate."""
    plain = float(formulas.largest_step().njit(float(np.max(rates))))
    if not np.any(noisy > 0):
        return plain
    poles = 2 * rates / (rates**2 + noisy**2 / batch)
    first = float(np.min(poles)) * (1 - _INSIDE)

    def surplus(step: float) -> float:
        with np.errstate(divide="ignore", over="ignore"):
            passed = formulas.balance()(step, rates, noisy, float(batch), 0.0)[2]
        return float(np.sum(count * np.asarray(passed))) - 1.0

    if surplus(first) <= 0:
        return min(plain, first)
    root = brentq(surplus, _SMALL * first, first, xtol=1e-300, rtol=1e-14)
    return min(plain, float(root))


def floor(rates: Array, noisy: Array, put_in: Array, step: float, batch: int) -> float:
    """E|B - B*|^2 at rest at a stable step; `put_in` is what additive noise puts into each entry."""
    alone, feed, passed, damping = (
        np.asarray(one) for one in formulas.balance()(step, rates, noisy, float(batch), put_in)
    )
    shared = float(np.sum(step * noisy * alone)) / (1.0 - float(np.sum(passed)))
    total = float(np.sum(alone)) + float(np.sum(feed / damping)) * shared
    return total if math.isfinite(total) else math.inf


def put_in(residual: Array, w: Array, basis: Array, covariance: Array, batch: int) -> Array:
    """What the additive noise P (A - C) W^T puts into each column in `basis`, P = `residual`."""
    square = residual.T @ residual
    round_trip = covariance @ square @ covariance
    moment = formulas.excess()(round_trip, covariance, float(np.sum(square * covariance)), float(batch))
    turned = w.T @ basis
    return np.maximum(np.einsum("ij,ik,kj->j", turned, np.asarray(moment), turned), 0.0)
