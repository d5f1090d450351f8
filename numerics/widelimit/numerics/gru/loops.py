"""`homoclinic`: the bias at which a saddle's manifolds meet, by their splitting on a ray, and the period beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from widelimit.numerics import arguments
from widelimit.numerics.cells import Cell
from widelimit.numerics.compile import compile
from widelimit.numerics.gru import compiled
from widelimit.numerics.gru.complete import roots
from widelimit.numerics.gru.oscillating import cell as cell_of
from widelimit.numerics.orbits import integration as flow
from widelimit.numerics.results import by_value
from widelimit.theory import gru as t
from widelimit.theory.errors import ArgumentError, ConvergenceError

Array = np.ndarray
_GAP = compile(t.homoclinic_gap(), (t.DISTANCE, t.RETURN, t.NU), name="homoclinic_gap")
_PERIOD = compile(t.homoclinic_period(), (t.DISTANCE, t.CONSTANT, t.GROWTH), name="homoclinic_period")
START = 1e-6  # on the manifolds' tangents: what they bend by then is below rounding when they meet the ray
_DT, _LONGEST = 0.1, 4_000
_HELP = "Bracket the bias at which the cycle meets the saddle; numerics.gru.portrait shows both sides."


@by_value
@dataclass(frozen=True)
class Homoclinic:
    """A homoclinic orbit of dh/dt = tanh(g R(theta) h + b) - h, time in units of 1/(1 - z).

    `bias_1`, `error`: where the manifolds meet, and how far rounding and the last bracket leave it open (an estimate,
    not a proof). `saddle`; `lambda_u`, `lambda_s`: its eigenvalues; `splitting`: of the manifolds at both ends of
    the bracket, unstable minus stable, on the ray from the focus away from the saddle.
    """

    bias_1: float
    error: float
    saddle: Array
    lambda_u: float
    lambda_s: float
    splitting: tuple[float, float]

    def period(self, bias_1: Any, *, constant: float, back: float, scale: float) -> Any:
        """Return the period of the cycle beside it, c - log(x)/lambda_u with x - alpha x^nu = |bias_1 - its own|/scale.

        The bare logarithm of the distance is three per cent off at 1e-8. `constant`, `back` (alpha) and `scale` are
        what a fit of measured periods gives. Raises `ArgumentError` where the law has no solution x below 1.
        """
        gaps = np.abs(arguments.real("bias_1", bias_1) - self.bias_1) / arguments.positive_number(
            "scale", scale
        )
        alpha, c = arguments.finite_number("back", back), arguments.finite_number("constant", constant)
        ratio = -self.lambda_s / self.lambda_u

        def one(gap: float) -> float:
            def miss(x: float) -> float:
                return float(_GAP(x, alpha, ratio)) - gap

            if not miss(1e-300) < 0 < miss(1.0):
                must = "must lie where the law has a solution: near the homoclinic bias, not on it"
                raise ArgumentError("bias_1", must, gap)
            x = math.exp(brentq(lambda y: miss(math.exp(y)) / max(gap, 1e-300), -690.0, 0.0, xtol=1e-14))
            return float(_PERIOD(x, c, self.lambda_u))

        return arguments.scalar(np.array([one(float(gap)) for gap in gaps.flat]).reshape(gaps.shape))


def homoclinic(gain: float, angle: float, *, bias_2: float, bracket: Any) -> Homoclinic:
    """Return the bias b_1 at which a saddle's unstable manifold comes back along its stable one.

    Args:
        gain: g.
        angle: theta, between 0 and pi/2.
        bias_2: b_2, held.
        bracket: two values of b_1 between which the splitting changes its sign.

    Raises `ArgumentError` outside these ranges, and for a bracket without a saddle, a focus beside it, or a change of
    sign.

    >>> import math
    >>> found = homoclinic(2.0, math.pi / 6, bias_2=-0.16, bracket=(-1.0945, -1.0940))
    >>> round(found.bias_1, 11), round(found.lambda_u, 9), round(found.lambda_s, 9)
    (-1.09423668478, 0.365777913, -0.408009077)
    >>> round(found.period(-1.0945, constant=3.0, back=0.5, scale=1.0), 4)
    24.9299
    """
    g = arguments.single("gain", compiled.gain(gain))
    theta = arguments.single("angle", compiled.angle(angle))
    second = arguments.number_within("bias_2", bias_2, -1e6, 1e6)
    ends = arguments.vector("bracket", bracket)
    if ends.size != 2 or not ends[0] < ends[1] or np.abs(ends).max() > 1e6:
        raise ArgumentError("bracket", "must be two increasing biases", bracket, _HELP)

    def split(first: float) -> float:
        return _splitting(cell_of(g, theta, 0.5, (first, second)))

    low, high = (split(float(one)) for one in ends)
    if not low * high < 0:
        what = f"has {low:.6g} and {high:.6g}"
        raise ArgumentError("bracket", "must change the sign of the splitting", but=what, help=_HELP)
    bias = float(brentq(split, float(ends[0]), float(ends[1]), xtol=4e-16 * abs(ends[0]), rtol=1e-15))
    slope = (high - low) / float(ends[1] - ends[0])
    near = cell_of(g, theta, 0.5, (bias, second))
    saddle, _, rates, _ = saddle_of(near)
    error = abs(split(bias) / slope) + 4e-15 / abs(slope) + 2.3e-16 * abs(bias)
    return Homoclinic(bias, error, saddle, 2 * rates[0], 2 * rates[1], (low, high))


def saddle_of(cell: Cell) -> tuple[Array, Array, tuple[float, float], tuple[Array, Array]]:
    """Return the saddle with the nearest focus: both points, rates and directions of the saddle; time as the cell's."""
    found = roots(cell).states
    pairs = []
    kinds = [np.linalg.eigvals(cell.jacobian(h) - np.eye(2)) for h in found]
    for h, own in zip(found, kinds, strict=True):
        if own.imag.any() or own.real.min() >= 0 or own.real.max() <= 0:
            continue
        pairs += [
            (float(np.linalg.norm(h - other)), h, other)
            for other, turn in zip(found, kinds, strict=True)
            if turn.imag.any()
        ]
    if not pairs:
        raise ArgumentError(
            "bracket", "must hold biases with a saddle and a focus", but="has none of them", help=_HELP
        )
    _, saddle, focus = min(pairs, key=lambda one: one[0])
    values, vectors = np.linalg.eig(cell.jacobian(saddle) - np.eye(2))
    order = np.argsort(-values.real)
    rates = (float(values[order[0]].real), float(values[order[1]].real))
    return saddle, focus, rates, (np.real(vectors[:, order[0]]), np.real(vectors[:, order[1]]))


def _splitting(cell: Cell) -> float:
    """Where the unstable manifold meets the ray from the focus away from the saddle, less where the stable one does."""
    saddle, focus, _, directions = saddle_of(cell)
    (_, out), (_, into) = branches(cell, saddle, focus, directions)
    return out - into


def branches(
    cell: Cell, saddle: Array, focus: Array, directions: tuple[Array, Array]
) -> list[tuple[Array, float]]:
    """Return of the unstable and the stable manifold the direction of the side that meets the ray, and where it does.

    Raises `ArgumentError` where one of them does not come round.
    """
    ray = (focus - saddle) / np.linalg.norm(focus - saddle)
    found: list[tuple[Array, float]] = []
    for direction, sign in zip(directions, (1.0, -1.0), strict=True):
        met = [
            (_meets(cell, saddle + START * side, focus, ray, sign), side) for side in (direction, -direction)
        ]
        best = min(
            ((hit, side) for hit, side in met if hit is not None), key=lambda one: one[0], default=None
        )
        if best is None:
            must = "must hold biases at which the saddle's manifolds turn around the focus"
            raise ArgumentError("bracket", must, but="does not", help=_HELP)
        found.append((best[1], best[0][1]))
    return found


def _meets(cell: Cell, start: Array, focus: Array, ray: Array, sign: float) -> tuple[float, float] | None:
    """When and how far out a trajectory first crosses the ray; None if it does not."""
    trail = np.empty((_LONGEST, 2))
    count = flow.path(cell.code, cell.weights, cell.offsets, start, _DT, sign, trail)
    across = np.array([-ray[1], ray[0]])
    side, along = (trail[:count] - focus) @ across, (trail[:count] - focus) @ ray
    hits = np.flatnonzero((side[:-1] * side[1:] < 0) & (along[:-1] > 0))
    if not hits.size:
        return None
    k = int(hits[0])
    rows, time = trail[k][None].copy(), 0.0
    for _ in range(12):
        off = float((rows[0] - focus) @ across)
        speed = float(sign * (cell.step(rows[0]) - rows[0]) @ across)
        move = -off / speed
        if abs(move) < 1e-15 * max(1.0, time) or abs(off) < 1e-17:
            break
        time += move
        rows = trail[k][None].copy()
        if time > 0 and flow.advance(cell.code, cell.weights, cell.offsets, rows, time, _DT, sign) == 0.0:
            raise ConvergenceError("The manifolds of the saddle could not be followed to the last digit.")
    return k * _DT + time, float((rows[0] - focus) @ ray)
