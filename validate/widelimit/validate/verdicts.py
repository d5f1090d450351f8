"""From the samples of a run to the outcomes of its claims: all rows together, because levels hold over the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.claim import Claim, Counterfactual
from widelimit.validate.outcome import (
    ClaimOutcome,
    CounterfactualOutcome,
    CounterfactualRow,
    RowOutcome,
    SizeSummary,
    Verdict,
)
from widelimit.validate.points import Point
from widelimit.validate.statistics import Judgement, judge, rejects
from widelimit.validate.statistics_limit import Estimate, extrapolate
from widelimit.validate.statistics_stages import two_stage


@by_value
@dataclass(frozen=True)
class Measured:
    """A point with its samples, one array (replicates, k) for each size, and the seconds they took."""

    point: Point
    samples: tuple[np.ndarray, ...]
    seconds: float

    @property
    def estimate(self) -> Estimate:
        """The limit of each row."""
        claim, plan = self.point.claim, self.point.plan
        pilot = plan.pilot if two_stage(plan.pilot, plan.most) else None
        return extrapolate(self.samples, plan.sizes, claim.exponent, pilot=pilot, location=claim.location)


def conclude(measured: Sequence[Measured], level: float) -> tuple[ClaimOutcome, ...]:
    """Judge all rows of a run and put together the outcome of each claim (points of a claim next to each other)."""
    estimates = [one.estimate for one in measured]
    estimate = Estimate.join(estimates)
    predicted = np.concatenate([one.point.predicted for one in measured])
    margin = np.concatenate([one.point.margin for one in measured])
    judgement = judge(estimate, predicted, margin, level)
    starts = np.cumsum([0, *(len(one.point.predicted) for one in measured)])
    outcomes = []
    for _, group in groupby(range(len(measured)), key=lambda index: measured[index].point.claim.id):
        own = list(group)
        wrong = _Wrong(own, measured, starts, estimate, predicted, margin, level)
        rows = [
            replace(row, counterfactuals=wrong.rows(starts[index] + number))
            for index in own
            for number, row in enumerate(_rows(measured[index], estimates[index], judgement, starts[index]))
        ]
        outcomes.append(_claim(measured[own[0]].point.claim, rows, wrong, measured, own, level))
    return tuple(outcomes)


class _Wrong:
    """The counterfactuals of one claim, judged in its place."""

    def __init__(
        self,
        own: Sequence[int],
        measured: Sequence[Measured],
        starts: np.ndarray,
        estimate: Estimate,
        predicted: np.ndarray,
        margin: np.ndarray,
        level: float,
    ) -> None:
        self.results: list[tuple[Counterfactual, np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        for number, one in enumerate(measured[own[0]].point.claim.counterfactuals):
            wrong, replaced = predicted.copy(), np.zeros(len(predicted), dtype=bool)
            for index in own:
                values = measured[index].point.wrong[number]
                if values is not None:
                    wrong[starts[index] : starts[index + 1]] = values
                    replaced[starts[index] : starts[index + 1]] = True
            rejected, p = rejects(estimate, predicted, margin, wrong, replaced, level)
            self.results.append((one, wrong, replaced, rejected, p))

    def rows(self, row: int) -> tuple[CounterfactualRow, ...]:
        return tuple(
            CounterfactualRow(one.name, float(wrong[row]), float(p[row]), bool(rejected[row]))
            for one, wrong, replaced, rejected, p in self.results
            if replaced[row]
        )

    def outcomes(self) -> tuple[CounterfactualOutcome, ...]:
        return tuple(
            CounterfactualOutcome(
                one.name, one.explanation, bool(rejected.any()), int(replaced.sum()), int(rejected.sum())
            )
            for one, _, replaced, rejected, _ in self.results
        )


def _rows(measured: Measured, estimate: Estimate, judgement: Judgement, start: int) -> list[RowOutcome]:
    point, rows = measured.point, []
    for number, label in enumerate(point.labels):
        row = start + number
        needed = judgement.needed[row]
        rows.append(
            RowOutcome(
                inputs={**point.inputs, **label},
                predicted=float(point.predicted[number]),
                measured=float(estimate.limit[number]),
                standard_error=float(estimate.standard_error[number]),
                low=float(judgement.low[row]),
                high=float(judgement.high[row]),
                degrees_of_freedom=float(estimate.degrees_of_freedom[number]),
                margin=float(point.margin[number]),
                slope=float(estimate.slope[number]),
                slope_error=float(estimate.slope_error[number]),
                p_equivalence=float(judgement.p_equivalence[row]),
                p_difference=float(judgement.p_difference[row]),
                verdict=judgement.verdict(row),
                resolution=float(judgement.resolution[row] / point.scale[number]),
                needed_replicates=None if np.isnan(needed) else int(needed),
                sizes=tuple(
                    SizeSummary(
                        size,
                        len(samples),
                        float(estimate.means[which, number]),
                        float(estimate.errors[which, number]),
                    )
                    for which, (size, samples) in enumerate(zip(point.sizes, measured.samples, strict=True))
                ),
                confidence=float(judgement.confidence[row]),
                lack_of_fit=float(estimate.lack_of_fit[number]),
                systematic=float(judgement.systematic[row]),
                flagged=bool(judgement.flagged[row]),
                point=point.index,
                label=label,
            )
        )
    return rows


def _claim(
    claim: Claim,
    rows: Sequence[RowOutcome],
    wrong: _Wrong,
    measured: Sequence[Measured],
    own: Sequence[int],
    level: float,
) -> ClaimOutcome:
    counterfactuals = wrong.outcomes()
    return ClaimOutcome(
        id=claim.id,
        title=claim.title,
        statement=claim.statement,
        paper=claim.paper,
        verdict=verdict_of([row.verdict for row in rows]),
        too_weak=not counterfactuals or not all(one.rejected for one in counterfactuals),
        resolution=max(row.resolution for row in rows),
        level=level,
        margin=claim.margin,
        rows=tuple(rows),
        counterfactuals=counterfactuals,
        seconds=sum(measured[index].seconds for index in own),
        replicates=sum(len(one) for index in own for one in measured[index].samples),
        notes=claim.notes,
        best_resolution=min(row.resolution for row in rows),
        exponent=claim.exponent,
        size_name=claim.size_name,
        location=claim.location,
        observable=claim.observable,
    )


def verdict_of(rows: Sequence[Verdict]) -> Verdict:
    """A claim disagrees if any row does, and agrees if all do.

    >>> verdict_of(["agrees", "inconclusive"])
    'inconclusive'
    """
    if "disagrees" in rows:
        return "disagrees"
    return "agrees" if all(one == "agrees" for one in rows) else "inconclusive"
