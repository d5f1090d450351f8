"""Derivatives of fixed points, slopes and depth scales with respect to sigma_w, sigma_b and keep, never by differences.

The formulas are `theory.meanfield`'s: the implicit function theorem for both fixed points, the chain rule along them
for the rest. What an activation's moments change by is compiled once, like its maps.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import sympy
from sympy import Expr, Symbol

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, cache, compile
from widelimit.numerics.meanfield import maps as activations
from widelimit.numerics.meanfield.layers import layer
from widelimit.numerics.meanfield.maps import EPS, Maps, maps
from widelimit.numerics.meanfield.pairs import NODES, WEIGHTS
from widelimit.numerics.meanfield.points import CRITICAL, MeanField, solve
from widelimit.numerics.results import by_value
from widelimit.theory import meanfield as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ConvergenceError, DomainError

Array = np.ndarray
SMALL = 1e-3  # 1 - c below which a difference between c = 1 and c is integrated
DIGITS = 1e-11  # relative error at which a closed form gives way to quadrature
RESOLVED = 1e-6  # relative error of a moment's derivative that is accepted
_ANY = theory.ANY


@by_value
@dataclass(frozen=True)
class Slopes:
    """Derivatives of the fields of `MeanField` by one argument; floats, or arrays. nan where there is none."""

    q_star: Any
    c_star: Any
    one_minus_c_star: Any
    chi_1: Any
    length_slope: Any
    correlation_slope: Any
    xi_q: Any
    xi_c: Any
    xi_grad: Any
    gradient_overlap: Any


@by_value
@dataclass(frozen=True)
class MeanFieldGradient:
    """`value`: what `solve` returns; `sigma_w`, `sigma_b`, `keep`: its derivatives with respect to each."""

    value: MeanField
    sigma_w: Slopes
    sigma_b: Slopes
    keep: Slopes


def gradient(
    activation: str | Activation | Expr,
    *,
    sigma_w: Any,
    sigma_b: Any = 0.0,
    q0: Any = None,
    keep: Any = 1.0,
) -> MeanFieldGradient:
    """Return `solve` and its derivatives with respect to `sigma_w`, `sigma_b` and `keep`; arguments as of `solve`.

    ``dq* = F_theta/(1 - F_q)`` for q* = F(q*), likewise for 1 - c*, and the chain rule for all others; at keep = 1
    the derivative with respect to it is that from below. Next to the edge of chaos the relative error of the
    derivatives of correlations is about 1e-13/(1 - c*), as that of 1 - c* is.

    What has no derivative is nan: correlations and their depth scale on the edge of chaos and, with dropout, at
    q* = 0, depth scales that are 0 or infinite, everything where the length map has slope 1 or no fixed point. A scalar
    request raises `DomainError` in the last case. `ConvergenceError`: a moment's derivative is not resolved.

    >>> found = gradient("tanh", sigma_w=1.3**0.5, sigma_b=0.05**0.5)
    >>> round(found.value.chi_1, 10), round(found.sigma_w.chi_1, 8), found.sigma_w.c_star
    (0.8801635099, 0.74746864, 0.0)
    >>> round(gradient("relu", sigma_w=1.0, sigma_b=0.3).sigma_b.q_star, 12)  # q = 2 sigma_b^2
    1.2
    >>> round(gradient("relu", sigma_w=1.0, sigma_b=0.3).sigma_w.xi_grad, 9)  # 2/log(2)^2
    4.162737962
    >>> found = gradient("sin", sigma_w=2.0, sigma_b=0.5)  # c* of q = 4 exp(-q) sinh(q) + 1/4 and the like, by mpmath
    >>> round(found.value.c_star, 9), round(found.sigma_b.c_star, 9)
    (0.202782381, 0.580714058)
    """
    value = solve(activation, sigma_w=sigma_w, sigma_b=sigma_b, q0=q0, keep=keep)
    functions = maps(activation)
    shape = np.shape(value.q_star)
    w, b, rho = (
        np.array(np.broadcast_to(np.asarray(one, float), shape)).reshape(-1)
        for one in (sigma_w, sigma_b, keep)
    )
    point = {f.name: np.asarray(getattr(value, f.name), float).reshape(-1) for f in fields(Slopes)}
    there = np.isfinite(point["q_star"]) & (np.abs(point["length_slope"] - 1) > CRITICAL)
    if not shape and not there[0]:
        raise DomainError(
            f"The fixed point of {functions.activation.name} at sigma_w = {w[0]:g}, sigma_b = {b[0]:g} has no "
            "derivative: the length map has slope 1 there. Move away from it."
        )
    moments = _moments(functions, point, w, rho, there)
    found = [_slopes(name, point, moments, (w, b, rho), there) for name in ("sigma_w", "sigma_b", "keep")]
    shaped = [
        Slopes(**{name: arguments.scalar(one.reshape(shape)) for name, one in each.items()}) for each in found
    ]
    return MeanFieldGradient(value, *shaped)


# --- what the moments of an activation change by


@dataclass(frozen=True)
class Formulas:
    """The symbolic side, in `q` or in `q` and `EPS`; `*_nodes` are used where closed forms lose their digits."""

    moments: tuple[Expr, ...]  # dP/dq, d^2 V/dq^2
    moment_nodes: tuple[Expr, ...]
    trusted: tuple[float, float]
    pair: tuple[Expr, ...]  # dC/dq, dS/dq at fixed c, dS/d epsilon
    pair_nodes: tuple[Expr, ...]
    curvature: Expr  # E phi''^2


@functools.lru_cache(maxsize=64)
def _formulas(phi: Activation) -> Formulas:
    here = cache.sources("widelimit.numerics", "meanfield/gradients", "meanfield/maps")
    key = cache.digest("meanfield_gradients", here, cache.sources("widelimit.theory"), sympy.srepr(phi.expr))
    return cache.remembered(key, lambda: _derived(phi), Formulas)


def _derived(phi: Activation) -> Formulas:
    def pair(closed: bool) -> tuple[Expr, ...]:
        by_q, slope_by_q, slope_by_c = theory.pair_slopes(phi, closed=closed)
        return tuple(one.subs(theory.c, 1 - EPS) for one in (by_q, slope_by_q, -slope_by_c))

    with theory.where_finite():
        moments, nodes = theory.moment_slopes(phi), theory.moment_slopes(phi, closed=False)
        good = activations.trusted(moments, lambda p, v: (p + v, p + v), DIGITS)
        return Formulas(moments, nodes, good, pair(True), pair(False), theory.curvature_moment(phi))


class Changes(NamedTuple):
    """The same compiled; pairs of a closed form and what takes its place."""

    moments: tuple[Compiled, Compiled]
    pair: tuple[Compiled, Compiled]
    curvature: Compiled


@functools.lru_cache(maxsize=64)
def _changes(phi: Activation) -> Changes:
    formulas, q = _formulas(phi), theory.q
    return Changes(
        (
            compile(formulas.moments, [q], name="moment_slopes"),
            compile(formulas.moment_nodes, [q], name="moment_slope_integrals"),
        ),
        (
            compile(formulas.pair, [q, EPS], name="pair_slopes"),
            compile(formulas.pair_nodes, [q, EPS], name="pair_slope_integrals"),
        ),
        compile([formulas.curvature], [q], name="curvature"),
    )


@by_value
@dataclass(frozen=True)
class _Moments:
    """Rows of moments and their derivatives at the fixed points; `turned` are those with c* < 1."""

    V: Array
    P: Array
    dV: Array
    P_q: Array
    d2V: Array
    S: Array
    S_q: Array
    S_epsilon: Array
    gap: Array
    gap_q: Array
    turned: Array


def _moments(functions: Maps, point: dict[str, Array], w: Array, rho: Array, there: Array) -> _Moments:
    phi = functions.activation
    q = np.where(there, point["q_star"], 1.0)
    (v, p, slope), _ = functions.moments(q)
    v = np.where(q == 0, functions.table.v_zero, v)
    at = np.maximum(q, activations.TINY)
    changes, (low, high) = _changes(phi), _formulas(phi).trusted
    root = np.sqrt(at)
    with np.errstate(over="ignore", divide="ignore"):
        sizes = (p / root, v / at / root)  # of a kink's part
    p_q, d2v = _either(changes.moments, (at >= low) & (at <= high), (at,), sizes)
    eps = np.where(there, point["one_minus_c_star"], 0.0)
    turned = eps > 0
    s, s_q, s_eps, gap, gap_q = p.copy(), p_q.copy(), np.zeros_like(q), np.zeros_like(q), np.zeros_like(q)
    level = np.flatnonzero(there & ~turned & (point["q_star"] > 0))
    if level.size:
        s_eps[level] = -q[level] * changes.curvature.evaluate(q[level], missing=True)[0][0]
    if (rows := np.flatnonzero(turned)).size:
        here, e = q[rows], eps[rows]
        closed = functions.closed_where(here)
        weight, noise = layer().defect(w[rows], rho[rows], here, v[rows])
        gap[rows] = (e - noise) / weight
        s[rows] = point["gradient_overlap"][rows] / w[rows] ** 2
        scales = (v[rows] / here, p[rows] / here, p[rows])
        by_q, s_q[rows], s_eps[rows] = _either(changes.pair, closed, (here, e), scales)
        gap_q[rows] = slope[rows] - by_q
        if (near := np.flatnonzero(e < SMALL)).size:  # gap = q int S over epsilon
            t = e[near, None] * NODES**2
            lengths = np.repeat(here[near], NODES.size)
            some = tuple(np.repeat(one[near], NODES.size) for one in scales)
            inside = _either(changes.pair, np.repeat(closed[near], NODES.size), (lengths, t.ravel()), some)[1]
            grown = e[near] * (inside.reshape(t.shape) @ (2 * NODES * WEIGHTS))
            gap_q[rows[near]] = gap[rows[near]] / here[near] + here[near] * grown
    return _Moments(v, p, slope, p_q, d2v, s, s_q, s_eps, gap, gap_q, turned)


def _either(
    both: tuple[Compiled, Compiled], closed: Array, at: tuple[Array, ...], scales: tuple[Array, ...]
) -> Array:
    """Return the rows of the closed forms where they keep their digits, else by quadrature, whose error is checked."""
    out = np.empty((len(scales), closed.size))
    for which, rows in zip(both, (np.flatnonzero(closed), np.flatnonzero(~closed)), strict=True):
        if not rows.size:
            continue
        some = [one[rows] for one in at]
        values, errors = which.evaluate(*some)
        size = np.abs(values) + 1e-2 * np.array([one[rows] for one in scales])
        if (bad := errors > RESOLVED * size).any():
            row = int(np.argwhere(bad)[0][1])
            raise ConvergenceError(
                f"A derivative of a moment is not resolved at the variance q = {some[0][row]:g}: its error may be "
                f"{errors[bad][0]:.1g}. Use other scales, or an activation that is smoother."
            )
        out[:, rows] = values
    return out


@by_value
@dataclass(frozen=True)
class PairMoves:
    """Derivatives of a pair's moments: of V and P by q; of C and S by q at fixed c, and of S by epsilon = 1 - c."""

    V_q: Array
    P_q: Array
    C_q: Array
    S_q: Array
    S_epsilon: Array


def pair_moves(activation: str | Activation | Expr, q: Array, epsilon: Array) -> PairMoves:
    """Return how an activation's moments change, at variances q and defects epsilon of the correlation, 1-dimensional.

    V = E phi^2, P = E phi'^2, C = E phi(u_1) phi(u_2), S = E phi'(u_1) phi'(u_2) of one variance and correlation
    1 - epsilon; where epsilon = 0, C and S are V and P, and S changes with epsilon by -q E phi''^2.

    Raises `ConvergenceError` where a derivative is not resolved.
    """
    functions = maps(activation)
    phi = functions.activation
    (v, p, slope), _ = functions.moments(q)
    at = np.maximum(q, activations.TINY)
    changes, (low, high) = _changes(phi), _formulas(phi).trusted
    root = np.sqrt(at)
    p_q, _ = _either(changes.moments, (at >= low) & (at <= high), (at,), (p / root, v / at / root))
    c_q, s_q, s_epsilon = slope.copy(), p_q.copy(), np.zeros_like(at)
    if (level := np.flatnonzero(epsilon <= 0)).size:
        s_epsilon[level] = -at[level] * changes.curvature.evaluate(at[level], missing=True)[0][0]
    if (rows := np.flatnonzero(epsilon > 0)).size:
        here = at[rows]
        scales = (v[rows] / here, p[rows] / here, p[rows])
        c_q[rows], s_q[rows], s_epsilon[rows] = _either(
            changes.pair, functions.closed_where(here), (here, epsilon[rows]), scales
        )
    return PairMoves(slope, p_q, c_q, s_q, s_epsilon)


# --- the chain rule


@functools.cache
def _rules(name: str) -> dict[str, Compiled]:
    """Return the formulas of the theory for one argument, compiled."""
    (parameter,) = (one for one in theory.PARAMETERS if one.name == {"keep": "rho"}.get(name, name))
    w, rho, q = theory.sigma_w, theory.keep, theory.q
    moved, turned = theory.length_move, theory.defect_move
    scales = [w, theory.sigma_b, rho]
    slope, change = Symbol("slope", positive=True), Symbol("change", real=True)
    pair = [theory.slope_product_slope, theory.slope_product_decay]
    return {
        "length": compile(
            theory.length_change(parameter), [*scales, _ANY.V, _ANY.slope], name="length_change"
        ),
        "defect": compile(
            theory.defect_change(parameter),
            [*scales, q, _ANY.V, _ANY.slope, _ANY.S, theory.gap, theory.gap_slope, moved],
            name="defect_change",
        ),
        "slopes": compile(
            theory.slope_changes(parameter),
            [*scales, _ANY.P, _ANY.slope, _ANY.D, theory.slope_moment_slope, _ANY.S, *pair, moved, turned],
            name="slope_changes",
        ),
        "depth": compile(theory.depth_change(slope, change), [slope, change], name="depth_change"),
    }


def _slopes(
    name: str, point: dict[str, Array], m: _Moments, scales: tuple[Array, ...], there: Array
) -> dict[str, Array]:
    rules = _rules(name)
    rho, q = scales[2], np.where(there, point["q_star"], 1.0)
    with np.errstate(all="ignore"):
        dq = np.where(there, rules["length"](*scales, m.V, m.dV), np.nan)
        turning = rules["defect"](
            *scales, np.maximum(q, activations.TINY), m.V, m.dV, m.S, m.gap, m.gap_q, dq
        )
        level = ~m.turned & (name != "keep")
        turning = np.where(level, 0.0, turning)
        edge = ~m.turned & (np.abs(point["chi_1"] - 1) <= CRITICAL)
        nowhere = edge | ((q == 0) & ((rho < 1) | (name == "keep")))
        turning = np.where(there & ~nowhere, turning, np.nan)
        # what does not move has no part, even where its factor is infinite
        p_q, d2v, s_q = (np.where(dq == 0, 0.0, one) for one in (m.P_q, m.d2V, m.S_q))
        s_eps = np.where(turning == 0, 0.0, m.S_epsilon)
        chi, length, pull, overlap = rules["slopes"](
            *scales, m.P, m.dV, d2v, p_q, m.S, s_q, s_eps, dq, turning
        )
    pull, overlap = (np.where(np.isfinite(one), one, np.nan) for one in (pull, overlap))
    return {
        "q_star": dq,
        "c_star": 0.0 - turning,
        "one_minus_c_star": turning,
        "chi_1": chi,
        "length_slope": length,
        "correlation_slope": pull,
        "xi_q": _depth(rules, point["length_slope"], length),
        "xi_c": _depth(rules, point["correlation_slope"], pull),
        "xi_grad": _depth(rules, point["chi_1"], chi),
        "gradient_overlap": overlap,
    }


def _depth(rules: dict[str, Compiled], slope: Array, change: Array) -> Array:
    """Return how xi = -1/log|slope| changes; nan where xi is 0 or infinite."""
    size = np.abs(slope)
    plain = np.isfinite(size) & (size > 0) & (np.abs(size - 1) > CRITICAL)
    found = rules["depth"](np.where(plain, size, 0.5), np.sign(slope) * change)
    return np.where(plain, found, np.nan)
