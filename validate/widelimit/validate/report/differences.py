"""What two reports say differently: verdicts that flipped, and numbers that moved by more than their errors.

`compare(old, new)` matches claims by their ids and numbers by their inputs. A number has moved where old and new
measurement differ by more than both errors together account for, at a level that holds over all numbers compared
(Bonferroni); a prediction has moved where it is another number. Runs that share replicates measure the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from widelimit.validate.harness.outcome import ClaimOutcome, RowOutcome, RunOutcome

LEVEL = 0.05
_SAME = 1e-9  # relative: predictions that rounding alone tells apart


@dataclass(frozen=True)
class Flip:
    """A verdict that is another one; `inputs` of one number, None for the claim's own verdict."""

    claim: str
    old: str
    new: str
    inputs: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Move:
    """A number that is another one: `what` is "measured" or "predicted", `errors` how many standard errors apart."""

    claim: str
    inputs: Mapping[str, Any]
    what: str
    old: float
    new: float
    errors: float


@dataclass(frozen=True)
class Comparison:
    """All that two reports say differently; `numbers` were compared, each at `threshold` standard errors."""

    flipped: tuple[Flip, ...]
    moved: tuple[Move, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    claims: tuple[str, ...]
    numbers: int
    unmatched: int
    threshold: float
    settings: tuple[str, ...] = ()


def compare(old: RunOutcome, new: RunOutcome, level: float = LEVEL) -> Comparison:
    """Compare two reports, whichever schema they were written in."""
    before, after = ({claim.id: claim for claim in one.claims} for one in (old, new))
    both = [name for name in before if name in after]
    pairs, unmatched = [], 0
    for name in both:
        found, alone = _matched(before[name], after[name])
        pairs += [(name, one, other) for one, other in found]
        unmatched += alone
    threshold = _threshold(level, max(1, len(pairs)))
    flips = [flip for name in both if (flip := _claim_flip(before[name], after[name]))]
    flips += [Flip(name, a.verdict, b.verdict, b.inputs) for name, a, b in pairs if a.verdict != b.verdict]
    return Comparison(
        tuple(flips),
        tuple(move for name, a, b in pairs for move in _moves(name, a, b, level / max(1, len(pairs)))),
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        tuple(both),
        len(pairs),
        unmatched,
        threshold,
        _settings(old, new),
    )


def _claim_flip(old: ClaimOutcome, new: ClaimOutcome) -> Flip | None:
    said = [claim.verdict + (", too weak" if claim.too_weak else "") for claim in (old, new)]
    return Flip(old.id, said[0], said[1]) if said[0] != said[1] else None


def _matched(old: ClaimOutcome, new: ClaimOutcome) -> tuple[list[tuple[RowOutcome, RowOutcome]], int]:
    """Numbers with the same inputs and label, and how many have no partner; several alike are taken in order."""
    waiting: dict[str, list[RowOutcome]] = {}
    for row in old.rows:
        waiting.setdefault(_key(row), []).append(row)
    pairs, alone = [], 0
    for row in new.rows:
        partners = waiting.get(_key(row))
        if partners:
            pairs.append((partners.pop(0), row))
        else:
            alone += 1
    return pairs, alone + sum(map(len, waiting.values()))


def _key(row: RowOutcome) -> str:
    """Inputs as text: whole numbers and floats of one value are the same input."""
    plain = {
        name: float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        for name, value in row.inputs.items()
    }
    return json.dumps([plain, sorted(row.label)], sort_keys=True, default=str)


def _moves(name: str, old: RowOutcome, new: RowOutcome, level: float) -> list[Move]:
    found = []
    size = max(abs(old.predicted), abs(new.predicted), 1e-300)
    if not _equal(old.predicted, new.predicted) and not abs(new.predicted - old.predicted) <= _SAME * size:
        found.append(Move(name, new.inputs, "predicted", old.predicted, new.predicted, math.inf))
    apart = _apart(old, new)
    if apart > _threshold(level, 1, _freedom(old, new)):
        found.append(Move(name, new.inputs, "measured", old.measured, new.measured, apart))
    return found


def _equal(old: float, new: float) -> bool:
    return old == new or (math.isnan(old) and math.isnan(new))


def _apart(old: RowOutcome, new: RowOutcome) -> float:
    """The difference in standard errors of both together; exact numbers that differ are infinitely far apart."""
    if _equal(old.measured, new.measured):
        return 0.0
    error = math.hypot(old.standard_error, new.standard_error)
    difference = abs(new.measured - old.measured)
    if math.isnan(difference):
        return math.inf
    if error > 0:
        return difference / error
    return 0.0 if difference <= _SAME * max(abs(old.measured), abs(new.measured)) else math.inf


def _freedom(old: RowOutcome, new: RowOutcome) -> float:
    known = [row.degrees_of_freedom for row in (old, new) if row.standard_error > 0]
    return max(1.0, min((value for value in known if value > 0), default=math.inf))


def _threshold(level: float, numbers: int, freedom: float = math.inf) -> float:
    from scipy.stats import norm, t

    share = level / numbers / 2
    return float(norm.isf(share) if math.isinf(freedom) else t.isf(share, freedom))


def _settings(old: RunOutcome, new: RunOutcome) -> tuple[str, ...]:
    """Settings in which the two runs differ, in words: what their verdicts mean may differ with them."""
    names = ("preset", "seed", "precision", "device", "inputs")
    pairs = [(name, old.manifest.get(name), new.manifest.get(name)) for name in names]
    pairs = [("level", old.level, new.level), *pairs]
    return tuple(f"{name} {a} and {b}" for name, a, b in pairs if a != b)
