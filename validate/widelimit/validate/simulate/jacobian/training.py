"""How many steps of SGD a deep network needs to reach a training loss on the digits, for several initialisations.

All networks, one a (seed, initialisation, learning rate), are one batch: a layer is one batched matrix product. Every
initialisation gets the learning rate that serves it best. Single precision: what is compared are counts of steps that
differ by factors.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing.functions import activation_function
from widelimit.validate.harness.drawing.weights import Draws, weights
from widelimit.validate.simulate.meanfield.training import CLASSES, _digits


@dataclass(frozen=True)
class Start:
    """An initialisation: activation, scales as standard deviations, ensemble."""

    activation: str
    sigma_w: float
    sigma_b: float
    weights: str


@dataclass(frozen=True)
class Race:
    """Depth and width of the networks, images a step, learning rates to try, steps at most, and the loss to reach.

    `loss` is the cross-entropy over log 10, of a minibatch, averaged over `window` steps. `give_up`: times the steps
    of the first initialisation, after which the others are no longer waited for.
    """

    depth: int = 100
    width: int = 200
    batch: int = 128
    rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1)
    steps: int = 2000
    loss: float = 0.5
    window: int = 10
    give_up: float = 10.0


def steps_to_loss(starts: Sequence[Start], race: Race, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Steps until the loss is reached at the best rate, (len(seeds), len(starts)).

    Where the first start reaches it at step n, the others are given up at step `race.give_up` n, and count as that;
    the first is given up at `race.steps`.
    """
    limit = np.full(len(seeds), float(race.steps))
    found: list[np.ndarray] = []
    for start in starts:
        reached = _steps(start, race, seeds, backend, limit)
        if not found:
            limit = np.where(reached < race.steps, race.give_up * reached, limit)
        found.append(reached)
    return np.stack(found, axis=1)


def _steps(start: Start, race: Race, seeds: Sequence[int], backend: Backend, limit: np.ndarray) -> np.ndarray:
    """One start's steps, at most `limit` of each seed, and independent of the other seeds' limits."""
    reached = np.full(len(seeds), np.inf)
    for step, losses in enumerate(descend(start, race, seeds, backend), start=1):
        won = losses.min(dim=1).values.cpu().numpy() < race.loss  # a slower rate cannot overtake
        reached[won & (reached == np.inf)] = step
        if ((reached < np.inf) | (step >= limit)).all():
            break
    return np.minimum(reached, limit)


def learning_curve(start: Start, race: Race, seed: int, backend: Backend) -> np.ndarray:
    """Smoothed losses at steps 1 to `race.steps`, at the rate that ends lowest."""
    losses = [
        step[0].cpu().numpy() for step in itertools.islice(descend(start, race, [seed], backend), race.steps)
    ]
    curves = np.array(losses)
    return np.asarray(curves[:, curves[-1].argmin()])


def descend(start: Start, race: Race, seeds: Sequence[int], backend: Backend) -> Iterator[torch.Tensor]:
    """Train without end, and yield the smoothed losses after each step, (len(seeds), len(race.rates))."""
    backend = replace(backend, precision="float32")
    images, labels = _digits(backend)
    parameters, base = _initial(start, race, seeds, images.shape[1], backend)
    rates = torch.tensor(race.rates, device=images.device).repeat(len(seeds)).view(-1, 1, 1)
    phi = activation_function(start.activation)
    choosers = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
    smooth = torch.ones(len(seeds) * len(race.rates), device=images.device)
    while True:
        rows = torch.stack(
            [torch.randint(len(images), (race.batch,), generator=chooser) for chooser in choosers]
        )
        chosen = rows.repeat_interleave(len(race.rates), dim=0).to(images.device)
        h = torch.bmm(base, images[chosen].mT) + parameters[0]
        for weight, bias in zip(parameters[1::2], parameters[2::2], strict=True):
            h = torch.baddbmm(bias, weight, phi(h))
        losses = torch.nn.functional.cross_entropy(h, labels[chosen], reduction="none").mean(dim=1)
        gradients = torch.autograd.grad(losses.sum(), parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.sub_(rates * gradient.nan_to_num_(0.0, 0.0, 0.0))
            scored = (losses / math.log(CLASSES)).nan_to_num(1.0, posinf=1.0)
            smooth = smooth + (scored - smooth) / race.window
        yield smooth.view(len(seeds), -1)


def _initial(
    start: Start, race: Race, seeds: Sequence[int], features: int, backend: Backend
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Trained parameters b^1, W^2, b^2, ...; and W^1, fixed, since the input is no part of the Jacobian."""
    draws = Draws(seeds, backend)
    repeat = len(race.rates)
    spread = start.sigma_w / features**0.5
    base = (draws.normal(race.width, features) * spread).repeat_interleave(repeat, dim=0)
    parameters = [(draws.normal(race.width, 1) * start.sigma_b).repeat_interleave(repeat, dim=0)]
    for _ in range(race.depth - 1):
        w = weights(start.weights, draws, race.width, race.width, start.sigma_w).matrix()
        b = draws.normal(race.width, 1) * start.sigma_b
        parameters += [w.repeat_interleave(repeat, dim=0), b.repeat_interleave(repeat, dim=0)]
    readout = draws.normal(CLASSES, race.width) / race.width**0.5
    parameters += [
        readout.repeat_interleave(repeat, dim=0),
        torch.zeros(len(seeds) * repeat, CLASSES, 1, device=base.device),
    ]
    return [parameter.contiguous().requires_grad_() for parameter in parameters], base
