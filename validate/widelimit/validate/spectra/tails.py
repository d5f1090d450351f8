"""Power laws of the largest eigenvalues: exponent behind the start that fits best, its interval, how well it fits.

Above a start m the density is taken as x^-alpha; alpha = 1 + k/sum log(x/m) by maximum likelihood, and m is the
eigenvalue for which the distance of the two distribution functions is least (Clauset, Shalizi and Newman 2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_LEAST = 5  # eigenvalues in a tail
_DRAWS = 300
_SIGMA = 1.959963984540054  # 95 per cent


@by_value
@dataclass(frozen=True)
class PowerTail:
    """A tail x^-alpha above `start`.

    alpha, error, interval: exponent, its standard error (alpha - 1)/sqrt(count), and 95 per cent. count: eigenvalues in
    the tail. distance: of the distribution functions; p_value: the chance of one as large in a power law of
    independent numbers, which speaks against it where small. Eigenvalues repel, so that they lie closer to any law.
    """

    alpha: float
    error: float
    interval: tuple[float, float]
    start: float
    count: int
    distance: float
    p_value: float


def power_tail(eigenvalues: Any, *, start: Any = None, seed: int = 0) -> PowerTail:
    """Fit a power law to the tail of positive numbers.

    Args:
        eigenvalues: positive ones count.
        start: None for the eigenvalue behind which a power law fits best; else a number: the tail is of the
            eigenvalues from there on.
        seed: of the draws behind the p-value.

    Raises `ArgumentError` for fewer than five different numbers, or fewer than five from `start` on.

    >>> x = np.random.default_rng(0).pareto(1.5, 2000) + 1
    >>> found = power_tail(x)
    >>> found.interval[0] < 2.5 < found.interval[1], found.p_value > 0.01
    (True, True)
    >>> round(power_tail([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], start=2.0).alpha, 6)  # 1 + 5/(10 log 2)
    1.721348
    """
    values = arguments.vector("eigenvalues", eigenvalues)
    values = np.sort(values[values > 0])
    if np.unique(values).size < _LEAST:
        raise ArgumentError(
            "eigenvalues",
            f"must hold {_LEAST} or more positive numbers that differ",
            but=f"has {np.unique(values).size}",
        )
    starts = range(values.size - _LEAST + 1)
    if start is not None:
        number = arguments.positive_number("start", start)
        first = int(np.searchsorted(values, number))
        if np.unique(values[first:]).size < _LEAST:
            raise ArgumentError("start", f"must leave {_LEAST} or more eigenvalues that differ", start)
        starts = range(first, first + 1)
    logs = np.log(values)
    best: tuple[float, int, float] | None = None
    rest = np.cumsum(logs[::-1])[::-1]
    for first in starts:
        count = values.size - first
        total = float(rest[first] - count * logs[first])
        if not total > 1e-12:
            continue
        slope = count / total
        distance = float(_distance(slope * (logs[first:] - logs[first])))
        if best is None or distance < best[0]:
            best = distance, first, slope
    if best is None:
        raise ArgumentError("eigenvalues", "must differ by more than rounding", but="do not")
    distance, first, slope = best
    count = values.size - first
    random = np.random.default_rng(arguments.count("seed", seed, 0))
    size = min(count, 1000)
    # order statistics of exponential numbers, less the least: sums of independent gaps
    gaps = random.exponential(size=(_DRAWS, size - 1)) / np.arange(size - 1, 0, -1)
    drawn = np.concatenate([np.zeros((_DRAWS, 1)), np.cumsum(gaps, axis=1)], axis=1)
    drawn /= drawn.mean(1, keepdims=True)
    others = _distance(drawn) * np.sqrt(size / count)
    error = slope / np.sqrt(count)
    alpha = 1 + slope
    return PowerTail(
        float(alpha),
        float(error),
        (float(alpha - _SIGMA * error), float(alpha + _SIGMA * error)),
        float(values[first]),
        int(count),
        float(distance),
        float((1 + (others >= distance).sum()) / (1 + _DRAWS)),
    )


def _distance(exponential: Array) -> Array:
    """Largest distance between the distribution of sorted numbers (last axis) and the exponential one."""
    size = exponential.shape[-1]
    above = np.exp(-exponential)
    above += np.arange(1, size + 1) / size - 1
    return np.maximum(above.max(-1), 1 / size - above.min(-1))
