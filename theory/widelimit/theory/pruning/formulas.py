"""Sizes of flows, thresholds of collapse, and how many weights a layer keeps.

A network of layers of `n_0, n_1, ...` units has ``N_l = n_{l-1} n_l`` weights in layer l, drawn from
N(0, sigma_l^2) with ``sigma_l^2 = gain / n_{l-1}``. Flows are sums of scores ``S = w dR/dw``.
"""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Add, Expr, Symbol, binomial, erfc, exp, log, pi, sqrt
from sympy.codegen.cfunctions import expm1, log1p

from widelimit.theory.calculus import exact
from widelimit.theory.errors import ArgumentError
from widelimit.theory.meanfield import Kind, q, second_moment, second_moment_slope

UNITS = Symbol("n", integer=True, positive=True)  # of a layer
FAN_IN = Symbol("n_b", integer=True, positive=True)  # units of the layer below
GAIN = Symbol("g", positive=True)  # variance of a weight times its fan-in: 2 by He
SIGMA = Symbol("sigma", positive=True)
THRESHOLD = Symbol("t", positive=True)
COUNT = Symbol("N_l", integer=True, positive=True)  # weights of a layer
TOTAL = Symbol("N", integer=True, positive=True)  # of the network
LAYERS = Symbol("L", integer=True, positive=True)
KEPT = Symbol("K", integer=True, nonnegative=True)
MISSING = Symbol("M", integer=True, nonnegative=True)  # weights of layers that are to be empty
SHARE = Symbol("p", positive=True)  # of a layer's weights above the threshold
RATE = Symbol("mu", positive=True)  # mean of the logarithm of a layer's growth of the flow
LARGEST = Symbol("M_f", positive=True)  # the largest number of a format
MEAN = Symbol("m", positive=True)
VARIANCE = Symbol("v", nonnegative=True)
COMPRESSION = Symbol("rho", positive=True)
ROUND = Symbol("k", integer=True, nonnegative=True)
ROUNDS = Symbol("n_r", integer=True, positive=True)


def weight_scale() -> Expr:
    """Return the standard deviation sqrt(gain / fan-in) of a weight.

    >>> weight_scale().subs({GAIN: 2, FAN_IN: 8})
    1/2
    """
    return sqrt(GAIN / FAN_IN)


def mean_size() -> Expr:
    """Return E abs(w) = sigma sqrt(2/pi) of a Gaussian weight."""
    return SIGMA * sqrt(2 / pi)


def layer_growth() -> Expr:
    """Return n_l sqrt(2 gain / (pi n_{l-1})), the mean factor by which a layer multiplies the flow of abs(W).

    The flow R = 1' prod abs(W_l) 1 starts at the n_0 units of the input; its mean is the product, at every width.

    >>> layer_growth().subs({GAIN: 2, FAN_IN: UNITS})
    2*sqrt(n)/sqrt(pi)
    """
    return UNITS * mean_size().subs(SIGMA, weight_scale())


def overflow_depth() -> Expr:
    """Return the depth log(M_f / n) / mu at which a flow that starts at n and grows at rate mu leaves a format."""
    return log(LARGEST / UNITS) / RATE


def flow_passed(activation: Kind) -> Expr:
    """Return q V'(q)/V(q), what of a flow R = |y|^2/2 is seen before an activation in a wide network without biases.

    Scaling all pre-activations h of a layer by 1 + e changes their length q by 2 q e, and R by e times the scores
    h dR/dh: in the limit of wide layers, R is proportional to the length of the output. It is 1 where phi(h) is of the
    first degree, and k where it is of degree k; the cuts below multiply.

    >>> flow_passed("relu"), flow_passed("x**3")
    (1, 3)
    """
    return q * second_moment_slope(activation) / second_moment(activation)


def share_above() -> Expr:
    """Return the share erfc(t / (sigma sqrt 2)) of a layer's weights whose size is above a threshold."""
    return erfc(THRESHOLD / (SIGMA * sqrt(2)))


def layer_survives() -> Expr:
    """Return the probability 1 - (1 - p)^N_l that a layer has a weight above the threshold, as its share p is.

    Written by expm1 and log1p, so that it keeps its digits where p is small.
    """
    return -expm1(COUNT * log1p(-SHARE))


def collapse_density() -> Expr:
    """Return the density N_l (1 - p)^(N_l - 1) sqrt(2/pi) exp(-t^2/(2 sigma^2)) / sigma of a layer's largest weight.

    The threshold at collapse is the least of the layers' largest weights.
    """
    bell = sqrt(2 / pi) * exp(-(THRESHOLD**2) / (2 * SIGMA**2)) / SIGMA
    return COUNT * exp((COUNT - 1) * log1p(-SHARE)) * bell


def kept_mean() -> Expr:
    """Return the mean N_l p / (1 - (1 - p)^N_l) of the weights that a layer keeps, given that it keeps one."""
    return COUNT * SHARE / layer_survives()


def kept_variance() -> Expr:
    """Return the variance m (1 - p + N_l p - m) of the weights that a layer keeps, given that it keeps one; mean m."""
    return MEAN * (1 - SHARE + COUNT * SHARE - MEAN)


def log_kept() -> Expr:
    """Return E log K = log m - v / (2 m^2) of a number with mean m and variance v, to second order in its spread."""
    return log(MEAN) - VARIANCE / (2 * MEAN**2)


def share_without() -> Expr:
    """Return the share C(N - M, K) / C(N, K) of choices of K of N weights that leave M of them out.

    >>> share_without().subs({TOTAL: 4, MISSING: 2, KEPT: 2})
    1/6
    """
    return binomial(TOTAL - MISSING, KEPT) / binomial(TOTAL, KEPT)


def share_ratio() -> Expr:
    """Return by what `share_without` changes with one more weight kept, (N - M - K) / (N - K)."""
    return (TOTAL - MISSING - KEPT) / (TOTAL - KEPT)


def signed_sums(counts: Sequence[int]) -> dict[int, int]:
    """Return for each number of weights that a set of layers can have how many such sets there are, odd ones negative.

    Raises `ArgumentError` for counts that are no whole numbers of at least 1.

    >>> signed_sums((1, 2))
    {0: 1, 1: -1, 2: -1, 3: 1}
    """
    sums = {0: 1}
    for count in _counts(counts):
        for missing, sign in list(sums.items()):
            sums[missing + count] = sums.get(missing + count, 0) - sign
    return sums


def survival(counts: Sequence[int], kept: Expr | int = KEPT) -> Expr:
    """Return the probability that K weights kept at random leave no layer empty, by inclusion and exclusion.

    `counts`: the weights of each layer. Raises `ArgumentError` for counts that are no whole numbers of at least 1, or
    more weights kept than there are.

    >>> survival((1, 2), 2), survival((1, 1), 1)
    (2/3, 0)
    """
    total = sum(_counts(counts))
    if kept != KEPT and exact.whole("kept", kept, 0) > total:
        raise ArgumentError("kept", f"must be at most the {total} weights there are", kept)
    share = share_without().subs({TOTAL: total, KEPT: kept})
    return Add(*(sign * share.subs(MISSING, missing) for missing, sign in signed_sums(counts).items()))


def _counts(counts: Sequence[int]) -> list[int]:
    found = exact.members("counts", counts, "must be a list of whole numbers", "The weights of each layer.")
    if not found:
        raise ArgumentError("counts", "must have a layer or more", counts)
    return [exact.whole("counts", one, 1) for one in found]


def maximal_compression() -> Expr:
    """Return N / L, the compression that leaves one weight a layer."""
    return TOTAL / LAYERS


def kept_fraction() -> Expr:
    """Return rho^(-k/n), the share of weights that an exponential schedule of n rounds keeps after round k."""
    return COMPRESSION ** (-ROUND / ROUNDS)


def kept_fraction_linear() -> Expr:
    """Return 1 - (1 - 1/rho) k/n, the share that a linear schedule of n rounds keeps after round k."""
    return 1 - (1 - 1 / COMPRESSION) * ROUND / ROUNDS
