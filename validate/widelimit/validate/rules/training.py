"""Networks 64-n-n-10 that learn digits by four rules, all in one batch of matrix products.

adam and sgd carry errors back by the weights; feedback_alignment by fixed random ones; information_alignment by weights
that learn to invert (`theory.alignment`). All but adam learn by momentum 0.9.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from widelimit.numerics.results import by_value

RULES = ("adam", "sgd", "feedback_alignment", "information_alignment")
RATES = {
    "adam": 1e-3,
    "sgd": 1e-2,
    "feedback_alignment": 1e-2,
    "information_alignment": 1e-2,
}  # the least of a decade
_BATCH, _MOMENTUM, _DAMPING = 32, 0.9, 1.0
_BETAS, _EPSILON = (0.9, 0.999), 1e-8
PROBES = 64  # images that activations are recorded of


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Images of digits about their mean, of mean square 1, and what they show; in one random order."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    x = data.data[order] - data.data.mean(0)
    return (x / np.sqrt((x**2).mean())).astype(np.float32), data.target[order]


@by_value
@dataclass(frozen=True)
class Snapshot:
    """Weights of three layers, (networks, out, in), and activations of two, (networks, images, units)."""

    weights: tuple[Tensor, ...]
    activations: tuple[Tensor, ...]
    loss: Tensor


class Networks:
    """Networks of one width, as many of each rule, in the order of `RULES`."""

    def __init__(self, each: int, width: int, generator: torch.Generator, device: torch.device) -> None:
        self.each, self.generator, self.device = each, generator, device
        count, sizes = each * len(RULES), (64, width, width, 10)
        shapes = [(count, out, into) for into, out in pairwise(sizes)]
        self.weights = [self._normal(*shape) / shape[2] ** 0.5 for shape in shapes]
        self.back = [
            self._normal(*shape) / shape[2] ** 0.5 for shape in shapes
        ]  # transposed; the first is not used
        self.first = [torch.zeros_like(w) for w in self.weights]
        self.second = [torch.zeros_like(w[: self.each]) for w in self.weights]
        decade = torch.rand(count, generator=generator, device=device)
        least = torch.tensor([RATES[rule] for rule in RULES], device=device).repeat_interleave(each)
        self.rates = (least * 10**decade)[:, None, None]
        images, labels = digits()
        self.images = torch.as_tensor(images, device=device)
        self.labels = torch.as_tensor(labels, device=device)
        self.steps = 0

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def rule(self, name: str) -> slice:
        """Where the networks of a rule stand."""
        at = RULES.index(name) * self.each
        return slice(at, at + self.each)

    def run(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Activities of both hidden layers, and outputs."""
        one, two, three = self.weights
        h = torch.bmm(x, one.mT).tanh()
        k = torch.bmm(h, two.mT).tanh()
        return h, k, torch.bmm(k, three.mT)

    def step(self) -> None:
        """Learn from a batch of its own for each network."""
        count = len(self.weights[0])
        rows = torch.randint(
            PROBES, len(self.images), (count, _BATCH), generator=self.generator, device=self.device
        )
        x, y = self.images[rows], self.labels[rows]
        h, k, out = self.run(x)
        delta = out.softmax(-1) - torch.nn.functional.one_hot(y, 10)
        below = torch.bmm(delta, self._carrier(2)) * (1 - k * k)
        lowest = torch.bmm(below, self._carrier(1)) * (1 - h * h)
        gradients = [torch.bmm(d.mT, a) / _BATCH for d, a in ((lowest, x), (below, h), (delta, k))]
        informed = self.rule("information_alignment")
        for layer, into in ((1, h), (2, k)):
            self._inform(layer, into[informed], informed)
        self.steps += 1
        for layer, gradient in enumerate(gradients):
            self._learn(layer, gradient)

    def _carrier(self, layer: int) -> Tensor:
        """What carries errors back through a layer: the weights of the first two rules, feedback of the others."""
        own = 2 * self.each
        return torch.cat([self.weights[layer][:own], self.back[layer][own:]])

    def _inform(self, layer: int, x: Tensor, at: slice) -> None:
        """One step of information alignment, no larger than is safe for this batch."""
        w, b = self.weights[layer][at], self.back[layer][at]
        y = torch.bmm(x, w.mT)
        rate = 1 / (_DAMPING + y.square().sum(-1).mean(-1))[:, None, None]
        moved = torch.bmm(y.mT, x) - torch.bmm(torch.bmm(y.mT, y), b)
        self.back[layer][at] = b + rate * (moved / x.shape[1] - _DAMPING * b)

    def _learn(self, layer: int, gradient: Tensor) -> None:
        """Adam for its networks, momentum for the others."""
        n, mean = self.each, self.first[layer]
        mean[:n] = _BETAS[0] * mean[:n] + (1 - _BETAS[0]) * gradient[:n]
        mean[n:] = _MOMENTUM * mean[n:] + gradient[n:]
        square = self.second[layer]
        square.mul_(_BETAS[1]).add_((1 - _BETAS[1]) * gradient[:n].square())
        size = (square / (1 - _BETAS[1] ** self.steps)).sqrt() + _EPSILON
        moved = torch.cat([mean[:n] / (1 - _BETAS[0] ** self.steps) / size, mean[n:]])
        self.weights[layer] = self.weights[layer] - self.rates * moved

    def snapshot(self) -> Snapshot:
        """What is there now, on images that are not learnt."""
        x = self.images[:PROBES].expand(len(self.weights[0]), -1, -1)
        h, k, out = self.run(x)
        y = self.labels[:PROBES].expand(len(out), -1)
        loss = torch.nn.functional.cross_entropy(out.flatten(0, 1), y.flatten(), reduction="none")
        return Snapshot(tuple(self.weights), (h, k), loss.reshape(y.shape).mean(1))


def trained(
    each: int, width: int, steps: int, snapshots: int, seed: int, device: torch.device
) -> Iterator[Snapshot]:
    """Train networks of one width; a snapshot at the start and `snapshots` behind it, equally far apart."""
    nets = Networks(each, width, torch.Generator(device=device).manual_seed(seed), device)
    yield nets.snapshot()
    done = 0
    for place in range(1, snapshots + 1):
        for _ in range(round(place * steps / snapshots) - done):
            nets.step()
        done = round(place * steps / snapshots)
        yield nets.snapshot()


def labels(each: int) -> Sequence[str]:
    """The rule of each network."""
    return [rule for rule in RULES for _ in range(each)]
