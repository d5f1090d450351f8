"""Activations, and dropout."""

from __future__ import annotations

import math

from torch import nn

from widelimit.theory import architecture as arch
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import WidelimitError
from widelimit.validate.network.parts import Pointwise
from widelimit.validate.network.registry import Drawing, Flow, Kind, Read, Space, reads, refuse, register
from widelimit.validate.network.walk import Place, tensor_problem
from widelimit.validate.network.weights import Declared

POINTWISE: tuple[type[nn.Module], ...] = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.Softsign, nn.Tanhshrink,
    nn.Mish, nn.SELU, nn.GELU, nn.ELU, nn.CELU, nn.Softplus, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.LogSigmoid,
    nn.Softshrink, nn.Hardshrink, nn.Threshold,
)  # fmt: skip
DROPPING: tuple[type[nn.Module], ...] = (
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout,
)  # fmt: skip


def _nothing(place: Place, declared: Declared, flow: Flow) -> Read:
    return Read(place, None)


reads(nn.Identity, _nothing)


def _act(place: Place, declared: Declared, flow: Flow) -> Read:
    return Read(place, arch.Act(_activation(place)))


def _activation(place: Place) -> Activation:
    """What a pointwise module does to a unit, by the catalogue that all doors share."""
    layer, kind = place.layer, place.kind
    if kind is nn.PReLU:
        if problem := tensor_problem(layer, "weight"):
            raise refuse(place, problem)
        if layer.weight.requires_grad:
            raise refuse(
                place, "its slope is trained, which adds a term of its own to the tangent kernel; freeze it"
            )
        if layer.weight.numel() > 1:
            raise refuse(place, "it has a slope for every channel; write one slope as LeakyReLU")
    if kind is nn.Hardtanh and math.inf in (-layer.min_val, layer.max_val):
        text = "x" if layer.min_val == -math.inf else f"max(x, {float(layer.min_val)!r})"
        return Activation.of(text if layer.max_val == math.inf else f"min({text}, {float(layer.max_val)!r})")
    try:
        return Activation.of(layer)
    except WidelimitError as error:
        raise refuse(place, str(error).rstrip(".")) from None


def _drawn_act(
    layer: arch.Act, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    return Pointwise(layer.activation), space


def _rebuilt_act(one: Read, place: Place) -> nn.Module:
    assert isinstance(one.layer, arch.Act)
    return Pointwise(one.layer.activation)


register(
    Kind(
        arch.Act,
        torch=POINTWISE,
        listed="pointwise activations",
        read=_act,
        drawn=_drawn_act,
        rebuilt=_rebuilt_act,
        example=((arch.Dense(1.5, 0.3), arch.Act.of("gelu"), arch.Dense(1.2, 0.1)), (6,)),
    )
)


def _dropout(place: Place, declared: Declared, flow: Flow) -> Read:
    if not place.layer.training or place.layer.p == 0:
        return Read(place, None)
    if place.kind is not nn.Dropout:
        raise refuse(
            place, "it drops whole channels or shifts units; in evaluation, behind eval(), it does nothing"
        )
    if place.layer.p == 1.0:
        raise refuse(place, "it drops every unit")
    return Read(place, arch.Dropout(1.0 - place.layer.p))


def _drawn_dropout(
    layer: arch.Dropout, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    return nn.Dropout(1.0 - layer.keep), space


def _rebuilt_dropout(one: Read, place: Place) -> nn.Module:
    assert isinstance(one.layer, arch.Dropout)
    return nn.Dropout(1.0 - one.layer.keep)


register(
    Kind(
        arch.Dropout,
        torch=DROPPING,
        listed="Dropout",
        read=_dropout,
        drawn=_drawn_dropout,
        rebuilt=_rebuilt_dropout,
        example=(
            (
                arch.Dense(1.5, 0.3),
                arch.Act.of("tanh"),
                arch.Dropout(0.7),
                arch.Dense(1.5, 0.3),
                arch.Act.of("tanh"),
            ),
            (6,),
        ),
    )
)
