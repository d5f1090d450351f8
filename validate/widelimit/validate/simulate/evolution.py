"""The tangent kernel of a network while it learns digits, and what networks linearised along the way reach.

Standard parametrisation, ReLU, softmax outputs, stochastic gradient descent with momentum on cross entropy. At an epoch
the network is linearised: the tangent kernel there (summed over outputs) fits the residuals of the targets in closed
form, and its error on test digits is compared with that of the kernel at birth (fort2020deep).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from widelimit.validate.simulate.fisher import StandardNet
from widelimit.validate.simulate.kernel import functions

if TYPE_CHECKING:
    from widelimit.validate.backend import Backend

_CLASSES, _BATCH, _RATE, _MOMENTUM = 10, 32, 0.02, 0.9


@dataclass(frozen=True)
class Evolution:
    """Per epoch: cosine distance of the kernel to that at birth and to that one epoch before (velocity), and
    the test errors of the network and of its linearisation.
    """

    distance: np.ndarray
    velocity: np.ndarray
    error: np.ndarray
    linearised: np.ndarray


def evolve(inputs: Any, seed: int, backend: Backend) -> Evolution:
    """Train one network of width ``inputs["width"]`` for ``inputs["epochs"]`` epochs on ``inputs["train"]`` digits."""
    generator = backend.generator(seed)
    x, labels, train = _digits(inputs, generator, backend)
    net = _draw(int(inputs["width"]), int(inputs["depth"]), x.shape[1], generator, backend)
    targets = torch.nn.functional.one_hot(labels, _CLASSES).to(x.dtype)
    kernels, errors, linearised = [], [], []
    speed = [torch.zeros_like(weight) for weight in net.weights]
    for epoch in range(int(inputs["epochs"]) + 1):
        f, _, _ = net.forward(x)
        theta = tangent_kernel(net, x)
        kernels.append(theta[:train, :train])
        errors.append(_error(f[train:], labels[train:]))
        linearised.append(_linearised_error(theta, f, targets, labels, train))
        if epoch < int(inputs["epochs"]):
            _epoch(net, speed, x[:train], targets[:train], generator)
    first = np.array([_distance(kernels[0], k) for k in kernels])
    steps = np.array([0.0, *(_distance(a, b) for a, b in itertools.pairwise(kernels))])
    return Evolution(first, steps, np.array(errors), np.array(linearised))


def tangent_kernel(net: StandardNet, x: torch.Tensor) -> torch.Tensor:
    """Products of weight gradients, summed over outputs, (p, p)."""
    _, hidden, inputs = net.forward(x)
    total = torch.zeros((), dtype=x.dtype, device=x.device)
    for z, d in zip(inputs, net.backward(hidden), strict=True):
        flat = d.permute(1, 0, 2).reshape(d.shape[1], -1)
        total = total + (flat @ flat.T) * (z @ z.T)
    return total


def _digits(
    inputs: Any, generator: torch.Generator, backend: Backend
) -> tuple[torch.Tensor, torch.Tensor, int]:
    from sklearn.datasets import load_digits

    data = load_digits()
    order = torch.randperm(len(data.data), generator=generator, device=backend.device)
    train = int(inputs["train"])
    chosen = order[: train + int(inputs["test"])]
    x = torch.as_tensor(
        (data.data - data.data.mean()) / data.data.std(), device=backend.device, dtype=backend.dtype
    )
    labels = torch.as_tensor(data.target, device=backend.device, dtype=torch.long)
    return x[chosen], labels[chosen], train


def _draw(width: int, depth: int, features: int, generator: torch.Generator, backend: Backend) -> StandardNet:
    sizes = [features, *[width] * depth, _CLASSES]

    def normal(after: int, before: int) -> torch.Tensor:
        return torch.randn((after, before), generator=generator, device=backend.device, dtype=backend.dtype)

    weights = [normal(after, before) * (2.0 / before) ** 0.5 for before, after in itertools.pairwise(sizes)]
    biases = [torch.zeros(after, device=backend.device, dtype=backend.dtype) for after in sizes[1:]]
    return StandardNet(weights, biases, *functions("relu"))


def _epoch(
    net: StandardNet,
    speed: list[torch.Tensor],
    x: torch.Tensor,
    targets: torch.Tensor,
    generator: torch.Generator,
) -> None:
    order = torch.randperm(len(x), generator=generator, device=x.device)
    for start in range(0, len(x), _BATCH):
        batch = order[start : start + _BATCH]
        f, hidden, inputs = net.forward(x[batch])
        delta = (torch.softmax(f, 1) - targets[batch]) / len(batch)
        for layer in range(len(net.weights) - 1, -1, -1):
            gradient = delta.T @ inputs[layer]
            if layer:
                delta = (delta @ net.weights[layer]) * net.slope(hidden[layer - 1])
            speed[layer].mul_(_MOMENTUM).add_(gradient)
        for weight, v in zip(net.weights, speed, strict=True):
            weight -= _RATE * v


def _error(f: torch.Tensor, labels: torch.Tensor) -> float:
    return float((f.argmax(1) != labels).double().mean())


def _linearised_error(
    theta: torch.Tensor, f: torch.Tensor, targets: torch.Tensor, labels: torch.Tensor, train: int
) -> float:
    """Error of f + Theta(x, X) Theta^-1 (y - f(X)): the linearised network trained to the end on squares."""
    inside = theta[:train, :train]
    ridge = 1e-6 * inside.diagonal().mean() * torch.eye(train, dtype=theta.dtype, device=theta.device)
    move = torch.linalg.solve(inside + ridge, targets[:train] - f[:train])
    return _error(f[train:] + theta[train:, :train] @ move, labels[train:])


def _distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """1 - cosine of two kernels (fort2020deep, section 3)."""
    return max(0.0, 1.0 - float((a * b).sum() / (a.norm() * b.norm())))
