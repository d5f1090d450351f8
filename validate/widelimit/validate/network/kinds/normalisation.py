"""Normalisation over units, groups of channels, or the batch."""

from __future__ import annotations

import math

from torch import nn

from widelimit.theory import architecture as arch
from widelimit.validate.network.parts import Normalise, RootMeanSquare, Scaled
from widelimit.validate.network.registry import (
    Drawing,
    Flow,
    Kind,
    Read,
    Space,
    by_example,
    never,
    refuse,
    register,
)
from widelimit.validate.network.walk import Place, tensor_problem
from widelimit.validate.network.weights import Declared

SMALLEST_GROUP = 8  # channels of a group whose variance fluctuates by 2/8 = 1/4


def _normalisation(place: Place, declared: Declared, flow: Flow) -> Read:
    layer = place.layer
    affine = _affine(place)
    if place.kind is nn.LayerNorm:
        if len(layer.normalized_shape) != 1 + flow.spatial:
            raise refuse(
                place,
                f"over {layer.normalized_shape}, not over everything behind the batch, its statistics are "
                "those of a position",
            )
        if flow.ones:
            raise refuse(
                place, "it reads the axis of length 1 that pooling leaves behind; put Flatten before it"
            )
        flow.take(place, layer.normalized_shape[0], "units")
        if flow.spatial:
            _positions(place, tuple(layer.normalized_shape[1:]), flow)
        return Read(place, arch.LayerNorm(affine=affine))
    if place.kind is nn.GroupNorm:
        flow.take(place, layer.num_channels, "channels")
        group = layer.num_channels // layer.num_groups
        if group < SMALLEST_GROUP:
            raise refuse(
                place,
                f"statistics of groups of {group} channels fluctuate from group to group; they need "
                f"{SMALLEST_GROUP} at least",
            )
        return Read(place, arch.LayerNorm(affine=affine))
    if not layer.training and layer.running_mean is not None:
        raise refuse(place, "in evaluation it divides by running averages; call train() on the module")
    if (place.kind is nn.BatchNorm2d) != (flow.spatial + flow.ones == 2):
        raise refuse(place, f"it does not read units with {flow.spatial} dimension(s) of positions")
    flow.take(place, layer.num_features, "channels")
    return Read(place, arch.BatchNorm(affine=affine))


def _positions(place: Place, shape: tuple[int, ...], flow: Flow) -> None:
    """A normalisation over images says how large they are."""
    if flow.shape is not None and flow.shape != shape:
        flow.misfit(place, f"reads positions {shape}, but a normalisation before it reads {flow.shape}")
    flow.shape, flow.positions = shape, math.prod(shape)


def _affine(place: Place) -> bool:
    """Whether gain and shift are trained; they have to start as gain 1 and shift 0, as theory assumes."""
    layer, trained = place.layer, []
    for name, plain in (("weight", 1.0), ("bias", 0.0)):
        if problem := tensor_problem(layer, name):
            raise refuse(place, problem)
        value = layer._parameters.get(name)
        if value is not None and not bool((value.detach() == plain).all()):
            raise refuse(place, f"its {'gain is not 1' if plain else 'shift is not 0'} everywhere")
        trained.append(value is not None and value.requires_grad)
    if trained[0] != trained[1]:
        raise refuse(place, "of its gain and its shift one is trained alone; train or freeze both")
    return trained[0]


def _drawn_layer_norm(
    layer: arch.LayerNorm, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    return Normalise(False, space.channels, layer.affine, eps=layer.eps, each=layer.each), space


def _rebuilt_layer_norm(one: Read, place: Place) -> nn.Module:
    return Normalise(False, groups=getattr(place.layer, "num_groups", 1), eps=place.layer.eps)


register(
    Kind(
        arch.LayerNorm,
        torch=(nn.LayerNorm, nn.GroupNorm),
        listed="LayerNorm, GroupNorm",
        read=_normalisation,
        drawn=_drawn_layer_norm,
        rebuilt=_rebuilt_layer_norm,
        example=(
            (
                arch.Dense(1.5, 0.3),
                arch.LayerNorm(),
                arch.Act.of("relu"),
                arch.LayerNorm(True),
                arch.Dense(1.5, 0.3),
                arch.Act.of("relu"),
            ),
            (6,),
        ),
    )
)


def _drawn_batch_norm(
    layer: arch.BatchNorm, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    return Normalise(True, space.channels, layer.affine, eps=layer.eps), space


def _rebuilt_batch_norm(one: Read, place: Place) -> nn.Module:
    return Normalise(True, eps=place.layer.eps)


register(
    Kind(
        arch.BatchNorm,
        torch=(nn.BatchNorm1d, nn.BatchNorm2d),
        listed="BatchNorm1d, BatchNorm2d",
        read=_normalisation,
        drawn=_drawn_batch_norm,
        rebuilt=_rebuilt_batch_norm,
        example=((arch.Dense(1.0), arch.BatchNorm(), arch.Act.of("tanh")), (60,)),
    )
)


def _drawn_rms_norm(
    layer: arch.RMSNorm, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    return RootMeanSquare(space.channels, layer.affine, layer.eps), space


register(
    Kind(
        arch.RMSNorm,
        torch=(nn.RMSNorm,),
        listed="",
        read=by_example,
        drawn=_drawn_rms_norm,
        rebuilt=never,
        example=(
            (
                arch.Convolution(3, 1.5, 0.3),
                arch.RMSNorm(True),
                arch.Act.of("tanh"),
                arch.LayerNorm(True, each=True, eps=0.1),
                arch.Convolution(1, 1.5, 0.3),
                arch.RMSNorm(eps=0.2),
                arch.Act.of("relu"),
                arch.Flatten(),
            ),
            (2, 4),
        ),
    )
)


def _drawn_affine(
    layer: arch.Affine, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    return Scaled(space.channels, layer.factor, layer.trained), space


register(
    Kind(
        arch.Affine,
        torch=(),
        listed="",
        read=by_example,
        drawn=_drawn_affine,
        rebuilt=never,
        example=(
            (arch.Dense(1.5, 0.3), arch.Affine(-0.8, True), arch.Act.of("tanh"), arch.Affine(1.2)),
            (6,),
        ),
    )
)
