"""What the weights of a first layer say: ratio of norms, kurtosis, and the share of inputs that flip its units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from widelimit.numerics.robustness import flip_fraction, weight_statistics

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class FirstLayer:
    """Means over units of the first layer: `ratio` |w|_1 / (sqrt(N) |w|_2) and `kurtosis` N |w|_4^4 / |w|_2^4.

    `flip_fraction`: share of inputs of which an attack of the radius changes the sign of a unit, predicted for Gaussian
    inputs of the data's mean and mean variance; None behind a convolution.
    """

    name: str
    ratio: float
    kurtosis: float
    flip_fraction: float | None


def first_layer(module: nn.Module, x: Tensor, radius: float) -> FirstLayer | None:
    """Return what the first dense or convolution layer of a module has, None where there is none."""
    layers = [(name, one) for name, one in module.named_modules() if isinstance(one, _LAYERS)]
    if not layers:
        return None
    name, one = layers[0]
    rows = one.weight.detach().double().cpu().numpy().reshape(len(one.weight), -1)
    alive = np.isfinite(rows).all(1) & rows.any(1)
    if not alive.any():
        return None
    found = weight_statistics(rows[alive])
    flips = None
    data = x.detach().double().cpu().numpy().reshape(len(x), -1)
    deviation = float(np.sqrt(data.var(0).mean()))
    if isinstance(one, nn.Linear) and data.shape[1] == one.in_features and deviation > 0:
        bias = np.zeros(len(rows)) if one.bias is None else one.bias.detach().double().cpu().numpy()
        shift = (bias + rows @ data.mean(0))[alive]
        flips = float(np.mean(flip_fraction(rows[alive], radius=radius, input_std=deviation, bias=shift)))
    return FirstLayer(name, float(np.mean(found.ratio)), float(np.mean(found.kurtosis)), flips)
