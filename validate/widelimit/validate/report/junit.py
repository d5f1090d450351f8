"""Verdicts as test results, in the XML of JUnit that continuous integration reads: a suite a topic, a case a claim.

A claim that agrees or differs passes, one that disagrees fails, one that is inconclusive is skipped with its reason.
Elements and attributes are those that both common schemas (Ant's and Jenkins') know, in the order that they ask for.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from widelimit.validate.harness.outcome import ClaimOutcome, RunOutcome
from widelimit.validate.harness.running import atomic
from widelimit.validate.harness.text import PARAGRAPH, clean
from widelimit.validate.report import labels
from widelimit.validate.report.numbers import count, measured, percent, predicted

if TYPE_CHECKING:
    from widelimit.validate.report.differences import Comparison

_ROWS = 20  # numbers that a failure lists


@dataclass(frozen=True)
class Case:
    """A test result: `kind` is "", "failure" or "skipped"; `note` what a reader of a passed one should know."""

    name: str
    seconds: float = 0.0
    kind: str = ""
    message: str = ""
    body: str = ""
    note: str = ""


def verdicts(outcome: RunOutcome) -> str:
    """Print the verdicts of a run as test results."""
    started = str(outcome.manifest.get("started", ""))
    return document([_case(claim) for claim in outcome.claims], started)


def flips(found: Comparison) -> str:
    """Print a comparison as test results: a claim fails where its verdict, or that of one of its numbers, flipped."""
    cases = []
    for name in found.claims:
        own = [flip for flip in found.flipped if flip.claim == name]
        body = "\n".join(
            f"{flip.old} -> {flip.new}{f': {labels.said(flip.inputs)}' if flip.inputs else ''}"
            for flip in own
        )
        cases.append(
            Case(name, 0.0, "failure", count(len(own), "verdict") + " flipped", body) if own else Case(name)
        )
    cases += [Case(name, 0.0, "skipped", "only the newer report has this claim") for name in found.added]
    cases += [Case(name, 0.0, "skipped", "only the older report has this claim") for name in found.removed]
    return document(cases)


def write(path: Path, text: str) -> Path:
    """Write the file whole or not at all."""
    return atomic.write_text(Path(path), text)


def _case(claim: ClaimOutcome) -> Case:
    note = "too weak to mean anything: a wrong theory survives, or there is none" if claim.too_weak else ""
    within = f"within {percent(claim.within)}"
    if claim.verdict == "disagrees":
        off = [row for row in claim.rows if row.verdict == "disagrees"]
        message = f"{count(len(off), 'number')} of {len(claim.rows)} disagree with the prediction"
        return Case(claim.id, claim.seconds, "failure", message, _rows(claim, "disagrees"), note)
    if claim.verdict == "inconclusive":
        needed = [row.needed_replicates for row in claim.rows if row.needed_replicates]
        decide = f"; {max(needed)} replicates would decide" if needed else ""
        message = f"inconclusive: intervals are too wide for the margin of {percent(claim.margin)}{decide}"
        return Case(claim.id, claim.seconds, "skipped", message, "", note)
    return Case(claim.id, claim.seconds, note="; ".join(filter(None, [f"{claim.verdict} {within}", note])))


def _rows(claim: ClaimOutcome, verdict: str) -> str:
    off = [row for row in claim.rows if row.verdict == verdict]
    lines = [
        f"{labels.said(row.inputs)}: predicted {predicted(row.predicted, row.compare, 6)}, measured "
        f"{measured(row.measured, row.standard_error)}"
        for row in off[:_ROWS]
    ]
    return "\n".join([*lines, *([f"and {len(off) - _ROWS} more"] if len(off) > _ROWS else [])])


def document(cases: Sequence[Case], started: str = "") -> str:
    """Print test results as XML, a suite for each topic.

    >>> document([Case("a.b", 1.5)]).count("<testcase ")
    1
    """
    suites: dict[str, list[Case]] = {}
    for case in cases:
        suites.setdefault(case.name.split(".", 1)[0], []).append(case)
    root = ElementTree.Element("testsuites")
    for index, (topic, members) in enumerate(suites.items()):
        _suite(root, index, topic, members, _stamp(started))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: ElementTree.Element, index: int, topic: str, cases: Sequence[Case], stamp: str) -> None:
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        {
            "name": clean(topic), "package": "widelimit", "id": str(index), "timestamp": stamp,
            "hostname": clean(platform.node()) or "localhost", "tests": str(len(cases)),
            "failures": str(sum(case.kind == "failure" for case in cases)), "errors": "0",
            "skipped": str(sum(case.kind == "skipped" for case in cases)),
            "time": f"{sum(max(0.0, case.seconds) for case in cases):.3f}",
        },
    )  # fmt: skip
    ElementTree.SubElement(suite, "properties")
    for case in cases:
        name = case.name.split(".", 1)[-1]
        given = {
            "classname": f"widelimit.{clean(topic)}",
            "name": clean(name),
            "time": f"{max(0.0, case.seconds):.3f}",
        }
        one = ElementTree.SubElement(suite, "testcase", given)
        if case.kind:
            about = {"message": clean(case.message, PARAGRAPH)}
            about |= {"type": "disagrees"} if case.kind == "failure" else {}
            told = ElementTree.SubElement(one, case.kind, about)
            told.text = "\n".join(clean(line) for line in case.body.split("\n")) or None
    notes = [f"{case.name}: {case.note}" for case in cases if case.note]
    ElementTree.SubElement(suite, "system-out").text = "\n".join(map(clean, notes))
    ElementTree.SubElement(suite, "system-err")


def _stamp(started: str) -> str:
    """A time without a zone, in UTC, as the schemas ask for."""
    try:
        when = datetime.fromisoformat(started)
    except ValueError:
        when = datetime.now(UTC)
    if when.tzinfo is not None:
        when = when.astimezone(UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S")
