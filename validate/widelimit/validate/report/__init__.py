"""The report of a run: one data model behind three files.

machine    outcome <-> report.json
model      outcome + claims -> Page: every number as text, formulas as MathML, figures as SVG
figures    the panels of a claim (curves, forests, proofs; scales: their axes)
explained  derivations, set as MathML
kept       what was drawn, for the next page
look, layout, svg, paths, strips   colours and type; where axes lie; lean SVG; its paths; the line in the verdict table
overview   outcome -> overview.svg, the run in one picture
html, markdown   Page -> index.html, report.md
labels, numbers, words, references    names, numbers, formulas in words and sources as readers want them
audits     planted errors, a line a claim
remarks    what of a claim deserves a look, a sentence each
lead       what was found, in the order in which it deserves a look; topics and their counts
about      the manifest as tables
differences, junit   what two reports say differently; verdicts as test results
failures   what could not be drawn, said in its place
studio     who draws: this process, or several
gallery    figures of papers that topics redraw
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from widelimit.validate.harness.outcome import RunOutcome
from widelimit.validate.report.machine import read

if TYPE_CHECKING:
    from widelimit.validate.harness.claim import Claim

__all__ = ["read", "write"]


def write(
    outcome: RunOutcome,
    out: str | Path,
    claims: Iterable[Claim] = (),
    tell: Callable[[int, int, str], None] | None = None,
    jobs: int = 1,
) -> Path:
    """Write ``index.html``, ``report.json``, ``report.md`` and ``overview.svg`` into a folder; return the page's path.

    ``report.json`` comes first: if a later file fails, the run can be printed again from it. Each file appears whole
    or not at all. `claims`: those of a user's own, with their derivations and figures. `tell` is called with (done,
    all, label) before each section and each of the papers' figures, which take seconds. `jobs`: processes that draw
    where there are many sections. What fails of a section or a
    figure is told in its place. Raises `ArgumentError` for a folder that cannot be written to, `StoreError` for a full
    disk.
    """
    from widelimit.validate.harness.running import atomic
    from widelimit.validate.report import html, machine, markdown, model, overview
    from widelimit.validate.report.failures import Failures

    folder = atomic.folder(Path(out))
    text = machine.dump(outcome)
    atomic.write_text(folder / machine.NAME, text)
    outcome = machine.parse(
        text
    )  # the page shows the digits that the file has: printed again, it is the same page
    failures = Failures()
    picture = failures.attempt("The overview", lambda: overview.draw(outcome), "")
    page = model.page(outcome, folder, claims, failures, tell, jobs)
    if picture:
        atomic.write_text(folder / "overview.svg", picture)
    atomic.write_text(folder / "report.md", markdown.render(page))
    return atomic.write_text(folder / "index.html", html.render(page))
