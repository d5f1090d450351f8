"""How overlaps of rows change with temperature and correlation.

Averages of one token over Gaussian logits obey the heat equation: a variance moves them by half a second derivative in
the place u, a covariance by the mixed one in u and v. Since d(t^j exp(-t))/du = j t^j exp(-t) - t^(j+1) exp(-t), both
are averages of higher powers, and the integrands of `overlaps` change by the chain rule.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from sympy import Expr, Integer, Symbol, exp

from widelimit.theory.attention.maps import DISTANCE
from widelimit.theory.attention.overlaps import (
    FIRST,
    LOG,
    LOG_SECOND,
    LOGIT_STD,
    M1,
    M2,
    P01,
    P10,
    P11,
    SLOPES,
    overlap_growth,
)
from widelimit.theory.calculus import exact, implicit

M3, M4 = Symbol("m_3", positive=True), Symbol("m_4", positive=True)
SINGLE = (exp(LOG), M1, M2, M3, M4)
PAIRS = MappingProxyType(
    {(0, 0): exp(LOG), (1, 0): P10, (0, 1): P01, (1, 1): P11}
    | {
        (j, k): Symbol(f"psi_{j}{k}", positive=True)
        for j, k in ((2, 0), (2, 1), (1, 2), (2, 2), (3, 0), (3, 1))
    }
)
MASKED_PAIRS = MappingProxyType(
    {**PAIRS, **{(j, k): Symbol(f"psi_{j}{k}", positive=True) for j, k in ((0, 2), (0, 3), (1, 3))}}
)
M2_SECOND, M3_SECOND = (
    Symbol("mu_k2", positive=True),
    Symbol("mu_k3", positive=True),
)  # as FIRST, of t^2 and t^3
SHARED = Symbol("rho", real=True)
MOVE, TOKEN_MOVE = Symbol("dR", real=True), Symbol("dR_T", real=True)
HEATING, COUPLING = Symbol("S_heat", real=True), Symbol("S_couple", real=True)


def variance_change(j: int) -> Expr:
    """Return dm_j/d(a^2) = [j^2 m_j - (2 j + 1) m_(j+1) + m_(j+2)]/2.

    >>> variance_change(1)
    m_1/2 - 3*m_2/2 + m_3/2
    """
    own, first, second = SINGLE[j : j + 3]
    return (j**2 * own - (2 * j + 1) * first + second) / 2


def row_change(j: int, k: int) -> Expr:
    """Return twice the change of psi_jk with the variance of the first row's logits: its second derivative in u.

    >>> row_change(1, 1)
    psi_11 - 3*psi_21 + psi_31
    """
    return j**2 * PAIRS[j, k] - (2 * j + 1) * PAIRS[j + 1, k] + PAIRS[j + 2, k]


def covariance_change(j: int, k: int) -> Expr:
    """Return how psi_jk changes with the covariance of two rows' logits, a^2 rho.

    >>> covariance_change(1, 0)
    -psi_11 + psi_21
    """
    found = PAIRS[j + 1, k + 1]
    if j:
        found -= j * PAIRS[j, k + 1]
    if k:
        found -= k * PAIRS[j + 1, k]
    return found + j * k * PAIRS[j, k] if j * k else found


@exact.takes(integrand=exact.plain)
def within_heating(integrand: Expr) -> Expr:
    """Return the change with a^2 of an integrand over one row.

    >>> within_heating(M1)
    m_1/2 - 3*m_2/2 + m_3/2
    """
    return implicit.along(
        integrand,
        {M1: variance_change(1), M2: variance_change(2), LOG: variance_change(0) * exp(-LOG)},
    )


@exact.takes(integrand=exact.plain)
def across_heating(integrand: Expr) -> Expr:
    """Return that of an integrand over two rows at a fixed covariance of their logits; its integral is what is meant.

    Both rows' variances grow. The integrands are symmetric in the rows: one variance, twice.
    """
    return _of_pairs(integrand, row_change)


@exact.takes(integrand=exact.plain)
def across_coupling(integrand: Expr) -> Expr:
    """Return the change with the covariance a^2 rho of two rows' logits, at fixed variances."""
    return _of_pairs(integrand, covariance_change)


def _of_pairs(integrand: Expr, change: Callable[[int, int], Expr]) -> Expr:
    raised = {P10: change(1, 0), P01: change(0, 1), P11: change(1, 1)}
    return implicit.along(integrand, {**raised, LOG: change(0, 0) * exp(-LOG)})


@exact.takes(integrand=exact.plain)
def masked_heating(integrand: Expr) -> Expr:
    """Return `across_heating` of an integrand over rows of which the second sees more tokens.

    It is not symmetric in the rows, and holds averages of the second row alone. How it changes with the covariance is
    `across_coupling`, as for rows that see the same.

    >>> masked_heating(FIRST)
    mu_k/2 - 3*mu_k2/2 + mu_k3/2
    """

    def both(j: int, k: int) -> Expr:
        every = MASKED_PAIRS
        second = k**2 * every[j, k] - (2 * k + 1) * every[j, k + 1] + every[j, k + 2]
        return (row_change(j, k) + second) / 2

    alone = {M1: FIRST, M2: M2_SECOND, M3: M3_SECOND, LOG: LOG_SECOND}
    own = {
        LOG_SECOND: variance_change(0).subs(alone) * exp(-LOG_SECOND),
        FIRST: variance_change(1).subs(alone),
    }
    pairs = {P10: both(1, 0), P01: both(0, 1), P11: both(1, 1), LOG: both(0, 0) * exp(-LOG)}
    return implicit.along(integrand, {**pairs, **own})


def temperature_change() -> Expr:
    """Return dS/da = 2 a (S_heat + rho S_couple): a moves variances a^2 and covariances a^2 rho of logits."""
    return 2 * LOGIT_STD * (HEATING + SHARED * COUPLING)


def correlation_change() -> Expr:
    """Return dS/drho = a^2 S_couple; that of S_rho is `overlap_growth`."""
    return LOGIT_STD**2 * COUPLING


def gap_changes() -> tuple[Expr, Expr]:
    """Return how S_2 - S_rho = a^2 (1 - rho) R changes with a and with T, R its mean over correlations up to 1.

    `MOVE` and `TOKEN_MOVE` are the changes of R.
    """
    gap = overlap_growth() * DISTANCE
    return implicit.along(gap, {LOGIT_STD: Integer(1), SLOPES: MOVE}), implicit.along(
        gap, {SLOPES: TOKEN_MOVE}
    )
