"""Spectra of codes: how smooth an exponent is, what few stimuli do to it, robustness, and a penalty that imposes it.

lambda_n ~ n^-alpha are the eigenvalues of the covariance of a population's responses to stimuli that fill a manifold of
dimension D. The code is differentiable in mean square iff alpha > 1 + 2/D (Stringer et al. 2019).
"""

from __future__ import annotations

from sympy import Expr, Max, Rational, Symbol, cos, erf, pi, sin, sqrt

from widelimit.theory.representation.kernels import DIMENSION

EXPONENT = Symbol("alpha", positive=True)
RANK = Symbol("n", positive=True)
STIMULI = Symbol("T", positive=True)
OWN, OTHER = Symbol("lambda_n", positive=True), Symbol("lambda_m", positive=True)
ANCHOR, ANCHORED = Symbol("tau", positive=True), Symbol("lambda_tau", positive=True)
EXCESS = Symbol("r", real=True)  # an eigenvalue over its target
MARGIN, ATTACK, DUAL = (
    Symbol("m", real=True),
    Symbol("epsilon", nonnegative=True),
    Symbol("w_q", positive=True),
)
SPREAD, LENGTH = Symbol("s", positive=True), Symbol("w_2", positive=True)
FREQUENCY, POWER_THERE = Symbol("k", integer=True, nonnegative=True), Symbol("lambda_k", nonnegative=True)


def smoothness_bound() -> Expr:
    """1 + 2/D: codes are differentiable in mean square above it (Stringer et al. 2019).

    >>> smoothness_bound().subs(DIMENSION, 2)
    2
    """
    return 1 + 2 / DIMENSION


def gradient_growth() -> Expr:
    """1 + 2/D - alpha: power of N with which the mean square gradient, the sum of n^(2/D - alpha) to N, grows."""
    return 1 + 2 / DIMENSION - EXPONENT


def sampling_shift() -> Expr:
    """lambda_m/(T (lambda_n - lambda_m)): what direction m adds to the relative bias of the n-th sample eigenvalue."""
    return OTHER / (STIMULI * (OWN - OTHER))


def sampling_bias() -> Expr:
    """-(n/T)(pi/alpha) cot(pi/alpha): relative bias of the n-th of many eigenvalues n^-alpha, none at alpha = 2."""
    angle = pi / EXPONENT
    return -RANK / STIMULI * angle * cos(angle) / sin(angle)


def penalty_target() -> Expr:
    """gamma_n = lambda_tau (tau/n)^alpha: the power law through the anchor (Nassar et al. 2020)."""
    return ANCHORED * (ANCHOR / RANK) ** EXPONENT


def penalty_term() -> Expr:
    """(r - 1)^2 + max(0, r - 1) of r = lambda_n/gamma_n: what is too large costs twice.

    >>> penalty_term().subs(EXCESS, 3)
    6
    """
    return (EXCESS - 1) ** 2 + Max(0, EXCESS - 1)


def robust_accuracy() -> Expr:
    """Phi((w.mu - epsilon |w|_q)/(s |w|_2)) of a linear readout of N(+-mu, s^2) under attacks of length epsilon.

    q = 1 for attacks bounded in each coordinate, q = 2 for those of bounded length.
    """
    return Rational(1, 2) * (1 + erf((MARGIN - ATTACK * DUAL) / (SPREAD * LENGTH * sqrt(2))))


def circle_slope() -> Expr:
    """k^2 lambda_k: what frequency k of a stationary code on the circle adds to E |f'|^2."""
    return FREQUENCY**2 * POWER_THERE
