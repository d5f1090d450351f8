"""Drawn convolutions: what zero padding leaves of mean squares, and units behind depthwise filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import normals

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_IN, _OUT, _UNITS = 16, 2000, 100_000


def padded(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean square of a drawn convolution of inputs that are the same at all positions, over that of the inputs."""
    from torch.nn.functional import conv1d

    normal = normals(seed, backend)
    taps = int(inputs["filter_size"])
    x = normal(1, _IN, 1)
    x = (x / x.square().mean().sqrt()).expand(1, _IN, int(inputs["positions"]))
    weights = normal(_OUT, _IN, taps) / (_IN * taps) ** 0.5
    stride, dilation, padding = (int(inputs[name]) for name in ("stride", "dilation", "padding"))
    return np.array(
        [float(conv1d(x, weights, stride=stride, dilation=dilation, padding=padding).square().mean())]
    )


def depthwise(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """E y^4 / (E y^2)^2 of units behind filters over one channel of independent units behind ReLU."""
    normal, taps = normals(seed, backend), int(inputs["taps"])
    y = (normal(taps, _UNITS) * normal(taps, _UNITS).relu()).sum(0)
    square = y.square()
    return np.array([float(square.square().mean() / square.mean() ** 2)])
