"""Eigenvalues of the Fisher information of wide networks: mean, second moment, largest.

The network has layers 1..L with widths M_l = alpha_l M (M_0 the input), a linear output layer of C units, C small;
F = 1/T sum_t sum_k grad f_k(x_t) grad f_k(x_t)' over T independent inputs, for parameters in the standard
parametrisation (the variance sits in the weights; numbers differ from the tangent kernel's by factors of the width).
F shares its non-zero eigenvalues with a TC x TC matrix which in the limit is, for each output, constant on the
diagonal and off it: one eigenvalue along the mean over samples and T - 1 equal ones across it, from which everything
follows. The former is the largest unless kappa_2 is negative. How finite width spreads the others: `spread`.
"""

from __future__ import annotations

from sympy import Expr, Max, Symbol

from widelimit.theory.calculus import exact
from widelimit.theory.fisher.spread import SAMPLES
from widelimit.theory.kernel import SIGMA_B, SIGMA_W

KAPPA_1 = Symbol("kappa_1", positive=True)
KAPPA_2 = Symbol("kappa_2", real=True)  # negative where the samples' mean is taken out
ALPHA = Symbol("alpha", positive=True)
WIDTH = Symbol("M", positive=True)
OUTPUTS = Symbol("C", integer=True, positive=True)
W, W_ZETA = Symbol("w", positive=True), Symbol("w_zeta", positive=True)
MOMENT = Symbol("v", positive=True)  # mean square of an input's components
WIDTH_RATIO, BELOW_RATIO = Symbol("alpha_l", positive=True), Symbol("alpha_(l-1)", positive=True)
BACKWARD, FORWARD = Symbol("qtilde^l", real=True), Symbol("qhat^(l-1)", real=True)
SLOPES = Symbol("P", nonnegative=True)  # E phi'^2, or E phi'(u) phi'(v) of two inputs
BACKWARD_SUM = Symbol("qtilde", positive=True)  # over the layers


def outlier() -> Expr:
    """The eigenvalue along the mean over samples, C times degenerate: alpha M ((T-1) kappa_2 + kappa_1) / T."""
    return ALPHA * WIDTH * ((SAMPLES - 1) * KAPPA_2 + KAPPA_1) / SAMPLES


def bulk() -> Expr:
    """The other non-zero eigenvalue, C (T - 1) times degenerate: alpha M (kappa_1 - kappa_2) / T."""
    return ALPHA * WIDTH * (KAPPA_1 - KAPPA_2) / SAMPLES


def largest() -> Expr:
    """The larger of the two: `outlier` where kappa_2 >= 0, `bulk` where it is negative."""
    return Max(outlier(), bulk())


def smallest_overlap() -> Expr:
    """-v / (T - 1): T inputs of mean square v whose pairs all overlap by less do not exist (their sum has a length)."""
    return -MOMENT / (SAMPLES - 1)


def parameters() -> Expr:
    """The number of weights, alpha M^2, to leading order."""
    return ALPHA * WIDTH**2


def mean() -> Expr:
    """The mean eigenvalue kappa_1 C / M (karakida2019universal, theorem 1)."""
    return KAPPA_1 * OUTPUTS / WIDTH


def second_moment() -> Expr:
    """The mean squared eigenvalue alpha C ((T-1)/T kappa_2^2 + kappa_1^2/T) (karakida2019universal, theorem 3)."""
    return ALPHA * OUTPUTS * ((SAMPLES - 1) * KAPPA_2**2 + KAPPA_1**2) / SAMPLES


def condition_number() -> Expr:
    """The larger over the smaller of the two, ((T-1) kappa_2 + kappa_1) / (kappa_1 - kappa_2) where kappa_2 >= 0."""
    ratio = ((SAMPLES - 1) * KAPPA_2 + KAPPA_1) / (KAPPA_1 - KAPPA_2)
    return Max(ratio, 1 / ratio)


def largest_learning_rate(eigenvalue: Expr | None = None) -> Expr:
    """2 / largest eigenvalue: above it gradient descent on the mean squared loss is unstable
    (karakida2019universal, sec. 4). `eigenvalue`: the largest, by default `largest` of the limit.
    """
    return 2 / (largest() if eigenvalue is None else exact.plain("eigenvalue", eigenvalue))


def layer_gain(weights: str = "gaussian") -> Expr:
    """sigma_w^2 w zeta: what a layer multiplies z(m) of J J' by, w = E d / (zeta - d) = (C / M_l) m, d = phi'^2
    (pennington2018emergence, eq. (14), for C outputs); over 1 + w for square orthogonal weights.
    """
    exact.one_of("weights", weights, ("gaussian", "orthogonal"))
    gain = SIGMA_W**2 * W_ZETA
    return gain / (1 + W) if weights == "orthogonal" else gain


def pre_activation() -> Expr:
    """sigma_w^2 qhat^(l-1) + sigma_b^2: the variance of the next pre-activations, or the covariance of two inputs'."""
    return SIGMA_W**2 * FORWARD + SIGMA_B**2


def gradient_below() -> Expr:
    """sigma_w^2 qtilde^l P: the squared gradient one layer below, or the product of two inputs' (P over the pair)."""
    return SIGMA_W**2 * BACKWARD * SLOPES


def layer_weights() -> Expr:
    """alpha_l alpha_(l-1): the number of weights between two layers over M^2; alpha is its sum below hidden layers."""
    return WIDTH_RATIO * BELOW_RATIO


def layer_share() -> Expr:
    """alpha_(l-1)/alpha qtilde^l qhat^(l-1): what the weights of one layer add to kappa (karakida2019universal).

    Summed over layers it is kappa_1 with the statistics of one input, kappa_2 with those of two.
    """
    return BELOW_RATIO / ALPHA * BACKWARD * FORWARD


def bias_share() -> Expr:
    """sum_l qtilde^l / (alpha M kappa_1): what gradients by biases would add to the trace, relative to it."""
    return BACKWARD_SUM / (ALPHA * WIDTH * KAPPA_1)
