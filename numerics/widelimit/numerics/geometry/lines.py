"""A straight line of inputs on its way through a network: lengths and kinks crossed, to a stated error.

Layer by layer q = E h^2, s = E h hdot and a = E hdot^2 - s^2/q close among themselves (``theory.geometry``). Near the
origin the direction of h turns within a small part of the line: with t0 the point next to the origin and w its distance
over the speed, integrals run over u with t = t0 + w sinh(u), in which turns and the rest of the line are alike smooth.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Piecewise

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.jacobian.slope_laws import slope_law
from widelimit.numerics.kernel.maps import moments
from widelimit.numerics.results import by_value
from widelimit.theory import geometry as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.errors import ArgumentError, ConvergenceError, DomainError
from widelimit.theory.kernel import SIGMA_B, SIGMA_W

TOLERANCE = 1e-10  # of lengths and crossings, relative to the larger of 1 and the value
SECONDS = 0.02  # of a layer
POINTS = 4000  # more Gauss nodes take minutes
WORST = 1e-6  # an error above is no result
MOST = 20_000  # positions at which integrands are evaluated, for each layer
_ON_RAY = 1e-15  # distance of the line from the origin, over the inputs' lengths, that rounding alone makes
_TURNED = 1e-15  # the same for the part of a motion along the ray that leaves it
_NEAREST = 1e-12  # w of lines through the origin, over their length
_TANGENT = (
    1e-10  # variance below which phi is its tangents at 0, right to a root of it; formulas lose their digits
)
_SMALL = 1e-30  # variance at the origin itself, over the largest, in place of 0

Array = np.ndarray
_Integrand = Callable[[Array], Array]


@by_value
@dataclass(frozen=True)
class Line:
    """The image of a straight line of inputs; arrays (layers, positions), `position` in [0, 1] along the line.

    `q` = E h^2, `metric` = E hdot^2 by position, per unit. `length`: (layers,) per square root of the width.
    `crossings`: (layers,) expected number of kinks crossed along the whole line, per unit; times the width it is
    the number of changes of the activation pattern. `length_error`, `crossings_error`: estimated errors of integration.
    """

    position: Array
    q: Array
    metric: Array
    length: Array
    crossings: Array
    length_error: Array
    crossings_error: Array


@functools.lru_cache(maxsize=64)
def _steps(activation: Activation) -> tuple[Compiled, Compiled]:
    t = theory
    scales = (SIGMA_W, SIGMA_B)
    closed = not activation.kinks or all(part.is_polynomial(X) for part in activation.pieces.exprs)
    return (
        compile(t.line_step(activation, closed), (t.Q, t.CROSS, t.MOMENT, *scales), name="line"),
        compile(t.across_step(activation, closed), (t.Q, t.ACROSS, *scales), name="across"),
    )


@functools.cache
def _rates() -> tuple[Compiled, Compiled]:
    t = theory
    rate = t.crossing_rate().subs(t.MOMENT, t.ACROSS + t.CROSS**2 / t.Q)
    return (
        compile(rate, (t.Q, t.CROSS, t.ACROSS, t.LEVEL), name="crossing"),
        compile(t.crossing_rate_on_ray(), (t.Q, t.CROSS, t.LEVEL), name="crossing_on_ray"),
    )


@functools.cache
def _at_origin() -> Compiled:
    return compile(theory.crossings_at_origin(), (theory.CORRELATION,), name="crossings_at_origin")


def line(
    start: Any, end: Any, *, activation: str | Activation = "relu", sigma_w: float, sigma_b: float = 0.0,
    depth: int = 1,
    points: int = 257,
) -> Line:  # fmt: skip
    """Follow the segment from input `start` to input `end`, both (n_0,), through `depth` hidden layers.

    Layer by layer q = E h^2, s = E h hdot and m = E hdot^2 close among themselves (``theory.geometry.line_step``);
    the length is the integral of sqrt(m), the expected number of crossings of a kink Rice's integral. Integrals are
    adaptive, with an estimate of their errors; `points` is the number of positions at which q and m are returned.
    Where a line passes the origin of a network without biases, units turn there all at once: those that then have
    another sign are counted, not what lines next to it cross and cross back.

    Raises `ArgumentError` for inputs that do not fit, `DomainError` where variances overflow, `ConvergenceError` where
    an integral is not found to 1e-6.

    >>> out = line([1.0, 0.0], [0.0, 1.0], activation="relu", sigma_w=2**0.5, depth=1)
    >>> float(out.crossings[0].round(6))  # the two directions are 90 degrees apart: a half-space boundary between them
    0.5
    >>> line([1.0, 0.2], [-1.0, -0.2], sigma_w=1.0, depth=2).crossings.round(6).tolist()  # through the origin
    [1.0, 0.5]
    >>> out = line([1.0, 0.0], [3.0, 0.0], activation="hard_tanh", sigma_w=2.0)  # on a ray: units that outgrow a kink
    >>> out.crossings.round(6).tolist()  # P(1/3 < abs(w) sqrt(2) < 1), w ~ N(0, 1)
    [0.334164]
    >>> out = line([1.0, 0.0], [0.5, 1.0], activation="hard_tanh", sigma_w=2.0, sigma_b=0.3, depth=2)
    >>> out.length.round(6).tolist(), out.crossings.round(6).tolist()
    ([1.581139, 2.193864, 2.981138], [0.544051, 0.712055])
    """
    phi = Activation.of(activation)
    first, last = (arguments.vector(name, value) for name, value in (("start", start), ("end", end)))
    if first.size != last.size:
        raise ArgumentError(
            "end", f"must have as many features as `start`, {first.size}", but=f"has {last.size}"
        )
    depth, points = arguments.count("depth", depth), arguments.count("points", points, least=3)
    sw = arguments.positive_number("sigma_w", sigma_w)
    sb = arguments.non_negative_number("sigma_b", sigma_b)
    for name, value in (("sigma_w", sw), ("sigma_b", sb)):
        arguments.squared(name, np.asarray(value))
    if points > POINTS:
        raise ArgumentError("points", f"must be at most {POINTS}", points, "Integrals do not depend on it.")
    costs.affordable("depth", depth, memory=16.0 * points, seconds=SECONDS)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        return _Path(phi, first, last, sw, sb, depth).result(points)


class _Path:
    """The line as layer 1 sees it, and the recursion above."""

    def __init__(self, phi: Activation, first: Array, last: Array, sw: float, sb: float, depth: int) -> None:
        self.phi, self.sw, self.sb, self.depth = phi, sw, sb, depth
        self.levels = [float(kink) for kink in phi.kinks]
        self.through_zero = bool(phi.expr.subs(X, 0) == 0) and sb == 0.0
        self.tangent = slope_law(phi, 0.0).moment(1) if self.through_zero else 0.0
        step, n = last - first, first.size
        self.scale = max(float(np.abs(first).max()), float(np.abs(last).max()), 1e-300)
        x, d = first / self.scale, step / self.scale  # squares of huge and tiny inputs keep their range
        speed = float(d @ d)
        gain = float(np.float64(sw * self.scale) ** 2) / n
        self.nearest = -float(x @ d) / speed if speed > 0 else 0.0
        foot = x + self.nearest * d
        size = float(np.linalg.norm(foot))
        near_ray = size <= _ON_RAY * n * (1.0 + abs(self.nearest)) and speed > 0
        self.moment = gain * speed
        self.least = (0.0 if near_ray else gain * size**2) + sb**2
        self.on_ray = self.least == 0.0
        width = math.sqrt(self.least / self.moment) if self.moment > 0 else 1.0
        self.width = max(width, _NEAREST)
        if not (math.isfinite(self.moment) and math.isfinite(self.least)):
            raise DomainError(
                "The variances of the first layer overflow. Scale the inputs or `sigma_w` down."
            )

    def first_layer(self, offset: Array) -> tuple[Array, Array, Array]:
        """Return q, s and a at the distances `offset` in t from the point next to the origin."""
        q = self.least + self.moment * offset**2
        across = self.moment * (0.0 if self.on_ray else self.least / q)
        floor = max(_SMALL * max(self.moment, self.least), 1e-300)
        at_origin = q < floor
        q = np.where(at_origin, floor, q)
        return (
            q,
            np.where(at_origin, 0.0, self.moment * offset),
            np.where(at_origin, self.moment, across) * np.ones_like(offset),
        )

    def layers(self, offset: Array) -> tuple[Array, Array, Array]:
        """Return q, m (depth + 1, n) and the rates of crossing (depth, n) at `offset`."""
        advance, turn = _steps(self.phi)
        q, cross, across = self.first_layer(offset)
        qs, metrics, rates = [q], [across + cross * (cross / q)], []
        for layer in range(self.depth):
            rates.append(self._rate(q, cross, across))
            following, new_cross, _ = advance(q, cross, across + cross * (cross / q), self.sw, self.sb)
            stretched, turned = turn(q, across, self.sw, self.sb)
            along = np.where(following > 0, new_cross * (new_cross / following), 0.0)
            turned = (cross / q) ** 2 * turned
            turned = np.where(turned <= _TURNED * (along + turned), 0.0, turned)
            small = (q < _TANGENT) & self.through_zero
            gain = self.sw**2 * self.tangent
            along = np.where(small, gain * cross * (cross / q), along)
            across = np.where(small, gain * across, stretched + turned)
            cross = np.where(small, gain * cross, new_cross)
            q = np.where(small, gain * q, following)
            if not (np.isfinite(q).all() and np.isfinite(across).all() and np.isfinite(cross).all()):
                raise DomainError(
                    f"The variances of {self.phi.name} overflow in layer {layer + 2} at sigma_w = {self.sw:g}. "
                    "Reduce it, or the depth."
                )
            if (q <= 0).any():
                raise DomainError(
                    f"The variances of {self.phi.name} vanish in layer {layer + 2} at sigma_w = {self.sw:g}. "
                    "Raise sigma_w or sigma_b, or take fewer layers."
                )
            qs.append(q)
            metrics.append(across + along)
        return np.array(qs), np.array(metrics), np.array(rates)

    def _rate(self, q: Array, cross: Array, across: Array) -> Array:
        """Crossings per unit of t, in units of sqrt(q), which leaves rates as they are."""
        rate, on_ray = _rates()
        drift, spread, size = cross / q, across / q, np.sqrt(q)
        total = np.zeros_like(q)
        for level in self.levels:
            moving = np.where(spread > 0, spread, 1.0)
            total += np.where(
                spread > 0, rate(1.0, drift, moving, level / size), on_ray(1.0, drift, level / size)
            )
        return total

    def result(self, points: int) -> Line:
        """Integrate, and tabulate at `points` positions."""
        position = 0.5 * (1 + np.polynomial.legendre.leggauss(points)[0])
        q, metric, _ = self.layers(position - self.nearest)
        if self.moment == 0.0:  # a point
            none = np.zeros(self.depth + 1)
            return Line(position, q, metric, none, none[1:], none, none[1:])

        def integrand(u: Array) -> Array:
            _, m, rates = self.layers(self.width * np.sinh(u))
            return np.concatenate([np.sqrt(m), rates]) * (self.width * np.cosh(u))

        ends = np.arcsinh((np.array([0.0, 1.0]) - self.nearest) / self.width)
        value, error = integrate(integrand, float(ends[0]), float(ends[1]))
        split = self.depth + 1
        crossings = value[split:] + (self._turns() if self.on_ray and 0.0 < self.nearest < 1.0 else 0.0)
        return Line(position, q, metric, value[:split], crossings, error[:split], error[split:])

    def _turns(self) -> Array:
        """What the origin itself adds to the crossings of each layer, (depth,)."""
        if 0.0 not in self.levels or self.phi.expr.subs(X, 0) != 0:
            first = np.zeros(self.depth)
            first[0] = 1.0 if 0.0 in self.levels else 0.0
            return first
        found, rho = [], -1.0
        left, right = _tangents(self.phi)
        if left == right == 0.0:
            raise DomainError(
                f"{self.phi.name} is flat at 0: the units of a network without biases vanish where the line passes the "
                "origin. Raise sigma_b, or move the line."
            )
        tangents = Activation.of(Piecewise((right * X, X > 0), (left * X, True)))
        for _ in range(self.depth):
            found.append(float(_at_origin()(rho)))
            if left != right:
                layer = moments(tangents, 1.0, rho)
                rho = max(-1.0, min(1.0, layer.t / layer.v))
        return np.array(found)


def _tangents(activation: Activation) -> tuple[float, float]:
    """The slopes of an activation on the left and on the right of 0."""
    slopes = activation.derivative().regular
    below = sum(1 for b in slopes.breaks if b < 0)
    above = sum(1 for b in slopes.breaks if b <= 0)
    left, right = (float(slopes.exprs[k].subs(slopes.variable, 0)) for k in (below, above))
    return left, right


_KRONROD = np.array(
    [
        0.991455371120812639206854697526329, 0.949107912342758524526189684047851, 0.864864423359769072789712788640926,
        0.741531185599394439863864773280788, 0.586087235467691130294144691693013, 0.405845151377397166906606412076961,
        0.207784955007898467600689403773245, 0.0,
    ]
)  # fmt: skip
_WEIGHTS = np.array(
    [
        0.022935322010529224963732008058970, 0.063092092629978553290700663189204, 0.104790010322250183839876322541518,
        0.140653259715525918745189590510238, 0.169004726639267902826583426598550, 0.190350578064785409913256402421014,
        0.204432940075298892414161999234649, 0.209482141084727828012999174891714,
    ]
)  # fmt: skip
_NODES = np.concatenate([-_KRONROD, _KRONROD[-2::-1]])
_WEIGHTS = np.concatenate([_WEIGHTS, _WEIGHTS[-2::-1]])
_GAUSS = np.zeros(15)
_GAUSS[1::2] = np.polynomial.legendre.leggauss(7)[1]


def integrate(function: _Integrand, low: float, high: float) -> tuple[Array, Array]:
    """Integrate all rows of function(u), u (n,), adaptively by the 15-point rule of Gauss and Kronrod.

    Returns values and error estimates, one a row. Raises `ConvergenceError` where `MOST` positions do not give
    them to `WORST`.
    """
    panels = np.linspace(low, high, max(3, math.ceil(abs(high - low) / 4.0) + 1))
    left, right = panels[:-1], panels[1:]
    value: Array | float = 0.0
    error: Array | float = 0.0
    used = 0
    while left.size:
        used += 15 * left.size
        half, middle = 0.5 * (right - left), 0.5 * (right + left)
        rows = function((middle[:, None] + half[:, None] * _NODES).ravel()).reshape(-1, left.size, 15)
        fine, coarse = (rows @ weights * half for weights in (_WEIGHTS, _GAUSS))
        size = np.abs(rows) @ _WEIGHTS * np.abs(half)
        missed = np.minimum(np.abs(fine - coarse), size)
        missed = np.minimum(missed, size * (200.0 * missed / np.maximum(size, 1e-300)) ** 1.5)  # as QUADPACK
        allowed = TOLERANCE * np.maximum(1.0, np.sum(size, axis=1, keepdims=True)) * 0.02
        done = (missed <= allowed).all(axis=0) | (np.abs(half) < 1e-13 * (1.0 + np.abs(middle)))
        value = value + fine[:, done].sum(axis=1)
        error = error + (missed + 1e-15 * size)[:, done].sum(axis=1)
        middle, left, right = middle[~done], left[~done], right[~done]
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        if used > MOST:  # rounding, if not the integrand: what is missed is told
            left = right = np.empty(0)
            value, error = value + fine[:, ~done].sum(axis=1), error + missed[:, ~done].sum(axis=1)
    if (error > WORST * np.maximum(1.0, np.abs(value))).any():
        raise ConvergenceError(
            f"The lengths and crossings of this line were found to {float(np.max(error)):.2g} only, with {used} "
            "positions. Split the line, or take fewer layers."
        )
    return np.asarray(value), np.asarray(error)
