"""Times to learn and to collapse."""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Expr, Rational, Symbol, log

from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.calculus.precision import Values
from widelimit.theory.ssl import formulas as t
from widelimit.theory.ssl.steps import (
    ASSUMPTIONS,
    ISOTROPIC,
    TIAN,
    at,
    power_rule,
    step,
)


def time() -> Derivation:
    """Derive the times to learn and to collapse."""
    times = {t.START: (0.13, 0.2), t.P: (0.25, 0.35)}
    slow = {t.DECAY: (0.6, 1.2), t.FROM: (0.5, 1.0), t.TO: (-0.5, 0.3)}
    near = Symbol("delta", positive=True)
    steps = (
        step("power-law", Symbol("u'"), t.direct_mode(), "the chain rule for s^a, a = 1/2 on the parabola",
             t.U, t.TAU, t.SIGNAL, t.SPREAD, t.DECAY, t.EXPONENT, left=_power_law),
        step("time-law", Symbol("T"), _three_logarithms(), "partial fractions of 1/[p (p - p_-) (p - p_+)]",
             domain=times, left=_waited, source=TIAN),
        step("time-law-stable", _three_logarithms(), t.passage_time(),
             "the coefficients add up to zero: each logarithm becomes one of a ratio, none with a pole", domain=times),
        *(
            step(f"ratio-{name}", ratio - 1, less, "the distance of a ratio from one, by common denominators",
                 domain=times)
            for name, ratio, less in zip(
                ("low", "high"), t.passage_ratios(), t.passage_excesses(), strict=True)
        ),
        step("excess", Symbol("e"), t.excess(), "minus the discriminant of the quadratic, by its coefficients",
             domain=slow, left=_minus_discriminant),
        step("collapse", Symbol("T_0"), t.collapse_time(), "the same integral where the quadratic has no root",
             domain=slow, left=_waited_for_collapse),
        step("bottleneck", Symbol("T_c"), t.bottleneck_time().subs(t.GAP, -near),
             "beside p_c the velocity is -p_c [c (p - p_c)^2 + eta - eta_c]: the integral of its inverse over the line",
             t.TAU, left=_through_the_bottleneck, domain={near: (0.001, 0.01)}),
        step("bottleneck-limit", _between_double_roots(near), t.bottleneck_time().subs(t.GAP, -near),
             "between two starts on either side of p_c the time is pi/root(a b) of x' = -a - b x^2, and a bounded rest",
             t.TAU, kind="limit", limit=(near, 0, Rational(1, 2)), domain={near: (0.001, 0.01)}),
    )  # fmt: skip
    return Derivation("Non-contrastive learning: times", steps, (*ASSUMPTIONS, ISOTROPIC))


def _power_law(values: Values, dps: int) -> Any:
    (u,) = at(values, dps, t.U)
    return power_rule(values, dps, u)


def _three_logarithms() -> Expr:
    """The time law as partial fractions give it: with a pole where two fixed points meet."""
    low, high = t.lower(), t.upper()
    weights = (1 / (high * low), 1 / (low * (low - high)), 1 / (high * (high - low)))
    ratios = (t.P / t.START, (t.P - low) / (t.START - low), (t.P - high) / (t.START - high))
    total = sum(weight * log(ratio) for weight, ratio in zip(weights, ratios, strict=True))
    return -total / (2 * t.EXPONENT * t.C)


def _waited(values: Values, dps: int) -> Any:
    start, stop = at(values, dps, t.START, t.P)
    return mpmath.quad(lambda u: 1 / power_rule(values, dps, u), [start, (start + stop) / 2, stop])


def _minus_discriminant(values: Values, dps: int) -> Any:
    """From three values of the velocity per p, which is a quadratic."""
    f = [power_rule(values, dps, mpmath.mpf(u)) / u for u in (1, 2, 3)]
    second = (f[2] - 2 * f[1] + f[0]) / 2
    first = f[1] - f[0] - 3 * second
    return 4 * second * (f[0] - first - second) - first**2


def _waited_for_collapse(values: Values, dps: int) -> Any:
    tau, x, spread, *ends = at(values, dps, t.TAU, t.SIGNAL, t.SPREAD, t.FROM, t.TO)
    start, stop = ((y + tau * x) / (2 * (x + spread)) for y in ends)
    points = [start + (stop - start) * k / 4 for k in range(5)]
    return mpmath.quad(lambda u: 1 / power_rule(values, dps, u), points)


def _through_the_bottleneck(values: Values, dps: int) -> Any:
    """Time through a parabola of velocities: its height and its curvature at p_c by differences of the exact one."""
    near = next(value for symbol, value in values.items() if symbol.name == "delta")
    tau, x, spread = at(values, dps, t.TAU, t.SIGNAL, t.SPREAD)
    critical = tau**2 * x**2 / (4 * (x + spread))
    above = {**values, t.DECAY: critical + mpmath.mpf(near.p) / near.q}
    centre, h = tau * x / (2 * (x + spread)), mpmath.mpf(1) / 16
    low, here, high = (power_rule(above, dps, centre + k * h) for k in (-1, 0, 1))
    bend = -(low - 2 * here + high) / (2 * h**2)
    return mpmath.quad(lambda u: 1 / (bend * u**2 - here), [-mpmath.inf, -1, 0, 1, mpmath.inf])


def _between_double_roots(near: Symbol) -> Expr:
    """Time of collapse from 1.5 p_c to p_c/2 at a decay above the critical one by `near`."""
    ends = {t.FROM: t.TAU * t.SIGNAL / 2, t.TO: -t.TAU * t.SIGNAL / 2, t.GAP: -near}
    return t.collapse_time().subs(ends).subs(t.DECAY, t.critical_weight_decay() + near)
