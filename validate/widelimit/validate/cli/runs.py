"""``widelimit validate``, ``falsify``, ``report`` and ``diff``: runs, searches, pages and what changed."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NoReturn

from widelimit.theory.errors import ArgumentError, StoreError
from widelimit.validate.cli import output, tables
from widelimit.validate.cli.options import Whole
from widelimit.validate.cli.progress import of_page, watching
from widelimit.validate.harness.claim import Preset
from widelimit.validate.harness.text import clean

_LEVEL = 0.05  # what it means is said once: `statistics.LEVEL_MEANS`
_ENDS = ("SIGTERM", "SIGHUP")  # end a run as Ctrl-C does


@contextmanager
def _stoppable() -> Iterator[None]:
    """Take the signals that end a process for Ctrl-C, where nobody has decided otherwise."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _ENDS if hasattr(signal, name)]
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in taken:
            signal.signal(number, _stop)
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _stop(_number: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def validate(
    *patterns: str,
    preset: Preset = "quick",
    out: Path | None = None,
    device: str = "auto",
    jobs: Whole | None = None,
    scheduler: str | None = None,
    inputs: Path | None = None,
    level: float = _LEVEL,
    seed: Whole = 0,
    precision: Literal["float64", "float32"] = "float64",
    claims_from: list[str] | None = None,
    junit: Path | None = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Test claims against simulation and write a report; the last line is the path of its page.

    Args:
        patterns: ids (meanfield.length-map), topics (meanfield) or shell patterns ("*.dropout"); all by default.
        preset: quick (minutes), reference (the committed report, an hour on two cores) or deep (for a GPU).
        out: the folder of the run; stored results there are used again. Default: reports/PRESET.
        device: auto, cpu or cuda.
        jobs: processes on this machine; one a core by default.
        scheduler: address of a Dask scheduler, tcp://host:port, instead of processes here.
        inputs: a .npy or .csv matrix, one input a row, in place of the data that claims start from.
        level: at most this share of the findings on a page, over all its numbers, is expected to be false (Benjamini
            and Hochberg); where every theory is true, it bounds the probability of any false alarm. The page has all
            claims of the folder.
        seed: another seed is another, independent run.
        precision: float64, or float32 where claims allow it.
        claims_from: modules or .py files with further claims.
        junit: also write the verdicts as test results of JUnit into this file, for continuous integration.
        json: print report.json instead of a table.
        quiet: no progress.
    """
    folder = Path("reports", preset) if out is None else out
    _writable(junit)
    try:
        with _stoppable(), watching(quiet or json) as watch:
            from widelimit.validate import run

            outcome = run.validate(
                patterns or "*",
                preset=preset,
                out=folder,
                device=device,
                jobs=jobs,
                scheduler=scheduler,
                inputs=inputs,
                level=level,
                seed=seed,
                precision=precision,
                claims_from=claims_from or (),
                progress=watch,
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted. What is done is kept in {folder}: run the same command again to go on from there."
        ) from None
    _test_results(outcome, junit)
    return _shown(outcome, folder, json)


def _writable(junit: Path | None) -> None:
    """Refuse a file of test results before the work, not after it."""
    if junit is None:
        return
    from widelimit.validate.harness.running import atomic

    if junit.is_dir():
        raise ArgumentError("junit", "must be a file", but=f"{junit} is a folder")
    try:
        atomic.folder(junit.parent)
    except ArgumentError as error:
        raise ArgumentError("junit", "must be a file that can be written", str(junit)) from error


def _test_results(outcome: Any, junit: Path | None) -> None:
    if junit is not None:
        from widelimit.validate.report import junit as results

        results.write(junit, results.verdicts(outcome))


def falsify(
    claim: str,
    *,
    budget: Whole = 100,
    seconds: float | None = None,
    preset: Preset = "quick",
    device: str = "auto",
    level: float = _LEVEL,
    seed: Whole = 0,
    claims_from: list[str] | None = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Search the domain of a claim for a counterexample, and shrink it to the simplest.

    Args:
        claim: the id of one claim.
        budget: how many points to try at most.
        seconds: begin no further point after so many seconds.
        preset: whose sizes and replicates to use.
        device: auto, cpu or cuda.
        level: as of validate, with the whole search in place of a page.
        seed: another seed is another search.
        claims_from: modules or .py files with further claims.
        json: print one JSON object.
        quiet: no progress.
    """
    with _stoppable(), watching(quiet or json) as watch:
        from widelimit.validate.harness.falsify import falsify as search

        found = search(
            claim,
            budget,
            seconds=seconds,
            preset=preset,
            device=device,
            level=level,
            seed=seed,
            claims_from=claims_from or (),
            progress=lambda done, total, _inputs, verdict: watch(done, total, verdict, 0.0),
        )
    if json:
        print(tables.json_text(tables.attributes(found)))
    else:
        output.say(tables.search_text(found))
    return int(found.counterexample is not None)


def report(
    folder: Path, *, claims_from: list[str] | None = None, junit: Path | None = None, json: bool = False
) -> int:
    """Write the page of a run again, from its stored results, without simulating anything.

    Args:
        folder: the folder of a run.
        claims_from: modules or .py files of the claims, for their derivations and figures.
        junit: also write the verdicts as test results of JUnit into this file.
        json: print report.json instead of a table.
    """
    from widelimit.validate import report as pages
    from widelimit.validate.harness.running import manifest
    from widelimit.validate.harness.running.executors import default_jobs
    from widelimit.validate.report import machine

    _writable(junit)

    about = manifest.read(folder) or {}
    unfinished = ""
    if about.get("status") == "running":
        how = clean(manifest.command(about, folder), 2000)
        unfinished = f"The last run into {folder} has not ended: it was interrupted, or is still under way. "
        unfinished += f"Go on from what is stored with: {how}"
        if not (folder / machine.NAME).exists():
            raise StoreError(unfinished)
    outcome = pages.read(folder)
    with watching(json) as watch:
        pages.write(outcome, folder, _own(outcome, claims_from or []), of_page(watch), default_jobs())
    if not claims_from and outcome.manifest.get(
        "claims_from"
    ):  # a file in a folder's report is not run unasked
        print(
            "widelimit: The page has no derivations and figures of claims that are not widelimit's own; "
            "--claims-from FILE adds them.",
            file=sys.stderr,
        )
    _test_results(outcome, junit)
    status = _shown(outcome, folder, json)
    if unfinished:
        print(f"widelimit: {unfinished}", file=sys.stderr)
    return status


def diff(old: Path, new: Path, *, junit: Path | None = None, json: bool = False) -> int:
    """Compare two reports: verdicts that flipped, and numbers that moved by more than their errors.

    Exit status: 0 no verdict flipped, 1 one did, 2 the request is wrong.

    Args:
        old: the folder of a run, or its report.json.
        new: another one.
        junit: also write the comparison as test results of JUnit into this file: a claim fails where a verdict flipped.
        json: print one JSON object instead of text.
    """
    from widelimit.validate.report import differences, machine

    _writable(junit)
    found = differences.compare(machine.read(old), machine.read(new))
    if junit is not None:
        from widelimit.validate.report import junit as results

        results.write(junit, results.flips(found))
    if json:
        print(tables.json_text(tables.attributes(found)))
    else:
        output.say(tables.differences_text(found))
    return int(bool(found.flipped))


def _own(outcome: Any, claims_from: list[str]) -> list[Any]:
    """The user's own claims among those of a run."""
    if not claims_from:
        return []
    from widelimit.validate.harness.finding import load

    ids = {claim.id for claim in outcome.claims}
    return [claim for claim in load("*", claims_from) if claim.id in ids]


def _shown(outcome: Any, folder: Path, json: bool) -> int:
    if json:
        print((folder / "report.json").read_text(encoding="utf-8"), end="")
    else:
        output.say(tables.verdict_table(outcome))
        for warning in outcome.manifest.get("warnings", ()):
            output.say(f"Note: {clean(str(warning))}")
        if more := _others(outcome, folder):
            output.say(f"Note: the page also has {more} that earlier runs into this folder tested.")
        print(f"\n{(folder / 'index.html').resolve()}")
    return int(outcome.disagrees)


def _others(outcome: Any, folder: Path) -> str:
    """How many claims of earlier runs a folder's page has beside those of an outcome."""
    from widelimit.validate.harness.running import manifest

    found = set((manifest.read(folder) or {}).get("claims", ())) - {one.id for one in outcome.claims}
    return f"{len(found)} claim{'s' * (len(found) > 1)}" if found else ""
