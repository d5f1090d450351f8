"""The registry of what each kind of layer does to a `State`: one function a kind, found by its class.

The functions stand in `units`, `positions` and `normalising`; ``theory.architecture.recursion`` writes the same rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from widelimit.numerics.architecture import compiled
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


Rule = Callable[[Any, State, Place], State]
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
        kind = type(layer)
        place = Place((*path, number), kind.__name__)
        if not layer.carries_gain:
            state = settled(state)
        if kind not in _RULES:
            raise DomainError(f"{place} has no rule in widelimit.numerics.architecture.")
        with np.errstate(over="ignore", invalid="ignore"):
            state = _RULES[kind](layer, state, place)
        if not (np.isfinite(state.k).all() and np.isfinite(state.theta).all()):
            raise DomainError(
                f"{place}: the kernels grow beyond the largest float here. Use smaller scales, or fewer layers."
            )
    return state


def settled(s: State) -> State:
    """Add the trained gain where units are averaged: E u v = k."""
    return replace(s, theta=compiled.gained(s.theta, s.k), gain=False) if s.gain else s
