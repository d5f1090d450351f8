"""What the page says, ready to print: every number as text, every formula as MathML, every figure as SVG.

outcome + claims -> Page; the templates only arrange it.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from widelimit.validate.harness.outcome import (
    ClaimOutcome,
    CounterfactualOutcome,
    RowOutcome,
    RunOutcome,
    Verdict,
)
from widelimit.validate.report import about, curves, kept, labels, numbers, references, remarks
from widelimit.validate.report.explained import DerivationView, Explained, explained, first_printing
from widelimit.validate.report.failures import Failures
from widelimit.validate.report.figures import Panel, colours_of
from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.report.lead import Lead, Topic, lead, topics
from widelimit.validate.report.look import themed
from widelimit.validate.report.references import Reference
from widelimit.validate.report.strips import strip
from widelimit.validate.report.studio import Pictures, definition, named, prefix_of, studio

if TYPE_CHECKING:
    from widelimit.validate.harness.claim import Claim

ROWS_SHOWN = 40  # of a claim in the page; report.json has them all


@dataclass(frozen=True)
class RowView:
    """A predicted number as text."""

    inputs: str
    predicted: str
    measured: str
    residual: str
    interval: str
    within: str
    verdict: str
    free: str = ""  # the limit by extrapolation alone, where sizes are pooled


@dataclass(frozen=True)
class CounterfactualView:
    """A wrong theory, at the row where the data speak against it most clearly."""

    outcome: CounterfactualOutcome
    where: str = ""
    predicted: str = ""
    measured: str = ""
    p_value: str = ""


@dataclass(frozen=True)
class ClaimView:
    """A section of the page."""

    outcome: ClaimOutcome
    anchor: str
    strip: str
    panels: tuple[Panel, ...]
    evidence: tuple[Panel, ...]
    rows: tuple[RowView, ...]
    counterfactuals: tuple[CounterfactualView, ...]
    command: str
    figures: Mapping[str, str]
    paper: tuple[Reference, ...]
    shared: str = ""
    derivation: DerivationView | None = None
    more_derivations: int = 0
    flagged: int = 0
    remarks: tuple[str, ...] = ()  # a sentence each on what deserves a look
    observable: str = ""
    legend: tuple[tuple[str, str], ...] = ()  # wrong theories drawn as curves: name and colour
    failures: tuple[str, ...] = ()  # what of the section could not be made

    @property
    def unfolded(self) -> bool:
        """Whether there is something to look at: the section is then open, and printed."""
        return self.outcome.verdict != "agrees" or self.outcome.too_weak or bool(self.failures)

    @property
    def one_sided(self) -> bool:
        """Whether some number is a bound."""
        return any(row.compare != "equal" for row in self.outcome.rows)

    @property
    def filters(self) -> str:
        """By what the section is found: its verdict, and whether it is too weak."""
        return self.outcome.verdict + (" weak" if self.outcome.too_weak else "")

    @property
    def rejected(self) -> int:
        """How many counterfactuals the run rejected."""
        return sum(one.rejected for one in self.outcome.counterfactuals)


@dataclass(frozen=True)
class Page:
    """The whole page."""

    outcome: RunOutcome
    summary: tuple[str, ...]
    lead: Lead
    topics: tuple[Topic, ...]
    claims: tuple[ClaimView, ...]
    gallery: tuple[tuple[GalleryFigure, Panel], ...]
    manifest: tuple[about.Table, ...]
    references: tuple[Reference, ...]
    warnings: tuple[str, ...] = ()
    started: str = ""
    version: str = ""


def page(
    outcome: RunOutcome,
    folder: Path,
    claims: Iterable[Claim] = (),
    failures: Failures | None = None,
    tell: Callable[[int, int, str], None] | None = None,
    jobs: int = 1,
) -> Page:
    """Prepare everything that the page of a run shows.

    `claims`: those of a user's own among its claims, which bring their derivations and figures; ours are found by
    their ids. A part that fails is left out: its section says so, or the head of the page. `jobs`: processes that draw.
    """
    failures = Failures() if failures is None else failures
    own = {claim.id: claim for claim in claims}
    printed: dict[str, str] = {}
    views, sources = [], [claim.paper for claim in outcome.claims]
    rooms = list(dict.fromkeys(claim.id.split(".")[0] for claim in outcome.claims))
    pieces = [f"section {one.id}" for one in outcome.claims] + [
        f"figures of papers: {room}" for room in rooms
    ]
    step = iter(pieces)
    done = 0

    def begin() -> None:
        nonlocal done
        if tell is not None:
            tell(done, len(pieces), next(step, ""))
        done += 1

    known = {one.id: definition(one.id) for one in outcome.claims}
    with studio(jobs, len(pieces)) as drawing:
        asked = [
            drawing.section(one, own.get(one.id, known[one.id]), known[one.id], prefix_of(one.id))
            for one in outcome.claims
        ]
        papers = [(room, drawing.figures(room, outcome.preset, folder)) for room in rooms]
        for one, pictures_of in zip(outcome.claims, asked, strict=True):
            ours = known[one.id]
            found = own.get(one.id, ours)
            begin()
            said = Failures()
            basis = explained(found, one, printed, found is ours, said)
            sources += basis.sources if basis else ()
            make = partial(_claim, one, found, basis, pictures_of, printed, said)
            again = command(one, outcome) if ours is not None else command(one, outcome, users=True)
            view = said.attempt(f"The section of {one.id}", make, None) or _bare(one)
            views.append(replace(view, command=again, failures=tuple(said.sentences)))
        pictures: list[tuple[GalleryFigure, Panel]] = []
        for room, figures_of in papers:
            begin()
            shown, sentences = figures_of()
            failures.sentences += sentences
            pictures += [(named(room, name), panel) for name, panel in shown]
    kept.prune()
    begin()
    text = " ".join([*sources, *(figure.source for figure, _ in pictures)])
    versions = outcome.manifest.get("versions")
    return Page(
        outcome,
        summary(outcome),
        lead(outcome),
        topics(outcome),
        tuple(views),
        tuple(pictures),
        about.tables(outcome.manifest),
        tuple(references.mentioned(text)),
        (*map(str, outcome.manifest.get("warnings") or ()), *failures.sentences),
        str(outcome.manifest.get("started", ""))[:10],
        str(versions.get("widelimit", "")) if isinstance(versions, Mapping) else "",
    )


def summary(outcome: RunOutcome) -> tuple[str, ...]:
    """What was done and what came out, in two sentences."""
    claims = outcome.claims
    points = sum(claim.points for claim in claims)
    values = sum(len(claim.rows) for claim in claims)
    sizes = [size.size for claim in claims for row in claim.rows for size in row.sizes]
    reach = f", up to size {max(sizes)}" if sizes and max(sizes) > 0 else ""
    spent = sum(claim.seconds for claim in claims)  # of all runs that added up to this one
    taken = f" in {numbers.duration(spent)} of simulation" if spent > 0 else ""
    where = outcome.manifest.get("device_name") or outcome.manifest.get("device") or "an unknown device"
    first = (
        f"This run tested {numbers.count(len(claims), 'claim')} at {numbers.count(points, 'point')} by "
        f"{numbers.count(sum(c.replicates for c in claims), 'simulation')} of finite systems{reach}: "
        f"{numbers.count(values, 'predicted number')}{taken} on {where}."
    )
    tally = {name: sum(c.verdict == name for c in claims) for name in get_args(Verdict)}
    weak = sum(claim.too_weak for claim in claims)
    parts = [
        _number_of(tally["agrees"], "agrees", "agree") + " with simulation within the margin",
        _number_of(tally["differs"], "differs measurably, but within it", "differ measurably, but within it"),
        _number_of(tally["disagrees"], "disagrees", "disagree"),
        _number_of(tally["inconclusive"], "is inconclusive", "are inconclusive"),
    ]
    wrong = [one for claim in claims for one in claim.counterfactuals]
    caught = sum(one.rejected for one in wrong)
    last = (
        f"all {len(wrong)} wrong theories put in on purpose were rejected"
        if wrong and caught == len(wrong)
        else f"{caught} of {len(wrong)} wrong theories put in on purpose were rejected"
    )
    note = f", so that {numbers.count(weak, 'claim')} is too weak to mean anything" if weak == 1 else ""
    note = f", so that {weak} claims are too weak to mean anything" if weak > 1 else note
    second = f"Of the claims, {', '.join(parts)}; {last}{note}."
    return first, second


def _number_of(many: int, one_does: str, many_do: str) -> str:
    return f"{many or 'none'} {one_does if many == 1 else many_do}"


def _bare(one: ClaimOutcome) -> ClaimView:
    """A section without numbers, where they could not be set."""
    wrong = tuple(CounterfactualView(other) for other in one.counterfactuals)
    return ClaimView(one, anchor(one.id), "", (), (), (), wrong, "", defaultdict(str), ())


def anchor(claim_id: str) -> str:
    """The name of a claim's section in links.

    >>> anchor("meanfield.length-map")
    'meanfield-length-map'
    """
    return re.sub(r"[^\w-]", "-", claim_id)


def _claim(
    one: ClaimOutcome,
    claim: Claim | None,
    basis: Explained | None,
    pictures_of: Callable[[], Pictures],
    printed: dict[str, str],
    failures: Failures,
) -> ClaimView:
    _, shared = labels.varying(one)
    shown = _shown(one)
    drawn, proof, sentences = pictures_of()
    failures.sentences += sentences
    return ClaimView(
        outcome=one,
        anchor=anchor(one.id),
        strip=strip(one),
        panels=drawn,
        evidence=proof,
        rows=tuple(_row(row) for row in shown),
        counterfactuals=tuple(_counterfactual(one, wrong) for wrong in one.counterfactuals),
        command="",
        figures={
            "within": numbers.percent(one.within),
            "sharper": remarks.sharper(one),
            "chi2": numbers.number(one.residuals.chi2, 2) if one.residuals else "",
            "margin": numbers.percent(one.margin),
            "replicates": f"{one.replicates:,}".replace(",", " "),
            "time": numbers.duration(one.seconds),
            "sizes": ", ".join(
                str(s) for s in sorted({s.size for row in one.rows for s in row.sizes if s.size > 0})
            ),
            "exponent": numbers.number(one.exponent),
            "worst_residual": numbers.number(max((abs(r.residual) for r in one.rows), default=0.0), 2),
        },
        paper=tuple(references.mentioned(one.paper)),
        shared=labels.said(shared),
        derivation=first_printing(one, basis, printed),
        more_derivations=_others(one) if basis else 0,
        flagged=sum(row.flagged for row in one.rows),
        remarks=remarks.of(one),
        observable=one.observable or (claim.observable if claim else ""),
        legend=_legend(one, claim),
    )


def _legend(one: ClaimOutcome, claim: Claim | None) -> tuple[tuple[str, str], ...]:
    if not (curves.over_labels(one, None) or curves.over_inputs(one, None)) or (
        claim is not None and claim.figure is not None
    ):
        return ()
    return tuple((name, themed(colour)) for name, colour in colours_of(one).items())


def command(one: ClaimOutcome, run: RunOutcome, users: bool = False) -> str:
    """The command that repeats the simulations of one claim, number for number; `users`: of a user's own."""
    manifest = run.manifest
    places = manifest.get("claims_from", ())
    if users and places == []:  # its claims were passed as objects
        return f'run.validate(claims=[claim], preset="{run.preset}", seed={manifest.get("seed", 0)}, ...)  # Python'
    words = ["widelimit", "validate", one.id, "--preset", run.preset]
    words += ["--level", f"{run.level:g}"] if run.level != 0.05 else []
    words += ["--seed", str(manifest["seed"])] if manifest.get("seed") else []
    words += ["--precision", "float32"] if manifest.get("precision") == "float32" else []
    words += ["--inputs", str(manifest["inputs"])] if manifest.get("inputs") else []
    words += [word for place in places for word in ("--claims-from", str(place))] if users else []
    return shlex.join([*words, "--out", f"reports/{one.id}"])


def _others(one: ClaimOutcome) -> int:
    """How many derivations of other activations there are."""
    return len({str(labels.point_inputs(rows[0]).get("activation")) for rows in labels.by_point(one)}) - 1


def _shown(one: ClaimOutcome) -> list[RowOutcome]:
    """Rows for the page: all, or those that do not agree, the worst, and an even choice of the others."""
    if len(one.rows) <= ROWS_SHOWN:
        return list(one.rows)
    order = sorted(
        range(len(one.rows)), key=lambda i: (one.rows[i].verdict == "agrees", -abs(one.rows[i].residual))
    )
    chosen = set(order[: ROWS_SHOWN // 4])
    step = len(one.rows) / (ROWS_SHOWN - len(chosen))
    chosen |= {int(k * step) for k in range(ROWS_SHOWN - len(chosen))}
    return [one.rows[i] for i in sorted(chosen)]


def _row(row: RowOutcome) -> RowView:
    exact = row.standard_error <= 0
    return RowView(
        inputs=labels.said({**labels.point_inputs(row), **row.label}),
        predicted=numbers.predicted_beside(row.predicted, row.standard_error, row.compare),
        measured=numbers.measured(row.measured, row.standard_error),
        residual="exact" if exact else numbers.signed(row.residual),
        interval=numbers.interval(row.low, row.high),
        within=numbers.percent(row.within),
        verdict=row.verdict,
        free="" if row.free is None else numbers.measured(row.free, row.free_error or 0.0),
    )


def _counterfactual(one: ClaimOutcome, wrong: CounterfactualOutcome) -> CounterfactualView:
    tested = [(row, c) for row in one.rows for c in row.counterfactuals if c.name == wrong.name]
    if not tested:
        return CounterfactualView(wrong)
    row, found = min(tested, key=lambda pair: (not pair[1].rejected, pair[1].p_value))
    return CounterfactualView(
        wrong,
        labels.said({**labels.point_inputs(row), **row.label}),
        numbers.predicted_beside(found.predicted, row.standard_error),
        numbers.measured(row.measured, row.standard_error),
        numbers.p_value(found.p_value),
    )
