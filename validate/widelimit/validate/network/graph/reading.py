"""`read`: a module becomes a `Graph`, operation by operation, each derived by a rule or measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.copies import copied
from widelimit.validate.harness.text import told
from widelimit.validate.network.graph import rules
from widelimit.validate.network.graph.hooks import Hooked, hooked
from widelimit.validate.network.graph.programs import Program, Step, export, refs, untouched
from widelimit.validate.network.graph.records import Graph, Node, Softmax
from widelimit.validate.network.graph.states import Axes, Samples, State
from widelimit.validate.network.graph.tensors import finite, mean_square
from widelimit.validate.network.graph.walking import (
    Mask,
    Parameter,
    Special,
    Unknown,
    Walk,
    moments_of,
    roles,
)
from widelimit.validate.network.graph.weights import Numbers, numbers, pooled

assert rules.RULES
_VIEWS = """
view reshape flatten unflatten squeeze unsqueeze permute transpose t movedim contiguous clone detach to alias split
split_with_sizes chunk unbind getitem select slice expand expand_as _to_copy repeat_interleave type_as swapaxes mT
_unsafe_view view_as_real view_as_complex
"""
VIEWS = frozenset(_VIEWS.split())
WEIGHTED = frozenset({
    "linear", "addmm", "mm", "matmul", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "embedding",
})  # fmt: skip


@by_value
@dataclass(frozen=True)
class Opened:
    """A module that was opened: its copy's numbers, the program, the example, the walk with the numbers as they are."""

    program: Program | None
    numbers: Numbers
    example: list[torch.Tensor]
    copy: nn.Module
    walk: Walk | None
    hooked: Hooked | None
    why: str
    notes: tuple[str, ...]


def read(module: nn.Module, *example: Any) -> Graph:
    """Read any torch module on an example of its inputs, as it is initialised, in the mode in which it is.

    Operations are found by ``torch.export``, not decomposed; a module that cannot be exported (a branch on a tensor's
    value) is seen through hooks on its layers, and all of them are measured. The module itself, its tensors, modes,
    hooks and the state of all random numbers stay as they are. Raises `ArgumentError` for no module, no example,
    an example that the module does not run on, or that is zero, not finite or complex, and for modules without
    parameters, on several devices, or with lazy ones.

    >>> from torch import nn
    >>> graph = read(nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 1)), torch.randn(3, 8))
    >>> [(node.name, node.op, node.rule) for node in graph.nodes]
    [('0', 'linear', 'derived'), ('1', 'tanh', 'derived'), ('2', 'linear', 'derived')]
    >>> graph.coverage
    1.0
    """
    return graph_of(opened(module, example))


def opened(module: Any, example: tuple[Any, ...]) -> Opened:
    """Check a request, copy the module and walk through it once."""
    check_module(module)
    check_example(example)
    copy = copied(module)
    args = tuple(one.detach().clone() if isinstance(one, torch.Tensor) else one for one in example)
    found = numbers(copy)
    notes = _tried(copied(module), args, found)
    program, why = export(copied(copy, numbers=False), args)
    tensors = list(_tensors(args))
    if program is None:
        return Opened(None, found, tensors, copy, None, hooked(copied(module), args), why, notes)
    notes = (*notes, *_outputs(program))
    states, seen = [dict(found.state)], _Once(program, found, tensors)
    walk = Walk(program, pooled(states, found), tensors, seen, found.copies, Samples(256), quick=True)
    with untouched(), torch.no_grad():
        walk.go()
    if walk.changed:
        step = next(one for one in program.steps if one.key == walk.changed)
        op = step.op.removeprefix("in place: ")
        notes = (
            *notes,
            f"{step.module or 'The module'} changes a tensor in place ({op}); what follows is measured.",
        )
    return Opened(program, found, tensors, copy, walk, None, "", notes)


class _Once:
    """Moments of tensors in one run, made when they are first asked for."""

    def __init__(self, program: Program, found: Numbers, example: list[torch.Tensor]) -> None:
        self._program, self._found, self._example = program, found, example
        self._held: dict[str, Any] | None = None

    def __call__(self, key: str, axes: Axes) -> tuple[np.ndarray, np.ndarray]:
        if self._held is None:
            state = self._program.fresh(self._found.state)
            with untouched(), torch.no_grad():
                torch.manual_seed(0)
                self._held = self._program.run(state, self._example)
        gram, mean = moments_of(self._held[key].cpu(), axes)
        if not np.isfinite(gram).all():
            gram, mean = (
                np.nan_to_num(gram, posinf=0.0, neginf=0.0),
                np.nan_to_num(mean, posinf=0.0, neginf=0.0),
            )
        return gram, mean


def check_module(module: Any) -> None:
    """Raise `ArgumentError` for what is no module with numbers that can be read."""
    if not isinstance(module, nn.Module):
        raise ArgumentError("module", "must be a torch module", but=f"is a {type(module).__name__}")
    for name, one in module.named_modules():
        if isinstance(one, torch.jit.ScriptModule):
            raise ArgumentError(
                "module", "must be the module itself", but=f"is compiled, in {name or type(one).__name__!r}",
                help="Pass what it was scripted or traced from.",
            )  # fmt: skip
        if isinstance(one, LazyModuleMixin) and one.has_uninitialized_params():  # type: ignore[misc]
            raise ArgumentError(
                "module", "must have all its weights", but=f"has a lazy layer {name or type(one).__name__!r}",
                help="Run it once on data.",
            )  # fmt: skip
    tensors = [*module.named_parameters(), *module.named_buffers()]
    if not list(module.parameters()):
        raise ArgumentError("module", "must have parameters", but="has none")
    for name, value in tensors:
        if value.is_meta:
            raise ArgumentError("module", "must hold numbers", but=f"has {name} on the meta device")
        if value.is_complex() or value.is_quantized or value.layout is not torch.strided:
            raise ArgumentError(
                "module", "must hold real numbers in dense tensors", but=f"has {name} of {value.dtype}"
            )
        if isinstance(value, nn.Parameter) and not value.is_floating_point():
            raise ArgumentError(
                "module", "must have weights of floating-point numbers", but=f"has {name} of {value.dtype}"
            )
        if value.is_floating_point() and isinstance(value, nn.Parameter) and not finite(value):
            raise ArgumentError(
                "module", "must hold finite numbers", but=f"has {name} with numbers that are not"
            )
    devices = {str(value.device) for _, value in tensors}
    if devices != {"cpu"}:
        raise ArgumentError(
            "module",
            "must be on the CPU",
            but=f"is on {', '.join(sorted(devices))}",
            help="Call module.cpu().",
        )


def _tensors(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _tensors(one)


def check_example(example: tuple[Any, ...]) -> None:
    """Raise `ArgumentError` for an example that says nothing about a network."""
    tensors = list(_tensors(example))
    if not tensors:
        help = "Pass what the module is called with, as in read(module, torch.randn(2, 16))."
        raise ArgumentError("example", "must hold a tensor", but="holds none", help=help)
    for one in tensors:
        if one.device.type != "cpu" or one.is_meta:
            raise ArgumentError(
                "example", "must be on the module's device, the CPU", but=f"is on {one.device}"
            )
        if one.is_complex() or one.is_quantized or one.layout is not torch.strided:
            raise ArgumentError("example", "must hold real numbers", but=f"holds {one.dtype}")
        if one.numel() == 0:
            raise ArgumentError("example", "must hold numbers", but=f"has the shape {tuple(one.shape)}")
        if one.is_floating_point() and not finite(one):
            raise ArgumentError("example", "must hold finite numbers", but="holds some that are not")
    floats = [one for one in tensors if one.is_floating_point()]
    if floats and not any(bool(one.any()) for one in floats) and len(floats) == len(tensors):
        raise ArgumentError("example", "must not be zero", but="holds zeros alone")


def _alike(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    """Whether two runs gave the same, but for rounding."""
    pairs = zip(first, (one for one in second if one.numel()), strict=False)
    return all(
        one.shape == two.shape and torch.allclose(one.double(), two.double(), rtol=1e-3, equal_nan=True)
        for one, two in pairs
    )


def _tried(copy: nn.Module, args: tuple[Any, ...], before: Numbers) -> tuple[str, ...]:
    """Run a copy twice: an `ArgumentError` if it fails, or gives no floating tensor, or numbers that are not finite."""
    first: list[str] = []

    def look(name: str) -> Any:
        def hook(_module: Any, _inputs: Any, out: Any) -> None:
            bad = [one for one in _tensors(out) if one.is_floating_point() and bool(torch.isnan(one).any())]
            if bad and not first:
                first.append(name)

        return hook

    for name, one in copy.named_modules():
        if name and not list(one.children()):
            one.register_forward_hook(look(name))
    with untouched(), torch.no_grad():
        torch.manual_seed(0)
        try:
            out = copy(*args)
            torch.manual_seed(0)
            again = copy(*args)
        except Exception as error:  # the user's own forward
            raise ArgumentError(
                "example", "must be what the module runs on", but=f"it raises {told(error)}"
            ) from None
    found = [one for one in _tensors(out) if one.is_floating_point() and one.numel()]
    if not found:
        given = ", ".join(sorted({str(one.dtype) for one in _tensors(out)})) or type(out).__name__
        raise ArgumentError("module", "must give a tensor of floating-point numbers", but=f"gives {given}")
    if bool(torch.isnan(found[0]).any()):
        where = f"first in layer {first[0]!r}" if first else "in its output"
        raise ArgumentError("module", "must give finite numbers on the example", but=f"gives nan, {where}")
    notes = []
    held = before.state
    changed = [
        name for name, value in copy.named_parameters() if name in held and not torch.equal(held[name], value)
    ]
    if changed:
        notes.append(
            f"The module changes its own parameters when it runs ({changed[0]}); draws start from the numbers before."
        )
    if not changed and not _alike(found, [one for one in _tensors(again) if one.is_floating_point()]):
        notes.append(
            "The module changes its own state when it runs: a second run gives other numbers; a run of it was read."
        )
    if not isinstance(out, torch.Tensor):
        notes.append(
            f"The module gives a {type(out).__name__}; its first floating tensor, {tuple(found[0].shape)}, is taken."
        )
    return tuple(notes)


def _outputs(program: Program) -> tuple[str, ...]:
    return (
        () if not program.extra else (f"{program.extra} more tensor(s) come out, which are not looked at.",)
    )


def axes_of(opened: Opened) -> dict[str, Axes]:
    """Which axes are units and which positions, of every operation that a report has a line for."""
    walk = opened.walk
    assert walk is not None and opened.program is not None
    out: dict[str, Axes] = {}
    for step in opened.program.steps:
        value = walk.known.get(step.key)
        if step.shape is None or not step.floating or isinstance(value, torch.Tensor | Parameter | Mask):
            continue
        if isinstance(value, State):
            out[step.key] = value.axes
        elif isinstance(value, Special | Unknown):
            assumed = roles(step.shape, [])
            if assumed is not None:
                out[step.key] = assumed
    return out


def listed(opened: Opened) -> list[Step]:
    """The operations that have a line: all on random tensors that are no mere views."""
    assert opened.program is not None and opened.walk is not None
    axes = axes_of(opened)
    ops = {step.key: step for step in opened.program.steps}
    used = {one for step in opened.program.steps for one in refs((step.args, step.kwargs))} | {
        opened.program.output
    }
    out = []
    for step in opened.program.steps:
        if step.key not in axes:
            continue
        if step.op == "getitem" and step.key in opened.walk.refused and step.key in used:
            before = ops[next(refs(step.args))]
            if before.shape is None and before.op not in VIEWS:  # one of several tensors, as of an LSTM
                out.append(replace(step, op=before.op))
        elif not _is_view(step):
            out.append(step)
    return out


def _is_view(step: Step) -> bool:
    return (
        step.op in VIEWS
        or (step.op == "dropout" and (step.args[1] == 0 or not step.args[2]))
        or step.op == "slice"
    )


def names_of(steps: list[Step]) -> dict[str, str]:
    """A name for every operation: the module's where it is the only one in a leaf, else module: operation."""
    count: dict[str, int] = {}
    for step in steps:
        count[step.module] = count.get(step.module, 0) + 1
    out: dict[str, str] = {}
    used: dict[str, int] = {}
    for step in steps:
        alone = count[step.module] == 1 and step.module and step.kind.lower() not in ("module",)
        name = step.module if alone else f"{step.module}: {step.op}" if step.module else step.op
        used[name] = used.get(name, 0) + 1
        out[step.key] = name if used[name] == 1 else f"{name} {used[name]}"
    return out


def graph_of(found: Opened) -> Graph:
    """The graph of a module that was opened."""
    copies, alike = _copied_layers(found.numbers)
    notes = list(found.notes)
    if copies:
        which = ", ".join(" = ".join(group) for group in copies[:3])
        notes.append(f"Layers start equal, as copies do ({which}): draws treat them as one. Redraw them.")
    if alike:
        which = " = ".join(alike[0])
        more = f", and {len(alike) - 1} more" if len(alike) > 1 else ""
        notes.append(f"Tensors start equal in layers that differ ({which}{more}), as parts of copies do.")
    if found.numbers.trained:
        name, what = found.numbers.trained[0]
        more = f" and {len(found.numbers.trained) - 1} more" if len(found.numbers.trained) > 1 else ""
        notes.append(
            f"Weights are no independent noise ({name} {what}{more}); predictions treat them as if random."
        )
    if found.program is None or found.walk is None:
        assert found.hooked is not None
        notes.append(
            f"The module cannot be exported ({found.why}); its layers are seen through hooks and measured."
        )
        return Graph(
            found.hooked.nodes, _shared(found, {}), copies, found.numbers.trained, tuple(notes), "hooks", None
        )
    steps = listed(found)
    names = names_of(steps)
    seen = _seen_through(found, {step.key for step in steps})
    nodes = tuple(_node(found, step, names[step.key], seen) for step in steps)
    return Graph(
        nodes, _shared(found, names), copies, found.numbers.trained, tuple(notes), "export", found.program
    )


def _seen_through(found: Opened, listed_: set[str]) -> dict[str, tuple[str, ...]]:
    """The operations with a line that a tensor is a view of, by key: itself, if it has one."""
    assert found.program is not None
    out: dict[str, tuple[str, ...]] = {}
    for step in found.program.steps:
        inputs = (one for key in refs((step.args, step.kwargs)) for one in out.get(key, (key,)))
        out[step.key] = (step.key,) if step.key in listed_ else tuple(dict.fromkeys(inputs))
    return out


def _node(found: Opened, step: Step, name: str, seen: dict[str, tuple[str, ...]]) -> Node:
    walk, program = found.walk, found.program
    assert walk is not None and program is not None
    done = walk.done.get(step.key)
    why = walk.refused.get(step.key, done.why if done is not None else "")
    read_ = (one for key in refs((step.args, step.kwargs)) for one in seen.get(key, (key,)))
    inputs = tuple(dict.fromkeys(one for one in read_ if isinstance(walk.known.get(one), State | Special)))
    weight, bias = _weights(step, program) if step.op in WEIGHTED else ("", "")
    return Node(
        name, step.op, "derived" if step.key in walk.done else "measured", why, step.key, inputs, step.shape or (),
        step.module, step.kind, weight, bias, *_scales(found, step, weight, bias),
        activation="" if done is None else done.activation, softmax=_softmax(walk, step, seen),
    )  # fmt: skip


def _softmax(walk: Walk, step: Step, seen: dict[str, tuple[str, ...]]) -> Softmax | None:
    """Logits of attention, their queries and keys by the operations that have a line."""
    found = walk.softmaxes.get(step.key)
    if found is None:
        return None
    queries, keys = (next(iter(seen.get(one, ())), one) for one in (found.queries, found.keys))
    return replace(found, queries=queries, keys=keys)


def _weights(step: Step, program: Program) -> tuple[str, str]:
    names = [program.tensors[one] for one in refs(step.args) if one in program.tensors]
    return (names[0], names[1] if len(names) > 1 else "") if names else ("", "")


def _scales(found: Opened, step: Step, weight: str, bias: str) -> tuple[float, float]:
    if not weight:
        return math.nan, math.nan
    value = found.numbers.state[weight]
    transposed = step.op.startswith("conv_transpose")
    fan_in = value[:, 0].numel() if transposed else value[0].numel() if value.ndim > 1 else 1
    if step.op in ("matmul", "mm", "addmm"):
        fan_in = value.shape[0]
    square = mean_square(value) * (1 if step.op == "embedding" else fan_in)
    biases = mean_square(found.numbers.state[bias]) if bias else 0.0
    return math.sqrt(square), math.sqrt(biases)


def _copied_layers(found: Numbers) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """Names of layers that are copies of one another, the largest parts of which all random tensors are equal; and of
    tensors that are equal in layers that are no copies.
    """
    same = {name: group for group in found.equal for name in group}
    random = found.noise | {name for name, _ in found.trained}
    layers: dict[tuple[str, ...], None] = {}
    alone: list[tuple[str, ...]] = []
    for group in found.equal:
        parts = [name.split(".") for name in group]
        shared = 0
        while all(len(one) > shared + 1 for one in parts) and len({one[-1 - shared] for one in parts}) == 1:
            shared += 1
        ends = range(shared, 0, -1)
        candidates = (tuple(".".join(one[: len(one) - end]) for one in parts) for end in ends)
        whole = next((one for one in candidates if _whole(one, same, random)), None)
        if whole is None:
            alone.append(group)
        else:
            layers[whole] = None
    return tuple(layers), tuple(alone)


def _whole(
    layers: tuple[str, ...], same: dict[str, tuple[str, ...]], random: frozenset[str] | set[str]
) -> bool:
    """Whether layers have the same random tensors."""
    first, *others = ({name[len(one) :] for name in random if name.startswith(f"{one}.")} for one in layers)
    return all(one == first for one in others) and all(
        {f"{layer}{name}" for layer in layers} <= set(same.get(f"{layers[0]}{name}", ())) for name in first
    )


def _shared(found: Opened, names: dict[str, str]) -> tuple[tuple[str, ...], ...]:
    uses: dict[str, list[str]] = {}
    for step in found.program.steps if found.program is not None else ():
        if step.key in names:
            for one in refs(step.args):
                if one in found.program.tensors and found.program.tensors[one] in found.numbers.noise:  # type: ignore[union-attr]
                    uses.setdefault(found.program.tensors[one], []).append(names[step.key])  # type: ignore[union-attr]
    twice = tuple((weight, *places) for weight, places in uses.items() if len(places) > 1)
    return (*found.numbers.shared, *twice)
