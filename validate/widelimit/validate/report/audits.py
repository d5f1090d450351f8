"""The table of planted errors: what a run would have caught (`harness.audit`)."""

from __future__ import annotations

from dataclasses import dataclass

from widelimit.validate.harness.audit import TIMES, audit
from widelimit.validate.harness.outcome import RunOutcome
from widelimit.validate.report.numbers import percent

SIZE = 0.02  # an error of two per cent, in each claim in turn
EXPLAINED = (
    "Errors planted in predictions, each number moved up and down and all of them scaled, judged again on the same "
    "samples. Caught is what is not called agrees any more."
)


@dataclass(frozen=True)
class AuditRow:
    """One claim: errors of twice its own within, and of two per cent, that were caught; as text."""

    claim: str
    within: str
    error: str
    own: str
    fixed: str


def table(outcome: RunOutcome) -> tuple[AuditRow, ...]:
    """A line a claim that has numbers."""
    pairs = zip(audit(outcome), audit(outcome, size=SIZE), strict=True)
    return tuple(
        AuditRow(
            own.claim,
            percent(own.within),
            percent(own.size),
            f"{own.caught}/{len(own.planted)}",
            f"{fixed.caught}/{len(fixed.planted)}",
        )
        for own, fixed in pairs
        if own.planted
    )


def heads() -> tuple[str, ...]:
    """The heads of the columns.

    >>> heads()[-1]
    'caught of 2 %'
    """
    return ("claim", "within", f"{TIMES:g} within", "caught of those", f"caught of {percent(SIZE)}")


def cells(row: AuditRow) -> tuple[str, ...]:
    """The cells of a line."""
    return (row.claim, row.within, row.error, row.own, row.fixed)
