"""What the derivatives of averages stand for by numbers: Gauss-Hermite sums over logits, and differences of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath

from widelimit.theory.attention import gradients as g
from widelimit.theory.attention import maps as m
from widelimit.theory.attention import overlaps as o
from widelimit.theory.attention.checks import logistic
from widelimit.theory.calculus.ensembles import over_gaussian
from widelimit.theory.calculus.precision import Values, evaluate, numbers


def temperature_growth(values: Values, dps: int, formula: bool = False) -> Any:
    """The derivative in a^2 of S_2 of two tokens, or R_2 + 2 [E (sum A^2)^2 - S_3], by Gauss-Hermite sums."""
    (std,) = numbers(values, dps, o.LOGIT_STD)

    def mean(function: Callable[[Any], Any], variance: Any) -> Any:
        return over_gaussian(lambda x: function(logistic(x)), [[2 * variance]], 30)

    def squares(s: Any) -> Any:
        return s**2 + (1 - s) ** 2

    if not formula:
        return mpmath.diff(lambda variance: mean(squares, variance), std**2)
    known = {
        o.SLOPES: mean(lambda s: 4 * (s * (1 - s)) ** 2, std**2),
        g.SQUARED: mean(lambda s: squares(s) ** 2, std**2),
        g.S3: mean(lambda s: s**3 + (1 - s) ** 3, std**2),
    }
    return evaluate(g.within_growth(), known, dps)


def single_heating(values: Values, dps: int, power: int, formula: bool = False) -> Any:
    """The derivative in a^2 of m_j at a place, or its formula, by Gauss-Hermite sums over one logit."""
    std, place = numbers(values, dps, o.LOGIT_STD, o.PLACE)

    def mean(j: int, variance: Any) -> Any:
        return over_gaussian(lambda x: _kept(place + x, j), [[variance]], 30)

    if not formula:
        return mpmath.diff(lambda variance: mean(power, variance), std**2)
    known = {o.LOG: mpmath.log(mean(0, std**2)), o.M1: mean(1, std**2), o.M2: mean(2, std**2)}
    known |= {g.M3: mean(3, std**2), g.M4: mean(4, std**2)}
    return evaluate(g.variance_change(power), known, dps)


def pair_heating(
    values: Values, dps: int, powers: tuple[int, int], together: bool, formula: bool = False
) -> Any:
    """The derivative of psi_jk in two logits' covariance, or twice that in the first's variance; or its formula."""
    std, rho, place = numbers(values, dps, o.LOGIT_STD, m.RHO, o.PLACE)

    def mean(j: int, k: int, first: Any, shared: Any) -> Any:
        return over_gaussian(
            lambda x, y: _kept(place + x, j) * _kept(place - 1 + y, k),
            [[first, shared], [shared, std**2]],
            16,
        )

    here = std**2, rho * std**2
    if formula:
        known = {one: mean(*at, *here) for at, one in g.PAIRS.items() if at != (0, 0)}
        known[o.LOG] = mpmath.log(mean(0, 0, *here))
        change = g.covariance_change if together else g.row_change
        return evaluate(change(*powers), known, dps)
    if together:
        return mpmath.diff(lambda shared: mean(*powers, here[0], shared), here[1])
    return 2 * mpmath.diff(lambda first: mean(*powers, first, here[1]), here[0])


def _kept(place: Any, power: int) -> Any:
    return mpmath.exp(power * place - mpmath.exp(place))
