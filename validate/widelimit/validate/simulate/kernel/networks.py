"""Finite fully connected networks in the standard-normal parametrisation: kernels, and training with squared loss.

A network is a list of (W, b); W of layer l is used as sigma_w W / sqrt(fan-in), b as sigma_b b, one linear output.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from widelimit.numerics.results import by_value

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend


@by_value
@dataclass
class Net:
    """A network with `depth` hidden layers of one width; `phi` and `slope` act on tensors."""

    weights: list[torch.Tensor]
    biases: list[torch.Tensor]
    sigma_w: float
    sigma_b: float
    phi: Callable[[torch.Tensor], torch.Tensor]
    slope: Callable[[torch.Tensor], torch.Tensor]

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return outputs (p,) and the pre-activations of all layers, (p, width) each."""
        hidden = []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            h = self.sigma_w / math.sqrt(weight.shape[1]) * (x @ weight.T) + self.sigma_b * bias
            hidden.append(h)
            x = self.phi(h)
        return hidden[-1][:, 0], hidden

    def gradients(self, hidden: list[torch.Tensor]) -> list[torch.Tensor]:
        """Derivatives of the output by the pre-activations of every layer, (p, width) each."""
        import torch

        delta = [torch.ones_like(hidden[-1])]
        for weight, h in zip(self.weights[:0:-1], hidden[-2::-1], strict=True):
            delta.append(self.sigma_w / math.sqrt(weight.shape[1]) * (delta[-1] @ weight) * self.slope(h))
        return delta[::-1]

    def kernels(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the covariance of the output over the readout alone, and the tangent kernel, (p, p) each."""
        _, hidden = self.forward(x)
        delta = self.gradients(hidden)
        inputs = [x, *(self.phi(h) for h in hidden[:-1])]
        grams = [self.sigma_w**2 * z @ z.T / z.shape[1] + self.sigma_b**2 for z in inputs]
        return grams[-1], sum(g * (d @ d.T) for g, d in zip(grams, delta, strict=True))  # type: ignore[return-value]

    def step(self, x: torch.Tensor, targets: torch.Tensor, rate: float) -> None:
        """One step of gradient descent on half the summed squares of f - targets."""
        f, hidden = self.forward(x)
        residual = f - targets
        delta = self.gradients(hidden)
        inputs = [x, *(self.phi(h) for h in hidden[:-1])]
        for weight, bias, z, d in zip(self.weights, self.biases, inputs, delta, strict=True):
            pull = residual[:, None] * d
            weight -= rate * self.sigma_w / math.sqrt(weight.shape[1]) * (pull.T @ z)
            bias -= rate * self.sigma_b * pull.sum(0)


def draw(
    activation: str,
    sigma_w: float,
    sigma_b: float,
    depth: int,
    features: int,
    width: int,
    seed: int,
    backend: Backend,
) -> Net:
    """Draw a network; all its numbers come from `seed`."""
    import torch

    generator = backend.generator(seed)
    sizes = [features, *[width] * depth, 1]

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, device=backend.device, dtype=backend.dtype)

    weights = [normal(after, before) for before, after in itertools.pairwise(sizes)]
    biases = [normal(after) for after in sizes[1:]]
    return Net(weights, biases, sigma_w, sigma_b, *functions(activation))


@functools.lru_cache(maxsize=64)
def functions(
    activation: str,
) -> tuple[Callable[[torch.Tensor], torch.Tensor], Callable[[torch.Tensor], torch.Tensor]]:
    """phi and phi' on tensors; printing them from SymPy takes longer than running a small network."""
    from widelimit.validate.harness.drawing.functions import activation_function, derivative_function

    return activation_function(activation), derivative_function(activation)


def data(count: int, features: int, seed: int) -> np.ndarray:
    """Fixed inputs with components of order one, the same for theory and simulation."""
    return np.random.default_rng(seed).standard_normal((count, features))


def tensor(x: np.ndarray, backend: Backend) -> torch.Tensor:
    """An array on the backend."""
    import torch

    return torch.as_tensor(x, device=backend.device, dtype=backend.dtype)


def kernels_at_birth(
    x: np.ndarray, network: tuple[str, float, float, int], size: int, seeds: Sequence[int], backend: Backend
) -> tuple[np.ndarray, np.ndarray]:
    """Both kernels of freshly drawn networks of width `size`, (seeds, p, p) each."""
    activation, sigma_w, sigma_b, depth = network
    points = tensor(x, backend)
    pairs = [
        draw(activation, sigma_w, sigma_b, depth, x.shape[1], size, seed, backend).kernels(points)
        for seed in seeds
    ]
    return tuple(np.array([pair[k].cpu().numpy() for pair in pairs]) for k in (0, 1))  # type: ignore[return-value]


def tangent_of_one_layer(
    x: np.ndarray, network: tuple[str, float, float], size: int, count: int, seed: int, backend: Backend
) -> np.ndarray:
    """Theta(x, x) of `count` networks with one hidden layer of width `size`, all drawn from `seed`, (count,).

    The squared gradient of f = sigma_w v . phi(h) / sqrt(size) + sigma_b c, h = sigma_w W x / sqrt(n) + sigma_b b.
    """
    import torch

    activation, sigma_w, sigma_b = network
    phi, slope = functions(activation)
    generator, point = backend.generator(seed), tensor(x, backend)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, device=backend.device, dtype=backend.dtype)

    weights, biases, readout = normal(count, size, len(x)), normal(count, size), normal(count, size)
    h = sigma_w / math.sqrt(len(x)) * (weights @ point) + sigma_b * biases
    below = sigma_w**2 * float(x @ x) / len(x) + sigma_b**2
    by_readout = sigma_w**2 * phi(h).square().mean(1) + sigma_b**2
    by_hidden = sigma_w**2 * (readout * slope(h)).square().mean(1) * below
    return np.asarray((by_readout + by_hidden).cpu().double().numpy())


def trained_outputs(
    x: np.ndarray, y: np.ndarray, network: tuple[str, float, float, int], size: int, seed: int, backend: Backend,
    *, rate: float, steps: int,
) -> np.ndarray:  # fmt: skip
    """Outputs at all rows of `x` of one network trained on the first len(y) of them, outputs at birth included."""
    activation, sigma_w, sigma_b, depth = network
    net = draw(activation, sigma_w, sigma_b, depth, x.shape[1], size, seed, backend)
    points, targets = tensor(x, backend), tensor(y, backend)
    for _ in range(steps):
        net.step(points[: len(y)], targets, rate)
    return np.asarray(net.forward(points)[0].cpu().numpy())


@by_value
@dataclass(frozen=True)
class Trained:
    """A network after training: outputs less those at the start on all inputs, the same of its linearisation, and
    how far its tangent kernel moved, relative to its norm.
    """

    moved: np.ndarray
    linearised: np.ndarray
    drift: float


def train(
    x: np.ndarray, y: np.ndarray, network: tuple[str, float, float, int], size: int, seed: int, backend: Backend,
    *, rate: float, steps: int, centred: bool,
) -> Trained:  # fmt: skip
    """Train on the first len(y) rows of `x` by `steps` steps; `centred` subtracts the outputs at the start."""
    import torch

    activation, sigma_w, sigma_b, depth = network
    net = draw(activation, sigma_w, sigma_b, depth, x.shape[1], size, seed, backend)
    points, targets = tensor(x, backend), tensor(y, backend)
    m = len(y)
    start, _ = net.forward(points)
    _, before = net.kernels(points)
    goal = targets + start[:m] if centred else targets
    for _ in range(steps):
        net.step(points[:m], goal, rate)
    end, _ = net.forward(points)
    _, after = net.kernels(points)
    values, basis = torch.linalg.eigh(before[:m, :m])
    gain = (1 - (1 - rate * values) ** steps) / values
    linear = before[:, :m] @ basis @ (gain * (basis.T @ (goal - start[:m])))
    drift = float(torch.linalg.norm(after - before) / torch.linalg.norm(before))
    return Trained((end - start).cpu().numpy(), linear.cpu().numpy(), drift)


def normals(seed: int, backend: Backend) -> Callable[..., torch.Tensor]:
    """Return `normal(*shape)`, standard normal tensors of one replicate: its generator starts at the seed."""
    import torch

    generator = backend.generator(seed)
    return lambda *shape: torch.randn(shape, generator=generator, device=backend.device, dtype=backend.dtype)
