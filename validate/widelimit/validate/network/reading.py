"""Between torch and theory: a user's module read as an `Architecture`, whose kernels, phase and curvature follow.

from widelimit.validate.network import from_torch
net = from_torch(model)              # an nn.Sequential of known layers
net.kernels(x), net.phase, net.chi_1, net.fisher(x)

``walk`` finds the layers that run in a row, ``layers`` reads each, ``weights`` and ``noise``
their numbers, ``replay`` runs what was read against the module, ``result`` is what comes out. Modules with a forward
of their own are read operation by operation, by ``graph.layered``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from torch import nn

from widelimit.numerics import arguments
from widelimit.theory import architecture as arch
from widelimit.theory.architecture import Architecture
from widelimit.theory.errors import ArgumentError
from widelimit.validate.network.graph.layered import layered
from widelimit.validate.network.graph.reading import Opened, check_example, opened
from widelimit.validate.network.layers import every, gains_of_positions, read
from widelimit.validate.network.registry import listed as known
from widelimit.validate.network.replay import refuse_what_differs
from widelimit.validate.network.result import Network
from widelimit.validate.network.walk import ModuleError, mixed, shared, walk
from widelimit.validate.network.weights import Declared, Scale, Weights, advice, noise

__all__ = ["ModuleError", "Network", "Scale", "from_torch"]

NARROWEST = 0.25  # sum of 1/width over hidden layers above which the limit of infinite width says nothing


def from_torch(
    module: nn.Module,
    *,
    sigma_w: float | Sequence[float | None] | None = None,
    sigma_b: float | Sequence[float | None] | None = None,
    weights: Literal["random", "as_if_random"] = "random",
    example: Any = None,
) -> Network:
    """Read a torch module of layers that theory knows as it is initialised: an ``nn.Sequential``, or any on an example.

    `example`: a batch of its inputs. With one, modules with a forward of their own are read too, operation by operation
    (``read``): sums of branches, projection shortcuts, units side by side, convolutions of any geometry, pooling by
    averages, LayerNorm, RMSNorm, GroupNorm, BatchNorm in both modes; what has no kernel is refused by its name.
    `sigma_w`, `sigma_b`: the scales that the weights were drawn with (weights of variance sigma_w^2 / fan-in), one for
    all layers or a list with one for each weighted layer; None, also in a list, reads a scale off the weights.
    `weights`: "random" refuses weights that are not centred, independent noise (trained ones, the identity, copies ...;
    a network of noise is refused with a probability below 1e-6); "as_if_random" predicts for noise of the same scales
    in their place, and says so in `notes`.

    What is read is checked to be what runs. Layers are taken in the order in which they run; a subclass, an instance or
    a hook that changes what a known layer computes is refused, as is a weighted layer that stands in two places. A copy
    of the module runs on random inputs, and each layer must give what theory's layer gives with the same weights. The
    module itself, its modes and the state of torch's random numbers stay untouched. Frozen parameters
    (``requires_grad_(False)``) have no part in the tangent kernel. The modes of dropout and normalisation are
    those that the module is in.

    Raises `ModuleError`, which is both an `ArgumentError` and a `DomainError`: it names every layer that is in the way,
    or the layer so narrow that the limit of infinite width says nothing about the network.

    >>> import torch
    >>> class Block(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.one, self.two = torch.nn.Linear(10, 500), torch.nn.Linear(500, 500)
    ...         self.out = torch.nn.Linear(500, 1)
    ...
    ...     def forward(self, x):
    ...         x = self.one(x)
    ...         return self.out(x + self.two(torch.relu(x)))
    >>> net = from_torch(Block(), sigma_w=2**0.5, sigma_b=0.0, example=torch.randn(3, 10))
    >>> net.kernels(torch.eye(10)[:2]).nngp.round(6).tolist()
    [[0.8, 0.127324], [0.127324, 0.8]]

    >>> model = torch.nn.Sequential(torch.nn.Linear(10, 500), torch.nn.ReLU(), torch.nn.Linear(500, 1))
    >>> net = from_torch(model, sigma_w=2**0.5, sigma_b=0.0)
    >>> net.kernels(torch.eye(10)[:2]).ntk.round(6).tolist()
    [[0.4, 0.063662], [0.063662, 0.4]]
    """
    if not isinstance(module, nn.Module):
        raise ArgumentError("module", "must be a torch module", module)
    arguments.choice("weights", weights, ("random", "as_if_random"))
    if example is None:
        return _in_a_row(module, sigma_w, sigma_b, weights)
    inputs = tuple(example) if isinstance(example, tuple | list) else (example,)
    check_example(inputs)
    try:
        return _in_a_row(module, sigma_w, sigma_b, weights)
    except ModuleError:
        return by_operations(opened(module, inputs), (sigma_w, sigma_b), weights)


def of_opened(found: Opened, weights: Literal["random", "as_if_random"]) -> Network:
    """The network of a module that was opened on an example, with the scales of its weights."""
    try:
        return _in_a_row(found.copy, None, None, weights)
    except ModuleError:
        return by_operations(found, (None, None), weights)


def by_operations(found: Opened, settings: tuple[Any, Any], weights: str) -> Network:
    """The network of a module that was opened on an example, see `from_torch`."""
    read, declared = layered(found, settings)
    held = list(read.held)
    findings, rotations = noise(held)
    if findings and weights == "random":
        raise _refusal([_not_noise(findings)])
    declared.finish()
    inverse = sum(1.0 / width for width in read.widths if width)
    notes = [f"As if random: {finding}." for finding in findings] + advice(held, rotations)
    if inverse > NARROWEST:
        notes.append(
            f"The sum of 1/width over hidden layers is {inverse:.2g}: kernels of one draw fluctuate by that order."
        )
    return Network(
        read.architecture, *_pooled(held), read.widths, read.features, read.positions,
        tuple(one.scale for one in held), tuple(notes), read.units_last, read.block,
    )  # fmt: skip


def _in_a_row(
    module: nn.Module, sigma_w: Any, sigma_b: Any, weights: Literal["random", "as_if_random"]
) -> Network:
    """Layers one behind the other, each checked to be what runs."""
    declared = Declared(sigma_w, sigma_b)
    places, problems = walk(module)
    found, flow = read(places, declared)
    layers = _flattened_late([one.layer for one in found if one.layer is not None])
    held = [one.weights for one in every(found) if one.weights is not None]
    twice = shared(places)
    problems += flow.problems + twice + mixed(places)
    if not held and not problems:
        raise ModuleError("The module has no dense or convolution layer: there is nothing random in it.")
    if layers and Architecture(layers).pools:
        problems += gains_of_positions(found)
    widths = [int(getattr(one.layer, "width", 0)) for one in every(found) if one.weights is not None][:-1]
    problems += _too_narrow(widths)
    findings, rotations = noise(held, apart=not twice)
    if findings and weights == "random":
        problems.append(_not_noise(findings))
    if problems:
        raise _refusal(problems)
    refuse_what_differs(module, found, flow)
    declared.finish()
    notes = [f"As if random: {finding}." for finding in findings] + advice(held, rotations)
    return Network(
        Architecture(layers), *_pooled(held), tuple(widths), flow.features or 0, flow.positions,
        tuple(one.scale for one in held), tuple(notes),
    )  # fmt: skip


def _flattened_late(layers: list[arch.Layer]) -> tuple[arch.Layer, ...]:
    """The same network with Flatten behind what takes units as one: those of one position alone are alike.

    >>> [type(one).__name__ for one in _flattened_late([arch.Convolution(3), arch.Flatten(), arch.Act.of("relu")])]
    ['Convolution', 'Act', 'Flatten']
    """
    for first in range(len(layers) - 1, 0, -1):
        at = first
        while (
            at + 1 < len(layers)
            and isinstance(layers[at], arch.Flatten)
            and isinstance(layers[at + 1], arch.Act | arch.Dropout | arch.LayerNorm)
        ):
            layers[at], layers[at + 1] = layers[at + 1], layers[at]
            at += 1
    return tuple(layers)


def _refusal(problems: list[str]) -> ModuleError:
    listed = f" {known()}" if any("not known to the theory" in problem for problem in problems) else ""
    return ModuleError(f"{'. '.join(problems)}.{listed}")


def _not_noise(findings: list[str]) -> str:
    return (
        "Argument `module` must hold weights that are centred, independent noise, as initialisations draw it, but "
        f"{'; '.join(findings[:3])}{'; ...' if len(findings) > 3 else ''} (for predictions of noise of the same scales "
        'pass weights="as_if_random")'
    )


def _pooled(held: list[Weights]) -> tuple[float, float, float]:
    """sigma_w and sigma_b over hidden layers, and the relative standard error of sigma_w."""
    hidden = held[:-1] or held
    count = np.array([one.matrices[-1][1].size for one in hidden], float)
    share = count / count.sum()
    sigma_w = np.array([one.sigma_w for one in hidden])
    estimated = np.array([one.scale.sigma_w_error > 0 for one in hidden])
    pooled = math.sqrt(float(share @ sigma_w**2))
    error = math.sqrt(float(estimated @ (count * sigma_w**4)) / (2 * count.sum() ** 2)) / pooled**2
    return pooled, math.sqrt(float(np.mean([one.sigma_b**2 for one in hidden]))), error


def _too_narrow(widths: list[int]) -> list[str]:
    inverse = sum(1.0 / width for width in widths)
    if inverse <= NARROWEST:
        return []
    return [
        f"Argument `module` must be wide for its depth, but its hidden widths are {widths}: the sum of 1/width is "
        f"{inverse:.2g}, so that its kernels fluctuate by that order (the narrowest layer has {min(widths)} units); "
        "widen the layers until the sum is well below 1/4"
    ]
