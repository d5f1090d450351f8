"""How far finite width spreads the levels of the Fisher matrix (equations and symbols: ``theory.fisher.spread``).

spread      from a network's statistics to its edge, its outlier and the factor of its outputs
Layers      strengths and populations of the layers, from the inputs up
edge        the largest eigenvalue across the mean over samples, in the mean over networks
clear       the eigenvalue along the mean, where it stands clear of the others
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import types
from scipy.optimize import brentq, minimize_scalar

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.fisher.depths import Propagation
from widelimit.numerics.fisher.slopes import slope_moments
from widelimit.numerics.results import by_value
from widelimit.theory import fisher
from widelimit.theory.errors import ArgumentError, ConvergenceError
from widelimit.theory.fisher import spread as theory

MEAN_OF_TRACY_WIDOM = (
    -1.2065335745820
)  # real symmetric matrices, beta = 1 (tracy1996orthogonal; Bornemann 2010)
_STEP = 1.1  # between the traces at which the edge is looked for
_FURTHEST = 1e8  # of the trace times the level: a spread of 1e-8 is none
_F = types.float64
_C1 = types.Array(_F, 1, "C")
_UP = types.FunctionType(types.UniTuple(_F, 2)(_F, _F, _F, _F, _F, _F))
_DOWN = types.FunctionType(_F(_F, _F, _F, _F))


@by_value
@dataclass(frozen=True)
class Spread:
    """What finite width makes of the two levels.

    `edge`: the largest eigenvalue across the mean over samples; `outlier`: the one along it, None where it has drowned
    among the others; `outputs`: by what factor the outputs of one network differ upwards. All are means over networks.
    """

    edge: float
    outlier: float | None
    outputs: float


def spread(run: Propagation, samples: int, outputs: int, inputs: str = "auto") -> Spread:
    """Spread the levels of `samples` inputs and `outputs` outputs; `inputs`: auto, equal or gaussian.

    Raises `ArgumentError` for more equal inputs than fit, `ConvergenceError` where the edge is not found,
    `InfiniteMomentError` where E phi'^4 is infinite.

    >>> from widelimit.numerics.fisher.depths import propagation
    >>> run = propagation(
    ...     "erf", sigma_w=1.4, sigma_b=0.3, widths=[300.0, 200.0, 400.0], input_moment=1.0, input_overlap=0.2
    ... )
    >>> found = spread(run, samples=50, outputs=3)
    >>> round(found.edge, 4), round(found.outlier, 4), round(found.outputs, 6)  # the bulk alone is at 9.76
    (15.7949, 97.5871, 1.069653)
    """
    gaussian = _gaussian(run, samples, inputs)
    same, pair = (
        run.widths / samples * part
        for part in (run.forward * run.backward, run.forward_pair * run.backward_pair)
    )
    own = run.widths / samples * run.backward_pair
    rest = float(np.sum(run.widths / samples * run.forward * (run.backward - run.backward_pair)))
    lengths = _lengths(run, same) if samples > 1 else (0.0, 0.0)
    top, place = _levels(run, own, same, pair, samples, gaussian, rest, *lengths)
    along = samples == 1 or (place is not None and place > top)
    shares = _two_levels()(same, pair, samples)[0 if along else 1]
    return Spread(top, place, _outputs(run, shares, outputs, samples, along))


def blocks(run: Propagation, samples: int) -> np.ndarray:
    """Largest eigenvalue of each layer's block of the Fisher matrix, one output, along the mean over samples.

    ``M_(l-1) ((T - 1) qtilde_st qhat_st + qtilde qhat) / T`` of the weights of layer l; their sum is the largest
    eigenvalue of the whole matrix (`Statistics.outlier`), whose blocks share this direction.

    >>> from widelimit.numerics.fisher.depths import propagation
    >>> run = propagation(
    ...     "relu", sigma_w=2**0.5, sigma_b=0.0, widths=[100, 100], input_moment=1.0, input_overlap=0.0
    ... )
    >>> blocks(run, 4).round(4).tolist()
    [25.0, 48.8732]
    """
    samples = arguments.count("samples", samples)
    same, pair = (
        run.widths * part for part in (run.forward * run.backward, run.forward_pair * run.backward_pair)
    )
    return np.asarray(_two_levels()(same / samples, pair / samples, samples)[0])


def activities(run: Propagation, samples: int, inputs: str = "auto") -> np.ndarray:
    """Largest eigenvalue of the mean over samples of x x' in the mean over networks, from the inputs up."""
    gaussian, found = _gaussian(run, samples, inputs), []
    for layer in range(run.widths.size):
        own = np.where(np.arange(run.widths.size) == layer, run.widths / samples, 0.0)
        top, place = _levels(run, own, own * run.forward, own * run.forward_pair, samples, gaussian)
        found.append(max(top, place or 0.0))
    return np.array(found)


def _levels(
    run: Propagation, own: np.ndarray, same: np.ndarray, pair: np.ndarray, samples: int, gaussian: bool,
    rest: float = 0.0, noise: float = 0.0, skew: float = 0.0,
) -> tuple[float, float | None]:  # fmt: skip
    """The largest eigenvalue across the mean over samples, and the one along it or None where it has drowned.

    Of a matrix with `same` on its diagonal and `pair` off it, summed over layers: `own` times sample covariances of the
    layers besides `rest`, of variance `noise` and third cumulant `skew`, on the diagonal.
    """
    outlier, bulk = (float(np.sum(level)) for level in _two_levels()(same, pair, samples))
    if samples == 1:
        return outlier, outlier
    share = min(1.0, max(0.0, outlier / bulk)) if bulk > 0 else 1.0
    size = (
        samples - 1 + share
    )  # directions that share the bulk's level: at an overlap of 0 the mean is one of them
    v, c = run.forward, run.forward_pair
    carried = np.append(0.0, run.sigma_w2[:-1] * run.slope_pair)
    fixed, common = _population()(v, c, np.append(0.0, v[:-1]), np.append(0.0, c[:-1]), carried)
    units = run.widths.copy()
    units[0] = run.widths[0] if gaussian else math.inf
    own, fixed, carried = (np.maximum(0.0, part) for part in (own, fixed, carried))
    layers = Layers(own, fixed, carried, common, units, rest, noise, skew, size, float(samples))
    found = edge(layers)
    flat, moved = clear(_without_spread(layers), replace(found, trace=-math.inf)), clear(layers, found)
    place = None if flat is None or moved is None else outlier + moved - flat
    return bulk + found.mean - found.level, place


@functools.cache
def _two_levels() -> Compiled:
    """Along the mean over samples and across it: of a matrix with kappa_1 on the diagonal, kappa_2 off it."""
    t = fisher
    matrix = {t.ALPHA: 1, t.WIDTH: t.SAMPLES}
    return compile(
        (t.outlier().subs(matrix), t.bulk().subs(matrix)), (t.KAPPA_1, t.KAPPA_2, t.SAMPLES), name="levels_of"
    )


def _gaussian(run: Propagation, samples: int, inputs: str) -> bool:
    fits = samples - 1 <= run.widths[0]
    if arguments.choice("inputs", inputs, ("auto", "equal", "gaussian")) == "equal" and not fits:
        raise ArgumentError(
            "inputs",
            f"must be 'gaussian' for {samples} samples of {run.widths[0]:g} components",
            inputs,
            "So many inputs cannot all overlap alike.",
        )
    return inputs == "gaussian" or not fits


def _outputs(run: Propagation, own: np.ndarray, outputs: int, samples: int, along: bool) -> float:
    """The factor of the outputs; unequal slopes make a layer as narrow as one of fewer units with equal ones."""
    if outputs == 1:
        return 1.0
    spreads = [
        slope_moments(phi, float(q), float(rho) if along else 0.0).kurtosis(samples, along)
        for phi, q, rho in zip(run.activations, run.lengths, run.correlations, strict=True)
    ]
    return outputs_spread(np.maximum(own, 0.0)[::-1], (run.widths[1:] / np.array(spreads))[::-1], outputs)


def _lengths(run: Propagation, same: np.ndarray) -> tuple[float, float]:
    """Variance and third cumulant over samples of the diagonal.

    Hidden layer l multiplies what the layers of weights up to l add.
    """
    found = [
        slope_moments(phi, float(q), float(rho))
        for phi, q, rho in zip(run.activations, run.lengths, run.correlations, strict=True)
    ]
    second, fourth, pair = (
        np.array([getattr(f, name) for f in found]) for name in ("second", "fourth", "pair")
    )
    above = run.backward_pair[1:] / run.backward[1:]
    factors, multiplied = _sample_variance()
    each = np.maximum(factors(second, fourth, pair, above, run.widths[1:]), 0.0)
    total = float(np.sum(same))  # of which all are shares: powers of the lengths stay within floats
    variance = third = 0.0
    for mean, factor in zip(np.cumsum(same / total)[:-1].tolist(), each.tolist(), strict=True):
        variance, third = multiplied(mean, variance, third, factor)
    return float(variance) * total**2, max(0.0, float(third)) * total**3


@functools.cache
def _sample_variance() -> tuple[Compiled, Compiled]:
    t = theory
    return (
        compile(
            t.sample_variance(), (t.SECOND, t.FOURTH, t.FOURTH_PAIR, t.CORRELATION, t.UNITS), name="noise"
        ),
        compile(t.multiplied(), (t.LENGTH, t.VARIED, t.SKEWED, t.FACTOR), name="multiplied"),
    )


@functools.cache
def _population() -> Compiled:
    t = theory
    variables = (t.VARIANCE, t.PAIR, t.VARIANCE_BELOW, t.PAIR_BELOW, t.CARRIED)
    return compile((t.fixed(), t.common()), variables, name="population")


@by_value
@dataclass(frozen=True)
class Layers:
    """Sample covariances stacked on each other; entry l of each array belongs to layer l.

    `own` a_l, `fixed` p_l, `carried` p'_l (0 for l = 0), `common` tau_l, `units` (infinite: no spread); `rest` is on
    the diagonal alone, `noise` and `skew` are the variance and the third cumulant there; `size` of the matrices, which
    need not be whole: the directions that share one level.
    """

    own: np.ndarray
    fixed: np.ndarray
    carried: np.ndarray
    common: np.ndarray
    units: np.ndarray
    rest: float
    noise: float
    skew: float
    size: float
    samples: float

    @property
    def aspect(self) -> np.ndarray:
        """Size over units."""
        return self.size / self.units


@functools.cache
def _formulas() -> tuple[Compiled, Compiled, Compiled, Compiled]:
    t = theory
    layer = (t.STRENGTH, t.ASPECT, t.FIXED, t.CARRIED, t.TRACE, t.BELOW)
    return (
        compile((t.shrinkage(), t.trace()), layer, name="shrinkage"),
        compile(t.strength_below(), (t.OWN, t.STRENGTH, t.SHRINKAGE, t.CARRIED), name="strength"),
        compile(
            (t.across(), t.along()), (t.STRENGTH, t.SHRINKAGE, t.FIXED, t.COMMON, t.SAMPLES), name="levels"
        ),
        compile(t.location(), (t.REST, t.LEVELS, t.NOISE, t.SKEW, t.TRACE), name="location"),
    )


@njit(
    types.boolean(_UP, _DOWN, _F, _C1, _C1, _C1, _C1, _C1, _C1), nogil=True, error_model="numpy", cache=True
)
def _settle(up, down, m, own, fixed, carried, aspect, shrinkage, strength):
    """Iterate shrinkages and strengths at the trace `m` to their fixed point, in place; False where there is none."""
    top = own.size - 1
    for _ in range(20000):
        strength[top] = own[top]
        for layer in range(top, 0, -1):
            strength[layer - 1] = down(own[layer - 1], strength[layer], shrinkage[layer], carried[layer])
        below, moved = 0.0, 0.0
        for layer in range(top + 1):
            s, below = up(strength[layer], aspect[layer], fixed[layer], carried[layer], m, below)
            if not (s > 0.0 and s < 1e12):
                return False
            moved = max(moved, abs(s - shrinkage[layer]) / s)
            shrinkage[layer] = 0.5 * (shrinkage[layer] + s)
        if moved < 1e-12:
            return True
    return False


class _Solver:
    """z(m) of `layers`, each call starting from the shrinkages that the last one left."""

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self.shrinkage, self.strength = np.ones(layers.own.size), np.ones(layers.own.size)

    def at(self, m: float) -> tuple[float, float] | None:
        """Return z(m) and what the direction along the mean has more, or None where z(m) does not exist."""
        up, down, levels, place = _formulas()
        layers, s = self.layers, self.shrinkage.copy()
        aspect = layers.aspect
        if not _settle(
            up.njit, down.njit, m, layers.own, layers.fixed, layers.carried, aspect, s, self.strength
        ):
            return None
        self.shrinkage = s
        across, along = levels(self.strength, s, layers.fixed, layers.common, layers.samples)
        return float(place(layers.rest, np.sum(across), layers.noise, layers.skew, m)), float(np.sum(along))


@by_value
@dataclass(frozen=True)
class Edge:
    """The upper edge of the levels across the mean over samples.

    `location` of the limit, at the trace `trace` (-inf where nothing spreads); `scale` of the largest eigenvalue's
    fluctuations about it; `level` without any spread; `size` of the matrices.
    """

    location: float
    trace: float
    scale: float
    level: float
    size: float

    @property
    def mean(self) -> float:
        """Mean of the largest eigenvalue: the edge less 1.2065 scales, and a single direction has no spread.

        The edge is centred as for a symmetric Gaussian matrix of n rows, at 2 sqrt(n - 1/2) in place of 2 sqrt(n)
        (johnstone2012fast): right to a tenth of the spread from n = 2 on.
        """
        reach = (self.location - self.level) * math.sqrt(1.0 - 0.5 / self.size)
        return self.level + (reach + MEAN_OF_TRACY_WIDOM * self.scale) * min(1.0, self.size - 1.0)


def edge(layers: Layers) -> Edge:
    """Find the smallest z(m) over m < 0."""
    solver = _Solver(layers)
    flat = _Solver(_without_spread(layers)).at(-1.0)
    assert flat is not None
    level = flat[0] - 1.0
    spreading = level - layers.rest
    if not (spreading > 0.0 and (layers.aspect.any() or layers.noise > 0)):
        return Edge(level, -math.inf, 0.0, level, layers.size)
    unit, last, low = 1.0 / spreading, math.inf, 0.0
    place = 1e-3 / (1.0 + float(layers.aspect.max()))  # z(m) exists while m is small against units / size
    while place < _FURTHEST:
        got = solver.at(-place * unit)
        if got is None or got[0] > last:
            break
        last, low, place = got[0], place, place * _STEP
    else:
        return Edge(level, -math.inf, 0.0, level, layers.size)

    def value(log_place: float) -> float:
        got = solver.at(-math.exp(log_place) * unit)
        return math.inf if got is None else got[0]

    solver = _Solver(layers)
    bounds = (math.log(low / _STEP), math.log(place))
    with np.errstate(invalid="ignore", over="ignore"):  # beyond the edge there may be nothing
        best = minimize_scalar(value, bounds=bounds, method="bounded", options={"xatol": 1e-7})
    if not math.isfinite(best.fun):
        raise ConvergenceError(
            f"The spread of {layers.size:.3g} samples or outputs over layers of {layers.units.min():.3g} units was not "
            "found: there are too many for the width."
        )
    trace = -math.exp(best.x) * unit
    second = _bend(value, float(best.x)) / trace**2  # the first derivative vanishes here
    return Edge(
        float(best.fun),
        trace,
        max(0.0, 0.5 * second) ** (1 / 3) * layers.size ** (-2 / 3),
        level,
        layers.size,
    )


def _bend(value: Callable[[float], float], x: float, h: float = 1e-3) -> float:
    """The second derivative by differences, to the left where there is nothing on the right."""
    middle, left, right = value(x), value(x - h), value(x + h)
    if math.isfinite(right):
        return (left - 2 * middle + right) / h**2
    return (value(x - 2 * h) - 2 * left + middle) / h**2


def clear(layers: Layers, found: Edge) -> float | None:
    """Return the eigenvalue along the mean over samples, or None where it has drowned among the others."""
    solver = _Solver(layers)

    def excess(m: float) -> float:
        got = solver.at(m)
        return math.inf if got is None else got[1] + 1.0 / m

    if found.trace == -math.inf:
        got = _Solver(_without_spread(layers)).at(-1.0)
        assert got is not None
        return got[0] - 1.0 + got[1] if got[1] > 0 else None
    if excess(found.trace) <= 0.0:
        return None
    high = found.trace
    while excess(high) > 0.0:
        high *= 0.5
    root = brentq(excess, found.trace, high, rtol=1e-12)
    got = solver.at(float(root))
    assert got is not None
    return got[0]


def _without_spread(layers: Layers) -> Layers:
    return replace(layers, units=np.full(layers.units.size, math.inf), noise=0.0, skew=0.0)


def outputs_spread(own: Any, units: Any, outputs: float) -> float:
    """Return by how much the largest eigenvalue of sum_l own_l J_l J_l' exceeds their common mean sum_l own_l.

    From the readout down: `own` of the layers L, L-1, ... 1 of weights; `units`, of the layers below them without the
    inputs, counted with the spread of their slopes; `outputs` C, the size of the matrices.
    """
    if outputs <= 1:
        return 1.0
    own = np.ascontiguousarray(own, float)
    first = np.zeros(own.size)
    first[0] = 1.0
    layers = Layers(
        own,
        first,
        1.0 - first,
        np.zeros(own.size),
        np.array([math.inf, *units]),
        0.0,
        0.0,
        0.0,
        float(outputs),
        1.0,
    )
    return edge(layers).mean / float(own.sum())
