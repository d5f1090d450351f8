"""Repeated parts of a network, its depth, and the depth scale that follows from the last of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import nn

from widelimit.numerics.results import by_value
from widelimit.validate.network.graph.programs import Program, Step, refs
from widelimit.validate.network.graph.records import NAN, Block, Layer, Node, Scale

NORMS = frozenset({"layer_norm", "rms_norm", "batch_norm", "group_norm", "instance_norm"})
_APART = 0.25  # what logarithms of factors a layer may differ by in two parts that are alike
_PASSED = frozenset(
    {"add", "view", "reshape", "dropout", "transpose", "permute", "contiguous", "clone", "flatten"}
)


@by_value
@dataclass(frozen=True)
class Part:
    """Steps of a repeated part: key of what goes in and of what comes out, how many have weights, and its form."""

    name: str
    start: str
    end: str
    weighted: int
    shortcut: bool
    normalised: Any


def depth_of(program: Program, weighted: frozenset[str]) -> int:
    """Layers with weights on the longest path to the output."""
    deep: dict[str, int] = {}
    for step in program.steps:
        before = max((deep.get(one, 0) for one in refs((step.args, step.kwargs))), default=0)
        deep[step.key] = before + (
            step.op in weighted
            and any(program.tensors.get(one) in program.parameters for one in refs((step.args, step.kwargs)))
        )
    return deep.get(program.output, 0)


def parts(program: Program, module: nn.Module, weighted: frozenset[str]) -> list[Part]:
    """Repeated parts: children of one class of a list or sequence, each with weights; else spans between weights."""
    found = _children(program, module, weighted)
    return found if len(found) > 1 else _spans(program, weighted)


def _children(program: Program, module: nn.Module, weighted: frozenset[str]) -> list[Part]:
    best: list[Part] = []
    for path, one in module.named_modules():
        if not isinstance(one, nn.ModuleList | nn.Sequential):
            continue
        kinds: dict[type, list[str]] = {}
        for name, child in one.named_children():
            if list(child.children()):
                kinds.setdefault(type(child), []).append(f"{path}.{name}" if path else name)
        for names in kinds.values():
            if len(names) > max(1, len(best)):
                held = [_part(program, name, weighted) for name in names]
                found = [part for part in held if part is not None]
                best = found if _in_a_row(program, found) else best
    return best


def _in_a_row(program: Program, parts: list[Part]) -> bool:
    """Whether each part reads what comes out of the one before, and not all of them the same, as experts do."""
    read = {step.key: list(refs((step.args, step.kwargs))) for step in program.steps}
    return all(_comes_from(two.start, one.end, read) for one, two in pairwise(parts))


def _comes_from(name: str, origin: str, read: dict[str, list[str]]) -> bool:
    """Whether a tensor is one that is given, or made from it; `read` says what each step reads."""
    waiting, seen = [name], set[str]()
    while waiting:
        one = waiting.pop()
        if one == origin:
            return True
        if one not in seen:
            seen.add(one)
            waiting += read.get(one, ())
    return False


def _part(program: Program, name: str, weighted: frozenset[str]) -> Part | None:
    inside = [s for s in program.steps if s.module == name or s.module.startswith(name + ".")]
    if not inside:
        return None
    keys = {step.key for step in inside}
    known = {step.key for step in program.steps} | set(program.inputs)
    start = next(
        (one for s in inside for one in refs((s.args, s.kwargs)) if one not in keys and one in known), ""
    )
    end = inside[-1]
    count = sum(step.op in weighted for step in inside)
    by_key = {step.key: step for step in inside}
    norms = [step for step in inside if step.op in NORMS]
    last = _last(end, by_key)
    normalised = "none" if not norms else "post" if last in norms else "pre"
    return Part(name, start, end.key, count, _passes(end, start, by_key), normalised)


def _last(step: Step, by_key: dict[str, Step]) -> Step:
    while (
        step.op in ("view", "reshape", "dropout", "transpose", "contiguous", "relu")
        and next(refs(step.args)) in by_key
    ):
        step = by_key[next(refs(step.args))]
    return step


def _passes(step: Step, start: str, by_key: dict[str, Step]) -> bool:
    """Whether what goes in comes out by sums and views alone (normalisations and a last activation let through)."""
    waiting, seen = [(step.key, 0)], set()
    while waiting:
        name, _ = waiting.pop()
        if name == start:
            return True
        if name in seen or name not in by_key:
            continue
        seen.add(name)
        one = by_key[name]
        if one.op in _PASSED or (one.op in NORMS and one is step) or (one.op == "relu" and one is step):
            waiting += [(key, 0) for key in refs(one.args)]
    return False


def _spans(program: Program, weighted: frozenset[str]) -> list[Part]:
    """From one layer with weights to the next, without first and last; layers that something goes past are no ends."""
    held, cuts = [s for s in program.steps if s.op in weighted and s.op != "embedding"], _cuts(program)
    ends = [(place, step) for place, step in enumerate(held[:-1]) if step.key in cuts]
    return [
        Part(two.module or two.key, one.key, two.key, behind - before, False, "none")
        for (before, one), (behind, two) in pairwise(ends)
    ]


def _cuts(program: Program) -> set[str]:
    """Steps whose output is all that the steps behind need of the example."""
    data, used = set(program.inputs), {program.output: len(program.steps)}
    for place, step in enumerate(program.steps):
        read = [one for one in refs((step.args, step.kwargs)) if one in data]
        used |= {one: max(place, used.get(one, 0)) for one in read}
        if read:
            data.add(step.key)
    reach, found = max((used.get(one, 0) for one in program.inputs), default=0), set()
    for place, step in enumerate(program.steps):
        if step.key in data:
            if reach <= place:
                found.add(step.key)
            reach = max(reach, used.get(step.key, 0))
    return found


def block_of(
    part: Part, layers: dict[str, Layer], g: dict[str, float], q: dict[str, float], rho: dict[str, float]
) -> Block:
    """A part with its numbers, predicted where they are derived, else measured."""
    before, behind = g.get(part.start, NAN), g.get(part.end, NAN)
    derived = part.end in layers and layers[part.end].method == "derived"
    ratio = before / behind if behind and behind > 0 else NAN
    return Block(
        part.name, q.get(part.end, NAN), rho.get(part.end, NAN), behind, ratio, part.shortcut, part.normalised,
        part.weighted, derived,
    )  # fmt: skip


def scale_of(blocks: list[Block], starts: list[float]) -> Scale:
    """The depth scale, in layers with weights, of the last repeated part; `starts`: q in front of each part.

    A shortcut beside a normalised branch changes gradients as a power of depth: the scale is infinite, and its `power`
    is s of 1 - rho ~ l^(-s), from the growth of gradients and of q through the last part. Where the last two parts are
    not alike, or there is one of several layers (as on the way down and up a U-Net), nothing follows for a deeper
    network: the scale is nan.
    """
    live = [
        (one, q)
        for one, q in zip(blocks, starts, strict=True)
        if math.isfinite(one.lambda_) and one.lambda_ > 0
    ]
    if not live:
        return Scale(NAN)
    block, before = live[-1]
    if block.shortcut and block.normalised == "pre":
        grown = block.q / before if before > 0 else NAN
        power = 1 - math.log(block.lambda_) / math.log(grown) if grown > 1 + 1e-9 else NAN
        return Scale(math.inf, power)
    slopes = [math.log(one.lambda_) / max(1, one.layers) for one, _ in live[-2:]]
    apart = abs(slopes[-1] - slopes[0])
    alone = len(live) == 1 and block.layers > 1  # branches between two layers that all goes through
    if alone or (apart > _APART and apart > max(map(abs, slopes)) / 2):
        return Scale(NAN)
    slope = abs(math.log(block.lambda_))
    return Scale(math.inf if slope < 1e-9 else block.layers / slope)


def depth_by_nodes(nodes: tuple[Node, ...]) -> int:
    """Layers with weights, where there is no program that says on which path they are."""
    return sum(
        node.kind in ("Linear", "Conv1d", "Conv2d", "Conv3d", "LSTM", "GRU", "RNN", "Embedding")
        for node in nodes
    )
