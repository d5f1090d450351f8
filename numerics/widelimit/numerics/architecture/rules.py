"""The registry of what each kind of layer does to a `State`: one function a kind, found by its class.

The functions stand in `units`, `positions`, `normalising` and `joining`; ``theory.architecture.recursion`` writes the
same rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from widelimit.numerics.architecture import compiled, sampling
from widelimit.numerics.architecture.state import State
from widelimit.theory import architecture as theory
from widelimit.theory.errors import DomainError


@dataclass(frozen=True)
class Place:
    """Where a layer stands: `path` numbers it and the layers around it; its name, for messages, is the place's text."""

    path: tuple[int, ...]
    kind: str

    def __str__(self) -> str:
        return f"Layer {'.'.join(map(str, self.path))} ({self.kind})"


Rule = Callable[[Any, Any, Place], State]  # of a layer and the state in front of it, or all of them
F = TypeVar("F", bound=Rule)
_RULES: dict[type[theory.Layer], Rule] = {}


def rule(*kinds: type[theory.Layer]) -> Callable[[F], F]:
    """Make a function the rule of these kinds of layers."""

    def register(function: F) -> F:
        _RULES.update(dict.fromkeys(kinds, function))
        return function

    return register


def apply_all(layers: tuple[theory.Layer, ...], state: State, path: tuple[int, ...] = ()) -> State:
    """Send a state through layers; `path` numbers the layers around them, for messages."""
    for number, layer in enumerate(layers):
        state = applied(layer, (state,), (*path, number))
    return state


def apply_graph(architecture: theory.Architecture, state: State) -> State:
    """Send a state through a graph of layers; what no layer reads any more is let go."""
    feeds, held = architecture.feeds, {-1: state}
    last = {one: place for place, reads in enumerate(feeds) for one in reads}
    for place, (layer, reads) in enumerate(zip(architecture.layers, feeds, strict=True)):
        held[place] = applied(layer, tuple(held[one] for one in reads), (place,))
        for one in set(reads):
            if last[one] == place:
                del held[one]
    return held[len(feeds) - 1]


def applied(layer: theory.Layer, states: tuple[State, ...], path: tuple[int, ...]) -> State:
    """A layer behind the states of what it reads; `path` numbers it, for messages."""
    kind = type(layer)
    place = Place(path, kind.__name__)
    if not layer.carries_gain:
        states = tuple(settled(one, (*path, part)) for part, one in enumerate(states))
    if kind not in _RULES:
        raise DomainError(f"{place} has no rule in widelimit.numerics.architecture.")
    with np.errstate(over="ignore", invalid="ignore"):
        state = _RULES[kind](layer, states if layer.joins else states[0], place)
    if state.law is not None and any(state.law is one.law for one in states):  # that of other units
        state = replace(state, law=None)
    if not (np.isfinite(state.k).all() and np.isfinite(state.theta).all()):
        raise DomainError(
            f"{place}: the kernels grow beyond the largest float here. Use smaller scales, or fewer layers."
        )
    return state


def settled(s: State, path: tuple[int, ...] = ()) -> State:
    """Add the trained gain where units are averaged: E u v = k; samples of units, seeded by `path`, keep it apart."""
    if not s.gain:
        return s
    return replace(
        s, theta=compiled.gained(s.theta, s.k), gain=False, averaged_gain=True, law=sampling.law_of(s, path)
    )
