"""Sweeps over synthetic pages: false alarms of every kind stay at the level, and what is there is found.

A page has claims with finite-size laws of their own, one-sided claims, correlated rows and two stages.
"""

from __future__ import annotations

import numpy as np
import pytest
from tests.validate.harness.test_statistics_levels import RUNS, at_most, simulated

from widelimit.validate.harness.outcome import Fit
from widelimit.validate.harness.statistics import judge, residuals
from widelimit.validate.harness.statistics.limit import extrapolate

LEVEL = 0.05


@pytest.mark.slow
@pytest.mark.parametrize("margin", [0.1, 0.04, 1e-6])
@pytest.mark.parametrize("sides", [(0,), (0, 1, -1), (1,)], ids=["equal", "mixed", "at least"])
def test_false_alarms_of_every_kind(margin, sides):
    """Where every theory is true, `differs` and `disagrees` together are at most as probable as the level."""
    estimate = simulated(margin, 8, 32, seed=len(sides))
    side = np.resize(sides, estimate.limit.shape[-1])
    true = np.ones_like(estimate.limit)
    found = judge(estimate, true, np.full_like(true, margin), LEVEL, side)
    for alarms in (found.disagrees, found.differs, found.different):
        assert at_most(alarms.any(-1).sum(), LEVEL)
    if margin in (0.1, 1e-6):  # the test above is not passed by a test that never rejects
        kind = found.differs if margin == 0.1 else found.disagrees
        assert kind.any(-1).sum() > 0.02 * RUNS


@pytest.mark.slow
@pytest.mark.parametrize("side", [0, 1])
def test_shares_of_false_findings_on_pages_that_are_half_wrong(side):
    """Of the rows found to differ, and of those found to agree within the margin, at most the level are not so."""
    margin, off = 0.04, 0.06
    estimate = simulated(margin, 8, 64, seed=7)
    rows = estimate.limit.shape[-1]
    wrong = np.arange(rows) % 2 == 1
    predicted = np.ones_like(estimate.limit) + off * wrong
    found = judge(estimate, predicted, np.full_like(predicted, margin), LEVEL, side)
    for said, false in ((found.different, ~wrong), (found.equivalent, wrong)):
        shares = (said & false).sum(-1) / np.maximum(said.sum(-1), 1)
        assert shares.mean() <= LEVEL + 3 * shares.std() / RUNS**0.5
    assert found.disagrees[:, wrong].mean() > 0.5 and found.agrees[:, ~wrong].mean() > 0.5


@pytest.mark.slow
def test_a_small_deviation_differs_and_does_not_disagree():
    estimate = simulated(0.1, 8, 64, seed=3)
    predicted = np.full_like(estimate.limit, 1.03)
    found = judge(estimate, predicted, np.full_like(predicted, 0.1), LEVEL)
    assert found.differs.any(-1).mean() > 0.9
    assert at_most(found.disagrees.any(-1).sum(), LEVEL)


def fits(runs, rows, replicates, strength, sizes=(), seed=0, curve=0.0, off=0.0, location="mean"):
    """The sums of squares of single-point claims whose rows share networks, by `strength`: residuals and law."""
    rng = np.random.default_rng(seed)
    out: list[list[Fit]] = [[], []]
    for _ in range(runs):
        samples = []
        for size in sizes or (1,):
            shared, own = rng.standard_normal((replicates, 1)), rng.standard_normal((replicates, rows))
            noise = strength * shared + (1 - strength**2) ** 0.5 * own
            samples.append(1 + off + 3 / size + curve / size**2 + noise / size**0.5)
        if not sizes:
            samples = [samples[0] - 3]
        found = extrapolate(samples, sizes, location=location)
        same = {"freedom": found.degrees_of_freedom, "location": location}
        z = residuals.normal((found.limit - 1) / found.standard_error, found.degrees_of_freedom)
        out[0].append(residuals.sum_of_squares(z, residuals.overlap(samples, sizes, **same)))
        if sizes:
            overlap = residuals.overlap(samples, sizes, curve=True, **same)
            out[1].append(residuals.sum_of_squares(residuals.of_p(found.lack_of_fit), overlap))
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "replicates", "sizes", "strength"),
    [
        (3, 12, (20, 40, 80), 0.0),
        (12, 8, (), 0.0),
        (12, 8, (), 0.95),
        (20, 32, (20, 40, 80), 0.6),
        (20, 32, (20, 40, 80), 0.95),
    ],
)
def test_false_alarms_of_sums_of_squares(rows, replicates, sizes, strength):
    """Rows in any number, also more than replicates, and however correlated."""
    for found in fits(RUNS, rows, replicates, strength, sizes, seed=rows):
        alarms = sum(one.p_value <= LEVEL for one in found)
        if found:
            assert at_most(alarms, 1.2 * LEVEL)  # a two-moment approximation to the tail
            assert np.mean([one.chi2 for one in found]) == pytest.approx(1, abs=0.1)


@pytest.mark.slow
def test_false_alarms_of_sums_of_squares_of_medians():
    found, _ = fits(RUNS, 4, 24, 0.7, seed=5, location="median")
    assert at_most(sum(one.p_value <= LEVEL for one in found), 1.2 * LEVEL)
