"""What a GRU with resting gates does in continuous time: rest, a cycle, or one of four corners."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.cells import Cell
from widelimit.numerics.gru import compiled
from widelimit.numerics.gru.borders import boundaries
from widelimit.numerics.gru.points import balanced
from widelimit.numerics.orbits import close, settle
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ConvergenceError

Array = np.ndarray
_FINEST = 2**12  # pieces of a period; sharper corners leave the trapezoidal rule
_TURN = 2 * math.pi


@by_value
@dataclass(frozen=True)
class Cycle:
    """Numbers of a cycle in an approximation: period, root mean square radius, transverse exponent; NaN if unknown."""

    period: Any
    radius: Any
    floquet_exponent: Any

    @property
    def frequency(self) -> Any:
        """2 pi/period."""
        return _TURN / self.period


@by_value
@dataclass(frozen=True)
class Oscillation:
    """What the plane does: `phase` "rest", "cycle" or "corners"; the rest is NaN where there is no cycle.

    `period` in units of the differential equation; `radius`: root mean square; `floquet_exponent`: of the transverse
    direction, negative. `weak`: the same to second order from the Hopf bifurcation; `strong`: at infinite gain;
    `describing`: the radius by harmonic balance. `crossing`: where the cycle at infinite gain crosses the axes of R h.
    """

    phase: Any
    period: Any
    radius: Any
    floquet_exponent: Any
    weak: Cycle
    strong: Cycle
    describing: Any
    crossing: Any

    @property
    def frequency(self) -> Any:
        """2 pi/period."""
        return _TURN / self.period


def oscillation(gain: Any, angle: Any, *, update_gate: Any = 0.5) -> Oscillation:
    """Return rest, cycle or corners of dh/dt = (1 - z)(tanh(g R(theta) h) - h), and the cycle's numbers.

    Args:
        gain: g = r_0 rho, not rho. Arrays broadcast; each cycle is found by Newton's method to 12 digits.
        angle: theta in radians, between 0 and pi/2.
        update_gate: z, between 0 and 1; times scale with 1/(1 - z).

    Raises `ArgumentError` outside these ranges, `ConvergenceError` for a cycle that is too slow to be followed: next to
    a border.

    >>> found = oscillation(1.5, 0.7)
    >>> found.phase, round(found.period, 9), round(found.radius, 9), round(found.floquet_exponent, 9)
    ('cycle', 14.97720004, 0.524819976, -0.122251091)
    >>> round(found.weak.period, 6), round(found.weak.radius, 6), round(found.describing, 6)
    (14.968844, 0.516964, 0.524084)
    >>> steep = oscillation(10.0, 1.05)  # against infinite gain
    >>> round(steep.period, 6), round(steep.strong.period, 6), round(steep.crossing, 6)
    (8.841711, 10.446417, 0.995142)
    """
    g, t, z = arguments.broadcast(
        gain=compiled.gain(gain), angle=compiled.angle(angle), update_gate=compiled.gate(update_gate)
    )
    border = boundaries(g, update_gate=z)
    turns = (g > 1) & (t > border.snic) & (t < border.hopf)
    corners = (g > 1) & (t <= border.snic)
    phase = np.where(turns, "cycle", np.where(corners, "corners", "rest"))
    rows = [
        _cycle(*map(float, one)) if here else (math.nan,) * 4
        for *one, here in zip(g.flat, t.flat, z.flat, turns.flat, strict=True)
    ]
    table = np.array(rows, dtype=float).reshape(*g.shape, 4)
    period, radius, exponent, describing = (table[..., k] for k in range(4))
    weak = _weak(g, t, z, turns)
    strong, crossing = _strong(t, z)
    return Oscillation(
        _plain(phase),
        _plain(period),
        _plain(radius),
        _plain(exponent),
        weak,
        strong,
        _plain(describing),
        _plain(crossing),
    )


def cell(gain: float, angle: float, gate: float, biases: Any = (0.0, 0.0)) -> Cell:
    """Return the GRU in the papers' form: reset gates 1/2, U_h = 2 g R(theta), update gates `gate`."""
    c, s = 2 * gain * math.cos(angle), 2 * gain * math.sin(angle)
    still = np.zeros((4, 2))
    weights = np.concatenate([still, [[c, -s], [s, c]]])
    logit = math.log(gate) - math.log1p(-gate)
    drives = np.stack([np.zeros(6), np.array([0.0, 0.0, logit, logit, *biases])])
    return Cell("gru-paper", weights, np.zeros((6, 0)), drives, np.zeros(0))


def _cycle(gain: float, angle: float, gate: float) -> tuple[float, float, float, float]:
    """Period, radius, exponent, and the radius by harmonic balance; in units of 1/(1 - z) first."""
    unit = cell(gain, angle, 0.5)
    guess = balanced(1 / (gain * math.cos(angle))) / gain if gain * math.cos(angle) > 1 else 0.5
    try:
        found = settle(unit, np.array([guess, 0.0]))
    except ConvergenceError:
        raise ConvergenceError(
            f"The cycle at gain {gain:g} and angle {angle:g} is too slow to be followed: it is next to a border."
        ) from None
    last, pieces = math.inf, len(found.states) - 1
    while True:
        ring = found.states[:-1]
        exponent = float(np.mean(compiled.TRACE(gain, angle, 0.0, ring[:, 0], ring[:, 1], 0.0, 0.0)))
        if abs(exponent - last) < 1e-12:
            break
        if pieces >= _FINEST:  # the areas of the pieces say the same without a quadrature
            exponent = float(np.log(np.abs(np.linalg.det(found.transfers))).sum()) / found.period * 2
            break
        last, pieces = exponent, 4 * pieces
        found = close(unit, found.states[0], found.period, pieces) or found
    radius = math.sqrt(float((ring**2).sum(1).mean()))
    return found.period * 0.5 / (1 - gate), radius, exponent * (1 - gate), guess


def _weak(g: Array, t: Array, z: Array, turns: Array) -> Cycle:
    onset = np.where(turns, compiled.ONSET(g, t), math.nan)
    square, frequency, exponent = compiled.WEAK(onset, t, z)
    return _shown(_TURN / np.asarray(frequency), np.sqrt(square) / g, np.asarray(exponent))


def _strong(t: Array, z: Array) -> tuple[Cycle, Any]:
    steep = t > math.pi / 4
    period, crossing, exponent = compiled.STRONG(np.where(steep, t, 1.0), z)
    lost = [np.where(steep, one, math.nan) for one in (period, crossing, exponent)]
    return _shown(lost[0], np.full(t.shape, math.nan), lost[2]), _plain(lost[1])


def _shown(*arrays: Array) -> Cycle:
    return Cycle(
        **{
            field.name: arguments.scalar(np.asarray(one))
            for field, one in zip(fields(Cycle), arrays, strict=True)
        }
    )


def _plain(value: Any) -> Any:
    return arguments.scalar(np.asarray(value))
