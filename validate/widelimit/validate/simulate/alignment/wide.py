"""Gaussian layers of some width under local rules, and error signals through several of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from widelimit.validate.harness.drawing.weights import Draws

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_POWERS = 400  # steps over which a divergence is followed, the last quarter being measured

_SIGNALS = 16  # inputs and error signals through one network


def _cosines(b: Tensor, w: Tensor) -> Tensor:
    """Of B and W^T, (R,)."""
    return (b.mT * w).sum((-2, -1)) / (b.flatten(1).norm(dim=1) * w.flatten(1).norm(dim=1))


def information(inputs: Mapping[str, Any], size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Cosine of the B that nothing moves any more, by linear equations, for a layer of `size` white inputs."""
    draws = Draws(seeds, backend)
    outputs = round(float(inputs["aspect"]) * size)
    w = float(inputs["sigma_w"]) / size**0.5 * draws.normal(outputs, size)
    eye = torch.eye(outputs, dtype=w.dtype, device=w.device)
    b = torch.linalg.solve(w @ w.mT + float(inputs["ratio"]) * eye, w).mT
    return _cosines(b, w).cpu().numpy()[:, None]


def mirror(inputs: Mapping[str, Any], size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Cosines of the mean of x y^T over rectified inputs, as they are and centred, for `size` outputs.

    The length of B is taken from two halves of the samples, so that their noise has no part in it.
    """
    draws = Draws(seeds, backend)
    fan_in = int(inputs["fan_in"])
    w = draws.normal(size, fan_in) / fan_in**0.5
    x = draws.normal(fan_in * int(inputs["samples_per_input"]), fan_in).relu()
    found = []
    for rows in (x, x - x.mean(1, keepdim=True)):
        halves = [half.mT @ (half @ w.mT) for half in rows.chunk(2, 1)]
        along = sum((b.mT * w).sum((-2, -1)) for b in halves) / 2
        square = (halves[0] * halves[1]).sum((-2, -1))  # noise of the samples has no part in it
        found.append(along / (square.sqrt() * w.flatten(1).norm(dim=1)))
    return torch.stack(found, -1).cpu().numpy()


def step(inputs: Mapping[str, Any], size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The largest learning rate, read off how fast the feedback diverges at a larger one.

    One row of B is followed under the flow of the information rule with white inputs: with a step that is too large
    its growth per step is that step times the fastest rate, less 1.
    """
    draws = Draws(seeds, backend)
    outputs = round(float(inputs["aspect"]) * size)
    beta, gamma = float(inputs["beta"]), float(inputs["gamma"])
    w = float(inputs["sigma_w"]) / size**0.5 * draws.normal(outputs, size)
    rate = float(inputs["too_large"])
    change = draws.normal(1, outputs)
    logs = torch.zeros(len(seeds), dtype=w.dtype, device=w.device)
    for k in range(_POWERS):  # changes of B follow the flow without its drive
        change = change - rate * (beta * (change @ w) @ w.mT + gamma * change)
        norm = change.norm(dim=-1, keepdim=True)
        change = change / norm
        if k >= 3 * _POWERS // 4:
            logs += norm.flatten().log()
    growth = (logs / (_POWERS // 4)).exp()
    return (2 * rate / (1 + growth)).cpu().numpy()[:, None]


def deep(inputs: Mapping[str, Any], size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Mean cosine of error signals through layers whose feedback has a cosine with the weights, at width `size`."""
    draws = Draws(seeds, backend)
    layers, cosine = int(inputs["layers"]), float(inputs["cosine"])
    rectified = inputs["activation"] == "relu"
    x = draws.normal(_SIGNALS, size)
    stack: list[tuple[Tensor, Tensor]] = []
    for _ in range(layers):
        w = (2.0 if rectified else 1.0) ** 0.5 * draws.normal(size, size) / size**0.5
        x = x @ w.mT
        mask = (x > 0).to(x.dtype) if rectified else torch.ones_like(x)
        x = x * mask
        stack.append((w, mask))
    true = draws.normal(_SIGNALS, size)
    fed = true.clone()
    for w, mask in reversed(stack):
        other = draws.normal(size, size) * w.std((-2, -1), keepdim=True)
        b = cosine * w + (1 - cosine**2) ** 0.5 * other
        true, fed = (true * mask) @ w, (fed * mask) @ b
    found = (true * fed).sum(-1) / (true.norm(dim=-1) * fed.norm(dim=-1))
    return found.mean(-1, keepdim=True).cpu().numpy()
