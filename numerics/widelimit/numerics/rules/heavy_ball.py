"""Heavy-ball descent of a quadratic loss: roots, edges of oscillation, trajectories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.rules import checks, formulas
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray


@by_value
@dataclass(frozen=True)
class Momentum:
    """Descent with momentum along one curvature: x'' = (1 + b - eta lambda) x' - b x.

    `roots`: both, complex, on the last axis, the larger real part (or the positive imaginary part) first;
    `oscillates`: whether they are complex, (1 - sqrt b)^2 < eta lambda < (1 + sqrt b)^2; `modulus`: of the larger one,
    sqrt b where they are complex; `stable`: whether that is below 1; `period`: steps of an oscillation, infinite
    without one. `lowest`, `highest`: the learning rates between which it oscillates.
    """

    roots: Array
    oscillates: Any
    modulus: Any
    stable: Any
    period: Any
    lowest: Any
    highest: Any


def momentum(curvature: Any, *, learning_rate: Any, momentum: Any) -> Momentum:
    """Return the roots of gradient descent with momentum, v' = b v - eta lambda x, x' = x + v'.

    Args:
        curvature: lambda, positive; arrays broadcast.
        learning_rate: eta, positive.
        momentum: b, from 0 to below 1.

    Raises `ArgumentError` for numbers outside these ranges.

    >>> found = globals()["momentum"](0.8, learning_rate=0.01, momentum=0.9)
    >>> found.roots.round(6).tolist(), found.oscillates, round(found.modulus, 6)
    ([(0.946+0.071302j), (0.946-0.071302j)], True, 0.948683)
    """
    drop, b, bent = _given(curvature, learning_rate, momentum)
    trace, square, low, high = (np.asarray(one) for one in formulas.momentum()(b, drop))
    turns = (low < drop) & (drop < high)
    real = np.sqrt(np.where(turns, 0.0, np.maximum(square, 0.0)))
    large = (trace + np.where(trace < 0, -real, real)) / 2
    small = np.divide(b, large, out=np.zeros_like(large), where=large != 0)
    one, two = np.maximum(large, small), np.minimum(large, small)
    up = np.sqrt(np.where(turns, np.maximum(-square, 0.0), 0.0)) / 2
    first = np.where(turns, trace / 2 + 1j * up, one)
    second = np.where(turns, trace / 2 - 1j * up, two)
    size = np.where(turns, np.sqrt(b), np.maximum(np.abs(one), np.abs(two)))
    angle = np.arctan2(up, trace / 2)
    period = np.divide(2 * np.pi, angle, out=np.full_like(angle, np.inf), where=turns & (angle > 0))
    parts = (turns, size, size < 1, period, low / bent, high / bent)
    return Momentum(np.stack([first, second], axis=-1), *(arguments.scalar(np.asarray(one)) for one in parts))


def descent(
    steps: int, curvature: Any, *, learning_rate: Any, momentum: Any, start: Any = 1.0, velocity: Any = 0.0
) -> Any:
    """Return where descent with momentum is after some steps, from a start at a velocity.

    Args:
        steps: from 0.
        curvature, learning_rate, momentum: as for `momentum`.
        start: x_0; arrays broadcast.
        velocity: v_0.

    Raises `DomainError` where it goes beyond any float.

    >>> round(descent(50, 0.8, learning_rate=0.01, momentum=0.9), 13)
    -0.085338939699
    """
    drop, b, _ = _given(curvature, learning_rate, momentum)
    x = checks.near_one("start", arguments.finite("start", start), zero=True)
    v = checks.near_one("velocity", arguments.finite("velocity", velocity), zero=True)
    count = arguments.count("steps", steps, least=0)
    if count > 10**15:
        raise ArgumentError("steps", "must be at most 1e15", steps)
    drop, b, x, v = arguments.broadcast(learning_rate=drop, momentum=b, start=x, velocity=v)
    trace = np.asarray(formulas.momentum()(b, drop)[0])
    one, none = np.ones_like(trace), np.zeros_like(trace)
    companion = np.stack([np.stack([trace, -b], -1), np.stack([one, none], -1)], -2)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        power = np.linalg.matrix_power(companion, count)
        found = power[..., 0, 0] * x + power[..., 0, 1] * (x - v)
    if not np.isfinite(found).all():
        raise DomainError(
            f"Descent goes beyond any float within {count} steps. Take a smaller learning rate."
        )
    return arguments.scalar(np.asarray(found))


def _given(curvature: Any, learning_rate: Any, momentum: Any) -> tuple[Array, Array, Array]:
    bent, rate = checks.positive("curvature", curvature), checks.positive("learning_rate", learning_rate)
    b = arguments.non_negative("momentum", momentum)
    if (b >= 1).any():
        raise ArgumentError("momentum", "must be below 1", momentum, "Nothing would be forgotten.")
    bent, rate, b = arguments.broadcast(curvature=bent, learning_rate=rate, momentum=b)
    drop = checks.near_one("learning_rate", np.asarray(rate * bent))
    return drop, b, bent
