"""The manifest as tables for readers: the request, the machine, times, versions; never a dictionary's own print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from widelimit.validate.harness.text import LINE, PARAGRAPH, clean
from widelimit.validate.report.numbers import duration, number

Table = tuple[str, tuple[tuple[str, str], ...]]
_LEFT_OUT = ("schema", "warnings", "claims", "status")
_GROUPS: dict[str, tuple[str, ...]] = {
    "Request": ("preset", "level", "seed", "precision", "inputs", "claims from", "skipped"),
    "Machine": ("device", "device name", "platform", "cores", "jobs"),
    "Time": ("started", "finished", "seconds"),
}


def tables(manifest: Mapping[str, Any]) -> tuple[Table, ...]:
    """Return titled tables of names and values; a part with parts of its own is a table of its own.

    >>> tables({"seed": 0, "versions": {"torch": "2.13.0"}, "git": {"changed": False}})
    (('Request', (('seed', '0'),)), ('Versions', (('torch', '2.13.0'),)), ('Git', (('changed', 'no'),)))
    """
    flat: dict[str, str] = {}
    nested: list[Table] = []
    for name, value in manifest.items():
        said = clean(str(name), LINE).replace("_", " ")
        if said in _LEFT_OUT or value in (None, [], {}, "", ()):
            continue
        if isinstance(value, Mapping):
            rows = tuple((clean(str(k), LINE).replace("_", " "), _said(str(k), v)) for k, v in value.items())
            nested.append((said.capitalize(), rows))
        else:
            flat[said] = _said(said, value)
    found: list[Table] = []
    for title, names in _GROUPS.items():
        rows = tuple((name, flat.pop(name)) for name in names if name in flat)
        if rows:
            found.append((title, rows))
    rest = (("Further", tuple(flat.items())),) if flat else ()
    return (*found, *nested, *rest)


def _said(name: str, value: Any) -> str:
    """One value in words."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "seconds" and isinstance(value, int | float):
        return duration(value)
    if name in ("started", "finished"):
        return clean(str(value).replace("T", " ").replace("+00:00", " UTC"), LINE)
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{clean(str(k), LINE)}: {_said('', part)}" for k, part in value.items()) or "none"
    if isinstance(value, list | tuple):
        return clean(", ".join(_said("", part) for part in value), PARAGRAPH) or "none"
    return clean(str(value), PARAGRAPH)
