"""Covariances of convolutional networks, one layer on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

from widelimit.validate.simulate.kernel import functions, normals


def fixed_point(inputs: Any) -> dict[str, float]:
    """Return the fixed point of the dense network with the same scales, around which modes are followed."""
    from widelimit.numerics import meanfield

    point = meanfield.solve(
        str(inputs["activation"]), sigma_w=float(inputs["sigma_w"]), sigma_b=float(inputs["sigma_b"])
    )
    return {"q": float(point.q_star), "c": float(point.c_star)}


def convolution_modes(
    inputs: Any, size: int, seed: int, backend: Backend, *, q: float, c: float
) -> np.ndarray:
    """Factor per layer of a small Fourier mode of the covariance of two signals around the fixed point (q, c).

    Both signals are Gaussian in the channels with variance q and covariance c q between any two positions and signals,
    except that the covariance of the two at position a carries a small wave, 0.15 q (1 - c) cos(2 pi k a / n). Returns
    the wave's amplitude behind one layer over that before it, both measured in the same channels.
    """
    import torch

    normal = normals(seed, backend)
    phi, _ = functions(str(inputs["activation"]))
    n, k, width = int(inputs["positions"]), int(inputs["wave"]), int(inputs["filter_size"])
    wave = torch.cos(2 * np.pi * k * torch.arange(n, device=backend.device, dtype=backend.dtype) / n)
    shared, own_1, own_2 = normal(size, 1), normal(size, n), normal(size, n)
    amplitude = 0.15 * (1 - c)
    rho = amplitude * wave / (1 - c)
    first = (q * c) ** 0.5 * shared + (q * (1 - c)) ** 0.5 * own_1
    second = (q * c) ** 0.5 * shared + (q * (1 - c)) ** 0.5 * (rho * own_1 + (1 - rho**2).sqrt() * own_2)
    images = [phi(signal) for signal in (first, second)]
    sigma_w = float(inputs["sigma_w"])
    # the average over the next layer's weights is exact: sigma_w^2 times the filter's mean of the products of channels
    product = sigma_w**2 * (images[0] * images[1]).mean(0)
    half = width // 2
    smooth = sum(torch.roll(product, shift, 0) for shift in range(-half, half + 1)) / width
    before = float((smooth * wave).mean() / (wave**2).mean())
    return np.array([before / (q * amplitude)])
