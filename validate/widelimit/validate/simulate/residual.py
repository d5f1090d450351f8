"""Drawn residual networks, forwards and backwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

from widelimit.validate.simulate.kernel import functions, normals


def residual(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """log of p at the top over p at the bottom, and log of the gradient at the bottom over that at the top."""
    normal = normals(seed, backend)
    phi, slope = functions(str(inputs["activation"]))
    sigma_w, sigma_v, sigma_b = (float(inputs[name]) for name in ("sigma_w", "sigma_v", "sigma_b"))
    start = normal(4, size)
    x, layers = start, []
    for _ in range(int(inputs["depth"])):
        inner, outer = normal(size, size) * sigma_w / size**0.5, normal(size, size) * sigma_v / size**0.5
        h = x @ inner.T + normal(size) * sigma_b
        layers.append((inner, outer, slope(h)))
        x = x + phi(h) @ outer.T
    top = normal(4, size)
    gradient = top
    for inner, outer, steep in reversed(layers):
        gradient = gradient + ((gradient @ outer) * steep) @ inner
    return np.array(
        [
            float(((x**2).mean() / (start**2).mean()).log()),
            float(((gradient**2).mean() / (top**2).mean()).log()),
        ]
    )
