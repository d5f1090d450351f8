"""Steps to the floor of the noise and to the largest step."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import mpmath
from sympy import Eq, Expr, Symbol, expand, solve

from widelimit.theory.alignment import cosines, matrices, rules, steps_fixed
from widelimit.theory.alignment import noise as forms
from widelimit.theory.alignment.noise import BATCH, DIMENSION, NOISY, PUT_IN, RATE, STEP
from widelimit.theory.alignment.rules import ALPHA, GAMMA, WT, B, C
from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.ensembles import over_gaussian
from widelimit.theory.calculus.precision import Values, numbers

_MODE = {STEP: (0.05, 0.3), RATE: (1.2, 2.0), NOISY: (0.3, 1.0), BATCH: (1, 3), PUT_IN: (0.5, 2.0)}


def noise() -> list[Step]:
    """One step's noise, its balance with decay, and where that fails."""
    steps = [
        Step(
            "batch",
            Eq(Symbol("E(A M A - C M C)"), forms.excess(), evaluate=False),
            "products of four Gaussians by pairs; the check integrates over batches of two-dimensional inputs",
            source="isserlis1918formula",
            domain={
                forms.ROUND_TRIP: (0.2, 0.4),
                forms.ENTRY_OF_C: (0.5, 2.0),
                forms.TRACE: (0.5, 2.0),
                BATCH: (1, 2),
            },
            left=_batch,
        ),
        *(step for rule in ("mirror", "information") for step in (steps_fixed.flow(rule), _residual(rule))),
        steps_fixed.flow("activation"),
        *(_noisy(rule) for rule in ("activation", "information")),
        Step(
            "one-mode",
            Eq(Symbol("1 - E(e'/e)^2"), forms.damping() - STEP * NOISY * forms.feed(), evaluate=False),
            "one input: the batch's mean square has variance 2/K, half of it the mode's own, half what it is fed",
            domain={**_MODE, BATCH: (1, 2)},
            left=_one_mode,
        ),
        Step(
            "alone",
            Eq(Symbol("d"), forms.alone(), evaluate=False),
            "decay and what noise puts in balance; without multiplicative noise 1 - (1 - eta rho)^2 is the damping",
            domain={**_MODE, NOISY: (0.3, 1.0)},
            left=_balance,
        ),
        Step(
            "passed-on",
            Eq(Symbol("p"), forms.passed_on(), evaluate=False),
            "an entry is fed, damped, and feeds the others; the check adds the geometric series of its decay",
            domain=_MODE,
            left=_series,
        ),
        Step(
            "activation-step",
            Eq(Symbol("eta_max"), forms.activation_step(), evaluate=False),
            "E|(1 - eta alpha A) e|^2 = |e|^2 for white inputs; the check integrates over batches",
            domain={ALPHA: (0.5, 2.0), BATCH: (1, 2), DIMENSION: (1, 2)},
            left=_white,
        ),
        Step(
            "largest-step",
            Eq(Symbol("eta_max"), forms.largest_step(), evaluate=False),
            "where (1 - eta rho)^2 = 1: an error turns round and keeps its size; the other root is no step at all",
            domain=_MODE,
            kind="derived",
            by=_turning,
        ),
        *_information(),
    ]
    return steps


def _residual(rule: str) -> Step:
    decays = {"mirror": ALPHA, "information": GAMMA}[rule] * B
    noisy: Expr = rules.flow(rule) + decays
    shown: Expr = rules.residual(rule) * C * WT
    return Step(
        f"residual-{rule}",
        Eq(noisy, shown, evaluate=False),
        "the part of the flow that is measured on a batch, with the inputs' coefficient in front",
        domain=matrices.COEFFICIENTS,
        left=partial(matrices.shown, noisy),
        right=partial(matrices.shown, shown),
    )


def _noisy(rule: str) -> Step:
    return Step(
        f"noisy-rate-{rule}",
        Eq(Symbol("nu"), rules.noisy_rate(rule), evaluate=False),
        "the part of the rate that grows with the batch's moment in place of C",
        domain={**matrices.COEFFICIENTS, rules.MODE: (0.5, 2.0), rules.IMAGE: (0.5, 2.0)},
        kind="derived",
        by=partial(_measured, rule),
    )


def _measured(rule: str, earlier: Mapping[str, Eq]) -> Eq:
    scale = Symbol("kappa")
    number = rules.in_modes(expand(earlier[f"flow-{rule}"].rhs.subs(C, scale * C)))
    return Eq(Symbol("nu"), -number.diff(rules.BACKWARD).diff(scale), evaluate=False)


def _information() -> list[Step]:
    at = {**matrices.COEFFICIENTS, cosines.ASPECT: (0.2, 0.8), cosines.SIGMA_W: (0.5, 2.0)}
    resolvent, edge = (step for step in steps_fixed.cosine() if step.name in ("resolvent", "edge"))
    return [
        steps_fixed.rate("information"),
        resolvent,
        edge,
        Step(
            "information-step",
            Eq(Symbol("eta_max"), forms.information_step(), evaluate=False),
            "the fastest entry is that of the largest eigenvalue of W W^T",
            domain=at,
            kind="derived",
            by=_fastest,
        ),
    ]


def _fastest(earlier: Mapping[str, Eq]) -> Eq:
    fastest = earlier["rate-information"].rhs.subs(rules.IMAGE, earlier["edge"].rhs)
    return Eq(Symbol("eta_max"), earlier["largest-step"].rhs.subs(RATE, fastest), evaluate=False)


def _turning(earlier: Mapping[str, Eq]) -> Eq:
    (found,) = (root for root in solve(expand((1 - STEP * RATE) ** 2) - 1, STEP) if root != 0)
    return Eq(Symbol("eta_max"), found, evaluate=False)


# --- by numbers


def _batch(values: Values, dps: int) -> Any:
    """E(A M A)_11 - (C M C)_11 by quadrature, for C_11 = x_C, tr(M C) = t, (C M C)_11 = x_CMC, M diagonal."""
    round_trip, entry, trace = numbers(values, dps, forms.ROUND_TRIP, forms.ENTRY_OF_C, forms.TRACE)
    count = int(values[BATCH])
    cross = entry / 3
    other = mpmath.mpf(1)
    # C = [[entry, cross], [cross, other]], M = diag(first, second): two linear equations for M
    first, second = mpmath.lu_solve(
        mpmath.matrix([[entry, other], [entry**2, cross**2]]), mpmath.matrix([trace, round_trip])
    )
    covariance = [
        [(entry, cross, other)[i % 2 + j % 2] if i // 2 == j // 2 else 0 for j in range(2 * count)]
        for i in range(2 * count)
    ]

    def square(*x: Any) -> Any:
        one_one = mpmath.fsum(x[2 * k] ** 2 for k in range(count)) / count
        one_two = mpmath.fsum(x[2 * k] * x[2 * k + 1] for k in range(count)) / count
        return first * one_one**2 + second * one_two**2

    return over_gaussian(square, covariance, 4) - round_trip


def _one_mode(values: Values, dps: int) -> Any:
    """1 - E (1 - eta (rho - nu) - eta nu A)^2, A the mean of K squared standard Gaussians."""
    step, whole, noisy = numbers(values, dps, STEP, RATE, NOISY)
    count = int(values[BATCH])
    unit = [[int(i == j) for j in range(count)] for i in range(count)]

    def left(*x: Any) -> Any:
        measured = mpmath.fsum(u**2 for u in x) / count
        return (1 - step * (whole - noisy) - step * noisy * measured) ** 2

    return 1 - over_gaussian(left, unit, 4)


def _kept(values: Values, dps: int) -> Any:
    """What is kept of a square in one step but for what it feeds itself, from `_one_mode`'s moments."""
    step, whole, noisy = numbers(values, dps, STEP, RATE, NOISY)
    return (1 - step * whole) ** 2 + (step * noisy) ** 2 / int(values[BATCH])


def _balance(values: Values, dps: int) -> Any:
    """The mean square after very many steps of d' = kept d + eta^2 q, by doubling."""
    step, put_in = numbers(values, dps, STEP, PUT_IN)
    kept, total = _kept(values, dps), step**2 * put_in
    for _ in range(60):
        total, kept = total + kept * total, kept**2
    return total


def _series(values: Values, dps: int) -> Any:
    step, noisy = numbers(values, dps, STEP, NOISY)
    kept, total = _kept(values, dps), (step * noisy) ** 2 / int(values[BATCH])
    for _ in range(60):
        total, kept = total + kept * total, kept**2
    return total


def _white(values: Values, dps: int) -> Any:
    """2/(alpha E(A^2)_11) for the moment A of a batch of white inputs."""
    alpha = numbers(values, dps, ALPHA)[0]
    count, size = int(values[BATCH]), int(values[DIMENSION])
    unit = [[int(i == j) for j in range(count * size)] for i in range(count * size)]

    def square(*x: Any) -> Any:
        rows = [x[size * k : size * (k + 1)] for k in range(count)]
        return mpmath.fsum((mpmath.fsum(row[0] * row[j] for row in rows) / count) ** 2 for j in range(size))

    return 2 / (alpha * over_gaussian(square, unit, 4))
