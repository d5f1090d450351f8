"""What all solvers take: the constants of a mode, checked and broadcast once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.ssl import terms
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
RULES = ("learned", "direct", "directpred", "directcopy")
_POWERS = {"directpred": 0.5, "directcopy": 1.0}
LONGEST = 1e12  # time
SAME = 8 * float(np.finfo(float).eps)  # share by which a start may miss a fixed point and still be at it
_POWER = "The predictor is the covariance to this power: 0.5 for DirectPred, 1 for DirectCopy."


@by_value
@dataclass(frozen=True)
class Modes:
    """Constants of modes, arrays of one shape; `power` is 1/2 for a learned predictor. `critical`, `gap`: of decay.

    `further` are what a solver has broadcast with them.
    """

    decay: Array
    spread: Array
    signal: Array
    target: Array
    rate: Array
    power: Array
    critical: Array
    gap: Array
    further: Mapping[str, Array]

    @property
    def constants(self) -> tuple[Array, ...]:
        """In the order of `terms.MODE`."""
        return self.target, self.signal, self.spread, self.decay

    @property
    def alive(self) -> Array:
        """Where there is a fixed point other than zero."""
        return (self.gap >= 0) & (self.critical > 0)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all."""
        return self.decay.shape


def modes(
    weight_decay: Any, augmentation: Any, signal: Any, target_scale: Any, predictor_rate: Any,
    rule: Any, exponent: Any, *, dead: bool = True, **further: Array,
) -> Modes:  # fmt: skip
    """Check and broadcast; with ``dead=False`` signal and target have to be positive."""
    powers = exponents(rule, exponent)
    checked = {
        "weight_decay": scale("weight_decay", weight_decay, zero=True),
        "augmentation": scale("augmentation", augmentation, zero=True),
        "signal": scale("signal", signal, zero=dead),
        "target_scale": scale("target_scale", target_scale, zero=dead),
        "predictor_rate": scale("predictor_rate", predictor_rate),
        "exponent": powers,
        **further,
    }
    decay, spread, signals, target, rate, power, *rest = arguments.broadcast(**checked)
    total = (
        np.where(signals + spread > 0, signals + spread, 1.0) - spread
    )  # a mode without signal and noise is dead
    critical, gap = (np.asarray(one) for one in terms.CRITICAL(target * (signals > 0), total, spread, decay))
    return Modes(
        decay, spread, signals, target, rate, power, critical, gap, dict(zip(further, rest, strict=True))
    )


def exponents(rule: Any, exponent: Any) -> Array:
    """The power of the covariance that the predictor is; that of a learned one on its parabola is 1/2."""
    name = arguments.choice("rule", rule, RULES)
    power = arguments.positive("exponent", exponent, _POWER)
    if name == "direct":
        return arguments.within("exponent", power, 0.02, 50.0, _POWER)
    if (power != 0.5).any():
        help = "It belongs to rule='direct'."
        raise ArgumentError("exponent", f"must be left out with rule={name!r}", exponent, help)
    return np.full(power.shape, _POWERS.get(name, 0.5))


def scale(name: str, value: Any, *, zero: bool = False, help: str = "") -> Array:
    """Return numbers that are positive (or zero) and neither so large nor so small that their powers leave floats."""
    check = arguments.non_negative if zero else arguments.positive
    return arguments.near_one(name, check(name, value, help), help=help)


def start(name: str, value: Any, *, signed: bool = False) -> Array:
    """Return starting values, of either sign where that makes sense."""
    array = arguments.finite(name, value) if signed else arguments.non_negative(name, value)
    scale(name, np.abs(array), zero=True)
    return array


def number(array: Array) -> Any:
    """A number of Python for a single mode."""
    return arguments.scalar(np.asarray(array))
