"""Dense layers and convolutions."""

from __future__ import annotations

import torch
from torch import nn

from widelimit.theory import architecture as arch
from widelimit.validate.network.kinds.tensors import scales, tensors
from widelimit.validate.network.parts import UNSET, Weighted
from widelimit.validate.network.registry import Drawing, Flow, Kind, Read, Space, named, refuse, register
from widelimit.validate.network.walk import Place
from widelimit.validate.network.weights import Declared


def drawn(
    layer: arch.Dense | arch.Convolution, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    """Draw weights and biases."""
    out, shape = outputs or layer.width or drawing.width, space.shape
    if isinstance(layer, arch.Convolution):
        shape = layer.behind(shape)
        out = space.channels if layer.depthwise else out
    return Weighted(out, space.channels, layer, drawing.ntk, drawing.draw), Space(out, shape)


def with_weights(
    layer: arch.Dense | arch.Convolution, weight: torch.Tensor, bias: torch.Tensor | None
) -> Weighted:
    """widelimit's own layer with given weights."""
    own = Weighted(len(weight), weight.shape[1], layer, False, UNSET)
    own.weight = nn.Parameter(weight, requires_grad=False)
    own.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
    return own


def _rebuilt(one: Read, place: Place) -> nn.Module:
    assert isinstance(one.layer, arch.Dense | arch.Convolution)
    return with_weights(one.layer, place.layer.weight, place.layer.bias)


def _linear(place: Place, declared: Declared, flow: Flow) -> Read:
    layer = place.layer
    weight, bias = tensors(place, 2)
    if flow.spatial:
        raise refuse(
            place, "it reads the last axis of images or signals; put Flatten or AdaptiveAvgPool before it"
        )
    if flow.ones:
        raise refuse(place, "it reads the axis of length 1 that pooling leaves behind; put Flatten before it")
    flow.take(place, layer.weight.shape[1])
    flow.units = layer.weight.shape[0]
    weights = scales(place, weight, bias, declared)
    trained = (layer.weight.requires_grad, bias is None or layer.bias.requires_grad)
    return Read(place, arch.Dense(weights.sigma_w, weights.sigma_b, weight.shape[0], *trained), weights)


register(
    Kind(
        arch.Dense,
        torch=(nn.Linear,),
        listed="Linear",
        read=_linear,
        drawn=drawn,
        rebuilt=_rebuilt,
        spatial=lambda module: 0,
        example=((arch.Dense(1.5, 0.3), arch.Act.of("tanh"), arch.Dense(1.5, 0.3)), (6,)),
    )
)


def _convolution(place: Place, declared: Declared, flow: Flow) -> Read:
    layer = place.layer
    sizes, dimensions = set(layer.kernel_size), len(layer.kernel_size)
    size = layer.kernel_size[0]
    if len(sizes) != 1 or size % 2 == 0:
        raise refuse(place, f"kernel size {layer.kernel_size} is not one odd number")
    for setting, plain in (("stride", 1), ("dilation", 1)):
        if set(getattr(layer, setting)) != {plain}:
            raise refuse(place, f"{setting} {getattr(layer, setting)} is not {plain}")
    if layer.groups != 1:
        raise refuse(place, f"groups {layer.groups} is not 1")
    if (
        layer.padding != "same"
        and not (layer.padding == "valid" and size == 1)
        and set(layer.padding) != {size // 2}
    ):
        raise refuse(place, f"padding {layer.padding} does not keep the size")
    if layer.padding_mode not in ("zeros", "circular"):
        raise refuse(place, f"padding mode {layer.padding_mode!r}")
    weight, bias = tensors(place, 2 + dimensions)
    if tuple(layer.weight.shape[2:]) != tuple(layer.kernel_size):
        raise refuse(
            place, f"its weight has the shape {tuple(layer.weight.shape)}, not that of its kernel size"
        )
    if flow.spatial != dimensions or flow.flattened:
        raise refuse(
            place,
            f"it needs {dimensions} dimension(s) of positions, which {named(flow.source)} does not give",
        )
    flow.take(place, layer.weight.shape[1], "channels")
    flow.units = layer.weight.shape[0]
    weights = scales(place, weight, bias, declared)
    trained = (layer.weight.requires_grad, bias is None or layer.bias.requires_grad)
    return Read(
        place,
        arch.Convolution(
            size,
            weights.sigma_w,
            weights.sigma_b,
            dimensions,
            layer.padding_mode,
            layer.weight.shape[0],
            *trained,
        ),
        weights,
    )


register(
    Kind(
        arch.Convolution,
        torch=(nn.Conv1d, nn.Conv2d),
        listed="Conv1d, Conv2d",
        read=_convolution,
        drawn=drawn,
        rebuilt=_rebuilt,
        spatial=lambda module: len(module.kernel_size),
        example=((arch.Convolution(3, 1.5, 0.3), arch.Act.of("tanh"), arch.Flatten()), (2, 5)),
    )
)
