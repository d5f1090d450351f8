"""What the mean-field claims measure: the networks of a point, and what is read of them as rows.

These are the `simulate` functions of the claims; they stand apart from claims and theory, so that these can change
without a sample being drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.harness.claim import Inputs
    from widelimit.validate.harness.drawing.networks import Architecture
    from widelimit.validate.simulate.meanfield import ForwardStatistics

READ = 4  # layers between rows of the decay at the edge of chaos


def architecture(inputs: Inputs, **changes: float) -> Architecture:
    """The networks of a point, some of its inputs replaced."""
    from widelimit.validate.harness.drawing.networks import Architecture

    return Architecture.of({**inputs, **changes})


def _forward(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> ForwardStatistics:
    """Forward moments of a point's networks, from its synthetic or real inputs."""
    from widelimit.validate.simulate.meanfield import forward_statistics

    networks = architecture(inputs)
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
    found = _forward({**inputs, "one_minus_c0": 0.0}, size, seeds, backend)
    return np.concatenate([found.q, found.c], axis=1)


def scaled(one_minus_c: np.ndarray) -> np.ndarray:
    """l (1 - c^l) at every fourth layer; tends to beta for smooth activations at the edge of chaos."""
    return (one_minus_c * np.arange(1, one_minus_c.shape[-1] + 1))[..., READ - 1 :: READ]


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
        architecture(inputs),
        size,
        seeds,
        backend,
        q0=float(inputs["q0"]),
        c0=float(inputs["c0"]),
        window=int(inputs["window"]),
    )
    return np.column_stack([found[:, 0], found[:, 1].round(3)])
