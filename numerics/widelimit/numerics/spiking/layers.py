"""`two_layer_bias`: surrogate gradients of two stochastic layers against the true ones, by all states of the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.spiking.noise import surrogate as found_surrogate
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_MOST = 18  # units of the first layer: 2^18 states


@by_value
@dataclass(frozen=True)
class TwoLayers:
    """Gradients of the last unit's expected spike by the potentials of the first layer.

    `gradient`: the true one, `surrogate`: the mean of the surrogate one, both of the same noise (Z = 1); `bias`: the
    second less the first; `probability`: of the last unit's spike.
    """

    gradient: Array
    surrogate: Array
    bias: Array
    probability: float


def two_layer_bias(
    potentials: Any, weights: Any, *, threshold: Any = 0.0, surrogate: str = "sigmoid", slope: Any = 1.0
) -> TwoLayers:
    """Return what surrogate gradients of two stochastic layers are wrong by, exactly.

    Units fire when potential and noise of density p pass 0; the last one's potential is sum_i w_i S_i - threshold. The
    true derivative by u_i is p(u_i) E[P(v | S_i = 1) - P(v | S_i = 0)], the surrogate's p(u_i) w_i E p(v): a
    difference over a spike against a slope. One layer with a linear readout has no such bias.

    Args:
        potentials: u of the first layer's units, eighteen at most.
        weights: w of the last unit, one for each.
        threshold: of the last unit.
        surrogate: a name that `surrogate` knows; the noise is the one that it stands for.
        slope: of that surrogate.

    Raises `ArgumentError` for lists of other lengths.

    >>> found = two_layer_bias([0.0, 0.5], [2.0, -1.0], surrogate="sigmoid", slope=1.0)
    >>> found.gradient.round(6), found.bias.round(6)
    (array([ 0.107854, -0.044744]), array([-0.013156,  0.000236]))
    """
    u, w = arguments.vector("potentials", potentials), arguments.vector("weights", weights)
    if u.size > _MOST:
        raise ArgumentError("potentials", f"must be {_MOST} or fewer", but=f"are {u.size}")
    if w.size != u.size:
        raise ArgumentError("weights", f"must be {u.size} numbers", but=f"are {w.size}")
    level = arguments.finite_number("threshold", threshold)
    if max(float(np.abs(w).max()), abs(level)) > 1e150:
        raise ArgumentError("weights", "must be below 1e150 in size, as the threshold", but="are not")
    noise = found_surrogate(surrogate, slope)
    states = (np.arange(2**u.size)[:, None] >> np.arange(u.size)) & 1
    firing = np.atleast_1d(noise.firing_probability(u))
    silent = np.atleast_1d(noise.firing_probability(-u))  # the noise is even
    each = np.where(states == 1, firing, silent)
    weight = each.prod(1)
    v = states @ w - level
    first = noise.noise_density(u)
    last, slopes = noise.firing_probability(v), noise.noise_density(v)
    true = np.empty(u.size)
    for i in range(u.size):
        others = np.delete(each, i, axis=1).prod(1)
        true[i] = first[i] * float(np.sum(others * np.where(states[:, i] == 1, last, -last)))
    said = first * w * float(weight @ slopes)
    return TwoLayers(true, said, said - true, float(weight @ last))
