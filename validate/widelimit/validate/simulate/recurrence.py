"""Drawn recurrent networks, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

from widelimit.validate.simulate.kernel import functions, normals


def gated(
    inputs: Any, size: int, seed: int, backend: Backend, *, steps: int = 40, tied: bool = False
) -> np.ndarray:
    """(E h^2, variance of the gate's input, growth of a gradient per step) of a minimalRNN near stationarity."""
    import torch

    normal = normals(seed, backend)
    sigma_w, sigma_v = float(inputs["sigma_w"]), float(inputs["sigma_v"])
    r, mu = float(inputs["input_moment"]), float(inputs["bias_mean"])
    h = normal(4, size) * (0.5 * r) ** 0.5
    backward = normal(4, size)
    weights: list[torch.Tensor] = []
    memory, variance, growth = [], [], []
    for step in range(steps):
        if not tied or not weights:
            weights = [normal(size, size) * sigma_w / size**0.5, normal(size, size) * sigma_v / size**0.5]
        x = normal(4, size) * r**0.5
        pre = h @ weights[0].T + x @ weights[1].T
        u = torch.sigmoid(pre + mu)
        steep = u * (1 - u) * (h - x)
        if step >= steps // 2:
            memory.append(float((h**2).mean()))
            variance.append(float((pre**2).mean()))
            carried = backward * u + (backward * steep) @ weights[0]
            growth.append(float((carried**2).sum() / (backward**2).sum()))
        h = u * h + (1 - u) * x
    return np.array([np.mean(memory), np.mean(variance), np.mean(growth)])


def two_time(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Covariance of a vanilla network's pre-activations at the last two times, and their variance at the last.

    Its `weights` are tied, or drawn afresh at each step.
    """
    normal = normals(seed, backend)
    phi, _ = functions(str(inputs["activation"]))
    sigma_w, sigma_b, steps = float(inputs["sigma_w"]), float(inputs["sigma_b"]), int(inputs["steps"])

    def draw() -> tuple[torch.Tensor, torch.Tensor]:
        return normal(size, size) * sigma_w / size**0.5, normal(size) * sigma_b

    weight, bias = draw()
    h = normal(size) * float(inputs["start"]) ** 0.5
    before = h
    for _ in range(steps):
        before, h = h, weight @ phi(h) + bias
        if inputs["weights"] != "tied":
            weight, bias = draw()
    return np.array([float((before * h).mean()), float((h**2).mean())])
