"""Networks that learn digits with local feedback, and feedback that is trained with too large a step.

Layers are trained by hand, all replicates at once: Adam on weights without bias, the feedback by its rule beside it,
after some batches in which it alone moves. Only the direction of the feedback is used: the error signal that it
returns is scaled as if B were as long as W.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from widelimit.numerics.results import by_value
from widelimit.validate.alignment.change import Coefficients, backward_change

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_TRAIN, _BATCH, _WIDTH = 1400, 50, 128
_BEFORE = 200  # batches that align the feedback before anything is learned
_RATE = 1e-3  # of Adam
_MIRROR = 0.02  # learning rate of the mirror, whose own rate is 1
_STEPS = 60  # of a feedback that may diverge
_FAR = 1e3  # times as long as at the start: it has diverged


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Images of digits about their mean, of mean square 1, and what they show."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x = data.data - data.data.mean(0)
    return x / np.sqrt((x**2).mean()), data.target


@by_value
@dataclass
class Nets:
    """Weights and feedback of R networks, and Adam's moments."""

    generators: list[torch.Generator]
    weights: list[Tensor]
    feedback: list[Tensor]
    first: list[Tensor] = field(default_factory=list)
    second: list[Tensor] = field(default_factory=list)
    steps: int = 0

    @classmethod
    def draw(cls, seeds: Sequence[int], layers: int) -> Nets:
        """Weights of variance 2/fan-in, feedback as large, independent of them."""
        generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        sizes = [64, *[_WIDTH] * layers, 10]

        def normal(*shape: int) -> Tensor:
            return torch.stack([torch.randn(*shape, generator=one) for one in generators])

        pairs = list(pairwise(sizes))
        weights = [normal(m, n) * (2 / n) ** 0.5 for n, m in pairs]
        feedback = [normal(n, m) * (2 / n) ** 0.5 for n, m in pairs]
        zeros = [torch.zeros_like(w) for w in weights]
        return cls(generators, weights, feedback, zeros, [one.clone() for one in zeros])

    def run(self, x: Tensor) -> list[Tensor]:
        """Activities of all layers, inputs first."""
        found = [x]
        for k, w in enumerate(self.weights):
            y = found[-1] @ w.mT
            found.append(y.relu() if k + 1 < len(self.weights) else y)
        return found

    def align(self, given: Coefficients, k: int, x: Tensor, centred: bool) -> None:
        """One step of the feedback of a layer; of information no larger than is safe for this batch."""
        x = x - x.mean(1, keepdim=True) if centred else x
        w, b = self.weights[k], self.feedback[k]
        y = x @ w.mT
        rate: Any = _MIRROR
        if given.rule == "information":
            rate = (1 / (given.gamma + given.beta * y.square().sum(-1).mean(-1)))[:, None, None]
        self.feedback[k] = b + rate * backward_change(given, x, y, w, b)

    def returned(self, k: int, delta: Tensor, true: bool) -> Tensor:
        """The error signal below a layer: by its transposed weights, or by a feedback scaled to their length."""
        w, b = self.weights[k], self.feedback[k]
        if true:
            return delta @ w
        length = w.flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)
        return delta @ b.mT * length[:, None, None]

    def learn(self, k: int, gradient: Tensor) -> None:
        """One step of Adam."""
        self.first[k] = 0.9 * self.first[k] + 0.1 * gradient
        self.second[k] = 0.999 * self.second[k] + 0.001 * gradient.square()
        mean, square = self.first[k] / (1 - 0.9**self.steps), self.second[k] / (1 - 0.999**self.steps)
        self.weights[k] = self.weights[k] - _RATE * mean / (square.sqrt() + 1e-8)


def test_errors(rule: str, layers: int, epochs: int, seeds: Sequence[int]) -> np.ndarray:
    """Shares of test digits that are misread after training, (R,).

    `rule`: backprop, feedback (fixed random), information, mirror, or "mirror, centred". Always single precision.
    """
    images, labels = (torch.from_numpy(one) for one in digits())
    images = images.float()
    nets = Nets.draw(seeds, layers)
    order = torch.stack([torch.randperm(len(images), generator=one) for one in nets.generators])
    train, test = order[:, :_TRAIN], order[:, _TRAIN:]
    name, _, centred = rule.partition(", ")
    given = None if name in ("backprop", "feedback") else Coefficients(name, gamma=1.0)
    for rows in _batches(nets, train, _BEFORE if given is not None else 0):
        for k, x in enumerate(nets.run(images[rows])[1:-1], 1):
            assert given is not None
            nets.align(given, k, x, bool(centred))
    for rows in _batches(nets, train, epochs * (_TRAIN // _BATCH)):
        activity = nets.run(images[rows])
        delta = activity[-1].softmax(-1) - functional.one_hot(labels[rows], 10)
        nets.steps += 1
        for k in range(layers, -1, -1):
            gradient = delta.mT @ activity[k] / _BATCH
            if k:
                delta = nets.returned(k, delta, name == "backprop") * (activity[k] > 0)
                if given is not None:
                    nets.align(given, k, activity[k], bool(centred))
            nets.learn(k, gradient)
    said = nets.run(images[test])[-1].argmax(-1)
    return (said != labels[test]).double().mean(1).numpy()


def _batches(nets: Nets, train: Tensor, count: int) -> Any:
    """Yield rows of random batches, (R, batch)."""
    for _ in range(count):
        picked = [torch.randint(_TRAIN, (_BATCH,), generator=one) for one in nets.generators]
        yield torch.stack([row[where] for row, where in zip(train, picked, strict=True)])


def gaps(inputs: Mapping[str, Any], size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Rank correlation of the gap to backpropagation with depth, under two rules; what a mirror loses uncentred."""
    depths, epochs = (2, 4, 8), int(inputs["epochs"])
    exact = np.array([test_errors("backprop", layers, epochs, seeds) for layers in depths])
    found = []
    for rule in ("feedback", "information"):
        gap = np.array([test_errors(rule, layers, epochs, seeds) for layers in depths]) - exact
        found.append(_rank_correlation(gap))
    plain, centred = (test_errors(rule, 4, epochs, seeds) for rule in ("mirror", "mirror, centred"))
    return np.array([*found, plain - centred]).T


def _rank_correlation(values: np.ndarray) -> np.ndarray:
    """Spearman's correlation of columns with their order; equal values share their ranks."""
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=0) - (len(values) + 1) / 2
    order = np.arange(len(values)) - (len(values) - 1) / 2
    length = np.sqrt((ranks**2).sum(0) * (order**2).sum())
    return np.where(length > 0, order @ ranks / np.where(length > 0, length, 1.0), 0.0)


def divergence(
    inputs: Mapping[str, Any], size: int, seeds: Sequence[int], backend: Backend, *, rates: Sequence[float]
) -> np.ndarray:
    """Whether the feedback of a drawn layer on whitened digits diverges at each of some learning rates: 1 or 0."""
    images, _ = digits()
    _, s, basis = np.linalg.svd(images, full_matrices=False)
    kept = s > 1e-9 * s[0]
    white = images @ basis[kept].T / s[kept] * len(images) ** 0.5
    x = torch.from_numpy(white)
    given = Coefficients("information", beta=float(inputs["beta"]), gamma=float(inputs["gamma"]))
    found = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(int(seed))
        n, m = x.shape[1], int(inputs["fan_out"])
        w = float(inputs["sigma_w"]) / n**0.5 * torch.randn(m, n, generator=generator, dtype=torch.float64)
        y, moment = x @ w.mT, x.mT @ x / len(x)
        drive, drained = given.alpha * moment @ w.mT, given.beta * y.mT @ y / len(x)
        start = torch.randn(n, m, generator=generator, dtype=torch.float64)
        row = []
        for rate in rates:
            b = start
            for _ in range(_STEPS):
                b = b + rate * (drive - b @ drained - given.gamma * b)
            row.append(float(b.norm() > _FAR * start.norm()))
        found.append(row)
    return np.array(found)
