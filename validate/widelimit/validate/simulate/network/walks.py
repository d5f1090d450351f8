"""Dense post-activation networks with batch normalisation: zeros, second moments, shortcuts that stay open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import normals

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend


def places(blocks: int, size: int, seed: int, backend: Backend) -> list[torch.Tensor]:
    """Units of a batch of 3/2 `size` behind the stem and each block of x' = ReLU(x + BN(V ReLU(BN(W x))))."""
    normal = normals(seed, backend)

    def branch(x: torch.Tensor) -> torch.Tensor:
        return normalised(x @ normal(size, size).T / size**0.5)

    x = normalised(normal(3 * size // 2, size)).relu()
    found = [x]
    for _ in range(blocks):
        x = (x + branch(branch(x).relu())).relu()
        found.append(x)
    return found


def normalised(h: torch.Tensor) -> torch.Tensor:
    """Units with mean 0 and variance 1 over the batch."""
    return (h - h.mean(0)) / h.var(0, unbiased=False).sqrt()


def dead_units(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The share of units that are zero behind the last block, and their mean square."""
    x = places(int(inputs["blocks"]), size, seed, backend)[-1]
    return np.array([float((x == 0).double().mean()), float(x.square().mean())])


def open_shortcuts(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The share of units that no block behind the first ones, `start` in number, sets to zero."""
    import torch

    alive = [x > 0 for x in places(int(inputs["blocks"]), size, seed, backend)]
    return np.array([float(torch.stack(alive[int(inputs["start"]) + 1 :]).all(0).double().mean())])
