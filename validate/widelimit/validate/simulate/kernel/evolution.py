"""The tangent kernel of a network while it learns images, and what networks linearised along the way reach.

Standard parametrisation, ReLU, softmax outputs, stochastic gradient descent with momentum on cross entropy. A network
linearised at an epoch, f + J dw with f and J frozen there, learns dw by the same descent (fort2020deep, section 4).
Single precision: errors are counts of images; kernels are compared in double precision.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from widelimit.numerics.results import by_value
from widelimit.validate.simulate.kernel.images import Task, task
from widelimit.validate.simulate.kernel.networks import functions
from widelimit.validate.simulate.kernel.standard import StandardNet

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_BATCH, _RATE, _MOMENTUM = 32, 0.02, 0.9
_LINEARISED_EPOCHS = 20  # 40 change the errors by less than their spread over seeds
_SAMPLE = 64  # training images whose kernel is followed
_FRAME = 0.4  # epochs between two kernels (fort2020deep, section 3)


@by_value
@dataclass(frozen=True)
class Learning:
    """Test errors of a network at the end of each epoch, and at some epochs of its linearisation."""

    error: np.ndarray
    linearised: dict[int, float]


@by_value
@dataclass(frozen=True)
class Turning:
    """Cosine distance of the kernel to that at birth, and to that one frame before over its epochs (velocity).

    ``velocity[k]`` belongs to the time between ``epochs[k]`` and ``epochs[k + 1]``.
    """

    epochs: np.ndarray
    distance: np.ndarray
    velocity: np.ndarray


def learn(inputs: Any, seed: int, backend: Backend, epochs: int, at: tuple[int, ...]) -> Learning:
    """Train a network for some epochs and, from each epoch of `at`, its linearisation."""
    net, given, generator = _start(inputs, seed, backend)
    errors, linearised = [], {}
    descent = _Descent(net, _gradients)
    for epoch in range(epochs + 1):
        f, _, _ = net.forward(given.images)
        errors.append(_error(f, given))
        if epoch in at:
            # its batches must not depend on which other epochs are linearised
            own = backend.generator(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
            linearised[epoch] = _linearised_error(net, given, own)
        if epoch < epochs:
            for batch in _batches(given, generator):
                descent.step(given, batch)
    return Learning(np.array(errors), linearised)


def turn(inputs: Any, seed: int, backend: Backend, epochs: int) -> Turning:
    """Train a network and follow its kernel, a frame of 0.4 epochs apart."""
    net, given, generator = _start(inputs, seed, backend)
    sample = given.images[: min(_SAMPLE, given.train)]
    descent = _Descent(net, _gradients)
    per_epoch = -(-given.train // _BATCH)
    marks = np.rint(np.arange(0.0, epochs + 1e-9, _FRAME) * per_epoch).astype(int)
    kernels, done = [tangent_kernel(net, sample)], 0
    for _ in range(epochs):
        for batch in _batches(given, generator):
            descent.step(given, batch)
            done += 1
            if done in marks:
                kernels.append(tangent_kernel(net, sample))
    times = marks / per_epoch
    steps = np.array([_distance(a, b) for a, b in itertools.pairwise(kernels)])
    return Turning(times, np.array([_distance(kernels[0], k) for k in kernels]), steps / np.diff(times))


def tangent_kernel(net: StandardNet, x: torch.Tensor) -> torch.Tensor:
    """Products of the gradients by weights and biases of every output at every image, (C p, C p)."""
    _, hidden, inputs = net.forward(x)
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    for z, d in zip(inputs, net.backward(hidden), strict=True):
        flat, z = d.reshape(-1, d.shape[-1]).double(), z.double()
        total = total + (flat @ flat.T) * (1.0 + z @ z.T).repeat(d.shape[0], d.shape[0])
    return total


def _start(inputs: Any, seed: int, backend: Backend) -> tuple[StandardNet, Task, torch.Generator]:
    backend = replace(backend, precision="float32")
    generator = backend.generator(seed)
    given = task(str(inputs["task"]), int(inputs["train"]), int(inputs["test"]), generator, backend)
    sizes = [given.images.shape[1], *[int(inputs["width"])] * int(inputs["depth"]), given.classes]

    def normal(after: int, before: int) -> torch.Tensor:
        return torch.randn((after, before), generator=generator, device=backend.device, dtype=backend.dtype)

    weights = [normal(after, before) * (2.0 / before) ** 0.5 for before, after in itertools.pairwise(sizes)]
    biases = [torch.zeros(after, device=backend.device, dtype=backend.dtype) for after in sizes[1:]]
    return StandardNet(weights, biases, *functions("relu")), given, generator


def _batches(given: Task, generator: torch.Generator) -> Iterator[torch.Tensor]:
    order = torch.randperm(given.train, generator=generator, device=given.images.device)
    return iter(order.split(_BATCH))


Parameters = list[torch.Tensor]  # weights of all layers, then their biases


class _Descent:
    """Stochastic gradient descent with momentum, of a network or of the weights' move in its linearisation."""

    def __init__(self, model: Any, gradients: Any) -> None:
        self.model, self.gradients = model, gradients
        self.speed = [torch.zeros_like(p) for p in [*model.weights, *model.biases]]

    def step(self, given: Task, batch: torch.Tensor) -> None:
        moving = [*self.model.weights, *self.model.biases]
        for p, v, g in zip(moving, self.speed, self.gradients(self.model, given, batch), strict=True):
            p.sub_(v.mul_(_MOMENTUM).add_(g), alpha=_RATE)


def _gradients(net: StandardNet, given: Task, batch: torch.Tensor) -> Parameters:
    f, hidden, inputs = net.forward(given.images[batch])
    return _pulled_back(net, inputs, [net.slope(h) for h in hidden[:-1]], _residual(f, given.labels[batch]))


def _residual(f: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The derivative of the mean cross entropy by the outputs."""
    targets = torch.nn.functional.one_hot(labels, f.shape[1]).to(f.dtype)
    return (torch.softmax(f, 1) - targets) / len(f)


def _pulled_back(
    net: StandardNet, inputs: list[torch.Tensor], slopes: list[torch.Tensor], delta: torch.Tensor
) -> Parameters:
    """J' delta: gradients of weights and biases."""
    weights, biases = [], []
    for layer in range(len(net.weights) - 1, -1, -1):
        weights.append(delta.T @ inputs[layer])
        biases.append(delta.sum(0))
        if layer:
            delta = (delta @ net.weights[layer]) * slopes[layer - 1]
    return weights[::-1] + biases[::-1]


@by_value
@dataclass
class _Linearised:
    """f + J dw around a frozen network: its outputs, layer inputs and slopes at all images, and dw."""

    base: StandardNet
    f: torch.Tensor
    inputs: list[torch.Tensor]
    slopes: list[torch.Tensor]
    weights: list[torch.Tensor]
    biases: list[torch.Tensor]

    @classmethod
    def around(cls, net: StandardNet, x: torch.Tensor) -> _Linearised:
        f, hidden, inputs = net.forward(x)
        slopes = [net.slope(h) for h in hidden[:-1]]
        base = replace(net, weights=[w.clone() for w in net.weights], biases=[b.clone() for b in net.biases])
        zeros = [[torch.zeros_like(p) for p in kind] for kind in (net.weights, net.biases)]
        return cls(base, f, inputs, slopes, *zeros)

    def outputs(self, rows: torch.Tensor | slice) -> torch.Tensor:
        moved = torch.zeros((), dtype=self.f.dtype, device=self.f.device)
        for layer, weight in enumerate(self.base.weights):
            forward = self.inputs[layer][rows] @ self.weights[layer].T + self.biases[layer]
            moved = forward + (moved * self.slopes[layer - 1][rows]) @ weight.T if layer else forward
        return self.f[rows] + moved

    @staticmethod
    def gradients(model: _Linearised, given: Task, batch: torch.Tensor) -> Parameters:
        delta = _residual(model.outputs(batch), given.labels[batch])
        inputs, slopes = [z[batch] for z in model.inputs], [s[batch] for s in model.slopes]
        return _pulled_back(model.base, inputs, slopes, delta)


def _linearised_error(net: StandardNet, given: Task, generator: torch.Generator) -> float:
    model = _Linearised.around(net, given.images)
    descent = _Descent(model, model.gradients)
    for _ in range(_LINEARISED_EPOCHS):
        for batch in _batches(given, generator):
            descent.step(given, batch)
    return _error(model.outputs(slice(None)), given)


def _error(f: torch.Tensor, given: Task) -> float:
    wrong = f[given.train :].argmax(1) != given.labels[given.train :]
    return float(wrong.double().mean())


def _distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """1 - cosine of two kernels (fort2020deep, section 3)."""
    return max(0.0, 1.0 - float((a * b).sum() / (a.norm() * b.norm())))
