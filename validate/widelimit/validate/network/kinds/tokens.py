"""Layers whose positions are tokens: attention, which is not read from torch as one layer."""

from __future__ import annotations

from torch import nn

from widelimit.theory import architecture as arch
from widelimit.validate.network.parts import SelfAttention, Weighted
from widelimit.validate.network.registry import Drawing, Kind, Space, by_example, never, register


def _drawn(
    layer: arch.Attention, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    width = layer.width or drawing.width
    out = outputs or width
    head = max(one for one in range(1, width + 1) if width % one == 0 and one * one <= 2 * width)
    scales = (layer.sigma_qk, 1.0, 1.0, layer.sigma_vo)
    sizes = ((width, space.channels),) * 3 + ((out, width),)
    weights = [
        Weighted(
            to, of, arch.Dense(scale, 0.0, None, layer.trained, layer.trained), drawing.ntk, drawing.draw
        )
        for scale, (to, of) in zip(scales, sizes, strict=True)
    ]
    return SelfAttention(layer, weights, head), Space(out, space.shape)


register(
    Kind(
        arch.Attention,
        torch=(),
        listed="",
        read=by_example,
        drawn=_drawn,
        rebuilt=never,
        example=(
            (
                arch.Convolution(1, 1.2, 0.3),
                arch.Act.of("tanh"),
                arch.Attention(1.5, 1.1, causal=True),
                arch.Convolution(1, 1.2, 0.3),
                arch.GlobalAveragePool(),
            ),
            (2, 4),
        ),
    )
)
