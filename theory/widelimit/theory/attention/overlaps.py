"""How much two rows of softmax weights have in common, as integrals over a product of one-token averages.

Row i of the weights is A_i = softmax(a g_i), g_i standard normal and independent over tokens; two rows have the
correlation rho. J_i = diag(A_i) - A_i A_i^T is the slope of a row in its logits. With
Z^-n = int t^n exp(-t Z) du / (n-1)! and t = e^u, every mean of products of weights becomes an integral over u (one row)
or u and v (two rows) in which tokens are independent:

    m_j(u) = E t^j exp(-t), t = e^(u + a z),   psi_jk(u, v) = E t_1^j exp(-t_1) t_2^k exp(-t_2), psi = psi_00.

The integrands below hold for any law of logits that is independent over tokens; ell is the log of m_0 or of psi.
"""

from __future__ import annotations

from sympy import Expr, Max, Symbol, exp, tanh

PLACE = Symbol("y", real=True)  # log t
POWER = Symbol("j", integer=True, nonnegative=True)
TOKENS = Symbol(
    "T", integer=True, positive=True
)  # that a row sees: both of two rows, if nothing else is said
FURTHER = Symbol("n_k", integer=True, nonnegative=True)  # tokens that the second of two rows sees besides
M1, M2 = Symbol("m_1", positive=True), Symbol("m_2", positive=True)
LOG = Symbol("ell", real=True)
LOG_SECOND = Symbol("ell_k", real=True)  # log m_0 of the second row alone
FIRST = Symbol("mu_k", positive=True)  # m_1 of the second row alone
P10, P01, P11 = (
    Symbol("psi_10", positive=True),
    Symbol("psi_01", positive=True),
    Symbol("psi_11", positive=True),
)
LOGIT_STD = Symbol("a", nonnegative=True)
SLOPES = Symbol("R", real=True)  # E tr J_i J_k
ROW_I, ROW_K = Symbol("i", integer=True, positive=True), Symbol("k", integer=True, positive=True)


def kept() -> Expr:
    """Return t^j exp(-t) at t = e^y, the integrand of m_j.

    >>> kept().subs(POWER, 1)
    exp(y - exp(y))
    """
    return exp(POWER * PLACE - exp(PLACE))


def missed() -> Expr:
    """Return 1 - exp(-t) at t = e^y as 2 h / (1 + h), h = tanh(t/2): all digits where t is small.

    >>> float(missed().subs(PLACE, 0))  # 1 - 1/e
    0.6321205588285577
    """
    half = tanh(exp(PLACE) / 2)
    return 2 * half / (1 + half)


def within_overlap() -> Expr:
    """Return T m_2 m_0^(T-1), whose integral over u is S_2 = E sum_j A_ij^2."""
    return TOKENS * M2 * exp((TOKENS - 1) * LOG)


def within_slope() -> Expr:
    """Return the integrand of R_2 = E tr J_i^2 over u, a sum of positive terms.

    T (T-1) [2 E A_1^2 A_2^2 + (T-2) E A_1^2 A_2 A_3], which is E [S - 2 sum A^3 + S^2] of a row with S = sum A^2.
    """
    pairs = M2**2 * exp((TOKENS - 2) * LOG) / 3
    triples = (TOKENS - 2) * M2 * M1**2 * exp((TOKENS - 3) * LOG) / 6
    return TOKENS * (TOKENS - 1) * (pairs + triples)


def across_overlap() -> Expr:
    """Return T psi_11 psi^(T-1), whose integral over u and v is S_rho = E sum_j A_ij A_kj of two rows."""
    return TOKENS * P11 * exp((TOKENS - 1) * LOG)


def across_slope() -> Expr:
    """Return the integrand of R_rho = E tr J_i J_k over u and v, a sum of positive terms.

    T (T-1) [2 E A_1 A_2 B_1 B_2 + (T-2) E A_1 A_2 B_1 B_3], A and B the two rows.
    """
    pairs = 2 * P11**2 * exp((TOKENS - 2) * LOG)
    triples = (TOKENS - 2) * P11 * P10 * P01 * exp((TOKENS - 3) * LOG)
    return TOKENS * (TOKENS - 1) * (pairs + triples)


def unseen() -> Expr:
    """Return m_0(v)^n, the factor of both integrands where the second row sees n tokens besides (a causal mask)."""
    return exp(FURTHER * LOG_SECOND)


def outside_slope() -> Expr:
    """Return what tokens that the second row alone sees add to the integrand of R_rho: T (T-1) n E A_1 A_2 B_1 B_x."""
    weight = TOKENS * (TOKENS - 1) * FURTHER
    return weight * P11 * P10 * FIRST * exp((TOKENS - 2) * LOG + (FURTHER - 1) * LOG_SECOND)


def overlap_growth() -> Expr:
    """Return dS_rho/drho = a^2 R_rho (Price's theorem): S_2 - S_rho is its integral, without a difference.

    >>> overlap_growth()
    R*a**2
    """
    return LOGIT_STD**2 * SLOPES


def uniform_overlap() -> Expr:
    """Return 1/max(i, k), the overlap of rows that spread their weight evenly over i and over k tokens."""
    return 1 / Max(ROW_I, ROW_K)


def uniform_slope() -> Expr:
    """Return (min(i, k) - 1)/(i k), tr J_i J_k of the same two rows: a^2 = 0."""
    return (ROW_I + ROW_K - Max(ROW_I, ROW_K) - 1) / (ROW_I * ROW_K)
