"""Ridge regression on random features: the effective ridge applied twice, and Gaussian equivalence for nonlinearities.

Features ``sqrt(P/n_1) f(W x/sqrt(P))``, W_ij ~ N(0, 1), inputs of mean eigenvalue 1, ``psi = n_1/P``. By Gaussian
equivalence they act like ``sqrt(zeta) G^T x + sqrt(c) theta`` with G_ij ~ N(0, 1/n_1), theta ~ N(0, 1),
``zeta = (E z f)^2`` and ``c = (E f^2 - (E z f)^2)/psi`` for centred f. Linear random features: zeta = 1, c = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sympy import Expr, Symbol, diff, symbols

from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.ridge.formulas import (
    SUMS,
    TERMS,
    alpha,
    kappa,
    noise,
    over_spectrum,
    p,
    penalty_symbol,
    s,
    u,
)
from widelimit.theory.ridge.steps import spectral

PENNINGTON = "mel2022random"
psi, zeta = symbols("psi zeta", positive=True)  # features per dimension; power of the linear part
cost = Symbol("c", nonnegative=True)  # power of the nonlinear part, per feature and dimension
kappa_1, upsilon, h, E = symbols("kappa_1 upsilon h E", real=True)

EXTRA_TERMS = MappingProxyType(
    {"missed_once": u * kappa / (s + kappa), "missed_between": u * s * kappa / (s + kappa) ** 2}
)
"""Summands over the spectrum that random features need beside `ridge.TERMS`."""
EXTRA_SUMS = MappingProxyType({name: Symbol(name, real=True) for name in EXTRA_TERMS})


def share() -> Expr:
    """``upsilon = 1 - df1/n_1 - c/(zeta kappa)``: kappa_1 in units of zeta kappa; kappa is the ridge of the inputs."""
    return 1 - SUMS["fitted"] / psi - cost / (zeta * kappa)


def inner_slope() -> Expr:
    """``h = 1 - df2/n_1``."""
    return 1 - SUMS["fitted_twice"] / psi


def feature_ridge() -> Expr:
    """Effective ridge of the features, ``kappa_1 = zeta upsilon kappa``."""
    return zeta * upsilon * kappa


def feature_ridge_ratio() -> Expr:
    """``lambda/kappa_1 = 1 - (n_1/N)(1 - upsilon)``."""
    return 1 - psi / alpha * (1 - upsilon)


def feature_ridge_slope() -> Expr:
    """``1 - rho`` of the features, ``1 - (n_1/N)(1 - 2 upsilon + upsilon^2/h)``."""
    return 1 - psi / alpha * (1 - 2 * upsilon + upsilon**2 / h)


def feature_bias() -> Expr:
    """Signal that the features miss: ``sum u kappa/(s + kappa) [1 - upsilon s/((s + kappa) h)]``."""
    return EXTRA_SUMS["missed_once"] - upsilon / h * EXTRA_SUMS["missed_between"]


def _printed() -> Mapping[Symbol, Expr]:
    terms = {SUMS[name]: over_spectrum(term) for name, term in TERMS.items()}
    return terms | {EXTRA_SUMS[name]: over_spectrum(term) for name, term in EXTRA_TERMS.items()}


def _derivation() -> Derivation:
    sums = _printed()
    full: Callable[[Expr], Expr] = lambda e: e.subs({upsilon: share(), h: inner_slope()}).subs(sums)  # noqa: E731
    ridge_1 = full(feature_ridge())
    resolvent = over_spectrum(p * s / (s + kappa))
    # df1 of the feature covariance A = zeta G^T Sigma G + c, from the companion transform 1/(zeta kappa) of A + kappa_1
    df1 = psi * (1 - ridge_1 / (zeta * kappa))

    def along(expression: Expr) -> Expr:
        return diff(expression, kappa) / diff(ridge_1, kappa)

    learnt = over_spectrum(u * s / (s + kappa))
    domain = {psi: (1.5, 3.0), zeta: (0.5, 1.5), cost: (0.01, 0.05), kappa: (0.5, 1.5)}
    return Derivation(
        "Ridge regression on random features",
        (
            spectral(
                "feature-ridge",
                kappa_1,
                zeta * kappa * (1 - resolvent / psi) - cost,
                "Given the features' weights, their covariance is zeta G^T Sigma G + c. G^T Sigma G "
                "is a Gram matrix of n_1 "
                "'samples': its effective ridge at penalty (kappa_1 + c)/zeta is kappa.",
                source=PENNINGTON,
                where={kappa_1: ridge_1},
                domain=domain,
            ),
            spectral(
                "penalty",
                penalty_symbol,
                full(feature_ridge() * feature_ridge_ratio()),
                "Ridge regression on N samples of those features: lambda = kappa_1 (1 - df1/N), where "
                "df1 = n_1 (1 - kappa_1 tr(A + kappa_1)^-1/n_1) = n_1 (1 - upsilon).",
                source=PENNINGTON,
                where={penalty_symbol: ridge_1 * (1 - df1 / alpha)},
                domain=domain,
            ),
            spectral(
                "slope",
                Symbol("1-rho"),
                full(feature_ridge_slope()),
                "1 - rho = d lambda/d kappa_1, differentiated along the solution: d kappa_1/d kappa "
                "= zeta h, h = 1 - df2/n_1.",
                source=PENNINGTON,
                where={Symbol("1-rho"): along(ridge_1 * (1 - df1 / alpha))},
                domain=domain,
            ),
            spectral(
                "missed-signal",
                Symbol("B"),
                full(feature_bias()),
                "The best fit at penalty kappa_1 misses sum u - q + kappa_1 dq/dkappa_1, where q = "
                "b^T (A + kappa_1)^-1 b "
                "with b = sqrt(zeta) G^T Sigma w is equivalent to sum_j u_j s_j/(s_j + kappa).",
                source=PENNINGTON,
                where={Symbol("B"): over_spectrum(u) - learnt + ridge_1 * along(learnt)},
                domain=domain,
            ),
            spectral(
                "test-error",
                E,
                full((feature_bias() + noise) / feature_ridge_slope()),
                "E = (B + sigma2)/(1 - rho) for the features. The noise theta is new at every sample and part of B.",
                source=PENNINGTON,
                where={
                    E: (over_spectrum(u) - learnt + ridge_1 * along(learnt) + noise)
                    / along(ridge_1 * (1 - df1 / alpha))
                },
                domain=domain,
            ),
        ),
        (
            "N samples, P inputs, n_1 features, all to infinity at fixed ratios",
            "the activation has zero mean on standard normal inputs (centre it, or its mean adds a rank-one spike)",
            "mean covariance eigenvalue 1, loss (1/N) sum of squares + lambda |v|^2",
        ),
    )


DERIVATIONS = MappingProxyType({"random-features": _derivation})
