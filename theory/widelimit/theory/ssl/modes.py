"""One mode: its flow, fixed points, eigenvalues."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import mpmath
from sympy import Eq, Symbol, solve

from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.calculus.precision import Values
from widelimit.theory.ssl import formulas as t
from widelimit.theory.ssl.steps import (
    ASSUMPTIONS,
    ISOTROPIC,
    at,
    differentiated,
    power_rule,
    roots,
    step,
    velocity,
)


def modes() -> Derivation:
    """Derive one mode, its fixed points and their eigenvalues."""
    steps = (
        step("predictor", Symbol("p'"), t.predictor_mode(), "the flow of one weight, by its loss",
             *_ALL, left=partial(_mode, 0)),
        step("covariance", Symbol("s'"), t.covariance_mode(), "the same for s = w^2", *_ALL, left=partial(_mode, 1)),
        step("target", Symbol("tau'"), t.target_mode(), "the same for the target over the online weight",
             *_ALL, left=partial(_mode, 2)),
        step("parabola", t.covariance_mode().subs(t.S, t.parabola()),
             (2 * t.P / t.RATE) * t.predictor_mode().subs(t.S, t.parabola()),
             "s - p^2/alpha_p decays at the rate 2 eta: what starts on the parabola stays there"),
        step("resting", Symbol("s_*"), t.parabola().subs(t.P, t.upper()),
             "both velocities vanish at s = p^2/alpha_p: here by the slope of p' in s",
             t.TAU, t.SIGNAL, t.SPREAD, t.DECAY, t.RATE, left=_resting_covariance),
        step("critical", Symbol("eta_c"), t.critical_weight_decay(), "where two fixed points meet: the discriminant",
             kind="derived", by=_discriminant),
        step("gap", t.GAP, t.gap(), "the distance to it, by the discriminant", left=_gap_by_roots),
        step("upper", Symbol("p_+"), t.upper(), "the larger root of the cubic", left=partial(_root, 1)),
        step("lower", Symbol("p_-"), t.lower(), "the smaller root, without a difference", left=partial(_root, 0)),
        step("tangent", Symbol("lambda_t"), t.tangent().subs(t.P, t.upper()),
             "the derivative of the velocity along the parabola, by differences", left=_tangent),
        step("slope", t.slope().subs(t.U, t.upper()), t.tangent().subs(t.P, t.upper()),
             "at a fixed point eta is p (tau x - c p)"),
        step("slope-anywhere", Symbol("lambda_u"), t.slope(), "the derivative of the velocity at any u",
             left=_slope),
        step("transverse", Symbol("lambda_s"), t.transverse(), "the Jacobian's trace less the tangent eigenvalue",
             t.RATE, t.TAU, t.SIGNAL, t.SPREAD, left=_transverse),
        step("largest-step", Symbol("lr_max"), t.largest_step(), "where a step turns a deviation into its negative",
             left=_largest_step),
    )  # fmt: skip
    return Derivation("Non-contrastive learning: one mode", steps, (*ASSUMPTIONS, ISOTROPIC))


_ALL = (t.P, t.S, t.TAU, t.SIGNAL, t.SPREAD, t.RATE, t.DECAY, t.EMA)


def _mode(which: int, values: Values, dps: int) -> Any:
    p, s, tau = at(values, dps, t.P, t.S, t.TAU)
    return velocity(values, dps, p, s, tau)[which]


def _resting_covariance(values: Values, dps: int) -> Any:
    """The s at which p' vanishes for the p at which s' vanishes; p' is linear in s."""
    (tau,) = at(values, dps, t.TAU)
    p = roots(values, dps)[1]
    one, two = (velocity(values, dps, p, mpmath.mpf(s), tau)[0] for s in (1, 2))
    return 1 - one / (two - one)


def _discriminant(earlier: Mapping[str, Eq]) -> Eq:
    """Eliminate s, divide the cubic by p, and ask where the quadratic that is left has a double root."""
    resting = earlier["covariance"].rhs / (2 * t.S)
    centre = solve(resting.diff(t.P), t.P)[0]
    return Eq(Symbol("eta_c"), solve(resting.subs(t.P, centre).expand(), t.DECAY)[0].factor(), evaluate=False)


def _gap_by_roots(values: Values, dps: int) -> Any:
    low, high = roots(values, dps)
    x, spread = at(values, dps, t.SIGNAL, t.SPREAD)
    return (x + spread) * (high - low) ** 2 / 4


def _root(which: int, values: Values, dps: int) -> Any:
    return roots(values, dps)[which]


def _tangent(values: Values, dps: int) -> Any:
    with mpmath.workdps(3 * dps + 20):
        at = roots(values, 3 * dps + 20)[1]
    return differentiated(lambda u: power_rule(values, 3 * dps + 20, u), at, dps)


def _slope(values: Values, dps: int) -> Any:
    (u,) = at(values, dps, t.U)
    return differentiated(lambda v: power_rule(values, 3 * dps + 20, v), u, dps)


def _transverse(values: Values, dps: int) -> Any:
    more = 3 * dps + 20
    with mpmath.workdps(more):
        p, (tau, rate) = roots(values, more)[1], at(values, more, t.TAU, t.RATE)
        s = p**2 / rate
    along_p = differentiated(lambda q: velocity(values, more, q, s, tau)[0], p, dps)
    along_s = differentiated(lambda q: velocity(values, more, p, q, tau)[1], s, dps)
    return along_p + along_s - _tangent(values, dps)


def _largest_step(values: Values, dps: int) -> Any:
    (rate,) = at(values, dps, t.EIGENVALUE)
    return mpmath.findroot(lambda lr: (1 + lr * rate) + 1, 1)
