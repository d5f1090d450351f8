"""What was found, first what a reader has to look at: claims by verdict, each linked, and topics with their counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import get_args

from widelimit.validate.harness.outcome import ClaimOutcome, RunOutcome, Verdict
from widelimit.validate.report.numbers import count, percent

NAMED = 12  # claims of one verdict that the lead names
_TITLES = {"meanfield": "Mean field", "freeprob": "Free probability", "ridge": "Ridge regression",
           "jacobian": "Jacobian spectra", "kernel": "Kernels", "fisher": "Fisher information",
           "batchnorm": "Batch normalisation", "residual": "Residual networks", "ssl": "Self-supervised learning",
           "gru": "Gated recurrent units", "architecture": "Architectures"}  # fmt: skip
_SAID = {
    "disagrees": ("claim disagrees with simulation", "claims disagree with simulation"),
    "differs": (
        "claim differs measurably, inside its margin",
        "claims differ measurably, inside their margins",
    ),
    "inconclusive": ("claim is inconclusive", "claims are inconclusive"),
    "weak": ("claim is too weak to mean anything", "claims are too weak to mean anything"),
}


@dataclass(frozen=True)
class Finding:
    """Claims with one verdict, the farthest off first; `more` are not named."""

    verdict: str
    text: str
    claims: tuple[ClaimOutcome, ...]
    more: int = 0


@dataclass(frozen=True)
class Lead:
    """The first paragraph: findings to look at, and a sentence on all others."""

    findings: tuple[Finding, ...]
    rest: str


@dataclass(frozen=True)
class Topic:
    """A group of claims: its name, its claims' ids and how many have which verdict."""

    name: str
    title: str
    ids: tuple[str, ...]
    tally: tuple[tuple[str, int], ...]


def lead(outcome: RunOutcome) -> Lead:
    """Say what a run found: what disagrees, differs or is undecided, then how close all others are."""
    groups = {name: [c for c in outcome.claims if c.verdict == name] for name in get_args(Verdict)}
    weak = [claim for claim in outcome.claims if claim.too_weak]
    chosen = [(name, groups[name]) for name in ("disagrees", "differs", "inconclusive")] + [("weak", weak)]
    findings = tuple(_finding(name, claims) for name, claims in chosen if claims)
    return Lead(findings, _rest(outcome, groups["agrees"], bool(groups["disagrees"])))


def _finding(name: str, claims: Sequence[ClaimOutcome]) -> Finding:
    ordered = tuple(sorted(claims, key=off, reverse=True))
    text = f"{len(claims)} {_SAID[name][len(claims) > 1]}"
    return Finding(name, text, ordered[:NAMED], max(0, len(ordered) - NAMED))


def off(claim: ClaimOutcome) -> float:
    """How far the worst number of a claim is off, in margins."""
    found = [abs(row.measured - row.predicted) / row.margin for row in claim.rows if row.margin > 0]
    return max((value for value in found if math.isfinite(value)), default=0.0)


def _rest(outcome: RunOutcome, agree: Sequence[ClaimOutcome], any_disagrees: bool) -> str:
    parts = [] if any_disagrees else ["no claim disagrees with simulation"]
    if agree:
        half = median(claim.within for claim in agree)
        how = f", half of them within {percent(half)}" if math.isfinite(half) and len(agree) > 2 else ""
        parts.append(f"{count(len(agree), 'claim agrees', 'claims agree')}{how}")
    wrong = [one for claim in outcome.claims for one in claim.counterfactuals]
    caught = sum(one.rejected for one in wrong)
    if wrong:
        many = f"all {len(wrong)}" if caught == len(wrong) else f"{caught} of {len(wrong)}"
        parts.append(f"{many} wrong theories put in on purpose were rejected")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def topics(outcome: RunOutcome) -> tuple[Topic, ...]:
    """Group claims by the part of their ids before the dot, in the order of the run."""
    groups: dict[str, list[ClaimOutcome]] = {}
    for claim in outcome.claims:
        groups.setdefault(claim.id.split(".", 1)[0], []).append(claim)
    return tuple(
        Topic(
            name,
            _TITLES.get(name, name.replace("_", " ").capitalize()),
            tuple(claim.id for claim in claims),
            tuple((v, n) for v in get_args(Verdict) if (n := sum(claim.verdict == v for claim in claims))),
        )
        for name, claims in groups.items()
    )
