"""Modes as they learn or collapse, at given times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.ssl import loops, settings, terms
from widelimit.numerics.ssl.points import roots
from widelimit.theory.errors import ArgumentError, ConvergenceError

Array = np.ndarray
_NONE = -1e4  # log of a covariance that is zero


@by_value
@dataclass(frozen=True)
class Trajectory:
    """A mode in time; arrays have the shape of the starts, and times behind it.

    time; predictor p, covariance s, target_scale tau; invariant: s - p^2/alpha_p, which decays at the rate 2 eta;
    misalignment: factor by which this mode has shrunk the commutator of covariance and predictor: an entry between two
    modes has shrunk by the product of theirs. Under a rule invariant and misalignment are zero: the predictor follows.
    """

    time: Array
    predictor: Array
    covariance: Array
    target_scale: Array
    invariant: Array
    misalignment: Array


def trajectory(
    t: Any,
    *,
    covariance: Any,
    predictor: Any = None,
    target_scale: Any = 1.0,
    ema_rate: Any = None,
    weight_decay: Any,
    augmentation: Any,
    signal: Any = 1.0,
    predictor_rate: Any = 1.0,
    rule: str = "learned",
    exponent: Any = 0.5,
) -> Trajectory:
    """Integrate p' = alpha_p s (tau x - c p) - eta p, s' = 2 s [p (tau x - c p) - eta] from a start (tian2021, 3.2).

    Args:
        t: times, not negative, in any order; steps times learning rate.
        covariance: eigenvalue of W W^T at time 0.
        predictor: eigenvalue of the predictor at time 0, of either sign; left out where a rule sets it.
        target_scale: the target over the online network: constant, or at time 0 with `ema_rate`.
        ema_rate: beta of a target that is a moving average, (1 - momentum) per unit of time. Default: a constant ratio.
        weight_decay, augmentation, signal, predictor_rate, rule, exponent: as in `fixed_points`.

    Good to about 12 digits. Raises `ArgumentError` for a start at the unstable fixed point, `ConvergenceError` where
    rates are too different to be followed that far.

    >>> found = trajectory([0, 50, 400], predictor=0.05, covariance=0.01, weight_decay=0.04, augmentation=0.5)
    >>> found.predictor.round(10).tolist(), found.invariant.round(12).tolist()
    ([0.05, 0.6239455077, 0.6239265962], [0.0075, 0.000137367292, 0.0])
    >>> found.misalignment.round(10).tolist()
    [1.0, 0.0003780527, 0.0]
    """
    times = arguments.non_negative("t", t)
    if times.size and times.max() > settings.LONGEST:
        raise ArgumentError("t", f"must be at most {settings.LONGEST:g}", float(times.max()))
    further: dict[str, Any] = {"covariance": settings.start("covariance", covariance)}
    learned = rule == "learned"
    if learned == (predictor is None):
        but = "is missing" if learned else "is given"
        must = "must be given where it is learned" if learned else f"must be left out with rule={rule!r}"
        raise ArgumentError("predictor", must, but=but)
    if learned:
        further["predictor"] = settings.start("predictor", predictor, signed=True)
    moving = ema_rate is not None
    further["ema_rate"] = settings.scale("ema_rate", ema_rate if moving else 1.0)
    m = settings.modes(
        weight_decay, augmentation, signal, target_scale, predictor_rate, rule, exponent, **further
    )
    _refuse_saddles(m, learned, moving)
    order = np.argsort(times, axis=None, kind="stable")
    flat = _states(m, learned, moving, times.reshape(-1)[order])
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    shape = m.shape + times.shape
    p, s, tau, aligned = (one[:, back].reshape(shape) for one in flat)
    if not learned:
        return Trajectory(times, p, s, tau, np.zeros(shape), np.zeros(shape))
    start = m.further["covariance"] - terms.LEARNED(m.further["predictor"], m.rate)
    left = terms.INVARIANT(times, np.reshape(m.decay, m.shape + (1,) * times.ndim))
    invariant = np.reshape(start, m.shape + (1,) * times.ndim) * left
    return Trajectory(times, p, s, tau, invariant, aligned)


def _refuse_saddles(m: settings.Modes, learned: bool, moving: bool) -> None:
    """A start at the unstable fixed point, to rounding: what is computed from there would be rounding."""
    low = roots(m)[1]
    covariance = m.further["covariance"]
    rest = np.asarray(terms.LEARNED(low, m.rate)) if learned else np.asarray(terms.DIRECT(low, m.power))
    near = (np.abs(covariance - rest) <= settings.SAME * rest) & m.alive & (low > 0) & (m.gap > 0)
    if learned:
        near &= np.abs(m.further["predictor"] - low) <= settings.SAME * low
    if moving:
        near &= m.target == 1
    if near.any():
        name = "predictor" if learned else "covariance"
        help = "A mode stays there, or leaves either way: start beside it."
        value = float(m.further[name][near].flat[0])
        raise ArgumentError(name, "must not be that of the unstable fixed point", value, help)


def _states(m: settings.Modes, learned: bool, moving: bool, times: Array) -> tuple[Array, ...]:
    """Predictor, covariance, target and misalignment of all starts in a row at increasing times."""
    rows = (m.rate, m.further["ema_rate"], m.signal, m.spread, m.decay, m.power)
    constants = np.stack([np.ravel(one) for one in rows] + [np.full(m.decay.size, float(moving))])
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log(np.ravel(m.further["covariance"])), _NONE)
    tau = np.ravel(m.target)
    if learned:
        starts = np.stack([np.ravel(m.further["predictor"]), logs, tau, np.zeros_like(tau)])
        floor = np.array([1e-300, 1.0, 1e-300, 1.0])
    else:
        starts, floor = np.stack([logs * np.ravel(m.power), tau]), np.array([1.0, 1e-300])
    out = np.empty((len(starts), tau.size, times.size))
    kind = loops.LEARNED if learned else loops.DIRECT
    if not loops.follow(kind, starts, constants, floor, times, out):
        raise ConvergenceError(
            "The trajectory takes more than 100000 steps: rates are too different, or the time is too long. "
            "Ask for shorter times, or for a target that moves more slowly."
        )
    with np.errstate(under="ignore"):
        if learned:
            return out[0], np.exp(out[1]), out[2], np.exp(-out[3])
        power = np.ravel(m.power)[:, None]
        return np.exp(out[0]), np.exp(out[0] / power), out[1], np.zeros_like(out[1])
