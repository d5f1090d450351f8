"""How many replicates: Stein's two-stage rule, and what it would have taken to decide.

The pilot's variance fixes the number T of replicates that resolves the margin; a second stage adds them.
Only variances are looked at in between, never a distance from the prediction, and the verdict's standard
error comes from what the second stage added (`limit`), so that levels hold exactly for normal
replicates (C. Stein, Ann. Math. Statist. 16, 1945; here with the second stage's own variance, which has
more degrees of freedom than the pilot's). For that the second stage is at least as large as the pilot; a
plan with ``most < 2 pilot`` has one stage of `most`, fixed in advance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from widelimit.validate.harness.statistics.limit import extrapolate, quantile

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
) -> np.ndarray:
    """Replicates per size with which every row of a point resolves its margin, at most `most`.

    ``pilot[j]`` has shape (replicates, ..., k) and `margin` (..., k); the answer has shape (...). With T
    replicates the standard error is se(T), and a true theory is found to agree at all `rows` rows of the run
    with probability 95 % where ``(t_level + t_{0.05 / (2 rows)}) se(T) <= margin``. The second stage is a
    multiple of `block`. `pooled`: shifts of the sizes are known, so that all sizes measure the limit.

    >>> quiet = 1e-6 * np.arange(8.0)[:, None]
    >>> int(replicates_for([quiet], np.array([0.1]), most=64, block=8))
    16
    """
    first = len(pilot[0])
    if not two_stage(first, most):
        return np.full(pilot[0].shape[1:-1], most)
    shifts = np.zeros((len(pilot), *pilot[0].shape[1:])) if pooled else None
    estimate = extrapolate(pilot, sizes, exponent, location=location, shifts=shifts)
    totals = np.unique(np.minimum(most, first + block * np.arange(-(-first // block), -(-most // block) + 1)))
    grid = totals.reshape((-1,) + (1,) * estimate.limit.ndim)
    error = estimate.standard_error * np.sqrt(first / grid)
    freedom = estimate.degrees_of_freedom * (grid - first) / (first - 1)
    reach = error * (quantile(level, freedom) + quantile(MISSED / (2 * rows), freedom))
    enough = (reach <= margin).all(-1)
    return np.where(enough.any(0), totals[np.argmax(enough, axis=0)], most)


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
