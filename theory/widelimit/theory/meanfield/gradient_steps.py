"""`derive_gradients`: the formulas of `gradients` as steps, each held against fixed points that are solved for anew.

The check adds to a map the constant that makes the drawn point its fixed point, moves a parameter a little to either
side, solves for both fixed points and divides. The maps themselves are those that `derive` checks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import mpmath
from sympy import Derivative, Eq, Expr, Symbol

from widelimit.theory.calculus import implicit
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.precision import Values, evaluate
from widelimit.theory.meanfield import formulas as m
from widelimit.theory.meanfield import gradients as g
from widelimit.theory.meanfield.moments import (
    ANY,
    c,
    epsilon,
    nodes,
    product_moment,
    q,
    q_1,
    q_2,
    second_moment,
    second_moment_slope,
    slope_moment,
    slope_product,
)

PRICE = "price1958useful; stein1981estimation"
_SCALES = {m.sigma_w: (0.6, 1.2), m.sigma_b: (0.1, 1.0), m.keep: (0.7, 0.95)}
_Q, _C, _EPSILON = {q: (0.5, 1.5)}, {c: (0.1, 0.8)}, {epsilon: (0.4, 0.9)}
_MOVES = {g.length_move: (-1.0, 1.0)}


def derive_gradients(activation: str | Activation) -> Derivation:
    """Return how fixed points, slopes and depth scales of an activation change with the scales, in checked steps.

    >>> derive_gradients("sin")["slope-moment-change"].equation.rhs
    -exp(-2*q)
    """
    a = Activation.of(activation)
    return Derivation(f"Derivatives of signal propagation: {a}", (*_moments(a), *_changes(a)), m.ASSUMPTIONS)


def _equal(left: Expr, right: Expr) -> Eq:
    return Eq(left, right, evaluate=False)


def _moments(a: Activation) -> list[Step]:
    known = nodes(a)
    because = (
        "Price and Stein under the integral, or the closed form differentiated. The check differentiates the "
        "density."
    )
    by_q, slope_by_q, slope_by_c = g.pair_slopes(a)
    p_q, curvature = g.moment_slopes(a)
    rows = (
        ("slope-moment-change", Derivative(known["P"], q), p_q, _Q),
        ("second-moment-curvature", Derivative(known["V"], (q, 2)), curvature, _Q),
        ("product-moment-change", Derivative(known["C"], q), by_q, _Q | _C),
        ("slope-product-change", Derivative(known["S"], q), slope_by_q, _Q | _C),
        ("slope-product-decay", Derivative(known["S"], c), slope_by_c, _Q | _C),
    )
    return [
        Step(name, _equal(left, right), because, PRICE, domain=domain)
        for name, left, right, domain in rows
        if right != 0  # piecewise linear phi: both sides vanish
    ]


def _changes(a: Activation) -> list[Step]:
    of_pair = {c: 1 - epsilon}
    product, slopes = product_moment(a).subs(of_pair), slope_product(a).subs(of_pair)
    by_q, slope_by_q, slope_by_c = (one.subs(of_pair) for one in g.pair_slopes(a))
    p_q, curvature = g.moment_slopes(a)
    v, dv = second_moment(a), second_moment_slope(a)
    table = {
        ANY.V: v,
        ANY.slope: dv,
        ANY.P: slope_moment(a),
        ANY.D: curvature,
        ANY.S: slopes,
        m.gap: v - product,
        g.gap_slope: dv - by_q,
        g.slope_moment_slope: p_q,
        g.slope_product_slope: slope_by_q,
        g.slope_product_decay: -slope_by_c,
    }
    found = []
    for parameter in g.PARAMETERS:
        found.append(
            Step(
                f"length-change-{parameter}",
                _equal(Symbol(f"dq_{parameter}"), g.length_change(parameter).xreplace(table)),
                "The implicit function theorem: q* = F(q*, theta) moves by F_theta/(1 - F_q).",
                assumptions=("q is the fixed point of the length map",),
                domain=_Q | _SCALES,
                left=partial(length, a, parameter),
            )
        )
        if (
            parameter != m.sigma_b
        ):  # 1 - c* does not hear of it but by q*, and not at all where phi is homogeneous
            found.append(
                Step(
                    f"defect-change-{parameter}",
                    _equal(Symbol(f"depsilon_{parameter}"), g.defect_change(parameter).xreplace(table)),
                    "The same for epsilon* = 1 - c*, whose map moves with the parameter and, by dq, with q*.",
                    assumptions=("epsilon is the fixed point of the map of 1 - c",),
                    domain=_Q | _SCALES | _EPSILON | _MOVES,
                    left=partial(defect, a, parameter),
                )
            )
        names = ("chi-1", "length-slope", "correlation-slope", "gradient-overlap")
        for index, (name, change) in enumerate(zip(names, g.slope_changes(parameter), strict=True)):
            found.append(
                Step(
                    f"{name}-change-{parameter}",
                    _equal(Symbol(f"d{name.replace('-', '')}_{parameter}"), change.xreplace(table)),
                    "The chain rule along both fixed points.",
                    domain=_Q | _SCALES | _EPSILON | _MOVES | {g.defect_move: (-1.0, 1.0)},
                    left=partial(slope, a, parameter, index),
                )
            )
    size, move = Symbol("s", positive=True), Symbol("ds", real=True)
    found.append(
        Step(
            "depth-change",
            _equal(Derivative(m.depth_scale(size), size) * move, g.depth_change(size, move)),
            "The chain rule for xi = -1/log(slope).",
            domain={size: (0.1, 0.9), move: (-1.0, 1.0)},
        )
    )
    return found


# --- the left sides


def _root(function: Callable[[Any], Any], near: Any) -> Any:
    pair = (near, near * (1 + mpmath.mpf(10) ** -6))
    return mpmath.findroot(lambda y: function(y) - y, pair, tol=mpmath.eps * 10, verify=False)


def length(a: Activation, parameter: Symbol, values: Values, dps: int) -> Any:
    """Return d q*/d parameter of the length map, shifted so that q is its fixed point."""
    at, here = evaluate(q, values, 2 * dps), evaluate(parameter, values, 2 * dps)

    formula = m.dropout_length_map(a)

    def image(y: Any, theta: Any, digits: int) -> Any:
        return evaluate(formula, {**values, q: y, parameter: theta}, digits)

    def fixed(theta: Any, digits: int) -> Any:
        shift = at - image(at, here, digits)
        return _root(lambda y: image(y, theta, digits) + shift, at)

    return implicit.difference(fixed, here, dps)


def defect(a: Activation, parameter: Symbol, values: Values, dps: int) -> Any:
    """Return d epsilon*/d parameter of 1 - covariance/length one layer on, shifted likewise; q* moves by dq."""
    at, here, start, drift = (
        evaluate(one, values, 2 * dps) for one in (epsilon, parameter, q, g.length_move)
    )
    equal = {q_1: q, q_2: q, c: 1 - epsilon}
    formula = (m.dropout_length_map(a) - m.covariance_map(a).subs(equal)) / q

    def image(y: Any, theta: Any, digits: int) -> Any:
        where = start + drift * (theta - here)
        return evaluate(formula, {**values, q: where, epsilon: y, parameter: theta}, digits)

    def fixed(theta: Any, digits: int) -> Any:
        shift = at - image(at, here, digits)
        return _root(lambda y: image(y, theta, digits) + shift, at)

    return implicit.difference(fixed, here, dps)


def slope(a: Activation, parameter: Symbol, index: int, values: Values, dps: int) -> Any:
    """Return how one of the four slopes changes where parameter, q* and epsilon* move at once."""
    here = evaluate(parameter, values, 2 * dps)
    start = {one: evaluate(one, values, 2 * dps) for one in (q, epsilon)}
    moves = {
        one: evaluate(move, values, 2 * dps) for one, move in ((q, g.length_move), (epsilon, g.defect_move))
    }
    formula = (
        m.with_dropout(m.chi_1(a)),
        m.with_dropout(m.length_slope(a)),
        m.correlation_slope(a).subs(c, 1 - epsilon),
        m.correlation_slope(a).subs(c, 1 - epsilon),
    )[index]

    def moved(theta: Any, digits: int) -> Any:
        there = {one: start[one] + moves[one] * (theta - here) for one in start}
        return evaluate(formula, {**values, **there, parameter: theta}, digits)

    return implicit.difference(moved, here, dps)
