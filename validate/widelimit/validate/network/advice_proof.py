"""`proof`: a paired experiment on whether advice helps, which may say that it makes no difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.text import told
from widelimit.validate.network.graph.programs import untouched

BATCH, TEST = 64, 500
LOWEST, HIGHEST = 1e-4, 1e-2  # learning rates of Adam
LAST = 20  # steps whose mean loss is the final one


@by_value
@dataclass(frozen=True)
class Proof:
    """What training with and without advice gives, `seeds` pairs.

    `before`, `after`: training losses step by step at the better rate, (seeds, steps). `difference`: mean of the final
    loss before less that after, with its 95 per cent interval `low` to `high`; `accuracy_before`, `accuracy_after` on
    500 test images. `verdict`: "helps", "harms" or "no difference".
    """

    before: np.ndarray
    after: np.ndarray
    rates: tuple[float, ...]
    difference: float
    low: float
    high: float
    accuracy_before: float
    accuracy_after: float
    verdict: str

    def __str__(self) -> str:
        seeds = len(self.before)
        return (
            f"{self.verdict}: final loss falls by {self.difference:.3g} (95 per cent: {self.low:.3g} to "
            f"{self.high:.3g}, {seeds} pairs), test accuracy {self.accuracy_before:.3f} -> {self.accuracy_after:.3f}."
        )


def proof(
    apply: Callable[..., nn.Module],
    factory: Callable[[], nn.Module],
    data: str,
    steps: int,
    rates: int,
    seeds: int,
) -> Proof:
    """Train pairs of modules, see `Advice.prove`."""
    arguments.choice("data", data, ("digits",))
    steps, rates = arguments.count("steps", steps), arguments.count("rates", rates)
    seeds = arguments.count("seeds", seeds, 2, "An interval takes two pairs or more.")
    if not callable(factory):
        raise ArgumentError("factory", "must be a function that returns a module", factory)
    grid = tuple(np.geomspace(LOWEST, HIGHEST, rates).tolist()) if rates > 1 else (1e-3,)
    curves: dict[str, list[Any]] = {"before": [], "after": []}
    accuracies: dict[str, list[float]] = {"before": [], "after": []}
    with untouched():
        for seed in range(seeds):
            images, labels = _digits(seed)
            inputs = _resized(images, _made(factory, seed))
            for arm in curves:
                best = min((_trained(apply, factory, arm, seed, rate, inputs, labels, steps) for rate in grid),
                           key=lambda one: _final(one[0]))  # fmt: skip
                curves[arm].append(best[0])
                accuracies[arm].append(best[1])
    return _judged({arm: np.array(rows) for arm, rows in curves.items()}, grid, accuracies)


def _judged(
    curves: dict[str, np.ndarray], grid: tuple[float, ...], accuracies: dict[str, list[float]]
) -> Proof:
    from scipy.stats import t

    gains = np.array([_final(b) - _final(a) for b, a in zip(curves["before"], curves["after"], strict=True)])
    mean, error = float(gains.mean()), float(gains.std(ddof=1) / math.sqrt(len(gains)))
    reach = float(t.ppf(0.975, len(gains) - 1)) * error
    low, high = mean - reach, mean + reach
    verdict = "helps" if low > 0 else "harms" if high < 0 else "no difference"
    one, two = (float(np.mean(accuracies[arm])) for arm in ("before", "after"))
    return Proof(curves["before"], curves["after"], grid, mean, low, high, one, two, verdict)


def _final(curve: np.ndarray) -> float:
    """Mean loss of the last steps; that of guessing where it is no number, or above."""
    last = float(np.mean(curve[-LAST:]))
    return min(last, 10.0) if math.isfinite(last) else 10.0


def _made(factory: Callable[[], nn.Module], seed: int) -> nn.Module:
    torch.manual_seed(seed)
    try:
        module = factory()
    except Exception as error:
        raise ArgumentError("factory", "must return a module", but=f"raises {told(error)}") from None
    if not isinstance(module, nn.Module):
        raise ArgumentError("factory", "must return a torch.nn.Module", module)
    return module


def _digits(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of mean 0 and mean square 1 in an order of their own, (1797, 1, 8, 8), and their labels."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = torch.randperm(len(data.target), generator=torch.Generator().manual_seed(seed))
    images = torch.as_tensor(data.images, dtype=torch.float32)[order, None]
    return (images - images.mean()) / images.std(), torch.as_tensor(data.target)[order]


def _resized(images: torch.Tensor, module: nn.Module) -> torch.Tensor:
    """The images as the module takes them: vectors, images, sequences of vectors, or tokens."""
    for make in _forms(module):
        try:
            inputs = make(images[:2])
            with torch.no_grad():
                _features(module, inputs)
            return make(images)
        except Exception:  # not this form
            continue
    raise ArgumentError(
        "factory", "must return a module that takes images, vectors or tokens, and returns a tensor"
    )


def _forms(module: nn.Module) -> list[Callable[[torch.Tensor], torch.Tensor]]:
    """Ways to feed a module, by its first layer with weights."""
    for one in module.modules():
        if isinstance(one, nn.Embedding):
            most = min(16, one.num_embeddings - 1)
            return [partial(_tokens, size=size, most=most) for size in (8, 16, 4)]
        if isinstance(one, nn.Conv2d):
            return [partial(_images, size=size, channels=one.in_channels) for size in (8, 16, 32, 28)]
        if isinstance(one, nn.Linear):
            return [partial(_vector, size=one.in_features), partial(_sequence, width=one.in_features)]
        if isinstance(one, nn.LayerNorm):
            return [partial(_sequence, width=one.normalized_shape[-1])]
        if isinstance(one, nn.MultiheadAttention):
            return [partial(_sequence, width=one.embed_dim)]
        if isinstance(one, nn.LSTM | nn.GRU):
            return [partial(_sequence, width=one.input_size)]
    return []


def _images(images: torch.Tensor, size: int, channels: int) -> torch.Tensor:
    return functional.interpolate(images, size=(size, size)).expand(-1, channels, -1, -1)


def _sequence(images: torch.Tensor, width: int) -> torch.Tensor:
    return _vector(images, 8 * width).reshape(len(images), 8, width)


def _vector(images: torch.Tensor, size: int) -> torch.Tensor:
    flat = images.flatten(1)
    return flat if size == flat.shape[1] else functional.interpolate(flat[:, None], size=size)[:, 0]


def _tokens(images: torch.Tensor, size: int, most: int) -> torch.Tensor:
    small = functional.interpolate(images, size=(size, size)).flatten(1)
    return ((small + 1).clamp(0, 3) / 3 * most).round().long()


def _features(module: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """The first floating tensor that comes out, averaged over positions: (inputs, units)."""
    out = module(inputs)
    while isinstance(out, tuple | list | dict):
        out = next(iter(out.values())) if isinstance(out, dict) else out[0]
    if out.ndim == 4:
        out = out.flatten(2).mean(2)
    return out.flatten(1, -2).mean(1) if out.ndim == 3 else out


def _trained(
    apply: Callable[..., nn.Module], factory: Callable[[], nn.Module], arm: str, seed: int, rate: float,
    inputs: torch.Tensor, labels: torch.Tensor, steps: int,
) -> tuple[np.ndarray, float]:  # fmt: skip
    """Losses step by step and the accuracy on the test images."""
    module = _made(factory, seed)
    torch.manual_seed(seed + 1)
    if arm == "after":
        apply(module, copy=False)
    module.train()
    with torch.no_grad():
        units = _features(module, inputs[:4]).shape[-1]
    torch.manual_seed(seed + 2)
    head: nn.Module = nn.Identity() if units == 10 else nn.Linear(units, 10)
    optimiser = torch.optim.Adam([*module.parameters(), *head.parameters()], lr=rate)
    generator, losses = torch.Generator().manual_seed(seed), []
    for _ in range(steps):
        pick = TEST + torch.randint(len(labels) - TEST, (BATCH,), generator=generator)
        loss = functional.cross_entropy(head(_features(module, inputs[pick])), labels[pick])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss))
        if not math.isfinite(losses[-1]):
            losses += [math.inf] * (steps - len(losses))
            return np.array(losses), 0.1
    module.train(False)
    with torch.no_grad():
        right = (head(_features(module, inputs[:TEST])).argmax(1) == labels[:TEST]).float().mean()
    return np.array(losses), float(right)
