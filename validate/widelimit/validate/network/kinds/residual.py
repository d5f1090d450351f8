"""Shortcuts around a branch."""

from __future__ import annotations

from torch import nn

from widelimit.theory import architecture as arch
from widelimit.validate.network.parts import Shortcut
from widelimit.validate.network.registry import (
    KINDS,
    Drawing,
    Flow,
    Kind,
    Read,
    Space,
    named,
    read_all,
    refuse,
    register,
)
from widelimit.validate.network.walk import Place
from widelimit.validate.network.weights import Declared


def _shortcut(place: Place, declared: Declared, flow: Flow) -> Read:
    before, source = flow.units, flow.source
    spatial, problems = flow.spatial, len(flow.problems)
    branch = read_all(place.branch, declared, flow)
    if len(flow.problems) > problems or not place.branch:
        if not place.branch:
            raise refuse(place, "its branch holds no layer that theory knows")
        return Read(place, None, None, tuple(branch))
    if before is None and source is None:
        before = flow.features
    if before is not None and (flow.units != before or flow.spatial != spatial or flow.flattened):
        flow.misfit(place, f"adds a branch that gives {flow.units} units to the {before} of {named(source)}")
    layers = tuple(one.layer for one in branch if one.layer is not None)
    flow.source = place
    return Read(place, arch.Residual(layers), None, tuple(branch))


def _drawn(
    layer: arch.Residual, space: Space, drawing: Drawing, outputs: int | None
) -> tuple[nn.Module, Space]:
    return Shortcut(drawing.all(layer.branch, space, space.channels)), space


def _rebuilt(one: Read, place: Place) -> nn.Module:
    inner = [
        KINDS[type(each.layer)].rebuilt(each, at)
        for each, at in zip(one.branch, place.branch, strict=True)
        if each.layer is not None
    ]
    return Shortcut(nn.Sequential(*inner))


_BRANCH = (arch.Act.of("tanh"), arch.Dense(1.5, 0.3))
register(
    Kind(
        arch.Residual,
        torch=(Shortcut,),
        listed="",
        read=_shortcut,
        drawn=_drawn,
        rebuilt=_rebuilt,
        example=((arch.Dense(1.5, 0.3), arch.Residual(_BRANCH), arch.Act.of("tanh")), (6,)),
    )
)
