"""Ridge regression in high dimension: every formula once, with the effective ridge kappa as the parameter.

Data: ``x ~ N(0, Sigma)`` in P dimensions, of which a fraction ``p[j]`` has covariance eigenvalue ``s[j]``; target
``y = w.x + noise`` with signal variance ``u[j]`` carried by eigenvalue j in all; N samples, ``alpha = N/P``; loss
``(1/N) sum of squares + lambda |w|^2``; N and P go to infinity together. Everything is explicit in kappa:
``lambda(kappa)``, ``E(kappa)`` and so on, so that a curve needs no solver and a solver only one root.

    TERMS        summands over the spectrum (in s, p, u, kappa); `over_spectrum` adds them up
    penalty ...  observables in terms of those sums (the symbols of `SUMS`)
    derive       their derivations, from the Marchenko-Pastur equation (ridge_test_error, ridge_phases, ...)

The numeric floor compiles `TERMS` and the observables; it never writes them a second time.

Source: Mel & Ganguli (2021); Marchenko & Pastur (1967); conventions of others: `conventions`.
"""

from __future__ import annotations

from types import MappingProxyType

from sympy import Expr, IndexedBase, Sum, Symbol, cbrt, diff, sqrt, symbols

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.errors import ArgumentError

s, p, u = symbols(
    "s p u", positive=True
)  # an eigenvalue, the fraction of dimensions there, the signal it carries
kappa = Symbol("kappa", real=True)  # effective ridge; negative below zero penalty when alpha > 1
penalty_symbol = Symbol("lambda", real=True)
alpha = Symbol("alpha", positive=True)  # samples per dimension, N/P
noise = Symbol("sigma2", nonnegative=True)  # variance of the label noise
margin = Symbol(
    "margin", real=True
)  # 1 - 1/alpha, one symbol so that floating point never splits the difference

D = Symbol("D", integer=True, positive=True)  # number of distinct eigenvalues
j = Symbol("j", integer=True, positive=True)
S, W, U = IndexedBase("s"), IndexedBase("p"), IndexedBase("u")

TERMS = MappingProxyType(
    {
        "fitted": p * s / (s + kappa),  # degrees of freedom per dimension, df1/P
        "unfitted": p * kappa / (s + kappa),  # 1 - fitted without cancellation
        "fitted_twice": p * (s / (s + kappa)) ** 2,  # df2/P = alpha rho
        "unfitted_twice": p
        * kappa
        * (kappa + 2 * s)
        / (s + kappa) ** 2,  # 1 - fitted_twice without cancellation
        "between": p * s * kappa / (s + kappa) ** 2,  # fitted - fitted_twice without cancellation
        "missed": u * (kappa / (s + kappa)) ** 2,  # squared bias
        "missed_slope": u * s / (s + kappa) ** 3,  # d missed / d kappa = 2 kappa times this
        "fitted_slope": p * s**2 / (s + kappa) ** 3,  # d fitted_twice / d kappa = -2 times this
    }
)
"""Summands over the spectrum, by name."""

SUMS = MappingProxyType({name: Symbol(name, real=True) for name in TERMS})
"""A symbol for the sum over the spectrum of each term."""


@exact.takes(term=exact.plain)
def over_spectrum(term: Expr) -> Rewritten:
    """Add a term in ``s, p, u`` up over the D distinct eigenvalues.

    >>> over_spectrum(p * s)
    Sum(p[j]*s[j], (j, 1, D))
    """
    return Sum(term.subs({s: S[j], p: W[j], u: U[j]}), (j, 1, D))


@exact.takes(expression=exact.plain)
def in_full(expression: Expr) -> Rewritten:
    """Write the sums of `SUMS` out over the spectrum."""
    return expression.subs({SUMS[name]: over_spectrum(term) for name, term in TERMS.items()})


def effective_ridge_ratio() -> Expr:
    """``lambda/kappa = 1 - df1/N``, from the unfitted sum, which does not cancel near ``alpha = 1``.

    >>> effective_ridge_ratio()
    margin + unfitted/alpha
    """
    return margin + SUMS["unfitted"] / alpha


def effective_ridge_slope() -> Expr:
    """``1 - rho = d lambda/d kappa = 1 - df2/N``, from the sum that does not cancel near ``alpha = 1``."""
    return margin + SUMS["unfitted_twice"] / alpha


def effective_ridge_ratio_few_samples() -> Expr:
    """``lambda/kappa = 1 - df1/N``, in the form that is accurate for ``alpha`` well below 1."""
    return 1 - SUMS["fitted"] / alpha


def effective_ridge_slope_few_samples() -> Expr:
    """``1 - rho = 1 - df2/N``, in the form that is accurate for ``alpha`` well below 1."""
    return 1 - SUMS["fitted_twice"] / alpha


RATIO, SLOPE = symbols("ridge_ratio ridge_slope", real=True)  # lambda/kappa and 1 - rho, by whichever form
RHO = Symbol(
    "rho", nonnegative=True
)  # df2/N; one symbol more than 1 - SLOPE, which has no digits where rho is tiny
MISSED_BEND, FITTED_BEND = symbols("missed_bend fitted_bend", real=True)


def isotropic_ridge() -> tuple[Expr, Expr]:
    """Effective ridge of a single eigenvalue s, the positive root of ``kappa^2 + b kappa - lambda s = 0``.

    ``b = s margin - lambda``. Two equal forms: the first does not cancel for ``b < 0``, the second for ``b > 0``.

    >>> first, second = isotropic_ridge()
    >>> first.subs({s: 1, margin: -1, penalty_symbol: 0}), second.subs({s: 1, margin: 2, penalty_symbol: 0})
    (1, 0)
    """
    b = s * margin - penalty_symbol
    root = sqrt(b**2 + 4 * penalty_symbol * s)
    return (root - b) / 2, 2 * penalty_symbol * s / (root + b)


def expected_error() -> Expr:
    """Mean squared error on new data, noise included: ``E = (B + sigma^2)/(1 - rho)``.

    >>> expected_error()
    (missed + sigma2)/ridge_slope
    """
    return (SUMS["missed"] + noise) / SLOPE


def training_error() -> Expr:
    """Mean squared error on the training data, ``(lambda/kappa)^2 E``."""
    return RATIO**2 * expected_error()


def bias() -> Expr:
    """Squared bias of the predictor averaged over training sets, ``B = sum_j u_j (kappa/(s_j + kappa))^2``."""
    return SUMS["missed"]


def variance_of_inputs() -> Expr:
    """Variance over the training inputs with the noise switched off, ``B rho/(1 - rho)``."""
    return SUMS["missed"] * RHO / SLOPE


def variance_of_noise() -> Expr:
    """Variance over the training noise, ``sigma^2 rho/(1 - rho)``."""
    return noise * RHO / SLOPE


def stationarity() -> Expr:
    """``(1 - rho)/2 d log E/d kappa``: negative where more penalty helps, zero where E is extremal."""
    return SLOPE * kappa * SUMS["missed_slope"] / (SUMS["missed"] + noise) - SUMS["fitted_slope"] / alpha


@exact.takes(expression=exact.plain)
def total_derivative(expression: Expr) -> Rewritten:
    """Differentiate in kappa at fixed alpha an expression of kappa, `SLOPE` and the sums of `SUMS`.

    The sums of ``u s/(s + kappa)^4`` and ``p s^2/(s + kappa)^4`` appear as `MISSED_BEND` and `FITTED_BEND`.
    """
    chain = {
        SUMS["missed"]: 2 * kappa * SUMS["missed_slope"],
        SUMS["missed_slope"]: -3 * MISSED_BEND,
        SUMS["fitted_slope"]: -3 * FITTED_BEND,
        SLOPE: 2 * SUMS["fitted_slope"] / alpha,
    }
    return diff(expression, kappa) + sum(diff(expression, inner) * slope for inner, slope in chain.items())


EXCESS = Symbol("excess", positive=True)  # kappa - lambda


def ratio_at_penalty() -> Expr:
    """``alpha = kappa f/(kappa - lambda)``, f = df1/P: the learning curve at one penalty, kappa its parameter."""
    return kappa * SUMS["fitted"] / EXCESS


def effective_ridge_slope_at_penalty() -> Expr:
    """``1 - rho`` along the learning curve at one penalty, without cancellation for ``lambda >= 0``."""
    return (kappa * SUMS["between"] + penalty_symbol * SUMS["fitted_twice"]) / (kappa * SUMS["fitted"])


def learning_curve_slope() -> Expr:
    """``(1 - rho) d log E/d kappa`` along the learning curve at one penalty: zero at its peaks and valleys."""
    f, g = SUMS["fitted"], SUMS["fitted_twice"]
    rate = -2 * SUMS["fitted_slope"] / g + penalty_symbol / (kappa * EXCESS) + SUMS["between"] / (kappa * f)
    rho = g * EXCESS / (kappa * f)
    return (
        effective_ridge_slope_at_penalty() * 2 * kappa * SUMS["missed_slope"] / (SUMS["missed"] + noise)
        + rho * rate
    )


def error_by_penalty() -> Expr:
    """``dE/d lambda`` at fixed samples: 2 E `stationarity`/(1 - rho)^2, as d lambda/d kappa = 1 - rho."""
    return 2 * expected_error() * stationarity() / SLOPE**2


def error_by_samples() -> Expr:
    """``d log E/d log N`` at a fixed penalty, where ``d log alpha/d log kappa = -(1 - rho) alpha/f``, f = df1/P."""
    return -kappa * learning_curve_slope() * SUMS["fitted"] / (alpha * SLOPE**2)


@exact.takes(s1=exact.plain, p1=exact.plain, s2=exact.plain, p2=exact.plain)
def two_scale_gap(s1: Expr, p1: Expr, s2: Expr, p2: Expr) -> Expr:
    """Sample ratio at which the Hessian's gap between two scales opens: ``(A^(1/3) + B^(1/3))^3/(s_1 - s_2)^2``.

    ``A = p_1 s_1^2`` and ``B = p_2 s_2^2``: the least ``A/x^2 + B/y^2`` for ``x + y = s_1 - s_2``. Raises
    `ArgumentError` for scales that are the same.
    """
    if s1 == s2:
        raise ArgumentError("s2", "must differ from s1", s2)
    return (cbrt(p1 * s1**2) + cbrt(p2 * s2**2)) ** 3 / (s1 - s2) ** 2
