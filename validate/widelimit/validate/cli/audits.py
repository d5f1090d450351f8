"""``widelimit audit``: would a run have caught an error?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from widelimit.validate.cli import output, tables


def audit(
    *claims: str,
    folder: Path = Path("reports/quick"),
    times: float = 2.0,
    size: float | None = None,
    json: bool = False,
) -> int:
    """Plant errors in what claims predict, judge again on the stored samples of a run, and print what was caught.

    Each number is moved up and down, one at a time, and all together are scaled. Caught is what does not agree any
    more.

    Args:
        claims: ids of claims of the run; all by default.
        folder: the folder of a run.
        times: how large errors are, in the claim's own "within".
        size: how large they are relative to the scale (0.02 is two per cent), in place of that.
        json: print one JSON object.
    """
    from widelimit.validate import report
    from widelimit.validate.harness.audit import audit as planted

    found = planted(report.read(folder), claims, times=times, size=size)
    if json:
        print(tables.json_text({"audits": [tables.attributes(one) for one in found]}))
    else:
        output.say(text(found))
    return 0


def text(found: Any) -> str:
    """What was caught, a line a claim; of a single one, what nobody would have noticed as well."""
    from widelimit.validate.report.labels import said
    from widelimit.validate.report.numbers import percent

    head = ["claim", "within", "error", "caught"]
    rows = [
        [one.claim, percent(one.within), percent(one.size), f"{one.caught}/{len(one.planted)}"]
        for one in found
    ]
    lines = [tables.columns([head, *rows])]
    for one in found if len(found) == 1 else ():
        for wrong in one.missed:
            where = "all numbers" if wrong.all else said(wrong.inputs)
            lines.append(f"not caught: {one.claim}, {percent(wrong.size)} at {where}")
    return "\n".join(lines)
