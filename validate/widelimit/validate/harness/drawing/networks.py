"""Batches of random deep networks: h^l = W^l x^(l-1) + b^l, x^l = phi(h^l), forwards and backwards.

A `Network` holds R independent random networks of one architecture. Layers are drawn when they are reached
and share one buffer, unless a backward pass needs them again. Vectors are tensors (R, N, k): R replicates, N
neurons, k inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing.functions import activation_function, derivative_function
from widelimit.validate.harness.drawing.weights import ENSEMBLES, Draws, Weights, weights

_CACHE_BYTES = 2**24  # weights of one layer that a CPU batch holds at once: they stay in the last-level cache


@dataclass(frozen=True)
class Architecture:
    """A family of random networks; `sigma_w` and `sigma_b` are standard deviations, `keep` the share dropout
    keeps.

    Weights have variance sigma_w^2 / fan_in, biases sigma_b^2. Raises ArgumentError for values out of range.
    """

    activation: str
    sigma_w: float
    sigma_b: float
    depth: int
    weights: str = "gaussian"
    keep: float = 1.0

    def __post_init__(self) -> None:
        if not self.sigma_w > 0:
            raise ArgumentError("sigma_w", "must be positive", self.sigma_w)
        if not self.sigma_b >= 0:
            raise ArgumentError("sigma_b", "must not be negative", self.sigma_b)
        if self.depth < 1:
            raise ArgumentError("depth", "must be at least 1", self.depth)
        if self.weights not in ENSEMBLES:
            raise ArgumentError("weights", f"must be one of {', '.join(ENSEMBLES)}", self.weights)
        if not 0 < self.keep <= 1:
            raise ArgumentError("keep", "must lie in (0, 1]", self.keep)

    @classmethod
    def of(cls, inputs: Mapping) -> Architecture:
        """The architecture that a claim's inputs describe; keys that are absent take the defaults above."""
        optional = {name: inputs[name] for name in ("weights", "keep") if name in inputs}
        return cls(
            str(inputs["activation"]),
            float(inputs["sigma_w"]),
            float(inputs["sigma_b"]),
            int(inputs["depth"]),
            **optional,
        )


class Network:
    """R random networks of width N, one for each generator of `draws`; see `random_network`.

    `keep_layers` stores weights and pre-activations for `backward` (depth N^2 numbers a replicate).
    """

    def __init__(
        self, architecture: Architecture, width: int, draws: Draws, keep_layers: bool = False
    ) -> None:
        self.architecture = architecture
        self.width = width
        self.draws = draws
        self.keep_layers = keep_layers
        self.layers: list[Weights] = []  # W^1, W^2, ... when kept
        self.preactivations: list[torch.Tensor] = []  # h^0 (where there is one), h^1, ... when kept
        self.masks: list[torch.Tensor | None] = []  # of x^0, x^1, ... when kept
        self.phi = activation_function(architecture.activation)

    def forward(self, start: torch.Tensor, raw: bool = False) -> Iterator[torch.Tensor]:
        """Yield h^1, ..., h^depth, each (R, N, k).

        `start` is h^0 of shape (R, N, k), so that x^0 = phi(h^0); or with `raw` the input x^0 itself, of any
        length. A yielded tensor belongs to the caller. Dropout masks are independent for every replicate,
        layer, neuron and input; a raw input is not dropped.
        """
        spec, draws = self.architecture, self.draws
        keeps = self.keep_layers
        buffer = (
            None
            if keeps
            else torch.empty(
                (len(draws), self.width, self.width), dtype=draws.backend.dtype, device=draws.backend.device
            )
        )
        if keeps and not raw:
            self.preactivations.append(start)
        h = start
        for layer in range(spec.depth):
            first_raw = raw and layer == 0
            x = h if first_raw else self.phi(h)
            mask = None
            if spec.keep < 1 and not first_raw:
                mask = draws.kept(spec.keep, *x.shape[1:])
                x = x * mask
            square = x.shape[1] == self.width
            w = weights(spec.weights, draws, self.width, x.shape[1], spec.sigma_w, buffer if square else None)
            h = w.apply(x)
            if spec.sigma_b > 0:
                h += draws.normal(self.width, 1) * spec.sigma_b
            if keeps:
                self.layers.append(w)
                self.preactivations.append(h)
                self.masks.append(mask)
            yield h

    def backward(self, delta: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield delta^(L-1), delta^(L-2), ..., from delta = delta^L of shape (R, N, k), where delta^l =
        dE/dh^l.

        delta^l = phi'(h^l) * (W^(l+1))^T delta^(l+1), down to delta^0 (delta^1 after a raw input). Needs a
        finished forward pass with `keep_layers`; the columns of delta belong to the inputs of that pass.
        """
        slope = derivative_function(self.architecture.activation)
        layers = list(zip(self.layers, self.masks, strict=True))
        for h in reversed(self.preactivations[:-1]):
            w, mask = layers.pop()
            delta = slope(h) * w.transposed(delta)
            if mask is not None:
                delta = delta * mask
            yield delta


def random_network(
    architecture: Architecture, width: int, seeds: Sequence[int], backend: Backend, keep_layers: bool = False
) -> Network:
    """R = len(seeds) independent random networks; network r depends on seeds[r] alone.

    >>> spec = Architecture("tanh", sigma_w=1.5, sigma_b=0.1, depth=3)
    >>> network = random_network(spec, 50, seeds=[1, 2], backend=Backend())
    >>> [tuple(h.shape) for h in network.forward(network.draws.normal(50, 4))]
    [(2, 50, 4), (2, 50, 4), (2, 50, 4)]
    """
    return Network(architecture, width, Draws(seeds, backend), keep_layers)


def in_batches(
    measure: Callable[[Sequence[int]], torch.Tensor], seeds: Sequence[int], bytes_each: int, backend: Backend
) -> np.ndarray:
    """Call `measure` on groups of seeds that fit the memory and stack what it returns, shape (len(seeds), k).

    `bytes_each` is the memory of one replicate. On the CPU a group is also kept small enough for the cache.
    """
    most = len(seeds) if backend.device.type == "cuda" else max(1, _CACHE_BYTES // max(1, bytes_each))
    count = backend.batch(bytes_each, min(most, len(seeds))) if seeds else 1
    groups = [seeds[i : i + count] for i in range(0, len(seeds), count)]
    with torch.no_grad():
        return np.concatenate([measure(group).to("cpu", torch.float64).numpy() for group in groups])
