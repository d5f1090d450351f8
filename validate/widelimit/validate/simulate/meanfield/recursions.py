"""What the mean-field claims measure on random networks of finite width: forward moments, decay rates,
gradients.

Every function takes explicit starting moments and knows no theory. One row of numbers comes back for each
seed: a network each, with many input vectors in it, because drawing the weights costs far more than feeding
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from widelimit.numerics.results import by_value
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing.networks import Architecture, Network, in_batches, random_network
from widelimit.validate.harness.inputs import pair
from widelimit.validate.simulate.meanfield.moments import (
    cross_correlation,
    family,
    length,
    orthonormal,
    pair_moments,
    pairs,
)

PAIRS = 8  # synthetic pairs in a network: 16 columns add a fifth to the cost of its weights
FAMILY = 16  # vectors of a family, and pairs where gradients are sent back
_LOST = 1e-3  # a share of a difference that is taken as lost in noise


@by_value
@dataclass(frozen=True)
class ForwardStatistics:
    """Per network and layer 1, ..., depth, averaged over the pairs in a network; each array (R, depth).

    `q`: second moment of the pre-activations. `c`, `one_minus_c`: correlation of a pair. `post`: second
    moment of the activations phi(h).
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
    x^0 = phi(h^0). With `data` (see `widelimit.validate.harness.inputs.pair`) the two real inputs are fed to W^1 as
    they are, by `count` independent first layers on top of which the other layers are shared: first layers cost
    little, and
    the average over them is far less noisy than one pair.

    >>> spec = Architecture("relu", sigma_w=2**0.5, sigma_b=0.0, depth=2)
    >>> forward_statistics(spec, 100, [1, 2, 3], Backend(), q0=0.5).q.shape
    (3, 2)
    """

    def measure(group: Sequence[int]) -> torch.Tensor:
        network = random_network(architecture, width, group, backend)
        if data:
            states = _from_data(network, data, count)
        else:
            states = network.forward(torch.cat(pairs(network.draws, width, count, q0, one_minus_c0), dim=2))
        rows = []
        for h in states:
            moments = pair_moments(h[..., :count], h[..., count:])
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
    """Second moment and correlation averaged over the last `window` layers, (R, 2).

    The start is a family of vectors of length `q0`, in two halves at correlation `c0` with one another."""

    def measure(group: Sequence[int]) -> torch.Tensor:
        network = random_network(architecture, width, group, backend)
        start = family(orthonormal(network.draws, width, FAMILY + 1), q0, c0)
        found = []
        for layer, h in enumerate(network.forward(start), start=1):
            if layer > architecture.depth - window:
                found.append(torch.stack([length(h).mean(dim=1), cross_correlation(h)], dim=1))
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

    1 - c is averaged over the pairs of a network and the logarithm taken within it: each layer then adds a
    term of mean log(factor) + O(1/N), so that the mean over networks is right in the limit at any depth. The
    logarithm of a mean over networks is not: 1 - c is log-normal with a variance that grows with depth.
    """

    def measure(group: Sequence[int]) -> torch.Tensor:
        network = random_network(architecture, width, group, backend)
        start = torch.cat(pairs(network.draws, width, PAIRS, q0, one_minus_c0), dim=2)
        distances = []
        for layer, h in enumerate(network.forward(start), start=1):
            if layer in (burn, architecture.depth):
                moments = pair_moments(h[..., :PAIRS], h[..., PAIRS:])
                distances.append(moments.one_minus_c.mean(dim=1))
        return (distances[0] / distances[1]).log().unsqueeze(1) / (architecture.depth - burn)

    bytes_each = _bytes(architecture, width, 2 * PAIRS, backend, kept=False)
    return in_batches(measure, seeds, bytes_each, backend)[:, 0]


def rates_of_return(
    architecture: Architecture,
    width: int,
    seeds: Sequence[int],
    backend: Backend,
    *,
    q0: float,
    c0: float,
    delta: float,
    stretch: float,
    layers_c: int,
    layers_q: int,
) -> np.ndarray:
    """-log of the factor by which a small change of c, and of q, shrinks a layer, (R, 2).

    Vectors a share a network with b+ and b-, built from the same directions at correlations c0 + delta and
    c0 - delta with a. The difference of the two correlations after `layers_c` layers, over 2 delta, is the
    share of the change that is left; second-order terms cancel, and so does most of the noise of a network's
    own fixed point, which an average of c - c0 would be lost in. Lengths likewise, from q0 (1 + stretch) and
    q0 (1 - stretch) after `layers_q`. A share that noise has made smaller than a thousandth counts as a
    thousandth.
    """

    def measure(group: Sequence[int]) -> torch.Tensor:
        network = random_network(architecture, width, group, backend)
        z = q0**0.5 * orthonormal(network.draws, width, 2 * FAMILY)
        a, other = z[..., :FAMILY], z[..., FAMILY:]
        near, far = (c * a + (1 - c * c) ** 0.5 * other for c in (c0 + delta, c0 - delta))
        start = torch.cat([a, near, far, (1 + stretch) ** 0.5 * a, (1 - stretch) ** 0.5 * a], dim=2)
        left_c = left_q = torch.ones(())
        for layer, h in enumerate(network.forward(start), start=1):
            a, near, far, large, small = h.split(FAMILY, dim=2)
            if layer == layers_c:
                left_c = (pair_moments(a, near).c - pair_moments(a, far).c).mean(dim=1) / (2 * delta)
            if layer == layers_q:
                left_q = (length(large) - length(small)).mean(dim=1) / (2 * q0 * stretch)
            if layer == max(layers_c, layers_q):
                break
        rate_c, rate_q = (-left.clamp(min=_LOST).log() for left in (left_c, left_q))
        return torch.stack([rate_c / layers_c, rate_q / layers_q], dim=1)

    return in_batches(measure, seeds, _bytes(architecture, width, 5 * FAMILY, backend, kept=False), backend)


@by_value
@dataclass(frozen=True)
class GradientStatistics:
    """Back-propagated random output vectors, per network and distance from the output; each array (R,
    distances).

    `log_norm`: log of |delta^(L-d)|^2 / |delta^L|^2, both sums over all inputs of a network. `covariance`:
    the same output vector sent back through both inputs of a pair, delta_a . delta_b / |delta^L|^2, averaged
    over pairs.
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
    """Gradients delta^l = dE/dh^l at `distances` layers before the output, by the weights of the forward pass."""

    def measure(group: Sequence[int]) -> torch.Tensor:
        network = random_network(architecture, width, group, backend, keep_layers=True)
        start = torch.cat(pairs(network.draws, width, FAMILY, q0, one_minus_c0), dim=2)
        for _ in network.forward(start):
            pass
        output = network.draws.normal(width, FAMILY)
        size = length(output).mean(dim=1)
        norms, covariances = [], []
        for distance, delta in enumerate(network.backward(torch.cat([output, output], dim=2)), start=1):
            if distance in distances:
                a, b = delta[..., :FAMILY], delta[..., FAMILY:]
                norms.append((length(delta).mean(dim=1) / size).log())
                covariances.append((a * b).mean(dim=(1, 2)) / size)
            if distance == max(distances):
                break
        return torch.stack(norms + covariances, dim=1)

    table = in_batches(measure, seeds, _bytes(architecture, width, 2 * FAMILY, backend, kept=True), backend)
    return GradientStatistics(table[:, : len(distances)], table[:, len(distances) :])


def _from_data(network: Network, data: str, count: int) -> Iterator[torch.Tensor]:
    """h^1, ..., h^depth of `count` copies of a real pair, each with a first layer of its own."""
    draws, spec = network.draws, network.architecture
    x = torch.as_tensor(pair(data).T.copy(), dtype=draws.backend.dtype, device=draws.backend.device)
    x = x.expand(len(draws), -1, -1)
    first = replace(spec, depth=1)
    copies = [next(Network(first, network.width, draws).forward(x, raw=True)) for _ in range(count)]
    h = torch.cat([copy[..., :1] for copy in copies] + [copy[..., 1:] for copy in copies], dim=2)
    yield h
    if spec.depth > 1:
        yield from Network(replace(spec, depth=spec.depth - 1), network.width, draws).forward(h)


def _bytes(architecture: Architecture, width: int, columns: int, backend: Backend, kept: bool) -> int:
    """Memory of one replicate: its weights (of all layers if kept) and a dozen tensors of vectors."""
    layers = architecture.depth if kept else 1
    return backend.dtype.itemsize * width * (width * layers + (12 + layers * kept) * columns)
