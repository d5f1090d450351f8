"""What a layer of softmax attention does to the Gram matrix of its tokens, to gradients and to the tangent kernel.

C_ij = x_i . x_j / d; exchangeable tokens have C_ii = q, C_ij = p = q rho. beta = sigma_Q sigma_K and
sigma_vo = sigma_V sigma_O, weights have the variance sigma^2 over fan-in, logits are taken over the root of the head
dimension; width, head dimension and number of heads are infinite, the number of tokens T is not. S = E sum_j A_ij A_kj
and R = E tr J_i J_k are overlaps of rows (`overlaps`), with index 2 for i = k and rho else.
"""

from __future__ import annotations

from sympy import EulerGamma, Expr, Symbol, cos, log, pi, sin, sqrt

from widelimit.theory.attention.overlaps import SLOPES, TOKENS

BETA = Symbol("beta", nonnegative=True)
SIGMA_VO = Symbol("sigma_vo", nonnegative=True)
HEAD = Symbol("d_h", integer=True, positive=True)
ANGLE = Symbol("u", real=True)  # between a query and a key, in a plane
Q, P, RHO = Symbol("q", positive=True), Symbol("p", real=True), Symbol("rho", real=True)
OVERLAP = Symbol("S", real=True)
S2, S_RHO = Symbol("S_2", positive=True), Symbol("S_rho", positive=True)
R2, R_RHO = Symbol("R_2", nonnegative=True), Symbol("R_rho", nonnegative=True)
GAP = Symbol("Delta", nonnegative=True)  # S_2 - S_rho
DISTANCE = Symbol("delta", nonnegative=True)  # 1 - rho
ENTRY, SPREAD = Symbol("C_12", real=True), Symbol("D", nonnegative=True)
BOTH = Symbol("E_12", real=True)
ROW, ROWS = Symbol("C_ik", real=True), Symbol("C_m", real=True)
MEAN, SQUARES, SKEW = Symbol("m", real=True), Symbol("tau", real=True), Symbol("kappa", real=True)
G, G_CROSS = Symbol("G", nonnegative=True), Symbol("G_x", real=True)
VALUES, QUERIES, KEYS = Symbol("g_v", real=True), Symbol("g_q", real=True), Symbol("g_k", real=True)
COVARIANCE = Symbol("K", real=True)  # C'_ik behind the layer
THETA, THETA_CROSS, THETA_ROWS = (
    Symbol("theta", real=True),
    Symbol("theta_x", real=True),
    Symbol("Theta_ik", real=True),
)
SIGMA_E, SIGMA_P = Symbol("sigma_e", nonnegative=True), Symbol("sigma_p", nonnegative=True)
SAME, HERE = Symbol("s", integer=True), Symbol("h", integer=True)  # 1 or 0: one word, one place
VOCABULARY = Symbol("V", integer=True, positive=True)


def logit_variance() -> Expr:
    """Return a^2 = beta^2 q (q - p), the variance of a row's logits about what they have in common.

    >>> logit_variance().subs({BETA: 2, Q: 1, P: 0})
    4
    """
    return BETA**2 * Q * (Q - P)


def linear_scale() -> Expr:
    """Return beta / sqrt(d_h): logits over d_h in place of its root (mu-P) have the scale of a smaller beta."""
    return BETA / sqrt(HEAD)


def next_covariance() -> Expr:
    """Return C'_ik = sigma_vo^2 [p + (q - p) S_ik] of exchangeable tokens, at every T and temperature.

    >>> next_covariance().subs(OVERLAP, 1)
    q*sigma_vo**2
    """
    return SIGMA_VO**2 * (P + (Q - P) * OVERLAP)


def next_distance() -> Expr:
    """Return 1 - rho' = (1 - rho)(S_2 - S_rho)/(rho + (1 - rho) S_2), without skip."""
    return DISTANCE * GAP / (1 - DISTANCE + DISTANCE * S2)


def cubic_collapse() -> Expr:
    """Return beta^2 q^2 (T - 1)/T^2 (1 - rho)^3, what 1 - rho' is where tokens are nearly equal.

    The exponent is that of dong2021attention; the constant is new.
    """
    return BETA**2 * Q**2 * (TOKENS - 1) / TOKENS**2 * DISTANCE**3


def two_tokens() -> Expr:
    """Return C'_ik = sigma_vo^2 [C_12 + D E sig(delta_i) sig(delta_k)] of two tokens with any Gram matrix.

    D = C_11 + C_22 - 2 C_12, and (delta_i, delta_k) is Gaussian with the covariance of `two_token_logits`.
    """
    return SIGMA_VO**2 * (ENTRY + SPREAD * BOTH)


def two_token_logits() -> Expr:
    """Return Cov(delta_i, delta_k) = beta^2 C_ik D, of the differences of logits in rows i and k of two tokens."""
    return BETA**2 * ROW * SPREAD


def hot_covariance() -> Expr:
    """Return C'_ik of any Gram matrix to second order in beta.

    m is the mean of C, tau = tr(H C H)^2/T^2, kappa the covariance over tokens of (H C H)_jj with the row means r_j,
    C_m = (C_ii + C_kk)/2; what is left out is of the order beta^4.
    """
    return SIGMA_VO**2 * (MEAN + BETA**2 * (ROW * SQUARES + ROWS * SKEW))


def turned_parts() -> tuple[Expr, Expr]:
    """Return functions f of the angle u between a query and a key that are turned in a plane (rotary positions).

    The sum of f(u) f(v) is cos(u - v): what the plane adds to the correlation of two logits, q R(u) k and q' R(v) k'.
    """
    return cos(ANGLE), sin(ANGLE)


def embedded() -> Expr:
    """Return C_ij = sigma_e^2 [one word] + sigma_p^2 [one place], of embedded words and learnt positions."""
    return SIGMA_E**2 * SAME + SIGMA_P**2 * HERE


def zipf_overlap() -> Expr:
    """Return sum_v f_v^2 for word frequencies f_v ~ 1/v, v = 1 .. V: how often two tokens are one word.

    (pi^2/6 - 1/V + 1/(2 V^2)) / (log V + gamma + 1/(2 V))^2, to two orders beyond (pi^2/6)/(log V + gamma)^2.
    """
    v = VOCABULARY
    harmonic = log(v) + EulerGamma + 1 / (2 * v) - 1 / (12 * v**2)
    return (pi**2 / 6 - 1 / v + 1 / (2 * v**2) - 1 / (6 * v**3)) / harmonic**2


# --- backward --------------------------------------------------------------------------------------------------------


def path_scale() -> Expr:
    """Return k = sigma_vo^2 beta^2 (q - p), the factor of gradients through the softmax."""
    return SIGMA_VO**2 * BETA**2 * (Q - P)


def value_gradient() -> Expr:
    """Return sigma_vo^2 [S_2 G + (T - 1) S_rho G_x], the mean square of gradients through values."""
    return SIGMA_VO**2 * (S2 * G + (TOKENS - 1) * S_RHO * G_CROSS)


def query_gradient() -> Expr:
    """Return k (q - p) G R_2, of gradients through queries; across tokens with G_x and R_rho."""
    return path_scale() * (Q - P) * G * R2


def key_gradient() -> Expr:
    """Return k [q G R_2 + (T - 1) p G_x R_rho], of gradients through keys."""
    return path_scale() * (Q * G * R2 + (TOKENS - 1) * P * G_CROSS * R_RHO)


def value_gradient_cross() -> Expr:
    """Return sigma_vo^2 [(1 - S_2) G/(T - 1) + (1 - S_rho) G_x], products of two gradients through values."""
    return SIGMA_VO**2 * ((1 - S2) * G / (TOKENS - 1) + (1 - S_RHO) * G_CROSS)


def query_gradient_cross() -> Expr:
    """Return k (q - p) G_x R_rho, of two tokens through queries."""
    return path_scale() * (Q - P) * G_CROSS * R_RHO


def key_gradient_cross() -> Expr:
    """Return what keys give across tokens: slopes of a row sum to 0, T - 1 others share - `key_gradient`."""
    return -KEYS / (TOKENS - 1)


def next_tangent() -> Expr:
    """Return Theta'_ik of softmax attention, all four weights trained (NTK parametrisation).

    2 C'_ik + sigma_vo^2 [theta_x + (theta - theta_x) S] + k {(2 C_ik + Theta_ik)(q - p) + C_ik (theta - theta_x)} R.
    """
    values = SIGMA_VO**2 * (THETA_CROSS + (THETA - THETA_CROSS) * OVERLAP)
    logits = (2 * ROW + THETA_ROWS) * (Q - P) + ROW * (THETA - THETA_CROSS)
    return 2 * COVARIANCE + values + path_scale() * logits * SLOPES
