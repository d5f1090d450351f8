"""Layers that end positions: flattening and pooling."""

from __future__ import annotations

from torch import nn

from widelimit.theory import architecture as arch
from widelimit.validate.network.parts import Pool, Windows
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
from widelimit.validate.network.walk import Place
from widelimit.validate.network.weights import Declared


def _flatten(place: Place, declared: Declared, flow: Flow) -> Read:
    layer = place.layer
    if (layer.start_dim, layer.end_dim) != (1, -1):
        raise refuse(place, f"from {layer.start_dim} to {layer.end_dim}, not everything behind the batch")
    flow.flattened = flow.flattened or (flow.spatial > 0 and flow.units is not None)
    flow.spatial = flow.ones = 0
    return Read(place, arch.Flatten())


def _drawn_flatten(
    layer: arch.Flatten, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    return nn.Flatten(), Space(space.channels * space.positions)


def _rebuilt_flatten(one: Read, place: Place) -> nn.Module:
    return nn.Flatten()


_CONVOLUTION = arch.Convolution(3, 1.5, 0.3, dimensions=2, padding="zeros")
register(
    Kind(
        arch.Flatten,
        torch=(nn.Flatten,),
        listed="Flatten",
        read=_flatten,
        drawn=_drawn_flatten,
        rebuilt=_rebuilt_flatten,
        spatial=lambda module: 0,
        example=((_CONVOLUTION, arch.Act.of("relu"), arch.Flatten()), (2, 4, 3)),
    )
)


def _pool(place: Place, declared: Declared, flow: Flow) -> Read:
    if place.layer.output_size not in (1, (1,), (1, 1), [1], [1, 1]):
        raise refuse(place, "only with output size 1, the average over all positions")
    dimensions = 1 if place.kind is nn.AdaptiveAvgPool1d else 2
    if flow.spatial != dimensions:
        raise refuse(
            place, f"it averages over {dimensions} dimension(s) of positions, and finds {flow.spatial}"
        )
    flow.spatial, flow.ones = 0, dimensions
    return Read(place, arch.GlobalAveragePool())


def _drawn_pool(
    layer: arch.GlobalAveragePool, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    return Pool(), Space(space.channels)


def _drawn_windows(
    layer: arch.AveragePool | arch.MaxPool, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    made = Windows(layer)
    return made, Space(space.channels, made.windows.behind(space.shape))


def _rebuilt_pool(one: Read, place: Place) -> nn.Module:
    return Pool()


register(
    Kind(
        arch.GlobalAveragePool,
        torch=(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
        listed="AdaptiveAvgPool",
        read=_pool,
        drawn=_drawn_pool,
        rebuilt=_rebuilt_pool,
        example=((_CONVOLUTION, arch.Act.of("relu"), arch.GlobalAveragePool()), (2, 4, 3)),
    )
)


register(
    Kind(
        arch.AveragePool,
        torch=(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
        listed="",
        read=by_example,
        drawn=_drawn_windows,
        rebuilt=never,
        example=(
            (
                arch.Convolution(3, 1.5, 0.3, dimensions=2, padding="zeros", stride=(2, 1), pad=1),
                arch.Act.of("relu"),
                arch.AveragePool(2, 1, 1, dimensions=2, counts_pads=False),
                arch.Convolution(2, 1.5, 0.3, dimensions=2, padding="zeros", dilation=(1, 2), pad=(1, 0)),
                arch.Act.of("tanh"),
                arch.AveragePool(dimensions=2, outputs=(2, 1)),
                arch.Flatten(),
            ),
            (2, 5, 4),
        ),
    )
)


register(
    Kind(
        arch.MaxPool,
        torch=(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
        listed="",
        read=by_example,
        drawn=_drawn_windows,
        rebuilt=never,
        example=(
            (
                arch.Convolution(3, 1.5, 0.3, dimensions=2, padding="zeros"),
                arch.Act.of("tanh"),
                arch.MaxPool(3, 2, 1, dimensions=2),
                arch.Act.of("relu"),
                arch.Convolution(2, 1.5, 0.3, dimensions=2, padding="zeros", pad=(1, 0)),
                arch.MaxPool(dimensions=2, outputs=(2, 1)),
                arch.Flatten(),
            ),
            (2, 5, 4),
        ),
    )
)
