"""`sharp_limit`: what a steep surrogate says about the time of one spike, against what is true."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import pictured
from widelimit.numerics.spiking.settings import DECAY, RISE, moderate, two_constants
from widelimit.theory import spiking as theory
from widelimit.theory.errors import DomainError


@pictured
@dataclass(frozen=True)
class SharpLimit:
    """`spike_time`: t*, when w alpha(t) passes the threshold, in seconds; `loss` of that spike against the target.

    `gradient`: the true dL/dw, C'(t* - target) alpha(t*)/U'(t*), which changes its sign with t* - target;
    `surrogate_gradient`: (1/slope)(alpha(t*)/U'(t*)) (C(0) - C(t* - target)), which never does.
    """

    spike_time: float
    loss: float
    gradient: float
    surrogate_gradient: float


def sharp_limit(
    weight: Any, *, target: Any, threshold: Any = 1.0, slope: Any = 1.0, decay: Any = DECAY, rise: Any = RISE
) -> SharpLimit:
    """Return the surrogate gradient of one spike in the limit of a steep fast sigmoid, and the true gradient.

    One input spike at 0, U = w alpha(t), one output spike where it passes the threshold, a reset after it. The
    surrogate gradient is no gradient of the loss: it says "delete this spike", whichever way its time should move.

    Args:
        weight: w; times the peak of alpha it must pass the threshold.
        target: time of the target spike, in seconds, 0 or more.
        threshold: theta, in the units of w alpha (weights times seconds).
        slope: beta of 1/(1 + beta |U - theta|)^2; the limit's corrections are of the order of one over it.
        decay: a, in seconds.
        rise: b, in seconds.

    Raises `ArgumentError` for such numbers out of range, `DomainError` where the potential does not pass the threshold.

    >>> early, late = (sharp_limit(1000.0, target=t, threshold=1.0) for t in (0.004, 0.001))
    >>> round(early.spike_time, 6), early.gradient > 0 > late.gradient
    (0.001196, True)
    >>> early.surrogate_gradient > 0 and late.surrogate_gradient > 0
    True
    """
    a, b = two_constants(decay, rise)
    w, level, beta = (
        arguments.single(name, moderate(name, one))
        for name, one in (("weight", weight), ("threshold", threshold), ("slope", slope))
    )
    wanted = arguments.non_negative_number("target", target)
    peak = b if math.isclose(a, b, rel_tol=1e-9) else a * b / (a - b) * math.log(a / b)
    highest = w * _curve()(peak, a, b)[0]
    if highest <= level:
        raise DomainError(
            f"A weight of {w:g} lifts the potential to {highest:g} at most, not above the threshold of {level:g}: "
            "there is no spike."
        )
    time = float(_half()(w, level, a, b)) if a == 2 * b else _passing(w, level, peak, a, b)
    potential, speed = _curve()(time, a, b)
    lag = abs(time - wanted)
    true, said, zero, there = _gradients()(potential, w * speed, lag, beta, a, b)
    sign = 1.0 if time >= wanted else -1.0
    return SharpLimit(time, float(zero - there), sign * float(true), float(said))


def _passing(weight: float, level: float, peak: float, a: float, b: float) -> float:
    """The time before the peak at which w alpha passes a level, by bisection."""
    low, high = 0.0, peak
    for _ in range(200):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        if weight * _curve()(middle, a, b)[0] < level:
            low = middle
        else:
            high = middle
    return high


@functools.cache
def _curve() -> Compiled:
    """alpha and its slope."""
    formula = theory.response()
    return compile(
        (formula, formula.diff(theory.TIME)),
        (theory.TIME, theory.DECAY, theory.RISE),
        name="spike_response_slope",
    )


@functools.cache
def _half() -> Compiled:
    symbols = (theory.WEIGHT, theory.LEVEL, theory.DECAY, theory.RISE)
    return compile(theory.spike_time(), symbols, name="spike_time")


@functools.cache
def _gradients() -> Compiled:
    formulas = (theory.loss_slope(), theory.surrogate_pull(), theory.overlap_at_zero(), theory.overlap())
    symbols = (
        theory.POTENTIAL_AT, theory.SPEED, theory.LAG, theory.SLOPE, theory.DECAY, theory.RISE,
    )  # fmt: skip
    return compile(formulas, symbols, name="sharp_limit")
