"""Gradients of drawn batch-normalised networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

from widelimit.validate.simulate.kernel import functions, normals


def batch_gradient(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Factor of the mean square gradient per layer of h -> phi(BN(W x)), over the upper half of `depth` layers."""
    normal = normals(seed, backend)
    phi, slope = functions(str(inputs["activation"]))
    batch, depth = int(inputs["batch"]), int(inputs["depth"])
    x, layers = normal(batch, size), []
    for _ in range(depth):
        weight = normal(size, size) / size**0.5
        h = x @ weight.T
        centred = h - h.mean(0)
        deviation = centred.square().mean(0).sqrt()
        unit = centred / deviation
        layers.append((weight, unit, deviation, slope(unit)))
        x = phi(unit)
    gradient, norms = normal(batch, size), []
    for weight, unit, deviation, steep in reversed(layers):
        inner = gradient * steep
        inner = (inner - inner.mean(0) - unit * (inner * unit).mean(0)) / deviation
        gradient = inner @ weight
        norms.append(float(gradient.square().mean()))
    # the topmost layer carries the transient of the random gradient, the bottom ones that of the input
    half = depth // 2
    return np.array([np.exp((np.log(norms[half]) - np.log(norms[0])) / half)])
