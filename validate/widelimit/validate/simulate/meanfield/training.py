"""Networks of many weight scales trained together on the digits set, for the empirical rule of trainable depth.

All networks of one depth are one batch: a layer's weights are a tensor (B, N, N) and a layer is one batched matrix
product, so that a GPU is busy although each network is small. Plain SGD, the setting of arXiv:1611.01232, in single
precision: what is measured, whether a network learns at all, has no use for more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch

from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing.functions import Function, activation_function
from widelimit.validate.harness.drawing.weights import Draws
from widelimit.validate.harness.inputs import digits

CLASSES = 10


@dataclass(frozen=True)
class Training:
    """How a network is trained: `steps` of SGD at `rate` on cross-entropy, `batch` images a step."""

    steps: int = 300
    batch: int = 128
    rate: float = 0.05


def trained_loss(
    activation: str,
    sigma_w: Sequence[float],
    sigma_b: float,
    depth: int,
    width: int,
    seeds: Sequence[int],
    training: Training,
    backend: Backend,
) -> np.ndarray:
    """Cross-entropy over log 10 on all digits after training, shape (len(seeds), len(sigma_w)).

    1 is what a constant guess scores and 0 a perfect fit; a network that diverges scores 1. Networks have `depth`
    hidden layers of `width` neurons with weights of variance sigma_w^2 / fan_in and biases of variance sigma_b^2, and
    a linear read-out of variance 1 / width. Weights and minibatches of network (r, j) come from seeds[r]; the scales
    sigma_w[j] share them.

    >>> quick = Training(steps=20, rate=0.2)
    >>> loss = trained_loss("tanh", [1.3], 0.2, 1, 64, [1], quick, Backend())
    >>> bool(loss[0, 0] < 0.6)
    True
    """
    backend = replace(backend, precision="float32")
    images, labels = _digits(backend)
    phi = activation_function(activation)
    draws = Draws(seeds, backend)
    parameters = _initial(draws, sigma_w, sigma_b, depth, width, images.shape[1])
    choosers = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
    for _ in range(training.steps):
        rows = [torch.randint(len(images), (training.batch,), generator=chooser) for chooser in choosers]
        chosen = torch.stack(rows).repeat_interleave(len(sigma_w), dim=0).to(images.device)
        losses = _losses(parameters, phi, images[chosen], labels[chosen])
        for parameter, gradient in zip(
            parameters, torch.autograd.grad(losses.sum(), parameters), strict=True
        ):
            with torch.no_grad():
                parameter.sub_(gradient.nan_to_num_(0.0, 0.0, 0.0), alpha=training.rate)
    with torch.no_grad():
        losses = _losses(parameters, phi, images.expand(len(chosen), -1, -1), labels.expand(len(chosen), -1))
    scored = (losses / math.log(CLASSES)).nan_to_num(1.0, posinf=1.0).clamp(max=1.0)
    return scored.view(len(seeds), len(sigma_w)).to("cpu", torch.float64).numpy()


def failing_depth(depths: Sequence[int], losses: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """The depth at which the loss first crosses the threshold, interpolated in log depth; shape losses.shape[1:].

    `losses` has the depths along its first axis. Infinite where every depth is trained, the first depth where none is.

    >>> round(float(failing_depth([10, 20, 40], np.array([0.1, 0.3, 0.7]))), 6)
    28.284271
    """
    worst = np.maximum.accumulate(np.asarray(losses, dtype=float), axis=0)
    log_depth = np.log(np.asarray(depths, dtype=float))
    result = np.full(worst.shape[1:], np.inf)
    for index in np.ndindex(result.shape):
        line = worst[(slice(None), *index)]
        if line[-1] >= threshold:
            after = int(np.argmax(line >= threshold))
            ends = slice(max(after - 1, 0), after + 1)
            result[index] = math.exp(np.interp(threshold, line[ends], log_depth[ends]))
    return result


def _digits(backend: Backend) -> tuple[torch.Tensor, torch.Tensor]:
    from sklearn.datasets import load_digits

    pixels = digits()
    centred = (pixels - pixels.mean()) / pixels.std()
    images = torch.as_tensor(centred, dtype=backend.dtype, device=backend.device)
    return images, torch.as_tensor(load_digits().target, device=backend.device)


def _initial(
    draws: Draws, sigma_w: Sequence[float], sigma_b: float, depth: int, width: int, features: int
) -> list[torch.Tensor]:
    """W^1, b^1, ..., W^(depth+1), b^(depth+1); each (B, fan_out, ...) with B = replicates x scales, r slowest."""
    parameters = []
    scales = torch.as_tensor(sigma_w, dtype=draws.backend.dtype, device=draws.backend.device)
    sizes = [features, *[width] * depth, CLASSES]
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        last = layer == depth
        spread = (torch.ones_like(scales) if last else scales) / fan_in**0.5
        weight = draws.normal(fan_out, fan_in).unsqueeze(1) * spread.view(1, -1, 1, 1)
        bias = draws.normal(fan_out, 1).unsqueeze(1) * (0.0 if last else sigma_b)
        parameters += [weight.flatten(0, 1), bias.expand(-1, len(scales), -1, -1).flatten(0, 1).clone()]
    return [parameter.requires_grad_() for parameter in parameters]


def _losses(
    parameters: Sequence[torch.Tensor], phi: Function, images: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Mean cross-entropy of each network, (B,), on its own images (B, samples, features)."""
    h = torch.baddbmm(parameters[1], parameters[0], images.mT)
    for weight, bias in zip(parameters[2::2], parameters[3::2], strict=True):
        h = torch.baddbmm(bias, weight, phi(h))
    return torch.nn.functional.cross_entropy(h, labels, reduction="none").mean(dim=1)
