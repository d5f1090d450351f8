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


def bypassed(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Growth per step of the length of small states of a tanh network with a bypass and tied weights, in 12 steps."""
    import torch

    normal, steps = normals(seed, backend), 12
    keep = float(inputs["keep"])
    weight = normal(size, size) * float(inputs["sigma_w"]) / size**0.5
    h = normal(size, 8) * 1e-4
    start = float((h**2).sum())
    for _ in range(steps):
        h = keep * h + (1 - keep) * (weight @ torch.tanh(h))
    return np.array([(float((h**2).sum()) / start) ** (0.5 / steps)])


def reciprocal(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """(E h^2, growth of a small perturbation's mean square) of reciprocal gated cells with weights fresh at each step.

    `inputs`: "constant", the same x at each step, or "fresh".
    """
    import torch

    normal, steps, last = normals(seed, backend), 24, 8
    scale, root = float(inputs["sigma_w"]) / size**0.5, float(inputs["input_moment"]) ** 0.5
    x, h, c = root * normal(size, 4), 0.0 * normal(size, 4), 0.0 * normal(size, 4)
    sizes, growth = [], []
    for step in range(steps):
        if inputs["inputs"] == "fresh":
            x = root * normal(size, 4)
        hh, ch, hc, cc = (scale * normal(size, size) for _ in range(4))
        own, other = torch.sigmoid(-hh @ h), torch.sigmoid(-ch @ c)
        mine, theirs = torch.sigmoid(-cc @ c), torch.sigmoid(-hc @ h)
        if step >= steps - last:
            dh, dc = normal(size, 4), normal(size, 4)
            to_h = own * dh - own * (1 - own) * h * (hh @ dh) - other * (1 - other) * x * (ch @ dc)
            to_c = mine * dc - mine * (1 - mine) * c * (cc @ dc) - theirs * (1 - theirs) * x * (hc @ dh)
            growth.append(float(((to_h**2).sum() + (to_c**2).sum()) / ((dh**2).sum() + (dc**2).sum())))
        h, c = other * x + own * h, theirs * x + mine * c
        if step >= steps - last:
            sizes.append(float((h**2 + c**2).mean()) / 2)
    return np.array([np.mean(sizes), np.mean(growth)])


def resting(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """R/E h^2 of a reciprocal gated cell with tied weights after 200 steps of one input; 0 where activity runs away."""
    import torch

    normal = normals(seed, backend)
    scale = (float(inputs["strength"]) / size) ** 0.5
    hh, ch, hc, cc = (scale * normal(size, size) for _ in range(4))
    x = normal(size, 1)
    h, c = 0.0 * x, 0.0 * x
    for _ in range(200):
        h, c = (
            torch.sigmoid(-ch @ c) * x + torch.sigmoid(-hh @ h) * h,
            torch.sigmoid(-hc @ h) * x + torch.sigmoid(-cc @ c) * c,
        )
        if float((h**2).mean()) > 1e6:
            return np.zeros(1)
    return np.array([2 * float((x**2).mean() / ((h**2).mean() + (c**2).mean()))])
