"""How many samples the filter of a cell takes, by spike-triggered averages and by maximum likelihood.

A cell answers the stimulus x ~ N(0, s^2 I) in P dimensions with counts of mean f(kappa u), u = k x along a unit filter
k. STA = E x (r - E r); n samples. `x` in an activation is what f is a function of.
"""

from __future__ import annotations

from sympy import DiracDelta, Expr, S, Symbol, sqrt

from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.calculus.gaussian.expectation import Expectation, weak_derivative

SCALE = Symbol("s", positive=True)  # standard deviation of the stimulus
GAIN = Symbol("kappa", positive=True)
DIMENSIONS = Symbol("P", integer=True, positive=True)
SAMPLES = Symbol("n", integer=True, positive=True)
DRIVE_VARIANCE = Symbol("q", positive=True)  # s^2 kappa^2
RATE = Symbol("f_0", real=True)  # E f
RATE_VARIANCE = Symbol("v_f", nonnegative=True)  # Var f
RESPONSE_VARIANCE = Symbol("V_r", positive=True)
SLOPE = Symbol("f_1", real=True)  # E f'
INFORMATION = Symbol("I_f", positive=True)
SNR = Symbol("R", positive=True)
COSINE = Symbol("c", positive=True)
LOCAL_RATE, LOCAL_SLOPE = Symbol("f", positive=True), Symbol("df", real=True)  # at one drive


def rate_mean(activation: str | Activation | Expr) -> Expr:
    """Return E f(y) over y ~ N(0, q).

    >>> rate_mean("exp(x)")
    exp(q/2)
    """
    return Expectation(Activation.of(activation).expr, x, DRIVE_VARIANCE).doit()


def rate_variance(activation: str | Activation | Expr) -> Expr:
    """Return E (f(y) - f_0)^2 about a mean f_0, so that nothing cancels; `Expectation` unevaluated."""
    return Expectation((Activation.of(activation).expr - RATE) ** 2, x, DRIVE_VARIANCE)


def rate_slope(activation: str | Activation | Expr) -> Expr:
    """Return E f'(y), jumps of f included.

    >>> rate_slope("exp(x)"), rate_slope("relu")
    (exp(q/2), 1/2)
    """
    return Expectation(weak_derivative(Activation.of(activation).expr, x), x, DRIVE_VARIANCE).doit()


def sta_length() -> Expr:
    """Return the length s^2 kappa E f' of the spike-triggered average, which lies along the filter (Stein)."""
    return SCALE**2 * GAIN * SLOPE


def counted_variance() -> Expr:
    """Return Var r = Var f + E f of Poisson counts."""
    return RATE_VARIANCE + RATE


def off_filter_variance() -> Expr:
    """Return s^2 Var r / n, the variance of each entry of the average across the filter."""
    return SCALE**2 * RESPONSE_VARIANCE / SAMPLES


def signal_to_noise() -> Expr:
    """Return SNR = s^2 kappa^2 (E f')^2 / Var r, of one sample."""
    return SCALE**2 * GAIN**2 * SLOPE**2 / RESPONSE_VARIANCE


def expected_cosine() -> Expr:
    """Return (1 + (P - 1)/(n SNR))^(-1/2), the cosine between the average of n samples and the filter."""
    return 1 / sqrt(1 + (DIMENSIONS - 1) / (SAMPLES * SNR))


def samples_needed() -> Expr:
    """Return the n = (P - 1) c^2 / (SNR (1 - c)(1 + c)) at which the cosine is c."""
    return (DIMENSIONS - 1) * COSINE**2 / (SNR * (1 - COSINE) * (1 + COSINE))


def information_density() -> Expr:
    """Return f'^2 / f, what a Poisson count of mean f tells about its drive; its mean is the Fisher information I."""
    return LOCAL_SLOPE**2 / LOCAL_RATE


def slope_square(activation: str | Activation | Expr) -> Expr:
    """Return E f'^2, the Fisher information about the drive times the variance of Gaussian noise.

    >>> slope_square("erf_s").subs(DRIVE_VARIANCE, 0)
    1
    """
    slope = weak_derivative(Activation.of(activation).expr, x)
    if slope.has(DiracDelta):
        return S.Infinity
    return Expectation(slope**2, x, DRIVE_VARIANCE).doit()


def likelihood_variance() -> Expr:
    """Return 1 / (n s^2 I), the variance of the entries of the maximum-likelihood filter across the filter."""
    return 1 / (SAMPLES * SCALE**2 * INFORMATION)


def variance_ratio() -> Expr:
    """Return Var r I / (E f')^2, the variance of spike-triggered averages over that of maximum likelihood."""
    return RESPONSE_VARIANCE * INFORMATION / SLOPE**2


def likelihood_snr() -> Expr:
    """Return s^2 kappa^2 I, what takes the place of the SNR for maximum likelihood."""
    return SCALE**2 * GAIN**2 * INFORMATION


def excess_likelihood() -> Expr:
    """Return (P + 1)/(2 n): by so many nats a bin the training likelihood lies above the truth, the test one below."""
    return (DIMENSIONS + 1) / (2 * SAMPLES)
