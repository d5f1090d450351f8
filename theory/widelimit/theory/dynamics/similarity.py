"""Canonical correlations that chance gives: of white signals (Wachter), and of smooth ones.

n samples of p and of q <= n signals, a = p/n, b = q/n. Squared canonical correlations are the eigenvalues of P_x P_y,
P the projections on what the signals span; of independent signals the projections are free of each other.
"""

from __future__ import annotations

from sympy import Expr, Integer, Max, Symbol, pi, sqrt

FIRST, SECOND = Symbol("a", positive=True), Symbol("b", positive=True)  # dimensions over samples
FEWER, MORE = Symbol("p", positive=True), Symbol("q", positive=True)  # the dimensions, p <= q
SAMPLES = Symbol("n", positive=True)
SQUARE = Symbol("x", positive=True)  # of a correlation
LOWEST, HIGHEST = Symbol("r_minus", nonnegative=True), Symbol("r_plus", positive=True)  # correlations
TEMPORAL = Symbol("b_k", positive=True)  # eigenvalue of the temporal covariance
RIDGE, RIDGE_2 = Symbol("kappa_p", positive=True), Symbol("kappa_q", positive=True)  # effective ridges


def lowest() -> Expr:
    """Return the lowest correlation r_- = |sqrt(a (1 - b)) - sqrt(b (1 - a))| of white signals (wachter1980limiting).

    Written as |a - b| over the sum of both roots, which keeps its digits where a is next to b.
    """
    one, other = sqrt(FIRST * (1 - SECOND)), sqrt(SECOND * (1 - FIRST))
    return abs(FIRST - SECOND) / (one + other)


def highest() -> Expr:
    """Return the largest correlation r_+ = sqrt(a (1 - b)) + sqrt(b (1 - a)) of white signals below 1.

    >>> highest().subs({FIRST: 0.5, SECOND: 0.5})
    1.00000000000000
    """
    return sqrt(FIRST * (1 - SECOND)) + sqrt(SECOND * (1 - FIRST))


def similarity_density() -> Expr:
    """Return Wachter's density sqrt((x - r_-^2)(r_+^2 - x)) / (2 pi a x (1 - x)) of squared correlations x."""
    return sqrt((SQUARE - LOWEST**2) * (HIGHEST**2 - SQUARE)) / (2 * pi * FIRST * SQUARE * (1 - SQUARE))


def certain() -> Expr:
    """Return the share max(0, (p + q - n)/p) of correlations that are 1 whatever the signals: spans that must meet.

    >>> certain().subs({FEWER: 20, MORE: 40, SAMPLES: 50})
    1/2
    """
    return Max(Integer(0), (FEWER + MORE - SAMPLES) / FEWER)


def white_mean_square() -> Expr:
    """Return E r^2 = b of white signals, those of 1 included: a projection of rank q keeps q/n of any direction."""
    return SECOND


def share() -> Expr:
    """Return pi_k = b_k / (b_k + kappa), how much of the k-th temporal mode p signals span; kappa makes the sum p.

    The degrees of freedom of ridgeless regression on p samples whose covariance has the eigenvalues b_k.
    """
    return TEMPORAL / (TEMPORAL + RIDGE)


def shared_square() -> Expr:
    """Return pi_k(p) pi_k(q), what the k-th temporal mode adds to the sum of p squared correlations."""
    return share() * share().subs(RIDGE, RIDGE_2)
