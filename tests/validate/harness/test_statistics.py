"""Extrapolation, tests and levels against statsmodels and SciPy; wholesale behaviour is in test_statistics_levels."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.api import WLS, add_constant
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.statistics import judge, rejects
from widelimit.validate.harness.statistics.limit import Estimate, extrapolate, median_variance
from widelimit.validate.harness.statistics.stages import replicates_for, two_stage

SIZES = (100, 200, 400, 800)


def standardised(rng, count, rows):
    """Numbers with mean 0 and sample variance 1 exactly."""
    z = rng.standard_normal((count, rows))
    return (z - z.mean(0)) / z.std(0, ddof=1)


def estimates(limit, error, freedom=20.0, lack=1.0, shift=0.0, replicates=16):
    limit = np.atleast_1d(np.asarray(limit, float))

    def full(value):
        return np.broadcast_to(np.asarray(value, float), limit.shape).copy()

    none = np.empty((0, *limit.shape))
    return Estimate(
        limit,
        full(error),
        full(freedom),
        full(0),
        full(0),
        full(lack),
        full(shift),
        full(replicates),
        none,
        none,
    )


@pytest.mark.parametrize("kappa", [0, 1, 2])
@pytest.mark.parametrize("gamma", [0.5, 1.0])
def test_weighted_least_squares_against_statsmodels(kappa, gamma):
    rng = np.random.default_rng(kappa)
    variances = [4.0 * (n / 100) ** -kappa for n in SIZES]
    samples = [
        3 + 5 * n**-gamma + 0.01 * rng.standard_normal() + np.sqrt(v) * standardised(rng, 12, 1)
        for n, v in zip(SIZES, variances, strict=True)
    ]
    ours = extrapolate(samples, SIZES, gamma, pilot=12)
    means = np.array([one.mean() for one in samples])
    design = add_constant(np.array(SIZES, float) ** -gamma)
    theirs = WLS(means, design, weights=12 / np.array(variances)).fit()
    errors = np.sqrt(np.diag(theirs.normalized_cov_params))  # the variances are known here, not fitted
    # rtol: double precision through two differently ordered least squares
    np.testing.assert_allclose([ours.limit[0], ours.slope[0]], theirs.params, rtol=1e-9)
    np.testing.assert_allclose([ours.standard_error[0], ours.slope_error[0]], errors, rtol=1e-9)


def test_satterthwaite_against_welch():
    # with N = 1, 2 and gamma = 1 the limit is 2 y_2 - y_1, a difference of two means as in Welch's test
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 3, (10, 1)), rng.normal(0, 1, (10, 1))
    ours = extrapolate([first, second], (1, 2), 1.0, pilot=10)
    welch = stats.ttest_ind(2 * second[:, 0], first[:, 0], equal_var=False)
    assert ours.limit[0] / ours.standard_error[0] == pytest.approx(welch.statistic, rel=1e-12)
    assert ours.degrees_of_freedom[0] <= welch.df * (1 + 1e-12)
    assert ours.degrees_of_freedom[0] >= 9


def test_second_stage_gives_the_variance():
    rng = np.random.default_rng(1)
    samples = rng.standard_normal((20, 3))
    samples[:8] *= 1e-3  # a pilot that was quiet by chance must not make the error small
    ours = extrapolate([samples], pilot=8)
    total = ((samples - samples.mean(0)) ** 2).sum(0) - ((samples[:8] - samples[:8].mean(0)) ** 2).sum(0)
    np.testing.assert_allclose(ours.standard_error, np.sqrt(total / 12 / 20), rtol=1e-12)
    np.testing.assert_array_equal(ours.degrees_of_freedom, 12)
    fixed = extrapolate([samples])
    np.testing.assert_allclose(fixed.standard_error, stats.sem(samples), rtol=1e-12)


def test_tests_at_one_row_against_statsmodels():
    rng = np.random.default_rng(2)
    data = rng.normal(1.03, 0.2, 15)
    ours = judge(extrapolate([data[:, None]]), np.ones(1), np.array([0.15]))
    theirs = DescrStatsW(data)
    assert ours.p_difference[0] == pytest.approx(theirs.ttest_mean(1.0)[1], rel=1e-9)
    assert ours.p_equivalence[0] == pytest.approx(theirs.ttost_mean(0.85, 1.15)[0], rel=1e-9)
    assert ours.verdict(0) == "agrees"
    assert (ours.low[0], ours.high[0]) == pytest.approx(theirs.tconfint_mean(alpha=0.05), rel=1e-9)
    # within: the largest distance of Schuirmann's interval, of 90 % for two one-sided tests of 5 %
    ends = np.array(theirs.tconfint_mean(alpha=0.1))
    assert ours.within[0] == pytest.approx(np.abs(ends - 1).max(), rel=1e-9)


@pytest.mark.parametrize(("side", "alternative"), [(1, "smaller"), (-1, "larger")])
def test_one_sided_tests_at_one_row_against_statsmodels(side, alternative):
    """At least (at most) 1, with a margin of 0.15: a one-sided t-test of 1, and one of non-inferiority."""
    rng = np.random.default_rng(2)
    data = rng.normal(1 - 0.1 * side, 0.2, 15)
    theirs = DescrStatsW(data)
    ours = judge(extrapolate([data[:, None]]), np.ones(1), np.array([0.15]), side=side)
    assert ours.p_difference[0] == pytest.approx(theirs.ttest_mean(1.0, alternative)[1], rel=1e-9)
    other = {"smaller": "larger", "larger": "smaller"}[alternative]
    assert ours.p_equivalence[0] == pytest.approx(theirs.ttest_mean(1 - 0.15 * side, other)[1], rel=1e-9)
    bound = theirs.tconfint_mean(alpha=0.05, alternative=alternative if ours.different[0] else other)
    assert sorted([ours.low[0], ours.high[0]]) == pytest.approx(sorted(bound), rel=1e-9)
    worst = theirs.tconfint_mean(alpha=0.05, alternative=other)[0 if side == 1 else 1]
    assert ours.within[0] == pytest.approx(side * (1 - worst), rel=1e-9)


def test_what_lies_beyond_on_the_right_side_is_no_deviation():
    far = estimates([30.0, 12.0, 9.9, 5.0], 0.05)
    ten, margin = np.full(4, 10.0), np.full(4, 1.0)
    assert [judge(far, ten, margin, side=1).verdict(row) for row in range(4)] == [
        "agrees",
        "agrees",
        "agrees",
        "disagrees",
    ]
    at_least, at_most = judge(far, ten, margin, side=1), judge(far, ten, margin, side=-1)
    assert (at_least.within[:2] == 0).all() and 0.1 < at_least.within[2] < 0.3 and at_least.within[3] > 5
    assert [at_most.verdict(row) for row in range(4)] == ["disagrees", "disagrees", "agrees", "agrees"]
    # one end: "at least this" for what holds, "at most this" where the bound is excluded
    assert np.isinf(at_least.high[:3]).all() and np.isfinite(at_least.low[:3]).all()
    assert np.isneginf(at_least.low[3]) and at_least.high[3] < 10
    equal = judge(far, ten, margin)
    assert [equal.verdict(row) for row in range(4)] == ["disagrees", "disagrees", "agrees", "disagrees"]
    assert judge(estimates(9.5, 0.05), ten[:1], margin[:1], side=1).verdict(0) == "differs"
    exact = judge(estimates([10.0, 8.0], 0.0), ten[:2], margin[:2], side=1)
    assert [exact.verdict(row) for row in (0, 1)] == ["agrees", "disagrees"]


def test_step_up_against_statsmodels():
    rng = np.random.default_rng(3)
    differences = np.concatenate([rng.normal(0, 1, 40), rng.normal(4, 1, 10)])
    margin = np.full(50, 3.0)
    ours = judge(estimates(differences, 1.0), np.zeros(50), margin)
    equivalence = multipletests(ours.p_equivalence, 0.05, method="fdr_bh")[0]
    difference = multipletests(ours.p_difference, 0.05, method="fdr_bh")[0]
    assert difference.any()
    np.testing.assert_array_equal(ours.agrees, equivalence & ~difference)
    np.testing.assert_array_equal(ours.differs, equivalence & difference)
    np.testing.assert_array_equal(ours.disagrees, difference & ~equivalence)


@pytest.mark.parametrize("side", [0, 1, -1])
def test_interval_and_within_are_the_verdict(side):
    """The prediction lies outside the interval, and the margin below `within`, exactly where the verdict says so."""
    rng = np.random.default_rng(4)
    limit = rng.uniform(-3, 3, 400)
    margin = np.full(400, 1.5)
    errors = np.exp(rng.uniform(np.log(0.01), np.log(1.5), 400))
    ours = judge(estimates(limit, errors, rng.uniform(4, 40, 400)), np.zeros(400), margin, side=side)
    verdicts = np.array([ours.verdict(row) for row in range(400)])
    assert set(verdicts) == {"agrees", "differs", "disagrees", "inconclusive"}
    holds = {0: (ours.low <= 0) & (ours.high >= 0), 1: ours.high >= 0, -1: ours.low <= 0}[side]
    passes = ours.within <= margin
    np.testing.assert_array_equal(verdicts == "agrees", passes & holds)
    np.testing.assert_array_equal(verdicts == "differs", passes & ~holds)
    np.testing.assert_array_equal(verdicts == "disagrees", ~passes & ~holds)
    np.testing.assert_array_equal(verdicts == "inconclusive", ~passes & holds)


def test_interval_has_the_confidence_it_states():
    limit, error, freedom = (
        np.array([0.0, 0.3, 2.0, 9.0]),
        np.array([0.1, 1.0, 0.3, 1.0]),
        np.array([9.0, 5, 12, 30]),
    )
    ours = judge(estimates(limit, error, freedom), np.zeros(4), np.ones(4))
    assert [ours.verdict(row) for row in range(4)] == ["agrees", "inconclusive", "disagrees", "disagrees"]
    low, high = stats.t.interval(ours.confidence, freedom, limit, error)
    np.testing.assert_allclose([ours.low, ours.high], [low, high], rtol=1e-9)
    # two of four differ: two-sided tests at 0.05 2 / 4
    np.testing.assert_allclose(1 - ours.confidence, [0.025, 0.025, 0.025, 0.025], rtol=1e-12)
    three = judge(estimates(limit[1:], error[1:], freedom[1:]), np.zeros(3), np.ones(3))
    np.testing.assert_allclose(1 - three.confidence, [0.1 / 3, 0.1 / 3, 0.1 / 3], rtol=1e-12)
    one_sided = judge(estimates(limit, error, freedom), np.zeros(4), np.ones(4), side=1)
    # three of four are not below 0 by 1: "at least", by non-inferiority at 0.05 3 / 4 (two numbers are large)
    np.testing.assert_allclose(1 - one_sided.confidence, 0.0375, rtol=1e-12)
    low = limit + stats.t.ppf(0.0375, freedom) * error
    np.testing.assert_allclose(one_sided.low, low, rtol=1e-9)


def test_replicates_that_would_decide_do():
    limit, error = np.array([0.4, 0.9, -0.6]), np.array([0.6, 0.5, 0.8])
    before = estimates(limit, error, 15.0)
    zeros, margin = np.zeros(3), np.ones(3)
    ours = judge(before, zeros, margin)
    assert not (ours.equivalent | ours.different).any()
    for row in range(3):
        for share, decided in ((1.0, True), (0.95, False)):
            factor = share * ours.needed[row] / 16
            then = estimates(limit[row], error[row] / np.sqrt(factor), 15.0 * factor)
            # as one of three rows, of which none is decided: the levels that it was told by
            three = estimates(
                [then.limit[0], 0.5, 0.5], [then.standard_error[0], 1, 1], [*then.degrees_of_freedom, 9, 9]
            )
            again = judge(three, zeros, margin)
            assert (again.equivalent[0] | again.different[0]) == decided


def test_planned_replicates_are_those_of_the_textbook():
    # one row, many replicates, normal quantiles: T = ((z_0.95 + z_0.975) sigma / margin)^2
    rng = np.random.default_rng(5)
    pilot = 2.0 * standardised(rng, 200, 1)
    (planned,) = replicates_for([pilot], np.array([0.2]), most=100_000)
    textbook = ((stats.norm.ppf(0.95) + stats.norm.ppf(0.975)) * 2.0 / 0.2) ** 2
    assert float(planned) == pytest.approx(textbook, rel=0.01)  # t and normal quantiles differ by that much
    assert replicates_for([pilot], np.array([0.2]), most=500) == 500
    assert replicates_for([pilot], np.array([0.2]), most=399) == 399  # one stage, of a size fixed in advance
    assert two_stage(8, 16) and not two_stage(8, 15) and not two_stage(1, 50)


def test_lack_of_fit_is_flagged_and_widens():
    rng = np.random.default_rng(6)

    def measured(curve):
        return extrapolate(
            [1 + 2 / n + curve / n**2 + 1e-5 * rng.standard_normal((16, 1)) for n in (10, 20, 40)],
            (10, 20, 40),
        )

    straight, curved = measured(0.0), measured(30.0)
    one, margin = np.ones(1), np.array([1e-4])
    assert not judge(straight, one, margin).flagged[0]
    ours = judge(curved, one, margin)
    assert curved.lack_of_fit[0] < 1e-6 and ours.flagged[0]
    assert abs(curved.limit[0] - 1) > 100 * curved.standard_error[0]  # the wrong law misses by far
    assert ours.verdict(0) == "inconclusive" and ours.low[0] <= 1 <= ours.high[0]
    assert np.isnan(ours.needed[0])  # more replicates do not help: larger sizes would


def test_lack_of_fit_is_the_chi_square_of_the_residual():
    rng = np.random.default_rng(7)
    samples = [1 + standardised(rng, 4000, 1) + 0.03 * k for k, n in zip((1, -1, 1), (1, 2, 4), strict=True)]
    ours = extrapolate(samples, (1, 2, 4), pilot=4000)
    means = np.array([one.mean() for one in samples])
    fit = WLS(means, add_constant(1 / np.array([1.0, 2, 4])), weights=np.full(3, 4000)).fit()
    chi2 = 4000 * (fit.resid**2).sum()
    assert ours.lack_of_fit[0] == pytest.approx(stats.chi2.sf(chi2, 1), rel=0.02)  # t with thousands of dof


def test_exact_data():
    one = np.ones(1)
    exact = extrapolate([np.full((1, 1), 1 + 1e-13)])
    assert exact.standard_error[0] == 0
    near = judge(exact, one, 1e-12 * one)
    assert near.verdict(0) == "agrees" and near.low[0] <= 1 <= near.high[0]
    assert near.within[0] == pytest.approx(1e-13, rel=0.01)
    far = judge(exact, 1.1 * one, 1e-12 * one)
    assert far.verdict(0) == "disagrees" and far.p_difference[0] == 0 and far.resolution[0] == 1e-12
    same = judge(extrapolate([np.full((4, 1), 0.1)]), np.full(1, 0.1), one)
    assert same.verdict(0) == "agrees" and same.p_difference[0] == 1


def test_deterministic_limit_takes_its_error_from_the_next_order():
    # explicit Euler of x' = -x on [0, 1]: no noise at all, and the law 1/N holds only to first order
    sizes = (50, 100, 200)
    euler = extrapolate([np.full((2, 1), (1 - 1 / n) ** n) for n in sizes], sizes)
    predicted = np.exp([-1.0])
    ours = judge(euler, predicted, 1e-3 * predicted)
    assert ours.verdict(0) == "agrees" and ours.flagged[0]
    assert abs(euler.limit[0] - predicted[0]) <= 1.1 * ours.systematic[0]
    assert judge(euler, 1.01 * predicted, 1e-3 * predicted).verdict(0) == "disagrees"


def test_median_variance_against_the_bootstrap():
    rng = np.random.default_rng(8)
    data = rng.standard_cauchy(15)
    draws = np.median(rng.choice(data, (200_000, 15)), axis=1)
    # the bootstrap's own error with 200,000 draws is 0.5 % or so
    assert float(median_variance(data)) == pytest.approx(draws.var(), rel=0.02)
    shifted = float(median_variance(data + 1e8))
    assert shifted == pytest.approx(float(median_variance(data)), rel=1e-6)


def test_counterfactual_is_judged_in_the_claims_place():
    measured = estimates([1.0, 2.0, 3.0, 4.0], 0.01)
    predicted, margin = np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 0.1)
    replaced = np.array([True, True, False, False])
    rejected, p = rejects(measured, predicted, margin, predicted + np.array([0.5, 0, 9, 9]), replaced)
    np.testing.assert_array_equal(rejected, [True, False, False, False])
    assert p[0] < 1e-9 and p[1] == 1


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0, -0.1, float("nan")])
def test_level_must_make_sense(level):
    with pytest.raises(ArgumentError, match=r"Argument `level` must lie between 0 and 0\.5, but is"):
        judge(estimates(1.0, 0.1), np.ones(1), np.ones(1), level)
