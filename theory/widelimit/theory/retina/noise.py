"""Rectified noise inside a cell: mean, variance and Fano factor of [u + eta z]_+, stable for any drive.

q = u/eta. For q < 0 far out, with y = -q: ratios of the moments A_k = int t^k exp(-y t - t^2/2) dt are continued
fractions without cancellation, A_k/A_(k-1) = k/(y + A_(k+1)/A_k).
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol, sqrt

from widelimit.theory.calculus.gaussian.special import normal_cdf, normal_density
from widelimit.theory.errors import ArgumentError

DRIVE = Symbol("u", real=True)
NOISE = Symbol("eta", positive=True)
RATIO = Symbol("q", real=True)  # u / eta
BELOW = Symbol("y", real=True)  # -q, where that is 3 or more
DEPTH = 60  # of the continued fraction; enough for q <= -3
_DEEPEST = 200
FANO = Symbol("F", nonnegative=True)
TRIALS = Symbol("T", integer=True, positive=True)
MEAN_VARIANCE = Symbol("V", nonnegative=True)  # over time, of the mean over trials
TRIAL_VARIANCE = Symbol("v", nonnegative=True)  # over time, of single trials, averaged
SIGNAL = Symbol("S_P", nonnegative=True)


def rectified_mean() -> Expr:
    """Return E [q + z]_+ = q Phi(q) + pdf(q)."""
    return RATIO * normal_cdf(RATIO) + normal_density(RATIO)


def rectified_square() -> Expr:
    """Return E [q + z]_+^2 = (q^2 + 1) Phi(q) + q pdf(q)."""
    return (RATIO**2 + 1) * normal_cdf(RATIO) + RATIO * normal_density(RATIO)


def rectified_variance() -> Expr:
    """Return the variance of [q + z]_+ from both moments."""
    return rectified_square() - rectified_mean() ** 2


def high_variance() -> Expr:
    """Return the same for q > 0 as 1 less what is cut off: 1 - M - 2 q L - L^2.

    L = pdf(q) - q Phi(-q) and M = (q^2 + 1) Phi(-q) - q pdf(q) are the moments of [-q - z]_+.
    """
    first = normal_density(RATIO) - RATIO * normal_cdf(-RATIO)
    second = (RATIO**2 + 1) * normal_cdf(-RATIO) - RATIO * normal_density(RATIO)
    return 1 - second - 2 * RATIO * first - first**2


def tail_ratio(order: int, depth: int = DEPTH) -> Expr:
    """Return A_k / A_(k-1) at y = -q as a continued fraction of so many levels; `ArgumentError` for what is no number.

    >>> tail_ratio(1, 1)
    1/(y + 2/y)
    """
    for name, value in (("order", order), ("depth", depth)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _DEEPEST:
            raise ArgumentError(name, f"must be an integer from 1 to {_DEEPEST}", value)
    fraction: Expr = BELOW
    for level in range(order + depth, order, -1):
        fraction = BELOW + Integer(level) / fraction
    return order / fraction


def tail_mean() -> Expr:
    """Return E [z - y]_+ = Phi(-y) A_1/A_0 for y >= 3."""
    return normal_cdf(-BELOW) * tail_ratio(1)


def tail_fano() -> Expr:
    """Return the Fano factor of [z - y]_+ for y >= 3: A_2/A_1 less the mean."""
    return tail_ratio(2) - normal_cdf(-BELOW) * tail_ratio(1)


def counted_fano() -> Expr:
    """Return 1 + F, the Fano factor of Poisson counts whose rate has the Fano factor F."""
    return 1 + FANO


def signal_power() -> Expr:
    """Return (T V - v)/(T - 1): the variance of the signal without bias, for noise independent between trials."""
    return (TRIALS * MEAN_VARIANCE - TRIAL_VARIANCE) / (TRIALS - 1)


def ceiling() -> Expr:
    """Return sqrt(SP/V), the correlation that a perfect model reaches with the mean over trials."""
    return sqrt(SIGNAL / MEAN_VARIANCE)
