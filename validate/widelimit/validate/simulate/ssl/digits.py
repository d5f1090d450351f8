"""A two-layer encoder that learns from two views of digits: shifted by a pixel or none, with noise.

The loss is the theory's: half the mean square of W_p f_1 - f_2, weight decay on all weights, plain gradient steps of
batches. Images are centred and of unit mean square. All replicates train together, each with its own generator.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.numerics.results import by_value

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

WIDTH, BATCH = 64, 32
NOISE = 0.3  # standard deviation beside pixels of unit mean square
START, AHEAD = 0.2, 0.05  # scales of the second layer and of the predictor
FLOOR, KEPT = 0.1, 0.3  # of rules: epsilon, and the share of the last correlation that a moving average keeps
VARIANTS = ("learned", "directpred", "directcopy", "no predictor", "no stop-gradient")


@by_value
@dataclass(frozen=True)
class Run:
    """What training leaves, a row a replicate."""

    misaligned: (
        np.ndarray
    )  # commutator of predictor and covariance over the product of their norms: start, end
    spread: np.ndarray  # standard deviation of features at the end over that at the start
    accuracy: np.ndarray  # of the nearest of 5 neighbours among features, on digits that were held out


@functools.cache
def images() -> tuple[np.ndarray, np.ndarray]:
    """Digits with a frame of one pixel, centred, and their labels, in an order that mixes writers."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    pixels = data.images[order] - data.images.mean(0)
    pixels /= np.sqrt((pixels**2).mean())
    return np.pad(pixels, ((0, 0), (1, 1), (1, 1))), data.target[order]


def train(
    variant: str, steps: int, length: float, decay: float, seeds: Sequence[int], backend: Backend
) -> Run:
    """Train a network for each seed by `steps` steps of `length`, in single precision, and measure it."""
    import torch

    pixels = torch.as_tensor(
        images()[0][:, 1:-1, 1:-1].reshape(-1, 64), dtype=torch.float32, device=backend.device
    )
    first, weights, predictor = _drawn(variant, seeds, backend)
    before, misaligned = _features(weights, pixels), _commutator(_features(weights, pixels), predictor)
    weights, predictor = _trained(first, weights, predictor, variant, steps, length, decay)
    after = _features(weights, pixels)
    aligned = torch.stack([misaligned, _commutator(after, predictor)], dim=-1)
    spread = after.std(1).mean(-1) / before.std(1).mean(-1)
    return Run(aligned.cpu().numpy(), spread.cpu().numpy(), _accuracy(after).cpu().numpy())


def encoder(variant: str, steps: int, length: float, decay: float, seed: int) -> torch.Tensor:
    """The first layer of a network that has learned, units x pixels."""
    from widelimit.validate.harness.backend import Backend

    drawn = _drawn(variant, (seed,), Backend())
    return _trained(*drawn, variant, steps, length, decay)[0][0][0]


def penultimate(layer: torch.Tensor, seed: int) -> list[np.ndarray]:
    """Units behind a layer for two draws of views of all digits, centred."""
    import torch

    pictures = torch.as_tensor(images()[0], dtype=layer.dtype)
    one, rows = torch.Generator().manual_seed(seed), torch.arange(len(pictures))
    hidden = [(_seen(pictures, rows, one) @ layer.T).relu() for _ in range(2)]
    return [(units - units.mean(0)).double().numpy() for units in hidden]


def _drawn(variant: str, seeds: Sequence[int], backend: Backend) -> tuple[list[Any], list[Any], Any]:
    """Generators, weights and predictor of each seed before learning."""
    import torch

    generators = [backend.generator(seed) for seed in seeds]

    def drawn(*shape: int) -> torch.Tensor:
        parts = [torch.randn(*shape, generator=one, device=backend.device) for one in generators]
        return torch.stack(parts).float()

    weights = [drawn(WIDTH, 64) * (2 / 64) ** 0.5, drawn(WIDTH, WIDTH) * START / WIDTH**0.5]
    predictor = drawn(WIDTH, WIDTH) * AHEAD / WIDTH**0.5 if variant == "learned" else None
    return generators, weights, predictor


def _trained(
    generators: Sequence[torch.Generator], weights: list[Any], predictor: Any, variant: str, steps: int,
    length: float, decay: float,
) -> tuple[list[Any], Any]:  # fmt: skip
    """Weights and predictor after learning."""
    import torch

    pictures = torch.as_tensor(images()[0], dtype=torch.float32, device=weights[0].device)
    moment: torch.Tensor | None = None
    for _ in range(steps):
        views = _views(pictures, generators)
        if variant != "learned":
            moment = _moment(weights, views, moment)
            predictor = _ruled(moment, variant)
        weights, predictor = _step(weights, predictor, views, variant, length, decay)
    return weights, predictor


def _views(pictures: torch.Tensor, generators: Sequence[torch.Generator]) -> list[Any]:
    """Two views of a batch of each replicate."""
    import torch

    found: list[list[torch.Tensor]] = [[], []]
    for one in generators:
        rows = torch.randint(len(pictures) // 2, (BATCH,), generator=one, device=pictures.device)
        for views in found:
            views.append(_seen(pictures, rows, one))
    return [torch.stack(views) for views in found]


def _seen(pictures: torch.Tensor, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Digits of these rows, each moved by a pixel or none in either direction, with noise."""
    import torch

    device = pictures.device
    moves = torch.randint(3, (2, len(rows)), generator=generator, device=device)
    down, right = (move[:, None] + torch.arange(8, device=device) for move in moves)
    shifted = pictures[rows[:, None, None], down[:, :, None], right[:, None, :]].reshape(len(rows), 64)
    return shifted + NOISE * torch.randn(len(rows), 64, generator=generator, device=device)


def _features(weights: Sequence[torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
    return (inputs @ weights[0].mT).relu() @ weights[1].mT


def _step(
    weights: list[torch.Tensor],
    predictor: Any,
    views: Sequence[torch.Tensor],
    variant: str,
    length: float,
    decay: float,
) -> tuple[list[torch.Tensor], Any]:
    """One step on the loss of both orders of views; the predictor moves where it is learned."""
    import torch

    moving = [*weights, predictor] if variant == "learned" else weights
    learned = [one.detach().requires_grad_() for one in moving]
    features = [_features(learned[:2], view) for view in views]
    ahead = learned[2] if variant == "learned" else predictor
    pairs = ((features[0], features[1]), (features[1], features[0]))
    losses = [
        ((one @ ahead.mT - (other if variant == "no stop-gradient" else other.detach())) ** 2).sum()
        for one, other in pairs
    ]
    loss = torch.stack(losses).sum() / (4 * BATCH)
    slopes = torch.autograd.grad(loss, learned)
    moved = [
        (one - length * (slope + decay * one)).detach() for one, slope in zip(learned, slopes, strict=True)
    ]
    return moved[:2], moved[2] if variant == "learned" else predictor


def _moment(
    weights: Sequence[torch.Tensor], views: Sequence[torch.Tensor], last: torch.Tensor | None
) -> torch.Tensor:
    """The second moment of features, averaged over steps: `KEPT` of the last one."""
    import torch

    features = torch.cat([_features(weights, view) for view in views], dim=1)
    now = features.mT @ features / features.shape[1]
    return now if last is None else KEPT * last + (1 - KEPT) * now


def _ruled(moment: torch.Tensor, variant: str) -> torch.Tensor:
    """The predictor that a rule sets, with its floor; the identity where there is no predictor."""
    import torch

    powers = {"directpred": 0.5, "directcopy": 1.0}
    if variant not in powers:
        return torch.eye(WIDTH, dtype=moment.dtype, device=moment.device).expand_as(moment)
    values, vectors = torch.linalg.eigh(moment)
    values = values.clamp_min(0.0)
    return (vectors * (values ** powers[variant] + FLOOR * values[..., -1:])[..., None, :]) @ vectors.mT


def _commutator(features: torch.Tensor, predictor: torch.Tensor | None) -> torch.Tensor:
    """Norm of [F, W_p] over those of F and W_p; zero before a rule has set the predictor."""
    import torch

    if predictor is None:
        return features.new_zeros(len(features))
    moment = features.mT @ features / features.shape[1]
    norm = torch.linalg.matrix_norm
    return norm(moment @ predictor - predictor @ moment) / (norm(moment) * norm(predictor))


def _accuracy(features: torch.Tensor) -> torch.Tensor:
    """Share of held-out digits that most of their 5 nearest neighbours among the others' features are of."""
    import torch

    labels = torch.as_tensor(images()[1], device=features.device)
    half = len(labels) // 2
    near = torch.cdist(features[:, half:], features[:, :half]).topk(5, largest=False).indices
    votes = torch.nn.functional.one_hot(labels[near], 10).sum(-2)
    return (votes.argmax(-1) == labels[half:]).double().mean(-1)


def measured(inputs: Mapping[str, Any], size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """How often the commutator shrank; spreads without predictor and stop-gradient; gain in accuracy by a rule."""
    steps = int(inputs["steps"])
    learned = train("learned", steps, 0.08, 0.03, seeds, backend)
    bare, free = (
        train(name, steps // 2, 0.2, 0.03, seeds, backend) for name in ("no predictor", "no stop-gradient")
    )
    one, other = (
        train(name, 250, 0.05, 0.005, seeds, backend).accuracy for name in ("learned", "directpred")
    )
    shrank = learned.misaligned[:, 0] / learned.misaligned[:, 1]
    return np.stack([shrank, bare.spread, free.spread, other - one], axis=-1)
