"""Where a GRU with resting gates starts and stops to oscillate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.gru import compiled
from widelimit.numerics.results import by_value

_rest = compiled.REST.njit


@by_value
@dataclass(frozen=True)
class Boundaries:
    """Angles in radians; NaN where there is none.

    `snic`: below it the plane has corners at rest, four saddle-nodes; `hopf`: above it the origin is stable, in
    continuous time; `torus`: the same of the map (up to pi); `bogdanov_takens`: the largest angle at which biases give
    a double zero. `snic_period`: the period is that over sqrt(angle - snic) just above it.
    """

    snic: Any
    hopf: Any
    torus: Any
    bogdanov_takens: Any
    snic_period: Any


def boundaries(gain: Any, *, update_gate: Any = 0.5, step: Any = 1.0) -> Boundaries:
    """Return the borders of oscillation of dh/dt = (1 - z)(tanh(g R(theta) h) - h), and of its map.

    Args:
        gain: g = r_0 rho, not rho: at b_r = 0 it is rho/2. Arrays broadcast.
        update_gate: z, between 0 and 1; only `torus` and `snic_period` depend on it.
        step: Delta of the map, above 0 and at most 1, the trained network.

    Raises `ArgumentError` outside these ranges. Where g is at most 1 all comes to rest: every border is NaN.

    >>> b = boundaries(1.5)
    >>> round(b.snic, 12), round(b.hopf, 12), round(b.torus, 12)
    (0.147822070679, 0.841068670568, 1.318116071653)
    >>> round(boundaries(2.0).bogdanov_takens, 12), round(boundaries(2.0).snic_period, 6)
    (0.643501108793, 19.969967)
    """
    g, z, d = arguments.broadcast(
        gain=compiled.gain(gain), update_gate=compiled.gate(update_gate), step=compiled.step(step)
    )
    moves = g > 1
    safe, share = np.where(moves, g, 2.0), d * (1 - z)
    whole = moves & (share * (1 + g) < 2)
    torus = compiled.TORUS(np.where(whole, g, 1.5), np.where(whole, share, 0.5))
    ends = np.array([_snic(one) for one in safe.flat], dtype=float).reshape(*g.shape, 3)
    push = np.abs(compiled.SADDLE_NODE(safe, ends[..., 0], ends[..., 1], ends[..., 2]))
    period = np.asarray(compiled.SNIC_CONSTANT(push)) / (1 - z)

    def shown(value: Any, where: Any = moves) -> Any:
        return arguments.scalar(np.where(where, value, math.nan))

    return Boundaries(
        shown(ends[..., 0]),
        shown(compiled.HOPF(safe)),
        shown(torus, whole),
        shown(compiled.BT_ANGLE(safe)),
        shown(period),
    )


@njit(nogil=True, error_model="numpy")
def _larger(gain, small):
    """Return y_2 of the fixed point y = g R tanh(y) with the smaller part y_1, by bisection to the last digit."""
    low, high = small, 1.5 * gain  # |y| is at most sqrt(2) g
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        size = math.hypot(middle, small)
        if _rest(size, math.atan2(middle, small))[0] < gain:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@njit(nogil=True, error_model="numpy")
def _singular(gain, small):
    """Return the determinant of the Jacobian at that fixed point, its angle and its state."""
    large = _larger(gain, small)
    angle = _rest(math.hypot(large, small), math.atan2(large, small))[1]
    d1, d2 = 1.0 / math.cosh(large) ** 2, 1.0 / math.cosh(small) ** 2
    return 1.0 - gain * math.cos(angle) * (d1 + d2) + gain * gain * d1 * d2, angle, large


@njit(nogil=True, error_model="numpy")
def _snic(gain):
    """Return the largest angle with nonzero fixed points and the state there: from saddle to sink along y_1."""
    high = _larger_equal(gain)
    low = 0.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        if _singular(gain, middle)[0] < 0.0:
            low = middle
        else:
            high = middle
    small = 0.5 * (low + high)
    _, angle, large = _singular(gain, small)
    return angle, math.tanh(small), math.tanh(large)


@njit(nogil=True, error_model="numpy")
def _larger_equal(gain):
    """Return y with y = g tanh(y), both parts alike."""
    low, high = 0.0, gain
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        if _rest(math.sqrt(2.0) * middle, math.pi / 4)[0] < gain:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
