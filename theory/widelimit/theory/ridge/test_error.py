"""From the Marchenko-Pastur equation to the errors of ridge regression.

effective-ridge   the self-consistent equation of the sample covariance, read as lambda(kappa)
test-error        a source in the resolvent: second moments of the fit from first moments
training-error    derivatives in lambda; the cross-validation identity
bias-variance     the mean predictor is a population ridge with penalty kappa; the rest is variance
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import mpmath
from sympy import Derivative, Expr, Integer, Symbol, diff, log, symbols

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.ensembles import planar_pairings
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.ridge.formulas import (
    EXCESS,
    RATIO,
    RHO,
    SLOPE,
    SUMS,
    alpha,
    bias,
    effective_ridge_ratio,
    effective_ridge_ratio_few_samples,
    effective_ridge_slope,
    effective_ridge_slope_at_penalty,
    effective_ridge_slope_few_samples,
    error_by_samples,
    expected_error,
    in_full,
    kappa,
    learning_curve_slope,
    margin,
    noise,
    over_spectrum,
    p,
    penalty_symbol,
    ratio_at_penalty,
    s,
    training_error,
    u,
    variance_of_inputs,
    variance_of_noise,
)  # fmt: skip
from widelimit.theory.ridge.steps import MARCHENKO, MEL, power_sum, spectral

m, z, eta, tau = symbols("m z eta tau", real=True)
E, E_train, E_cv, F, rho, M_2 = symbols("E E_train E_cv F rho M_2", real=True)
mean_error, E_signal, V_inputs, V_noise = symbols("B E_s V_X V_epsilon", real=True)
slope = Symbol("kappa'", real=True)  # d kappa / d lambda

ASSUMPTIONS = (
    "inputs are Gaussian with covariance eigenvalues s_j (a fraction p_j of the P dimensions at s_j)",
    "the target is w.x plus Gaussian noise of variance sigma2; u_j is the signal variance that s_j carries",
    "N samples, P dimensions, both to infinity at fixed alpha = N/P",
    "loss (1/N) sum of squares + lambda |w|^2, with lambda above the lower spectral edge (kappa > kappa_c)",
)


_MOMENTS = 3  # of the Gram matrix that fix its transform near m = 0


def _inverse_transform(values: Mapping[Symbol, Any], dps: int) -> Any:
    """z at which ``-sum_k M_k/z^(k+1)`` is m, for moments M_k of the Gram matrix that Wick's theorem gives."""
    point = {symbol: mpmath.mpf(value.p) / value.q for symbol, value in values.items()}
    moments = [
        sum(
            mpmath.fprod(power_sum(point, len(cycle)) / point[alpha] for cycle in columns)
            for columns, _ in planar_pairings(order)
        )
        for order in range(1, _MOMENTS + 1)
    ]

    def excess(y: Any) -> Any:  # y = 1/z
        return y + sum(one * y ** (k + 2) for k, one in enumerate(moments)) + point[m]

    return 1 / mpmath.findroot(excess, -point[m])


def summed(name: str) -> Rewritten:
    """Sum a named term over the spectrum."""
    return in_full(SUMS[name])


_RATIO, _SLOPE = effective_ridge_ratio_few_samples(), effective_ridge_slope_few_samples()


def on_solution(expression: Expr) -> Rewritten:
    """Write an observable out: ``lambda/kappa``, ``1 - rho``, rho and the sums in terms of the spectrum."""
    return in_full(expression.subs({RATIO: _RATIO, SLOPE: _SLOPE, RHO: 1 - _SLOPE}))


def penalty_of_kappa() -> Rewritten:
    """``lambda(kappa) = kappa (1 - df1/N)`` with the sums printed."""
    return kappa * on_solution(RATIO)


def rho_of_kappa() -> Rewritten:
    """``rho = df2/N`` with the sums printed."""
    return on_solution(RHO)


def error() -> Rewritten:
    """``E = (B + sigma2)/(1 - rho)`` with the sums printed."""
    return on_solution(expected_error())


def by_penalty(expression: Expr) -> Rewritten:
    """Differentiate in lambda along the solution: ``(d/dkappa) / (dlambda/dkappa)``."""
    return diff(expression, kappa) / diff(penalty_of_kappa(), kappa)


@cache
def effective_ridge_steps() -> tuple[Step, ...]:
    """Marchenko-Pastur to the effective ridge."""
    inner = over_spectrum(p * s / (1 + s * m)) / alpha
    silverstein = -1 / m + inner
    # residue at m = 0 of z^2 m dz/dm, with m z = m inner - 1
    moment = diff((m * inner - 1) ** 2 * (1 + m**2 * diff(inner, m)), m, 2).subs(m, 0) / 2
    return (
        spectral(
            "marchenko-pastur",
            z,
            silverstein,
            "The companion Stieltjes transform m(z) = tr(K - z)^-1/N of the Gram matrix K = X X^T/N "
            "solves this: by Schur "
            "complement a diagonal element of the resolvent is -1/(z (1 + x^T (C - z)^-1 x/N)), C "
            "the covariance of the "
            "other rows, and the quadratic form concentrates on tr Sigma (C - z)^-1/N.",
            source=MARCHENKO,
            kind="limit",
            limit=(m, Integer(0), _MOMENTS + 1),
            left=_inverse_transform,
            domain={m: (0.01, 0.02)},
        ),
        spectral(
            "wishart-moment",
            M_2,
            over_spectrum(p * s**2) / alpha + (over_spectrum(p * s) / alpha) ** 2,
            "The residue at m = 0 gives tr K^2/N; it is the Wick average, of which N(N-1) pairs of rows contribute "
            "tr Sigma^2 and N rows (tr Sigma)^2.",
            source=MARCHENKO,
            where={M_2: moment},
        ),
        spectral(
            "effective-ridge",
            penalty_symbol,
            penalty_of_kappa(),
            "Put z = -lambda and m = 1/kappa. kappa is the penalty with which the population covariance shrinks as the "
            "sample covariance does with lambda: lambda (C + lambda)^-1 is equivalent to kappa (Sigma + kappa)^-1.",
            source=f"{MARCHENKO}; {MEL}",
            where={penalty_symbol: -silverstein.subs(m, 1 / kappa)},
        ),
    )


@cache
def error_steps() -> tuple[Step, ...]:
    """Add a source to the resolvent, and with it reach the test error."""
    sourced = 1 / (1 + over_spectrum(p * s / ((eta + tau) * s + penalty_symbol)) / alpha)
    point = {tau: 0, eta: penalty_symbol / kappa}
    solved = {penalty_symbol: penalty_of_kappa()}
    implicit = 1 + (diff(sourced, tau) / (1 - diff(sourced, eta))).subs(point)
    response = 1 / (1 - rho_of_kappa())
    probe = over_spectrum(u / s / ((eta + tau) * s + penalty_symbol))
    signal = (penalty_symbol**2 * -diff(probe, tau)).subs(point) * response
    return (
        spectral(
            "slope",
            Derivative(penalty_of_kappa(), kappa),
            1 - rho_of_kappa(),
            "Differentiate; rho = df2/N = sum_j p_j s_j^2/(s_j + kappa)^2 / alpha.",
        ),
        spectral(
            "effective-ridge-ratio",
            penalty_symbol / kappa,
            in_full(effective_ridge_ratio()),
            "Fractions of dimensions add up to one: so written, no digits are lost near alpha = 1, where df1 nears N "
            "(the margin is 1 - 1/alpha).",
            where={penalty_symbol: penalty_of_kappa(), margin: 1 - 1 / alpha},
        ),
        spectral(
            "effective-ridge-slope",
            1 - rho,
            in_full(effective_ridge_slope()),
            "The same where rho nears 1, without its rounding.",
            where={rho: rho_of_kappa(), margin: 1 - 1 / alpha},
        ),
        spectral(
            "source",
            eta,
            sourced,
            "With a source tau Sigma added, C + tau Sigma + lambda is equivalent to (eta + tau) "
            "Sigma + lambda with this eta; "
            "without the source eta = lambda/kappa.",
            where={eta: penalty_of_kappa() / kappa, tau: Integer(0), penalty_symbol: penalty_of_kappa()},
        ),
        spectral(
            "response",
            Symbol("1+eta'"),
            1 / (1 - rho_of_kappa()),
            "Differentiate the equation of eta in tau implicitly, at tau = 0.",
            where={Symbol("1+eta'"): implicit.subs(solved)},
        ),
        spectral(
            "signal-error",
            E_signal,
            summed("missed") / (1 - rho_of_kappa()),
            "Without noise the test error is lambda^2 w^T (C + lambda)^-1 Sigma (C + lambda)^-1 w, "
            "minus the tau-derivative of "
            "lambda^2 w^T (C + tau Sigma + lambda)^-1 w, to which eta responds.",
            where={E_signal: signal.subs(solved)},
        ),
        spectral(
            "noise-error",
            V_noise,
            noise * rho_of_kappa() / (1 - rho_of_kappa()),
            "Noise is fitted by sigma2 tr C (C + lambda)^-1 Sigma (C + lambda)^-1/N = sigma2 d(lambda T)/dlambda with "
            "lambda T = lambda tr Sigma (C + lambda)^-1/N = kappa - lambda.",
            where={V_noise: noise * by_penalty(kappa - penalty_of_kappa())},
        ),
        spectral(
            "test-error",
            E,
            error(),
            "Add the label noise of the test point: E = sigma2 + signal error + noise error = (B + sigma2)/(1 - rho).",
            where={
                E: noise + (summed("missed") + noise * rho_of_kappa()) / (1 - rho_of_kappa()),
            },
        ),
    )


def training_error_steps() -> tuple[Step, ...]:
    """Differentiate in lambda, and compare with the trace of the resolvent."""
    residual = over_spectrum(u / s * kappa / (s + kappa))
    shrunk = penalty_of_kappa() ** 2
    return (
        spectral(
            "training-error",
            E_train,
            on_solution(training_error()),
            "The training residual is lambda (K + lambda)^-1 y: noise gives sigma2 lambda^2 "
            "d(-1/kappa)/dlambda, signal "
            "lambda^2 d/dlambda of lambda w^T (C + lambda)^-1 w = sum_j w_j^2 kappa/(s_j + kappa).",
            where={E_train: noise * shrunk * by_penalty(-1 / kappa) + shrunk * by_penalty(residual)},
        ),
        spectral(
            "cross-validation",
            E_cv,
            error(),
            "Generalised cross-validation divides the training error by (lambda tr(K + "
            "lambda)^-1/N)^2 = (lambda/kappa)^2: "
            "it estimates the test error without a test set, for every lambda above the edge. lambda/kappa is what "
            "1 - h_i, h_i the leverage of a row, concentrates on; with each row's own, the mean of (r_i/(1 - h_i))^2 "
            "is the leave-one-out error, also for inputs whose leverages do not concentrate.",
            source=f"{MEL}; golub1979gcv",
            where={
                E_cv: (noise * by_penalty(-1 / kappa) + by_penalty(residual)) / (1 / kappa) ** 2,
            },
        ),
    )


def bias_variance_steps() -> tuple[Step, ...]:
    """Split the test error over training inputs and training noise."""
    return (
        spectral(
            "mean-predictor",
            mean_error,
            on_solution(bias()),
            "The fit averaged over training sets has weights s_j w_j/(s_j + kappa); it misses u_j "
            "(kappa/(s_j + kappa))^2.",
            where={mean_error: over_spectrum(u * (1 - s / (s + kappa)) ** 2)},
        ),
        spectral(
            "variance-of-inputs",
            V_inputs,
            on_solution(variance_of_inputs()),
            "Without noise, the test error less the squared bias.",
            where={V_inputs: summed("missed") / (1 - rho_of_kappa()) - summed("missed")},
        ),
        spectral(
            "variance-of-noise",
            V_noise,
            on_solution(variance_of_noise()),
            "What noise adds to the test error beyond the label noise of the test point.",
            where={V_noise: error() - error().subs(noise, 0) - noise},
        ),
        spectral(
            "bias-variance",
            E,
            noise + mean_error + V_inputs + V_noise,
            "All parts together. Every peak of the learning curve is in the variance, through 1/(1 - rho).",
            where={
                E: error(),
                mean_error: on_solution(bias()),
                V_inputs: on_solution(variance_of_inputs()),
                V_noise: on_solution(variance_of_noise()),
            },
        ),
    )


def learning_curve_steps() -> tuple[Step, ...]:
    """At a fixed penalty kappa is the parameter of the learning curve."""
    solved = {EXCESS: kappa - penalty_of_kappa(), penalty_symbol: penalty_of_kappa()}
    curve = in_full(ratio_at_penalty()).subs(EXCESS, kappa - penalty_symbol)
    along = (1 - rho_of_kappa()) * diff(log(error().subs(alpha, curve)), kappa).subs(
        penalty_symbol, penalty_of_kappa()
    )
    elasticity = Symbol("d log E/d log N")
    by_samples = (diff(log(error().subs(alpha, curve)), kappa) / diff(log(curve), kappa)).subs(
        penalty_symbol, penalty_of_kappa()
    )
    return (
        spectral(
            "sample-ratio",
            alpha,
            in_full(ratio_at_penalty()),
            "Solve lambda = kappa (1 - df1/N) for the sample ratio; excess stands for kappa - lambda.",
            where=solved,
        ),
        spectral(
            "slope-at-penalty",
            1 - rho,
            in_full(effective_ridge_slope_at_penalty()),
            "Put it into 1 - rho: a sum of positive terms for a penalty that is not negative.",
            where={rho: rho_of_kappa(), **solved},
        ),
        spectral(
            "learning-curve-slope",
            Symbol("(1-rho)(log E)'"),
            in_full(learning_curve_slope()),
            "Differentiate log E in kappa while alpha follows: zero at peaks and valleys of the learning curve.",
            where={Symbol("(1-rho)(log E)'"): along, **solved},
        ),
        spectral(
            "error-by-samples",
            elasticity,
            in_full(error_by_samples().subs(SLOPE, 1 - SUMS["fitted_twice"] / alpha)),
            "By what per cent the error changes with one per cent more samples: both logarithms follow kappa.",
            where={elasticity: by_samples, **solved},
        ),
    )


def _derivation(title: str, *groups: tuple[Step, ...]) -> Derivation:
    return Derivation(title, tuple(step for group in groups for step in group), ASSUMPTIONS)


DERIVATIONS = MappingProxyType(
    {
        "effective-ridge": lambda: _derivation("Effective ridge", effective_ridge_steps()),
        "test-error": lambda: _derivation(
            "Test error of ridge regression", effective_ridge_steps(), error_steps()
        ),
        "training-error": lambda: _derivation(
            "Training error and cross-validation",
            effective_ridge_steps(),
            error_steps(),
            training_error_steps(),
        ),
        "learning-curve": lambda: _derivation(
            "Learning curve at one penalty", effective_ridge_steps(), error_steps(), learning_curve_steps()
        ),
        "bias-variance": lambda: _derivation(
            "Bias and variance", effective_ridge_steps(), error_steps(), bias_variance_steps()
        ),
    }
)
