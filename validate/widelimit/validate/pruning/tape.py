"""The run of a graph on scaled values, kept: the same operations on plain tensors, with constants between them.

Exponents of two do not change from round to round while the weights of each layer are lowered by a power of their own,
so that they are worked out once. What is left of a round is the module's own work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor, fx

from widelimit.validate.pruning.nested import leaves, mapped

_Values = dict[fx.Node, Any]


class Tape:
    """Operations in their order. `exponents`: of the values that come out, one for each tensor of numbers."""

    def __init__(self) -> None:
        self._steps: list[tuple[fx.Node, Callable[[_Values], Any]]] = []
        self.exponents: list[int | None] = []

    def note(
        self, node: fx.Node, function: Callable[..., Any], factors: Mapping[fx.Node, Any] | None = None
    ) -> None:
        """Add an operation; `factors`: by which its inputs are multiplied, wherever they stand."""
        readers = [_reader(one, factors or {}) for one in node.args]
        named = {name: _reader(one, factors or {}) for name, one in node.kwargs.items()}

        def step(values: _Values) -> Any:
            return function(
                *[read(values) for read in readers], **{name: read(values) for name, read in named.items()}
            )

        self._steps.append((node, step))

    def play(self, x: Tensor) -> list[Any]:
        """Return what comes out for an input, with the constants and the weights of now."""
        values: _Values = {}
        found = None
        for node, step in self._steps:
            found = values[node] = x if node.op == "placeholder" and not values else step(values)
        return leaves(found)


def _reader(argument: Any, factors: Mapping[fx.Node, Any]) -> Callable[[_Values], Any]:
    """How an argument is made of the values at hand."""
    if not isinstance(argument, fx.Node):
        inside: list[fx.Node] = []
        fx.node.map_arg(argument, inside.append)
        if not inside:
            return constant(argument)
        readers = {one: _reader(one, factors) for one in inside}
        return lambda values: fx.node.map_arg(argument, lambda one: readers[one](values))
    if argument in factors:
        return lambda values: mapped(_times, values[argument], factors[argument])
    return lambda values: values[argument]


def _times(value: Any, factor: float | None) -> Any:
    return value if factor is None or factor == 1 else value * factor


def constant(value: Any) -> Callable[..., Any]:
    """Return a function of anything that returns this."""
    return partial(_first, value)


def _first(value: Any, *_: Any, **__: Any) -> Any:
    return value
