"""What the mean-field claims measure: the networks of a point, started where its theory says, and read as rows.

These are the `simulate` functions of the claims; they stand apart from the claims, so that wording can change without
a sample being drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.meanfield.theory import (
    COVARIANCE_AT,
    DELTA,
    chaotic,
    equal_inputs,
    scaled,
    solution,
)
from widelimit.validate.claims.meanfield.theory import distances as layers_back
from widelimit.validate.harness.claim import Inputs

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.harness.drawing.networks import Architecture
    from widelimit.validate.simulate.meanfield import ForwardStatistics

_STRETCH = 0.02  # change of q that is followed; with DELTA for c, cubic terms are below 0.3 %
_TINY = 1e-8  # 1 - c in the ordered phase: kinks shift the rate by sqrt(1 - c)
_BURN = 2
_LENGTH_LAYERS = 2  # xi_q is one or two layers


def _architecture(inputs: Inputs, **changes: float) -> Architecture:
    """The networks of a point, some of its inputs replaced."""
    from widelimit.validate.harness.drawing.networks import Architecture

    return Architecture.of({**inputs, **changes})


def _forward(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> ForwardStatistics:
    """Forward moments of a point's networks, from its synthetic or real inputs."""
    from widelimit.validate.simulate.meanfield import forward_statistics

    networks = _architecture(inputs)
    if "data" in inputs:
        return forward_statistics(networks, size, seeds, backend, data=str(inputs["data"]))
    q0, one_minus_c0 = float(inputs.get("q0", 1.0)), float(inputs.get("one_minus_c0", 1.0))
    return forward_statistics(networks, size, seeds, backend, q0=q0, one_minus_c0=one_minus_c0)


def lengths(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Measure q of every layer."""
    return _forward(inputs, size, seeds, backend).q


def correlations(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Measure c of every layer."""
    return _forward(inputs, size, seeds, backend).c


def dropout(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Measure q and c of every layer, masks drawn anew for each network, layer, neuron and input."""
    found = _forward(equal_inputs(inputs), size, seeds, backend)
    return np.concatenate([found.q, found.c], axis=1)


def decay(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Find the edge of chaos of each network, and measure l (1 - c^l) there."""
    from widelimit.validate.simulate.meanfield.edges import Family, edges

    ensemble = str(inputs.get("weights", "gaussian"))
    family = Family(str(inputs["activation"]), float(inputs["sigma_b"]), int(inputs["depth"]), ensemble)
    found = edges(family, size, seeds, backend, one_minus_c0=float(inputs["one_minus_c0"]))
    return np.column_stack([found[:, 0], scaled(found[:, 1:])])


def fixed_point(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Measure q and c averaged over the last `window` layers, from a start that is neither.

    c is read to a thousandth: where inputs merge, what is left of their difference falls with every further layer.
    """
    from widelimit.validate.simulate.meanfield import settled

    found = settled(
        _architecture(inputs),
        size,
        seeds,
        backend,
        q0=float(inputs["q0"]),
        c0=float(inputs["c0"]),
        window=int(inputs["window"]),
    )
    return np.column_stack([found[:, 0], found[:, 1].round(3)])


def rates(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Measure 1/xi_c and 1/xi_q of networks that start at the fixed point, changed a little.

    In the chaotic phase c is followed for 0.6 xi_c layers, by when half the change is left; in the ordered phase, where
    1 - c shrinks within each network to rounding without noise taking over, for 2 xi_c.
    """
    from widelimit.validate.simulate.meanfield import rate_of_merging, rates_of_return

    found, apart = solution(inputs), chaotic(inputs)
    q_star = float(found.q_star)
    layers = int(np.clip(round(0.6 * float(found.xi_c)), 3, 8)) if apart else 1
    back = rates_of_return(
        _architecture(inputs, depth=max(layers, _LENGTH_LAYERS)),
        size,
        seeds,
        backend,
        q0=q_star,
        c0=float(found.c_star) if apart else 0.5,
        delta=DELTA,
        stretch=_STRETCH,
        layers_c=layers,
        layers_q=_LENGTH_LAYERS,
    )
    if not apart:
        depth = _BURN + int(np.clip(round(2 * float(found.xi_c)), 6, 20))
        deep = _architecture(inputs, depth=depth)
        back[:, 0] = rate_of_merging(deep, size, seeds, backend, q0=q_star, one_minus_c0=_TINY, burn=_BURN)
    return back


def gradients(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Send random output vectors back through networks that run at q* and c*."""
    from widelimit.validate.simulate.meanfield import gradient_statistics

    found, apart = solution(inputs), chaotic(inputs)
    distances = layers_back(inputs)
    measured = gradient_statistics(
        _architecture(inputs, depth=distances[-1] + 1),
        size,
        seeds,
        backend,
        q0=float(found.q_star),
        one_minus_c0=float(found.one_minus_c_star) if apart else 1.0,
        distances=(COVARIANCE_AT, *distances),
    )
    return np.column_stack([measured.log_norm[:, 1:], measured.covariance[:, :1][:, : int(apart)]])
