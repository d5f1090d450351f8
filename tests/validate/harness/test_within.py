"""`within` inverts the test of equivalence exactly, whatever else is on the page."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.multitest import multipletests
from tests.validate.harness.test_statistics import estimates

from widelimit.validate.harness.judging import judged
from widelimit.validate.harness.outcome import ClaimOutcome, RowOutcome
from widelimit.validate.harness.statistics import judge, stepup

MORE, LESS = 1 + 1e-9, 1 - 1e-6


@st.composite
def pages(draw):
    """A page of a few rows, most of them near their margins' edges: estimate, margins, sides, level."""
    many = draw(st.integers(1, 8))

    def numbers(low, high):
        return draw(arrays(float, many, elements=st.floats(low, high, allow_subnormal=False)))

    limit, error, freedom = numbers(-2, 2), 10 ** numbers(-4, 0.3), numbers(3, 60)
    error[draw(arrays(bool, many))] *= draw(st.sampled_from([1.0, 1.0, 0.0]))  # some exact rows
    flagged = draw(st.booleans())
    found = estimates(limit, error, freedom, lack=1e-9 if flagged else 1.0, shift=0.1)
    side = draw(arrays(int, many, elements=st.sampled_from([0, 1, -1])))
    return found, 10 ** numbers(-2, 0.5), side, draw(st.sampled_from([0.05, 0.01, 0.3]))


@settings(max_examples=100, deadline=None)
@given(pages())
def test_a_row_passes_at_its_within_and_not_below(page):
    estimate, margin, side, level = page
    zero = np.zeros_like(margin)
    found = judge(estimate, zero, margin, level, side)
    np.testing.assert_array_equal(found.equivalent, found.within < margin)
    for row in range(len(margin)):
        for factor, passes in ((MORE, True), (LESS, False)):
            if found.within[row] > 0:
                changed = margin.copy()
                changed[row] = found.within[row] * factor
                assert judge(estimate, zero, changed, level, side).equivalent[row] == passes


def claims_of(estimate, margin, side, level, sizes):
    """The rows as claims of a page, of so many rows each; scales are not all the same."""
    names = {0: "equal", 1: "at least", -1: "at most"}
    rows = [
        RowOutcome(
            inputs={},
            predicted=0.0,
            measured=float(estimate.limit[i]),
            standard_error=float(estimate.standard_error[i]),
            low=0.0,
            high=0.0,
            degrees_of_freedom=float(estimate.degrees_of_freedom[i]),
            margin=float(margin[i]),
            slope=0.0,
            slope_error=0.0,
            p_equivalence=1.0,
            p_difference=1.0,
            verdict="inconclusive",
            resolution=1.0,
            needed_replicates=None,
            sizes=(),
            lack_of_fit=float(estimate.lack_of_fit[i]),
            shift=float(estimate.shift[i]),
            scale=1.0 + i % 3,
            compare=names[int(side[i])],
        )
        for i in range(len(margin))
    ]
    ends = np.cumsum([0, *sizes])
    return [
        ClaimOutcome(f"c.{k}", "", "", "", "inconclusive", False, 1.0, level, 0.1, tuple(rows[a:b]), (), 0, 0)
        for k, (a, b) in enumerate(pairwise(ends))
    ]


@settings(max_examples=100, deadline=None)
@given(pages(), st.data())
def test_a_claim_passes_at_its_within_and_not_below(page, data):
    """All rows of a claim at one margin relative to their scales; those of the other claims as they are."""
    estimate, margin, side, level = page
    first = data.draw(st.integers(1, len(margin)))
    sizes = [first] + [len(margin) - first] * (first < len(margin))
    found = judged(claims_of(estimate, margin, side, level, sizes), level)[0]
    assert found.within <= max(row.within for row in found.rows) * MORE
    if found.within == 0:
        return
    for factor, passes in ((MORE, True), (LESS, False)):
        changed = margin.copy()
        changed[:first] = [found.within * factor * row.scale for row in found.rows]
        again = judged(claims_of(estimate, changed, side, level, sizes), level)[0]
        assert all(row.verdict in ("agrees", "differs") for row in again.rows) == passes


@settings(max_examples=200, deadline=None)
@given(arrays(float, st.integers(1, 9), elements=st.floats(0, 1)), st.sampled_from([0.05, 0.2, 0.45]))
def test_allowed_is_the_threshold_of_the_step_up(p, level):
    """Against statsmodels: a row with this p-value is rejected, with a larger one it is not."""
    many = len(p)
    for row, threshold in enumerate(stepup.allowed(p, level)):
        for value, expected in ((threshold * (1 - 1e-9), True), (threshold * (1 + 1e-9), False)):
            changed = p.copy()
            changed[row] = value
            assert multipletests(changed, level, method="fdr_bh")[0][row] == expected
        assert (1 - 1e-12) * level / many <= threshold <= level


def test_allowed_holds_along_the_last_axis():
    p = np.random.default_rng(0).uniform(0, 0.2, (3, 4, 7))
    found = stepup.allowed(p, 0.1)
    for index in np.ndindex(3, 4):
        np.testing.assert_array_equal(found[index], stepup.allowed(p[index], 0.1))


def test_within_of_a_page_that_agrees_is_the_usual_interval():
    """Where every row passes, the step-up leaves the whole level: |d| + t_0.95 se."""
    found = judge(estimates([0.1, -0.2], 0.05, freedom=np.inf), np.zeros(2), np.ones(2))
    assert found.within == pytest.approx([0.1 + 1.6448536 * 0.05, 0.2 + 1.6448536 * 0.05], rel=1e-7)
