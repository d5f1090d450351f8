"""Masks of a module at a compression by five methods; weights are left as they are."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from widelimit.numerics import arguments
from widelimit.numerics.pruning import schedule
from widelimit.theory.errors import ArgumentError, ConservationWarning
from widelimit.validate.harness.copies import copied
from widelimit.validate.pruning.flow import Scaled, SynapticFlow
from widelimit.validate.pruning.masks import (
    Pruned,
    best,
    by_layer,
    in_a_row,
    masks_of,
    parted,
    pruned,
    wanted,
)
from widelimit.validate.pruning.tracing import layers

Loss = Callable[[Any, Any], Tensor]


def synflow(
    module: nn.Module,
    compression: float,
    *,
    iterations: int = 100,
    input_shape: Sequence[int],
    kind: str = "exponential",
) -> Pruned:
    """Return masks by synaptic flow: scores abs(w) dR/dabs(w), R = 1' f(1), renewed after each of many rounds.

    R is of the module with the sizes of its weights, without biases and shifts, batch normalisation as a gain by its
    running variance (tanaka2020pruning, algorithm 1). Every layer has the same sum of scores, so that with enough
    rounds no layer is emptied before all have one weight, whatever the compression. No data are needed. Works at any
    depth in float32: values carry exponents of their own.

    Args:
        module: any that torch.fx can trace, with linear or convolutional layers.
        compression: N / N_kept, from 1 to N / L.
        iterations: rounds; 1 empties layers far below N / L.
        input_shape: of one input, without the batch.
        kind: of the schedule, exponential or linear.

    Raises `ArgumentError` for a compression out of range, a module that cannot be traced or has nothing to prune, an
    input shape that it does not take, or a flow that is not finite (naming the operation). Warns
    (`ConservationWarning`) of operations that are not homogeneous: the law of conservation fails there.

    >>> net = nn.Sequential(nn.Linear(10, 40), nn.ReLU(), nn.Linear(40, 7))
    >>> found = synflow(net, 340, input_shape=(10,))
    >>> found.kept, found.collapsed, found.reached
    ({'0.weight': 1, '2.weight': 1}, False, 340.0)
    """
    found = layers(module)
    last = wanted(module, compression)
    shares = schedule(float(compression), iterations=iterations, kind=kind)
    ones = _ones(input_shape, next(iter(found.values())).weight)
    sizes = {name: layer.weight.detach().abs().to(ones.dtype) for name, layer in found.items()}
    graph = SynapticFlow(module, sizes)
    total, ties = sum(size.numel() for size in sizes.values()), 0
    places = np.arange(total)
    for share in shares:
        values = in_a_row(_scores(graph, ones)[0])
        kept = max(last, math.ceil(total * float(share) * (1 - 1e-12)))
        places, dropped = parted(values, places, kept)
        ties = int(np.count_nonzero(values[places] == 0))
        for name, part in by_layer(dropped, sizes).items():
            graph.drop(name, part)
    _, flow = _scores(graph, ones)
    said = tuple(f"{name} ({kind}) is not homogeneous" for name, kind in graph.inhomogeneous.items())
    if said:
        warnings.warn(
            f"Flow is not conserved: {'; '.join(said)}. Masks are made all the same.",
            ConservationWarning,
            stacklevel=2,
        )
    log = math.log(float(flow.value)) + flow.exponent * math.log(2) if float(flow.value) > 0 else -math.inf
    size = math.exp(log) if log < 709 else math.inf
    return pruned(masks_of(places, sizes), flow=size, log_flow=log, ties=ties, warnings=said)


def _scores(graph: SynapticFlow, ones: Tensor) -> tuple[dict[str, Tensor], Scaled]:
    try:
        return graph.scores(ones)
    except (RuntimeError, TypeError) as error:
        said = str(error).split("\n")[0][:120]
        raise ArgumentError(
            "input_shape",
            "must be the shape of one input of the module",
            tuple(ones.shape[1:]),
            f"It says: {said}",
        ) from None


def _ones(shape: Sequence[int], like: Tensor) -> Tensor:
    sides = (shape,) if isinstance(shape, int) else shape
    if isinstance(sides, str) or not isinstance(sides, Sequence):
        raise ArgumentError("input_shape", "must be a list of whole numbers", shape, "Such as (3, 32, 32).")
    whole = [arguments.count("input_shape", one) for one in sides]
    precise = like.dtype if like.dtype in (torch.float32, torch.float64) else torch.float32
    return torch.ones((1, *whole), dtype=precise, device=like.device)


def magnitude(module: nn.Module, compression: float) -> Pruned:
    """Return masks of the weights of largest size, over all layers.

    Raises `ArgumentError` for a compression outside 1 to N / L, or a module without layers to prune.

    >>> net = nn.Linear(2, 2)
    >>> _ = net.weight.data.copy_(torch.tensor([[1.0, -3.0], [2.0, 0.5]]))
    >>> magnitude(net, 2).masks["weight"].tolist()
    [[False, True], [True, False]]
    """
    found = layers(module)
    scores = {name: layer.weight.detach().abs().float() for name, layer in found.items()}
    return _once(scores, wanted(module, compression))


def random(module: nn.Module, compression: float, *, seed: int = 0) -> Pruned:
    """Return masks of weights chosen at random from all layers, each as likely as any other.

    Raises `ArgumentError` for a compression outside 1 to N / L, or a module without layers to prune.

    >>> random(nn.Linear(4, 4), 4, seed=1).kept
    {'weight': 4}
    """
    found = layers(module)
    draws = np.random.default_rng(arguments.count("seed", seed, least=0))
    scores = {
        name: torch.from_numpy(1 + draws.random(tuple(layer.weight.shape))) for name, layer in found.items()
    }
    return _once(scores, wanted(module, compression))


def snip(
    module: nn.Module, compression: float, x: Any, y: Any, *, loss: Loss = nn.functional.cross_entropy
) -> Pruned:
    """Return masks by the sensitivity abs(w dL/dw) of the loss to each weight (lee2019snip), in one shot.

    Args:
        module: called as ``module(x)``.
        compression: N / N_kept, from 1 to N / L.
        x: a batch of inputs.
        y: what the loss takes as its second argument.
        loss: of outputs and y, a number.

    Raises `ArgumentError` for a compression out of range, a module without layers to prune, or a loss that is no finite
    number.
    """
    own, weights = _copy(module)
    value = _loss(own, x, y, loss)
    parts = torch.autograd.grad(value, list(weights.values()), allow_unused=True)
    return _once(_products(weights, parts, absolute=True), wanted(module, compression))


def grasp(
    module: nn.Module,
    compression: float,
    x: Any,
    y: Any,
    *,
    loss: Loss = nn.functional.cross_entropy,
    temperature: float = 200.0,
) -> Pruned:
    """Return masks that preserve the gradient's norm: weights of least -w (H g) are kept (wang2020grasp), in one shot.

    H is the Hessian of the loss of outputs over `temperature`, g its gradient. Arguments and errors as `snip`.
    """
    hot = arguments.positive_number("temperature", temperature)
    own, weights = _copy(module)
    value = _loss(own, x, y, lambda out, target: loss(out / hot, target))
    first = torch.autograd.grad(value, list(weights.values()), create_graph=True, allow_unused=True)
    known = [one for one in first if one is not None and one.requires_grad]
    if not known:
        raise ArgumentError("loss", "must depend on the weights twice", but="has no second derivative")
    along = torch.stack([(one.detach() * one).sum() for one in known]).sum()
    parts = torch.autograd.grad(along, list(weights.values()), allow_unused=True)
    return _once(_products(weights, parts, absolute=False), wanted(module, compression))


def _once(scores: dict[str, Tensor], kept: int) -> Pruned:
    masks, ties = best(scores, kept)
    return pruned(masks, ties=ties)


def _copy(module: nn.Module) -> tuple[nn.Module, dict[str, Tensor]]:
    """A copy whose gradients and running statistics are its own, and its weights."""
    layers(module)
    own = copied(module)
    for parameter in own.parameters():
        parameter.requires_grad_(True)
    return own, {name: layer.weight for name, layer in layers(own).items()}


def _loss(module: nn.Module, x: Any, y: Any, loss: Loss) -> Tensor:
    value = loss(module(x), y)
    if not isinstance(value, Tensor) or value.numel() != 1 or not bool(torch.isfinite(value.detach())):
        raise ArgumentError("loss", "must be a finite number", value)
    return value.reshape(())


def _products(
    weights: dict[str, Tensor], parts: Sequence[Tensor | None], *, absolute: bool
) -> dict[str, Tensor]:
    found = {}
    for (name, weight), part in zip(weights.items(), parts, strict=True):
        product = torch.zeros_like(weight) if part is None else part * weight.detach()
        if not bool(torch.isfinite(product).all()):
            raise ArgumentError("module", "must have finite gradients", but=f"has none in {name}")
        found[name] = product.detach().abs() if absolute else product.detach()
    return found
