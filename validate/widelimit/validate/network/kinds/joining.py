"""Sums of branches, and units side by side: read operation by operation alone."""

from __future__ import annotations

from torch import nn

from widelimit.theory import architecture as arch
from widelimit.validate.network.parts import Beside, Sum
from widelimit.validate.network.registry import Drawing, Kind, Space, by_example, never, register


def _drawn_sum(
    layer: arch.Add, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    return Sum(), space


_DENSE, _TANH = arch.Dense(1.5, 0.3), arch.Act.of("tanh")
register(
    Kind(  # a projection beside a branch, then a shortcut
        arch.Add,
        torch=(),
        listed="",
        read=by_example,
        drawn=_drawn_sum,
        rebuilt=never,
        example=(
            (_DENSE, _TANH, _DENSE, arch.Dense(0.8), arch.Add(), _TANH, _DENSE, arch.Add(), _TANH),
            (6,),
        ),
        inputs=((-1,), (0,), (1,), (1,), (2, 3), (4,), (5,), (4, 6), (7,)),
    )
)


def _drawn_beside(
    layer: arch.Concatenate, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    return Beside(), space


register(
    Kind(  # what goes in beside what a layer makes of it, as in dense nets
        arch.Concatenate,
        torch=(),
        listed="",
        read=by_example,
        drawn=_drawn_beside,
        rebuilt=never,
        example=((_DENSE, _TANH, _DENSE, _TANH, arch.Concatenate(), _DENSE, _TANH), (6,)),
        inputs=((-1,), (0,), (1,), (2,), (1, 3), (4,), (5,)),
    )
)
