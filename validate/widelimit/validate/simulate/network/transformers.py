"""Small Post-LN transformers that learn digits, twenty at a time, each with scales of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

_NETS, _BLOCKS, _WIDTH, _HEADS, _HIDDEN, _TOKENS, _CLASSES = 20, 8, 32, 4, 64, 8, 10
_STEPS, _RATE, _BATCH, _LAST = 300, 1e-3, 32, 20


def rank_correlation(
    inputs: Any,
    size: int,
    seed: int,
    backend: Backend,
    settings: Sequence[tuple[float, ...]],
    sizes: Sequence[float],
) -> np.ndarray:
    """Rank correlation, over twenty of the `settings`, of the final loss with what `sizes` says of each of them.

    A setting: sigma_qk, sigma_vo, sigma_1, sigma_2 and the weight of skips.
    """
    from scipy.stats import spearmanr

    pick = np.random.default_rng(seed).choice(len(settings), _NETS, replace=False)
    losses = _trained(np.array([settings[k] for k in pick]), seed)
    return np.array([spearmanr(losses, [sizes[k] for k in pick]).statistic])


def _trained(settings: np.ndarray, seed: int) -> np.ndarray:
    """Mean losses of the last steps of Adam on digits, rows of 8 x 8 images as tokens; networks learn side by side."""
    import torch
    from sklearn.datasets import load_digits

    generator = torch.Generator().manual_seed(seed)

    def drawn(fan_in: int, fan_out: int, scale: Any) -> torch.Tensor:
        factor = torch.as_tensor(scale, dtype=torch.float32).reshape(-1, 1, 1) / math.sqrt(fan_in)
        return (factor * torch.randn(_NETS, fan_in, fan_out, generator=generator)).requires_grad_()

    one = np.ones(_NETS)
    qk, vo, first, second, skip = settings.T
    weights = [drawn(_TOKENS, _WIDTH, one)]
    for _ in range(_BLOCKS):
        weights += [
            drawn(_WIDTH, _WIDTH, scale) for scale in (np.sqrt(qk), np.sqrt(qk), np.sqrt(vo), np.sqrt(vo))
        ]
        weights += [drawn(_WIDTH, _HIDDEN, first), drawn(_HIDDEN, _WIDTH, second)]
    weights.append(drawn(_WIDTH, _CLASSES, one))
    places = torch.randn(_NETS, 1, _TOKENS, _WIDTH, generator=generator).requires_grad_()
    kept = torch.as_tensor(skip, dtype=torch.float32).reshape(-1, 1, 1, 1)
    data = load_digits()
    images = torch.as_tensor(data.images, dtype=torch.float32)
    images, labels = (images - images.mean()) / images.std(), torch.as_tensor(data.target)
    optimiser = torch.optim.Adam([*weights, places], lr=_RATE)
    found = []
    for step in range(_STEPS):
        chosen = torch.randint(len(labels), (_BATCH,), generator=generator)
        outputs = _outputs(images[chosen], weights, places, kept)
        losses = torch.nn.functional.cross_entropy(
            outputs.flatten(0, 1), labels[chosen].repeat(_NETS), reduction="none"
        ).reshape(_NETS, -1)
        optimiser.zero_grad()
        losses.mean(dim=1).sum().backward()
        optimiser.step()
        if step >= _STEPS - _LAST:
            found.append(losses.detach().mean(dim=1).numpy())
    return np.asarray(np.nan_to_num(np.mean(found, axis=0), nan=np.inf))


def _outputs(
    images: torch.Tensor, weights: list[torch.Tensor], places: torch.Tensor, kept: torch.Tensor
) -> torch.Tensor:
    import torch
    from torch.nn import functional as F

    def times(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return (x.flatten(1, 2) @ weight).reshape(*x.shape[:-1], -1)

    def normed(x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-1:])

    def heads(x: torch.Tensor) -> torch.Tensor:
        return x.reshape(*x.shape[:-1], _HEADS, -1).transpose(2, 3)

    x = normed(times(images.expand(_NETS, *images.shape), weights[0]) + places)
    for block in range(_BLOCKS):
        q, k, v, out, up, down = weights[1 + 6 * block : 7 + 6 * block]
        mixed = F.scaled_dot_product_attention(heads(times(x, q)), heads(times(x, k)), heads(times(x, v)))
        x = normed(kept * x + times(mixed.transpose(2, 3).flatten(3), out))
        x = normed(kept * x + times(torch.tanh(times(x, up)), down))
    return (x.mean(dim=2) @ weights[-1]).reshape(_NETS, len(images), _CLASSES)
