"""Drawn networks that are pruned: flows through cuts, thresholds and survivors, accuracy after pruning.

Widths are written as text, ``"10-40-7-3"``. Networks are fully connected, with weights of variance 2 / fan-in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import functions, normals

if TYPE_CHECKING:
    import torch
    from torch import nn

    from widelimit.validate.harness.backend import Backend

_DRAWS = 200  # networks a replicate, where one is cheap
_WIDE = 16  # networks a replicate that are as wide as its size
_STEPS, _BATCH, _RATE = 400, 128, 2e-3


def units(widths: str) -> list[int]:
    """Return the units of each layer.

    >>> units("10-40-3")
    [10, 40, 3]
    """
    return [int(part) for part in str(widths).split("-")]


def network(inputs: Any, seed: int, backend: Backend) -> nn.Sequential:
    """Draw a network: weights by He's rule, biases of standard deviation `sigma_b`, and its activation."""
    import torch
    from torch import nn

    normal = normals(seed, backend)
    phi: dict[str, Any] = {
        "relu": nn.ReLU,
        "leaky_relu(0.2)": lambda: nn.LeakyReLU(0.2),
        "linear": nn.Identity,
    }
    parts: list[nn.Module] = []
    for below, above in pairwise(units(inputs["widths"])):
        layer = nn.Linear(below, above, device=backend.device, dtype=backend.dtype)
        with torch.no_grad():
            layer.weight.copy_(normal(above, below) * math.sqrt(2 / below))
            layer.bias.copy_(normal(above) * float(inputs.get("sigma_b", 0.0)))
        parts += [layer, phi[str(inputs.get("activation", "relu"))]()]
    return nn.Sequential(*parts[:-1])


def cuts(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Scores of weights and of all biases from there on, layer by layer, over the flow out: R = |y|^2 / 2."""
    net = network(inputs, seed, backend)
    x = normals(seed + 1, backend)(16, units(inputs["widths"])[0])
    y = net(x)
    (y**2).sum().div(2).backward()
    layers: list[Any] = [one for one in net if hasattr(one, "weight")]
    weights, biases = [_score(one.weight) for one in layers], [_score(one.bias) for one in layers]
    out = float((y.detach() ** 2).sum())
    return np.array([(weight + sum(biases[k:])) / out for k, weight in enumerate(weights)])


def _score(parameter: Any) -> float:
    """The sum of w dR/dw over what a backward pass has been to."""
    return float((parameter.detach() * parameter.grad).sum())


def shares(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Scores of the weights of each layer but the last over the flow out, of networks of equal widths and no biases.

    R = |y|^2/2; the first pre-activations have a mean square of 1. Sums over networks, layer by layer.
    """
    normal, (phi, _) = normals(seed, backend), functions(str(inputs["activation"]))
    depth, scale = int(inputs["depth"]), float(inputs["sigma_w"]) / math.sqrt(size)
    weights = [(normal(_WIDE, size, size) * scale).requires_grad_() for _ in range(depth)]
    x = normal(_WIDE, size, 1)
    h = weights[0] @ (x / x.norm(dim=1, keepdim=True) / scale)
    for weight in weights[1:]:
        h = weight @ phi(h)
    (h**2).sum().div(2).backward()
    return np.array([_score(one) for one in weights[:-1]]) / float((h.detach() ** 2).sum())


def normalised(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Scores of the weights before batch normalisation, and of its gain and shift, over the flow behind it."""
    import torch

    normal = normals(seed, backend)
    below, units_ = int(inputs["inputs"]), int(inputs["units"])
    weight = (normal(units_, below) / math.sqrt(below)).requires_grad_()
    gamma, beta = (1 + 0.3 * normal(units_)).requires_grad_(), (0.3 * normal(units_)).requires_grad_()
    h = normal(int(inputs["batch"]), below) @ weight.T
    unit = (h - h.mean(0)) / h.var(0, correction=0).sqrt()
    y = torch.relu(gamma * unit + beta)
    y.retain_grad()
    (y @ normal(units_)).pow(2).sum().div(2).backward()
    flow = _score(y)
    before, gain, shift = (_score(one) for one in (weight, gamma, beta))
    return np.array([before / flow, (gain + shift) / flow])


def sizes_of_flow(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Sums of synaptic-flow scores of each layer over R = 1' prod abs(W) 1."""
    normal = normals(seed, backend)
    layers = [
        (normal(above, below) * math.sqrt(2 / below)).abs().requires_grad_()
        for below, above in pairwise(units(inputs["widths"]))
    ]
    flow = _flow(layers)
    flow.backward()
    return np.array([_score(one) / float(flow.detach()) for one in layers])


def total_flow(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """R of networks, on average."""
    normal = normals(seed, backend)
    shapes = [(above, below) for below, above in pairwise(units(inputs["widths"]))]
    draws = [
        float(_flow([(normal(*shape) * math.sqrt(2 / shape[1])).abs() for shape in shapes]))
        for _ in range(_DRAWS)
    ]
    return np.array([np.mean(draws)])


def _flow(layers: list[torch.Tensor]) -> torch.Tensor:
    import torch

    rows = torch.ones_like(layers[0][0])
    for layer in layers:
        rows = layer @ rows
    return rows.sum()


def collapse_by_magnitude(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """log of N over the weights that are kept when all layers have one left, on average."""
    normal, widths = normals(seed, backend), units(inputs["widths"])
    counts = [a * b for a, b in pairwise(widths)]
    weights = [normal(_DRAWS, n).abs() * math.sqrt(2 / a) for n, a in zip(counts, widths, strict=False)]
    least = np.min([one.max(1).values.cpu().numpy() for one in weights], axis=0)
    kept = sum((one.cpu().numpy() >= least[:, None]).sum(1) for one in weights)
    return np.array([np.log(sum(counts) / kept).mean()])


def survivors(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Share of networks without an empty layer when K weights are kept at random."""
    import torch

    counts = [a * b for a, b in pairwise(units(inputs["widths"]))]
    layer = torch.repeat_interleave(
        torch.arange(len(counts), device=backend.device), torch.tensor(counts, device=backend.device)
    )
    generator = backend.generator(seed)
    keys = torch.rand((_DRAWS, sum(counts)), generator=generator, device=backend.device, dtype=backend.dtype)
    kept = layer[keys.topk(int(inputs["kept"]), dim=1).indices]
    seen = torch.stack([(kept == k).any(1) for k in range(len(counts))]).all(0)
    return np.array([float(seen.double().mean())])


def compression_of_synflow(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """log of the compression up to which SynFlow with many rounds leaves every layer a weight."""
    from widelimit.validate.pruning import synflow

    net = network({**inputs, "activation": "relu"}, seed, backend)
    widths = units(inputs["widths"])
    total = sum(a * b for a, b in pairwise(widths))
    for kept in range(len(widths) - 1, total + 1):
        found = synflow(net, total / kept, iterations=int(inputs["iterations"]), input_shape=(widths[0],))
        if not found.collapsed:
            return np.array([math.log(total / kept)])
    return np.array([0.0])


def accuracies(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Test accuracy on digits after pruning at initialisation and 400 steps of Adam, three numbers a seed.

    That of SynFlow less the better of the others, by magnitude, and at random; all networks are one batch.
    """
    from widelimit.validate import pruning

    rough, rho = replace(backend, precision="float32"), float(inputs["compression"])
    networks = []
    for seed in seeds:
        net = network({"widths": "64-100-100-10"}, seed, rough)
        networks += [
            (net, pruning.synflow(net, rho, input_shape=(64,))),
            (net, pruning.magnitude(net, rho)),
            (net, pruning.random(net, rho, seed=seed)),
        ]
    found = _trained(networks, [_split(seed, rough) for seed in seeds], seeds, rough).reshape(len(seeds), 3)
    gain = found[:, 0] - found[:, 1:].max(1)
    return np.stack([gain, found[:, 1], found[:, 2]], axis=1)


def _split(seed: int, backend: Backend) -> tuple[torch.Tensor, ...]:
    """Images of mean 0 and mean square 1 and their labels, 1,297 for training and 500 for the test."""
    import torch
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.as_tensor(data.data, device=backend.device, dtype=backend.dtype)
    images = (images - images.mean()) / images.std()
    labels = torch.as_tensor(data.target, device=backend.device)
    order = torch.randperm(len(labels), generator=backend.generator(seed), device=backend.device)
    return images[order[500:]], labels[order[500:]], images[order[:500]], labels[order[:500]]


def _trained(
    networks: Sequence[tuple[Any, Any]],
    data: Sequence[tuple[torch.Tensor, ...]],
    seeds: Sequence[int],
    backend: Backend,
) -> np.ndarray:
    """Test accuracies of networks, as many in a row for each seed; those of a seed see the same batches."""
    import torch

    each = len(networks) // len(seeds)
    generators = [backend.generator(seed + 2) for seed in seeds]
    weights, masks, biases = [], [], []
    for index in (0, 2, 4):
        weights.append(torch.stack([net[index].weight.detach() for net, _ in networks]).requires_grad_())
        masks.append(torch.stack([one.masks[f"{index}.weight"] for _, one in networks]).to(backend.dtype))
        biases.append(torch.stack([net[index].bias.detach() for net, _ in networks]).requires_grad_())
    optimiser = torch.optim.Adam([*weights, *biases], lr=_RATE)

    def outputs(x: torch.Tensor) -> torch.Tensor:
        for layer, (weight, mask, bias) in enumerate(zip(weights, masks, biases, strict=True)):
            x = torch.baddbmm(bias[:, None], x if layer == 0 else x.relu(), (weight * mask).transpose(1, 2))
        return x

    def repeated(parts: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack(parts).repeat_interleave(each, dim=0)

    for _ in range(_STEPS):
        chosen = [
            torch.randint(len(part[1]), (_BATCH,), generator=generator, device=backend.device)
            for part, generator in zip(data, generators, strict=True)
        ]
        images = repeated([part[0][one] for part, one in zip(data, chosen, strict=True)])
        labels = repeated([part[1][one] for part, one in zip(data, chosen, strict=True)])
        loss = torch.nn.functional.cross_entropy(
            outputs(images).flatten(0, 1), labels.flatten(), reduction="sum"
        )
        optimiser.zero_grad()
        (loss / _BATCH).backward()
        optimiser.step()
    with torch.no_grad():
        guesses = outputs(repeated([part[2] for part in data])).argmax(2)
    right = (guesses == repeated([part[3] for part in data])).double().mean(1)
    return right.cpu().numpy()
