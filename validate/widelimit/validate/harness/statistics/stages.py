"""How many replicates: Stein's two-stage rule, and what it would have taken to decide.

The pilot's variance fixes the number T of replicates that resolves the margin; a second stage adds them.
Only variances are looked at in between, never a distance from the prediction, and the verdict's standard
error comes from what the second stage added (`limit`), so that levels hold exactly for normal
replicates (C. Stein, Ann. Math. Statist. 16, 1945; here with the second stage's own variance, which has
more degrees of freedom than the pilot's). For that the second stage is at least as large as the pilot; a
plan with ``most < 2 pilot`` has one stage of `most`, fixed in advance.

Sizes get replicates by what they cost and what they are worth: T_j falls as N_j^-a, with the a, of a few, with which
the limit's variance costs least. A replicate of size N is taken to cost N^cost. No clock is read: a run that was
interrupted goes on with the same numbers, and one that is repeated has them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from widelimit.validate.harness.statistics.limit import combine, fitted, locate, quantile

# What a replicate costs, as a power of size: between the 0.3 of small networks, where calls dominate, and the 3 of
# eigenvalues; measured at all claims of the quick preset, the median is 1.4.
COST = 1.5
# of T_j with size; steeper ones would leave the limit to the smallest size
_FALLS = (0.0, 0.5, 1.0, 1.5, 2.0)
_GAIN = 0.97  # of the price; a steeper fall that gains less is not worth it

MISSED = 0.05  # probability, over the whole run, that some row of a true theory is not found to agree


def two_stage(pilot: int, most: int) -> bool:
    """Whether a plan leaves the number of replicates to its pilot."""
    return pilot >= 2 and most >= 2 * pilot


def replicates_for(
    pilot: Sequence[np.ndarray],
    margin: np.ndarray,
    sizes: Sequence[int] = (),
    exponent: float = 1.0,
    *,
    most: int,
    level: float = 0.05,
    rows: int = 1,
    block: int = 1,
    location: Literal["mean", "median"] = "mean",
    pooled: bool = False,
    cost: float = COST,
) -> np.ndarray:
    """Replicates of each size with which every row of a point resolves its margin.

    ``pilot[j]`` has shape (replicates, ..., k) and `margin` (..., k); the answer has shape (sizes, ...). With T
    replicates the standard error is se(T), and a true theory is found to agree at all `rows` rows of the run
    with probability 95 % where ``(t_level + t_{0.05 / (2 rows)}) se(T) <= margin``. All sizes together cost no more
    than `most` replicates of each would, or twice the pilot where that is more. The second stage of the largest size is
    a multiple of `block`. `pooled`: shifts of the sizes are known, so that all sizes measure the limit.

    >>> quiet = 1e-6 * np.arange(8.0)[:, None]
    >>> replicates_for([quiet], np.array([0.1]), most=64, block=8).tolist()
    [16]
    >>> noisy = [np.random.default_rng(0).standard_normal((8, 1)) for size in (50, 100, 200)]
    >>> replicates_for(noisy, np.array([0.1]), (50, 100, 200), most=64, block=8).tolist()
    [64, 64, 64]
    """
    first = len(pilot[0])
    many, runs = len(pilot), pilot[0].shape[1:-1]
    if not two_stage(first, most):
        return np.full((many, *runs), most)
    spent, totals = np.full(runs, np.inf), np.zeros((many, *runs), dtype=int)
    ratio = np.max(sizes) / np.asarray(sizes, dtype=float) if many > 1 else np.ones(1)
    price = ratio**-cost
    for fall in _FALLS if many > 1 else (0.0,):
        share = ratio**fall
        error, freedom = _at(pilot, sizes, exponent, location, pooled, share)
        highest = max(2 * first, int(most * price.sum() / (price * share).sum()))
        steps = block * np.arange(-(-first // block), -(-highest // block) + 1)
        largest = np.unique(np.minimum(highest, first + steps))  # replicates of the largest size
        grid = largest.reshape((-1,) + (1,) * error.ndim)
        known = freedom * (grid - first)
        reach = error / np.sqrt(grid) * (quantile(level, known) + quantile(MISSED / (2 * rows), known))
        worst = (reach / margin).max(-1)
        which = np.where((worst <= 1).any(0), np.argmax(worst <= 1, axis=0), len(largest) - 1)
        # where all that may be spent is too little, as much as would be enough
        short = np.maximum(np.take_along_axis(worst, which[None], 0)[0], 1.0) ** 2
        here = largest[which] * (price * share).sum() * short
        counts = np.ceil(largest[which] * share.reshape((-1,) + (1,) * len(runs))).astype(int)
        better = here < _GAIN * spent
        spent, totals = np.where(better, here, spent), np.where(better, counts, totals)
    return totals


def _at(
    pilot: Sequence[np.ndarray],
    sizes: Sequence[int],
    exponent: float,
    location: Literal["mean", "median"],
    pooled: bool,
    share: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The limit's standard error and degrees of freedom, for one replicate of the largest size, `share` of others."""
    first, column = len(pilot[0]), (-1,) + (1,) * (pilot[0].ndim - 1)
    located = [locate(np.asarray(one, dtype=float), None, location) for one in pilot]
    means, variances, freedom = (np.stack(part) for part in zip(*located, strict=True))
    counts = share.reshape(column)
    variances, freedom = variances * first / counts, freedom / (first - 1) * counts
    if len(pilot) == 1:
        return np.sqrt(variances[0]), freedom[0]
    fit = fitted(pilot, sizes, exponent, first, pooled=pooled, counts=counts)
    _, error, known = combine(fit.for_limit, means, variances, freedom, fit.laws)
    return error, known


def replicates_to_decide(
    replicates: np.ndarray,
    error: np.ndarray,
    freedom: np.ndarray,
    gap_agree: np.ndarray,
    level_agree: np.ndarray,
    gap_differ: np.ndarray,
    level_differ: np.ndarray,
) -> np.ndarray:
    """Replicates per size at which the present estimate, with a smaller error, would be decided; NaN where
    none would.

    Agreement needs an interval narrower than `gap_agree` (distance to the margin's edge), difference one
    narrower than `gap_differ` (distance to the prediction); whichever comes first. Levels are those of one tail.
    """

    def solve(gap: np.ndarray, level: np.ndarray) -> np.ndarray:
        wide = gap > 1e-6 * error  # below that it would take 10^12 times as many
        safe = np.where(wide, gap, 1.0)
        factor = np.ones_like(error)
        for _ in range(30):
            factor = np.maximum(1.0, (quantile(level, freedom * factor) * error / safe) ** 2)
        return np.where(wide & (error > 0), np.ceil(replicates * factor), np.inf)

    needed = np.minimum(solve(gap_agree, level_agree), solve(gap_differ, level_differ))
    return np.where(np.isfinite(needed), needed, np.nan)
