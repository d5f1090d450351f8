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


def best(
    scores: Mapping[str, Tensor], masks: Mapping[str, Tensor], kept: int
) -> tuple[dict[str, Tensor], int]:
    """Return masks of the `kept` weights of largest score among those of `masks`, and how many of them had score 0.

    Of weights with one score those of later layers, and there of later places, are kept.
    """
    names = list(scores)
    inside = np.concatenate([masks[name].reshape(-1).cpu().numpy() for name in names])
    values = np.concatenate([scores[name].detach().reshape(-1).cpu().numpy() for name in names])
    places = np.flatnonzero(inside)
    drop = len(places) - kept
    if drop > 0:
        mine = values[places]
        threshold = np.partition(mine, drop - 1)[drop - 1]
        below = places[mine < threshold]
        inside[below] = False
        inside[places[mine == threshold][: drop - len(below)]] = False
    ties = int(np.count_nonzero(values[inside] == 0))
    found, start = {}, 0
    for name in names:
        part = inside[start : start + scores[name].numel()]
        found[name] = torch.from_numpy(part.copy()).reshape(scores[name].shape).to(scores[name].device)
        start += len(part)
    return found, ties


def pruned(masks: Mapping[str, Tensor], **more: object) -> Pruned:
    """Return the record of masks by the names of layers."""
    kept = {key(name): int(mask.sum()) for name, mask in masks.items()}
    total = sum(mask.numel() for mask in masks.values())
    empty = tuple(name for name, count in kept.items() if not count)
    named = {key(name): mask for name, mask in masks.items()}
    left = sum(kept.values())
    return Pruned(named, kept, total / left if left else math.inf, bool(empty), empty, **more)  # type: ignore[arg-type]
