"""A module's layers read as layers of `widelimit.theory.architecture`, or refused by their names.

`read(places, declared)` follows the units from layer to layer, so that layers that do not fit each other are refused
here; each kind of layer has its reader in `kinds`. What it refuses it collects: one message says all that is in the
way.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from widelimit.validate.network.kinds import KINDS
from widelimit.validate.network.registry import Flow, Read, read_all, spatial_of
from widelimit.validate.network.walk import Place, flat, unknown
from widelimit.validate.network.weights import Declared

__all__ = ["KINDS", "Flow", "Read", "every", "gains_of_positions", "read"]


def read(places: list[Place], declared: Declared) -> tuple[list[Read], Flow]:
    """Read all layers; `Flow.problems` holds what is in the way."""
    spatial = spatial_of(flat(places))
    sizes = (getattr(place.layer, "kernel_size", 1) for place in flat(places))
    largest = max((one[0] if isinstance(one, tuple) else one for one in sizes), default=1)
    flow = Flow(spatial=spatial, dimensions=spatial, largest=largest)
    return read_all(places, declared, flow), flow


def gains_of_positions(found: list[Read]) -> list[str]:
    """Gains of ``nn.LayerNorm`` over images belong to a position; those that the kernels know are shared by all."""
    why = (
        "its gain of every position, in a network that pools; use elementwise_affine=False or GroupNorm, whose gains "
        "belong to channels"
    )
    return [
        unknown(one.place.name, one.place.layer, why)
        for one in every(found)
        if one.place.kind is nn.LayerNorm
        and len(one.place.layer.normalized_shape) > 1
        and one.place.layer.elementwise_affine
    ]


def every(found: list[Read] | tuple[Read, ...]) -> Iterator[Read]:
    """All layers that were read, those inside branches too."""
    for one in found:
        yield one
        yield from every(one.branch)
