"""What cells cost on this machine: seconds a replicate by claim and size, learnt from earlier runs.

The table lies in the user's cache folder, as JSON (`numerics.compile.cache.private`). A run learns from the cells that
it computed, and how much its second stage cost over its first; the next one says before its first cell how long it
will take. Nothing that a run measures depends on it.
"""

from __future__ import annotations

import json
import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from widelimit.numerics.compile.cache import private
from widelimit.theory.errors import WidelimitError
from widelimit.validate.harness.running import manifest
from widelimit.validate.harness.running.cells import Cell, Done
from widelimit.validate.harness.running.points import COST, Place

NAME = "costs.json"
_VERSION = 1
_MOST = 20_000  # entries that are kept
_KNOWN = 0.9  # share of the cells whose costs make an estimate
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Forecast:
    """Seconds of work on one core: at least and at most; `unknown` claims have no cost yet."""

    least: float
    most: float
    unknown: tuple[str, ...] = ()

    def over(self, jobs: int) -> Forecast:
        """The same on so many cores."""
        return Forecast(self.least / max(1, jobs), self.most / max(1, jobs), self.unknown)


@dataclass
class Costs:
    """Seconds a replicate, by device, claim and size; and what a whole claim cost over its first stage, by preset."""

    replicate: dict[str, float] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)

    @classmethod
    def load(cls) -> Costs:
        """Read the table; an empty one where there is none, or none that can be read."""
        try:
            body = private.read(NAME)
            found = manifest.json_of(body) if body else {}
            if found.get("version") != _VERSION:
                return cls()
            return cls(_numbers(found["replicate"]), _numbers(found["stages"]))
        except (WidelimitError, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            log.debug("Costs of earlier runs cannot be read: %s", error)
            return cls()

    def save(self) -> None:
        """Write the table; a machine that refuses goes without."""
        content = {"version": _VERSION, "replicate": _newest(self.replicate), "stages": _newest(self.stages)}
        try:
            private.write(NAME, json.dumps(content).encode())
        except (WidelimitError, OSError) as error:
            log.debug("Costs of this run cannot be kept: %s", error)

    def of(self, cell: Cell) -> float | None:
        """Seconds that a cell takes; from its claim's nearest other size where its own has not been seen."""
        known = self.replicate.get(_key(cell.id, cell.size, cell))
        if known is not None:
            return cell.count * known
        start = _key(cell.id, None, cell)
        sizes = {
            int(key.rpartition("@")[2]): value
            for key, value in self.replicate.items()
            if key.startswith(start)
        }
        if not sizes or not cell.size or 0 in sizes:
            return None
        near = min(sizes, key=lambda size: abs(math.log(size / cell.size)))
        return cell.count * sizes[near] * (cell.size / near) ** COST

    def learn(self, computed: Iterable[tuple[Cell, Done]]) -> None:
        """Take what cells cost; half of what was known before stays."""
        spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for cell, done in computed:
            entry = spent[_key(cell.id, cell.size, cell)]
            entry[0] += done.seconds
            entry[1] += cell.count
        for key, (seconds, replicates) in spent.items():
            if replicates and math.isfinite(seconds) and seconds >= 0:
                self.replicate[key] = _half(self.replicate.pop(key, None), seconds / replicates)

    def learn_stages(self, preset: str, whole: Mapping[str, float], first: Mapping[str, float]) -> None:
        """Take how many times its first stage each claim cost in all."""
        for claim, seconds in first.items():
            if seconds > 0:
                key = f"{preset}:{claim}"
                self.stages[key] = _half(self.stages.pop(key, None), max(1.0, whole[claim] / seconds))

    def forecast(self, preset: str, places: Iterable[Place], missing: Iterable[Cell]) -> Forecast | None:
        """How much work is left when the first stage's `missing` cells are; None where too few costs are known.

        What the second stage takes is known from an earlier run, else it is bounded by the plan.
        """
        pilots: dict[str, float] = defaultdict(float)
        count = 0
        unknown: dict[str, int] = defaultdict(int)
        for cell in missing:
            cost = self.of(cell)
            count += 1
            if cost is None:
                unknown[cell.id] += 1
            else:
                pilots[cell.id] += cost
        if count and sum(unknown.values()) > (1 - _KNOWN) * count:
            return None
        least = most = 0.0
        bounds = _bounds(places)
        for claim, seconds in pilots.items():
            ratio = self.stages.get(f"{preset}:{claim}")
            low, high = (ratio, ratio) if ratio is not None else (1.0, bounds.get(claim, 1.0))
            least, most = least + seconds * low, most + seconds * high
        return Forecast(least, most, tuple(unknown))


def _bounds(places: Iterable[Place]) -> dict[str, float]:
    """How many times its first stage a claim can take at most."""
    found: dict[str, float] = {}
    for one in places:
        found[one.found.id] = max(found.get(one.found.id, 1.0), one.plan.most / max(1, one.pilot))
    return found


def _key(claim: str, size: int | None, cell: Cell) -> str:
    device = cell.backend.name.partition(":")[0]
    return f"{device}:{cell.backend.precision}:{claim}@{'' if size is None else size}"


def _half(known: float | None, seen: float) -> float:
    return float(f"{seen if known is None else (known + seen) / 2:.4g}")


def _numbers(found: Any) -> dict[str, float]:
    values = {str(key): float(value) for key, value in dict(found).items()}
    if not all(math.isfinite(value) and value >= 0 for value in values.values()):
        raise ValueError("costs have to be numbers of zero or more")
    return values


def _newest(table: Mapping[str, float]) -> dict[str, float]:
    """What was learnt last stands last."""
    return dict(list(table.items())[-_MOST:])
