"""The limit of infinite width beside the Jacobian and the Hessian of a finite module: dense layers in a row.

stages_of      a network that was read as dense layers with what stands behind each
moments_of     mean squares of inputs, a few for many
jacobian_limit   eigenvalues that the limit's law puts where the module has its own
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from widelimit.numerics.spectra.stacks import DenseStage, jacobian_law
from widelimit.theory import architecture as arch
from widelimit.theory.errors import DomainError

if TYPE_CHECKING:
    from widelimit.validate.network.result import Network

Array = np.ndarray
MOST_LAWS = 16
_SAME = 1e-9  # relative difference of mean squares that are one
_ORTHOGONAL = 1e-3  # cosine between rows of an orthogonal matrix in single precision


def stages_of(what: str, network: Network, model: nn.Module) -> tuple[DenseStage, ...]:
    """Return the layers of a network of dense ones, behind one another.

    Raises `DomainError` that names `what` for other layers, for an activation of inputs or of activations.
    """
    stages: list[DenseStage] = []
    fan_in = network.features
    names, modules = [one.layer for one in network.scales], dict(model.named_modules())
    behind = ""  # what the next activation would stand behind
    for layer in network.architecture:
        if isinstance(layer, arch.Dense):
            read = modules.get(
                names[len(stages)], model
            )  # a module that is a layer has the name of its class
            width = int(layer.width or 0)
            stages.append(
                DenseStage(
                    layer.sigma_w, layer.sigma_b, fan_in, width, None, _rotates(getattr(read, "weight", None)),
                    layer.trained_w, layer.trained_b and getattr(read, "bias", None) is not None,
                )
            )  # fmt: skip
            fan_in, behind = width, "weights"
        elif isinstance(layer, arch.Act) and behind == "weights":
            last = stages[-1]
            stages[-1] = DenseStage(
                last.sigma_w, last.sigma_b, last.fan_in, last.fan_out, layer.activation, last.orthogonal,
                last.weights, last.biases,
            )  # fmt: skip
            behind = layer.activation.name
        elif not isinstance(layer, arch.Flatten):
            kind = type(layer).__name__
            place = f"an activation behind {behind or 'the inputs'}" if isinstance(layer, arch.Act) else kind
            raise DomainError(
                f"No limit of the {what} is known here for networks with {place}: it is for dense layers in a row, "
                "each with an activation or none."
            )
    return tuple(stages)


def _rotates(weight: torch.Tensor | None) -> bool:
    """Whether rows, or columns where those are fewer, are orthogonal and of one length."""
    if weight is None or weight.dim() != 2 or min(weight.shape) < 2:
        return False
    short = weight if weight.shape[0] <= weight.shape[1] else weight.T
    gram = (short @ short.T).detach().double()
    size = gram.diagonal().mean()
    return bool(size > 0 and ((gram / size - torch.eye(len(gram))).abs() < _ORTHOGONAL).all())


def moments_of(inputs: torch.Tensor) -> Array:
    """Return the mean square of the components of each input, of more than 16 different ones group means.

    Groups are of equal size in order of the mean square; a law depends smoothly on it.
    """
    each = (inputs.flatten(1) ** 2).mean(1).numpy()
    order = np.argsort(each, kind="stable")
    kept = np.empty_like(each)
    starts = np.flatnonzero(np.diff(each[order], prepend=-1.0) > _SAME * each[order])
    groups = (
        np.split(order, starts[1:])
        if starts.size <= MOST_LAWS
        else np.array_split(order, min(MOST_LAWS, order.size))
    )
    for group in groups:
        kept[group] = each[group].mean()
    return kept


def jacobian_limit(stages: Sequence[DenseStage], moments: Array, outputs: int) -> tuple[Array, float, float]:
    """Return the eigenvalues of J'J that the limit puts in the places of the module's own, their mean, the upper edge.

    For each input the quantiles of its law at the middles of as many equal shares as J has singular values, all inputs
    together in decreasing order. mean: of the law, exactly.
    """
    size = stages[0].fan_in
    count = min(size, outputs)
    chances = 1 - (np.arange(count) + 0.5) / size
    values: list[Array] = []
    mean, largest = 0.0, 0.0
    for moment, times in zip(*np.unique(moments, return_counts=True), strict=True):
        law = jacobian_law(stages, float(moment))
        values.append(np.repeat(np.asarray(law.quantile(chances)), times))
        mean += times * law.mean * size / count / len(moments)
        largest = max(largest, law.largest)
    return np.sort(np.concatenate(values))[::-1], mean, largest
