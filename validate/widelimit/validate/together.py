"""Runs into one folder add up: what earlier runs found out there stays, beside what this one found.

A claim that is tested again takes the place of its older outcome. The others keep what was measured and are judged
again, together with those of this run: levels hold over the page. Runs with other settings (seed, preset, level ...)
cannot share a folder with them: settings and the commands of a page hold for the whole page.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from widelimit.theory.errors import ArgumentError, StoreError
from widelimit.theory.topics import TOPICS
from widelimit.validate.harness.judging import judged, restored
from widelimit.validate.harness.outcome import ClaimOutcome, RunOutcome
from widelimit.validate.report import machine

SETTINGS = ("preset", "level", "seed", "precision", "device", "inputs")
_RUN = ("started", "finished", "seconds", "cells", "git")


@dataclass(frozen=True)
class Kept:
    """What a folder holds of earlier runs that the run at hand does not replace; `lost` says why it holds less."""

    claims: tuple[ClaimOutcome, ...] = ()
    manifest: Mapping[str, Any] | None = None
    lost: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """The claims that are kept."""
        return tuple(one.id for one in self.claims)


def kept(folder: Path, replaced: Collection[str], settings: Mapping[str, Any]) -> Kept:
    """Read what earlier runs into a folder found out about claims that are not `replaced`.

    Raises `ArgumentError` where they were tested with other `settings` (those of `SETTINGS`).
    """
    if not (folder / machine.NAME).exists():
        return Kept()
    try:
        earlier = machine.read(folder)
    except StoreError as error:
        return Kept(lost=f"What earlier runs found out is left out: {error}")
    try:
        claims = tuple(restored(one) for one in earlier.claims if one.id not in replaced and one.rows)
    except (ValueError, ArithmeticError) as error:
        return Kept(
            lost=f"What earlier runs found out is left out: {folder / machine.NAME} is damaged: {error}."
        )
    if not claims:
        return Kept()
    for name in SETTINGS:
        old, new = _setting(earlier.manifest.get(name)), _setting(settings.get(name))
        if name in earlier.manifest and old != new:
            shown = ", ".join(one.id for one in claims[:3]) + (", ..." if len(claims) > 3 else "")
            raise ArgumentError(
                "out",
                "must be a folder whose other claims were tested with the same settings",
                but=f"{folder} holds {shown} with {name} {old}, not {new}",
                help="Choose another folder, or test these claims again in the same run.",
            )
    return Kept(claims, earlier.manifest)


def joined(outcome: RunOutcome, earlier: Kept) -> RunOutcome:
    """Return what the folder holds now: what this run `observed` and what is kept of earlier ones, judged together.

    The manifest is this run's, with the claims, warnings and times of all, and a list of the ``runs`` they came from.
    """
    if not earlier.claims or earlier.manifest is None:
        return replace(outcome, claims=judged(outcome.claims, outcome.level))
    now = dict(outcome.manifest)
    own = {one.id for one in outcome.claims}
    runs = [*_runs(earlier.manifest, own), {"claims": sorted(own), **_part(now)}]
    now |= {
        "claims": sorted({*own, *earlier.ids}),
        "claims_from": sorted({*earlier.manifest.get("claims_from", ()), *now.get("claims_from", ())}),
        "warnings": list(dict.fromkeys([*earlier.manifest.get("warnings", ()), *now.get("warnings", ())])),
        "seconds": round(sum(run.get("seconds") or 0.0 for run in runs), 3),
        "runs": runs,
    }
    claims = sorted((*outcome.claims, *earlier.claims), key=_place)
    return RunOutcome(judged(claims, outcome.level), now, outcome.preset, outcome.level)


def _runs(manifest: Mapping[str, Any], replaced: Collection[str]) -> list[dict[str, Any]]:
    """The runs that a folder's claims came from, without those of which nothing is left."""
    runs = manifest.get("runs") or [{"claims": manifest.get("claims", []), **_part(manifest)}]
    left = [{**run, "claims": [one for one in run["claims"] if one not in replaced]} for run in runs]
    return [run for run in left if run["claims"]]


def _part(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {name: manifest.get(name) for name in _RUN}


def _place(claim: ClaimOutcome) -> int:
    """Topics in their order, users' claims last; within a topic the order stays."""
    topic = claim.id.partition(".")[0]
    return TOPICS.index(topic) if topic in TOPICS else len(TOPICS)


def _setting(value: Any) -> Any:
    """A setting as it is compared: devices of a kind are the same."""
    return value.partition(":")[0] if isinstance(value, str) and value.startswith("cuda:") else value
