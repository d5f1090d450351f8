"""Gradients back through a walk: second moments of what stands in front of every operation.

Weights make gradients independent of the units in front of them; what comes back by a shortcut has met the slopes of
all activations on it, which are those of one and the same unit. So moments that passed an activation remember its
slopes at samples of the unit (`_Way`), and the next one multiplies them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.network.graph.pooling import moved
from widelimit.validate.network.graph.programs import Step, refs
from widelimit.validate.network.graph.states import State
from widelimit.validate.network.graph.walking import Done, Pull, Scaled, Walk

_WAYS = 24  # to one tensor, above which slopes are forgotten: each holds samples of a unit


@by_value
@dataclass(frozen=True)
class Gradients:
    """`g`: mean square of a component, by key of step; `chi`: factor through the step; `reset`: keys at which measured
    moments are needed, because what reads them has no rule.
    """

    g: dict[str, float]
    chi: dict[str, float]
    reset: frozenset[str]


@by_value
@dataclass(frozen=True)
class _Way:
    """Moments of gradients that came one way: `value`, made of `fresh` ones and slopes (samples, P) on the way.

    `at`: the position at which each of the fresh ones stands in each sample, where maxima were taken.
    """

    value: np.ndarray
    fresh: np.ndarray
    slopes: Callable[[], np.ndarray] | None = None
    at: np.ndarray | None = None


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


class _Held:
    """Moments of gradients that arrived, by key; `parts`: those of each of several parts of the units."""

    def __init__(self) -> None:
        self.ways: dict[str, list[_Way]] = {}
        self.parts: dict[str, list[list[_Way]]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.ways or name in self.parts

    def drop(self, name: str) -> None:
        self.ways.pop(name, None)
        self.parts.pop(name, None)

    def fresh(self, name: str, value: np.ndarray) -> None:
        self.drop(name)
        self.ways[name] = [_Way(value, value)]

    def add(self, name: str, ways: list[_Way], state: Any) -> None:
        self.ways[name] = _needed([*self.ways.get(name, ()), *ways], state)

    def add_parts(self, name: str, parts: list[list[_Way]], states: list[Any]) -> None:
        before = self.parts.get(name, [[] for _ in parts])
        self.parts[name] = [
            _needed([*one, *two], state) for one, two, state in zip(before, parts, states, strict=True)
        ]

    def of_parts(self, name: str, count: int) -> list[list[_Way]]:
        """Those of each part, what arrived for all of them included."""
        own, whole = self.parts.get(name, [[] for _ in range(count)]), self.ways.get(name, [])
        return [_merged([*one, *whole]) for one in own]


def _needed(ways: list[_Way], state: Any) -> list[_Way]:
    """Ways to a tensor: behind Gaussian units stand weights, in front of which slopes do not matter any more."""
    if ways and (len(ways) > _WAYS or (isinstance(state, State) and state.gaussian)):
        total = _total(ways)
        return [_Way(total, total)]
    return _merged(ways)


def _merged(ways: list[_Way]) -> list[_Way]:
    """Moments without slopes in one."""
    plain = [one for one in ways if one.slopes is None]
    if len(plain) < 2:
        return ways
    total = _total(plain)
    return [_Way(total, total), *(one for one in ways if one.slopes is not None)]


def _total(ways: list[_Way]) -> np.ndarray:
    return np.asarray(sum(one.value for one in ways))


def _back(ways: list[_Way], done: Done, pull: Pull) -> list[_Way]:
    """Moments in front of an operation."""
    if isinstance(pull, Scaled):
        c = pull.factor
        return ways if c == 1 else [replace(one, value=c * one.value, fresh=c * one.fresh) for one in ways]
    if done.rows is not None and all(one.at is None for one in ways):
        found = [row for one in ways for row in done.rows(one.fresh, one.slopes and one.slopes())]
        return [_sampled(fresh, slopes) for fresh, slopes in found]
    if done.picked is not None and all(one.slopes is None for one in ways):
        where, ones = done.picked(), np.ones((len(done.picked()), len(ways[0].fresh)))
        return [_Way(pull(one.value), one.fresh, lambda: ones, where) for one in ways]
    if done.slopes is None:
        value = pull(_total(ways))
        return [_Way(value, value)]
    out = []
    for one in ways:
        if one.slopes is None:
            out.append(_Way(pull(one.value), one.value, done.slopes))
        elif one.at is not None:
            met = one.slopes() * np.take_along_axis(done.slopes()[: len(one.at)], one.at, axis=1)
            value = moved(one.fresh, one.at, met, len(one.value))
            out.append(_Way(value, one.fresh, lambda met=met: met, one.at))  # type: ignore[misc]
        else:
            out.append(_sampled(one.fresh, one.slopes() * done.slopes()))
    return out


def _sampled(fresh: np.ndarray, slopes: np.ndarray) -> _Way:
    return _Way(fresh * (slopes.T @ slopes) / len(slopes), fresh, lambda: slopes)


def gradients(walk: Walk, seen: dict[str, np.ndarray]) -> Gradients:
    """Walk back from the output, whose cotangents are independent standard normal; `seen`: measured moments by key."""
    program, known = walk.program, walk.known
    end, held = known.get(program.output), _Held()
    if isinstance(end, State):
        held.fresh(program.output, np.eye(end.positions))
    reset, inner = resets(walk), _interior(walk)
    g: dict[str, float] = {}
    chi: dict[str, float] = {}
    for step in reversed(program.steps):
        name = step.key
        if name in reset:
            if name not in seen:
                held.drop(name)
                continue
            held.fresh(name, seen[name])
        if name not in held or name in walk.refused or name not in walk.done:
            continue
        whole = _mean_of(walk, held, name)
        if name not in inner and name not in reset:
            g[name] = float(np.mean(np.diagonal(whole)))
        done = walk.done[name]
        if name in walk.tied or done.opaque:
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            first = _step(walk, held, step, done)
        held.drop(name)
        before = np.diagonal(whole).mean()
        if first is not None and before > 0:
            chi[name] = float(np.diagonal(first).mean() / before)
    return Gradients({key: value for key, value in g.items() if math.isfinite(value)}, chi, frozenset(reset))


def _mean_of(walk: Walk, held: _Held, name: str) -> np.ndarray:
    """Moments that arrived, averaged over the units."""
    if name not in held.parts:
        return _total(held.ways[name])
    parts = walk.beside[name]
    widths = np.array([one.value.width for one in parts], dtype=float)
    each = held.of_parts(name, len(parts))
    return np.asarray(
        sum(w * _total(ways) for w, ways in zip(widths / widths.sum(), each, strict=True) if ways)
    )


def _step(walk: Walk, held: _Held, step: Step, done: Done) -> np.ndarray | None:
    """Send what arrived at a step to what it reads; return what comes to the first of them."""
    name, parts = step.key, walk.beside.get(step.key)
    if parts is None:
        first = None
        for place, (origin, pull) in enumerate(done.pulls):
            back = _back(held.ways[name], done, pull)
            first = _total(back) if place == 0 else first
            held.add(origin, back, walk.known.get(origin))
        return first
    each = held.of_parts(name, len(parts))
    found: dict[str, list[list[_Way]]] = {}
    for one, ways in zip(parts, each, strict=True):
        for origin, pull in one.pulls:
            found.setdefault(origin, []).append(_back(ways, one, pull) if ways else [])
    for origin, backs in found.items():
        for ways in backs if origin not in walk.beside else ():
            held.add(origin, ways, walk.known.get(origin))
        count = len(walk.beside.get(origin, ()))
        for start in range(0, len(backs), count) if count else ():  # one of them may be joined twice
            states = [one.value for one in walk.beside[origin]]
            held.add_parts(origin, backs[start : start + count], states)
    return next((_total(backs[0]) for backs in found.values() if backs[0]), None)


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
