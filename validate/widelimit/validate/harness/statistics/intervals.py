"""Verdicts: does the measured limit agree with the prediction, over a whole page of many rows?

Two hypotheses are tested at each row. With x measured, its standard error se, the prediction y and the margin m, the
distance d is how far x is off: ``abs(x - y)`` of a row that is compared as equal, ``y - x`` of one that is to be at
least y, ``x - y`` of one that is to be at most y (negative where the statement holds with room to spare).

- *difference*, the prediction rejected: a t-test, two-sided for rows compared as equal, one-sided for the others. The
  rows of a page form one family, held at `level` by Benjamini and Hochberg's step-up (`stepup`). Where every theory is
  true, the probability of even one rejection, the page's false-alarm rate, is at most `level` (default 0.05).
- *equivalence*, ``d >= m`` rejected: two one-sided t-tests (Schuirmann 1987), or one, of non-inferiority, for one-sided
  rows. A second family, held at `level` the same way: of the rows said to lie within the margin, the share that does
  not is at most `level` on average.

Four verdicts:

                              prediction not rejected   prediction rejected
    within the margin         agrees                    differs
    not shown to lie within   inconclusive              disagrees

A row whose replicates are all the same has no standard error to measure a deviation by: only its margin counts, and it
agrees or disagrees.

*The interval* is that of the difference test, at the level that multiplicity leaves: a row differs or disagrees where
it excludes the prediction, and nowhere else. (Benjamini and Hochberg's k-th rejection of M at level k level / M is the
same thing as a confidence interval at that level that excludes the prediction: Benjamini and Yekutieli, J. Am. Statist.
Assoc. 100, 2005.) Of a one-sided row it has one end: the bound that excludes the prediction where one does, else the
bound that `equivalence` goes by.

*Within* is the smallest margin at which a row would pass the test of equivalence, the rest of the page as it is:
``d + t se``, at the level that the step-up leaves to this row (`stepup.allowed`). So a row agrees or differs where
`within` is at most its margin, and nowhere else.

The rows of a point come from the same networks and are correlated; the step-up holds its level under
positive dependence (Benjamini and Yekutieli, Ann. Statist. 29, 2001), and the tests simulate correlated
rows.

*Resolution.* With half widths h_d of the difference interval and h_e of the equivalence interval, a row disagrees
where ``d > max(h_d, m - h_e)``. A theory that is wrong by ``max(h_d, m - h_e) + t_0.95 se``
is therefore rejected with probability 95 %: that is the row's resolution.

*Counterfactuals.* The question is whether this run would have rejected the wrong theory, had it been the
one under test. So the claim's rows are judged again with the wrong predictions, the rest of the run as it
is: same data, same margins, same families, same levels. Rejected is what disagrees: a wrong theory that only differs,
inside the margin, is not.

*The finite-size law* forms a third family: rows whose lack of fit is significant at `level` over the run are
flagged, and the distance to the limit of a fit with the next order is added to their intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.outcome import Verdict
from widelimit.validate.harness.statistics import stepup
from widelimit.validate.harness.statistics.limit import Estimate, quantile, tail, two_sided
from widelimit.validate.harness.statistics.stages import replicates_to_decide

LEVEL = 0.05
POWER = 0.95
# Quoted by the command line, the README and the page.
LEVEL_MEANS = (
    "at most this share of the findings on a page, over all its numbers, is expected to be false (Benjamini and "
    "Hochberg); where every theory is true, it bounds the probability of any false alarm"
)
EQUAL, AT_LEAST, AT_MOST = 0, 1, -1  # sides


@by_value
@dataclass(frozen=True)
class Judgement:
    """Verdicts of rows, as arrays with the page's rows along the last axis.

    `equivalent`: within the margin. `different`: the prediction rejected. `within` and `resolution` are absolute.
    `low` and `high` are the ends of the interval of the difference test, one of them infinite for one-sided rows.
    `needed` is NaN except where more replicates would decide an inconclusive row.
    """

    p_equivalence: np.ndarray
    p_difference: np.ndarray
    equivalent: np.ndarray
    different: np.ndarray
    low: np.ndarray
    high: np.ndarray
    confidence: np.ndarray
    within: np.ndarray
    resolution: np.ndarray
    needed: np.ndarray
    flagged: np.ndarray
    systematic: np.ndarray

    @property
    def agrees(self) -> np.ndarray:
        """Within the margin, and not measurably off."""
        return self.equivalent & ~self.different

    @property
    def differs(self) -> np.ndarray:
        """Within the margin, but measurably off."""
        return self.equivalent & self.different

    @property
    def disagrees(self) -> np.ndarray:
        """Measurably off, and not shown to lie within the margin."""
        return self.different & ~self.equivalent

    def verdict(self, row: int) -> Verdict:
        """The verdict on one row of a single page."""
        if self.equivalent[row]:
            return "differs" if self.different[row] else "agrees"
        return "disagrees" if self.different[row] else "inconclusive"


@by_value
@dataclass(frozen=True)
class _Tests:
    """Both tests of all rows, and what multiplicity leaves to each of them."""

    distance: np.ndarray
    p_equivalence: np.ndarray
    p_difference: np.ndarray
    equivalent: np.ndarray
    different: np.ndarray
    level_equivalence: np.ndarray  # of each one-sided test
    level_difference: np.ndarray  # of the whole test, two-sided or one-sided


def check_level(level: float) -> float:
    """Return a level of significance that makes sense, or raise `ArgumentError`."""
    if not 0 < level < 0.5:
        raise ArgumentError("level", "must lie between 0 and 0.5", level, "Pass 0.05 or 0.01.")
    return float(level)


def judge(
    estimate: Estimate,
    predicted: np.ndarray,
    margin: np.ndarray,
    level: float = LEVEL,
    side: np.ndarray | int = EQUAL,
) -> Judgement:
    """Judge all rows of a page together (last axis: rows; axes before it: independent runs).

    `side` is 0 for rows that are compared as equal, 1 for those that are to be at least what is predicted, -1 for at
    most.

    >>> one = np.ones(1)
    >>> estimate = Estimate(1.001 * one, 0.001 * one, 20 * one, one, one, one, 0 * one, 8 * one, one, one)
    >>> [judge(estimate, y * one, 0.02 * one).verdict(0) for y in (1.0, 1.01, 1.1)]
    ['agrees', 'differs', 'disagrees']
    >>> [judge(estimate, y * one, 0.02 * one, side=1).verdict(0) for y in (0.5, 1.1)]
    ['agrees', 'disagrees']
    """
    check_level(level)
    flagged, systematic = _misfits(estimate, level)
    tests = _tests(estimate, systematic, predicted, margin, level, side)
    error, freedom = estimate.standard_error, estimate.degrees_of_freedom
    tails = np.where(
        np.equal(side, EQUAL), 0.5, 1.0
    )  # of the difference test: the share of a level in one tail
    half_equivalence = quantile(tests.level_equivalence, freedom) * error + systematic
    half_difference = quantile(tests.level_difference * tails, freedom) * error + systematic
    low, high, missed = _interval(estimate.limit, half_difference, half_equivalence, tests, side)
    rounded = (error <= 0) & tests.equivalent  # an interval of no width holds what rounding parts from it
    low, high = (
        np.where(rounded, np.minimum(low, predicted), low),
        np.where(rounded, np.maximum(high, predicted), high),
    )
    needed = replicates_to_decide(
        estimate.replicates,
        error,
        freedom,
        margin - tests.distance - systematic,
        tests.level_equivalence,
        tests.distance - systematic,
        tests.level_difference * tails,
    )
    alone = stepup.allowed(tests.p_equivalence, level)
    return Judgement(
        tests.p_equivalence,
        tests.p_difference,
        tests.equivalent,
        tests.different,
        low,
        high,
        1 - missed,
        within(tests.distance, systematic, error, freedom, alone),
        np.maximum(half_difference, margin - half_equivalence) + quantile(1 - POWER, freedom) * error,
        np.where(tests.equivalent | tests.different, np.nan, needed),
        flagged,
        systematic,
    )


def within(
    distance: np.ndarray,
    systematic: np.ndarray,
    error: np.ndarray,
    freedom: np.ndarray,
    allowed: np.ndarray | float,
) -> np.ndarray:
    """The margin at which the p-value of equivalence is what is `allowed`; 0 where no margin at all would do."""
    return np.maximum(distance + systematic + quantile(allowed, freedom) * error, 0.0)


def off(limit: np.ndarray, predicted: np.ndarray, side: np.ndarray | int) -> np.ndarray:
    """How far a measured number is off, by the side on which it may lie.

    >>> [float(off(np.array(9.0), np.array(10.0), side)) for side in (EQUAL, AT_LEAST, AT_MOST)]
    [1.0, 1.0, -1.0]
    """
    return np.where(np.equal(side, EQUAL), np.abs(limit - predicted), side * (predicted - limit))


def rejects(
    estimate: Estimate,
    predicted: np.ndarray,
    margin: np.ndarray,
    wrong: np.ndarray,
    replaced: np.ndarray,
    level: float = LEVEL,
    side: np.ndarray | int = EQUAL,
) -> tuple[np.ndarray, np.ndarray]:
    """Judge the page again with the predictions `wrong` at the rows `replaced`: (rejected there, p-values).

    `replaced` is a mask over the rows; `rejected` is False outside it. A wrong theory says what the number is: its rows
    are compared as equal, also those of a one-sided claim, but for numbers that it shares with the claim.
    """
    _, systematic = _misfits(estimate, level)
    side = np.where(replaced & (wrong != predicted), EQUAL, side)
    tests = _tests(estimate, systematic, np.where(replaced, wrong, predicted), margin, level, side)
    return tests.different & ~tests.equivalent & replaced, tests.p_difference


def decided(
    estimate: Estimate,
    predicted: np.ndarray,
    margin: np.ndarray,
    level: float = LEVEL,
    side: np.ndarray | int = EQUAL,
) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are within their margins, and at which the prediction is rejected: `judge` without its figures.

    >>> one = np.ones(1)
    >>> estimate = Estimate(1.001 * one, 0.001 * one, 20 * one, one, one, one, 0 * one, 8 * one, one, one)
    >>> [bool(found[0]) for found in decided(estimate, 1.01 * one, 0.02 * one)]
    [True, True]
    """
    _, systematic = _misfits(estimate, level)
    tests = _tests(estimate, systematic, predicted, margin, level, side)
    return tests.equivalent, tests.different


def _misfits(estimate: Estimate, level: float) -> tuple[np.ndarray, np.ndarray]:
    flagged = stepup.rejected(estimate.lack_of_fit, level)
    return flagged, np.where(flagged, estimate.shift, 0.0)


def _tests(
    estimate: Estimate,
    systematic: np.ndarray,
    predicted: np.ndarray,
    margin: np.ndarray,
    level: float,
    side: np.ndarray | int,
) -> _Tests:
    error, freedom = estimate.standard_error, estimate.degrees_of_freedom
    distance = off(estimate.limit, predicted, side)
    p_equivalence = tail(margin - distance - systematic, error, freedom)
    p_difference = np.where(
        np.equal(side, EQUAL),
        two_sided(np.maximum(distance - systematic, 0.0), error, freedom),
        tail(distance - systematic, error, freedom),
    )
    # without noise there is nothing but the margin to tell a deviation from rounding
    p_difference = np.where((error <= 0) & (p_equivalence == 0), 1.0, p_difference)
    equivalent, different = stepup.rejected(p_equivalence, level), stepup.rejected(p_difference, level)
    return _Tests(
        distance,
        p_equivalence,
        p_difference,
        equivalent,
        different,
        stepup.spent(equivalent, level),
        stepup.spent(different, level),
    )


def _interval(
    limit: np.ndarray,
    half_difference: np.ndarray,
    half_equivalence: np.ndarray,
    tests: _Tests,
    side: np.ndarray | int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both ends of the interval, and the probability with which it misses."""
    equal = np.equal(side, EQUAL)
    bounded = equal | tests.different  # by the difference test
    # a number that is to be at least y: "at most this" speaks against the claim, "at least this" for it
    above = equal | np.where(tests.different, np.equal(side, AT_LEAST), np.equal(side, AT_MOST))
    below = equal | np.where(tests.different, np.equal(side, AT_MOST), np.equal(side, AT_LEAST))
    half = np.where(bounded, half_difference, half_equivalence)
    missed = np.where(bounded, tests.level_difference, tests.level_equivalence)
    return np.where(below, limit - half, -np.inf), np.where(above, limit + half, np.inf), missed
