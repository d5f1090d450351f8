"""The bulk of a sample covariance matrix: Marchenko-Pastur, and the same with a population that is not white.

S = X' X / n of n samples in p dimensions, c = p/n. The population of the bulk has mean v (the noise) and a relative
variance q of eigenvalues that are distributed as those of an inverse Wishart matrix: q = 0 is white noise. All laws
below follow from one S-transform. Samples that are correlated among themselves lead to the same laws, with q/c the
spread of the eigenvalues of *their* correlations.
"""

from __future__ import annotations

from sympy import Expr, Pow, Rational, Symbol, pi, solve, sqrt

from widelimit.theory import freeprob
from widelimit.theory.errors import ArgumentError

RATIO = Symbol("c", positive=True)  # p/n
SPREAD = Symbol("q", nonnegative=True)  # relative variance of population eigenvalues of the bulk
NOISE = Symbol("v", positive=True)  # their mean
SPIKE = Symbol("l", nonnegative=True)  # a population eigenvalue away from the bulk
VALUE = Symbol("x", nonnegative=True)  # an eigenvalue of the sample
DIMENSIONS = Symbol("p", positive=True)
SAMPLES = Symbol("n", positive=True)
SPIKES = Symbol("L", nonnegative=True)  # sum of all spikes
SQUARES = Symbol(
    "T", positive=True
)  # sum of squared eigenvalues of the bulk, and what the spikes took from it
HALF = Rational(1, 2)


def _sign(side: int) -> int:
    if isinstance(side, bool) or side not in (1, -1):
        raise ArgumentError("side", "must be 1 or -1", side, "Above the bulk, or below it.")
    return side


def bulk_s() -> Expr:
    """Return S(m) = (1 - q m)/(v (1 + c m)) of the bulk: inverse Wishart population times Wishart samples.

    >>> bulk_s().subs({SPREAD: 0, NOISE: 1})
    1/(c*m + 1)
    """
    m = freeprob.m
    return (1 - SPREAD * m) / (NOISE * (1 + RATIO * m))


def bulk_edge(side: int = 1) -> Expr:
    """Return v (1 + c + 2q + 2 side sqrt((c + q)(1 + q))): the upper edge of the bulk (side 1), or the lower one (-1).

    >>> bulk_edge().subs({SPREAD: 0, RATIO: 4, NOISE: 1}), bulk_edge(-1).subs({SPREAD: 0, RATIO: 4, NOISE: 1})
    (9, 1)
    """
    return NOISE * (1 + RATIO + 2 * SPREAD + 2 * _sign(side) * sqrt((RATIO + SPREAD) * (1 + SPREAD)))


def bulk_density() -> Expr:
    """Return the density sqrt((b - x)(x - a))/(2 pi x (c v + q x)) of eigenvalues between the edges a and b."""
    inside = (bulk_edge(1) - VALUE) * (VALUE - bulk_edge(-1))
    return sqrt(inside) / (2 * pi * VALUE * (RATIO * NOISE + SPREAD * VALUE))


def outside_transform(side: int = 1) -> Expr:
    """Return M(x) = 2/(y - 1 - c + side sqrt(D)), D = (y - y_+)(y - y_-), at y = x/v above the bulk (1) or below (-1).

    M(x) is the mean of t/(x - t) over the bulk.
    """
    y = VALUE / NOISE
    product = (y - bulk_edge(1) / NOISE) * (y - bulk_edge(-1) / NOISE)
    return 2 / (y - 1 - RATIO + _sign(side) * sqrt(product))


def spike_behind(side: int = 1) -> Expr:
    """Return l = x/(1 + c M(x)), the population eigenvalue behind a sample eigenvalue x outside the bulk.

    >>> spike_behind().subs({SPREAD: 0, NOISE: 1, RATIO: 1, VALUE: Rational(9, 2)})
    3
    """
    return VALUE / (1 + RATIO * outside_transform(side))


def spike_slope(side: int = 1) -> Expr:
    """Return dl/dx of the same, by dM/dy = -side M (1 - q M)/sqrt(D): the law's equation, differentiated.

    That equation is (c + q y) M^2 + (1 + c - y) M + 1 = 0. At an edge the slope is infinite.
    """
    m, y = outside_transform(side), VALUE / NOISE
    root = sqrt((y - bulk_edge(1) / NOISE) * (y - bulk_edge(-1) / NOISE))
    derivative = -side * m * (1 - SPREAD * m) / root / NOISE
    return 1 / (1 + RATIO * m) - VALUE * RATIO * derivative / (1 + RATIO * m) ** 2


def overlap_behind(side: int = 1) -> Expr:
    """Return l/(x dl/dx), the squared cosine between the eigenvectors of sample and population of an outlier x."""
    return spike_behind(side) / (VALUE * spike_slope(side))


def deviation_behind(side: int = 1) -> Expr:
    """Return sqrt(2/n) l sqrt(dl/dx), the standard error of the population eigenvalue of an outlier x, real samples.

    The outlier itself has the standard deviation sqrt(2/n) l / sqrt(dl/dx).
    """
    return sqrt(2 / SAMPLES) * spike_behind(side) * sqrt(spike_slope(side))


# white noise: where outliers are ---------------------------------------------------------------------------------


def threshold(side: int = 1) -> Expr:
    """Return v (1 + side sqrt c): population eigenvalues beyond it show, those between are lost in the bulk.

    >>> threshold().subs({RATIO: 4, NOISE: 2})
    6
    """
    return NOISE * (1 + _sign(side) * sqrt(RATIO))


def spiked_eigenvalue() -> Expr:
    """Return l (1 + c v/(l - v)), where the sample eigenvalue of a population eigenvalue l is, in white noise.

    >>> spiked_eigenvalue().subs({SPIKE: 3, RATIO: 1, NOISE: 1})
    9/2
    """
    return SPIKE * (1 + RATIO * NOISE / (SPIKE - NOISE))


def spiked_overlap() -> Expr:
    """Return (d - sqrt c)(d + sqrt c)/(d (d + c)), d = l/v - 1: the squared cosine between both eigenvectors.

    It is (1 - c/d^2)/(1 + c/d), without its cancellation next to the threshold.

    >>> spiked_overlap().subs({SPIKE: 3, RATIO: 1, NOISE: 1})
    1/2
    """
    d = SPIKE / NOISE - 1
    return (d - sqrt(RATIO)) * (d + sqrt(RATIO)) / (d * (d + RATIO))


def spiked_deviation() -> Expr:
    """Return sqrt(2/n) l sqrt((d - sqrt c)(d + sqrt c))/d, d = l/v - 1: the outlier's deviation, real samples."""
    d = SPIKE / NOISE - 1
    return sqrt(2 / SAMPLES) * SPIKE * sqrt((d - sqrt(RATIO)) * (d + sqrt(RATIO))) / sqrt(d**2)


# the largest eigenvalue of noise ---------------------------------------------------------------------------------


def edge_height() -> Expr:
    """Return sqrt(y_+ - y_-)/(2 y_+ (c + q y_+)): pi times the density over sqrt(y_+ - y) at the upper edge, v = 1."""
    high, low = (bulk_edge(side).subs(NOISE, 1) for side in (1, -1))
    return sqrt(high - low) / (2 * high * (RATIO + SPREAD * high))


def _halved() -> dict[Symbol, Expr]:
    return {
        RATIO: (DIMENSIONS - HALF) / (SAMPLES - HALF),
        NOISE: NOISE * (SAMPLES - HALF) / SAMPLES,
    }


def largest_centre() -> Expr:
    """Return the centre of the largest eigenvalue's Tracy-Widom law: the edge at n - 1/2 and p - 1/2.

    At q = 0 it is v (sqrt(n - 1/2) + sqrt(p - 1/2))^2/n, whose error is of order n^(-2/3) relative to the width.
    """
    return bulk_edge().subs(_halved(), simultaneous=True)


def largest_scale() -> Expr:
    """Return v (A p)^(-2/3), the width of the largest eigenvalue's law; A is `edge_height`, halves as above."""
    found = NOISE * Pow(edge_height() * DIMENSIONS, -Rational(2, 3))
    halved = {**_halved(), DIMENSIONS: DIMENSIONS - HALF}
    return found.subs(halved, simultaneous=True)


def second_trace() -> Expr:
    """Return p v^2 (1 + q)(1 + 1/n) + (p^2 v^2 + 2 p v L)/n, the mean of tr S^2 less the squared spikes themselves.

    Exact for p dimensions of bulk beside spikes that sum to L, real Gaussian samples; each spike's own
    x^2 has the mean of its l^2, as estimated from x.
    """
    mean = DIMENSIONS * NOISE
    return mean * NOISE * (1 + SPREAD) * (1 + 1 / SAMPLES) + (mean**2 + 2 * mean * SPIKES) / SAMPLES


def spread_from() -> Expr:
    """Return q as `second_trace` has it for a sum T."""
    return solve(second_trace() - SQUARES, SPREAD)[0]


def samples_from() -> Expr:
    """Return n as `second_trace` has it for a sum T, in white noise."""
    return solve(second_trace().subs(SPREAD, 0) - SQUARES, SAMPLES)[0]


def trace_variance() -> Expr:
    """Return 2 (1 + q) x^2/(n p), the variance that an eigenvalue x owes to the fluctuations of the whole trace."""
    return 2 * (1 + SPREAD) * VALUE**2 / (SAMPLES * DIMENSIONS)


# errors of what is fitted ----------------------------------------------------------------------------------------


def noise_error() -> Expr:
    """Return v sqrt(2 (1 + q)/(n p)), the standard error of the mean eigenvalue of real Gaussian samples."""
    return NOISE * sqrt(2 * (1 + SPREAD) / (SAMPLES * DIMENSIONS))


def ratio_error() -> Expr:
    """Return 2 c/p, the standard error of m_2/m_1^2 - 1 in white noise."""
    return 2 * RATIO / DIMENSIONS


# singular values -------------------------------------------------------------------------------------------------


def hard_threshold() -> Expr:
    """Return sqrt(2 (c + 1) + 8 c/(c + 1 + sqrt(c^2 + 14 c + 1))): singular values above it are worth keeping.

    In units of sqrt(v n), for a matrix of n rows and p columns; either may be the longer.

    >>> hard_threshold().subs(RATIO, 1)
    4*sqrt(3)/3
    """
    return sqrt(2 * (RATIO + 1) + 8 * RATIO / (RATIO + 1 + sqrt(RATIO**2 + 14 * RATIO + 1)))
