"""Flows of matrices: invariant, alignment of eigenspaces, what the stop-gradient and the predictor are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath
from sympy import Eq, Symbol, exp

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.ssl import formulas as t
from widelimit.theory.ssl import words
from widelimit.theory.ssl.steps import (
    ASSUMPTIONS,
    ISOTROPIC,
    TIAN,
    matrices,
    step,
)


def flow() -> Derivation:
    """Derive the flows of matrices and what they keep."""
    steps = (
        *_velocities(),
        matrices(
            "invariant", "(W W^T - W_p^T W_p/alpha_p)'", t.invariant_drift(),
            "the product rule: what the gradients contribute cancels in pairs, whatever data and target",
            _invariant_velocity, t.RATE,
        ),
        step(
            "invariant-decay", Symbol("I_t/I_0"), t.invariant_decay(),
            "the last step is a linear equation: both covariances forget their difference at twice the decay",
            kind="derived", by=_decayed,
        ),
        matrices(
            "alignment", "[F, W_p]'", -(t.L * t.alignment_matrix() + t.alignment_matrix() * t.L),
            "the product rule for a symmetrised predictor; K is positive where eigenspaces align",
            _commutator_velocity, t.RATE, t.DECAY, t.TAU, t.SIGNAL, t.SPREAD, isotropic=True,
        ),
        step(
            "alignment-rate", Symbol("K_j"), t.alignment_rate(), "the eigenvalue of K on a common eigenvector",
            kind="derived", by=_alignment_rate,
        ),
        matrices(
            "no-stop-gradient", "W'_free", t.no_stop_gradient_flow(),
            "the gradient where the target is W itself and is differentiated as well: every term shrinks W",
            _free_velocity, t.DECAY,
        ),
        step(
            "no-stop-gradient-rate", Symbol("h"), t.no_stop_gradient_rate(), "the same along one mode",
            kind="derived", by=_free_rate,
        ),
        step(
            "no-predictor-rate", Symbol("h_1"), t.no_predictor_rate(),
            "the flow of W at W_p = 1 and W_a = W, along one mode: nothing is left that grows",
            kind="derived", by=_no_predictor,
        ),
    )  # fmt: skip
    return Derivation("Non-contrastive learning: flows of matrices", steps, (*ASSUMPTIONS, ISOTROPIC))


def _velocities() -> tuple[Step, ...]:
    return (
        matrices(
            "predictor-flow", "W_p'", t.predictor_flow(),
            "alpha_p times minus the gradient of half the mean square error, and weight decay",
            _predictor_velocity, source=f"{TIAN}, theorem 1",
        ),
        matrices(
            "encoder-flow", "W'", t.encoder_flow(),
            "minus the gradient in W; the stop-gradient makes the target a constant",
            _encoder_velocity, source=f"{TIAN}, theorem 1",
        ),
        matrices(
            "target-flow", "W_a'", t.target_flow(),
            "a moving average that keeps the share 1 - beta lr a step of length lr",
            _target_velocity, source=f"{TIAN}, theorem 1",
        ),
    )  # fmt: skip


def _predictor_velocity(at: words.Matrices) -> Any:
    slope = words.gradient(lambda m: words.loss(m, at[t.W], at[t.WA]), at[t.WP])
    return -at[t.RATE] * slope - at[t.DECAY] * at[t.WP]


def _encoder_velocity(at: words.Matrices) -> Any:
    slope = words.gradient(lambda m: words.loss(at[t.WP], m, at[t.WA]), at[t.W])
    return -slope - at[t.DECAY] * at[t.W]


def _free_velocity(at: words.Matrices) -> Any:
    slope = words.gradient(lambda m: words.loss(at[t.WP], m, m), at[t.W])
    return -slope - at[t.DECAY] * at[t.W]


def _target_velocity(at: words.Matrices) -> Any:
    rate = mpmath.mpf(1) / 8
    kept = 1 - at[t.EMA] * rate
    return (kept * at[t.WA] + (1 - kept) * at[t.W] - at[t.WA]) / rate


def _invariant_velocity(at: words.Matrices) -> Any:
    w, p = _encoder_velocity(at), _predictor_velocity(at)
    return w * at[t.WT] + at[t.W] * w.T - (p.T * at[t.WP] + at[t.WPT] * p) / at[t.RATE]


def _commutator_velocity(at: words.Matrices) -> Any:
    """[F', W_p] + [F, W_p'] for isotropic data, with the symmetric part of the predictor's velocity."""
    w, p = words.value(t.encoder_flow(), at), words.value(t.predictor_flow(), at)
    p = (p + p.T) / 2
    covariance = w * at[t.WT] + at[t.W] * w.T
    return covariance * at[t.WP] - at[t.WP] * covariance + at[t.F] * p - p * at[t.F]


def _decayed(earlier: Mapping[str, Eq]) -> Eq:
    start = t.W * t.WT - t.WPT * t.WP / t.RATE
    rate = (t.as_mode(earlier["invariant"].rhs) / t.as_mode(start)).simplify()
    return Eq(Symbol("I_t/I_0"), exp(rate * t.TIME), evaluate=False)


def _alignment_rate(earlier: Mapping[str, Eq]) -> Eq:
    commutator = Symbol("l")
    both = t.as_mode(earlier["alignment"].rhs.subs(t.L, commutator))
    return Eq(Symbol("K_j"), (-both / (2 * commutator)).expand(), evaluate=False)


def _free_rate(earlier: Mapping[str, Eq]) -> Eq:
    return Eq(
        Symbol("h"), (-t.as_mode(earlier["no-stop-gradient"].rhs) / t.as_mode(t.W)).expand(), evaluate=False
    )


def _no_predictor(earlier: Mapping[str, Eq]) -> Eq:
    rate = -t.as_mode(earlier["encoder-flow"].rhs) / t.as_mode(t.W)
    return Eq(Symbol("h_1"), rate.subs({t.P: 1, t.TAU: 1}).expand(), evaluate=False)
