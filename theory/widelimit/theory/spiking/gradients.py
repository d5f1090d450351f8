"""The sharp limit of a surrogate: what it tells a weight about a spike, and what is true.

One input spike at 0 of weight w drives U(t) = w alpha(t), which passes the threshold theta at t*; the target is one
spike at D from t*. After its spike the neuron is reset and stays silent.
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, log, sqrt

from widelimit.theory.spiking.kernels import DECAY, LAG, RISE, overlap, overlap_at_zero, overlap_slope
from widelimit.theory.spiking.surrogates import SLOPE

WEIGHT = Symbol("w", positive=True)
LEVEL = Symbol("theta", positive=True)  # the threshold
POTENTIAL_AT, SPEED = Symbol("epsilon", positive=True), Symbol("V", positive=True)  # alpha(t*), and U'(t*)


def surrogate_pull() -> Expr:
    """Return (epsilon/V) (C(0) - C(D))/beta, what the fast sigmoid says dL/dw is, as beta grows.

    Never negative: whether the spike comes too early or too late, it says "less of it". The factor before the bracket
    is twice that where nothing resets the neuron: the potential then passes the threshold on both sides.
    """
    return POTENTIAL_AT / (SLOPE * SPEED) * (overlap_at_zero() - overlap())


def loss_slope() -> Expr:
    """Return C'(D) epsilon/V, the true dL/dw of a spike D behind its target; before it, of the other sign."""
    return overlap_slope() * POTENTIAL_AT / SPEED


def spike_time() -> Expr:
    """Return t* = -a log y, y = (1 + sqrt(1 - 2 theta/(b w)))/2, where a = 2b; there is a spike where b w >= 2 theta.

    >>> spike_time().subs({DECAY: 2, RISE: 1, WEIGHT: 4, LEVEL: 2})
    2*log(2)
    """
    return -DECAY * log(Rational(1, 2) + sqrt(1 - 2 * LEVEL / (RISE * WEIGHT)) / 2)


__all__ = ["LAG", "LEVEL", "POTENTIAL_AT", "SPEED", "WEIGHT", "loss_slope", "spike_time", "surrogate_pull"]
