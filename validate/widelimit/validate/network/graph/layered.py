"""A module's operations as layers of `theory.architecture`, whose kernels follow: what `from_torch` reads by.

`layered(found, declared)` goes through the program of a module that was opened, operation by operation; readers stand
in `operations`, by torch's names. Each takes a `Value` (number of a layer, and how its units lie in the tensor) and
gives one. What has no reader is refused by its name; all refusals stand in one message.
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
from widelimit.theory.errors import WidelimitError
from widelimit.validate.network.graph.blocks import parts
from widelimit.validate.network.graph.programs import Program, Ref, Step, refs
from widelimit.validate.network.graph.reading import WEIGHTED, Opened, names_of
from widelimit.validate.network.graph.states import State
from widelimit.validate.network.kinds.tensors import scales
from widelimit.validate.network.registry import Unknown
from widelimit.validate.network.walk import ModuleError, Place
from widelimit.validate.network.weights import Declared, Weights


@by_value
@dataclass(frozen=True)
class Value:
    """What comes out of a layer.

    `node`: its number, -1 for the input. `axes`: what each axis of the tensor holds, "n" inputs, "c" units, "p"
    positions, "1" nothing, "f" units of all positions in a row, which `Flatten` makes of them where that matters.
    `positions`: their numbers, `width`: units at each; `gaussian`: whether an activation may follow; `origins`: with
    whose signs the units change theirs; `pad`: padding that the convolution behind takes up, by its mode.
    """

    node: int
    axes: tuple[str, ...]
    positions: tuple[int, ...]
    width: int
    gaussian: bool
    origins: arch.Origins
    pad: tuple[str, tuple[int, ...]] | None = None


@by_value
@dataclass(frozen=True)
class Layered:
    """What was read: the architecture, what its layers hold, and how inputs come.

    `units_last`: whether units are the last axis of inputs, not the second; `widths`: of hidden layers with weights;
    `block`: the last of its repeated parts, None for none.
    """

    architecture: arch.Architecture
    held: tuple[Weights, ...]
    widths: tuple[int, ...]
    features: int
    positions: int | None
    units_last: bool
    block: arch.Architecture | None = None


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
        out = self.add(layer, *parts, width=sum(widths), gaussian=False)
        self.joined[out.node] = parts
        return out

    def value(self, step: Step, place: int = 0) -> Value:
        """The value of an argument; a padding in front of what is no convolution is refused."""
        given = step.args[place] if place < len(step.args) else None
        if not isinstance(given, Ref) or given.key not in self.values:
            raise self.no(step, "it reads something that does not come from the example")
        found = self.values[given.key]
        if found.pad is not None and not step.op.startswith("conv"):
            raise self.no(step, "a padding stands in front of it, and no convolution")
        return found

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

    def state(self, step: Step) -> State | None:
        """What the walk of second moments knows of what comes out."""
        known = self.found.walk.known.get(step.key) if self.found.walk else None
        return known if isinstance(known, State) else None

    def no(self, step: Step, why: str) -> Unknown:
        """What a reader raises that does not know an operation."""
        kind = type(self.layer(step)).__name__ if step.module else step.op
        return Unknown(f"Layer '{self.names[step.key]}' ({kind}) is not known to the theory: {why}")


def layered(found: Opened, settings: tuple[Any, Any]) -> tuple[Layered, Declared]:
    """Read a module that was opened; `settings` are sigma_w and sigma_b as users declare them.

    Raises `ModuleError`, which names every layer that is in the way.
    """
    if found.program is None:
        raise ModuleError(
            f"Argument `module` must be one that torch can export, but: {found.why}. `report` measures its layers."
        )
    tensors = found.example
    if len(found.program.inputs) != 1 or not tensors[0].is_floating_point() or tensors[0].ndim < 2:
        raise ModuleError(
            "Argument `module` must take one tensor of floating-point numbers, inputs along its first axis, for its "
            "kernels to be derived; `report` takes any."
        )
    first: list[str] = []
    for last in dict.fromkeys((False, tensors[0].ndim > 2)):
        declared = Declared(*settings)
        done, problems = _read(found, found.program, declared, last)
        if done is not None:
            return done, declared
        first = first or problems
    raise ModuleError(". ".join(dict.fromkeys(first)) + ".")


def _read(
    found: Opened, program: Program, declared: Declared, units_last: bool
) -> tuple[Layered | None, list[str]]:
    """What was read with the units of inputs on their last axis or the second, or what is in the way."""
    from widelimit.validate.network.graph import operations

    names = {**{step.key: step.key for step in program.steps}, **names_of(list(program.steps))}
    reading, problems = Reading(found, program, declared, names), []
    example = found.example[0]
    axes = ["n", *["p"] * (example.ndim - 1)]
    axes[-1 if units_last else 1] = "c"
    sizes = tuple(n for n, axis in zip(example.shape, axes, strict=True) if axis == "p")
    features = example.shape[-1 if units_last else 1]
    reading.values[program.inputs[0]] = Value(-1, tuple(axes), sizes, features, False, arch.Origins())
    lost: set[str] = set()
    for step in program.steps:
        keys = set(refs((step.args, step.kwargs)))
        if keys & lost:
            lost.add(step.key)
            continue
        if not keys & reading.values.keys():
            continue
        try:
            reading.values[step.key] = _one(reading, step, operations.READERS)
        except Unknown as refusal:
            problems.append(str(refusal))
            lost.add(step.key)
        except WidelimitError as refusal:  # a layer of theory that cannot be
            problems.append(str(reading.no(step, _lower(str(refusal)))))
            lost.add(step.key)
    if program.output not in reading.values:
        return None, problems or ["What comes out of the module does not come from the example"]
    return _finished(reading, reading.values[program.output], units_last, features, sizes)


def _one(reading: Reading, step: Step, readers: dict[str, Reader]) -> Value:
    walk = reading.found.walk
    if step.op.startswith("in place") or (walk is not None and walk.changed):
        raise reading.no(step, "a tensor is changed in place; write it without")
    if step.op not in readers:
        raise reading.no(
            step, "there is no rule for its kernels; `report` derives or measures its second moments"
        )
    return readers[step.op](reading, step)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _finished(
    reading: Reading, output: Value, units_last: bool, features: int, sizes: tuple[int, ...]
) -> tuple[Layered | None, list[str]]:
    """The layers that the output is made of, renumbered."""
    output = reading.flat(output)
    if output.positions:
        where = f"its output has positions {output.positions}"
        return None, [f"Argument `module` must pool or flatten positions, but {where}"]
    if output.node < 0:
        return None, ["The module has no layer between its input and its output"]
    wanted, live = [output.node], set()
    while wanted:
        one = wanted.pop()
        if one >= 0 and one not in live:
            live.add(one)
            wanted += reading.inputs[one]
    order, architecture = sorted(live), _between(reading, -1, live)
    if architecture.pools and reading.by_position:
        return None, reading.by_position
    held = tuple(reading.held[old] for old in order if old in reading.held)
    if not held:
        return None, ["The module has no dense or convolution layer: there is nothing random in it"]
    widths = [_width(reading.layers[old]) for old in order if old in reading.held and old != output.node]
    if all(
        isinstance(one, arch.Flatten)
        for one, reads in zip(architecture.layers, architecture.feeds, strict=True)
        if -1 in reads
    ):
        features, sizes = features * math.prod(sizes), ()
    fixed = math.prod(sizes) if reading.flattened or reading.by_position else None
    return Layered(
        architecture, held, tuple(widths), features, fixed if sizes else None, units_last, _block(reading)
    ), []


def _block(reading: Reading) -> arch.Architecture | None:
    """The last of the repeated parts of a module, as layers from what goes in to what comes out."""
    for part in reversed(parts(reading.program, reading.found.copy, WEIGHTED)):
        start, end = reading.values.get(part.start), reading.values.get(part.end)
        if start is None or end is None or start.width != end.width:
            continue
        wanted, live = [end.node], set()
        while wanted:
            one = wanted.pop()
            if one != start.node and one not in live:
                live.add(one)
                wanted += reading.inputs[one] if one >= 0 else ()
        if live and -1 not in live:
            return _between(reading, start.node, live)
    return None


def _between(reading: Reading, start: int, live: set[int]) -> arch.Architecture:
    order = sorted(live)
    number = {start: -1, **{old: new for new, old in enumerate(order)}}
    inputs = tuple(tuple(number[one] for one in reading.inputs[old]) for old in order)
    return arch.Architecture(tuple(reading.layers[old] for old in order), inputs)


def _width(layer: arch.Layer) -> int:
    return int(getattr(layer, "width", 0) or 0)


def alike(values: Sequence[int]) -> Any:
    """One number for equal ones.

    >>> alike([3, 3]), alike([3, 1])
    (3, (3, 1))
    """
    found = tuple(int(one) for one in values)
    return found[0] if len(set(found)) == 1 else found
