"""The statistics tested by simulation: 2,000 whole runs with a true theory, and with one wrong by the resolution.

A run has claims with finite-size laws of their own, correlated rows, noise that falls with size, and two stages.
"""

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.api import WLS, add_constant

from widelimit.validate.harness.statistics import judge
from widelimit.validate.harness.statistics.limit import Estimate, extrapolate, quantile
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


def simulated(
    margin, pilot, most, points=2, rows=3, seed=0, location="mean", draw="standard_normal", pooled=False
):
    """Estimates of all rows of all runs, shape (RUNS, rows of a run); every limit is 1.

    `pooled`: the shift 2 N^-gamma of a size is known to the estimate.
    """
    rng = np.random.default_rng(seed)
    noise = getattr(rng, draw)
    family = points * rows * len(CLAIMS)
    columns = []
    for sizes, gamma, kappa in CLAIMS:
        for _ in range(points):

            def drawn(counts, kappa=kappa, sizes=sizes, gamma=gamma):
                out = []
                for size, many in zip(sizes, counts, strict=True):
                    shared, own = noise((many, RUNS, 1)), noise((many, RUNS, rows))
                    spread = 0.05 * (size / sizes[0]) ** (-kappa / 2)
                    out.append(1 + 2 * size**-gamma + spread * (0.7 * shared + 0.7 * own))
                return out

            pilots = drawn([pilot] * len(sizes))
            margins = np.full((RUNS, rows), margin)
            totals = replicates_for(
                pilots,
                margins,
                sizes,
                gamma,
                most=most,
                level=LEVEL,
                rows=family,
                block=8,
                location=location,
                pooled=pooled,
            )
            shifts = 2 * np.array(sizes, dtype=float)[:, None, None] ** -gamma if pooled else None
            more = drawn(totals.max(1) - pilot)
            samples = [np.concatenate(both) for both in zip(pilots, more, strict=True)]
            column = {name: np.empty((RUNS, rows)) for name in FIELDS}
            for total in np.unique(totals, axis=1).T:
                which = (totals == total[:, None]).all(0)
                first = pilot if two_stage(pilot, most) else None
                part = [one[:count, which] for one, count in zip(samples, total, strict=True)]
                estimate = extrapolate(part, sizes, gamma, pilot=first, location=location, shifts=shifts)
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
    ("margin", "pilot", "most", "pooled"),
    [
        pytest.param(0.1, 8, 32, False, id="margin resolved"),
        pytest.param(0.04, 8, 64, False, id="margin at the edge"),
        pytest.param(1e-6, 8, 32, False, id="no margin, so that the level itself is put to use"),
        pytest.param(1e-6, 4, 4, False, id="one stage of four"),
        pytest.param(0.04, 8, 32, True, id="margin resolved by pooling"),
        pytest.param(1e-6, 8, 24, True, id="pooled, no margin"),
    ],
)
def test_levels_and_resolution(margin, pilot, most, pooled):
    estimate = simulated(margin, pilot, most, pooled=pooled)
    predicted = np.ones_like(estimate.limit)
    margins = np.full_like(predicted, margin)
    true = judge(estimate, predicted, margins, LEVEL)
    alarms = true.disagrees.any(-1).sum()
    assert at_most(alarms, LEVEL)
    assert at_most(true.different.any(-1).sum(), LEVEL)  # and those of `differs` and `disagrees` together
    if margin < 1e-3 and most > 4:
        assert alarms > 0.02 * RUNS  # the test above is not passed by a test that never rejects
    if margin == 0.1 or (pooled and margin > 1e-3):
        assert true.equivalent.all(-1).mean() > 0.9  # and the replicates were enough to say so

    covered = (np.abs(estimate.limit - 1) <= _half(estimate, LEVEL)).mean()
    flagged = (estimate.lack_of_fit < LEVEL).mean()
    assert covered > 1 - LEVEL - 0.01  # each interval covers the truth as often as it says
    assert flagged < LEVEL + 0.01  # and the law, which is true, is rejected no oftener
    if most > 4:  # one stage counts fewer degrees of freedom than it has
        assert max(covered, 1 - flagged) < 1 - LEVEL + 0.01

    for sign in (1, -1):  # wrong at a single row, by the resolution stated for that row
        wrong = predicted.copy()
        wrong[:, 0] += sign * true.resolution[:, 0]
        missed = RUNS - judge(estimate, wrong, margins, LEVEL).disagrees[:, 0].sum()
        assert at_most(missed, 0.05)
    everywhere = predicted + true.resolution.min(-1, keepdims=True)  # wrong at all, by the sharpest row's
    missed = RUNS - judge(estimate, everywhere, margins, LEVEL).disagrees.any(-1).sum()
    assert at_most(missed, 0.05)


def _half(estimate, level):
    return quantile(level / 2, estimate.degrees_of_freedom) * estimate.standard_error


def test_pooling_is_what_known_shifts_buy():
    """Where the slope must be fitted as well, the same replicates leave a variance that is several times larger."""
    errors = [simulated(1e-6, 16, 24, pooled=pooled).standard_error for pooled in (False, True)]
    spent = [(one.reshape(RUNS, 2, -1) ** 2).mean((0, 2)) for one in errors]
    for index, (sizes, gamma, kappa) in enumerate(CLAIMS):
        n = np.array(sizes, dtype=float)
        slope = WLS(
            n**0, add_constant(n**-gamma), weights=n
        ).fit()  # replicates vary as 1/N, if nothing is known
        limit = slope.model.pinv_wexog[0] * n**0.5
        noise = n**-kappa
        expected = (limit**2 * noise).sum() / ((n / n.sum()) ** 2 * noise).sum()
        assert spent[0][index] / spent[1][index] == pytest.approx(expected, rel=0.1)
        assert 3 < expected < 20


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
    (totals,) = replicates_for([samples[:4]], np.full((20_000, 1), 1.0), most=64, block=4)
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
