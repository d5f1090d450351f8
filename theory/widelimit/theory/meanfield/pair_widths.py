r"""Two inputs at finite width: the mean of their covariance and of their correlation, to order 1/N.

Given the layer below, the N pairs of pre-activations of a layer are independent and Gaussian, with the covariance
matrix K = (K_11, K_12, K_22), which scatters around the infinitely wide network's (q_1, r, q_2), r = c sqrt(q_1 q_2):

    mean of K = (q_1, r, q_2) + a/N,    covariance of its entries = v/N

Lengths change as in `widths`; of the covariance, C = E phi(u_1) phi(u_2) in

    a'_12 = sigma_w^2 (gradient of C . a + (Hessian of C : v)/2)
    v'    = J v J^T + sigma_w^4 Cov(phi phi)

with derivatives by K from Price's theorem: dC/dr = E phi' phi', dC/dq_1 = E phi'' phi/2, and so on. A layer's own
covariances, means over its N units, scatter by v + Gamma(K), Gamma the products of Isserlis.

Where a part of a layer is made to have the Gram matrix U exactly, its units are no longer independent, and Gamma(U) is
taken off v in all that follows: orthogonal weights keep products, so that only biases scatter (U = K - sigma_b^2); of
pre-activations that are given with their own products, nothing does (U = K).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations_with_replacement
from typing import TypeAlias

from sympy import Expr, Matrix, S, Symbol, sqrt

from widelimit.theory.meanfield.formulas import (
    keep,
    length_slope,
    second_1,
    second_2,
    sigma_w,
    with_dropout,
)
from widelimit.theory.meanfield.moments import ANY, c, q_1, q_2

Both: TypeAlias = str  # two entries of K, such as "11,12"
ENTRIES = ("11", "12", "22")
PAIRS = tuple(f"{one},{other}" for one, other in combinations_with_replacement(ENTRIES, 2))
covariance = Symbol("r", real=True)  # c sqrt(q_1 q_2)
shifts: Mapping[str, Symbol] = {one: Symbol(f"a_{one}", real=True) for one in ENTRIES}
spreads: Mapping[str, Symbol] = {both: Symbol(f"v_{both}", real=True) for both in PAIRS}
held: Mapping[str, Symbol] = {one: Symbol(f"U_{one}", real=True) for one in ENTRIES}
second_slope_1, second_slope_2 = Symbol("dV_1", real=True), Symbol("dV_2", real=True)
# E phi^(i)(u_1) phi^(j)(u_2), and E phi(u_1)^i phi(u_2)^j
mixed: Mapping[tuple[int, int], Symbol] = {
    (i, j): Symbol(f"m_{i}{j}", real=True) for i in range(5) for j in range(5 - i) if (i + j) % 2 == 0
}
powers: Mapping[tuple[int, int], Symbol] = {
    both: Symbol("p_{}{}".format(*both), real=True) for both in ((3, 1), (2, 2), (1, 3))
}


def covariance_slopes() -> tuple[Expr, Expr, Expr]:
    """Return the derivatives of sigma_w^2 E phi(u_1) phi(u_2) by K_11, K_12 and K_22.

    >>> covariance_slopes()[0]
    m_20*sigma_w**2/2
    """
    return (sigma_w**2 * mixed[2, 0] / 2, sigma_w**2 * mixed[1, 1], sigma_w**2 * mixed[0, 2] / 2)


def covariance_shift_map() -> Expr:
    """Return a'_12, N times what the mean of the next covariance exceeds that of infinite width by.

    >>> covariance_shift_map().coeff(spreads["12,12"])
    m_22*sigma_w**2/2
    """
    second = {
        "11,11": mixed[4, 0] / 4,
        "11,12": mixed[3, 1] / 2,
        "11,22": mixed[2, 2] / 4,
        "12,12": mixed[2, 2],
        "12,22": mixed[1, 3] / 2,
        "22,22": mixed[0, 4] / 4,
    }
    twice = {both: 1 if both[:2] == both[3:] else 2 for both in PAIRS}
    carried = sum(slope * shifts[one] for slope, one in zip(covariance_slopes(), ENTRIES, strict=True))
    curved = sum(twice[both] * second[both] * spreads[both] for both in PAIRS)
    return (carried + sigma_w**2 * curved / 2).expand()


def covariance_spread_map() -> dict[Both, Expr]:
    """Return v' where K_12 is one of both entries, and of both lengths: N times covariances over networks.

    >>> covariance_spread_map()["12,12"].subs({spread: 0 for spread in spreads.values()})
    sigma_w**4*(-m_00**2 + p_22/rho**2)
    """
    lengths = [
        with_dropout(length_slope(ANY)).subs(ANY.slope, one) for one in (second_slope_1, second_slope_2)
    ]
    jacobian = Matrix([[lengths[0], 0, 0], list(covariance_slopes()), [0, 0, lengths[1]]])
    before = Matrix(3, 3, lambda i, j: spreads[PAIRS[place(i, j)]])
    carried = jacobian * before * jacobian.T
    added = {
        "11,12": powers[3, 1] / keep**2 - second_1 * mixed[0, 0] / keep,
        "11,22": powers[2, 2] / keep**2 - second_1 * second_2 / keep**2,
        "12,12": powers[2, 2] / keep**2 - mixed[0, 0] ** 2,
        "12,22": powers[1, 3] / keep**2 - second_2 * mixed[0, 0] / keep,
    }
    return {both: carried[entry(both)] + sigma_w**4 * one for both, one in added.items()}


def sample_covariances() -> dict[Both, Expr]:
    """Return Gamma, N times the covariances of means over N pairs of Gaussian numbers (Isserlis).

    >>> sample_covariances()["11,12"]
    2*q_1*r
    """
    return _isserlis({"11": q_1, "12": covariance, "22": q_2})


def held_spreads() -> dict[Both, Expr]:
    """Return v - Gamma(U): the spread that is left where units were made to have the Gram matrix U.

    >>> held_spreads()["11,11"]
    -2*U_11**2 + v_11,11
    """
    return {both: spreads[both] - one for both, one in _isserlis(held).items()}


def correlation_shift() -> Expr:
    """Return N times what the mean of K_12/sqrt(K_11 K_22) exceeds c by, for `shifts` and `spreads` of K.

    >>> correlation_shift().coeff(shifts["12"])
    1/(sqrt(q_1)*sqrt(q_2))
    """
    moments = (q_1, covariance, q_2)
    correlation = covariance / sqrt(q_1 * q_2)
    first = sum(correlation.diff(k) * shifts[one] for k, one in zip(moments, ENTRIES, strict=True))
    second = sum(
        correlation.diff(moments[i], moments[j]) * spreads[PAIRS[place(i, j)]]
        for i in range(3)
        for j in range(3)
    )
    return (first + second / 2).subs(covariance, c * sqrt(q_1) * sqrt(q_2))


def correlation_spread() -> Expr:
    """Return N times the variance of K_12/sqrt(K_11 K_22) for `spreads` of K.

    >>> correlation_spread().coeff(spreads["12,12"])
    1/(q_1*q_2)
    """
    moments = (q_1, covariance, q_2)
    correlation = covariance / sqrt(q_1 * q_2)
    slopes = [correlation.diff(k) for k in moments]
    total = sum(slopes[i] * slopes[j] * spreads[PAIRS[place(i, j)]] for i in range(3) for j in range(3))
    return total.subs(covariance, c * sqrt(q_1) * sqrt(q_2)).expand()


def _isserlis(k: Mapping[str, Expr]) -> dict[Both, Expr]:
    """Cov(u_a u_b, u_c u_d) = K_ac K_bd + K_ad K_bc."""

    def at(one: str, other: str) -> Expr:
        return k["".join(sorted(one + other))]

    found = {}
    for both in PAIRS:
        one, other = both.split(",")
        pairings = ((one[0] + other[0], one[1] + other[1]), (one[0] + other[1], one[1] + other[0]))
        found[both] = sum((at(*first) * at(*second) for first, second in pairings), S.Zero)
    return found


def place(i: int, j: int) -> int:
    """Where the entries i and j of K stand together in `PAIRS`.

    >>> PAIRS[place(1, 0)]
    '11,12'
    """
    return PAIRS.index(",".join(sorted((ENTRIES[i], ENTRIES[j]))))


def entry(both: str) -> tuple[int, int]:
    """Which two entries of K a pair of `PAIRS` names.

    >>> entry("12,22")
    (1, 2)
    """
    one, other = both.split(",")
    return ENTRIES.index(one), ENTRIES.index(other)
