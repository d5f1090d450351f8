"""Maps of an activation at variance 1, the gain for weights that sum to zero, and the maps of deep shaped networks."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import pictured
from widelimit.theory import shaping as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.errors import ArgumentError, InfiniteMomentError

METHODS = ("dks", "tat")


@pictured
@dataclass(frozen=True)
class Maps:
    """What an activation does to lengths and correlations at variance 1.

    `length` Q = E phi^2; `length_slope` Q' = E phi phi' x; `overlap` C(0) = (E phi)^2 / Q; `slope`
    C'(1) = E phi'^2 / Q; `curvature` C''(1) = E phi''^2 / Q, infinite where phi has a kink (as is `slope` at a jump).
    """

    length: float
    length_slope: float
    overlap: float
    slope: float
    curvature: float


@pictured
@dataclass(frozen=True)
class VarianceGain:
    """What weights that sum to zero in each unit ask for.

    `gain`: the factor on the weights that keeps lengths; `chi_1`: what squared gradients grow by in a layer.
    """

    gain: float
    chi_1: float


@functools.lru_cache(maxsize=64)
def _maps(activation: Activation) -> tuple[Compiled, ...]:
    found = [compile((theory.length(activation), theory.overlap(activation)), (), name="length")]
    for formulas in ((theory.length_slope, theory.slope), (theory.curvature,)):
        try:
            found.append(compile(tuple(one(activation) for one in formulas), (), name=formulas[0].__name__))
        except InfiniteMomentError:
            break
    return tuple(found)


def maps(activation: Any) -> Maps:
    """Return Q, Q', C(0), C'(1) and C''(1) of an activation at variance 1.

    Args:
        activation: a catalogue name or an expression in x.

    Raises `InfiniteMomentError` for an activation that grows too fast for units of variance 1, `ArgumentError` for one
    that is zero, and for one that jumps, whose Q' is none.

    >>> maps("relu")
    Maps(length=0.5, length_slope=0.5, overlap=0.3183098861837907, slope=1.0, curvature=inf)
    >>> found = maps("tanh")
    >>> round(found.length_slope, 9), round(found.slope, 9), round(found.curvature, 9)
    (0.181797688, 1.177807232, 0.761369533)
    """
    phi = Activation.of(activation)
    if phi.derivative(1).deltas or phi.steep:
        raise InfiniteMomentError(
            f"{phi.name} jumps or is too steep somewhere, so that its maps have no slopes."
        )
    _not_zero(phi)
    found = _maps(phi)
    length, overlap = found[0]()
    rate, slope = found[1]()
    return Maps(length, rate, overlap, slope, float(found[2]()[0]) if len(found) > 2 else math.inf)


def _not_zero(phi: Activation) -> None:
    if phi.expr.is_zero:
        raise ArgumentError("activation", "must not be zero everywhere", phi.name)


@functools.lru_cache(maxsize=64)
def _centred(activation: Activation) -> tuple[Compiled, Compiled, Compiled]:
    mean = Expectation(activation.expr, X, 1).doit()
    return (
        compile(mean, (), name="mean"),
        compile(theory.variance(activation), (theory.MEAN,), name="variance"),
        compile((theory.variance_gain(), theory.centred_slope(activation)), (theory.VARIANCE,), name="gain"),
    )


def variance_gain(activation: Any) -> VarianceGain:
    """Return the gain (Var phi)^(-1/2) of standardised weights, and chi_1 = E phi'^2 / Var phi.

    Weights of each unit that sum to zero do not see the mean of phi. At variance 1; without shortcuts such networks are
    chaotic, as chi_1 is above 1 (brock2021characterizing, section 4, whose constants are estimates).

    Args:
        activation: a catalogue name or an expression in x.

    Raises `InfiniteMomentError` for an activation that grows too fast or jumps, `ArgumentError` for a constant.

    >>> found = variance_gain("relu")
    >>> round(found.gain, 10), round(found.chi_1, 10)  # sqrt(2 pi/(pi - 1)), pi/(pi - 1)
    (1.7128585504, 1.4669422069)
    """
    phi = Activation.of(activation)
    if not phi.expr.has(X):
        raise ArgumentError("activation", "must vary with x", phi.name, "A constant has no variance.")
    mean, variance, gain = _centred(phi)
    middle = mean()
    spread = variance(middle)
    if not spread > 1e-24 * middle * middle:
        raise ArgumentError("activation", "must vary for units of variance 1", phi.name)
    return VarianceGain(*gain(spread))


@functools.cache
def _limits() -> tuple[Compiled, Compiled]:
    return (
        compile(theory.dks_limit(), (theory.C, theory.ZETA), name="dks_limit"),
        compile(theory.tat_limit(), (theory.C, theory.TAU), name="tat_limit"),
    )


def limit_map(c: Any, *, method: str = "dks", target: Any = None) -> Any:
    """Return the correlation map of a whole deep network of shaped smooth activations, in the limit of many layers.

    DKS: c / (c + zeta (1 - c)); TAT: 1 - (1 - c) / (1 + tau (1 - c)/2), whatever the activation; the error falls as one
    over the depth.

    Args:
        c: correlation of two inputs, in [-1, 1]; arrays broadcast against `target`.
        method: dks, or tat for tailored smooth activations.
        target: zeta > 1, the slope of the map at 1 (default 1.5), or tau > 0, its curvature (default 0.3).

    Raises `ArgumentError` for correlations outside [-1, 1], and targets that are none.

    >>> limit_map(0.5), round(limit_map(0.0, method="tat", target=2.0), 12)
    (0.4, 0.5)
    """
    method = arguments.choice("method", method, METHODS)
    goal = target_of(method, target)
    correlation = arguments.correlation("c", c)
    values, goals = arguments.broadcast(c=correlation, target=goal)
    return arguments.scalar(np.asarray(_limits()[METHODS.index(method)](values, goals)))


def target_of(method: str, target: Any) -> np.ndarray:
    """Return zeta > 1 or tau > 0 as it is given, or what the papers use."""
    given = (1.5 if method == "dks" else 0.3) if target is None else target
    goal = arguments.near_one("target", arguments.positive("target", given))
    if method == "dks" and not (goal > 1).all():
        raise ArgumentError(
            "target",
            "must be above 1",
            target,
            "It is zeta, the slope at 1 of the map of all layers together.",
        )
    return goal
