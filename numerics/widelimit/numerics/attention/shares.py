"""`overlaps`: what rows of softmax weights share, at any number of tokens, temperature and correlation."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.attention import rows
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import attention as theory
from widelimit.theory.errors import ArgumentError

COLDEST = 100.0  # largest standard deviation of logits
_MANY = 10**12  # tokens
# Of a^2 (1 - rho): below the first S_2 - S_rho is an integral over rho, from three points, from its ends, from one.
NEAR, _NEXT, _EQUAL = 1e-2, 1e-4, 1e-12


@by_value
@dataclass(frozen=True)
class Overlaps:
    """Overlaps of rows of softmax weights A: numbers, or arrays of the arguments' shape.

    `within` is S_2 = E sum_j A_ij^2 and `across` S_rho = E sum_j A_ij A_kj; `within_slope` R_2 = E tr J_i^2 and
    `across_slope` R_rho = E tr J_i J_k, J_i = diag(A_i) - A_i A_i^T the slope of a row. `error`: an estimate of the
    largest relative error of the four. `gap` is S_2 - S_rho, with digits of its own where rows are nearly equal.
    """

    within: Any
    across: Any
    within_slope: Any
    across_slope: Any
    error: Any
    gap: Any


def overlaps(*, logit_std: Any, tokens: Any, correlation: Any) -> Overlaps:
    """Return the overlaps of rows softmax(a g_i), g_i standard normal over T tokens, of which any two are correlated.

    S_2 = T int m_2 m_0^(T-1) du and S_rho = T int int psi_11 psi^(T-1) du dv, and the like for slopes (users' networks,
    results 3 and 10; new). Softmax attention over tokens of mean square q and correlation rho has
    a^2 = (sigma_Q sigma_K)^2 q^2 (1 - rho) and this correlation.

    Args:
        logit_std: a, from 0 to 100; arrays broadcast.
        tokens: T, integers of 2 or more.
        correlation: rho, above -1/(T - 1) and at most 1.

    Raises `ArgumentError` for numbers outside these ranges.

    >>> found = overlaps(logit_std=1.0, tokens=8, correlation=0.3)
    >>> [round(one, 10) for one in (found.within, found.across, found.within_slope, found.across_slope)]
    [0.2323134472, 0.1521405851, 0.1345222846, 0.0969642217]
    >>> even = overlaps(logit_std=0.0, tokens=8, correlation=0.3)  # 1/T and (T - 1)/T^2
    >>> even.within, even.within_slope
    (0.125, 0.109375)
    >>> overlaps(logit_std=1.0, tokens=8, correlation=-0.2)
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ArgumentError: Argument `correlation` must be above -1/(tokens - 1) and at most 1, but ...
    """
    std = arguments.within("logit_std", logit_std, 0.0, COLDEST, "Beyond, weights are one-hot to a per cent.")
    count = whole("tokens", tokens, 2)
    rho = arguments.real("correlation", correlation)
    std, count, rho = arguments.broadcast(logit_std=std, tokens=count, correlation=rho)
    possible("correlation", rho, count)
    costs.affordable("logit_std", std.size, seconds=5e-3, each="point")
    found = np.array([at(a, int(t), c) for a, t, c in zip(std.flat, count.flat, rho.flat, strict=True)])
    parts = found.reshape(*std.shape, 6)
    return Overlaps(*(arguments.scalar(parts[..., k].copy()) for k in range(6)))


def possible(name: str, correlation: np.ndarray, tokens: np.ndarray) -> None:
    """Refuse correlations that equal tokens cannot have."""
    bad = (correlation > 1) | (correlation * (tokens - 1) <= -1)
    if bad.any():
        help = "No tokens have less: T equal correlations sum to no negative variance."
        must = "must be above -1/(tokens - 1) and at most 1"
        raise ArgumentError(name, must, float(correlation[bad].flat[0]), help)


def token_correlation(name: str, value: Any, tokens: int) -> float:
    """Return a correlation of that many tokens as a number."""
    number = arguments.finite_number(name, value)
    possible(name, np.asarray(number), np.asarray(tokens))
    return number


def whole(name: str, value: Any, least: int) -> np.ndarray:
    """Return an argument as an array of integers of at least `least`, as floats."""
    array = arguments.real(name, value)
    good = (array == np.floor(array)) & (array >= least) & (array <= _MANY)
    if not good.all():
        help = "One token attends to itself: nothing is averaged." if least == 2 else ""
        raise ArgumentError(
            name, f"must be an integer from {least} to 1e12", float(array[~good].flat[0]), help
        )
    return array


@functools.lru_cache(maxsize=4096)
def at(std: float, tokens: int, correlation: float, distance: float | None = None) -> tuple[float, ...]:
    """S_2, S_rho, R_2, R_rho, error and S_2 - S_rho at a point; `distance` is 1 - rho where it has more digits."""
    apart = 1 - correlation if distance is None else distance
    if std < rows.HOTTEST:
        overlap, slope = _uniform()(tokens, tokens)
        growth = _growth()(std, slope)
        return overlap, overlap, slope, slope, 0.0, growth * apart
    one = _one_row(std, tokens)
    two = _two_rows(std, tokens, correlation, apart) if std**2 * apart > _EQUAL else one
    gap = one[0] - two[0]
    if std**2 * apart < NEAR:
        middle = (two[1] + one[1]) / 2  # R is smooth in rho
        if std**2 * apart > _NEXT:
            middle = _two_rows(std, tokens, 1 - apart / 2, apart / 2)[1]
        slope = (two[1] + 4 * middle + one[1]) / 6
        gap = float(_growth()(std, slope)) * apart
    return one[0], two[0], one[1], two[1], max(one[2], two[2]), gap


def _one_row(std: float, tokens: int) -> tuple[float, float, float]:
    table = rows.single(std, tokens, tokens)
    overlap, slope = (part * table.step for part in _within()(*table.raised, table.log, tokens))
    return rows.total(overlap), rows.total(slope), max(rows.error(overlap), rows.error(slope))


def _two_rows(std: float, tokens: int, correlation: float, distance: float) -> tuple[float, float, float]:
    table = rows.double(std, correlation, distance, tokens, tokens)
    overlap, slope = _across()(*table.raised.values(), table.log, tokens)
    overlap, slope = overlap * table.cell, slope * table.cell
    return rows.total(overlap), rows.total(slope), max(rows.error(overlap), rows.error(slope))


def row_overlaps(
    std: float, tokens: int, correlation: float, distance: float
) -> tuple[np.ndarray, np.ndarray]:
    """S_ik and R_ik of rows that see the first i and the first k tokens, i, k = 1 .. T: a causal mask."""
    if std < rows.HOTTEST:
        count = np.arange(1, tokens + 1)
        shared, slope = _uniform()(count[:, None], count)
        return shared, slope
    single, double = (
        rows.single(std, tokens, 2),
        rows.double(std, correlation, distance, tokens, 2),
    )
    further = np.arange(tokens)
    seen = _unseen()(further[:, None], double.alone)  # (tokens seen besides, places v)
    shares, slopes = np.zeros((tokens, tokens)), np.zeros((tokens, tokens))
    shares[0] = shares[:, 0] = _uniform()(1, np.arange(1, tokens + 1))[0]
    for i in range(2, tokens + 1):
        overlap, slope = _within()(*single.raised, single.log, i)
        shares[i - 1, i - 1], slopes[i - 1, i - 1] = (
            single.step * rows.total(one) for one in (overlap, slope)
        )
        if i == tokens:
            break
        more = tokens - i
        overlap, slope = _across()(*double.raised.values(), double.log, i)
        beside = _outside()(
            double.raised[1, 0], double.raised[1, 1], double.log, double.first, double.alone, i
        )
        shares[i - 1, i:] = double.cell * (seen[1 : more + 1] @ overlap.sum(0))
        after = further[1 : more + 1]
        slopes[i - 1, i:] = double.cell * (
            seen[1 : more + 1] @ slope.sum(0) + after * (seen[:more] @ beside.sum(0))
        )
        shares[i:, i - 1], slopes[i:, i - 1] = shares[i - 1, i:], slopes[i - 1, i:]
    return shares, slopes


@functools.cache
def _within() -> Compiled:
    t = theory
    return compile((t.within_overlap(), t.within_slope()), (t.M1, t.M2, t.LOG, t.TOKENS), name="within")


@functools.cache
def _across() -> Compiled:
    t = theory
    formulas = (t.across_overlap(), t.across_slope())
    return compile(formulas, (t.P10, t.P01, t.P11, t.LOG, t.TOKENS), name="across")


@functools.cache
def _unseen() -> Compiled:
    return compile(theory.unseen(), (theory.FURTHER, theory.LOG_SECOND), name="unseen")


@functools.cache
def _outside() -> Compiled:
    """Of one further token: that of more is as many times as much, times what the others leave unseen."""
    t = theory
    arguments = (t.P10, t.P11, t.LOG, t.FIRST, t.LOG_SECOND, t.TOKENS)
    return compile(t.outside_slope().subs(t.FURTHER, 1), arguments, name="outside")


@functools.cache
def _uniform() -> Compiled:
    t = theory
    return compile((t.uniform_overlap(), t.uniform_slope()), (t.ROW_I, t.ROW_K), name="uniform")


@functools.cache
def _growth() -> Compiled:
    return compile(theory.overlap_growth(), (theory.LOGIT_STD, theory.SLOPES), name="growth")
