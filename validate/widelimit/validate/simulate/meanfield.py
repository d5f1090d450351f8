"""What the mean-field claims measure on random networks of finite width: forward moments, decay rates, gradients.

Every function takes explicit starting moments and knows no theory. One row of numbers comes back for each seed: a
network each, with many input vectors in it, because drawing the weights costs far more than feeding them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from widelimit.validate.backend import Backend
from widelimit.validate.inputs import pair
from widelimit.validate.simulate.moments import (
    family,
    length,
    mean_correlation,
    orthonormal,
    pair_moments,
    pairs,
)
from widelimit.validate.simulate.network import Architecture, Network, in_batches, random_network

PAIRS = 8  # synthetic pairs in a network: 16 columns add a fifth to the cost of its weights
FAMILY = 16  # vectors of an equicorrelated family


@dataclass(frozen=True)
class ForwardStatistics:
    """Per network and layer 1, ..., depth, averaged over the pairs in a network; each array (R, depth).

    `q`: second moment of the pre-activations. `c`, `one_minus_c`: correlation of a pair. `post`: second moment of
    the activations phi(h).
    """

    q: np.ndarray
    c: np.ndarray
    one_minus_c: np.ndarray
    post: np.ndarray


def forward_statistics(
    architecture: Architecture,
    width: int,
    seeds: Sequence[int],
    backend: Backend,
    *,
    q0: float = 1.0,
    one_minus_c0: float = 1.0,
    count: int = PAIRS,
    data: str = "",
) -> ForwardStatistics:
    """Moments of pairs of inputs at every layer.

    Synthetic pairs have h^0 with second moment `q0` and correlation 1 - `one_minus_c0` exactly, so that
    x^0 = phi(h^0). With `data` (see `widelimit.validate.inputs.pair`) the two real inputs are fed to W^1 as they are.

    >>> spec = Architecture("relu", sigma_w=2**0.5, sigma_b=0.0, depth=2)
    >>> forward_statistics(spec, 100, [1, 2, 3], Backend(), q0=0.5).q.shape
    (3, 2)
    """

    def measure(group: Sequence[int]) -> torch.Tensor:
        network = random_network(architecture, width, group, backend)
        start = _start(network, q0, one_minus_c0, count, data)
        rows = []
        for h in network.forward(start, raw=bool(data)):
            k = h.shape[2] // 2
            moments = pair_moments(h[..., :k], h[..., k:])
            q = (moments.q_a.mean(dim=1) + moments.q_b.mean(dim=1)) / 2
            post = length(network.phi(h)).mean(dim=1)
            rows.append(torch.stack([q, moments.c.mean(dim=1), moments.one_minus_c.mean(dim=1), post], dim=1))
        return torch.cat(rows, dim=1)

    table = in_batches(measure, seeds, _bytes(architecture, width, 2 * count, backend, kept=False), backend)
    return ForwardStatistics(*np.moveaxis(table.reshape(len(seeds), architecture.depth, 4), 2, 0))


def settled(
    architecture: Architecture,
    width: int,
    seeds: Sequence[int],
    backend: Backend,
    *,
    q0: float,
    c0: float,
    window: int,
) -> np.ndarray:
    """Second moment and correlation averaged over the last `window` layers and all pairs of a family, (R, 2)."""

    def measure(group: Sequence[int]) -> torch.Tensor:
        network = random_network(architecture, width, group, backend)
        start = family(orthonormal(network.draws, width, FAMILY + 1), q0, c0)
        found = []
        for layer, h in enumerate(network.forward(start), start=1):
            if layer > architecture.depth - window:
                found.append(torch.stack([length(h).mean(dim=1), mean_correlation(h)], dim=1))
        return torch.stack(found).mean(dim=0)

    return in_batches(measure, seeds, _bytes(architecture, width, FAMILY, backend, kept=False), backend)


def rate_of_merging(
    architecture: Architecture,
    width: int,
    seeds: Sequence[int],
    backend: Backend,
    *,
    q0: float,
    one_minus_c0: float,
    burn: int,
) -> np.ndarray:
    """-log of the factor by which 1 - c shrinks a layer, from layer `burn` to the last, (R,).

    The logarithm is taken within a network: log(1 - c) then gains an independent term of mean log(factor) + O(1/N)
    at each layer, so the mean over networks is right in the limit at any depth, where the logarithm of a mean over
    networks is not (1 - c is log-normal with a variance that grows with depth).
    """

    def measure(group: Sequence[int]) -> torch.Tensor:
        network = random_network(architecture, width, group, backend)
        distance = None
        for layer, h in enumerate(network.forward(torch.cat(pairs(network.draws, width, PAIRS, q0, one_minus_c0), 2)), 1):
            if layer == burn:
                distance = pair_moments(h[..., :PAIRS], h[..., PAIRS:]).one_minus_c.log().mean(dim=1)
        last = pair_moments(h[..., :PAIRS], h[..., PAIRS:]).one_minus_c.log().mean(dim=1)
        assert distance is not None
        return ((distance - last) / (architecture.depth - burn)).unsqueeze(1)

    return in_batches(measure, seeds, _bytes(architecture, width, 2 * PAIRS, backend, kept=False), backend)[:, 0]


def spreads(
    architecture: Architecture,
    width: int,
    seeds: Sequence[int],
    backend: Backend,
    *,
    q0: float,
    c0: float,
    delta: float,
    stretch: float,
) -> np.ndarray:
    """How far apart two families stay that start at c0 + delta and c0 - delta, and at q0 (1 + stretch), q0 (1 - stretch).

    Returns (R, 2 depth): for layers 1, ..., depth the difference of the mean correlations over 2 delta, then that of
    the lengths over 2 q0 stretch. Both families are built from the same directions and share the network, so the
    fluctuations of a network's own fixed point cancel to first order.
    """

    def measure(group: Sequence[int]) -> torch.Tensor:
        network = random_network(architecture, width, group, backend)
        z = orthonormal(network.draws, width, FAMILY + 1)
        near, far = family(z, q0, c0 + delta), family(z, q0, c0 - delta)
        single = (q0**0.5) * z
        start = torch.cat([near, far, (1 + stretch) ** 0.5 * single, (1 - stretch) ** 0.5 * single], dim=2)
        split = [FAMILY, FAMILY, FAMILY + 1, FAMILY + 1]
        correlations, lengths = [], []
        for h in network.forward(start):
            a, b, large, small = h.split(split, dim=2)
            correlations.append((mean_correlation(a) - mean_correlation(b)) / (2 * delta))
            lengths.append((length(large) - length(small)).mean(dim=1) / (2 * q0 * stretch))
        return torch.stack(correlations + lengths, dim=1)

    return in_batches(measure, seeds, _bytes(architecture, width, 4 * FAMILY, backend, kept=False), backend)


@dataclass(frozen=True)
class GradientStatistics:
    """Back-propagated random output vectors, per network and distance from the output; each array (R, distances).

    `log_norm`: log of |delta^(L-d)|^2 / |delta^L|^2, averaged over inputs. `covariance`: the same output vector sent
    back through both inputs of a pair, delta_a . delta_b / |delta^L|^2, averaged over pairs.
    """

    log_norm: np.ndarray
    covariance: np.ndarray


def gradient_statistics(
    architecture: Architecture,
    width: int,
    seeds: Sequence[int],
    backend: Backend,
    *,
    q0: float,
    one_minus_c0: float,
    distances: Sequence[int],
) -> GradientStatistics:
    """Gradients delta^l = dE/dh^l at `distances` layers before the output, through the weights of the forward pass."""

    def measure(group: Sequence[int]) -> torch.Tensor:
        network = random_network(architecture, width, group, backend, keep_layers=True)
        start = torch.cat(pairs(network.draws, width, PAIRS, q0, one_minus_c0), dim=2)
        for _ in network.forward(start):
            pass
        output = network.draws.normal(width, PAIRS)
        size = length(output)
        norms, covariances = [], []
        for distance, delta in enumerate(network.backward(torch.cat([output, output], dim=2)), start=1):
            if distance in distances:
                a, b = delta[..., :PAIRS], delta[..., PAIRS:]
                both = torch.cat([length(a) / size, length(b) / size], dim=1)
                norms.append(both.log().mean(dim=1))
                covariances.append(((a * b).mean(dim=1) / size).mean(dim=1))
            if distance == max(distances):
                break
        return torch.stack(norms + covariances, dim=1)

    table = in_batches(measure, seeds, _bytes(architecture, width, 2 * PAIRS, backend, kept=True), backend)
    return GradientStatistics(table[:, : len(distances)], table[:, len(distances) :])


def _start(network: Network, q0: float, one_minus_c0: float, count: int, data: str) -> torch.Tensor:
    backend = network.draws.backend
    if data:
        x = torch.as_tensor(pair(data).T.copy(), dtype=backend.dtype, device=backend.device)
        return x.expand(len(network.draws), -1, -1)
    return torch.cat(pairs(network.draws, network.width, count, q0, one_minus_c0), dim=2)


def _bytes(architecture: Architecture, width: int, columns: int, backend: Backend, kept: bool) -> int:
    """Memory of one replicate: its weights (of all layers if kept) and a dozen tensors of vectors."""
    layers = architecture.depth if kept else 1
    return backend.dtype.itemsize * width * (width * layers + (12 + layers * kept) * columns)
