"""What a GPU session does: tests, comparison, timing, deep claims; a file after every step, so that nothing is lost."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from widelimit.theory.errors import ArgumentError
from widelimit.validate.cli.gpu import comparing, deep, timing
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.finding import load
from widelimit.validate.harness.running import atomic, manifest
from widelimit.validate.report.machine import strict
from widelimit.validate.report.numbers import duration, number, p_value

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_TESTS, _COMPARE = 0.15, 0.25  # shares of the whole time


@dataclass(frozen=True)
class Request:
    """What to do: `budget` seconds of deep claims out of `limit` in all; `tests` is a folder, "" for none."""

    out: Path
    device: str = "cuda"
    against: str = "cpu"
    limit: float = 460.0
    budget: float = 240.0
    tests: str = "tests"
    claims: Sequence[str] = ("*",)
    deep: Sequence[str] = deep.CLAIMS
    widths: tuple[int, int] = (8192, 2048)  # of matrix products on the device and on the other
    replicates: int = 6


def seconds(text: str) -> float:
    """Read a time such as "4m", "90s" or "240".

    >>> seconds("4m"), seconds("90s"), seconds("1.5h")
    (240.0, 90.0, 5400.0)
    """
    unit = text[-1:] if text[-1:].isalpha() else ""
    try:
        value = float(text.removesuffix(unit)) * _UNITS[unit]
    except (ValueError, KeyError):
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ArgumentError("budget", "must be a time such as 4m or 90s", text)
    return value


def run(request: Request) -> dict[str, Any]:
    """Do all of it, and return what ``gpu.json`` holds. Raises `DeviceError` where the device is not there."""
    device, against = Backend.choose(request.device), Backend.choose(request.against)
    folder = atomic.folder(request.out)
    start = time.monotonic()
    found: dict[str, Any] = {"about": _about(request, device), "problems": []}

    def keep(part: str, value: Any) -> None:
        found[part] = value
        found["about"]["seconds"] = round(time.monotonic() - start, 1)
        atomic.write_text(folder / "gpu.json", json.dumps(strict(found), indent=1) + "\n")
        atomic.write_text(folder / "gpu.md", text(found))

    keep("tests", _tests(request.tests, request.limit * _TESTS))
    keep("products", _products(request, device.name, against.name))
    rows: list[dict[str, Any]] = []
    until = start + request.limit * (_TESTS + _COMPARE)
    claims = comparing.chosen(load(request.claims))
    for one in comparing.all_of(claims, against, device, until, request.replicates):
        rows.append({**asdict(one), "agrees": one.agrees(len(claims))})
        keep("compared", rows)
    found["not_compared"] = [claim.id for claim in claims[len(rows) :]]
    keep("deep", _deep(request, device, start))
    found["problems"] = problems(found)
    keep("finished", True)
    return found


def _about(request: Request, device: Backend) -> dict[str, Any]:
    import torch

    about = manifest.describe(device.name, "float64", status="gpu session", warnings=[])
    kept = ("device", "device_name", "platform", "python", "cores", "versions", "git", "started")
    cuda = {"cuda": torch.version.cuda} if device.name.startswith("cuda") else {}
    return {**{name: about[name] for name in kept if name in about}, **cuda, "budget": request.budget,
            "against": request.against}  # fmt: skip


def _tests(folder: str, limit: float) -> dict[str, Any]:
    """The tests that need a GPU, in a process of their own."""
    if not folder or not Path(folder).is_dir():
        return {"ran": False, "why": "no folder of tests"}
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", "-n", "0", folder]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"ran": False, "why": f"tests took longer than {limit:.0f} s"}
    last = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return {"ran": True, "status": done.returncode, "passed": done.returncode == 0, "said": last[-1] if last else "",
            "output": "" if done.returncode == 0 else done.stdout[-4000:]}  # fmt: skip


def _products(request: Request, device: str, against: str) -> list[dict[str, Any]]:
    found = []
    for precision in ("float64", "float32"):
        for name, width in ((device, request.widths[0]), (against, request.widths[1])):
            one = timing.product(name, precision, width)
            found.append({**asdict(one), "operations": one.operations})
    return found


def _deep(request: Request, device: Backend, start: float) -> dict[str, Any]:
    """Size the claims, run what the budget buys, and say what it did not."""
    from widelimit.validate import run as runs

    left = min(request.budget, request.limit - (time.monotonic() - start) - 0.05 * request.limit)
    claims = list(load(request.deep)) if request.deep else []
    plans = []
    for k, claim in enumerate(claims):
        begun = time.monotonic()
        plans.append(deep.sized(claim, max(0.0, left) / (len(claims) - k), device))
        spent = time.monotonic() - begun
        left -= spent + (_planned(plans[-1]) if plans[-1].plan else 0.0)
    chosen = deep.cut(claims, plans)
    rows = [
        {"claim": one.claim, "seconds_each": one.seconds_each, "run": one.plan is not None, "why": one.why}
        for one in plans
    ]
    if not chosen:
        return {"claims": rows, "verdicts": {}}
    outcome = runs.validate(
        claims=chosen, preset="deep", out=request.out / "deep", device=device.name, jobs=1
    )
    sizes = [size.size for one in outcome.claims for row in one.rows for size in row.sizes]
    verdicts = {one.id: one.verdict for one in outcome.claims}
    return {"claims": rows, "verdicts": verdicts, "largest": max(sizes, default=0)}


def _planned(one: deep.Sized) -> float:
    """Seconds that a plan is expected to take."""
    assert one.plan is not None
    sizes = one.plan.sizes or (1,)
    each = one.seconds_each * sum((size / max(sizes)) ** deep.COST for size in sizes)
    return each * one.plan.most * len(one.plan.points)


def problems(found: dict[str, Any]) -> list[str]:
    """What a reader has to mend, a sentence each."""
    out = []
    if found["tests"].get("ran") and not found["tests"]["passed"]:
        out.append(f"Tests that need a GPU fail: {found['tests']['said']}.")
    for row in found.get("compared", ()):
        if row["problem"]:
            out.append(f"{row['claim']} fails: {row['problem']}.")
        elif not row["agrees"]:
            out.append(
                f"{row['claim']}: devices are apart by {number(row['apart'], 2)} from the same draws, and own draws "
                f"agree with p = {p_value(row['p_value'])}."
            )
    verdicts = found.get("deep", {}).get("verdicts", {})
    return out + [
        f"{claim} disagrees in the deep preset." for claim, v in verdicts.items() if v == "disagrees"
    ]


def text(found: dict[str, Any]) -> str:
    """Print what was found as Markdown."""
    about = found["about"]
    lines = [f"# widelimit on {about.get('device_name') or about['device']}", ""]
    lines += [f"- {sentence}" for sentence in found["problems"]] or (
        ["Nothing to mend was found."] if found.get("finished") else ["The session did not come to its end."]
    )
    tests = found.get("tests", {})
    lines += ["", f"Tests that need a GPU: {tests.get('said') or tests.get('why', 'not run')}", ""]
    if found.get("products"):
        lines += ["| matrix product | precision | width | operations a second |", "|---|---|---:|---:|"]
        lines += [
            f"| {p['device']} | {p['precision']} | {p['width']} | {number(p['operations'], 3)} |"
            for p in found["products"]
        ]
    if found.get("compared"):
        lines += [
            "",
            f"| claim | size | {about['against']} | {about['device']} | same draws apart | own draws, p | agrees |",
        ]
        lines += ["|---|---:|---:|---:|---:|---:|---|", *map(_row, found["compared"])]
    if found.get("not_compared"):
        lines += ["", f"Not compared, for want of time: {', '.join(found['not_compared'])}."]
    if found.get("deep"):
        verdicts = found["deep"]["verdicts"]
        lines += ["", "| deep claim | verdict | a replicate | what the budget bought |", "|---|---|---:|---|"]
        lines += [
            f"| {row['claim']} | {verdicts.get(row['claim'], 'not run')} | {duration(row['seconds_each'])} | "
            f"{row['why'] or 'the whole plan'} |"
            for row in found["deep"]["claims"]
        ]
    return "\n".join(lines) + "\n"


def _row(row: dict[str, Any]) -> str:
    if row["problem"]:
        return f"| {row['claim']} | {row['size']} | | | | | fails: {row['problem']} |".replace("\n", " ")
    times = " | ".join(duration(value) for value in row["seconds"])
    return (
        f"| {row['claim']} | {row['size']} | {times} | {number(row['apart'], 2)} | {p_value(row['p_value'])} | "
        f"{'yes' if row['agrees'] else 'no'} |"
    )
