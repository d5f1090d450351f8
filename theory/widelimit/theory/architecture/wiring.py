"""Which layers of a network read which, and whether the kernels of those that are added add.

Units change their signs with the weights of mean zero that come last before them (`Origins.signs`). A sum of two has
the sum of their kernels where such weights of one have no part in the other: changing their signs keeps the law of the
network and turns products of the two, and of their derivatives, around.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from widelimit.theory.errors import ArgumentError, DomainError


class Wired(Protocol):
    """What of a layer matters here."""

    weighted: bool
    joins: bool
    adds: bool

    @property
    def odd(self) -> bool:
        """Whether signs go through."""


@dataclass(frozen=True)
class Origins:
    """`signs`: layers of weights with whose signs all units change theirs; `reads`: all that they are made of."""

    signs: frozenset[int] = frozenset()
    reads: frozenset[int] = frozenset()


def origins(layer: Wired, place: int, below: Sequence[Origins]) -> Origins:
    """Of the units behind a layer, which stands at `place` and reads units of the origins `below`."""
    reads = frozenset().union(*(one.reads for one in below))
    if layer.weighted:
        return Origins(frozenset((place,)), reads | {place})
    signs = frozenset.intersection(*(one.signs for one in below)) if layer.odd else frozenset()
    return Origins(signs, reads if layer.odd else reads | {place})


def apart(one: Origins, two: Origins) -> bool:
    """Whether the sum of two has the sum of their kernels.

    >>> stream, branch = Origins(frozenset((0,)), frozenset((0,))), Origins(frozenset((2,)), frozenset((0, 2)))
    >>> apart(stream, branch), apart(stream, Origins(frozenset(), frozenset((0, 1))))
    (True, False)
    """
    return bool(one.signs - two.reads or two.signs - one.reads)


def chained(count: int) -> tuple[tuple[int, ...], ...]:
    """What layers read that stand one behind the other.

    >>> chained(3)
    ((-1,), (0,), (1,))
    """
    return tuple((place - 1,) for place in range(count))


def wired(layers: Sequence[Wired], inputs: object) -> tuple[tuple[int, ...], ...] | None:
    """What each layer reads, checked; None for layers one behind the other."""
    feeds = chained(len(layers)) if inputs is None else _numbers(len(layers), inputs)
    held: dict[int, Origins] = {-1: Origins()}
    for place, (layer, reads) in enumerate(zip(layers, feeds, strict=True)):
        name = f"Layer {place} ({type(layer).__name__})"
        if layer.joins != (len(reads) > 1):
            how = "two or more layers" if layer.joins else "one layer"
            raise ArgumentError(
                "inputs", f"must let {name} read {how}", but=f"let it read {', '.join(map(str, reads))}"
            )
        below = [held[one] for one in reads]
        if layer.adds:
            for second in range(1, len(below)):
                if not all(apart(one, below[second]) for one in below[:second]):
                    raise DomainError(
                        f"{name} adds layers {', '.join(map(str, reads))}, which are correlated: their kernels do not "
                        "add. All but one must end with weights of their own, behind which no activation stands."
                    )
        held[place] = origins(layer, place, below)
    return None if feeds == chained(len(layers)) else feeds


def _numbers(count: int, inputs: object) -> tuple[tuple[int, ...], ...]:
    """A tuple of numbers for each layer, all of layers before it."""
    if not isinstance(inputs, tuple | list) or len(inputs) != count:
        raise ArgumentError("inputs", f"must hold a tuple of numbers for each of {count} layers", inputs)
    for place, reads in enumerate(inputs):
        if not isinstance(reads, tuple | list) or not reads:
            raise ArgumentError("inputs", "must hold a tuple of numbers for each layer", reads)
        for one in reads:
            if isinstance(one, bool) or not isinstance(one, int) or not -1 <= one < place:
                raise ArgumentError(
                    "inputs", f"must let layer {place} read layers from -1 to {place - 1}", one
                )
    return tuple(tuple(reads) for reads in inputs)
