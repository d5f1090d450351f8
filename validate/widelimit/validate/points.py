"""One point of a claim: what the theory predicts there, and which cells measure it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError, InternalError
from widelimit.validate.backend import Backend
from widelimit.validate.cells import Cell
from widelimit.validate.claim import Claim, Inputs, Plan
from widelimit.validate.claims import Source
from widelimit.validate.seeds import FILE
from widelimit.validate.statistics_stages import replicates_for, two_stage


@by_value
@dataclass(frozen=True)
class Point:
    """A point with its k predictions, absolute margins and row labels; `index` counts the claim's points."""

    claim: Claim
    plan: Plan
    index: int
    inputs: Inputs
    predicted: np.ndarray
    margin: np.ndarray
    scale: np.ndarray
    labels: tuple[Inputs, ...]
    backend: Backend
    found: Source | Claim
    run_seed: int = 0
    code: str = ""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes to simulate at; a single 0 where the claim has no limit."""
        return tuple(self.plan.sizes) or (0,)

    @property
    def pilot(self) -> int:
        """Replicates of the first stage: the whole plan where it has only one."""
        return self.plan.pilot if two_stage(self.plan.pilot, self.plan.most) else self.plan.most

    def cells(self, first: int, last: int) -> Iterator[Cell]:
        """The cells of replicates `first` to `last`, the largest (and slowest) size first."""
        block = max(1, self.plan.block)
        for size in sorted(self.sizes, reverse=True):
            for start in range(first, last, block):
                count = min(block, last - start)
                yield Cell(
                    self.found, self.inputs, size, start, count, self.backend, self.run_seed, self.code
                )

    def replicates(self, pilot: Sequence[np.ndarray], level: float, rows: int) -> int:
        """How many replicates the pilot's variance asks for; `rows` are those of the whole run."""
        if not two_stage(self.plan.pilot, self.plan.most):
            return self.plan.most
        needed = replicates_for(
            pilot,
            self.margin,
            self.plan.sizes,
            self.claim.exponent,
            most=self.plan.most,
            level=level,
            rows=rows,
            block=max(1, self.plan.block),
            location=self.claim.location,
        )
        return int(needed)


def point(
    claim: Claim,
    plan: Plan,
    index: int,
    inputs: Inputs,
    backend: Backend,
    *,
    found: Source | Claim | None = None,
    run_seed: int = 0,
    code: str = "",
) -> Point:
    """Evaluate the prediction and check that the claim is sound there.

    Raises `InternalError`, with the claim and the inputs, for predictions that are not finite, labels that
    do not match, and a margin that is not positive; errors of the theory (`DomainError`) pass through.
    """
    where = f"{claim.id} at {dict(inputs)}"
    _check(claim, plan)
    predicted = np.atleast_1d(np.asarray(claim.predict(inputs), dtype=float))
    labels = tuple(dict(label) for label in claim.rows(inputs))
    if predicted.ndim != 1 or len(labels) != len(predicted):
        raise InternalError(f"Claim {where} predicts shape {predicted.shape} but names {len(labels)} rows.")
    if not np.isfinite(predicted).all():
        raise InternalError(f"Claim {where} predicts numbers that are not finite: {predicted}.")
    scale = np.abs(predicted) if claim.scale is None else np.asarray(claim.scale(predicted), dtype=float)
    scale = np.broadcast_to(scale, predicted.shape)
    margin = claim.margin * scale
    if not (np.isfinite(margin) & (margin > 0)).all():
        raise InternalError(f"Claim {where} has a margin that is not positive; it needs a `scale`.")
    return Point(
        claim,
        plan,
        index,
        dict(inputs),
        predicted,
        margin,
        scale,
        labels,
        backend,
        found if found is not None else claim,
        run_seed,
        code,
    )


def with_file(plan: Plan, path: Path) -> Plan:
    """Let the points that start from data start from rows of a user's matrix instead.

    The n-th such point takes rows 2n and 2n + 1, from the top again where the matrix ends. Raises
    `InputError` for a file that is no matrix of two rows or more. A plan without such points is returned as
    it is.
    """
    from widelimit.validate.inputs import load_matrix

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


def _check(claim: Claim, plan: Plan) -> None:
    if plan.most < plan.pilot or plan.pilot < 1:
        raise ArgumentError("plan", "must have 1 <= pilot <= most", (plan.pilot, plan.most), claim.id)
    if plan.sizes and plan.most < 2:
        raise ArgumentError("plan", "must have two replicates or more at each size", plan.most, claim.id)
    if len(set(plan.sizes)) != len(plan.sizes) or any(size < 1 for size in plan.sizes):
        raise ArgumentError("plan", "must have sizes that are positive and differ", plan.sizes, claim.id)
