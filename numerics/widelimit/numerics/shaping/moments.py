"""Means over one Gaussian of an activation's remainder, at many scales and shifts at once.

Gauss-Legendre panels, split at kinks: a panel is half as wide as the nearest pole is far while the input is scaled by
1, and narrower in proportion beyond, so that 16 points a panel leave 1e-15.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import shaping as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.growth import too_fast, widest
from widelimit.theory.errors import InfiniteMomentError

Array = np.ndarray
REACH = 12.0  # where N(0, 1) is 1e-32
POINTS = 16
NARROWEST = 2000  # panels at most


@by_value
@dataclass(frozen=True)
class Moments:
    """The mean m, the linear part a and the moments R, S, T, U, V, W of the remainder, one entry a scale and shift."""

    mean: Array
    linear: Array
    square: Array
    steep: Array
    second: Array
    cross: Array
    tilt: Array
    bent: Array

    def values(self) -> tuple[Array, ...]:
        """Return them in the order of `SYMBOLS`."""
        return (
            self.mean, self.linear, self.square, self.steep, self.second, self.cross, self.tilt, self.bent,
        )  # fmt: skip


SYMBOLS = (
    theory.MEAN, theory.LINEAR, theory.SQUARE, theory.STEEP, theory.SECOND, theory.CROSS, theory.TILT, theory.BENT,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Unit:
    """An activation, compiled: its values and slopes, and the integrands of its remainder."""

    activation: Activation
    base: Compiled
    parts: Compiled
    kinks: tuple[float, ...]
    smooth: bool  # whether E phi''^2 exists

    def moments(self, alpha: Array, beta: Array) -> Moments:
        """Return the moments at scales and shifts, one-dimensional arrays of one length."""
        z, weight = self._nodes(alpha, beta)
        scale, shift = alpha[:, None], beta[:, None]
        with np.errstate(all="ignore"):
            value, slope = self.base(scale * z + shift)
            mean = (weight * value).sum(1)
            linear = alpha * (weight * slope).sum(1)
            parts = self.parts(z, scale, shift, mean[:, None], linear[:, None])
            means = [(weight * part).sum(1) for part in parts]
        if not self.smooth:
            means.append(np.full(alpha.shape, np.inf))
        return Moments(mean, linear, *means)

    def _nodes(self, alpha: Array, beta: Array) -> tuple[Array, Array]:
        """Return points and weights of N(0, 1), (scales, points); all scales have the same number of panels."""
        finest = float(np.max(alpha))
        count = int(min(NARROWEST, 2 * REACH * max(1.0, 2.0 * finest)))
        if not self.kinks:
            z, weight = _rule(count)
            return z[None, :], weight[None, :]
        edges = np.linspace(-REACH, REACH, count + 1)
        places = (np.array(self.kinks)[None, :] - beta[:, None]) / alpha[:, None]
        inside = np.clip(places, -REACH, REACH)
        ends = np.sort(
            np.concatenate([np.broadcast_to(edges, (alpha.size, count + 1)), inside], axis=1), axis=1
        )
        return _filled(ends)


@functools.lru_cache(maxsize=32)
def _rule(count: int) -> tuple[Array, Array]:
    z, weight = _filled(np.linspace(-REACH, REACH, count + 1)[None, :])
    return z[0], weight[0]


def _filled(ends: Array) -> tuple[Array, Array]:
    """Gauss-Legendre points between neighbouring ends, with the weights of N(0, 1)."""
    point, weight = np.polynomial.legendre.leggauss(POINTS)
    middle, half = (ends[:, 1:] + ends[:, :-1]) / 2, (ends[:, 1:] - ends[:, :-1]) / 2
    z = (middle[:, :, None] + half[:, :, None] * point).reshape(ends.shape[0], -1)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return z, (half[:, :, None] * weight).reshape(ends.shape[0], -1) * density


@functools.lru_cache(maxsize=64)
def unit(activation: Activation) -> Unit:
    """Compile an activation for shaping.

    Raises `InfiniteMomentError` where it jumps, or grows too fast for units of variance 1.
    """
    first = activation.derivative(1)
    for expr, what in ((activation.expr, "E phi^2"), (first.expr, "E phi'^2")):
        if (bound := float(widest(expr**2, X))) <= 1:
            raise too_fast(activation.name, 1.0, bound, f"{what} is")
    integrands = list(theory.integrands(activation))
    smooth = True
    try:
        integrands.append(theory.bending(activation))
    except InfiniteMomentError:
        smooth = False
    names = (X, theory.ALPHA, theory.BETA, theory.MEAN, theory.LINEAR)
    return Unit(
        activation,
        compile((activation.expr, first.expr), (X,), name="phi"),
        compile(tuple(integrands), names, name="remainder"),
        tuple(float(kink) for kink in activation.kinks),
        smooth,
    )
