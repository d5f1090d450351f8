"""Integrals over one row and over two rows of softmax weights, on lattices.

The integrands of ``theory.attention`` are analytic in strips of half-width pi/2 about the real line, at every number of
tokens and every temperature: the trapezoidal rule of step h errs by exp(-pi^2/h). What a row sees of one token is an
average over a Gaussian of the same kind. Steps grow with the width of what has been averaged.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import attention as theory

Array = np.ndarray

HOTTEST = 1e-9  # logits below this standard deviation: weights are uniform to all digits
_REACH = 8.3  # standard deviations of a Gaussian that count
_LEFT = 26.0  # of the left tail, which falls as e^u
_TOP = 5.0  # t exp(-t) is nothing above t = e^5
_GONE = -60.0  # log of what a row leaves where integrands end
_NODES = ((0.05, 8), (0.18, 16), (math.inf, 24))  # Gauss-Hermite nodes up to a spread
_ROUNDING = 1e-11


class Rule(NamedTuple):
    """Step of the lattice, and the highest power of t that is averaged."""

    step: float
    power: int


PLAIN, HIGHER = Rule(0.3, 2), Rule(0.2, 4)  # for overlaps; for their derivatives
Powers = tuple[tuple[int, int], ...]
VALUES: Powers = ((1, 0), (0, 1), (1, 1))  # of two rows' averages psi_jk that overlaps are made of


class Single(NamedTuple):
    """Averages of one token, m_1, m_2 and further ones, and log m_0, at the places u; `step` of the lattice."""

    log: Array
    raised: tuple[Array, ...]
    step: float


class Double(NamedTuple):
    """Averages psi_jk of one token that two rows see, (places u, places v), log psi; `cell` of the lattice.

    `raised`: psi_jk by (j, k); `alone` and `first`: log m_0 and m_1 of the second row at the places v, `higher`: its
    m_2 and further ones.
    """

    log: Array
    raised: dict[tuple[int, int], Array]
    cell: float
    alone: Array
    first: Array
    higher: tuple[Array, ...]


def single(logit_std: float, most: int, least: int, rule: Rule = PLAIN) -> Single:
    """Tabulate one row that sees `least` to `most` tokens, with the averages of a rule."""
    step = rule.step / 2 if logit_std < 1 else rule.step
    table, log = _places(logit_std, most, least, step, rule)
    return Single(log, tuple(table[2:]), step)


def double(
    logit_std: float,
    correlation: float,
    distance: float,
    most: int,
    least: int,
    wanted: Powers = VALUES,
    rule: Rule = PLAIN,
) -> Double:
    """Tabulate two rows of logits with a correlation, 1 - `distance`; negative ones share a Gaussian of two signs.

    `wanted`: the powers (j, k) whose averages are asked for.
    """
    shared = logit_std * math.sqrt(abs(correlation))
    own = logit_std * math.sqrt(max(distance if correlation >= 0 else 1 + correlation, 0.0))
    sharp = 0.7 * math.log(most) + 2.8  # many tokens see the far tails of what is smooth
    step = rule.step * max(1, int(own / (sharp * rule.step)))
    table, log = _places(logit_std, most, least, step, rule)
    count, start, stride = log.size, _start(logit_std, most), 1
    if shared < 1.25 * rule.step:
        nodes, weights = _hermite(shared)
        views = _smoothed_at((start + step * np.arange(count))[:, None] + shared * nodes, own, rule)
    else:
        fine = step if shared >= 1.25 * step else rule.step  # resolves what rows share
        each = round(step / fine)
        low, high = _taps(shared, fine, start - _REACH * own, rule.power)
        low, high = (low, high) if correlation >= 0 else (max(low, high),) * 2
        weights = _gaussian(np.arange(-low, high + 1) * fine, fine, shared)
        lattice = _smoothed(start - low * fine, (count - 1) * each + 1 + low + high, fine, own, rule)
        views = sliding_window_view(lattice, low + high + 1, axis=1)[:, ::each]
        stride = max(1, int(shared / (sharp * step))) if correlation >= 0 else 1
    left = views[:, ::stride] * weights
    right = views if correlation >= 0 else views[:, :, ::-1]
    missed = (
        table[0, ::stride, None] + table[0] - left[0] @ right[0].T
    )  # 1 - psi, without a difference of ones
    log_psi = np.log1p(-np.minimum(missed, 1 - 1e-16))
    raised = {(j, k): left[1 + j] @ right[1 + k].T for j, k in wanted}
    return Double(log_psi, raised, step * step * stride, log, table[2], tuple(table[3:]))


def _start(logit_std: float, most: int) -> float:
    """Where the lattice begins: e^-26 left of where one token of many is seen."""
    bits, variance = math.log(most), logit_std**2
    hot = bits + variance / 2
    if variance < 2 * bits:
        return -_LEFT - hot
    return -_LEFT - min(hot, logit_std * math.sqrt(2 * (2 * bits + 28)))


@functools.lru_cache(maxsize=256)
def _places(logit_std: float, most: int, least: int, step: float, rule: Rule) -> tuple[Array, Array]:
    """Averages of one token (1 - m_0, m_0, m_1, ...), and log m_0, where integrands are."""
    start = _start(logit_std, most)
    count = int((9 * logit_std + 6 - start) / step) + 1
    table = _smoothed(start, count, step, logit_std, rule)
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.where(table[0] < 0.5, np.log1p(-np.minimum(table[0], 0.9)), np.log(table[1]))
    good = log * max(least - 1, 1) > _GONE
    return table[:, good], log[good]


def _smoothed(start: float, count: int, step: float, spread: float, rule: Rule) -> Array:
    """1 - m_0, m_0, m_1, ... on a lattice, averaged over a Gaussian of a standard deviation."""
    if spread < 1.25 * rule.step:
        return _smoothed_at(start + step * np.arange(count), spread, rule)
    fine = min(step, rule.step)
    low, high = _taps(spread, fine, start, rule.power)
    stride = round(step / fine)
    values = _tokens(start + fine * np.arange(-low, high + (count - 1) * stride + 1), rule.power)
    weights = _gaussian(np.arange(-low, high + 1) * fine, fine, spread)
    return sliding_window_view(values, low + high + 1, axis=1)[:, ::stride] @ weights


def _smoothed_at(places: Array, spread: float, rule: Rule) -> Array:
    """The same anywhere, by Gauss-Hermite nodes or, of wide Gaussians, by the trapezoidal rule."""
    if spread < 1.25 * rule.step:
        nodes, weights = _hermite(spread)
        return _tokens(places[..., None] + spread * nodes, rule.power) @ weights
    low, high = _taps(spread, rule.step, float(places.min()), rule.power)
    steps = np.arange(-low, high + 1) * rule.step
    return _tokens(places[..., None] + steps, rule.power) @ _gaussian(steps, rule.step, spread)


def _tokens(places: Array, power: int) -> Array:
    return np.array(_token(power)(np.minimum(places, 600.0)))


def _taps(spread: float, step: float, start: float, power: int) -> tuple[int, int]:
    """How many steps to the left and to the right a Gaussian reaches, tilted by t^power, up to where exp(-t) ends."""
    right = min(_REACH * spread + power * spread**2, max(_TOP - start, 1.0))
    return math.ceil(_REACH * spread / step), math.ceil(right / step)


def _gaussian(places: Array, step: float, spread: float) -> Array:
    return np.exp(-((places / spread) ** 2) / 2) * (step / (spread * math.sqrt(2 * math.pi)))


def _hermite(spread: float) -> tuple[Array, Array]:
    return _nodes(next(count for most, count in _NODES if spread < most))


@functools.cache
def _nodes(count: int) -> tuple[Array, Array]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return nodes, weights / weights.sum()


@functools.cache
def _token(power: int) -> Compiled:
    formulas = (theory.missed(), *(theory.kept().subs(theory.POWER, j) for j in range(power + 1)))
    return compile(formulas, (theory.PLACE,), name="token")


# --- sums over the lattice -------------------------------------------------------------------------------------------


def total(values: Array) -> float:
    """Return the sum of a lattice's values."""
    return float(values.sum())


def error(values: Array) -> float:
    """Return an estimate of the relative error of a sum: the square of what half of the places miss, and rounding."""
    whole = float(values.sum())
    if whole <= 0:
        return 0.0
    half = float(values[(slice(None, None, 2),) * values.ndim].sum()) * 2**values.ndim
    return (half / whole - 1) ** 2 + _ROUNDING
