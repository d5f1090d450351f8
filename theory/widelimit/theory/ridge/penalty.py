"""The best penalty: stationarity, its sign, isotropic targets, first-order jumps."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import Any

import mpmath
from sympy import Eq, Expr, Integral, Symbol, diff, lambdify, log, oo, symbols

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.ridge.formulas import (
    FITTED_BEND,
    MISSED_BEND,
    SPARE,
    SUMS,
    alpha,
    in_full,
    kappa,
    noise,
    over_spectrum,
    p,
    penalty_symbol,
    s,
    stationarity,
    total_derivative,
    u,
)
from widelimit.theory.ridge.steps import DRAWN, MEL, number, on_three_scales, spectral
from widelimit.theory.ridge.test_error import (
    ASSUMPTIONS,
    effective_ridge_steps,
    error,
    error_steps,
    penalty_of_kappa,
    rho_of_kappa,
    summed,
)

tilt, tilt_slope, edge_tilt = symbols("tilt tilt' tilt_c", real=True)
w2, sigma2_star = symbols("w^2 sigma2_*", positive=True)


def printed_tilt() -> Expr:
    """``(1 - rho)/2 d log E/d kappa`` with the sums printed."""
    return in_full(stationarity().subs(SPARE, 1 - SUMS["fitted_twice"] / alpha))


@cache
def _stationarity_steps() -> tuple[Step, ...]:
    bends = {
        MISSED_BEND: over_spectrum(u * s / (s + kappa) ** 4),
        FITTED_BEND: over_spectrum(p * s**2 / (s + kappa) ** 4),
    }
    slope = in_full(
        total_derivative(stationarity()).subs(SPARE, 1 - SUMS["fitted_twice"] / alpha).subs(bends)
    )
    return (
        spectral(
            "tilt",
            tilt,
            printed_tilt(),
            "lambda increases with kappa, so E is extremal in the penalty where this vanishes: (1 - "
            "rho)/2 d log E/d kappa.",
            where={tilt: (1 - rho_of_kappa()) / 2 * diff(log(error()), kappa)},
        ),
        spectral(
            "stationarity",
            tilt,
            summed("fitted_slope")
            / alpha
            / error()
            * (alpha * kappa * summed("missed_slope") / summed("fitted_slope") - error()),
            "In other words E = N kappa [sum w^2 s^2/(s + kappa)^3]/[sum s^2/(s + kappa)^3] at every extremum.",
            where={tilt: printed_tilt()},
        ),
        spectral(
            "tilt-slope",
            tilt_slope,
            slope,
            "Its own derivative, by the chain rule through the sums: what Newton's method and the "
            "search for close pairs use.",
            where={tilt_slope: diff(printed_tilt(), kappa)},
        ),
    )


def _optimal() -> Derivation:
    at_edge = {alpha: summed("fitted_twice")}
    return Derivation(
        "The best penalty",
        (
            *effective_ridge_steps(),
            *error_steps(),
            _stationarity_steps()[0],
            spectral(
                "at-the-edge",
                edge_tilt,
                -summed("fitted_slope") / summed("fitted_twice"),
                "At the spectral edge rho = 1 and the tilt is negative: E falls from infinity.",
                where={edge_tilt: printed_tilt().subs(at_edge)},
            ),
            spectral(
                "far-away",
                kappa**2 * printed_tilt(),
                over_spectrum(u * s) / (over_spectrum(u) + noise),
                "At large kappa it is positive: there is a best penalty if there is any signal. It "
                "is negative exactly if the "
                "tilt is still positive at penalty zero (kappa_0, alpha < 1): alignment and little noise make it so.",
                source=f"{MEL}; kobak2020optimal; wu2020optimal",
                kind="limit",
                limit=(kappa, oo, 1),
                domain={kappa: (10.0, 100.0)},
            ),
            *reversed(_stationarity_steps()[1:]),
        ),
        ASSUMPTIONS,
    )


def _isotropic_target() -> Derivation:
    same = over_spectrum(w2 * p * s * (kappa / (s + kappa)) ** 2)
    best = (same + alpha * w2 * penalty_of_kappa()) / (1 - rho_of_kappa())
    domain = {w2: (0.2, 2.0), alpha: (1.2, 3.0)}
    return Derivation(
        "Isotropic targets",
        (
            *effective_ridge_steps(),
            *_stationarity_steps(),
            spectral(
                "error-at-optimum",
                Symbol("E_*"),
                alpha * kappa * w2,
                "With the same w_j^2 everywhere, u = w^2 s summed over dimensions (w2 is P w_j^2), "
                "and stationarity reads "
                "E = N kappa w_j^2; the penalty sigma2/(N w_j^2) satisfies it.",
                source=f"{MEL}; dobriban2018high",
                where={Symbol("E_*"): best},
                domain=domain,
            ),
            spectral(
                "best-penalty",
                penalty_symbol,
                sigma2_star / (alpha * w2),
                "So the best penalty is the ratio of noise to signal per sample, for any spectrum and any alpha.",
                source=f"{MEL}; dobriban2018high",
                where={
                    penalty_symbol: penalty_of_kappa(),
                    sigma2_star: alpha * kappa * w2 * (1 - rho_of_kappa()) - same,
                },
                domain=domain,
            ),
        ),
        (*ASSUMPTIONS, "w_j^2 is the same for all j, or w is random with that variance"),
    )


def _jump() -> Derivation:
    one, two = symbols("kappa_1 kappa_2", positive=True)
    difference = log(error().subs(kappa, two)) - log(error().subs(kappa, one))
    integrand = 2 * printed_tilt() / (1 - rho_of_kappa())

    drawn = {symbol: ends for symbol, ends in DRAWN.items() if symbol is not kappa}
    return Derivation(
        "First-order jump of the best penalty",
        (
            *effective_ridge_steps(),
            *error_steps(),
            *_stationarity_steps(),
            Step(
                "equal-areas",
                Eq(difference, Integral(integrand, (kappa, one, two)), evaluate=False),
                "Two minima kappa_1 < kappa_2 of E are equally deep when the areas of the tilt below "
                "and above zero between them "
                "balance, as in Maxwell's construction. When the sample ratio passes that point the "
                "best penalty jumps: with "
                "scales of 1 and 0.01 on 10 and 90 % of the dimensions, signal shares 0.50 and 0.49 and noise 0.01, at "
                "alpha = 0.24979, from 0.2316 to 0.0083.",
                MEL,
                domain={**drawn, alpha: (1.2, 3.0), one: (0.2, 0.6), two: (0.8, 1.5)},
                evaluate=partial(_areas, difference, integrand, one, two),
            ),
        ),
        ASSUMPTIONS,
    )


def _areas(
    difference: Expr, integrand: Expr, one: Symbol, two: Symbol, values: Mapping[Symbol, Any], dps: int
) -> tuple[mpmath.mpf, mpmath.mpf]:
    """The difference of log E, and the integral of the tilt between the two minima."""
    with mpmath.workdps(dps + 10):
        numbers = {symbol: number(value) for symbol, value in values.items()}
        left = lambdify(list(numbers), on_three_scales(difference), "mpmath")(*numbers.values())
        f = lambdify([kappa, *numbers], on_three_scales(integrand), "mpmath")
        return left, mpmath.quad(lambda x: f(x, *numbers.values()), [numbers[one], numbers[two]])


DERIVATIONS = MappingProxyType(
    {"optimal-penalty": _optimal, "isotropic-target": _isotropic_target, "penalty-jump": _jump}
)
