"""Scales and shifts of a smooth activation: all solutions of two equations, by Newton from those at great depth.

far         where the condition of great depth holds
solutions   from there, and from kinks within the Gaussian, to the target
newton      all at once, in log(alpha) and beta
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.shaping.moments import SYMBOLS, Moments, Unit
from widelimit.theory import shaping as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.equations import residual

Array = np.ndarray
FAR = np.sinh(np.linspace(-6.0, 6.0, 801))  # shifts that are searched: 0.015 apart near 0, up to 200
NEAR = np.linspace(-5.0, 5.0, 61)  # where a kink may lie, in standard deviations
MOST = 12  # shifts that are followed, those nearest to 0
LITTLE, STRIDE = 1e-4, 8.0  # where following starts, and by what the target grows
STEPS, PATIENCE = 12, 4  # of Newton's; after how many the residual must be small
ASTRAY = 1.4  # by how much log(alpha) may leave its start
WIDEST = 3.0  # log of the largest scale that is followed: the Gaussian then sees the activation as a step
TOLERANCE = 1e-11


@dataclass(frozen=True)
class Method:
    """What is asked: balance of Q' = 1 and size of the bend, by the moments; the target; conditions at great depth."""

    name: str
    sign: int
    target: float  # of a layer: C'(1) - 1, or C''(1)

    def residuals(self, found: Moments) -> tuple[Array, Array]:
        """Return what is missing to both equations, relative to the target."""
        left, right, over, bend = _equations(self.name, self.sign)(*found.values())
        with np.errstate(all="ignore"):
            return (left - right) / over / self.target, bend / self.target - 1


@functools.cache
def _equations(name: str, sign: int) -> Compiled:
    if name == "dks":
        balance, gain, bend = theory.dks_balance(), theory.dks_gain(), theory.dks_slope()
    else:
        balance, gain, bend = theory.tat_balance(sign), theory.tat_gain(), theory.tat_curvature()
    return compile((balance.lhs, balance.rhs, gain**-2, bend), SYMBOLS, name="balance")


@functools.cache
def output(name: str, sign: int) -> Compiled:
    """Return gamma and delta as a function of the moments."""
    if name == "dks":
        return compile((theory.dks_gain(), theory.dks_shift()), SYMBOLS, name="output")
    return compile((theory.tat_gain(), theory.tat_shift(sign)), SYMBOLS, name="output")


@functools.lru_cache(maxsize=128)
def _far(activation: Activation, name: str, sign: int) -> Compiled:
    """What is missing to the condition of great depth, and the first two derivatives, as functions of the shift."""
    if name == "dks":
        condition = theory.dks_condition(activation)
    else:
        condition = theory.tat_condition(activation, sign)
    slopes = tuple(activation.derivative(n).expr for n in (1, 2))
    return compile((residual(condition), *slopes), (X,), name="condition")


@functools.cache
def _scale(name: str) -> Compiled:
    formula, target = (theory.dks_scale(), theory.ZETA) if name == "dks" else (theory.tat_scale(), theory.TAU)
    return compile(formula, (target, theory.DEPTH, theory.FIRST, theory.BEND), name="scale")


@functools.lru_cache(maxsize=128)
def roots(activation: Activation, name: str, sign: int) -> Array:
    """Return (shift, phi', phi'') where the condition of great depth holds, a row each, up to 200 from 0."""
    condition = _far(activation, name, sign)
    with np.errstate(all="ignore"):
        values = np.asarray(condition(FAR)[0])
        change = np.flatnonzero((values[:-1] * values[1:] < 0) & np.isfinite(values[:-1] * values[1:]))
        change = change[np.argsort(np.abs(FAR[change]), kind="stable")][:MOST]
        low, high, left = FAR[change], FAR[change + 1], values[change]
        for _ in range(60):
            middle = (low + high) / 2
            same = np.asarray(condition(middle)[0]) * left > 0
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        place = (low + high) / 2
        _, first, bend = condition(place)
    return np.column_stack([place, first, bend]).reshape(-1, 3)


def far(
    activation: Activation, name: str, sign: int, whole: float, depth: float
) -> list[tuple[float, float]]:
    """Return (alpha, beta) of the solutions at great depth, to first order."""
    place, first, bend = roots(activation, name, sign).T
    with np.errstate(all="ignore"):
        scales = np.asarray(_scale(name)(whole, depth, first, bend))
    good = np.isfinite(scales) & (scales > 0)
    return list(zip(scales[good].tolist(), place[good].tolist(), strict=True))


def solutions(unit: Unit, method: Method) -> Array:
    """Return (alpha, beta) of all solutions that come from great depth, largest alpha first.

    They are found where a layer is asked for little, and followed to the target by steps in its logarithm.
    """
    goal = method.target
    method = replace(method, target=min(goal, LITTLE))
    whole = float(np.exp(method.target)) if method.name == "dks" else method.target
    starts = far(unit.activation, method.name, method.sign, whole, 1.0) + _by_kinks(unit, method)
    if not starts:
        return np.empty((0, 2))
    found = _distinct(newton(unit, method, np.array(starts))[1])
    while method.target < goal and len(found):
        after = replace(method, target=min(goal, method.target * STRIDE))
        found = _distinct(_followed(unit, method, after, found, 3))
        method = after
    return found


def _followed(unit: Unit, method: Method, after: Method, found: Array, halvings: int) -> Array:
    """Follow solutions from one target to the next, those that get lost in half the stride."""
    ratio = (after.target / method.target) ** 0.5
    good, there = newton(unit, after, found * [ratio, 1.0])
    near = np.abs(np.log(there[:, 0] / (found[good, 0] * ratio))) < np.log(ratio) + 0.05
    good, there = good[near], there[near]
    lost = np.delete(found, good, axis=0)
    if not len(lost) or not halvings:
        return there
    middle = replace(method, target=method.target * ratio)
    halfway = _followed(unit, method, middle, lost, halvings - 1)
    if not len(halfway):
        return there
    return np.concatenate([there, _followed(unit, middle, after, halfway, halvings - 1)])


def _by_kinks(unit: Unit, method: Method) -> list[tuple[float, float]]:
    """Starts with a kink within the Gaussian, at one scale, which is then changed by what the bend is there."""
    scale, found = np.full(NEAR.size, method.target**0.5), []
    for kink in unit.kinks:
        beta = kink - scale * NEAR
        missing, bend = method.residuals(unit.moments(scale, beta))
        with np.errstate(all="ignore"):
            where = np.flatnonzero((missing[:-1] * missing[1:] < 0) & np.isfinite(missing[:-1] * missing[1:]))
            share = missing[where] / (missing[where] - missing[where + 1])
            shift = NEAR[where] + share * (NEAR[where + 1] - NEAR[where])
            size = scale[where] / np.sqrt(np.clip(bend[where] + 1, 1e-3, 1e3))
        found += list(zip(size.tolist(), (kink - size * shift).tolist(), strict=True))
    return found


def newton(unit: Unit, method: Method, starts: Array) -> tuple[Array, Array]:
    """Solve both equations from all starts at once; return which of them converged, and to what."""
    log_alpha, beta = np.log(starts[:, 0]), starts[:, 1].copy()
    done, lost = np.zeros((2, beta.size), dtype=bool)
    for count in range(STEPS):
        lost |= (
            (np.abs(log_alpha - np.log(starts[:, 0])) > ASTRAY) | (log_alpha > WIDEST) | (np.abs(beta) > 1e3)
        )
        go = np.flatnonzero(~done & ~lost)
        if not go.size:
            break
        (down, across), size = _step(unit, method, log_alpha[go], beta[go])
        log_alpha[go] += down
        beta[go] += across
        with np.errstate(all="ignore"):
            span = np.maximum(np.abs(beta[go]), np.exp(log_alpha[go]))
            change = np.maximum(np.abs(down), np.abs(across) / span)
            noise = 1e-14 * np.exp(
                -2 * log_alpha[go]
            )  # what remainders lose, of the size alpha^2, to rounding
        done[go] = (change < TOLERANCE + noise) & (size < 1e-7 + 10 * noise)
        lost[go] |= ~np.isfinite(change) | ((count >= PATIENCE) & (size > 1e-2))
    which = np.flatnonzero(done)
    return which, np.column_stack([np.exp(log_alpha[which]), beta[which]])


def _step(unit: Unit, method: Method, log_alpha: Array, beta: Array) -> tuple[tuple[Array, Array], Array]:
    """One step of Newton's with differences for slopes, not longer than a change by e, or by the scale and shift."""
    alpha, count, small = np.exp(log_alpha), beta.size, 1e-5
    turn = small * np.maximum(alpha, np.abs(beta) * 0.1)
    scales = np.concatenate([alpha, alpha * np.exp(small), alpha])
    shifts = np.concatenate([beta, beta, beta + turn])
    first, second = (np.reshape(part, (3, count)) for part in method.residuals(unit.moments(scales, shifts)))
    with np.errstate(all="ignore"):
        a, b = (first[1] - first[0]) / small, (first[2] - first[0]) / turn
        c, d = (second[1] - second[0]) / small, (second[2] - second[0]) / turn
        det = a * d - b * c
        down, across = -(d * first[0] - b * second[0]) / det, -(a * second[0] - c * first[0]) / det
        longest = np.maximum(np.abs(down), np.abs(across) / (alpha + np.abs(beta)))
        share = np.where(np.isfinite(longest), np.minimum(1.0, 1.0 / longest), np.inf)
        down, across = np.nan_to_num(down * share, nan=np.inf), np.nan_to_num(across * share, nan=np.inf)
    return (down, across), np.maximum(np.abs(first[0]), np.abs(second[0]))


def _distinct(found: Array) -> Array:
    """Solutions that differ, largest scale first, then those with the smallest shift, positive before negative."""
    kept: list[tuple[float, float]] = []
    for alpha, beta in found.tolist():
        if all(abs(alpha / a - 1) > 1e-6 or abs(beta - b) > 1e-6 * (alpha + abs(beta)) for a, b in kept):
            kept.append((alpha, beta))
    nearest = sorted(kept, key=lambda one: abs(one[1]))[:MOST]
    ranked = sorted(
        nearest, key=lambda one: (-round(float(np.log(one[0])), 7), round(abs(one[1]), 7), one[1] < 0)
    )
    return np.array(ranked).reshape(-1, 2)


def largest(solve: Callable[[float], bool], target: float) -> float | None:
    """Return about the largest target of a layer below `target` for which `solve` finds something, None for none."""
    low, high = np.log(min(LITTLE, target)), np.log(min(target, 1e6))
    if not solve(float(np.exp(low))):
        return None
    while high - low > 3e-3:
        middle = (low + high) / 2
        low, high = (middle, high) if solve(float(np.exp(middle))) else (low, middle)
    return float(np.exp(low))
