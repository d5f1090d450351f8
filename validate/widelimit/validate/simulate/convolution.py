"""Drawn convolutional networks: how a wave in the covariance of two signals passes a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import functions, normals

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

_BURN = 24  # layers in which two signals settle
_FOLLOWED = 6  # layers that a wave passes, each with a wave of its own
_WAVE = 0.05  # its amplitude, as a change of the correlation


def convolution_modes(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Factor per layer of a small Fourier mode of the covariance of two signals that a network has settled.

    Two independent signals pass `_BURN` drawn layers of `size` channels. The second is then turned, position by
    position, towards the first and away from it, so that their correlation gains and loses a wave cos(2 pi k a/n).
    Returned is the wave that the difference of both covariances has behind the next layer over that before it, both
    measured in the network and averaged over some layers.
    """
    import torch

    normal = normals(seed, backend)
    phi, _ = functions(str(inputs["activation"]))
    n, taps = int(inputs["positions"]), int(inputs["filter_size"])
    sigma_w, sigma_b = float(inputs["sigma_w"]), float(inputs["sigma_b"])
    place = torch.arange(n, device=backend.device, dtype=backend.dtype)
    wave = torch.cos(2 * np.pi * int(inputs["wave"]) / n * place)

    def layer() -> Any:
        weight = normal(size, size * taps) * sigma_w / (size * taps) ** 0.5
        bias = normal(size, 1) * sigma_b

        def apply(h: torch.Tensor) -> torch.Tensor:
            x = phi(h)
            shifted = [torch.roll(x, shift, 1) for shift in range(-(taps // 2), taps // 2 + 1)]
            return weight @ torch.cat(shifted) + bias

        return apply

    first, second = normal(size, n), normal(size, n)
    for _ in range(_BURN):
        apply = layer()
        first, second = apply(first), apply(second)
    before, after = 0.0, 0.0
    for _ in range(_FOLLOWED):
        apply = layer()
        near, far = (_turned(first, second, sign * _WAVE * wave) for sign in (1.0, -1.0))
        next_first = apply(first)
        before += float(((first * (near - far)).mean(0) * wave).mean())
        after += float(((next_first * (apply(near) - apply(far))).mean(0) * wave).mean())
        first, second = next_first, apply(second)
    return np.array([after / before])


def _turned(first: torch.Tensor, second: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    """`second`, its correlation with `first` changed at each position, in their plane and at its own length."""
    long, own = first.norm(dim=0), second.norm(dim=0)
    c = (first * second).sum(0) / (long * own)
    across = second / own - c * first / long
    turned = (c + change).clamp(-1.0, 1.0)
    return own * (turned * first / long + (1 - turned**2).sqrt() * across / across.norm(dim=0))
