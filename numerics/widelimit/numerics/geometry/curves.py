"""Curves of inputs in wide networks: length, curvature, Gauss map, kinks crossed, layer by layer.

`predict` follows a circle of any radius, `line` any straight line of inputs exactly, and counts the kinks of the
activation that its image crosses (`lines`).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import geometry as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import DomainError, InfiniteMomentError, NoFixedPointError
from widelimit.theory.kernel import SIGMA_B, SIGMA_W

__all__ = ["Circle", "predict", "published_growth"]

SECONDS = 1e-3  # of a layer


@by_value
@dataclass(frozen=True)
class Circle:
    """A great circle of inputs; layer by layer, the first pre-activations first.

    `metric` g = |dh/dangle|^2 / N; `length` = 2 pi sqrt(g), per square root of the width; `curvature` = N kappa^2,
    `gauss` = the metric of the Gauss map and `gauss_length` = 2 pi sqrt of it (None for activations with kinks, whose
    curvature is infinite). `q`: squared radius over the width; `stretch` chi_1 and `bend` chi_2 of the layers that are
    passed, at their own q. `q_star`, `chi_1`, `chi_2`, `growth` = sqrt(chi_1) are those of the first layer: of every
    layer unless a `q` off the fixed point was given. `curvature_limit` = 3 chi_2 / (chi_1 (chi_1 - 1)) at the fixed
    point that q leads to, if that is chaotic; else infinite.
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
    q: list[float]
    stretch: list[float]
    bend: list[float] | None


@functools.lru_cache(maxsize=64)
def _steps(activation: Activation) -> tuple[Compiled, Compiled | None]:
    variables = (theory.Q, SIGMA_W, SIGMA_B)
    stretch = compile(theory.circle_step(activation), variables, name="stretch")
    try:
        bend = compile(theory.circle_bend(activation), (theory.Q, SIGMA_W), name="bend")
    except InfiniteMomentError:
        bend = None
    return stretch, bend


@functools.cache
def _recursions() -> tuple[Compiled, Compiled, Compiled]:
    t = theory
    chi = (t.CHI_1, t.CHI_2)
    return (
        compile(t.next_metric(), (t.CHI_1, t.METRIC), name="metric"),
        compile((t.next_curvature(), t.next_gauss()), (*chi, t.CURVATURE, t.GAUSS, t.METRIC), name="bent"),
        compile(t.curvature_limit(), chi, name="curvature_limit"),
    )


@functools.cache
def _length() -> Compiled:
    return compile(theory.length_of(), (theory.METRIC,), name="length")


def predict(
    activation: str | Activation = "tanh",
    sigma_w: float = 1.5,
    sigma_b: float = 0.0,
    depth: int = 10,
    q: float | None = None,
) -> Circle:
    """Follow a circle h(angle) = sqrt(N q)(u0 cos + u1 sin) through `depth` layers (poole2016exponential, eq. (9)).

    g' = chi_1 g from g = q; kappa^2' = 3 chi_2 / chi_1^2 + kappa^2 / chi_1 from 1 / q; g_G = kappa^2 g; chi_1 and chi_2
    at the squared radius of each layer, q' = sigma_w^2 E phi^2 + sigma_b^2.

    Args:
        activation: a catalogue name or an expression in x.
        sigma_w: standard deviation of the weights times the root of the fan-in.
        sigma_b: standard deviation of the biases.
        depth: number of layers the circle passes.
        q: squared radius over the width of the first layer (default: the fixed point q_star of the length map).

    Raises `NoFixedPointError` where the length map has no positive fixed point and `q` is not given, `DomainError`
    where the circle outgrows the range of floats or shrinks to a point.

    >>> c = predict("relu", sigma_w=2**0.5, q=1.0, depth=3)
    >>> c.growth, c.curvature  # ReLU: no growth at sigma_w^2 = 2, curvature only at kinks
    (1.0, None)
    >>> c = predict("x*tanh(x)", sigma_w=1.1, sigma_b=0.2, q=0.5, depth=4)
    >>> round(c.metric[-1], 4), [round(s, 3) for s in c.stretch]  # chi_1 falls as the circle shrinks
    (0.1338, [0.856, 0.786, 0.693, 0.575])
    >>> c = predict("tanh", sigma_w=2.0, sigma_b=0.3, depth=3)
    >>> round(c.curvature[-1], 4), round(c.curvature_limit, 4)
    (3.9789, 6.6227)
    >>> round(c.length[-1], 4), round(c.gauss_length[-1], 4)
    (14.4203, 28.7643)
    """
    phi = Activation.of(activation)
    depth = costs.affordable("depth", arguments.count("depth", depth), seconds=SECONDS)
    sw = arguments.positive_number("sigma_w", sigma_w)
    sb = arguments.non_negative_number("sigma_b", sigma_b)
    for name, value in (("sigma_w", sw), ("sigma_b", sb)):
        arguments.squared(name, np.asarray(value))
    fixed = q is None
    if q is None:
        from widelimit.numerics import meanfield

        q = float(meanfield.solve(phi, sigma_w=sw, sigma_b=sb).q_star)
    q = arguments.positive_number(
        "q", q, "At q_star = 0 the circle shrinks to a point: pass q, or leave the ordered phase."
    )
    advance, bend_at = _steps(phi)
    next_metric, next_bent, limit_of = _recursions()
    radii, stretches = [q], list[float]()
    bends = list[float]()
    metric, curvature, gauss = [q], [1.0 / q], [1.0]
    settled = False
    for _ in range(depth):
        if not settled:
            after, stretch = (float(v) for v in advance(radii[-1], sw, sb))
            bend = 0.0 if bend_at is None else float(bend_at(radii[-1], sw))
            settled = fixed or abs(after - radii[-1]) <= 1e-15 * after
        grown = next_metric.njit(stretch, metric[-1])
        if not (0.0 < after < math.inf and 1e-300 < grown < math.inf):
            what = "grows beyond any float" if max(after, grown) > 1 else "shrinks to a point"
            raise DomainError(
                f"The circle {what} in layer {len(radii) + 1} at sigma_w = {sw:g}, sigma_b = {sb:g}. Take fewer "
                "layers, or another sigma_w."
            )
        bent, turned = next_bent.njit(stretch, bend, curvature[-1], gauss[-1], metric[-1])
        radii.append(radii[-1] if settled else after)
        for values, value in zip(
            (stretches, bends, metric, curvature, gauss), (stretch, bend, grown, bent, turned), strict=True
        ):
            values.append(value)
    length = [float(_length().njit(g)) for g in metric]
    first = (q, stretches[0], math.sqrt(stretches[0]), metric, length)
    if bend_at is None:
        return Circle(*first, None, None, None, None, None, radii, stretches, None)
    if not math.isfinite(curvature[-1]) or not math.isfinite(gauss[-1]):
        raise DomainError(
            f"The curvature of the circle grows beyond any float over {depth} layers. Take fewer."
        )
    end = (stretches[0], bends[0]) if fixed else _at_fixed_point(phi, sw, sb, q)
    limit = float(limit_of(*end)) if end is not None and end[0] > 1 else math.inf
    turns = [float(_length().njit(g)) for g in gauss]
    return Circle(*first, bends[0], curvature, gauss, turns, limit, radii, stretches, bends)


def _at_fixed_point(phi: Activation, sw: float, sb: float, q: float) -> tuple[float, float] | None:
    """chi_1 and chi_2 where the recursion from q ends, None if nowhere."""
    from widelimit.numerics import meanfield

    try:
        end = float(meanfield.solve(phi, sigma_w=sw, sigma_b=sb, q0=q).q_star)
    except NoFixedPointError:
        return None
    advance, bend_at = _steps(phi)
    if not 0.0 < end < math.inf or bend_at is None:
        return None
    return float(advance(end, sw, sb)[1]), float(bend_at(end, sw))


def published_growth(
    activation: str = "relu", sigma_w: float = 1.5, sigma_b: float = 0.0, width: int = 100
) -> float:
    """Return the factor per layer of a published lower bound of a trajectory's length (raghu2017expressive).

    sigma_w sqrt(k/(k + 1)) for ReLU, sigma_w sqrt(k)/sqrt(r^2 + k r) with r^2 = sigma_w^2 + sigma_b^2 for hard_tanh, of
    width k. It is no rate: the order that it bounds hides a constant, and lengths grow by sqrt(chi_1), `Circle.growth`.

    Raises `ArgumentError` for other activations.

    >>> round(published_growth("relu", sigma_w=1.5, width=100), 6)
    1.492556
    >>> predict("relu", sigma_w=1.5, q=1.0, depth=1).growth  # smaller by sqrt(2)
    1.0606601717798212
    """
    formula = theory.published_growth(arguments.choice("activation", activation, ("relu", "hard_tanh")))
    growth = compile(formula, (SIGMA_W, SIGMA_B, theory.WIDTH), name="published_growth")
    sw = arguments.positive_number("sigma_w", sigma_w)
    sb = arguments.non_negative_number("sigma_b", sigma_b)
    return float(growth(sw, sb, arguments.count("width", width)))
