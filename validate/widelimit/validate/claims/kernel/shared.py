"""What all claims about kernels of fully connected networks share: the domain, its points, the scale of errors."""

from __future__ import annotations

import numpy as np

from widelimit.validate.harness.claim import Choice, Inputs, Integers, Interval

FEATURES = 6  # of the fixed inputs
_ACTIVATIONS = ("relu", "erf", "tanh", "leaky_relu(0.3)", "gelu", "sin", "hard_tanh")
NETWORK: dict[str, Interval | Integers | Choice] = {
    "activation": Choice(_ACTIVATIONS),
    "sigma_w": Interval(0.8, 2.0, simplest=1.0),
    "sigma_b": Interval(0.05, 1.0, simplest=0.5),
    "depth": Integers(1, 3),
}


def network(inputs: Inputs) -> tuple[str, float, float, int]:
    """(activation, sigma_w, sigma_b, depth)."""
    return str(inputs["activation"]), float(inputs["sigma_w"]), float(inputs["sigma_b"]), int(inputs["depth"])


def point(activation: str, sigma_w: float, sigma_b: float, depth: int) -> Inputs:
    """A point of the domain."""
    return {"activation": activation, "sigma_w": sigma_w, "sigma_b": sigma_b, "depth": depth}


def scale_of_kernel(predicted: np.ndarray) -> np.ndarray:
    """Off-diagonal entries may be small; errors are judged against the largest entry."""
    return np.full_like(predicted, np.abs(predicted).max())
