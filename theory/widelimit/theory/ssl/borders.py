"""Which starts survive: the border of the basin, and a target that moves."""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Symbol

from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.calculus.precision import Values, evaluate
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


def basin() -> Derivation:
    """Derive the border of the basin and what a moving target does to it."""
    determinant, trace = t.ema_determinant(), t.ema_trace()
    steps = (
        step("border", Symbol("d log s/d p"), t.separatrix_slope().subs(t.P, t.lower()),
             "the stable manifold of p_- leaves it along the eigenvector of -2 eta, by a numerical Jacobian",
             t.RATE, t.TAU, t.SIGNAL, t.SPREAD, t.DECAY, left=_border),
        step("trace", Symbol("tr J"), trace.subs(t.P, t.upper().subs(t.TAU, 1)),
             "with a moving target (p, tau) on the parabola, at tau = 1: a numerical Jacobian",
             t.EMA, t.TAU, left=_ema_trace, domain={t.TAU: (1.0, 1.0)}),
        step("determinant", Symbol("det J"), determinant.subs(t.P, t.upper().subs(t.TAU, 1)),
             "its sign is that of the tangent eigenvalue: the average's rate moves no fixed point's stability",
             t.EMA, t.TAU, left=_ema_determinant, domain={t.TAU: (1.0, 1.0)}),
        step("direction", Symbol("d p/d tau"), t.ema_slope().subs(t.P, t.upper().subs(t.TAU, 1)),
             "the first row of the Jacobian less mu, at any mu",
             t.MU, t.EMA, t.TAU, left=_ema_direction, domain={t.TAU: (1.0, 1.0), t.MU: (1.0, 2.0)}),
    )  # fmt: skip
    return Derivation("Non-contrastive learning: which starts survive", steps, (*ASSUMPTIONS, ISOTROPIC))


def _border(values: Values, dps: int) -> Any:
    """Of the Jacobian of (p, log s): the eigenvector of the eigenvalue that the decay of s - p^2/alpha_p gives."""
    more = 3 * dps + 20
    with mpmath.workdps(more):
        p, (tau, rate, decay) = roots(values, more)[0], at(values, more, t.TAU, t.RATE, t.DECAY)
        v = mpmath.log(p**2 / rate)
    pp = differentiated(lambda q: velocity(values, more, q, mpmath.exp(v), tau)[0], p, dps)
    pv = differentiated(lambda q: velocity(values, more, p, mpmath.exp(q), tau)[0], v, dps)
    return (-2 * decay - pp) / pv


def _ema_jacobian(values: Values, dps: int) -> list[list[Any]]:
    """Of (u, tau) where the predictor is u = s^a, at u = p_+ and tau = 1, by differences."""
    more = 3 * dps + 20
    with mpmath.workdps(more):
        at, one = roots({**values, t.TAU: 1}, more)[1], mpmath.mpf(1)
        power = evaluate(t.EXPONENT, values, more) if t.EXPONENT in values else one / 2

    def flow(u: Any, tau: Any) -> tuple[Any, Any]:
        return power_rule(values, more, u, tau), velocity(values, more, u, u ** (1 / power), tau)[2]

    def row(which: int) -> list[Any]:
        along_u = differentiated(lambda q: flow(q, one)[which], at, dps)
        return [along_u, differentiated(lambda q: flow(at, q)[which], one, dps)]

    return [row(0), row(1)]


def _ema_trace(values: Values, dps: int) -> Any:
    j = _ema_jacobian(values, dps)
    return j[0][0] + j[1][1]


def _ema_determinant(values: Values, dps: int) -> Any:
    j = _ema_jacobian(values, dps)
    return j[0][0] * j[1][1] - j[0][1] * j[1][0]


def _ema_direction(values: Values, dps: int) -> Any:
    (mu,) = at(values, dps, t.MU)
    j = _ema_jacobian(values, dps)
    return j[0][1] / (mu - j[0][0])
