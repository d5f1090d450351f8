"""Both stages of points: pilots for all of them first, then what their variances ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.harness import faults
from widelimit.validate.harness.running.cells import Cell, Done
from widelimit.validate.harness.running.points import Place, Point, Theory
from widelimit.validate.harness.statistics import residuals
from widelimit.validate.harness.statistics.limit import Estimate, extrapolate, fitted
from widelimit.validate.harness.statistics.stages import two_stage

Compute = Callable[[Sequence[Cell]], Mapping[str, Done]]


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
        claim, sizes = self.point.claim, self.point.plan.sizes
        return extrapolate(
            self.samples,
            sizes,
            claim.exponent,
            pilot=self._pilot,
            location=claim.location,
            shifts=self.point.shifts,
        )

    @property
    def free(self) -> Estimate | None:
        """The limit of each row by extrapolation alone: a check where the estimate is pooled, None where it is not."""
        claim, sizes = self.point.claim, self.point.plan.sizes
        if self.point.shifts is None or len(sizes) < 2:
            return None
        return extrapolate(self.samples, sizes, claim.exponent, pilot=self._pilot, location=claim.location)

    @property
    def wrong(self) -> tuple[np.ndarray | None, ...]:
        """What each wrong theory predicts of the estimate.

        Of one that speaks of each size itself, that is the right prediction plus what it is off by, pooled as the sizes
        are.
        """
        astray = self.point.astray or (None,) * len(self.point.wrong)
        return tuple(
            said if said is None or off is None else self.point.predicted + (self._weights * off).sum(0)
            for said, off in zip(self.point.wrong, astray, strict=True)
        )

    @property
    def _weights(self) -> np.ndarray:
        """What each size counts in a pooled estimate."""
        claim, sizes = self.point.claim, self.point.plan.sizes
        if len(sizes) < 2:
            return np.ones((1, len(self.point.predicted)))
        return fitted(self.samples, sizes, claim.exponent, self._pilot, pooled=True).for_limit

    def overlap(self, rows: np.ndarray, *, curve: bool = False) -> float:
        """How correlated some rows are (`residuals.overlap`): of their limits, or of what tests the finite-size law."""
        claim, sizes = self.point.claim, self.point.plan.sizes
        return residuals.overlap(
            [samples[:, rows] for samples in self.samples],
            sizes,
            claim.exponent,
            pilot=self._pilot,
            location=claim.location,
            curve=curve,
            pooled=self.point.shifts is not None,
            freedom=self.estimate.degrees_of_freedom[rows],
        )

    @property
    def _pilot(self) -> int | None:
        """The replicates that fixed how many there are, if the plan has two stages."""
        plan = self.point.plan
        return plan.pilot if two_stage(plan.pilot, plan.most) else None


def measure(
    places: Sequence[Place],
    theory: Callable[[], Sequence[Theory]],
    compute: Compute,
    level: float,
    rows: int | None = None,
) -> list[Measured]:
    """Simulate at places; `compute` runs cells and returns results by `Cell.key`, these and those of before.

    `theory` returns what is predicted at the places; it is asked behind the pilots, which do not depend on it. `level`
    is that at which `rows` are judged together, by default those of the places.
    """
    results = compute([cell for one in places for cell in one.cells(0, one.pilot)])
    points = [Point.of(*both) for both in zip(places, theory(), strict=True)]
    rows = sum(len(one.predicted) for one in points) if rows is None else rows
    totals = []
    for one in points:
        pilot = [_samples(one, size, dict.fromkeys(one.sizes, one.pilot), results)[0] for size in one.sizes]
        totals.append(one.replicates(pilot, level, rows))
    staged = list(zip(points, totals, strict=True))
    results = compute([cell for one, total in staged for cell in one.cells(one.pilot, total)])
    measured = []
    for one, total in staged:
        parts = [_samples(one, size, total, results) for size in one.sizes]
        samples = tuple(part[0] for part in parts)
        measured.append(Measured(one, samples, sum(part[1] for part in parts)))
    return measured


def _samples(
    point: Point, size: int, count: Mapping[int, int], results: Mapping[str, Done]
) -> tuple[np.ndarray, float]:
    """The first replicates of a point at a size, of which there are `count`, in order, and the seconds they took."""
    cells = [*point.cells(0, point.pilot), *point.cells(point.pilot, count)]
    parts = [results[cell.key] for cell in cells if cell.size == size]
    samples = np.concatenate([part.samples for part in parts])
    if samples.shape[1] != len(point.predicted):
        what = f"returned {samples.shape[1]} numbers a replicate, but `rows` names {len(point.predicted)}"
        raise faults.fault(point.claim, "simulate", point.claim.simulate, what, faults.said(point.inputs))
    return samples, sum(part.seconds for part in parts)
