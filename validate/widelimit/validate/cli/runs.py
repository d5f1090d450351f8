"""``widelimit validate``, ``falsify`` and ``report``: runs, searches and pages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

from widelimit.validate.claim import Preset
from widelimit.validate.cli import output, tables
from widelimit.validate.cli.options import Whole
from widelimit.validate.cli.progress import watching
from widelimit.validate.text import clean

_LEVEL = 0.05


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
        level: probability of any false alarm in the whole run.
        seed: another seed is another, independent run.
        precision: float64, or float32 where claims allow it.
        claims_from: modules or .py files with further claims.
        json: print report.json instead of a table.
        quiet: no progress.
    """
    from widelimit.validate import run

    folder = Path("reports", preset) if out is None else out
    try:
        with watching(quiet or json) as watch:
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
    return _shown(outcome, folder, json)


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
        level: probability that a true claim is said to disagree, over the whole search.
        seed: another seed is another search.
        claims_from: modules or .py files with further claims.
        json: print one JSON object.
        quiet: no progress.
    """
    from widelimit.validate.falsify import falsify as search

    with watching(quiet or json) as watch:
        found = search(
            claim,
            budget,
            seconds=seconds,
            preset=preset,
            device=device,
            level=level,
            seed=seed,
            claims_from=claims_from or (),
            progress=lambda done, total, inputs, verdict: watch(done, total, verdict, 0.0),
        )
    if json:
        print(tables.json_text(tables.attributes(found)))
    else:
        output.say(tables.search_text(found))
    return int(found.counterexample is not None)


def report(folder: Path, *, claims_from: list[str] | None = None, json: bool = False) -> int:
    """Write the page of a run again, from its stored results, without simulating anything.

    Args:
        folder: the folder of a run.
        claims_from: modules or .py files of the claims, for their derivations and figures.
        json: print report.json instead of a table.
    """
    from widelimit.validate import report as pages

    outcome = pages.read(folder)
    pages.write(outcome, folder, _own(outcome, claims_from or []))
    if not claims_from and outcome.manifest.get(
        "claims_from"
    ):  # a file in a folder's report is not run unasked
        print(
            "widelimit: The page has no derivations and figures of claims that are not widelimit's own; "
            "--claims-from FILE adds them.",
            file=sys.stderr,
        )
    return _shown(outcome, folder, json)


def _own(outcome: Any, claims_from: list[str]) -> list[Any]:
    """The user's own claims among those of a run."""
    if not claims_from:
        return []
    from widelimit.validate.claims import load

    ids = {claim.id for claim in outcome.claims}
    return [claim for claim in load("*", claims_from) if claim.id in ids]


def _shown(outcome: Any, folder: Path, json: bool) -> int:
    if json:
        print((folder / "report.json").read_text(encoding="utf-8"), end="")
    else:
        output.say(tables.verdict_table(outcome))
        for warning in outcome.manifest.get("warnings", ()):
            output.say(f"Note: {clean(str(warning))}")
        print(f"\n{(folder / 'index.html').resolve()}")
    return int(outcome.disagrees)
