"""How what a layer makes of its tokens changes with the temperature, the scales and the Gram matrix of the tokens.

Logits beta L g L', C = L L', of fixed normals g move with beta and with the root L, and rows of weights with them. Two
tokens have two differences of logits, and averages over them move with their covariances by Price's theorem.
"""

from __future__ import annotations

from sympy import Expr, Symbol

from widelimit.theory.attention.maps import (
    BETA,
    BOTH,
    COVARIANCE,
    ENTRY,
    ROW,
    SIGMA_VO,
    SPREAD,
    THETA_ROWS,
)

WEIGHT, LOGIT_MOVE, MEAN_MOVE = (
    Symbol("A_j", positive=True),
    Symbol("s_j", real=True),
    Symbol("s_A", real=True),
)
TURNED = Symbol("D_ab", real=True)
ROOT_A, ROOT_B = Symbol("l_a", nonnegative=True), Symbol("l_b", nonnegative=True)
SHARE = Symbol("s", positive=True)
MOVE_I, MOVE_K, MOVE_IK = Symbol("v_i", real=True), Symbol("v_k", real=True), Symbol("v_ik", real=True)
CURVED_I, CURVED_K, STEEP = Symbol("E_20", real=True), Symbol("E_02", real=True), Symbol("E_11", real=True)
SECOND = Symbol("C_22", real=True)
MEAN_I, MEAN_K = Symbol("m_i", real=True), Symbol("m_k", real=True)
BOTH_SLOPES, SPREAD_OTHER = Symbol("U", real=True), Symbol("D_Y", real=True)
SUM, SUM_THETA = Symbol("c", real=True), Symbol("c_Theta", real=True)
PATHS, PATHS_THETA = Symbol("r", real=True), Symbol("r_Theta", real=True)


def weight_change() -> Expr:
    """Return A_j (s_j - s_A), the change of a softmax weight with changes s of the logits; s_A is their mean over A.

    >>> weight_change()
    A_j*(-s_A + s_j)
    """
    return WEIGHT * (LOGIT_MOVE - MEAN_MOVE)


def root_change() -> Expr:
    """Return D_ab/(l_a + l_b), the change of the symmetric root L of C between two eigenvectors of C, C moving by D.

    l_a and l_b are eigenvalues of L: L L' + L' L = D, where the prime is the change.
    """
    return TURNED / (ROOT_A + ROOT_B)


def logistic_slopes() -> tuple[Expr, Expr, Expr, Expr]:
    """Return the first of two softmax weights s = 1/(1 + exp(-z)), and its derivatives by z of the orders 1 to 3.

    >>> logistic_slopes()[1]
    s*(1 - s)
    """
    once = SHARE * (1 - SHARE)
    twice = once * (1 - 2 * SHARE)
    return SHARE, once, twice, once * (1 - 6 * SHARE + 6 * SHARE**2)


def pair_change() -> Expr:
    """Return (v_i E f'' h + v_k E f h'')/2 + v_ik E f' h', how E f(x) h(y) moves with variances and covariance.

    x and y are normal; v_i, v_k and v_ik are the changes of Var x, Var y and Cov(x, y) (Price's theorem).
    """
    return (MOVE_I * CURVED_I + MOVE_K * CURVED_K) / 2 + MOVE_IK * STEEP


def two_token_sum() -> Expr:
    """Return E sum_jl A_ij A_kl C_jl of rows (s_i, 1 - s_i), (s_k, 1 - s_k) of means m_i, m_k and E s_i s_k = E_12.

    D = C_11 + C_22 - 2 C_12.
    """
    return SECOND + (MEAN_I + MEAN_K) * (ENTRY - SECOND) + SPREAD * BOTH


def two_token_paths() -> Expr:
    """Return U D D_Y, E tr J_i C J_k Y of two tokens: U = E s_i (1 - s_i) s_k (1 - s_k), D and D_Y those of C and Y."""
    return BOTH_SLOPES * SPREAD * SPREAD_OTHER


def layer_entries() -> tuple[Expr, Expr]:
    """Return C'_ik and Theta'_ik of tokens with any Gram matrix.

    c = E A_i C A_k', c_Theta the same of Theta, r = E tr J_i C J_k C and r_Theta = E tr J_i C J_k Theta.
    """
    logits = (2 * ROW + THETA_ROWS) * PATHS + ROW * PATHS_THETA
    return SIGMA_VO**2 * SUM, SIGMA_VO**2 * (2 * SUM + SUM_THETA + BETA**2 * logits)


def output_change() -> Expr:
    """Return 2 K/sigma_vo, how an entry K of C' or of Theta' changes with sigma_vo: both are its square times a sum."""
    return 2 * COVARIANCE / SIGMA_VO
