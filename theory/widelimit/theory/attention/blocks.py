"""Transformer blocks: an attention branch and a branch of two layers, each beside a skip, with norms before or behind.

q, p: mean square and covariance of the stream; v_A, v_M: what a branch adds at unit length; chi_M: the factor of the
second branch on squared gradients. A skip has the weight w (1 as a rule).
"""

from __future__ import annotations

from sympy import Expr, Symbol, log

from widelimit.theory.attention.maps import Q

SKIP = Symbol("w", nonnegative=True)
OLD, NEW = Symbol("X", real=True), Symbol("Y", real=True)  # of the stream, of the branch
OLD_LENGTH, NEW_LENGTH = Symbol("X_q", positive=True), Symbol("Y_q", nonnegative=True)
SIGMA_1, SIGMA_2 = Symbol("sigma_1", nonnegative=True), Symbol("sigma_2", nonnegative=True)
SIGMA_3 = Symbol("sigma_3", nonnegative=True)  # of the gate's weights
DUAL, DUAL_SLOPE = Symbol("T_phi", real=True), Symbol("Tdot_phi", real=True)
COVARIANCE = Symbol("K", real=True)
LENGTH_A, LENGTH_M = Symbol("v_A", positive=True), Symbol("v_M", positive=True)
CHI_M = Symbol("chi_M", positive=True)
BLOCKS = Symbol("L", integer=True, positive=True)
ALPHA = Symbol("alpha", nonnegative=True)
START, START_MEAN = Symbol("p_0", real=True), Symbol("m_0", real=True)


def residual_sum() -> Expr:
    """Return w^2 X + Y, a second moment of the stream behind a branch; also that of gradients in front of it."""
    return SKIP**2 * OLD + NEW


def normalised() -> Expr:
    """Return (w^2 X + Y)/(w^2 X_q + Y_q), the same behind a norm: divided by the length."""
    return (SKIP**2 * OLD + NEW) / (SKIP**2 * OLD_LENGTH + NEW_LENGTH)


def pre_gradient() -> Expr:
    """Return w^2 X + Y/q: a norm in front of a branch divides the gradients that come through it by its length."""
    return SKIP**2 * OLD + NEW / Q


def mlp_covariance() -> Expr:
    """Return sigma_2^2 T_phi, covariance behind W_2 phi(W_1 x); T_phi = E phi(u) phi(v), Cov(u, v) = sigma_1^2 K."""
    return SIGMA_2**2 * DUAL


def mlp_slope() -> Expr:
    """Return sigma_1^2 sigma_2^2 E phi'(u) phi'(v), its factor on gradients."""
    return SIGMA_1**2 * SIGMA_2**2 * DUAL_SLOPE


def gated_covariance() -> Expr:
    """Return sigma_2^2 sigma_3^2 K T_phi, covariance behind W_2 (phi(W_1 x) * W_3 x)."""
    return SIGMA_2**2 * SIGMA_3**2 * COVARIANCE * DUAL


def gated_slope() -> Expr:
    """Return sigma_2^2 sigma_3^2 [sigma_1^2 K Tdot_phi + T_phi], its factor on gradients: both of its ways."""
    return SIGMA_2**2 * SIGMA_3**2 * (SIGMA_1**2 * COVARIANCE * DUAL_SLOPE + DUAL)


def post_angle() -> Expr:
    """Return log of (1 - rho')/(1 - rho) per Post-LN block where tokens are nearly equal.

    w^2/(w^2 + v_A) (w^2 + chi_M)/(w^2 + v_M): attention adds equally to lengths and covariances.
    """
    w = SKIP**2
    return log(w / (w + LENGTH_A) * (w + CHI_M) / (w + LENGTH_M))


def pre_power() -> Expr:
    """Return s = 1 - chi_M/(v_A + v_M): 1 - rho falls as the power l^-s of the depth in Pre-LN stacks.

    >>> pre_power().subs({LENGTH_A: 1, LENGTH_M: 1, CHI_M: 1})
    1/2
    """
    return 1 - CHI_M / (LENGTH_A + LENGTH_M)


def pre_gradient_mean() -> Expr:
    """Return the power of depth with which the mean over tokens of gradients grows: (chi_M + v_A)/(v_A + v_M)."""
    return (CHI_M + LENGTH_A) / (LENGTH_A + LENGTH_M)


def pre_gradient_difference() -> Expr:
    """Return that of differences between tokens: chi_M/(v_A + v_M)."""
    return CHI_M / (LENGTH_A + LENGTH_M)


def post_gradient_mean() -> Expr:
    """Return log of the factor per Post-LN block on the mean over tokens of gradients, tokens being nearly equal."""
    return log((SKIP**2 + CHI_M) / (SKIP**2 + LENGTH_M))


def uniform_growth() -> Expr:
    """Return p_L = p_0 + m_0 [(1 + alpha^2 v_A)^L - 1] of a stack of averaging branches of weight alpha, without norm.

    m_0 = p_0 + (q_0 - p_0)/T; q_L - p_L stays. alpha^2 = 1/L keeps rho below 1 at any depth (noci2022signal).
    """
    return START + START_MEAN * ((1 + ALPHA**2 * LENGTH_A) ** BLOCKS - 1)
