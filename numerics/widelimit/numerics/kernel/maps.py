"""How one activation acts on a block of kernel entries: T = E phi(u) phi(v) and Tdot = E phi'(u) phi'(v).

(u, v) is Gaussian with variances q1, q2 and correlation rho. Three ways, the first that applies is taken:

closed form   theory knows T and Tdot; the compiled pair of expressions is called entry by entry (`layers`). Pieces such
              as exp(x) for x < 0 give terms of size exp(q/2) that cancel: above some variance the angle is taken
series        smooth phi: Hermite coefficients of each input instead of a quadrature for each pair
angle         kinked phi without a closed form: a Chebyshev interpolant in the angle arccos(rho)
"""

from __future__ import annotations

import functools
import logging
import math
from dataclasses import dataclass, replace

import numpy as np

from widelimit.numerics.compile.cancellation import cancels_from
from widelimit.numerics.kernel import angle, series
from widelimit.numerics.kernel.layers import Block, Layer, PairMap, Prepare, closed_map, guarded
from widelimit.numerics.results import pictured
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X

_LOG = logging.getLogger(__name__)


@functools.lru_cache(maxsize=64)
def pair_map(activation: Activation) -> PairMap:
    """Choose how `activation` acts on kernels and compile what that needs (kept for the process)."""
    found = closed_map(activation)
    if found is None and activation.is_smooth:
        found = guarded(activation, "series", series.prepare(activation))
    elif found is None:
        found = guarded(activation, "angle", angle.prepare(activation))
    elif (bound := cancels_from(activation.expr, X, not activation.is_smooth)) < math.inf:
        found = replace(found, at=functools.partial(_closed_or_angle, activation, bound, found.at))
    _LOG.debug("kernels of %s: %s", activation.name, found.method)
    return found


def _closed_or_angle(
    activation: Activation, bound: float, closed: Prepare, q1: np.ndarray, q2: np.ndarray | None = None
) -> Layer:
    largest = max(float(q.max(initial=0.0)) for q in (q1, q2) if q is not None)
    if largest < bound:
        return closed(q1, q2)
    return guarded(activation, "angle", angle.prepare(activation)).at(q1, q2)


@pictured
@dataclass(frozen=True)
class Moments:
    """V = E phi(u)^2 and P = E phi'(u)^2 at variance q, T = E phi(u) phi(v) and Tdot = E phi'(u) phi'(v) at
    correlation c.
    """

    v: float
    p: float
    t: float
    tdot: float


def moments(activation: Activation, q: float, c: float = 1.0) -> Moments:
    """Return the expectations of one layer for two inputs of variance `q` and correlation `c`.

    Raises `InfiniteMomentError` for an activation that jumps, or where E phi^2 is infinite.

    >>> round(moments(Activation.of("hard_tanh"), 1.0).v, 9)  # E min(u^2, 1)
    0.516058551
    """
    variance = np.array([q, q])
    layer = pair_map(activation).at(variance, None)
    t = np.array([[q, c * q], [c * q, q]])
    tdot = np.ones((2, 2))
    layer.advance(Block(t, tdot))
    return Moments(float(t[0, 0]), float(tdot[0, 0]), float(t[0, 1]), float(tdot[0, 1]))
