"""What cross-validated PCA measures: the exact limit of many units and stimuli, for any signal and independent noise.

Responses to T stimuli are shown twice, signal of covariance Lambda plus fresh noise; Sigma is the covariance of one
repeat. Directions u_n are those of the first repeat, and the estimate is (X_1 u_n).(X_2 u_n)/T. The sample covariance
has an eigenvalue at x where u + (1/T) sum_i s_i u/(u - s_i) = x for a complex u = a + i v, which is minus the effective
ridge kappa of `theory.ridge` at the penalty -x. Along this curve everything is a sum over the eigenvalues s_i of Sigma,
with lambda_i the signal's variance in the direction of s_i:

    TERMS   summands, all over |u - s|^2; `SUMS` are the symbols of the sums
    T = sum of squares   fixes v at each a, so that no equation is solved in the complex plane
    x = |u|^2 sample/T, cv(x) = |u|^2 signal/T, a density of T v/(pi |u|^2), and the number of eigenvalues above x in
    closed form. Rank n is the n-th unit of this number.

Source: the effective ridge is Marchenko and Pastur's; directions follow Ledoit and Peche (2011); the limit is new here.
"""

from __future__ import annotations

from types import MappingProxyType

from sympy import Expr, Symbol, atan2, pi, sqrt

from widelimit.theory.representation.codes import STIMULI

SCALE = Symbol("s", positive=True)  # an eigenvalue of Sigma
SIGNAL = Symbol("lambda", nonnegative=True)  # the variance of the signal in its direction
PLACE = Symbol("a", real=True)  # Re u
HEIGHT = Symbol("v", positive=True)  # Im u
UNITS = Symbol("M", positive=True)  # number of eigenvalues that are not zero
EIGENVALUE = Symbol("x", positive=True)

_DISTANCE = (PLACE - SCALE) ** 2 + HEIGHT**2

TERMS = MappingProxyType(
    {
        "squares": SCALE**2 / _DISTANCE,
        "steep": SCALE**2 / _DISTANCE**2,
        "tilt": SCALE**2 * (PLACE - SCALE) / _DISTANCE**2,
        "sample": SCALE / _DISTANCE,
        "signal": SIGNAL / _DISTANCE,
    }
)
"""Summands over the spectrum of one repeat, by name."""

SUMS = MappingProxyType({name: Symbol(name, real=True) for name in (*TERMS, "angles")})
"""A symbol for the sum of each, and of `angle`."""

SPIKE, NOISE, ASPECT = (
    Symbol("l", positive=True),
    Symbol("sigma2", positive=True),
    Symbol("beta", positive=True),
)
READ = Symbol("e", nonnegative=True)


def angle() -> Expr:
    """The angle of u - s, between 0 and pi."""
    return atan2(HEIGHT, PLACE - SCALE)


def sample_eigenvalue() -> Expr:
    """x = |u|^2 sample/T on the curve: the eigenvalue of the sample covariance there."""
    return (PLACE**2 + HEIGHT**2) * SUMS["sample"] / STIMULI


def sample_slope() -> Expr:
    """dx/da = 2 (v^2 steep + tilt^2/steep)/T along the curve, which is never negative."""
    return 2 * (HEIGHT**2 * SUMS["steep"] + SUMS["tilt"] ** 2 / SUMS["steep"]) / STIMULI


def density() -> Expr:
    """T v/(pi |u|^2): eigenvalues of the sample covariance per unit of x."""
    return STIMULI * HEIGHT / (pi * (PLACE**2 + HEIGHT**2))


def cross_validated() -> Expr:
    """cv(x) = |u|^2 signal/T: what cross-validation finds in the direction of the sample eigenvalue x."""
    return (PLACE**2 + HEIGHT**2) * SUMS["signal"] / STIMULI


def rank() -> Expr:
    """Number of sample eigenvalues above x: (angles - (M - T) angle of u - T x v/|u|^2)/pi."""
    own = atan2(HEIGHT, PLACE)
    rest = STIMULI * EIGENVALUE * HEIGHT / (PLACE**2 + HEIGHT**2)
    return (SUMS["angles"] - (UNITS - STIMULI) * own - rest) / pi


def spike_sample() -> Expr:
    """(l + sigma^2)(1 + beta sigma^2/l): sample eigenvalue of a direction of variance l in white noise, beta = N/T."""
    return (SPIKE + NOISE) * (1 + ASPECT * NOISE / SPIKE)


def spike_cross_validated() -> Expr:
    """l - beta sigma^4/l: what cross-validation reads of it, above `spike_threshold`.

    >>> spike_cross_validated().subs({SPIKE: 4, ASPECT: 2, NOISE: 1})
    7/2
    """
    return SPIKE - ASPECT * NOISE**2 / SPIKE


def spike_threshold() -> Expr:
    """sqrt(beta) sigma^2: directions of less variance are lost in the noise."""
    return sqrt(ASPECT) * NOISE


def spike_inverse() -> Expr:
    """(e + sqrt(e^2 + 4 beta sigma^4))/2: the variance behind a cross-validated eigenvalue e."""
    return (READ + sqrt(READ**2 + 4 * ASPECT * NOISE**2)) / 2
