"""What readers of layers with weights share: tensors as numbers, or a refusal."""

from __future__ import annotations

from typing import Any

import numpy as np

from widelimit.validate.network.registry import Unknown, refuse
from widelimit.validate.network.walk import Place, tensor_problem
from widelimit.validate.network.weights import Declared, Weights, numbers, scaled


def tensors(place: Place, dimensions: int) -> tuple[Any, Any]:
    """Weight as (fan-out, fan-in) and bias of a layer, in double precision; refused where they cannot be read."""
    layer = place.layer
    for name in ("weight", "bias"):
        if problem := tensor_problem(layer, name):
            raise refuse(place, problem)
    if layer.weight.dim() != dimensions or (
        layer.bias is not None and layer.bias.shape != layer.weight.shape[:1]
    ):
        raise refuse(place, f"its weight has the shape {tuple(layer.weight.shape)}")
    weight = finite(place, "weight")
    return weight.reshape(len(weight), -1), None if layer.bias is None else finite(place, "bias")


def scales(place: Place, weight: np.ndarray, bias: np.ndarray | None, declared: Declared) -> Weights:
    """Scales of a layer's weights, refused where they are zero and none are declared."""
    if not weight.any() and not declared.next_is_declared:
        raise refuse(
            place, "its weight holds zero alone: there is no scale to read off; draw it, or declare `sigma_w`"
        )
    return scaled(place, weight, bias, declared)


def finite(place: Place, name: str) -> np.ndarray:
    """The numbers of a parameter, refused if one of them is none."""
    values = numbers(place.layer._parameters[name])
    for bad, what in ((np.isnan(values), "NaN"), (np.isinf(values), "inf")):
        if bad.any():
            raise Unknown(
                f"Argument `module` must hold finite numbers, but layer {place.name}: {name} holds {what} "
                f"({int(bad.sum())} of {bad.size})"
            )
    return values
