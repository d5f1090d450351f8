"""Gradients back through a walk: second moments of what stands in front of every operation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.network.graph.programs import refs
from widelimit.validate.network.graph.states import State
from widelimit.validate.network.graph.walking import Walk


@by_value
@dataclass(frozen=True)
class Gradients:
    """`g`: mean square of a component, by key of step; `chi`: factor through the step; `reset`: keys at which measured
    moments are needed, because what reads them has no rule.
    """

    g: dict[str, float]
    chi: dict[str, float]
    reset: frozenset[str]


def resets(walk: Walk) -> set[str]:
    """Keys at which measured moments are needed: what is read by steps without a way back."""
    out: set[str] = set()
    for step in walk.program.steps:
        done = walk.done.get(step.key)
        if step.key in walk.refused or step.key in walk.tied or (done is not None and done.opaque):
            out.update(
                one for one in refs((step.args, step.kwargs)) if isinstance(walk.known.get(one), State)
            )
    return out


def gradients(walk: Walk, seen: dict[str, np.ndarray]) -> Gradients:
    """Walk back from the output, whose cotangents are independent standard normal; `seen`: measured moments by key."""
    program, known = walk.program, walk.known
    end = known.get(program.output)
    held: dict[str, np.ndarray] = {}
    if isinstance(end, State):
        held[program.output] = np.eye(end.positions)
    reset, inner = resets(walk), _interior(walk)
    g: dict[str, float] = {}
    chi: dict[str, float] = {}
    for step in reversed(program.steps):
        name = step.key
        if name in reset:
            if name not in seen:
                held.pop(name, None)
                continue
            held[name] = seen[name]
        if name not in held or name in walk.refused or name not in walk.done:
            continue
        if name not in inner and name not in reset:
            g[name] = float(np.mean(np.diagonal(held[name])))
        closed = name in walk.tied or walk.done[name].opaque
        for place, (origin, pull) in enumerate(() if closed else walk.done[name].pulls):
            with np.errstate(over="ignore", invalid="ignore"):
                back = pull(held[name])
            before = np.diagonal(held[name]).mean()
            if place == 0 and before > 0:
                chi[name] = float(np.diagonal(back).mean() / before)
            held[origin] = back if origin not in held else held[origin] + back
    return Gradients({key: value for key, value in g.items() if math.isfinite(value)}, chi, frozenset(reset))


def _interior(walk: Walk) -> set[str]:
    """Steps inside a chain that was read as one function: gradients pass them by."""
    inside: set[str] = set()
    for step in walk.program.steps:
        done = walk.done.get(step.key)
        if done is None or not done.pulls:
            continue
        inside |= done.inside
        named = {origin for origin, _ in done.pulls}
        inside.update(
            one
            for one in refs((step.args, step.kwargs))
            if isinstance(walk.known.get(one), State) and one not in named and step.op != "getitem"
        )
    return inside
