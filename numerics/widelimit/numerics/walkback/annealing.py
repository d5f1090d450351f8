"""What a geometric schedule of temperatures costs a reversible operator, and how many steps it should have."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import walkback as theory
from widelimit.theory.errors import ArgumentError


def annealing_cost(contraction: Any, *, factor: Any) -> Any:
    """Return what the bound loses per step and dimension where the temperature grows by `factor` a step, in nats.

    (log r - (1 - a^2)(1 - 1/r)/(1 - a^2/r))/2 in the walk's own steady state, although the operator is reversible at
    each temperature (Clausius). A walk of K steps that ends in the prior of its last temperature loses (rho - 1 -
    log rho)/2 besides, rho = (1 - a^2)/(1 - a^2/r).

    Args:
        contraction: a of s' = a s + sqrt(T) n, from above 0 to below 1; arrays broadcast.
        factor: r, above a^2.

    Raises `ArgumentError` for a contraction outside (0, 1), or a factor of a^2 or less: there is no steady state.

    >>> round(annealing_cost(0.8, factor=1.3), 13), round(annealing_cost(0.5, factor=1.5), 13)
    (0.0493639504156, 0.0527325540541)
    """
    return arguments.scalar(np.asarray(_costs()(*_steady(contraction, factor))[0]))


def steps_for(contraction: Any, *, ratio: Any, gap: Any) -> Any:
    """Return the number of steps at which annealing by a total ratio R loses `gap` per dimension, to first order.

    (log R)^2 (1 + a^2) / (4 gap (1 - a^2)): dissipation falls as 1/K (sivak2012thermodynamic).

    Args:
        contraction: a, from above 0 to below 1; arrays broadcast.
        ratio: last temperature over the first, positive.
        gap: nats per dimension, positive.

    Raises `ArgumentError` for numbers outside these ranges.

    >>> round(steps_for(0.8, ratio=10.0, gap=0.1), 3)
    60.383
    """
    size = _contraction(contraction)
    total, wanted = arguments.positive("ratio", ratio), arguments.positive("gap", gap)
    size, total, wanted = arguments.broadcast(contraction=size, ratio=total, gap=wanted)
    return arguments.scalar(np.asarray(_steps()(size, total, wanted)))


def end_cost(contraction: Any, *, factor: Any) -> Any:
    """Return what is lost per dimension where the walk ends in the prior of its last temperature.

    >>> round(end_cost(0.8, factor=1.3), 6)
    0.026431
    """
    return arguments.scalar(np.asarray(_costs()(*_steady(contraction, factor))[1]))


def _steady(contraction: Any, factor: Any) -> tuple[np.ndarray, ...]:
    """Contraction and factor of a walk that has a steady state."""
    growth = arguments.near_one("factor", arguments.positive("factor", factor), 100)
    size, growth = arguments.broadcast(contraction=_contraction(contraction), factor=growth)
    if (growth <= size**2).any():
        help = "The walk has no steady state."
        raise ArgumentError("factor", "must be above the squared contraction", factor, help)
    return size, growth


def _contraction(value: Any) -> np.ndarray:
    size = arguments.near_one("contraction", arguments.positive("contraction", value), 100)
    if (size >= 1).any():
        raise ArgumentError("contraction", "must be below 1", value, "There is no stationary state.")
    return size


@functools.cache
def _costs() -> Compiled:
    formulas = (theory.annealing_cost(), theory.end_cost())
    return compile(formulas, (theory.CONTRACTION, theory.FACTOR), name="annealing_cost")


@functools.cache
def _steps() -> Compiled:
    return compile(theory.steps_needed(), (theory.CONTRACTION, theory.RATIO, theory.GAP), name="steps_needed")
