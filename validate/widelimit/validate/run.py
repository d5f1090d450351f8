"""A run from end to end: claims -> points -> pilot cells -> second-stage cells -> verdicts -> files.

claims.sources     patterns -> where the claims are
points.Place       claim, inputs -> cells
predictions        places -> what theory says there, worked out beside the first cells
together           what earlier runs into the folder found out
executors.drive    cells -> samples, stored one by one (`store`), found there when a run is repeated
Point.replicates   pilot samples -> how many more replicates
verdicts.observed  all samples -> what was measured
together.joined    what was measured now and earlier -> outcomes, with levels over the whole page
dataset, manifest, report   outcomes -> results.nc, manifest.json, index.html
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from widelimit.theory.errors import ArgumentError
from widelimit.validate import together
from widelimit.validate.harness import dataset, requests
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.claim import Claim, Preset
from widelimit.validate.harness.finding import Source, sources
from widelimit.validate.harness.outcome import RunOutcome
from widelimit.validate.harness.provenance import fingerprint
from widelimit.validate.harness.running import atomic, manifest
from widelimit.validate.harness.running.cells import Cell, Done
from widelimit.validate.harness.running.executors import check_jobs, default_jobs, drive, open_executor
from widelimit.validate.harness.running.measure import measure
from widelimit.validate.harness.running.points import Place, Theory, predicted, with_file
from widelimit.validate.harness.running.predictions import Question, questions, travel
from widelimit.validate.harness.running.store import Store
from widelimit.validate.harness.running.telling import Progress, Teller
from widelimit.validate.harness.statistics import LEVEL
from widelimit.validate.harness.verdicts import Measured, observed

log = logging.getLogger(__name__)

# Replicates are planned for a page of so many numbers, whatever else is in the run: claims tested one after the other
# need the same cells as all at once.
PAGE = 1000

Precision = Literal["float64", "float32"]


def validate(
    patterns: str | Iterable[str] = "*",
    *,
    preset: Preset = "quick",
    out: str | Path = "reports/quick",
    device: str = "auto",
    executor: Executor | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    level: float = LEVEL,
    seed: int = 0,
    precision: Precision = "float64",
    inputs: str | Path | None = None,
    claims: Sequence[Claim] | None = None,
    claims_from: Sequence[str] = (),
    progress: Progress | None = None,
    report: bool = True,
) -> RunOutcome:
    """Test claims against simulation and write the folder `out`: store, manifest, ``results.nc`` and report.

    - `patterns`: ids, topics or shell patterns of claims (`claims.load`).
    - `preset`: how much to spend; claims without a plan for it are left out, and the manifest says so.
    - `out`: the run's folder. Cells stored there are not computed again, whatever run they came from. Runs into one
      folder add up: its page also has the claims that earlier runs tested there, if the settings are the same, and
      judges all of them together.
    - `device`: auto, cpu or cuda.
    - `executor`, `jobs`, `scheduler`: any ``concurrent.futures.Executor``, which stays open; or a number of
      processes on this machine (default: one a core); or the address of a Dask scheduler.
    - `level`: at most this share of the findings on a page, over all its numbers, is expected to be false (Benjamini
      and Hochberg); where every theory is true, it bounds the probability of any false alarm.
    - `seed`: another seed is another, independent run.
    - `precision`: float32 is used only for claims that allow it.
    - `inputs`: a ``.npy`` or ``.csv`` matrix, in place of the data that claims start from.
    - `claims`, `claims_from`: claims themselves, instead of patterns; or names of modules or files that
      expose ``CLAIMS``, besides the topics.
    - `progress`: called after each cell with (done cells, cells known so far, label, seconds since the start); one
      that has the methods of `telling.Watcher` also hears of stages, of the page, and how long each takes.
    - `report`: whether to write the page; without it, ``widelimit report`` can write it later.

    Raises `ArgumentError` for a request that cannot be met, `StoreError` where results cannot be kept,
    `WorkerError` where workers were killed or memory ran out, `InternalError` where a simulation fails. What was
    finished before that, or before Ctrl-C, is stored, and the same call goes on from there.
    """
    start = time.perf_counter()
    requests.check(preset, level, seed, executor, progress)
    requests.one_of("precision", precision, get_args(Precision))
    modules = requests.names("claims_from", claims_from) if claims_from else []
    found = _found(patterns, claims, modules)
    backend = Backend.choose(device, precision)
    folder = atomic.folder(requests.folder("out", out))
    places, skipped = _places(found, preset, backend, seed, inputs)
    jobs = default_jobs(backend.name) if jobs is None else check_jobs(jobs)
    most = min(jobs, _most_cells(places))
    away = executor is None and scheduler is None and most > 1 and travel(places)
    told = () if away else tuple(map(predicted, places))
    about = manifest.describe(
        backend.name,
        precision,
        preset=preset,
        level=level,
        seed=seed,
        claims=sorted({one.found.id for one in places}),
        claims_from=modules,
        skipped=skipped,
        inputs=str(inputs) if inputs else None,
        jobs=jobs if executor is None and scheduler is None else None,
        status="running",
        warnings=_float32_warnings(places, precision),
    )
    with Store(folder) as store:
        if store.set_aside:
            warning = f"Database {store.path} was damaged ({store.damage}): it was moved to {store.set_aside}"
            log.warning("%s; its cells are computed again.", warning)
            about["warnings"].append(warning + ".")
        earlier = together.kept(folder, about["claims"], about)
        about["warnings"] += [earlier.lost] if earlier.lost else []
        manifest.write(folder, about)
        teller = Teller(progress, preset, start, most if executor is None and scheduler is None else 1)
        with _executor(executor, most, scheduler) as workers:
            try:
                work = _Work(store, teller, places, questions(places) if away else (), workers)
                theory = work.theory if away else lambda: told
                measured = measure(places, theory, work.run, level, PAGE)
                teller.learn(finished=True)
            finally:
                teller.learn(finished=False)
            about |= {
                "status": "done",
                "finished": manifest.now(),
                "seconds": round(time.perf_counter() - start, 3),
                "cells": {"all": work.total, "computed": work.computed, "reused": work.total - work.computed},
            }
            whole = together.joined(RunOutcome(observed(measured, level), about, preset, level), earlier)
            store.check()  # before a folder that was deleted meanwhile is made again, without what was stored
            claims_shown = [claim for claim, _ in found] if report else None
            drawing = jobs if executor is None and scheduler is None else 1  # the same workers
            _write(folder, whole, earlier, measured, claims_shown, teller.page, drawing)
    asked = {one.found.id for one in places}
    return RunOutcome(tuple(one for one in whole.claims if one.id in asked), about, preset, level)


def _write(
    folder: Path,
    whole: RunOutcome,
    earlier: together.Kept,
    measured: Sequence[Measured],
    claims: Sequence[Claim] | None,
    tell: Callable[[int, int, str], None],
    jobs: int,
) -> None:
    """Write what the folder holds now: this run, and what is kept of earlier ones; a page if there are `claims`."""
    from widelimit.validate import report as pages
    from widelimit.validate.report import machine

    dataset.write(folder, whole.claims, measured, whole.manifest, keep=earlier.ids)
    if claims is not None:
        pages.write(whole, folder, claims, tell, jobs)
    else:
        atomic.write_text(folder / machine.NAME, machine.dump(whole))
    manifest.write(folder, whole.manifest)  # last: a run that is done has all of its files


class _Work:
    """Cells done and to do, between the store, the workers and whoever watches."""

    def __init__(
        self,
        store: Store,
        teller: Teller,
        places: Sequence[Place],
        questions: Sequence[Question],
        workers: Executor,
    ) -> None:
        self.store, self.teller, self.places, self.workers = store, teller, places, workers
        self.results: dict[str, Done] = {}
        self.total = self.computed = 0
        self.questions = questions
        self.answers: dict[str, Sequence[Theory]] = {}
        self._begin: Callable[[], None] | None = None  # tells of a stage of cells, before its first one

    def run(self, cells: Sequence[Cell]) -> Mapping[str, Done]:
        """Take what is stored, compute the rest and store it; return all results so far by the cells' keys."""
        self.total += len(cells)
        stored = [(cell, self.store.get(cell)) for cell in cells]
        missing = [cell for cell, done in stored if done is None]

        def begin() -> None:
            self._begin = None
            self.teller.stage(self.places, missing)
            for cell, done in stored:
                if done is not None:
                    self._note(cell, done, fresh=False)

        asked = [one for one in self.questions if one.key not in self.answers]
        self._begin = begin
        if asked:
            self.teller.theory(0, len(asked), asked[0].label)
        else:
            begin()
        tasks: list[Cell | Question] = [*asked, *missing]
        drive(self.workers, tasks, self._keep)
        return self.results

    def theory(self) -> list[Theory]:
        """What workers were asked for with the first cells: a prediction for each place."""
        return [theory for one in self.questions for theory in self.answers[one.key]]

    def _keep(self, task: Cell | Question, done: Any) -> None:
        if isinstance(task, Question):
            self._answered(task, done)
        else:
            self._simulated(task, done)

    def _answered(self, question: Question, said: Sequence[Theory]) -> None:
        self.answers[question.key] = said
        if self._begin is not None:
            self.teller.theory(len(self.answers), len(self.questions), question.label)
            if len(self.answers) == len(self.questions):
                self._begin()

    def _simulated(self, cell: Cell, done: Done) -> None:
        if self._begin is not None:
            self._begin()
        self.store.put(cell, done)
        self.computed += 1
        self._note(cell, done, fresh=True)

    def _note(self, cell: Cell, done: Done, fresh: bool) -> None:
        self.results[cell.key] = done
        self.teller.cell(cell, done, len(self.results), self.total, fresh)


def _found(
    patterns: str | Iterable[str], claims: Sequence[Claim] | None, modules: Sequence[str]
) -> list[tuple[Claim, Source | Claim]]:
    if claims is not None:
        if (
            not isinstance(claims, Sequence)
            or not claims
            or not all(isinstance(one, Claim) for one in claims)
        ):
            raise ArgumentError("claims", "must be claims, one or more", claims)
        return [(claim, claim) for claim in claims]
    return [(source.claim(), source) for source in sources(requests.names("patterns", patterns), modules)]


def _places(
    found: Sequence[tuple[Claim, Source | Claim]],
    preset: Preset,
    backend: Backend,
    seed: int,
    inputs: str | Path | None,
) -> tuple[list[Place], list[str]]:
    """All places of the run, and the claims that have no plan for the preset."""
    places: list[Place] = []
    skipped = []
    reads_file = False
    for claim, where in found:
        plan = claim.plans.get(preset)
        if plan is None or not plan.points:
            skipped.append(claim.id)
            continue
        if inputs is not None:
            if not isinstance(inputs, str | Path):
                raise ArgumentError("inputs", "must be the path of a file", inputs)
            changed = with_file(plan, Path(inputs))
            reads_file, plan = reads_file or changed is not plan, changed
        own = backend if claim.float32 else replace(backend, precision="float64")
        code = fingerprint(claim)
        places += [
            Place(where, plan, index, dict(one), own, seed, code) for index, one in enumerate(plan.points)
        ]
    if not places:
        raise ArgumentError("preset", "must be one that the claims have a plan for", preset)
    if inputs is not None and not reads_file:
        raise ArgumentError("inputs", "must go with a claim that starts from data", but="none of these does")
    return places, skipped


def _most_cells(places: Sequence[Place]) -> int:
    """The most cells that can be under way at a time: more workers than that have nothing to do."""
    return max(1, sum(len(one.sizes) * -(-one.plan.most // max(1, one.plan.block)) for one in places))


def _float32_warnings(places: Sequence[Place], precision: Precision) -> list[str]:
    if precision == "float64":
        return []
    refused = sorted({one.found.id for one in places if one.backend.precision == "float64"})
    return [f"{claim} does not allow float32 and was simulated in float64." for claim in refused]


@contextmanager
def _executor(executor: Executor | None, jobs: int, scheduler: str | None) -> Iterator[Executor]:
    """The caller's executor, which stays open, or one of ours for the time of the run."""
    if executor is not None:
        yield executor
    else:
        with open_executor(jobs, scheduler) as own:
            yield own
