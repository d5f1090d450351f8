"""Mean-field theory of signal propagation in wide random networks: fixed points, phases, depth scales.

    solve          q*, c*, chi_1 and the depth scales at any (sigma_w, sigma_b), arrays broadcast
    critical_line  the edge of chaos chi_1 = 1, by q* or by sigma_b
    propagate      lengths and correlations layer by layer, in 1 - c near c = 1
    phase_diagram  `solve` on a grid, as a labelled dataset
    predict        `solve` for one point: what ``widelimit predict meanfield`` prints

Conventions of 1611.01232: sigma_w, sigma_b are standard deviations, weights have variance sigma_w^2/fan_in,
q is the second moment of pre-activations.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from sympy import Expr

from widelimit.numerics import arguments, costs
from widelimit.numerics.meanfield.correlations import fixed_points as correlation_fixed_points
from widelimit.numerics.meanfield.critical import CriticalLine, critical_line
from widelimit.numerics.meanfield.layers import layer
from widelimit.numerics.meanfield.lengths import GRID, Roots, reached
from widelimit.numerics.meanfield.lengths import fixed_points as length_fixed_points
from widelimit.numerics.meanfield.maps import Maps, maps
from widelimit.numerics.meanfield.trajectories import Propagation, propagate
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import InfiniteMomentError, NoFixedPointError

__all__ = [
    "CriticalLine",
    "MeanField",
    "Propagation",
    "critical_line",
    "phase_diagram",
    "predict",
    "propagate",
    "solve",
]

Array = np.ndarray
CRITICAL = 1e-10  # |chi_1 - 1| below this counts as the edge of chaos


@by_value
@dataclass(frozen=True)
class MeanField:
    """The state of an infinitely wide network at (sigma_w, sigma_b); floats, or arrays of the broadcast shape.

    phase: "ordered" (chi_1 < 1), "chaotic" (chi_1 > 1), "critical", or "unbounded" (no finite q*, then q_star and
    chi_1 are inf or the limit, correlations and depth scales inf). Depth scales are in layers; xi_grad is positive
    where gradients vanish with depth and negative where they explode; inf where there is no exponential law.
    `fixed_points` and `fixed_point_slopes` list every fixed point of the length map (arrays: last axis, padded by NaN);
    those with a slope between -1 and 1 are stable, and `several` says that there are two or more: which of them a
    network reaches depends on where it starts (`q0`). `gradient_overlap` is the factor a layer, of equal widths, of the
    covariance of two inputs' gradients at c_star: E (dE/dh_1)(dE/dh_2), as chi_1 is that of the mean square.
    """

    q_star: Any
    c_star: Any
    one_minus_c_star: Any
    chi_1: Any
    length_slope: Any
    correlation_slope: Any
    xi_q: Any
    xi_c: Any
    xi_grad: Any
    phase: Any
    stable: Any
    fixed_points: Any
    fixed_point_slopes: Any
    error: Any
    several: Any = False
    gradient_overlap: Any = 0.0


def solve(
    activation: str | Activation | Expr,
    *,
    sigma_w: Any,
    sigma_b: Any = 0.0,
    q0: Any = None,
    keep: Any = 1.0,
) -> MeanField:
    """Fixed point of the length and correlation maps, their slopes and the depth scales.

    ``q* = (sigma_w^2/keep) V(q*) + sigma_b^2``, ``c* = (sigma_w^2 E phi phi + sigma_b^2)/q*``,
    ``chi_1 = (sigma_w^2/keep) E phi'^2`` (1611.01232, eqs. 3-5, 8, 12; dropout: section 5).

    sigma_w, sigma_b: standard deviations, not negative. keep: probability of keeping a unit under (inverted) dropout.
    q0: where the recursion starts, if the length map has several stable fixed points; by default 1, or the smallest
    stable fixed point if the recursion from 1 runs away. If none is stable the smallest one is reported with
    stable=False. At q* = 0 everything is the limit q* -> 0+. A scalar request without finite fixed point raises
    `NoFixedPointError`; in arrays such points have phase "unbounded" and q_star = inf.

    >>> p = solve("tanh", sigma_w=1.3**0.5, sigma_b=0.05**0.5)
    >>> round(p.q_star, 10), round(p.chi_1, 10), round(p.xi_q, 10), p.c_star, round(p.xi_c, 9), p.phase
    (0.3153164775, 0.8801635099, 1.7852366315, 1.0, 7.834069268, 'ordered')
    >>> import math
    >>> p = solve("tanh", sigma_w=2.5**0.5, sigma_b=0.05**0.5)
    >>> round(p.c_star, 12), round(-1 / p.xi_c, 10) == round(math.log(p.gradient_overlap), 10)
    (0.446804232344, True)
    >>> dropped = solve("tanh", sigma_w=1.5, sigma_b=0.1, keep=0.9)
    >>> round(dropped.c_star, 8), round(dropped.chi_1, 8)  # equal inputs decorrelate
    (0.05913377, 1.16451805)
    """
    about = "Pass the standard deviation: weights have variance sigma_w**2 / fan_in."
    given = arguments.broadcast(
        sigma_w=arguments.non_negative("sigma_w", sigma_w, about),
        sigma_b=arguments.non_negative("sigma_b", sigma_b),
        keep=arguments.probability("keep", keep),
        **({} if q0 is None else {"q0": arguments.positive("q0", q0)}),
    )
    shape = given[0].shape
    costs.affordable("sigma_w", given[0].size, memory=800.0, seconds=5e-6, each="point")
    w, b, rho, *rest = (np.array(array, float).reshape(-1) for array in given)
    start = rest[0] if rest else np.full(w.size, np.nan)
    functions = maps(activation)
    result = _solve(functions, w, b, rho, start)
    if shape:
        return MeanField(**{name: value.reshape(shape + value.shape[1:]) for name, value in result.items()})
    _refuse_unbounded(functions, result, w[0], b[0])
    padded = ("fixed_points", "fixed_point_slopes")
    lists = {name: tuple(float(v) for v in result.pop(name)[0] if not np.isnan(v)) for name in padded}
    return MeanField(**{name: value[0].item() for name, value in result.items()}, **lists)


def _solve(functions: Maps, w: Array, b: Array, rho: Array, start: Array) -> dict[str, Array]:
    compiled = layer()
    s, bias = compiled.length(w, b, rho)
    roots = length_fixed_points(functions.moments, functions.table, s, bias)
    with np.errstate(all="ignore"):
        steepness = compiled.slopes(w[:, None], rho[:, None], 0.0, roots.moments[2])[1]
    index, stable = _choose(functions, roots, steepness, s, bias, start)
    rows = np.arange(w.size)
    found = index >= 0
    q, v, p, slope, bound = (
        np.where(found, array[rows, index], np.nan) if array.shape[1] else np.full(w.size, np.nan)
        for array in (roots.q, *roots.moments, roots.error)
    )
    anywhere = np.flatnonzero(roots.every)  # V(q) = q: stay where we start
    if anywhere.size:
        q[anywhere] = np.where(np.isnan(start[anywhere]), 1.0, start[anywhere])
        (v[anywhere], p[anywhere], slope[anywhere]), (bound[anywhere], *_) = functions.moments(q[anywhere])
        found[anywhere] = True
    lost = ~found
    q[lost] = np.inf
    if lost.any():  # the limit of the slopes at the largest q that has moments
        last = functions.rough_moments(np.array([1e14]))[0][:, 0]
        v[lost], p[lost], slope[lost] = last
    chi, slope, one_mask, _ = (np.where(s == 0, 0.0, one) for one in compiled.slopes(w, rho, p, slope))
    slope[anywhere] = 1.0
    critical = found & (np.abs(chi - 1) <= CRITICAL)
    phase = np.select([lost, critical, chi < 1], ["unbounded", "critical", "ordered"], "chaotic")

    eps, pull, overlap = np.zeros(w.size), chi.copy(), chi.copy()
    noisy = rho < 1
    weight, noise = compiled.defect(w, rho, q, v)
    noise = np.where(found & noisy & (q > 0), noise, 0.0)
    solvable = found & (q > 0) & (w > 0) & ((noise > 0) | ((chi > 1) & ~critical))
    if (todo := np.flatnonzero(solvable)).size:
        got = correlation_fixed_points(functions, q[todo], weight[todo], noise[todo], np.ones(todo.size))
        eps[todo] = got.eps
        pull[todo], overlap[todo] = compiled.correlation_slope(w[todo], got.chi)
    same = found & ~solvable
    pull[same] = overlap[same] = one_mask[same]
    result = {
        "q_star": q,
        "c_star": np.where(lost, np.inf, 1 - eps),
        "one_minus_c_star": np.where(lost, np.inf, eps),
        "chi_1": chi,
        "length_slope": slope,
        "correlation_slope": np.where(lost, np.inf, pull),
        "xi_q": np.where(lost, np.inf, _depth(slope)),
        "xi_c": np.where(lost, np.inf, _depth(np.where(critical & ~solvable, 1.0, pull))),
        "xi_grad": np.where(critical, np.inf, _depth(chi)),
        "phase": phase,
        "stable": stable & found,
        "gradient_overlap": np.where(lost, np.inf, overlap),
        "fixed_points": roots.q,
        "fixed_point_slopes": steepness,
    }
    with np.errstate(invalid="ignore"):
        result["several"] = (np.abs(result["fixed_point_slopes"]) < 1).sum(axis=1) > 1
    with np.errstate(all="ignore"):
        error = s * bound / np.abs(1 - slope) + 4e-16 * q
    result["error"] = np.where(found & (slope != 1), np.where(q == 0, 0.0, error), 0.0)
    return result


def _choose(
    functions: Maps, roots: Roots, steepness: Array, s: Array, bias: Array, start: Array
) -> tuple[Array, Array]:
    """Return the index of each row's fixed point (-1: none) and whether it is stable."""
    with np.errstate(invalid="ignore"):
        steady = np.abs(steepness) < 1
    begin = np.where(np.isnan(start), 1.0, start)
    index = reached(roots, functions.moments, functions.table, s, bias, begin)
    if roots.q.shape[1] == 0:
        return index, np.zeros(s.size, bool)
    rows = np.arange(s.size)
    free = np.isnan(start)
    with np.errstate(invalid="ignore"):  # q = 0 with slope 1: the critical limit of tanh
        marginal = (roots.q[:, 0] == 0) & (np.abs(steepness[:, 0] - 1) <= CRITICAL) & ~_has_positive(roots)
    bad = free & ((index < 0) | ~steady[rows, index])
    positive = roots.q > 0  # an unstable fixed point at 0 is no state of a network
    first = np.where(positive.any(axis=1), positive.argmax(axis=1), -1)
    fallback = np.where(steady.any(axis=1), steady.argmax(axis=1), first)
    fallback = np.where(marginal, 0, fallback)
    index = np.where(bad, fallback, index)
    return index, (index >= 0) & steady[rows, index]


def _has_positive(roots: Roots) -> Array:
    """Return which rows have a fixed point above 0."""
    with np.errstate(invalid="ignore"):
        return np.asarray((roots.q > 0).any(axis=1))


def _depth(slope: Array) -> Array:
    """Return the depth scale of deviations multiplied by `slope` a layer: 0 for slope 0, inf for slope 1."""
    size = np.abs(slope)
    plain = (size > 0) & (size != 1) & ~np.isinf(size)
    depth = layer().depth(np.where(plain, size, 0.5))
    return np.where(plain, depth, np.where(size == 1, np.inf, np.where(np.isnan(size), np.nan, 0.0)))


def _refuse_unbounded(functions: Maps, result: dict[str, Array], w: float, b: float) -> None:
    if result["phase"][0] != "unbounded":
        return
    name = functions.activation.name
    place = f"sigma_w = {w:g}, sigma_b = {b:g}"
    if not np.isfinite(functions.table.v).all():
        raise InfiniteMomentError(
            f"The length recursion of {name} at {place} grows until E phi^2 is infinite. "
            "Use a smaller sigma_w, or an activation that grows more slowly."
        )
    if functions.table.below_linear:
        raise NoFixedPointError(
            f"The fixed point of the length map of {name} at {place} lies too far beyond {GRID[-1]:g}, where the "
            "grid of lengths ends: it is not followed there. Use a smaller sigma_w."
        )
    pairs = zip(result["fixed_points"][0], result["fixed_point_slopes"][0], strict=True)
    others = [f"{q:g}" for q, slope in pairs if abs(slope) < 1]
    hint = (
        f" Stable fixed points are at q = {', '.join(others)}: choose a smaller q0."
        if others
        else " Use a smaller sigma_w."
    )
    raise NoFixedPointError(
        f"The length map of {name} has no finite fixed point that it reaches at {place}.{hint}"
    )


def phase_diagram(
    activation: str | Activation | Expr,
    *,
    sigma_w: Any,
    sigma_b: Any,
    keep: float = 1.0,
    q0: float | None = None,
) -> Any:
    """`solve` on the grid sigma_w x sigma_b as an `xarray.Dataset` with dimensions of these names.

    Points without finite fixed point have phase "unbounded" and q_star inf.

    >>> d = phase_diagram("tanh", sigma_w=[0.5, 2.0], sigma_b=[0.1, 0.3])
    >>> d.phase.sel(sigma_w=2.0, sigma_b=0.1).item(), dict(d.sizes)
    ('chaotic', {'sigma_w': 2, 'sigma_b': 2})
    """
    from widelimit.numerics.labelled import Labelled

    w, b = arguments.increasing("sigma_w", sigma_w), arguments.increasing("sigma_b", sigma_b)
    costs.affordable("sigma_w", w.size * b.size, memory=800.0, seconds=5e-6, each="point")
    found = solve(activation, sigma_w=w[:, None], sigma_b=b[None, :], keep=keep, q0=q0)
    skip = ("fixed_points", "fixed_point_slopes")
    values = {
        f.name: (("sigma_w", "sigma_b"), getattr(found, f.name)) for f in fields(found) if f.name not in skip
    }
    coordinates = {
        "sigma_w": ("sigma_w", w, {"long_name": "standard deviation of the weights times sqrt(fan_in)"}),
        "sigma_b": ("sigma_b", b, {"long_name": "standard deviation of the biases"}),
    }
    attributes = {"activation": str(Activation.of(activation)), "keep": float(keep)}
    return Labelled(values, coordinates, attributes)


def predict(
    activation: str = "tanh",
    sigma_w: float = 1.5,
    sigma_b: float = 0.1,
    keep: float = 1.0,
    q0: float | None = None,
) -> MeanField:
    """Fixed point, phase and depth scales of an infinitely wide network.

    Args:
        activation: a catalogue name or an expression in x, such as "x*tanh(x)".
        sigma_w: standard deviation of the weights times sqrt(fan_in).
        sigma_b: standard deviation of the biases.
        keep: probability of keeping a unit under dropout.
        q0: second moment of the pre-activations in the first layer, where several fixed points are stable.
    """
    return solve(activation, sigma_w=sigma_w, sigma_b=sigma_b, keep=keep, q0=q0)
