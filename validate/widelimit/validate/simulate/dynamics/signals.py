"""Canonical correlations of independent signals, drawn and measured in torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import normals

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend


def chance(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean squared canonical correlation of `size` and 3/2 `size` AR(1) signals in twenty times as many samples."""
    import torch

    normal, factor, samples = normals(seed, backend), float(inputs["factor"]), 20 * size
    bases = []
    for count in (size, 3 * size // 2):
        x = normal(samples, count)
        for t in range(1, samples):
            x[t] = factor * x[t - 1] + math.sqrt(1 - factor**2) * x[t]
        bases.append(torch.linalg.qr(x)[0])
    cosines = torch.linalg.svdvals(bases[0].T @ bases[1])
    return np.array([float((cosines**2).mean())])
