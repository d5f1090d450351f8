"""Curves of inputs in wide networks: length, curvature, Gauss map, kinks crossed, layer by layer.

`predict` follows a circle at the length fixed point; `line` follows any straight line of inputs exactly, fixed
point or not, and counts the kinks of the activation that its image crosses.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import geometry as theory
from widelimit.theory.activation import Activation
from widelimit.theory.activation import x as X
from widelimit.theory.errors import ArgumentError, InfiniteMomentError
from widelimit.theory.expectation import Expectation
from widelimit.theory.kernel import SIGMA_B, SIGMA_W, slope


@by_value
@dataclass(frozen=True)
class Circle:
    """A great circle of inputs at the fixed point; layer by layer, the first pre-activations first.

    `metric` g = |dh/dangle|^2 / N; `length` = 2 pi sqrt(g), per square root of the width; `growth` = sqrt(chi_1), its
    factor per layer; `curvature` = N kappa^2, `gauss` = the metric of the Gauss map and `gauss_length` = 2 pi
    sqrt of it
    (None for activations with kinks, whose curvature is infinite); `curvature_limit` = 3 chi_2 / (chi_1 (chi_1 - 1)) in
    the chaotic phase, else infinite.
    """

    q_star: float
    chi_1: float
    growth: float
    metric: list[float]
    length: list[float]
    chi_2: float | None
    curvature: list[float] | None
    gauss: list[float] | None
    gauss_length: list[float] | None
    curvature_limit: float | None


@functools.lru_cache(maxsize=64)
def _slopes(activation: Activation) -> tuple[Compiled, Compiled | None]:
    q = theory.Q
    stretch = compile(Expectation(slope(activation) ** 2, X, q).doit(), (q,), name="stretch")
    try:
        bend = compile(Expectation(theory.bending(activation) ** 2, X, q).doit(), (q,), name="bend")
    except InfiniteMomentError:
        bend = None
    return stretch, bend


def predict(
    activation: str = "tanh",
    sigma_w: float = 1.5,
    sigma_b: float = 0.0,
    depth: int = 10,
    q: float | None = None,
) -> Circle:
    """Follow a circle h(angle) = sqrt(N q)(u0 cos + u1 sin) through `depth` layers (poole2016exponential, eq. (9)).

    g' = chi_1 g from g = q; kappa^2' = 3 chi_2 / chi_1^2 + kappa^2 / chi_1 from 1 / q; g_G = kappa^2 g.

    Args:
        activation: a catalogue name or an expression in x.
        sigma_w: standard deviation of the weights times the root of the fan-in.
        sigma_b: standard deviation of the biases.
        depth: number of layers the circle passes.
        q: squared radius over the width (default: the fixed point q_star of the length map).

    Raises `NoFixedPointError` where the length map has no positive fixed point and `q` is not given.

    >>> c = predict("relu", sigma_w=2**0.5, q=1.0, depth=3)
    >>> c.growth, c.curvature  # ReLU: no growth at sigma_w^2 = 2, curvature only at kinks
    (1.0, None)
    """
    phi = Activation.of(activation)
    depth = arguments.count("depth", depth)
    sw2 = float(arguments.positive("sigma_w", sigma_w)) ** 2
    if q is None:
        from widelimit.numerics import meanfield

        q = float(meanfield.solve(phi, sigma_w=sigma_w, sigma_b=sigma_b).q_star)
    q = float(
        arguments.positive(
            "q", q, "At q_star = 0 the circle shrinks to a point: pass q, or leave the ordered phase."
        )
    )
    stretch, bend = _slopes(phi)
    chi_1 = sw2 * float(stretch(q))
    metric = [q * chi_1**layer for layer in range(depth + 1)]
    length = [2 * math.pi * math.sqrt(g) for g in metric]
    if bend is None:
        return Circle(q, chi_1, math.sqrt(chi_1), metric, length, None, None, None, None, None)
    chi_2 = sw2 * float(bend(q))
    curvature = [1.0 / q]
    for _ in range(depth):
        curvature.append(3 * chi_2 / chi_1**2 + curvature[-1] / chi_1)
    gauss = [k * g for k, g in zip(curvature, metric, strict=True)]
    limit = 3 * chi_2 / (chi_1 * (chi_1 - 1)) if chi_1 > 1 else math.inf
    return Circle(
        q,
        chi_1,
        math.sqrt(chi_1),
        metric,
        length,
        chi_2,
        curvature,
        gauss,
        [2 * math.pi * math.sqrt(g) for g in gauss],
        limit,
    )


@by_value
@dataclass(frozen=True)
class Line:
    """The image of a straight line of inputs; arrays (layers, positions), `position` in [0, 1] along the line.

    `q` = E h^2, `metric` = E hdot^2 by position, per unit. `length`: (layers,) per square root of the width.
    `crossings`: (layers,) expected number of kinks crossed along the whole line, per unit; times the width it is
    the number of changes of the activation pattern.
    """

    position: np.ndarray
    q: np.ndarray
    metric: np.ndarray
    length: np.ndarray
    crossings: np.ndarray


@functools.lru_cache(maxsize=64)
def _line_step(activation: Activation) -> Compiled:
    variables = (theory.Q, theory.CROSS, theory.MOMENT, SIGMA_W, SIGMA_B)
    return compile(theory.line_step(activation), variables, name="line")


@functools.cache
def _crossing_rate() -> Compiled:
    return compile(
        theory.crossing_rate(), (theory.Q, theory.CROSS, theory.MOMENT, theory.LEVEL), name="crossing"
    )


def line(
    start: Any, end: Any, *, activation: str | Activation = "relu", sigma_w: float, sigma_b: float = 0.0,
    depth: int = 1,
    points: int = 257,
) -> Line:  # fmt: skip
    """Follow the segment from input `start` to input `end`, both (n_0,), through `depth` hidden layers.

    Layer by layer q = E h^2, s = E h hdot and m = E hdot^2 close among themselves (``theory.geometry.line_step``);
    the length is the integral of sqrt(m), the expected number of crossings of a kink Rice's integral.

    >>> out = line([1.0, 0.0], [0.0, 1.0], activation="relu", sigma_w=2**0.5, depth=1)
    >>> float(out.crossings[0].round(6))  # the two directions are 90 degrees apart: a half-space boundary between them
    0.5
    """
    phi = Activation.of(activation)
    first, last = (arguments.vector(name, value) for name, value in (("start", start), ("end", end)))
    if first.size != last.size:
        raise ArgumentError(
            "end", f"must have as many features as `start`, {first.size}", but=f"has {last.size}"
        )
    depth, points = arguments.count("depth", depth), arguments.count("points", points, least=3)
    sw = float(arguments.positive("sigma_w", sigma_w))
    sb = float(arguments.non_negative("sigma_b", sigma_b))
    nodes, weights = np.polynomial.legendre.leggauss(points)
    position, weights = 0.5 * (1 + nodes), 0.5 * weights
    step, n = last - first, first.size
    q = sw**2 * (first @ first + 2 * position * (first @ step) + position**2 * (step @ step)) / n + sb**2
    cross = sw**2 * (first @ step + position * (step @ step)) / n
    moment = np.full(points, sw**2 * (step @ step) / n)
    qs, moments, crossings = [q], [moment], []
    advance, rate = _line_step(phi), _crossing_rate()
    levels = [float(kink) for kink in phi.kinks]
    for _ in range(depth):
        crossings.append(sum(float(weights @ rate(q, cross, moment, level)) for level in levels))
        q, cross, moment = advance(q, cross, moment, sw, sb)
        qs.append(q)
        moments.append(moment)
    metric = np.array(moments)
    return Line(position, np.array(qs), metric, np.sqrt(metric) @ weights, np.array(crossings))
