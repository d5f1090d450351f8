"""Layers that read several: sums of branches, and units side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from widelimit.numerics.architecture import compiled, sampling
from widelimit.numerics.architecture.rules import Place, rule
from widelimit.numerics.architecture.state import State
from widelimit.theory import architecture as theory
from widelimit.theory.errors import DomainError

_ALIKE = 1e-12  # relative, of the variances of units side by side that are taken for units of one law


@rule(theory.Add)
def _add(layer: theory.Add, states: tuple[State, ...], place: Place) -> State:
    """Kernels add; here those of a projection and of a branch.

    >>> from widelimit.numerics.architecture import kernels
    >>> layers = (theory.Dense(2.0), theory.Dense(3.0), theory.Add())
    >>> kernels(theory.Architecture(layers, ((-1,), (-1,), (0, 1))), [[1.0]]).nngp.tolist()
    [[13.0]]
    """
    _fitting(states, place)
    return summed(states, place.path)


def summed(states: tuple[State, ...], path: tuple[int, ...]) -> State:
    """The sum of units of several states, whose kernels add; `path` seeds samples of it."""
    total = states[0]
    for one in states[1:]:
        sums = {name: compiled.added(getattr(total, name), getattr(one, name)) for name in _NUMBERS}
        total = replace(total, **sums)
    gaussian = all(one.gaussian for one in states)
    return replace(total, **_shared(states), gaussian=gaussian, law=sampling.added(states, path))


@rule(theory.Concatenate)
def _concatenate(layer: theory.Concatenate, states: tuple[State, ...], place: Place) -> State:
    """Means over all units; units of several laws are none of one Gaussian law.

    >>> from widelimit.numerics.architecture import kernels
    >>> layers = (theory.Dense(2.0), theory.Dense(4.0), theory.Concatenate((3, 1)))
    >>> kernels(theory.Architecture(layers, ((-1,), (-1,), (0, 1))), [[1.0]]).nngp.tolist()
    [[7.0]]
    """
    _fitting(states, place)
    widths = layer.widths or (1,) * len(states)
    if len(widths) != len(states):
        raise DomainError(f"{place} has {len(widths)} widths for {len(states)} layers.")
    means: dict[str, Any] = {
        name: compiled.averaged(
            sum(n * getattr(one, name) for n, one in zip(widths, states, strict=True)), sum(widths)
        )
        for name in _NUMBERS
    }
    alike = all(
        np.allclose(getattr(one, name), means[name], rtol=_ALIKE)
        for one in states
        for name in ("k", "q1", "q2")
    )
    gaussian = alike and all(one.gaussian for one in states)
    return replace(states[0], **means, **_shared(states), gaussian=gaussian)


_NUMBERS = ("k", "theta", "q1", "q2", "m1", "m2")


def _shared(states: tuple[State, ...]) -> dict[str, Any]:
    """What holds for the units of all."""
    return {
        "error": max(one.error for one in states),
        "averaged_gain": any(one.averaged_gain for one in states),
    }


def _fitting(states: tuple[State, ...], place: Place) -> None:
    found = [one.positions for one in states]
    if len(set(found)) > 1:
        raise DomainError(
            f"{place} reads units at positions {', '.join(map(str, found))}, which are not the same."
        )
