"""`overlaps_gradient`: derivatives of rows' overlaps by temperature, correlation and number of tokens.

The integrands are those of `shares`, differentiated by `theory.attention` ("gradients"): a variance or a covariance of
logits moves averages of one token by the heat equation. The same lattices with smaller steps and higher powers.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.attention import rows, shares
from widelimit.numerics.attention.shares import Overlaps, overlaps
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import attention as theory

_PAIRS = tuple(at for at in theory.PAIRS if at != (0, 0))
_MASKED = tuple(at for at in theory.MASKED_PAIRS if at != (0, 0))
Array = np.ndarray


@by_value
@dataclass(frozen=True)
class OverlapsSlopes:
    """Derivatives of the fields of `Overlaps` by one argument; floats, or arrays."""

    within: Any
    across: Any
    within_slope: Any
    across_slope: Any
    gap: Any


@by_value
@dataclass(frozen=True)
class OverlapsGradient:
    """`value`: what `overlaps` returns; derivatives by `logit_std`, `correlation` and `tokens`, as if T were real."""

    value: Overlaps
    logit_std: OverlapsSlopes
    correlation: OverlapsSlopes
    tokens: OverlapsSlopes


def overlaps_gradient(*, logit_std: Any, tokens: Any, correlation: Any) -> OverlapsGradient:
    """Return `overlaps` and its derivatives by all three arguments, which are as of `overlaps`.

    With dm_j/d(a^2) = [j^2 m_j - (2j + 1) m_(j+1) + m_(j+2)]/2 and its like for two rows under the integrals:
    dS_2/d(a^2) = R_2 + 2 [E (sum A^2)^2 - S_3] and dS_rho/drho = a^2 R_rho. At correlation 1 the derivative by it is
    that from below.

    >>> found = overlaps_gradient(logit_std=1.0, tokens=8, correlation=0.3)
    >>> round(found.correlation.across, 10) == round(found.value.across_slope, 10)
    True
    >>> round(found.logit_std.within, 8), round(found.tokens.within, 8)
    (0.1940996, -0.02273147)
    >>> nearly_even = overlaps_gradient(logit_std=1e-4, tokens=8, correlation=0.3)  # gap a^2 (1 - rho) (T - 1)/T^2
    >>> round(nearly_even.logit_std.gap / 1e-4, 6), round(2 * 0.7 * 7 / 64, 6)
    (0.153125, 0.153125)
    """
    value = overlaps(logit_std=logit_std, tokens=tokens, correlation=correlation)
    std, count, rho = np.broadcast_arrays(
        *(np.asarray(one, float) for one in (logit_std, tokens, correlation))
    )
    costs.affordable("logit_std", std.size, seconds=2e-2, each="point")
    found = np.array([moves(a, int(t), c) for a, t, c in zip(std.flat, count.flat, rho.flat, strict=True)])
    parts = found.reshape(*std.shape, 3, 5)
    each = (OverlapsSlopes(*(arguments.scalar(parts[..., n, k].copy()) for k in range(5))) for n in range(3))
    return OverlapsGradient(value, *each)


class Changes(NamedTuple):
    """Of S_2, S_rho, R_2, R_rho, (4,) each: by a^2 alone, by the covariance a^2 rho, and by T; R_rho itself."""

    heating: Array
    coupling: Array
    tokens: Array
    slope: float


def moves(std: float, tokens: int, correlation: float, distance: float | None = None) -> Array:
    """Derivatives of S_2, S_rho, R_2, R_rho and S_2 - S_rho by a, rho and T at a point, (3, 5)."""
    apart = 1 - correlation if distance is None else distance
    here = changes(max(std, rows.HOTTEST), tokens, correlation, apart)
    out = np.empty((3, 5))
    out[:, :4] = *_scales()(std, correlation, here.heating, here.coupling), here.tokens
    out[:, 4] = out[:, 0] - out[:, 1]
    if std**2 * apart < shares.NEAR:
        out[::2, 4] = _gap(std, tokens, apart, here)
    return out


def _gap(std: float, tokens: int, apart: float, here: Changes) -> tuple[float, float]:
    """Derivatives by a and T of S_2 - S_rho = a^2 (1 - rho) R, R a mean over correlations (Simpson's rule)."""
    at = max(std, rows.HOTTEST)
    near = (
        (apart, here),
        (apart / 2, changes(at, tokens, 1 - apart / 2, apart / 2)),
        (0.0, changes(at, tokens, 1.0, 0.0)),
    )
    each = np.array(
        [
            (one.slope, _scales()(std, 1 - far, one.heating[3], one.coupling[3])[0], one.tokens[3])
            for far, one in near
        ]
    )
    mean, by_std, by_tokens = np.array([1, 4, 1]) @ each / 6
    found: tuple[float, float] = _gaps()(std, apart, mean, by_std, by_tokens)
    return found


def changes(std: float, tokens: int, correlation: float, distance: float) -> Changes:
    """Return how S and R move with variance and covariance of logits and with T; `std` is above 0."""
    one = rows.single(std, tokens, tokens, rows.HIGHER)
    two = rows.double(std, correlation, distance, tokens, tokens, _PAIRS, rows.HIGHER)
    within = np.array(_within()(*one.raised, one.log, tokens)).sum(axis=1) * one.step
    across = np.array(_across()(*two.raised.values(), two.log, tokens)).sum(axis=(1, 2)) * two.cell
    heating = np.array([within[0], across[0], within[1], across[1]])
    count = np.array([within[2], across[2], within[3], across[3]])
    return Changes(heating, np.array([0.0, across[4], 0.0, across[5]]), count, float(across[6]))


def row_changes(std: float, tokens: int, correlation: float, distance: float) -> tuple[Array, Array]:
    """Changes of S_ik and R_ik under a causal mask by a^2 alone and by the covariance a^2 rho, (2, T, T) each.

    The sums are those of `shares.row_overlaps`, differentiated factor by factor.
    """
    one = rows.single(std, tokens, 2, rows.HIGHER)
    two = rows.double(std, correlation, distance, tokens, 2, _MASKED, rows.HIGHER)
    averages = *two.raised.values(), two.log
    second = two.alone, two.first, *two.higher[:2]
    count = np.arange(tokens)
    seen, less = _unseen()(
        count[:, None], two.alone, two.first, two.higher[0]
    )  # (tokens seen besides, places v)
    heating, coupling = np.zeros((2, tokens, tokens)), np.zeros((2, tokens, tokens))
    for i in range(2, tokens + 1):  # the first row sees one token at every temperature
        heating[:, i - 1, i - 1] = np.array(_within()(*one.raised, one.log, i)[:2]).sum(-1) * one.step
        if i == tokens:
            break
        found = np.array(_masked()(*averages, *second, i)).sum(1) * two.cell
        own, heated, coupled = found.reshape(3, 3, -1)  # of S, of R, and of R by one further token
        n, more, before = count[1 : tokens - i + 1], slice(1, tokens - i + 1), slice(0, tokens - i)
        for k in (0, 1):
            heating[k, i - 1, i:] = seen[more] @ heated[k] + less[more] @ own[k]
            coupling[k, i - 1, i:] = seen[more] @ coupled[k]
        heating[1, i - 1, i:] += n * (seen[before] @ heated[2] + less[before] @ own[2])
        coupling[1, i - 1, i:] += n * (seen[before] @ coupled[2])
        for each in (heating, coupling):
            each[:, i:, i - 1] = each[:, i - 1, i:]
    return heating, coupling


@functools.cache
def _unseen() -> Compiled:
    """What rows leave unseen, and how it changes with a^2."""
    t = theory
    formulas = (t.unseen(), t.masked_heating(t.unseen()))
    return compile(formulas, (t.FURTHER, t.LOG_SECOND, t.FIRST, t.M2_SECOND), name="unseen_changes")


@functools.cache
def _masked() -> Compiled:
    """Integrands over two rows and over one further token, and their changes with a^2 and with a^2 rho."""
    t = theory
    beside = t.outside_slope().subs(t.FURTHER, 1)
    each = (t.across_overlap(), t.across_slope(), beside)
    formulas = (*each, *map(t.masked_heating, each), *map(t.across_coupling, each))
    second = (t.LOG_SECOND, t.FIRST, t.M2_SECOND, t.M3_SECOND)
    symbols = (*(t.MASKED_PAIRS[at] for at in _MASKED), t.LOG, *second, t.TOKENS)
    return compile(formulas, symbols, name="masked_changes")


@functools.cache
def _within() -> Compiled:
    t = theory
    each = (t.within_overlap(), t.within_slope())
    formulas = (*(t.within_heating(one) for one in each), *(one.diff(t.TOKENS) for one in each))
    return compile(formulas, (t.M1, t.M2, t.M3, t.M4, t.LOG, t.TOKENS), name="within_changes")


@functools.cache
def _across() -> Compiled:
    t = theory
    each = (t.across_overlap(), t.across_slope())
    heating, coupling = ([change(one) for one in each] for change in (t.across_heating, t.across_coupling))
    formulas = (*heating, *(one.diff(t.TOKENS) for one in each), *coupling, t.across_slope())
    return compile(formulas, (*(t.PAIRS[at] for at in _PAIRS), t.LOG, t.TOKENS), name="across_changes")


@functools.cache
def _scales() -> Compiled:
    t = theory
    names = (t.LOGIT_STD, t.SHARED, t.HEATING, t.COUPLING)
    return compile((t.temperature_change(), t.correlation_change()), names, name="overlap_changes")


@functools.cache
def _gaps() -> Compiled:
    t = theory
    names = (t.LOGIT_STD, t.DISTANCE, t.SLOPES, t.MOVE, t.TOKEN_MOVE)
    return compile(t.gap_changes(), names, name="gap_changes")
