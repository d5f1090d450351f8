"""`predict`: how many inputs an attack flips, of a random network or of units of your own, as one flat record."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from widelimit.numerics import arguments, meanfield
from widelimit.numerics.files.door import numbers
from widelimit.numerics.robustness.laws import weight_statistics
from widelimit.numerics.robustness.networks import network_flip_fraction
from widelimit.numerics.robustness.units import flip_fraction, power_of


def predict(
    activation: str = "tanh",
    sigma_w: float = 1.5,
    sigma_b: float = 0.0,
    depth: int = 4,
    inputs: int = 784,
    radius: float = 0.01,
    weights: str | None = None,
    norm: str = "linf",
) -> dict[str, float]:
    """Return the share of Gaussian inputs that an attack flips.

    Args:
        activation: a catalogue name or an expression in x.
        sigma_w: scale of all weights of a random network.
        sigma_b: of all biases.
        depth: hidden layers.
        inputs: their number.
        radius: of the attack, in standard deviations of an input; an l_inf one on networks.
        weights: a file (.npy, .npz, text) of a unit's weights, or of several, a row each; then means over units of the
            share flipped, the ratio |w|_1 / (sqrt(N) |w|_2), the kurtosis, and the least ratio that this allows.
        norm: of the attack on such units: "linf", "l2", "l1", or "l" and any p from 1.

    >>> found = predict(depth=4, inputs=800)
    >>> round(found["flip_fraction"], 12), round(found["growth"], 6)  # of the reach, a layer
    (0.266382002735, 1.067391)
    """
    power_of(norm)
    if weights is not None:
        rows = np.atleast_2d(numbers("weights", weights) if isinstance(weights, str | Path) else weights)
        found = weight_statistics(rows)
        flips = flip_fraction(rows, radius=arguments.non_negative_number("radius", radius), norm=norm)
        return {
            "flip_fraction": float(np.mean(flips)),
            "ratio": float(np.mean(found.ratio)),
            "kurtosis": float(np.mean(found.kurtosis)),
            "least_ratio": float(np.mean(found.least_ratio)),
        }
    flips = network_flip_fraction(
        activation,
        sigma_w=arguments.positive_number("sigma_w", sigma_w),
        sigma_b=arguments.non_negative_number("sigma_b", sigma_b),
        depth=arguments.count("depth", depth),
        inputs=arguments.count("inputs", inputs),
        radius=arguments.non_negative_number("radius", radius),
    )
    chi = meanfield.solve(activation, sigma_w=sigma_w, sigma_b=sigma_b).chi_1
    return {"flip_fraction": float(flips), "chi_1": float(chi), "growth": float(np.sqrt(chi))}
