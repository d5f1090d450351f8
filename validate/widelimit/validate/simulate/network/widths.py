"""Lengths of many drawn networks of one width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import functions, normals

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_DRAWS = 4000


def variance(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """`size` times the relative variance of |x|^2 over 4,000 drawn layers, one number a seed.

    Units of one layer at inputs of a given length are independent Gaussians: they are drawn without the weights, those
    of further layers from the length of the layer below in the same draw.
    """
    phi, _ = functions(str(inputs["activation"]))
    found = []
    for seed in seeds:
        normal = normals(seed, backend)
        length = normal(_DRAWS, 1) * 0 + 1
        for _ in range(int(inputs["depth"])):
            length = (
                phi(normal(_DRAWS, size) * float(inputs["sigma_w"]) * length.sqrt()).square().mean(1, True)
            )
        found.append([float(size * length.var() / length.mean() ** 2)])
    return np.array(found)
