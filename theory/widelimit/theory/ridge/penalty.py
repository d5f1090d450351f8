"""The best penalty: stationarity, its sign, isotropic targets, first-order jumps."""

from __future__ import annotations

from functools import cache, partial
from types import MappingProxyType

from sympy import Integral, Symbol, diff, log, oo, symbols

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.ridge.formulas import (
    FITTED_BEND,
    MISSED_BEND,
    SLOPE,
    SUMS,
    alpha,
    error_by_penalty,
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
from widelimit.theory.ridge.steps import MEL, integrated, spectral
from widelimit.theory.ridge.test_error import (
    ASSUMPTIONS,
    effective_ridge_steps,
    error,
    error_steps,
    penalty_of_kappa,
    rho_of_kappa,
    summed,
)

error_slope, error_bend, slope_at_edge = symbols("e e' e_c", real=True)
by_penalty_symbol = Symbol("dE/dlambda", real=True)
w2, sigma2_star = symbols("w^2 sigma2_*", positive=True)


def error_slope_in_full() -> Rewritten:
    """``(1 - rho)/2 d log E/d kappa`` with the sums printed."""
    return in_full(stationarity().subs(SLOPE, 1 - SUMS["fitted_twice"] / alpha))


@cache
def _stationarity_steps() -> tuple[Step, ...]:
    bends = {
        MISSED_BEND: over_spectrum(u * s / (s + kappa) ** 4),
        FITTED_BEND: over_spectrum(p * s**2 / (s + kappa) ** 4),
    }
    slope = in_full(
        total_derivative(stationarity()).subs(SLOPE, 1 - SUMS["fitted_twice"] / alpha).subs(bends)
    )
    return (
        spectral(
            "error-slope",
            error_slope,
            error_slope_in_full(),
            "lambda increases with kappa, so E is extremal in the penalty where this vanishes: (1 - "
            "rho)/2 d log E/d kappa.",
            where={error_slope: (1 - rho_of_kappa()) / 2 * diff(log(error()), kappa)},
        ),
        spectral(
            "stationarity",
            error_slope,
            summed("fitted_slope")
            / alpha
            / error()
            * (alpha * kappa * summed("missed_slope") / summed("fitted_slope") - error()),
            "In other words E = N kappa [sum w^2 s^2/(s + kappa)^3]/[sum s^2/(s + kappa)^3] at every extremum.",
            where={error_slope: error_slope_in_full()},
        ),
        spectral(
            "error-by-penalty",
            by_penalty_symbol,
            in_full(error_by_penalty().subs(SLOPE, 1 - SUMS["fitted_twice"] / alpha)),
            "The same by the penalty itself, d lambda/d kappa being 1 - rho.",
            where={by_penalty_symbol: diff(error(), kappa) / diff(penalty_of_kappa(), kappa)},
        ),
        spectral(
            "error-bend",
            error_bend,
            slope,
            "Its own derivative, by the chain rule through the sums: what Newton's method and the "
            "search for close pairs use.",
            where={error_bend: diff(error_slope_in_full(), kappa)},
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
                slope_at_edge,
                -summed("fitted_slope") / summed("fitted_twice"),
                "At the spectral edge rho = 1 and the slope is negative: E falls from infinity.",
                where={slope_at_edge: error_slope_in_full().subs(at_edge)},
            ),
            spectral(
                "far-away",
                kappa**2 * error_slope_in_full(),
                over_spectrum(u * s) / (over_spectrum(u) + noise),
                "At large kappa it is positive: there is a best penalty if there is any signal. It "
                "is negative exactly if the "
                "slope is still positive at penalty zero (kappa_0, alpha < 1): alignment and little noise make it so.",
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
    area = Integral(2 * error_slope_in_full() / (1 - rho_of_kappa()), (kappa, one, two))
    return Derivation(
        "First-order jump of the best penalty",
        (
            *effective_ridge_steps(),
            *error_steps(),
            *_stationarity_steps(),
            spectral(
                "equal-areas",
                area,
                difference,
                "Two minima kappa_1 < kappa_2 of E are equally deep when the areas of the slope below "
                "and above zero between them "
                "balance, as in Maxwell's construction. When the sample ratio passes that point the "
                "best penalty jumps: with "
                "scales of 1 and 0.01 on 10 and 90 % of the dimensions, signal shares 0.50 and 0.49 and noise 0.01, at "
                "alpha = 0.24979, from 0.2316 to 0.0083.",
                domain={alpha: (1.2, 3.0), one: (0.2, 0.6), two: (0.8, 1.5)},
                left=partial(integrated, area),
            ),
        ),
        ASSUMPTIONS,
    )


DERIVATIONS = MappingProxyType(
    {"optimal-penalty": _optimal, "isotropic-target": _isotropic_target, "penalty-jump": _jump}
)
