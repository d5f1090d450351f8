"""Gradients back through a walk: second moments of what stands in front of every operation.

Weights make gradients independent of the units in front of them; what comes back by a shortcut has met the slopes of
all activations on it, which are those of one and the same unit. So moments that passed an activation remember its
slopes at samples of the unit (`_Way`), and the next one multiplies them. A depthwise filter mixes no units: slopes and
deviations behind it know the filter and the unit in front, as a batch's deviation knows the unit's slopes. There
gradients of single units are sampled, and go back through what acts on the unit at its samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.network.graph import scattering
from widelimit.validate.network.graph.pooling import Routed, moved
from widelimit.validate.network.graph.programs import Step, refs
from widelimit.validate.network.graph.states import Samples, State, root
from widelimit.validate.network.graph.walking import Divided, Done, Pull, Scaled, Walk

_WAYS = 24  # to one tensor, above which slopes are forgotten: each holds samples of a unit


@by_value
@dataclass(frozen=True)
class Gradients:
    """`g`: mean square of a component, by key of step; `chi`: factor through the step; `reset`: keys at which measured
    moments are needed, because what reads them has no rule; `scatter`: relative variance of g in one draw, by masks.
    """

    g: dict[str, float]
    chi: dict[str, float]
    reset: frozenset[str]
    scatter: dict[str, float]


@by_value
@dataclass(frozen=True)
class _Way:
    """Moments of gradients that came one way: `value`, made of `fresh` ones and slopes (samples, P) on the way.

    `at`: the position at which each of the fresh ones stands in each sample, where maxima were taken. `drawn`: samples
    (samples, P) of the gradients themselves instead, at the same samples of the unit.
    """

    value: np.ndarray
    fresh: np.ndarray
    slopes: Callable[[], np.ndarray] | None = None
    at: np.ndarray | None = None
    drawn: np.ndarray | None = None

    @property
    def plain(self) -> bool:
        """Whether nothing but moments is remembered."""
        return self.slopes is None and self.drawn is None


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
    """Moments of gradients that arrived, by key; `parts`: those of each of several parts of the units; `loose`: what
    masks make of them in one draw.
    """

    def __init__(self) -> None:
        self.ways: dict[str, list[_Way]] = {}
        self.parts: dict[str, list[list[_Way]]] = {}
        self.loose: dict[str, scattering.Scatter] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.ways or name in self.parts

    def drop(self, name: str) -> None:
        self.ways.pop(name, None)
        self.parts.pop(name, None)

    def fresh(self, name: str, value: np.ndarray) -> None:
        self.drop(name)
        self.ways[name] = [_Way(value, value)]

    def add(self, name: str, ways: list[_Way], state: Any, scatter: scattering.Scatter) -> None:
        self.ways[name] = _needed([*self.ways.get(name, ()), *ways], state)
        if scatter and ways:
            size = float(np.mean(np.diagonal(_total(ways))))
            scattering.add(self.loose.setdefault(name, {}), scatter, size)

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
    """Moments without slopes in one, and samples in one: gradients on different ways are independent."""
    plain, sampled = [one for one in ways if one.plain], [one for one in ways if one.drawn is not None]
    out = [one for one in ways if one.slopes is not None]
    out += plain if len(plain) < 2 else [_moments(_total(plain))]
    if len(sampled) < 2:
        return [*out, *sampled]
    drawn = [one.drawn for one in sampled if one.drawn is not None]
    few = min(map(len, drawn))
    return [*out, replace(_moments(_total(sampled)), drawn=np.sum([one[:few] for one in drawn], axis=0))]


def _total(ways: list[_Way]) -> np.ndarray:
    return np.asarray(sum(one.value for one in ways))


def _back(ways: list[_Way], done: Done, pull: Pull, name: str) -> list[_Way]:
    """Moments in front of an operation, whose key is `name`."""
    if isinstance(pull, Scaled):
        c = pull.factor
        return ways if c == 1 else [_times(one, c) for one in ways]
    if isinstance(pull, Divided):
        return [_over(one, pull) for one in ways]
    if isinstance(pull, Routed):
        return [_routed(one, pull.where(), pull.positions) for one in ways]
    if done.each is not None:
        return [
            _moments(pull(one.value)) if done.own and one.plain
            else _of_units(done.each(_units(one, f"{name} {k}")))
            for k, one in enumerate(ways)
        ]  # fmt: skip
    if done.slopes is None:
        return [_moments(pull(_total(ways)))]
    return [_sloped(one, done.slopes, pull) for one in ways]


def _sloped(one: _Way, slopes: Callable[[], np.ndarray], pull: Pull) -> _Way:
    """Times slopes of a function of one variable at samples of the unit."""
    if one.drawn is not None:
        new = slopes()
        return _of_units(one.drawn[: len(new)] * new[: len(one.drawn)])
    if one.slopes is None:
        return _Way(pull(one.value), one.value, slopes)
    if one.at is not None:
        met = one.slopes() * np.take_along_axis(slopes()[: len(one.at)], one.at, axis=1)
        return _Way(moved(one.fresh, one.at, met, len(one.value)), one.fresh, lambda: met, one.at)
    met = one.slopes() * slopes()
    return _Way(one.fresh * (met.T @ met) / len(met), one.fresh, lambda: met)


def _routed(one: _Way, where: np.ndarray, positions: int) -> _Way:
    """To the places of maxima, (samples, outputs), each sample of the unit to its own."""
    few = len(where)
    if one.drawn is not None:
        drawn = one.drawn[:few]
        out = np.zeros((len(drawn), positions))
        np.add.at(out, (np.arange(len(drawn))[:, None], where[: len(drawn)]), drawn)
        return _of_units(out)
    met = np.ones((few, len(one.fresh))) if one.slopes is None else one.slopes()
    at = where if one.at is None else np.take_along_axis(where[: len(one.at)], one.at[:few], axis=1)
    few = min(len(at), len(met))
    at, met = at[:few], met[:few]
    return _Way(moved(one.fresh, at, met, positions), one.fresh, lambda: met, at)


def _moments(value: np.ndarray) -> _Way:
    return _Way(value, value)


def _times(one: _Way, c: float) -> _Way:
    drawn = None if one.drawn is None else math.sqrt(c) * one.drawn
    return replace(one, value=c * one.value, fresh=c * one.fresh, drawn=drawn)


def _over(one: _Way, pull: Divided) -> _Way:
    if one.at is not None:  # fresh moments stand at other positions
        return _moments(pull(one.value))
    drawn = None if one.drawn is None else one.drawn / pull.by
    return replace(one, value=pull(one.value), fresh=pull(one.fresh), drawn=drawn)


def _of_units(drawn: np.ndarray) -> _Way:
    value = drawn.T @ drawn / len(drawn)
    return _Way(value, value, drawn=drawn)


def _units(one: _Way, name: str) -> np.ndarray:
    """Samples of gradients of single units, which are Gaussian where they come out of weights."""
    if one.drawn is not None:
        return one.drawn
    samples = Samples(len(one.value))
    slopes = None if one.slopes is None or one.at is not None else one.slopes()
    moments = one.value if slopes is None else one.fresh
    count = samples.count if slopes is None else len(slopes)
    noise = samples.generator(name, b"gradients").standard_normal((count, len(moments)))
    drawn = noise @ _factor(moments)
    return np.asarray(drawn if slopes is None else drawn * slopes)


def _factor(moments: np.ndarray) -> np.ndarray:
    """R with R^T R = moments."""
    try:
        raised = moments + 1e-10 * np.mean(np.diagonal(moments)) * np.eye(len(moments))
        return np.asarray(np.linalg.cholesky(raised).T)
    except np.linalg.LinAlgError:
        return root(moments)


def gradients(walk: Walk, seen: dict[str, np.ndarray]) -> Gradients:
    """Walk back from the output, whose cotangents are independent standard normal; `seen`: measured moments by key."""
    program, known = walk.program, walk.known
    end, held = known.get(program.output), _Held()
    if isinstance(end, State):
        held.fresh(program.output, np.eye(end.positions))
    reset, inner = resets(walk), _interior(walk)
    heavy = {origin for done in walk.done.values() if done.heavy for origin, _ in done.pulls}
    loose = scattering.of_units(walk)
    g: dict[str, float] = {}
    chi: dict[str, float] = {}
    scatter: dict[str, float] = {}
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
        if name not in inner and name not in reset and name not in heavy:
            g[name] = float(np.mean(np.diagonal(whole)))
        done = walk.done[name]
        before = np.diagonal(whole).mean()
        masks: scattering.Scatter = {}
        if before > 0:
            scattering.add(masks, held.loose.pop(name, {}), 1 / before)
        scatter[name] = scattering.variance(masks)
        if name in walk.tied or done.opaque:
            continue
        if done.scatter > 0:
            scattering.add(masks, {name: done.scatter}, 1.0)
        for origin, _ in done.pulls if step.op in scattering.NORMALISING else ():  # which divide by it
            scattering.add(masks, loose.get(origin, {}), -1.0)
        with np.errstate(over="ignore", invalid="ignore"):
            first = _step(walk, held, step, done, masks)
        held.drop(name)
        if first is not None and before > 0:
            chi[name] = float(np.diagonal(first).mean() / before)
    finite = {key: value for key, value in g.items() if math.isfinite(value)}
    return Gradients(finite, chi, frozenset(reset), scatter)


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


def _step(
    walk: Walk, held: _Held, step: Step, done: Done, masks: scattering.Scatter
) -> np.ndarray | None:  # fmt: skip
    """Send what arrived at a step to what it reads; return what comes to the first of them."""
    name, parts = step.key, walk.beside.get(step.key)
    if parts is None:
        first = None
        for place, (origin, pull) in enumerate(done.pulls):
            back = _back(held.ways[name], done, pull, name)
            first = _total(back) if place == 0 else first
            held.add(origin, back, walk.known.get(origin), masks)
        return first
    each = held.of_parts(name, len(parts))
    found: dict[str, list[list[_Way]]] = {}
    for one, ways in zip(parts, each, strict=True):
        for origin, pull in one.pulls:
            found.setdefault(origin, []).append(_back(ways, one, pull, name) if ways else [])
    for origin, backs in found.items():
        for ways in backs if origin not in walk.beside else ():
            held.add(origin, ways, walk.known.get(origin), masks)
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
