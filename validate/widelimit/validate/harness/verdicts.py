"""From the samples of a run to the outcomes of its claims; `judging` has the verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from widelimit.validate.harness.judging import judged
from widelimit.validate.harness.outcome import (
    ClaimOutcome,
    CounterfactualOutcome,
    CounterfactualRow,
    Fit,
    RowOutcome,
    SizeSummary,
)
from widelimit.validate.harness.running.measure import Measured
from widelimit.validate.harness.statistics import residuals


def conclude(measured: Sequence[Measured], level: float) -> tuple[ClaimOutcome, ...]:
    """Judge all rows of a run and put together the outcome of each claim (points of a claim next to each other)."""
    return judged(observed(measured, level), level)


def observed(measured: Sequence[Measured], level: float) -> tuple[ClaimOutcome, ...]:
    """Put together what was measured of each claim, not yet judged: every row is inconclusive."""
    groups = groupby(measured, key=lambda one: one.point.claim.id)
    return tuple(_claim(list(own), level) for _, own in groups)


def _claim(own: Sequence[Measured], level: float) -> ClaimOutcome:
    claim = own[0].point.claim
    return ClaimOutcome(
        id=claim.id,
        title=claim.title,
        statement=claim.statement,
        paper=claim.paper,
        verdict="inconclusive",
        too_weak=False,
        resolution=float("inf"),
        level=level,
        margin=claim.margin,
        rows=tuple(row for one in own for row in _rows(one)),
        counterfactuals=tuple(
            CounterfactualOutcome(one.name, one.explanation, False, 0, 0)
            for index, one in enumerate(claim.counterfactuals)
            if one.predict_at is None or any(each.point.wrong[index] is not None for each in own)
        ),
        seconds=sum(one.seconds for one in own),
        replicates=sum(len(part) for one in own for part in one.samples),
        notes=claim.notes,
        best_resolution=float("inf"),
        exponent=claim.exponent,
        size_name=claim.size_name,
        location=claim.location,
        observable=claim.observable,
        residuals=_fit(own),
        law=_law(own),
    )


def _fit(own: Sequence[Measured]) -> Fit | None:
    """Whether residuals are as large as their errors say: of rows compared as equal, which alone have residuals."""
    deviates, overlaps = [], 0.0
    for one in own:
        estimate = one.estimate
        equal = np.array([how == "equal" for how in one.point.compare], dtype=bool)
        chosen = equal & (estimate.standard_error > 0)
        if chosen.any():
            residual = (estimate.limit - one.point.predicted)[chosen] / estimate.standard_error[chosen]
            deviates.append(residuals.normal(residual, estimate.degrees_of_freedom[chosen]))
            overlaps += one.overlap(chosen)
    return residuals.sum_of_squares(np.concatenate(deviates), overlaps) if deviates else None


def _law(own: Sequence[Measured]) -> Fit | None:
    """Whether deviations from the finite-size law are: None where there are too few sizes to tell."""
    deviates, overlaps = [], 0.0
    for one in own:
        estimate = one.estimate
        chosen = estimate.standard_error > 0
        if len(one.samples) > (2 if one.point.shifts is None else 1) and chosen.any():
            deviates.append(residuals.of_p(estimate.lack_of_fit[chosen]))
            overlaps += one.overlap(chosen, curve=True)
    return residuals.sum_of_squares(np.concatenate(deviates), overlaps) if deviates else None


def _rows(measured: Measured) -> Iterator[RowOutcome]:
    """The numbers of a point, with what they are judged by."""
    point, estimate, free, wrong = measured.point, measured.estimate, measured.free, measured.wrong
    sloped = estimate if free is None else free
    for number, label in enumerate(point.labels):
        limit = float(estimate.limit[number])
        yield RowOutcome(
            inputs={**point.inputs, **label},
            predicted=float(point.predicted[number]),
            measured=limit,
            standard_error=float(estimate.standard_error[number]),
            low=limit,
            high=limit,
            degrees_of_freedom=float(estimate.degrees_of_freedom[number]),
            margin=float(point.margin[number]),
            slope=float(sloped.slope[number]),
            slope_error=float(sloped.slope_error[number]),
            p_equivalence=1.0,
            p_difference=1.0,
            verdict="inconclusive",
            resolution=float("inf"),
            needed_replicates=None,
            sizes=tuple(
                SizeSummary(
                    size,
                    len(samples),
                    float(estimate.means[which, number]),
                    float(estimate.errors[which, number]),
                    None
                    if point.shifts is None
                    else float(point.predicted[number] + point.shifts[which, number]),
                )
                for which, (size, samples) in enumerate(zip(point.sizes, measured.samples, strict=True))
            ),
            counterfactuals=tuple(
                CounterfactualRow(one.name, float(said[number]), 1.0, False)
                for one, said in zip(point.claim.counterfactuals, wrong, strict=True)
                if said is not None
            ),
            lack_of_fit=float(estimate.lack_of_fit[number]),
            point=point.index,
            label=label,
            shift=float(estimate.shift[number]),
            scale=float(point.scale[number]),
            compare=point.compare[number],
            free=None if free is None else float(free.limit[number]),
            free_error=None if free is None else float(free.standard_error[number]),
        )
