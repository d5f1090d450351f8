"""Bogdanov-Takens points in closed form, and circles of the trained map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.gru import compiled
from widelimit.numerics.results import by_value
from widelimit.theory.errors import DomainError

Array = np.ndarray
_harmonic, _four = compiled.HARMONIC.njit, compiled.FOUR_CYCLE.njit
_COARSE = 64


@by_value
@dataclass(frozen=True)
class DoubleZero:
    """`states`, `biases`, (8, 2): states at rest whose Jacobian has a double zero, and the biases that make them rest.

    `coefficients`, (8, 2): a > 0 and b of y' = x, x' = a y^2 + b x y with |q_0| = 1, time in units of 1/(1 - z).
    `slopes`, (8, 2): 1 - h^2.
    """

    states: Array
    biases: Array
    coefficients: Array
    slopes: Array


def bogdanov_takens(gain: float, angle: float) -> DoubleZero:
    """Return the eight Bogdanov-Takens points of dh/dt = (1 - z)(tanh(g R(theta) h + b) - h).

    Slopes (1 +- sin theta)/(g cos theta) in either order, h = +-sqrt(1 - slope), b = artanh(h) - g R h. The gate
    moves none of them.

    Args:
        gain: g, at least tan(pi/4 + angle/2).
        angle: theta, between 0 and pi/2.

    Raises `ArgumentError` outside these ranges, `DomainError` where the gain is too small for a double zero.

    >>> import math
    >>> found = bogdanov_takens(2.0, math.pi / 6)
    >>> found.states[0].round(7).tolist(), found.biases[0].round(7).tolist()
    ([0.3660254, -0.8434008], [-1.0935495, -0.1380512])
    >>> found.coefficients[0].round(6).tolist()
    [0.913419, -0.362737]
    """
    g = arguments.single("gain", compiled.gain(gain))
    t = arguments.single("angle", compiled.angle(angle))
    rows = []
    for way in (1, -1):
        d1, d2 = (float(compiled.BT_SLOPE(g, t, one)) for one in (way, -way))
        if max(d1, d2) > 1:
            least = math.tan(math.pi / 4 + t / 2)
            raise DomainError(
                f"A rotation by {t:g} with gain {g:g} has no Bogdanov-Takens point: the gain has to be {least:.6g} "
                "or more."
            )
        for first in (1, -1):
            for second in (1, -1):
                h = first * math.sqrt(1 - d1), second * math.sqrt(1 - d2)
                rows.append((*h, *compiled.BIAS(g, t, *h), *compiled.BT_COEFFICIENTS(g, t, way, *h), d1, d2))
    order = [1, 3, 0, 2, 5, 7, 4, 6]
    table = np.array(rows)[order]
    table[:, 4:6] *= np.where(table[:, 4] < 0, -1.0, 1.0)[:, None]
    return DoubleZero(table[:, :2], table[:, 2:4], table[:, 4:6], table[:, 6:])


@by_value
@dataclass(frozen=True)
class Circle:
    """The invariant circle of the map around the origin; NaN where the origin is stable.

    `phase`: "rest" or "circle"; `modulus`, `rotation`: of the multiplier, radians a step; `radius`: root mean square,
    to first order in modulus - 1; `describing`: the radius by harmonic balance; `weak_radius`, `weak_rotation`: both on
    the circle, to second order in modulus - 1 (NaN where that says nothing, far from the border).
    """

    phase: Any
    modulus: Any
    rotation: Any
    radius: Any
    describing: Any
    weak_radius: Any
    weak_rotation: Any


def circle(gain: Any, angle: Any, *, update_gate: Any = 0.5, step: Any = 1.0) -> Circle:
    """Return the rotation of the trained map h' = h + s (tanh(g R(theta) h) - h), s = step (1 - update_gate).

    Where arg lambda comes to pi/2 the circle breaks into a resonance; that is not excluded here.

    >>> found = circle(1.5, 1.3)
    >>> round(found.modulus, 9), round(found.rotation, 9), round(found.radius, 9), round(found.describing, 6)
    (1.006540671, 0.800885318, 0.132883279, 0.133837)
    >>> round(found.weak_radius, 6), round(found.weak_rotation, 6)  # the map itself: 0.133743, 0.797321
    (0.133725, 0.797323)
    """
    g, t, z, d = arguments.broadcast(
        gain=compiled.gain(gain),
        angle=compiled.angle(angle),
        update_gate=compiled.gate(update_gate),
        step=compiled.step(step),
    )
    share = d * (1 - z)
    size, turn, square = (np.asarray(one) for one in compiled.MAP(g, t, share))
    moves = square > 0
    radius = np.sqrt(np.where(moves, square, math.nan))
    near, slow = (np.asarray(one) for one in compiled.CIRCLE(g, t, share))
    known = moves & (near > 0)
    rows = zip(g.flat, t.flat, share.flat, moves.flat, strict=True)
    turned = np.array([_balanced_map(*one) if turns else math.nan for *one, turns in rows])
    return Circle(
        arguments.scalar(np.where(moves, "circle", "rest")),
        arguments.scalar(size),
        arguments.scalar(turn),
        arguments.scalar(radius),
        arguments.scalar(turned.reshape(g.shape)),
        arguments.scalar(np.sqrt(np.where(known, near, math.nan))),
        arguments.scalar(np.where(known, slow, math.nan)),
    )


@by_value
@dataclass(frozen=True)
class Vanilla:
    """The circle of h' = tanh(g R(theta) h): `radius` to first order, `describing` by harmonic balance, at any angle.

    `four_cycle`: the radius of the exact cycle of four at theta = pi/2. All 0 where g is at most 1.
    """

    radius: Any
    describing: Any
    four_cycle: Any


def vanilla(gain: Any) -> Vanilla:
    """Return the circles of a vanilla network that is a rotation with a gain; its threshold is g = 1 at every angle.

    >>> found = vanilla(1.25)
    >>> round(found.radius, 6), round(found.describing, 6), round(found.four_cycle, 5)
    (0.715542, 0.832741, 1.00467)
    """
    g = compiled.gain(gain)
    weak = np.sqrt(np.maximum(np.asarray(compiled.VANILLA(g)), 0.0))
    pairs = np.array([(balanced(1.0 / one), _four_cycle(one)) if one > 1 else (0.0, 0.0) for one in g.flat])
    pairs = pairs.reshape(*g.shape, 2)
    return Vanilla(*(arguments.scalar(np.asarray(one)) for one in (weak, pairs[..., 0] / g, pairs[..., 1])))


@njit(nogil=True, error_model="numpy")
def describing(size):
    """Return a_1(A) = (1/pi) int tanh(A cos p) cos p dp, by a periodic rule with as many points as A asks for."""
    count = int(min(40 * (1.0 + size), 400000.0)) // 4 * 4 + 4 * _COARSE
    total = 0.0
    for k in range(count // 4):  # a quarter turn, from its middle points
        total += _harmonic(size, 2.0 * math.pi * (k + 0.5) / count)
    return total * 8.0 * math.pi / count


@njit(nogil=True, error_model="numpy")
def balanced(ratio):
    """Return A with a_1(A) = ratio A, 0 < ratio < 1 (it falls from 1): bisection, then secants are not needed."""
    low, high = 0.0, 4.0 / math.pi / ratio
    for _ in range(60):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        if describing(middle) > ratio * middle:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@njit(nogil=True, error_model="numpy")
def _balanced_map(gain, angle, share):
    """Return R with |1 - s + s g exp(i theta) N(A)| = 1, N = a_1(A)/A at A = g R."""
    # |.|^2 = (1 - s)^2 + 2 s (1 - s) g cos(theta) N + s^2 g^2 N^2 rises with N: solve for N
    b = (1.0 - share) * math.cos(angle)
    root = (2.0 - share) / (b + math.sqrt(b * b + share * (2.0 - share)))
    return balanced(root / gain) / gain


@njit(nogil=True, error_model="numpy")
def _four_cycle(gain):
    low, high = 0.0, 1.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        if _four(middle) < gain:
            low = middle
        else:
            high = middle
    return math.sqrt(2.0) * 0.5 * (low + high)
