"""What the changes of a layer stand for by numbers: differences of softmax and of roots, and sums over two tokens."""

from __future__ import annotations

from typing import Any

import mpmath

from widelimit.theory.attention import checks
from widelimit.theory.attention import layer_gradients as lg
from widelimit.theory.attention import maps as m
from widelimit.theory.calculus.precision import Values, numbers


def weight(values: Values, dps: int) -> Any:
    """The derivative of the first of two softmax weights; the other's logit changes as the mean asks for."""
    share, move, mean = numbers(values, dps, lg.WEIGHT, lg.LOGIT_MOVE, lg.MEAN_MOVE)
    other = (mean - share * move) / (1 - share)

    def first(step: Any) -> Any:
        one, two = share * mpmath.exp(step * move), (1 - share) * mpmath.exp(step * other)
        return one / (one + two)

    return mpmath.diff(first, 0)


def root(values: Values, dps: int) -> Any:
    """The derivative of the root of a matrix of two eigenvalues beside its diagonal."""
    turned, one, two = numbers(values, dps, lg.TURNED, lg.ROOT_A, lg.ROOT_B)

    def beside(step: Any) -> Any:  # sqrt(M) = (M + sqrt(det M)) / sqrt(tr M + 2 sqrt(det M))
        determinant = mpmath.sqrt(one**2 * two**2 - (step * turned) ** 2)
        return step * turned / mpmath.sqrt(one**2 + two**2 + 2 * determinant)

    return mpmath.diff(beside, 0)


def logistic_slope(values: Values, dps: int, order: int) -> Any:
    """A derivative of the logistic function where it is s."""
    (share,) = numbers(values, dps, lg.SHARE)
    at = mpmath.log(share / (1 - share))
    return mpmath.diff(checks.logistic, at, order) if order else checks.logistic(at)


def two_token_sum(values: Values, dps: int) -> Any:
    """The sum over a law of two rows whose first weights are 0 or 1."""
    entry, second, spread = numbers(values, dps, m.ENTRY, lg.SECOND, m.SPREAD)
    one, two, both = numbers(values, dps, lg.MEAN_I, lg.MEAN_K, m.BOTH)
    law = {(1, 1): both, (1, 0): one - both, (0, 1): two - both, (0, 0): 1 - one - two + both}
    gram = [[spread + 2 * entry - second, entry], [entry, second]]
    return mpmath.fsum(chance * checks.mixed((s, 1 - s), gram, (r, 1 - r)) for (s, r), chance in law.items())


def two_token_paths(values: Values, dps: int) -> Any:
    """tr J_i C J_k Y of two rows of two weights, one of which makes U what it is."""
    slopes, spread, other = numbers(values, dps, lg.BOTH_SLOPES, m.SPREAD, lg.SPREAD_OTHER)
    first = mpmath.mpf(1) / 3
    second = (1 - mpmath.sqrt(1 - 4 * slopes / (first * (1 - first)))) / 2
    left, right = (checks.slope((s, 1 - s)) for s in (first, second))
    gram, upstream = ([[d / 3 + 1, mpmath.mpf(1)], [mpmath.mpf(1), 2 * d / 3 + 1]] for d in (spread, other))
    size = range(2)
    return mpmath.fsum(
        left[h][j] * gram[j][k] * right[k][n] * upstream[n][h]
        for h in size for j in size for k in size for n in size
    )  # fmt: skip


def output_change(values: Values, dps: int) -> Any:
    """The derivative of sigma_vo^2 times what makes it K."""
    vo, entry = numbers(values, dps, m.SIGMA_VO, m.COVARIANCE)
    return mpmath.diff(lambda s: s**2 * (entry / vo**2), vo)
