"""Would this run have caught an error? Errors are planted in predictions, and the same samples judged again.

Each predicted number of a claim is moved up and down by so many times the claim's own `within` (by so many margins,
where there is no noise), one number at a time, and all of them together are scaled up and down. Caught is what is not
called `agrees` any more. The rest of the page stays as it is: same data, same margins, same families of tests, same
levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.claim import Inputs
from widelimit.validate.harness.judging import Family, verdict_of
from widelimit.validate.harness.outcome import ClaimOutcome, RunOutcome, Verdict

TIMES = 2.0  # the claim's own within
_VERDICTS: tuple[tuple[Verdict, Verdict], ...] = (("inconclusive", "disagrees"), ("agrees", "differs"))


@by_value
@dataclass(frozen=True)
class Planted:
    """An error of `size`, relative to the scale, in one number of a claim (its `inputs`) or in `all` of them.

    `verdict` is that on the number, of all numbers the claim's; `caught`: it is not `agrees`.
    """

    size: float
    inputs: Inputs
    all: bool
    verdict: Verdict

    @property
    def caught(self) -> bool:
        """Whether the error would have been seen."""
        return self.verdict != "agrees"


@by_value
@dataclass(frozen=True)
class Audit:
    """What was planted in a claim that agrees within `within`, each error of `size` relative to the scale."""

    claim: str
    within: float
    size: float
    planted: tuple[Planted, ...]

    @property
    def caught(self) -> int:
        """How many errors were caught."""
        return sum(one.caught for one in self.planted)

    @property
    def share(self) -> float:
        """The share of errors that were caught."""
        return self.caught / len(self.planted) if self.planted else 0.0

    @property
    def missed(self) -> tuple[Planted, ...]:
        """The errors that nobody would have noticed."""
        return tuple(one for one in self.planted if not one.caught)


def audit(
    outcome: RunOutcome, claims: Sequence[str] = (), *, times: float = TIMES, size: float | None = None
) -> tuple[Audit, ...]:
    """Plant errors in claims of a run, all of them by default.

    Args:
        outcome: the run.
        claims: ids of its claims.
        times: how large errors are, in the claim's own within.
        size: how large they are relative to the scale, in place of that.

    Raises `ArgumentError` for claims that the run does not have, and sizes that are not positive.
    """
    for name, value in (("times", times), ("size", size)):
        if value is not None and not (value > 0 and np.isfinite(value)):
            raise ArgumentError(name, "must be positive", value)
    known = [one.id for one in outcome.claims]
    for wanted in claims:
        if wanted not in known:
            shown = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
            raise ArgumentError(
                "claim", "must be one that the run has tested", wanted, f"It has {shown or 'none'}."
            )
    family = Family.of([row for claim in outcome.claims for row in claim.rows], outcome.level)
    found, start = [], 0
    for claim in outcome.claims:
        own = slice(start, start + len(claim.rows))
        start = own.stop
        if not claims or claim.id in claims:
            # of numbers without noise, what the margin leaves to rounding is no error
            least = 0.0 if family.estimate.standard_error[own].any() else claim.margin
            found.append(
                _audit(claim, family, own, max(claim.within, least) * times if size is None else size)
            )
    return tuple(found)


def _audit(claim: ClaimOutcome, family: Family, own: slice, size: float) -> Audit:
    if not claim.rows or not np.isfinite(size):
        return Audit(claim.id, claim.within, size, ())
    many, scale, side = len(claim.rows), family.scale[own], family.side[own]
    moved: list[np.ndarray] = []
    places: list[tuple[int, int | None]] = []  # sign, and the number that is moved: None where all are
    for sign in (1, -1):
        # a one-sided statement that says less is no error
        says = np.flatnonzero(sign * side >= 0)
        moved += [sign * size * scale * (np.arange(many) == index) for index in says]
        places += [(sign, int(index)) for index in says]
        if len(says) == many:
            moved.append(sign * size * np.abs(family.predicted[own]))
            places.append((sign, None))
    predicted = np.repeat(family.predicted[None], len(moved), axis=0)
    predicted[:, own] += np.array(moved)
    equivalent, different = (found[:, own] for found in family.verdicts(predicted))
    planted = []
    for (sign, index), same, off in zip(places, equivalent, different, strict=True):
        verdicts = [_VERDICTS[int(a)][int(b)] for a, b in zip(same, off, strict=True)]
        if index is None:
            planted.append(Planted(sign * size, {}, True, verdict_of(verdicts)))
        else:
            planted.append(Planted(sign * size, dict(claim.rows[index].inputs), False, verdicts[index]))
    return Audit(claim.id, claim.within, size, tuple(planted))
