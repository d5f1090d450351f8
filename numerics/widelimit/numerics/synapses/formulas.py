"""The formulas of `theory.synapses` as compiled functions of floats."""

from __future__ import annotations

import functools

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import synapses as theory


@functools.cache
def entry() -> Compiled:
    """`theory.synapses.path_entry`."""
    t = theory
    return compile(
        t.path_entry(), (t.FIRST, t.SECOND, t.START_A, t.START_B, t.RATE, t.MOMENTUM), name="path_entry"
    )


@functools.cache
def diagonal() -> Compiled:
    """`theory.synapses.diagonal_importance`."""
    t = theory
    return compile(t.diagonal_importance(), (t.CURVATURE, t.RATE, t.MOMENTUM), name="diagonal_importance")


@functools.cache
def ratio() -> Compiled:
    """`theory.synapses.importance`."""
    return compile(theory.importance(), (theory.PATH, theory.START, theory.DAMPING), name="importance")


@functools.cache
def loss() -> Compiled:
    """`theory.synapses.loss`."""
    return compile(theory.loss(), (theory.CURVATURE, theory.START), name="loss")


@functools.cache
def tail() -> Compiled:
    """`theory.synapses.tail`."""
    return compile(theory.tail(), (theory.DENSITY, theory.ROOT_MEAN, theory.THRESHOLD), name="tail")


@functools.cache
def damped() -> Compiled:
    """`theory.synapses.damped_mean`."""
    return compile(theory.damped_mean(), (theory.DENSITY, theory.PATH, theory.DAMPING), name="damped_mean")


@functools.cache
def root() -> Compiled:
    """`theory.synapses.root_mean_density`."""
    return compile(theory.root_mean_density(), (theory.REAL_PART, theory.ANGLE), name="root_mean")


@functools.cache
def pull() -> Compiled:
    """`theory.synapses.pull`."""
    t = theory
    return compile(t.pull(), (t.SHARE, t.OPTIMUM_A, t.OPTIMUM_B), name="pull")
