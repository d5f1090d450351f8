"""Whole networks as users write them, drawn and run: mean squares of units, and of gradients at the first layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

FEATURES, TOKENS, BIAS = 16, 6, 1.0


class Plain(nn.Module):
    """Dense layers with tanh."""

    def __init__(self, width: int, skip: bool = True) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(FEATURES if k == 0 else width, width) for k in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run them."""
        x = self.layers[0](x)
        for layer in self.layers[1:]:
            x = layer(torch.tanh(x))
        return x


class Residual(nn.Module):
    """x + W tanh(x)."""

    def __init__(self, width: int, skip: bool = True) -> None:
        super().__init__()
        self.stem, self.skip = nn.Linear(FEATURES, width), skip
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run them; without shortcuts if `skip` is false."""
        x = self.stem(x)
        for block in self.blocks:
            y = block(torch.tanh(x))
            x = x + y if self.skip else y
        return x


class Block(nn.Module):
    """Causal attention and two dense layers, normalised in front of both."""

    def __init__(self, width: int, skip: bool) -> None:
        super().__init__()
        self.n1, self.n2, self.skip, self.heads = (
            nn.LayerNorm(width),
            nn.LayerNorm(width),
            skip,
            max(1, width // 16),
        )
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc, self.back = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run it; without shortcuts if `skip` is false."""
        batch, tokens, width = x.shape
        parts = self.qkv(self.n1(x)).chunk(3, dim=-1)
        q, k, v = (one.view(batch, tokens, self.heads, -1).transpose(1, 2) for one in parts)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        y = self.out(y.transpose(1, 2).reshape(batch, tokens, width))
        x = x + y if self.skip else y
        y = self.back(functional.gelu(self.fc(self.n2(x))))
        return x + y if self.skip else y


class Transformer(nn.Module):
    """Two blocks behind a stem."""

    def __init__(self, width: int, skip: bool = True) -> None:
        super().__init__()
        self.stem = nn.Linear(FEATURES, width)
        self.blocks = nn.ModuleList(Block(width, skip) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run them."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return x


KINDS: dict[str, type[nn.Module]] = {"mlp": Plain, "residual": Residual, "transformer": Transformer}


def inputs_of(kind: str) -> torch.Tensor:
    """Two inputs, the same in all draws."""
    shape = (2, TOKENS, FEATURES) if kind == "transformer" else (2, FEATURES)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def build(kind: str, width: int, seed: int, skip: bool = True) -> nn.Module:
    """Draw a network: weights of variance 1.5 / fan-in, biases of variance 1."""
    module, random = KINDS[kind](width, skip).double(), torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=math.sqrt(1.5 / layer.in_features), generator=random)
            nn.init.normal_(layer.bias, std=BIAS, generator=random)
    return module


def agreement(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Mean square of what comes out, and of the gradient behind the first layer of sum(c * output), c normal."""
    kind, found = str(inputs["network"]), []
    for seed in seeds:
        module = build(kind, size, seed)
        first = next(layer for layer in module.modules() if isinstance(layer, nn.Linear))
        held: list[torch.Tensor] = []
        handle = first.register_forward_hook(lambda _module, _inputs, out, held=held: held.append(out))
        y = module(inputs_of(kind))
        handle.remove()
        c = torch.randn(y.shape, generator=torch.Generator().manual_seed(seed + 1), dtype=y.dtype)
        (g,) = torch.autograd.grad(y, held[0], c / c.square().mean().sqrt())
        found.append([float(y.detach().square().mean()), float(g.square().mean())])
    return np.array(found)
