"""What readers of operations share: the value that an operation takes and gives, and the module while it is read.

Readers stand in `operations`, by torch's names (`reads`); `layered` goes through a program with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from widelimit.numerics.results import by_value
from widelimit.theory import architecture as arch
from widelimit.validate.network.graph.programs import Program, Ref, Step
from widelimit.validate.network.graph.reading import Opened
from widelimit.validate.network.graph.states import State
from widelimit.validate.network.graph.walking import Mask
from widelimit.validate.network.kinds.tensors import scales
from widelimit.validate.network.registry import Unknown
from widelimit.validate.network.walk import Place
from widelimit.validate.network.weights import Declared, Weights


@by_value
@dataclass(frozen=True)
class Value:
    """What comes out of a layer.

    `node`: its number, -1 for the input. `axes`: what each axis of the tensor holds, "n" inputs, "c" units, "p"
    positions, "1" nothing, "f" units of all positions in a row, which `Flatten` makes of them where that matters.
    `positions`: their numbers, `width`: units at each; `gaussian`: whether an activation may follow; `origins`: with
    whose signs the units change theirs; `pad`: padding that the convolution behind takes up, by its mode; `law`:
    whether the law of units is known, from which those of activations and maxima are sampled.
    """

    node: int
    axes: tuple[str, ...]
    positions: tuple[int, ...]
    width: int
    gaussian: bool
    origins: arch.Origins
    pad: tuple[str, tuple[int, ...]] | None = None
    law: bool = False


Reader = Callable[["Reading", Step], Value]
READERS: dict[str, Reader] = {}


def reads(*names: str) -> Callable[[Reader], Reader]:
    """Make a function the reader of operations."""

    def register(function: Reader) -> Reader:
        READERS.update(dict.fromkeys(names, function))
        return function

    return register


@dataclass
class Reading:
    """A module while it is read; `values` by key of the step, `held` by number of the layer.

    `used`: layers by the weights that they use; `flattened`: whether positions are counted; `by_position`: refusals
    that hold where something pools; `joined`: what stands side by side in a layer.
    """

    found: Opened
    program: Program
    declared: Declared
    names: dict[str, str]
    layers: list[arch.Layer] = field(default_factory=list)
    inputs: list[tuple[int, ...]] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    held: dict[int, Weights] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)
    flattened: bool = False
    by_position: list[str] = field(default_factory=list)
    joined: dict[int, tuple[Value, ...]] = field(default_factory=dict)

    def add(self, layer: arch.Layer, *below: Value, **changes: Any) -> Value:
        """A layer behind others, as its value; `changes` of the first of them."""
        place = len(self.layers)
        self.layers.append(layer)
        self.inputs.append(tuple(one.node for one in below))
        origins = arch.origins(layer, place, [one.origins for one in below])
        return replace(below[0], node=place, origins=origins, **changes)

    def weighted(self, layer: arch.Layer, held: Weights, below: Value, **changes: Any) -> Value:
        """A layer of weights behind another, as its value."""
        out = self.add(layer, below, **{"law": changes.get("gaussian", False), **changes})
        self.held[out.node] = held
        return out

    def each(self, value: Value, make: Callable[[Value], Value]) -> Value:
        """What acts on units one by one, in front of the joint of units that stand side by side."""
        if value.node not in self.joined:
            return make(value)
        return self.beside([make(one) for one in self.joined[value.node]])

    def beside(self, values: list[Value]) -> Value:
        """Units side by side."""
        parts = tuple(one for value in values for one in self.joined.get(value.node, (value,)))
        widths = tuple(one.width for one in parts)
        layer = arch.Concatenate(None if len(set(widths)) == 1 else widths)
        out = self.add(layer, *parts, width=sum(widths), gaussian=False, law=False)
        self.joined[out.node] = parts
        return out

    def value(self, step: Step, place: int = 0) -> Value:
        """The value of an argument; a padding in front of what is no convolution is refused."""
        given = step.args[place] if place < len(step.args) else None
        if not isinstance(given, Ref) or given.key not in self.values:
            raise self.no(step, "it reads something that does not come from the example")
        found = self.values[given.key]
        return found if step.op.startswith("conv") else self.unpadded(step, found)

    def unpadded(self, step: Step, value: Value) -> Value:
        """A value; a padding in front of what is no convolution is refused."""
        if value.pad is not None:
            raise self.no(step, "a padding stands in front of it, and no convolution")
        return value

    def flat(self, value: Value) -> Value:
        """Units of all positions in a row as the units of one."""
        if "f" not in value.axes:
            return value
        self.flattened = True
        width = value.width * math.prod(value.positions)
        return self.add(arch.Flatten(), value, axes=("n", "c"), positions=(), width=width)

    def parameter(self, step: Step, given: Any) -> tuple[torch.Tensor, bool] | None:
        """A parameter's numbers, and whether it is trained; None where there is none."""
        if given is None:
            return None
        name = self.program.tensors.get(getattr(given, "key", ""))
        if name is None or name not in self.program.parameters:
            raise self.no(step, "its numbers are computed from others, and are no parameter")
        one = dict(self.found.copy.named_parameters(remove_duplicate=False))[name]
        return one.detach(), one.requires_grad

    def weights(self, step: Step, weight: Any, bias: Any) -> tuple[Weights, torch.Tensor, tuple[bool, bool]]:
        """What a layer of weights holds, its weight (fan-out first), and whether weights and biases are trained."""
        given, shift = self.parameter(step, weight), self.parameter(step, bias)
        if given is None:
            raise self.no(step, "it has no weights")
        name = self.program.tensors[weight.key]
        canonical = self.found.numbers.copies.get(name, name)
        if canonical in self.used:
            raise self.no(
                step,
                f"its weights are those of layer '{self.used[canonical]}' (tied, or copied): theory assumes that every "
                "layer has weights of its own",
            )
        self.used[canonical] = self.names[step.key]
        layer = self.layer(step)
        place = Place(self.names[step.key], layer, type(layer))
        matrix = given[0].double().reshape(len(given[0]), -1).numpy()
        vector = None if shift is None else shift[0].double().numpy()
        found = scales(place, matrix, vector, self.declared)
        return found, given[0], (given[1], shift is None or shift[1])

    def layer(self, step: Step) -> nn.Module:
        """The module that an operation stands in."""
        try:
            return self.found.copy.get_submodule(step.module)
        except AttributeError:
            return self.found.copy

    def number(self, given: Any) -> float | None:
        """A fixed number, None for what is none."""
        known = self.found.walk.known.get(given.key) if isinstance(given, Ref) and self.found.walk else given
        if isinstance(given, Ref) and given.key in self.program.tensors:
            return None
        if isinstance(known, torch.Tensor) and known.numel() == 1:
            known = known.item()
        if isinstance(known, bool) or not isinstance(known, int | float) or not math.isfinite(known):
            return None
        return float(known)

    def drawn(self, given: Any) -> bool:
        """Whether numbers are a mask that is drawn as the module runs."""
        walk = self.found.walk
        return isinstance(given, Ref) and walk is not None and isinstance(walk.known.get(given.key), Mask)

    def state(self, step: Step) -> State | None:
        """What the walk of second moments knows of what comes out."""
        known = self.found.walk.known.get(step.key) if self.found.walk else None
        return known if isinstance(known, State) else None

    def no(self, step: Step, why: str) -> Unknown:
        """What a reader raises that does not know an operation."""
        kind = type(self.layer(step)).__name__ if step.module else step.op
        return Unknown(f"Layer '{self.names[step.key]}' ({kind}) is not known to the theory: {why}")


def alike(values: Sequence[int]) -> Any:
    """One number for equal ones.

    >>> alike([3, 3]), alike([3, 1])
    (3, (3, 1))
    """
    found = tuple(int(one) for one in values)
    return found[0] if len(set(found)) == 1 else found
