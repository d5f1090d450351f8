"""How far a run is, told to whoever watches: its stages, its cells, and how long is left where that is known.

`Progress` is a function of (done cells, cells known so far, label, seconds since the start). A watcher that also has
the methods of `Watcher` hears of stages and estimates; nothing else is asked of it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from widelimit.validate.harness import requests
from widelimit.validate.harness.running.cells import Cell, Done
from widelimit.validate.harness.running.costs import Costs, Forecast
from widelimit.validate.harness.running.points import Place

Progress = Callable[[int, int, str, float], None]
THEORY, PILOT, MAIN, PAGE = "theory", "pilot", "main", "page"


@runtime_checkable
class Watcher(Protocol):
    """Who wants to know more than cells."""

    def stage(self, name: str, work: int, forecast: Forecast | None) -> None:
        """Hear that a stage ("theory", "pilot", "main" or "page") begins, with so many pieces of work.

        `forecast`: seconds that the run takes from here on, None where nobody knows.
        """

    def left(self, seconds: float | None) -> None:
        """Hear how long the present stage takes from here on, before each cell that is told."""


class Teller:
    """Between a run and who watches: keeps what was told, and learns what cells cost."""

    def __init__(self, progress: Progress | None, preset: str, start: float, jobs: int = 1) -> None:
        self.progress, self.preset, self.start, self.jobs = progress, preset, start, jobs
        self.costs = Costs.load()
        self.name = ""
        self._expected = self._spent = self._ahead = 0.0
        self._unknown = 0
        self._first: dict[str, float] = defaultdict(float)
        self._whole: dict[str, float] = defaultdict(float)
        self._computed: list[tuple[Cell, Done]] = []

    def stage(self, places: Sequence[Place], missing: Sequence[Cell]) -> None:
        """Begin the next stage of cells: first the pilots, then what they ask for."""
        self.name = MAIN if self.name in (PILOT, MAIN) else PILOT
        self.costs.learn(self._computed)  # the first stage tells what the second costs
        known = [self.costs.of(cell) for cell in missing]
        self._ahead = sum(cost for cost in known if cost is not None)
        self._unknown = sum(cost is None for cost in known)
        self._expected = self._spent = 0.0
        if self.name == PILOT:
            forecast = self.costs.forecast(self.preset, places, missing)
        else:
            forecast = None if self._unknown else Forecast(self._ahead, self._ahead)
        self._tell("stage", self.name, len(missing), forecast and forecast.over(self.jobs))

    def cell(self, cell: Cell, done: Done, known: int, total: int, fresh: bool) -> None:
        """Tell that a cell is done, and learn from one that was computed just now."""
        if fresh:
            cost = self.costs.of(cell)
            self._unknown -= cost is None
            self._ahead -= cost or 0.0
            self._expected += cost or 0.0
            self._spent += done.seconds if cost is not None else 0.0
            self._computed.append((cell, Done(done.samples[:0], done.seconds)))
            self._whole[cell.id] += done.seconds
            if self.name == PILOT:
                self._first[cell.id] += done.seconds
        self._tell("left", self._left())
        if self.progress:
            requests.told(self.progress, known, total, cell.label, time.perf_counter() - self.start)

    def _left(self) -> float | None:
        """Seconds that the stage still takes, as costs were and as they now turn out; None where some are unknown."""
        if self._unknown > 0:
            return None
        pace = self._spent / self._expected if self._expected > 0 else 1.0
        return max(0.0, self._ahead) * pace / max(1, self.jobs)

    def theory(self, done: int, total: int, label: str) -> None:
        """Tell how far the predictions are that workers were asked for, before there are cells to tell of."""
        self._piece(THEORY, done, total, label)

    def page(self, done: int, total: int, label: str) -> None:
        """Tell how far the page is."""
        self._piece(PAGE, done, total, label)

    def _piece(self, stage: str, done: int, total: int, label: str) -> None:
        if done == 0:
            self.name = stage
            self._tell("stage", stage, total, None)
        self._tell("left", None)
        if self.progress and isinstance(self.progress, Watcher):
            requests.told(self.progress, done, total, label, time.perf_counter() - self.start)

    def learn(self, finished: bool) -> None:
        """Keep what cells cost, for the next run; of a run that was interrupted, only that."""
        if not self._computed:
            return
        self.costs = Costs.load()  # others may have learnt meanwhile
        self.costs.learn(self._computed)
        if finished:
            whole = {claim: seconds for claim, seconds in self._whole.items() if claim in self._first}
            self.costs.learn_stages(self.preset, whole, self._first)
        self.costs.save()
        self._computed = []

    def _tell(self, what: str, *words: object) -> None:
        if isinstance(self.progress, Watcher):
            requests.told(getattr(self.progress, what), *words)
