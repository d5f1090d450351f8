"""Any data and rules for the predictor: which features survive."""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Function, Symbol

from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.calculus.precision import Values
from widelimit.theory.ssl import formulas as t
from widelimit.theory.ssl import words
from widelimit.theory.ssl.steps import (
    ASSUMPTIONS,
    WANG,
    at,
    matrices,
    roots,
    step,
)

_tr = Function("tr")


def filter_() -> Derivation:
    """Derive which features of any data survive, and what epsilon does."""
    p = t.P
    tight = t.pencil_threshold().subs(t.TOP, t.CROSS / (t.NORM + t.KAPPA * t.TOTAL))
    length = 2 * (_tr(t.WPT * t.W * t.X * t.WT) - _tr(t.WPT * t.WP * t.W * (t.X + t.XA) * t.WT)
                  - t.DECAY * _tr(t.W * t.WT))  # fmt: skip
    steps = (
        step("rule", Symbol("s"), t.direct_covariance(), "the rule W_p = F^a, inverted", t.U, t.EXPONENT,
             left=_inverted, source=WANG),
        matrices("length", "(|W|^2)'", length, "the trace of the flow of W W^T where the target is W",
                 _length_velocity, source=WANG),
        step("bound", t.CROSS**2 / (4 * t.TOTAL) - (p * t.CROSS - p**2 * t.TOTAL),
             t.TOTAL * (p - t.CROSS / (2 * t.TOTAL)) ** 2,
             "a square: one eigenvalue p of a symmetric predictor gains at most A^2/(4 B) on its direction, so that "
             "|W|^2 shrinks at the rate 2 (eta - eta_c) or faster, whatever data, rank and start", source=WANG),
        step("rank-one", Symbol("eta_w"), t.rank_one_threshold(),
             "the best p of a network of one direction, found by search: a fixed point exists up to there",
             t.CROSS, t.NORM, t.TOTAL, left=_best_gain, source=WANG),
        step("pencil", Symbol("eta_w"), tight.subs(t.KAPPA, t.NORM / t.TOTAL),
             "4 kappa N B is at most (N + kappa B)^2, with equality at kappa = N/B: the maximum over directions is one "
             "over the single number kappa, of a top eigenvalue", left=_best_gain, source=WANG),
        step("largest-mode", Symbol("root(s_max)"), t.largest_root(), "root(s) + epsilon s rests at p_+",
             t.EPSILON, left=_largest_root),
        step("epsilon", Symbol("epsilon_c"), t.critical_epsilon(),
             "a mode near zero has the predictor epsilon s_max, which has to be above p_-: the epsilon where it is p_-",
             left=_critical_epsilon),
    )  # fmt: skip
    return Derivation("Non-contrastive learning: a filter", steps, ASSUMPTIONS)


def _inverted(values: Values, dps: int) -> Any:
    u, a = at(values, dps, t.U, t.EXPONENT)
    return mpmath.findroot(lambda s: s**a - u, u)


def _length_velocity(at: words.Matrices) -> Any:
    w = words.gradient(lambda m: words.loss(at[t.WP], m, at[t.W]), at[t.W])
    motion = -w - at[t.DECAY] * at[t.W]
    return 2 * mpmath.fsum(
        motion[i, j] * at[t.W][i, j] for i in range(motion.rows) for j in range(motion.cols)
    )


def _best_gain(values: Values, dps: int) -> Any:
    """Largest (p A - p^2 B)/N over p: where its derivative, by differences, is zero."""
    cross, norm, total = at(values, dps, t.CROSS, t.NORM, t.TOTAL)

    def gain(p: Any) -> Any:
        return (p * cross - p**2 * total) / norm

    return gain(mpmath.findroot(lambda p: gain(p + 1) - gain(p - 1), 1))


def _largest_root(values: Values, dps: int) -> Any:
    (epsilon,) = at(values, dps, t.EPSILON)
    p = roots(values, dps)[1]
    return mpmath.findroot(lambda q: q + epsilon * q**2 - p, p)


def _critical_epsilon(values: Values, dps: int) -> Any:
    low, high = roots(values, dps)
    settled = high - low  # root(s_max) where epsilon s_max is p_-
    return mpmath.findroot(lambda e: e * settled**2 - low, 1)
