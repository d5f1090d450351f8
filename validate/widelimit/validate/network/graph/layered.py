"""A module's operations as layers of `theory.architecture`, whose kernels follow: what `from_torch` reads by.

`layered(found, declared)` goes through the program of a module that was opened, operation by operation; readers stand
in `operations`, by torch's names. What has no reader is refused by its name; all refusals stand in one message.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from widelimit.numerics.results import by_value
from widelimit.theory import architecture as arch
from widelimit.theory.errors import WidelimitError
from widelimit.validate.network.graph import operations
from widelimit.validate.network.graph.blocks import parts
from widelimit.validate.network.graph.programs import Program, Step, refs
from widelimit.validate.network.graph.readers import Reader, Reading, Value
from widelimit.validate.network.graph.reading import WEIGHTED, Opened, names_of
from widelimit.validate.network.graph.walking import LIKE
from widelimit.validate.network.registry import Unknown
from widelimit.validate.network.walk import ModuleError
from widelimit.validate.network.weights import Declared, Weights


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
    refused: list[tuple[int, list[str]]] = []
    for last in dict.fromkeys((False, tensors[0].ndim > 2)):
        declared = Declared(*settings)
        reading, done, problems = _read(found, found.program, declared, last)
        if done is not None:
            return done, declared
        refused.append((len(reading.values), problems))
    _, furthest = max(refused, key=lambda pair: pair[0])
    raise ModuleError(". ".join(dict.fromkeys(furthest)) + ".")


def _read(
    found: Opened, program: Program, declared: Declared, units_last: bool
) -> tuple[Reading, Layered | None, list[str]]:
    """What was read with the units of inputs on their last axis or the second, or what is in the way."""
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
        if not keys & reading.values.keys() or step.op in LIKE:
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
        return reading, None, problems or ["What comes out of the module does not come from the example"]
    return reading, *_finished(reading, reading.values[program.output], units_last, features, sizes)


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
    live = _made_of(reading, output.node, -1)
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
        live = _made_of(reading, end.node, start.node)
        if live and -1 not in live:
            return _between(reading, start.node, live)
    return None


def _made_of(reading: Reading, end: int, start: int) -> set[int]:
    """Layers that `end` is made of, itself included, behind `start`; -1 too where the input goes past that."""
    wanted, found = [end], set[int]()
    while wanted:
        one = wanted.pop()
        if one != start and one not in found:
            found.add(one)
            wanted += reading.inputs[one] if one >= 0 else ()
    return found


def _between(reading: Reading, start: int, live: set[int]) -> arch.Architecture:
    order = sorted(live)
    number = {start: -1, **{old: new for new, old in enumerate(order)}}
    inputs = tuple(tuple(number[one] for one in reading.inputs[old]) for old in order)
    return arch.Architecture(tuple(reading.layers[old] for old in order), inputs)


def _width(layer: arch.Layer) -> int:
    return int(getattr(layer, "width", 0) or 0)
