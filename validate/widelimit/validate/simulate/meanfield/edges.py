"""The edge of chaos of drawn networks, found by bisection, and how inputs merge there: no theory says where it is.

Weights are drawn once for unit scale, and stretched: all scales are tried on the same network. At the edge a small
change of the input neither grows nor shrinks from layer to layer, once lengths have settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from widelimit.numerics.results import by_value
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing.functions import Function, activation_function, derivative_function
from widelimit.validate.harness.drawing.networks import in_batches
from widelimit.validate.harness.drawing.weights import Draws, Weights, weights
from widelimit.validate.simulate.meanfield.moments import length, pair_moments, pairs

SCALES = (0.7, 2.8)  # sigma_w between which the edge is looked for
_BURN = 8  # layers in which lengths settle
_COUNT, _PAIRS = 16, 24  # inputs, with a direction of change each; pairs
_STEPS = 4  # towards the edge: it is then known to 0.1 %, far below what it varies by from network to network


@by_value
@dataclass(frozen=True)
class Family:
    """Networks that differ in sigma_w alone: what they apply to each unit, sigma_b, depth and kind of weights."""

    activation: str
    sigma_b: float
    depth: int
    weights: str = "gaussian"


@by_value
@dataclass(frozen=True)
class _Layers:
    """R networks of unit scale, the inputs and the directions that are sent through them."""

    phi: Function
    slope: Function
    layers: list[tuple[Weights, torch.Tensor]]
    start: torch.Tensor
    direction: torch.Tensor

    @classmethod
    def drawn(cls, family: Family, width: int, draws: Draws) -> _Layers:
        layers = [
            (weights(family.weights, draws, width, width, 1.0), family.sigma_b * draws.normal(width, 1))
            for _ in range(_BURN + family.depth)
        ]
        functions = activation_function(family.activation), derivative_function(family.activation)
        return cls(*functions, layers, draws.normal(width, _COUNT), draws.normal(width, _COUNT))

    def growth(self, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """log of the growth a layer of a small change behind the first `_BURN` layers, and mean length there, (R,)."""
        h, change, logs, lengths = self.start, self.direction, [], []
        for layer, (weight, bias) in enumerate(self.layers):
            both = (
                weight.apply(torch.cat([self.phi(h), self.slope(h) * change], dim=2)) * scale[:, None, None]
            )
            h, change = both[..., :_COUNT] + bias, both[..., _COUNT:]
            size = length(change).mean(dim=1)
            change = change / size.sqrt()[:, None, None]
            if layer >= _BURN:
                logs.append(size.log())
                lengths.append(length(h).mean(dim=1))
        return torch.stack(logs).mean(dim=0), torch.stack(lengths).mean(dim=0)

    def edge(self) -> torch.Tensor:
        """log sigma_w at which a change neither grows nor shrinks, (R,), by false position (Illinois)."""
        low, high = (torch.full((self.start.shape[0],), value).log().to(self.start) for value in SCALES)
        below, above = self.growth(low.exp())[0], self.growth(high.exp())[0]
        kept = torch.zeros_like(low)  # which end stayed: +1 the upper one, -1 the lower one
        for _ in range(_STEPS):
            place = low + (high - low) * (-below / (above - below)).clamp(0.0, 1.0)
            found = self.growth(place.exp())[0]
            grows = found > 0
            below = torch.where(grows, torch.where(kept < 0, below / 2, below), found)
            above = torch.where(grows, found, torch.where(kept > 0, above / 2, above))
            low, high = torch.where(grows, low, place), torch.where(grows, place, high)
            kept = torch.where(grows, -1.0, 1.0)
        return low + (high - low) * (-below / (above - below)).clamp(0.0, 1.0)

    def merging(self, scale: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """1 - c of pairs, the halves of the columns of `h`, behind each layer after the first `_BURN`, (R, depth)."""
        found = []
        for weight, bias in self.layers[_BURN:]:
            h = weight.apply(self.phi(h)) * scale[:, None, None] + bias
            half = h.shape[2] // 2
            found.append(pair_moments(h[..., :half], h[..., half:]).one_minus_c.mean(dim=1))
        return torch.stack(found, dim=1)


def edges(
    family: Family, width: int, seeds: Sequence[int], backend: Backend, *, one_minus_c0: float
) -> np.ndarray:
    """sigma_w of each network's edge of chaos, and 1 - c of pairs behind each of its layers there, (R, 1 + depth).

    Pairs start with the length that the network's own inputs have settled to at the edge.
    """

    def measure(group: Sequence[int]) -> torch.Tensor:
        draws = Draws(group, backend)
        layers = _Layers.drawn(family, width, draws)
        scale = layers.edge().exp()
        settled = layers.growth(scale)[1][:, None, None]
        start = torch.cat(pairs(draws, width, _PAIRS, 1.0, one_minus_c0), dim=2) * settled.sqrt()
        return torch.cat([scale[:, None], layers.merging(scale, start)], dim=1)

    layers = _BURN + family.depth
    return in_batches(measure, seeds, 8 * layers * width * (width + 4 * _PAIRS), backend)
