"""Where a claim is tested: which cells measure it there (`Place`), what theory says (`Theory`), both (`Point`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate.harness import faults
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.claim import Claim, Compare, Counterfactual, Inputs, Plan
from widelimit.validate.harness.claim_checks import comparison, scalars
from widelimit.validate.harness.finding import Source
from widelimit.validate.harness.running.cells import Cell
from widelimit.validate.harness.seeds import FILE
from widelimit.validate.harness.statistics.stages import COST, replicates_for, two_stage

_FAR = 2.0  # margins; closer than that, a wrong theory of finite sizes is none for a claim to reject


@dataclass(frozen=True)
class Place:
    """Where a claim is tested, and so by which cells; `index` counts the claim's points. It travels to workers."""

    found: Source | Claim
    plan: Plan
    index: int
    inputs: Inputs
    backend: Backend
    run_seed: int = 0
    code: str = ""

    @property
    def claim(self) -> Claim:
        """The claim, wherever it was found."""
        return self.found.claim() if isinstance(self.found, Source) else self.found

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes to simulate at; a single 0 where the claim has no limit."""
        return tuple(self.plan.sizes) or (0,)

    @property
    def pilot(self) -> int:
        """Replicates of the first stage: the whole plan where it has only one."""
        return self.plan.pilot if two_stage(self.plan.pilot, self.plan.most) else self.plan.most

    def cells(self, first: int, last: int | Mapping[int, int]) -> Iterator[Cell]:
        """The cells of replicates `first` to `last` (of each size), the largest and slowest size first.

        A cell of a smaller size holds as many more replicates as they cost less.
        """
        for size in sorted(self.sizes, reverse=True):
            block = max(1, int(self.plan.block * (max(self.sizes) / size if size else 1.0) ** COST))
            end = last if isinstance(last, int) else last[size]
            for start in range(first, end, block):
                count = min(block, end - start)
                yield Cell(
                    self.found, self.inputs, size, start, count, self.backend, self.run_seed, self.code
                )


@by_value
@dataclass(frozen=True, kw_only=True)
class Theory:
    """What theory says at a place; it travels back from workers: k predictions, absolute margins and row labels.

    `wrong`: what each counterfactual predicts there, None where it is the true theory or says nothing. `shifts`: what
    the theory predicts of each size less its limit, (sizes, k), None where it does not say; `astray`: what a wrong
    theory that says so itself predicts of each size less what the right one does.
    """

    predicted: np.ndarray
    margin: np.ndarray
    scale: np.ndarray
    labels: tuple[Inputs, ...]
    wrong: tuple[np.ndarray | None, ...]
    compare: tuple[Compare, ...]
    shifts: np.ndarray | None = None
    astray: tuple[np.ndarray | None, ...] = ()


@by_value
@dataclass(frozen=True)
class Point(Place, Theory):
    """A place with what theory says there."""

    @classmethod
    def of(cls, place: Place, theory: Theory) -> Point:
        """Put both together."""
        return cls(**vars(place), **vars(theory))

    def replicates(self, pilot: Sequence[np.ndarray], level: float, rows: int) -> dict[int, int]:
        """How many replicates of each size the pilot's variance asks for; `rows` are those of the whole run."""
        plan = self.plan
        if not two_stage(plan.pilot, plan.most):
            return dict.fromkeys(self.sizes, plan.most)
        needed = replicates_for(
            pilot,
            self.margin if plan.within is None else plan.within * self.scale,
            plan.sizes,
            self.claim.exponent,
            most=plan.most,
            level=level,
            rows=rows,
            block=max(1, plan.block),
            location=self.claim.location,
            pooled=self.shifts is not None,
        )
        return dict(zip(self.sizes, map(int, needed), strict=True))


def predicted(place: Place) -> Theory:
    """Evaluate the prediction at a place and check that the claim is sound there.

    Raises, in one sentence with the claim, the file and the line, `faults.ClaimError` (a user's claim) or
    `InternalError` (one of ours) for functions that fail, predictions that are not finite, labels that do not match
    and a margin that is not positive; errors of the theory (`DomainError`) pass through.
    """
    claim, plan, inputs = place.claim, place.plan, place.inputs
    _check(claim, plan)
    at = faults.said(inputs)
    labels = _labels(claim, inputs, at)
    numbers = _numbers(claim, "predict", claim.predict, inputs, len(labels), at)
    scale = _scale(claim, numbers, at)
    margin = claim.margin * scale
    wrong = tuple(_wrong(claim, one, inputs, len(labels), at) for one in claim.counterfactuals)
    finite = _finite(claim, plan, inputs, len(labels))
    astray = tuple(_astray(claim, plan, one, inputs, finite) for one in claim.counterfactuals)
    wrong = tuple(
        said if one.predict_at is None or (off is not None and _far(off, plan, margin)) else None
        for one, said, off in zip(claim.counterfactuals, wrong, astray, strict=True)
    )
    return Theory(
        predicted=numbers,
        margin=margin,
        scale=scale,
        labels=labels,
        wrong=wrong,
        compare=_compare(claim, inputs, len(labels), at),
        shifts=None if finite is None else finite - numbers,
        astray=astray,
    )


def with_file(plan: Plan, path: Path) -> Plan:
    """Let the points that start from data start from rows of a user's matrix instead.

    The n-th such point takes rows 2n and 2n + 1, from the top again where the matrix ends. Raises
    `InputError` for a file that is no matrix of two rows or more. A plan without such points is returned as
    it is.
    """
    from widelimit.validate.harness.inputs import load_matrix

    pairs = len(load_matrix(path)) // 2
    points: list[Inputs] = []
    changed = 0
    for inputs in plan.points:
        if "data" in inputs:
            row = 2 * (changed % pairs)
            inputs = {**inputs, "data": f"{FILE}{path.resolve()}:{row}:{row + 1}"}
            changed += 1
        if inputs not in points:
            points.append(inputs)
    return replace(plan, points=tuple(points)) if changed else plan


def _labels(claim: Claim, inputs: Inputs, at: str) -> tuple[Inputs, ...]:
    found = faults.called(claim, "rows", claim.rows, inputs, at=at)
    try:
        return tuple(scalars("rows", label) for label in found)
    except (TypeError, ArgumentError) as error:
        what = f"returned {type(found).__name__}" if isinstance(error, TypeError) else f"is wrong: {error}"
        raise faults.fault(claim, "rows", claim.rows, what, at) from error


def _compare(claim: Claim, inputs: Inputs, rows: int, at: str) -> tuple[Compare, ...]:
    """How each number is compared with its prediction."""
    if not callable(claim.compare):
        return (claim.compare,) * rows
    found = faults.called(claim, "compare", claim.compare, inputs, at=at)
    try:
        for one in (said := tuple(found)):
            comparison(one)
    except (TypeError, ArgumentError) as error:
        what = f"returned {type(found).__name__}" if isinstance(error, TypeError) else f"is wrong: {error}"
        raise faults.fault(claim, "compare", claim.compare, what, at) from error
    if len(said) != rows:
        what = f"returned {len(said)} comparisons, but `rows` names {rows}"
        raise faults.fault(claim, "compare", claim.compare, what, at)
    return said


def _numbers(
    claim: Claim,
    role: str,
    function: Callable[..., np.ndarray],
    inputs: Inputs,
    rows: int,
    at: str,
    *size: int,
) -> np.ndarray:
    """What a theory predicts, of the limit or of a size: as many finite numbers as there are rows."""
    found = faults.called(claim, role, function, inputs, *size, at=at)
    values = np.atleast_1d(faults.numbers(claim, role, function, found, at))
    if values.shape != (rows,):
        what = f"returned numbers of shape {values.shape}, but `rows` names {rows}"
        raise faults.fault(claim, role, function, what, at)
    if not np.isfinite(values).all():
        raise faults.fault(claim, role, function, f"returned numbers that are not finite: {values}", at)
    return values


def _scale(claim: Claim, predicted: np.ndarray, at: str) -> np.ndarray:
    if claim.scale is None:
        if not predicted.all():
            what = "returned 0, around which a relative margin is empty; the claim needs a `scale`"
            raise faults.fault(claim, "predict", claim.predict, what, at)
        return np.abs(predicted)
    found = faults.called(claim, "scale", claim.scale, predicted, at=at)
    values = faults.numbers(claim, "scale", claim.scale, found, at)
    if values.shape not in ((), (1,), predicted.shape) or not (np.isfinite(values) & (values > 0)).all():
        what = f"returned {values}, not {len(predicted)} positive numbers"
        raise faults.fault(claim, "scale", claim.scale, what, at)
    return np.broadcast_to(values, predicted.shape)


def _wrong(claim: Claim, one: Counterfactual, inputs: Inputs, rows: int, at: str) -> np.ndarray | None:
    """The wrong prediction at a point; None where it is the true one, or says nothing."""
    if not faults.called(claim, f"{one.name}.applies", one.applies, inputs, at=at):
        return None
    try:
        return _numbers(claim, f"{one.name}.predict", one.predict, inputs, rows, at)
    except DomainError:
        return None


def _finite(claim: Claim, plan: Plan, inputs: Inputs, rows: int) -> np.ndarray | None:
    """What the theory predicts of each size, in the plan's order; None where it speaks of the limit alone."""
    if claim.predict_at is None or not plan.sizes:
        return None
    return _at_sizes(claim, "predict_at", claim.predict_at, plan, inputs, rows)


def _astray(
    claim: Claim, plan: Plan, one: Counterfactual, inputs: Inputs, finite: np.ndarray | None
) -> np.ndarray | None:
    """How far a wrong theory that speaks of each size itself is from the right one there."""
    if finite is None or one.predict_at is None:
        return None
    return _at_sizes(claim, f"{one.name}.predict_at", one.predict_at, plan, inputs, finite.shape[1]) - finite


def _at_sizes(
    claim: Claim,
    role: str,
    function: Callable[[Inputs, int], np.ndarray],
    plan: Plan,
    inputs: Inputs,
    rows: int,
) -> np.ndarray:
    found = [
        _numbers(claim, role, function, inputs, rows, faults.said(inputs, size), size) for size in plan.sizes
    ]
    return np.stack(found)


def _far(off: np.ndarray, plan: Plan, margin: np.ndarray) -> bool:
    """Whether a wrong theory is another one at the largest size: there it differs least."""
    return bool(np.max(np.abs(off[int(np.argmax(plan.sizes))]) / margin) > _FAR)


def _check(claim: Claim, plan: Plan) -> None:
    if plan.most < plan.pilot or plan.pilot < 1:
        raise ArgumentError("plan", "must have 1 <= pilot <= most", (plan.pilot, plan.most), claim.id)
    if plan.sizes and plan.most < 2:
        raise ArgumentError("plan", "must have two replicates or more at each size", plan.most, claim.id)
    if len(set(plan.sizes)) != len(plan.sizes) or any(size < 1 for size in plan.sizes):
        raise ArgumentError("plan", "must have sizes that are positive and differ", plan.sizes, claim.id)
