"""Results as aligned text for people and as strict JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from widelimit.validate.harness.outcome import ClaimOutcome, FalsifyOutcome, RunOutcome
from widelimit.validate.harness.text import clean
from widelimit.validate.report.machine import strict
from widelimit.validate.report.numbers import count, duration, measured, number, p_value, percent, predicted

if TYPE_CHECKING:
    from widelimit.validate.report.differences import Comparison

_SHOWN = 8  # numbers of an array in a table


def columns(rows: Sequence[Sequence[str]], gap: int = 2) -> str:
    """Align columns with spaces.

    >>> columns([["a", "1"], ["long", "2"]])
    'a     1\\nlong  2'
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    lines = (
        (" " * gap).join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def attributes(result: Any) -> dict[str, Any]:
    """Return the public attributes of a result as plain values.

    Of an `xarray.Dataset`, coordinates and variables; of a dataclass, its fields and then its properties.
    """
    if isinstance(result, Mapping):
        return {str(name): plain(value) for name, value in result.items()}
    if is_dataclass(result):
        names = [field.name for field in fields(result) if not field.name.startswith("_")]
        names += [
            name
            for name, value in vars(type(result)).items()
            if isinstance(value, property) and not name.startswith("_")
        ]
        return {name: plain(getattr(result, name)) for name in names}
    if hasattr(result, "data_vars"):
        return {str(name): plain(result[name].values) for name in [*result.coords, *result.data_vars]}
    return {"value": plain(result)}


def plain(value: Any) -> Any:
    """Turn NumPy numbers and arrays into Python's own; what is no number, sequence or mapping into text."""
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if is_dataclass(value):
        return attributes(value)
    return str(value)


def json_text(value: Any) -> str:
    """Print strict JSON in ASCII, which every terminal and pipe takes; a flat object has one key a line."""
    return json.dumps(strict(plain(value)), indent=2, allow_nan=False)


def cell(value: Any, exact: bool = False) -> str:
    """Print one value of a prediction for people; with `exact`, numbers as programs read them, in ASCII.

    >>> cell(-1.5e-9), cell(-1.5e-9, exact=True), cell([float("nan")], exact=True)
    ('−1.5 × 10⁻⁹', '-1.5e-09', '[nan]')
    """
    if isinstance(value, list):
        shown = ", ".join(cell(part, exact) for part in value[:_SHOWN])
        more = f", {'...' if exact else '…'} {len(value)} in all" if len(value) > _SHOWN else ""
        return f"[{shown}{more}]"
    if value is None or isinstance(value, (bool, str, dict)):
        return clean(str(value))
    return (
        f"{value:.10g}" if exact and isinstance(value, float) else str(value) if exact else number(value, 10)
    )


def verdict_table(outcome: RunOutcome) -> str:
    """The verdicts of a run, a line a claim."""
    head = ["claim", "verdict", "points", "within", "counterfactuals rejected", "time"]
    rows = [
        [c.id, verdict(c), str(c.points), percent(c.within), rejected(c), duration(c.seconds)]
        for c in outcome.claims
    ]
    return columns([head, *rows])


def differences_text(found: Comparison) -> str:
    """What two reports say differently, for people: flips first."""
    lines = []
    if found.flipped:
        lines.append(f"{count(len(found.flipped), 'verdict')} flipped:")
        rows = [[f.claim, f"{f.old} -> {f.new}", _point(f.inputs)] for f in found.flipped]
        lines.append(columns([["  " + row[0], *row[1:]] for row in rows]))
    else:
        lines.append("No verdict flipped.")
    if found.moved:
        lines.append(f"{count(len(found.moved), 'number')} moved by more than the errors:")
        rows = [
            [
                f"  {m.claim}",
                m.what,
                f"{number(m.old, 6)} -> {number(m.new, 6)}",
                "" if m.what == "predicted" else f"{number(m.errors, 3)} s.e.",
                _point(m.inputs),
            ]
            for m in found.moved
        ]
        lines.append(columns(rows))
    elif found.numbers:
        lines.append("No number moved by more than its errors.")
    beyond = f", each beyond {number(found.threshold, 3)} standard errors" if found.numbers else ""
    lines.append(f"Compared: {count(len(found.claims), 'claim')}, {count(found.numbers, 'number')}{beyond}.")
    for what, names in (("added", found.added), ("removed", found.removed)):
        if names:
            lines.append(f"{count(len(names), 'claim')} {what}: {', '.join(map(clean, names))}.")
    if found.unmatched:
        lines.append(f"{count(found.unmatched, 'number')} have no partner: their inputs changed.")
    if found.settings:
        lines.append(f"The runs differ in their settings: {clean(', '.join(found.settings))}.")
    return "\n".join(lines)


def _point(inputs: Mapping[str, Any] | None) -> str:
    if inputs is None:
        return "the claim"
    return ", ".join(f"{clean(str(name))} = {cell(value)}" for name, value in inputs.items())


def verdict(claim: ClaimOutcome) -> str:
    """The verdict in words, with the warning that a surviving counterfactual deserves."""
    return claim.verdict + (" (too weak to mean anything)" if claim.too_weak else "")


def rejected(claim: ClaimOutcome) -> str:
    """How many counterfactuals the run rejected, of how many."""
    return f"{sum(one.rejected for one in claim.counterfactuals)}/{len(claim.counterfactuals)}"


def search_text(found: FalsifyOutcome) -> str:
    """What a search for a counterexample found, for people."""
    tried = f"{count(found.tried, 'point')} tried in {duration(found.seconds)}, {found.skipped} outside the theory"
    if found.counterexample is None:
        return f"No counterexample to {found.claim}: {tried}."
    inputs = ", ".join(f"{clean(name)} = {cell(value)}" for name, value in found.counterexample.items())
    rows = [["row", "predicted", "measured", "p", "verdict"]]
    for row in found.rows:
        label = ", ".join(f"{clean(name)} {cell(value)}" for name, value in row.label.items()) or "-"
        value = measured(row.measured, row.standard_error)
        rows.append(
            [label, predicted(row.predicted, row.compare), value, p_value(row.p_difference), row.verdict]
        )
    return f"{found.claim} disagrees at {inputs} ({tried}).\n{columns(rows)}"
