"""Verdicts: does the measured limit agree with the prediction, over a whole run of many rows?

Two hypotheses are tested at each row, with d = measured - predicted, its standard error se, and the margin m:

- *difference*, d = 0 rejected: two-sided t-test. Over the run the rows form one family, held at `level` by
  Benjamini and Hochberg's step-up (J. R. Statist. Soc. B 57, 1995). Where every theory of the run is true,
  the probability of even one rejection, the run's false-alarm rate, is at most `level` (default 0.05).
- *equivalence*, abs(d) >= m rejected: two one-sided t-tests (Schuirmann 1987). A second family, held at
`level` the same
  way: of the rows said to agree, the share that does not is at most `level` on average.

A row **agrees** if equivalence holds, **disagrees** if it differs and does not agree, else it is
**inconclusive**. (A row can differ significantly by less than the margin: it agrees.) Benjamini and
Hochberg's k-th rejection of M at level k level / M is the same thing as a confidence interval at that level
that excludes the prediction, or lies inside the margin (Benjamini and Yekutieli, J. Am. Statist. Assoc.
100, 2005). The interval shown is the one that decided: for `agrees` that of the one-sided tests, for
`disagrees` that of the two-sided test, for `inconclusive` the wider of them.

The rows of a point come from the same networks and are correlated; the step-up holds its level under
positive dependence (Benjamini and Yekutieli, Ann. Statist. 29, 2001), and the tests simulate correlated
rows.

*Resolution.* With half widths h_d of the difference interval and h_e of the equivalence interval, a row is
rejected where ``abs(d) > max(h_d, m - h_e)``. A theory that is wrong by ``max(h_d, m - h_e) + t_0.95 se``
is therefore rejected with probability 95 %: that is the row's resolution.

*Counterfactuals.* The question is whether this run would have rejected the wrong theory, had it been the
one under test. So the claim's rows are judged again with the wrong predictions, the rest of the run as it
is: same data, same margins, same families, same levels.

*The finite-size law* forms a third family: rows whose lack of fit is significant at `level` over the run are
flagged, and the distance to the limit of a fit with the next order is added to their intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import false_discovery_control

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.outcome import Verdict
from widelimit.validate.harness.statistics.limit import Estimate, quantile, tail, two_sided
from widelimit.validate.harness.statistics.stages import replicates_to_decide

LEVEL = 0.05
POWER = 0.95


@by_value
@dataclass(frozen=True)
class Judgement:
    """Verdicts of rows, as arrays with the run's rows along the last axis.

    `agrees` and `disagrees` are never both set. `resolution` is absolute. `needed` is NaN except where more
    replicates would decide an inconclusive row.
    """

    p_equivalence: np.ndarray
    p_difference: np.ndarray
    agrees: np.ndarray
    disagrees: np.ndarray
    low: np.ndarray
    high: np.ndarray
    confidence: np.ndarray
    resolution: np.ndarray
    needed: np.ndarray
    flagged: np.ndarray
    systematic: np.ndarray

    def verdict(self, row: int) -> Verdict:
        """The verdict on one row of a single run."""
        return "agrees" if self.agrees[row] else "disagrees" if self.disagrees[row] else "inconclusive"


@by_value
@dataclass(frozen=True)
class _Decision:
    p_equivalence: np.ndarray
    p_difference: np.ndarray
    agrees: np.ndarray
    disagrees: np.ndarray
    level_equivalence: np.ndarray  # what multiplicity leaves of the level: of each one-sided test
    level_difference: np.ndarray  # and of the two-sided test


def check_level(level: float) -> float:
    """Return a level of significance that makes sense, or raise `ArgumentError`."""
    if not 0 < level < 0.5:
        raise ArgumentError("level", "must lie between 0 and 0.5", level, "Pass 0.05 or 0.01.")
    return float(level)


def judge(estimate: Estimate, predicted: np.ndarray, margin: np.ndarray, level: float = LEVEL) -> Judgement:
    """Judge all rows of a run together (last axis: rows; axes before it: independent runs).

    >>> one = np.ones(1)
    >>> estimate = Estimate(1.001 * one, 0.001 * one, 20 * one, one, one, one, 0 * one, 8 * one, one, one)
    >>> judge(estimate, one, 0.02 * one).verdict(0), judge(estimate, 1.1 * one, 0.02 * one).verdict(0)
    ('agrees', 'disagrees')
    """
    check_level(level)
    flagged, systematic = _misfits(estimate, level)
    decision = _decide(estimate, systematic, predicted, margin, level)
    error, freedom = estimate.standard_error, estimate.degrees_of_freedom
    distance = np.abs(estimate.limit - predicted)
    half_equivalence = quantile(decision.level_equivalence, freedom) * error + systematic
    half_difference = quantile(decision.level_difference / 2, freedom) * error + systematic
    wide = half_difference >= half_equivalence
    shows_difference = np.where(decision.agrees, False, decision.disagrees | wide)
    half = np.where(shows_difference, half_difference, half_equivalence)
    missed = np.where(shows_difference, decision.level_difference, 2 * decision.level_equivalence)
    needed = replicates_to_decide(
        estimate.replicates,
        error,
        freedom,
        margin - distance - systematic,
        decision.level_equivalence,
        distance - systematic,
        decision.level_difference,
    )
    return Judgement(
        decision.p_equivalence,
        decision.p_difference,
        decision.agrees,
        decision.disagrees,
        estimate.limit - half,
        estimate.limit + half,
        1 - missed,
        np.maximum(half_difference, margin - half_equivalence) + quantile(1 - POWER, freedom) * error,
        np.where(decision.agrees | decision.disagrees, np.nan, needed),
        flagged,
        systematic,
    )


def rejects(
    estimate: Estimate,
    predicted: np.ndarray,
    margin: np.ndarray,
    wrong: np.ndarray,
    replaced: np.ndarray,
    level: float = LEVEL,
) -> tuple[np.ndarray, np.ndarray]:
    """Judge the run again with the predictions `wrong` at the rows `replaced`: (rejected there, p-values).

    `replaced` is a mask over the rows; `rejected` is False outside it.
    """
    _, systematic = _misfits(estimate, level)
    decision = _decide(estimate, systematic, np.where(replaced, wrong, predicted), margin, level)
    return decision.disagrees & replaced, decision.p_difference


def _misfits(estimate: Estimate, level: float) -> tuple[np.ndarray, np.ndarray]:
    flagged = _rejected(estimate.lack_of_fit, level)
    return flagged, np.where(flagged, estimate.shift, 0.0)


def _decide(
    estimate: Estimate, systematic: np.ndarray, predicted: np.ndarray, margin: np.ndarray, level: float
) -> _Decision:
    error, freedom = estimate.standard_error, estimate.degrees_of_freedom
    distance = np.abs(estimate.limit - predicted)
    p_equivalence = tail(margin - distance - systematic, error, freedom)
    p_difference = two_sided(np.maximum(distance - systematic, 0.0), error, freedom)
    agrees, differs = _rejected(p_equivalence, level), _rejected(p_difference, level)
    return _Decision(
        p_equivalence,
        p_difference,
        agrees,
        differs & ~agrees,
        level * np.maximum(agrees.sum(-1, keepdims=True), 1) / agrees.shape[-1],
        level * np.maximum(differs.sum(-1, keepdims=True), 1) / differs.shape[-1],
    )


def _rejected(p: np.ndarray, level: float) -> np.ndarray:
    """Benjamini and Hochberg's step-up along the last axis."""
    return false_discovery_control(p, axis=-1, method="bh") <= level
