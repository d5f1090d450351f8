"""From what was measured to verdicts: all rows of a page together, because levels hold over the page.

A row of an outcome holds all that it is judged by, so that claims of an earlier run, read back from their report, are
judged again with those of the run at hand: two runs into one folder conclude what one run of both would have.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.harness.outcome import (
    ClaimOutcome,
    CounterfactualOutcome,
    CounterfactualRow,
    Fit,
    RowOutcome,
    Verdict,
)
from widelimit.validate.harness.statistics import AT_LEAST, AT_MOST, EQUAL, Judgement, judge, rejects, stepup
from widelimit.validate.harness.statistics.intervals import decided, off, within
from widelimit.validate.harness.statistics.limit import Estimate

_WORST_FIRST: tuple[Verdict, ...] = ("disagrees", "inconclusive", "differs")
_SIDES = {"equal": EQUAL, "at least": AT_LEAST, "at most": AT_MOST}


def judged(claims: Sequence[ClaimOutcome], level: float) -> tuple[ClaimOutcome, ...]:
    """Return the claims with the verdicts of all their rows, and of their counterfactuals, at this level."""
    family = Family.of([row for claim in claims for row in claim.rows], level)
    starts = np.cumsum([0, *(len(claim.rows) for claim in claims)])
    found = [_claim(claim, family, range(*starts[index : index + 2])) for index, claim in enumerate(claims)]
    residuals = _off([claim.residuals for claim in found], level)
    laws = _off([claim.law for claim in found], level)
    pairs = zip(found, residuals, laws, strict=True)
    return tuple(replace(claim, residuals=one, law=other) for claim, one, other in pairs)


def _off(fits: Sequence[Fit | None], level: float) -> list[Fit | None]:
    """Which sums of squares the page's level rejects."""
    known = [fit.p_value for fit in fits if fit is not None]
    off = iter(stepup.rejected(np.array(known), level) if known else ())
    return [None if fit is None else replace(fit, off=bool(next(off))) for fit in fits]


def verdict_of(rows: Sequence[Verdict]) -> Verdict:
    """A claim disagrees if any row does; else it is inconclusive if any row is, and differs if any row does.

    >>> verdict_of(["agrees", "differs", "inconclusive"]), verdict_of(["agrees", "differs"])
    ('inconclusive', 'differs')
    """
    return next((one for one in _WORST_FIRST if one in rows), "agrees")


def restored(claim: ClaimOutcome) -> ClaimOutcome:
    """Return a claim that was read from a file as one that can be judged again.

    Earlier versions wrote neither the scale nor the shift of a row: the scale follows from the margin, and the shift is
    known where it was counted. Raises ValueError where a row has not what it takes.
    """
    return replace(claim, rows=tuple(_restored(claim, row) for row in claim.rows))


def _restored(claim: ClaimOutcome, row: RowOutcome) -> RowOutcome:
    if row.scale == 0:
        row = replace(row, scale=row.margin / claim.margin, shift=row.systematic)
    wrong = [one.predicted for one in row.counterfactuals]
    measured = [row.measured, row.predicted, row.standard_error, row.shift, row.lack_of_fit]
    numbers = [row.margin, row.scale, *measured, *wrong]
    possible = row.margin > 0 and row.scale > 0 and row.standard_error >= 0 and row.shift >= 0
    if not all(map(math.isfinite, numbers)) or not possible or not row.degrees_of_freedom > 0:
        raise ValueError(f"a row of {claim.id} cannot be judged")
    if not 0 <= row.lack_of_fit <= 1:
        raise ValueError(f"a row of {claim.id} has a probability of {row.lack_of_fit}")
    return row


@by_value
@dataclass(frozen=True)
class Family:
    """All rows of a page as arrays, and the judgement on them."""

    estimate: Estimate
    predicted: np.ndarray
    margin: np.ndarray
    side: np.ndarray
    scale: np.ndarray
    level: float
    judgement: Judgement

    @staticmethod
    def of(rows: Sequence[RowOutcome], level: float) -> Family:
        """Judge the rows of a page."""

        def column(name: str) -> np.ndarray:
            return np.array([getattr(row, name) for row in rows], dtype=float)

        replicates = np.array([max((size.replicates for size in row.sizes), default=1) for row in rows])
        none = np.empty((0, len(rows)))
        estimate = Estimate(
            limit=column("measured"),
            standard_error=column("standard_error"),
            degrees_of_freedom=column("degrees_of_freedom"),
            slope=column("slope"),
            slope_error=column("slope_error"),
            lack_of_fit=column("lack_of_fit"),
            shift=column("shift"),
            replicates=replicates,
            means=none,
            errors=none,
        )
        predicted, margin, scale = column("predicted"), column("margin"), column("scale")
        side = np.array([_SIDES[row.compare] for row in rows], dtype=int)
        judgement = judge(estimate, predicted, margin, level, side)
        return Family(estimate, predicted, margin, side, scale, level, judgement)

    def within(self, rows: range) -> float:
        """The smallest margin, relative to their scales, at which these rows would all pass, the others as they are."""
        mine, estimate = slice(rows.start, rows.stop), self.estimate
        margins = within(
            off(estimate.limit, self.predicted, self.side)[mine],
            self.judgement.systematic[mine],
            estimate.standard_error[mine],
            estimate.degrees_of_freedom[mine],
            stepup.allowed_together(self.judgement.p_equivalence, rows, self.level),
        )
        return float((margins / self.scale[mine]).max())

    def verdicts(self, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which rows would be within their margins, and which different, with other predictions (..., rows)."""
        return decided(self.estimate, predicted, self.margin, self.level, self.side)

    def against(self, wrong: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
        """What the page says of a wrong theory with predictions of its own at some rows: (rejected there, p-values)."""
        predicted, replaced = self.predicted.copy(), np.zeros(len(self.predicted), dtype=bool)
        for index, value in wrong.items():
            predicted[index], replaced[index] = value, True
        return rejects(self.estimate, self.predicted, self.margin, predicted, replaced, self.level, self.side)


def _claim(claim: ClaimOutcome, family: Family, own: range) -> ClaimOutcome:
    """The claim whose rows are these of the family."""
    wrong: dict[str, dict[int, float]] = {one.name: {} for one in claim.counterfactuals}
    for index, row in zip(own, claim.rows, strict=True):
        for one in row.counterfactuals:
            wrong.setdefault(one.name, {})[index] = one.predicted
    said = {name: family.against(values) for name, values in wrong.items()}
    rows = tuple(
        replace(_row(row, family.judgement, index), counterfactuals=tuple(_rows_of(row, index, said)))
        for index, row in zip(own, claim.rows, strict=True)
    )
    counterfactuals = tuple(
        _counterfactual(one, wrong[one.name], said[one.name][0]) for one in claim.counterfactuals
    )
    return replace(
        claim,
        verdict=verdict_of([row.verdict for row in rows]),
        too_weak=not counterfactuals or not all(one.rejected for one in counterfactuals),
        resolution=max(row.resolution for row in rows),
        best_resolution=min(row.resolution for row in rows),
        within=family.within(own),
        level=family.level,
        rows=rows,
        counterfactuals=counterfactuals,
    )


def _row(row: RowOutcome, judgement: Judgement, index: int) -> RowOutcome:
    needed = judgement.needed[index]
    return replace(
        row,
        low=float(judgement.low[index]),
        high=float(judgement.high[index]),
        p_equivalence=float(judgement.p_equivalence[index]),
        p_difference=float(judgement.p_difference[index]),
        verdict=judgement.verdict(index),
        within=float(judgement.within[index] / row.scale),
        resolution=float(judgement.resolution[index] / row.scale),
        needed_replicates=None if np.isnan(needed) else int(needed),
        confidence=float(judgement.confidence[index]),
        systematic=float(judgement.systematic[index]),
        flagged=bool(judgement.flagged[index]),
    )


def _rows_of(
    row: RowOutcome, index: int, said: dict[str, tuple[np.ndarray, np.ndarray]]
) -> Iterator[CounterfactualRow]:
    for one in row.counterfactuals:
        rejected, p = said[one.name]
        yield replace(one, p_value=float(p[index]), rejected=bool(rejected[index]))


def _counterfactual(
    one: CounterfactualOutcome, wrong: dict[int, float], rejected: np.ndarray
) -> CounterfactualOutcome:
    many = int(rejected.sum())
    return replace(one, rejected=many > 0, rows_tested=len(wrong), rows_rejected=many)
