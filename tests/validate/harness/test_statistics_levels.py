"""The statistics tested by simulation: 2,000 whole runs with a true theory, and with one wrong by the resolution.

A run has claims with finite-size laws of their own, correlated rows, noise that falls with size, and two stages.
"""

import numpy as np
import pytest
from scipy.stats import binomtest

from widelimit.validate.harness.statistics import judge
from widelimit.validate.harness.statistics.limit import Estimate, extrapolate
from widelimit.validate.harness.statistics.stages import replicates_for, two_stage

RUNS = 2000
LEVEL = 0.05
FIELDS = (
    "limit",
    "standard_error",
    "degrees_of_freedom",
    "slope",
    "slope_error",
    "lack_of_fit",
    "shift",
    "replicates",
)
CLAIMS = (((50, 100, 200), 1.0, 1), ((64, 128, 256, 512), 0.5, 0))  # sizes, exponent, fall of the variance


def simulated(margin, pilot, most, points=2, rows=3, seed=0, location="mean", draw="standard_normal"):
    """Estimates of all rows of all runs, shape (RUNS, rows of a run); every limit is 1."""
    rng = np.random.default_rng(seed)
    noise = getattr(rng, draw)
    family = points * rows * len(CLAIMS)
    columns = []
    for sizes, gamma, kappa in CLAIMS:
        for _ in range(points):
            samples = []
            for size in sizes:
                shared, own = noise((most, RUNS, 1)), noise((most, RUNS, rows))
                spread = 0.05 * (size / sizes[0]) ** (-kappa / 2)
                samples.append(1 + 2 * size**-gamma + spread * (0.7 * shared + 0.7 * own))
            pilots = [one[:pilot] for one in samples]
            margins = np.full((RUNS, rows), margin)
            totals = replicates_for(
                pilots, margins, sizes, gamma, most=most, level=LEVEL, rows=family, block=8, location=location
            )
            column = {name: np.empty((RUNS, rows)) for name in FIELDS}
            for total in np.unique(totals):
                which = totals == total
                first = pilot if two_stage(pilot, most) else None
                part = [one[:total, which] for one in samples]
                estimate = extrapolate(part, sizes, gamma, pilot=first, location=location)
                for name in FIELDS:
                    column[name][which] = getattr(estimate, name)
            columns.append(column)
    joined = {name: np.concatenate([one[name] for one in columns], axis=-1) for name in FIELDS}
    none = np.empty((0, RUNS, family))
    return Estimate(**joined, means=none, errors=none)


def at_most(count, share):
    """Whether `count` of RUNS is compatible with a probability of at most `share` (one-sided, 1 %)."""
    return binomtest(int(count), RUNS, share, alternative="greater").pvalue > 0.01


@pytest.mark.parametrize(
    ("margin", "pilot", "most"),
    [
        pytest.param(0.1, 8, 32, id="margin resolved"),
        pytest.param(0.04, 8, 64, id="margin at the edge"),
        pytest.param(1e-6, 8, 32, id="no margin, so that the level itself is put to use"),
        pytest.param(1e-6, 4, 4, id="one stage of four"),
    ],
)
def test_levels_and_resolution(margin, pilot, most):
    estimate = simulated(margin, pilot, most)
    predicted = np.ones_like(estimate.limit)
    margins = np.full_like(predicted, margin)
    true = judge(estimate, predicted, margins, LEVEL)
    alarms = true.disagrees.any(-1).sum()
    assert at_most(alarms, LEVEL)
    assert at_most(true.different.any(-1).sum(), LEVEL)  # and those of `differs` and `disagrees` together
    if margin < 1e-3 and most > 4:
        assert alarms > 0.02 * RUNS  # the test above is not passed by a test that never rejects
    if margin == 0.1:
        assert true.equivalent.all(-1).mean() > 0.9  # and the replicates were enough to say so

    for sign in (1, -1):  # wrong at a single row, by the resolution stated for that row
        wrong = predicted.copy()
        wrong[:, 0] += sign * true.resolution[:, 0]
        missed = RUNS - judge(estimate, wrong, margins, LEVEL).disagrees[:, 0].sum()
        assert at_most(missed, 0.05)
    everywhere = predicted + true.resolution.min(-1, keepdims=True)  # wrong at all, by the sharpest row's
    missed = RUNS - judge(estimate, everywhere, margins, LEVEL).disagrees.any(-1).sum()
    assert at_most(missed, 0.05)


@pytest.mark.parametrize("draw", ["standard_normal", "standard_cauchy"])
def test_levels_of_medians(draw):
    estimate = simulated(1e-6, 8, 32, points=1, rows=2, location="median", draw=draw)
    predicted = np.ones_like(estimate.limit)
    true = judge(estimate, predicted, np.full_like(predicted, 1e-6), LEVEL)
    assert at_most(true.disagrees.any(-1).sum(), LEVEL)
    wrong = predicted + np.eye(predicted.shape[1])[0] * true.resolution
    missed = RUNS - judge(estimate, wrong, np.full_like(predicted, 1e-6), LEVEL).disagrees[:, 0].sum()
    assert at_most(missed, 0.05)


def test_reading_the_error_off_all_replicates_would_inflate():
    """What the second stage's own variance is for: one row, a pilot of four that decides how many follow."""
    rng = np.random.default_rng(1)
    samples = rng.standard_normal((64, 20_000, 1))
    totals = replicates_for([samples[:4]], np.full((20_000, 1), 1.0), most=64, block=4)
    alarms = {"ours": 0, "naive": 0}
    for total in np.unique(totals):
        part = [samples[:total, totals == total]]
        zero = np.zeros((part[0].shape[1], 1))
        for name, pilot in (("ours", 4), ("naive", None)):
            found = judge(extrapolate(part, pilot=pilot), zero, zero + 1e-9, LEVEL)
            alarms[name] += found.disagrees.sum()
    assert binomtest(int(alarms["ours"]), 20_000, LEVEL).pvalue > 0.01  # exact, not merely bounded
    assert alarms["naive"] > 1.1 * LEVEL * 20_000


def test_share_of_false_agreements():
    """A theory that is wrong by the margin itself is said to agree at the level, no more."""
    rng = np.random.default_rng(2)
    shape = (RUNS, 1)
    data = rng.standard_normal((16, *shape)) * 0.1 + 1.1
    found = judge(extrapolate([data]), np.ones(shape), np.full(shape, 0.1), LEVEL)
    assert binomtest(int(found.equivalent.sum()), RUNS, LEVEL).pvalue > 0.01
