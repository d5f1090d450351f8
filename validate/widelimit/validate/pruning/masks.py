"""From scores to masks: exactly as many weights as asked for, ties by layer and index."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.pruning.tracing import key, layers, shared


@by_value
@dataclass(frozen=True)
class Pruned:
    """Masks of the weights that are kept, by the name of the parameter, and what is left of each layer.

    `kept`: weights kept, by the same names. `flow`: R = 1' f(abs(W) * mask) 1 of what is left, `log_flow` its
    logarithm (-inf where nothing passes); None for methods that do not compute it. `reached`: weights before over
    weights after. `collapsed`: whether a layer is empty; `empty` names them. `ties`: kept weights whose score was 0, so
    that only their place decided. `warnings`: what the method rests on and this module does not have.
    """

    masks: Mapping[str, Tensor]
    kept: Mapping[str, int]
    reached: float
    collapsed: bool
    empty: tuple[str, ...]
    flow: float | None = None
    log_flow: float | None = None
    ties: int = 0
    warnings: tuple[str, ...] = field(default=())

    def apply(self, module: nn.Module) -> nn.Module:
        """Put the masks on a module by `torch.nn.utils.prune`, and return it.

        Raises `ArgumentError` where it has other layers, or layers of other shapes.
        """
        found = {key(name): layer for name, layer in layers(module).items()}
        for name, mask in self.masks.items():
            if name not in found or found[name].weight.shape != mask.shape:
                raise ArgumentError(
                    "module", f"must have weights {name} of shape {tuple(mask.shape)}", but="has none"
                )
        for name, first in shared(module).items():  # tied layers stay tied
            if key(first) in self.masks:
                prune.custom_from_mask(module.get_submodule(name), "weight", self.masks[key(first)])
        return module


def wanted(module: nn.Module, compression: float) -> int:
    """Return how many weights a compression leaves; `ArgumentError` outside 1 to N / L."""
    rho = arguments.positive_number("compression", compression)
    found = layers(module)
    total, most = sum(one.weight.numel() for one in found.values()), len(found)
    if rho < 1:
        raise ArgumentError("compression", "must be at least 1", compression, "It is N / N_kept.")
    if rho > total / most * (1 + 1e-12):
        must = f"must be at most {total / most:.6g}, one weight for each of {most} layers"
        raise ArgumentError("compression", must, compression)
    return max(most, math.ceil(total / rho * (1 - 1e-12)))


def best(scores: Mapping[str, Tensor], kept: int) -> tuple[dict[str, Tensor], int]:
    """Return masks of the `kept` weights of largest score, and how many of them had score 0.

    Of weights with one score those of later layers, and there of later places, are kept.
    """
    values = in_a_row(scores)
    places, _ = parted(values, np.arange(len(values)), kept)
    ties = int(np.count_nonzero(values[places] == 0))
    return masks_of(places, scores), ties


def in_a_row(scores: Mapping[str, Tensor]) -> np.ndarray:
    """Return the scores of all layers, one after the other."""
    return np.concatenate([one.detach().reshape(-1).cpu().numpy() for one in scores.values()])


def parted(values: np.ndarray, places: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which of these places hold the `kept` largest values, later ones first where values are one, and the rest.

    >>> parted(np.array([3.0, 1.0, 2.0, 2.0]), np.array([0, 2, 3]), 2)
    (array([0, 3]), array([2]))
    """
    drop = len(places) - kept
    if drop <= 0:
        return places, places[:0]
    mine = values[places]
    threshold = np.partition(mine, drop - 1)[drop - 1]
    out = mine < threshold
    even = np.flatnonzero(mine == threshold)
    out[even[: drop - int(np.count_nonzero(out))]] = True
    return places[~out], places[out]


def by_layer(places: np.ndarray, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return places among all weights, in order, as places of each layer."""
    ends = np.cumsum([one.numel() for one in like.values()])
    found = np.split(places, np.searchsorted(places, ends[:-1]))
    starts = ends - [one.numel() for one in like.values()]
    return {
        name: torch.from_numpy(part - start).to(like[name].device)
        for name, part, start in zip(like, found, starts, strict=True)
    }


def masks_of(places: np.ndarray, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return masks that keep these places."""
    found = {}
    for name, part in by_layer(places, like).items():
        mask = torch.zeros(like[name].numel(), dtype=torch.bool, device=like[name].device)
        mask[part] = True
        found[name] = mask.reshape(like[name].shape)
    return found


def pruned(masks: Mapping[str, Tensor], **more: object) -> Pruned:
    """Return the record of masks by the names of layers."""
    kept = {key(name): int(mask.sum()) for name, mask in masks.items()}
    total = sum(mask.numel() for mask in masks.values())
    empty = tuple(name for name, count in kept.items() if not count)
    named = {key(name): mask for name, mask in masks.items()}
    left = sum(kept.values())
    return Pruned(named, kept, total / left if left else math.inf, bool(empty), empty, **more)  # type: ignore[arg-type]
