"""Symbols and meanings of what the code calls by name: the tables of the README, which travel with every installation.

From its sources widelimit reads the README beside them; installed, the description of its distribution, which is the
same text. Where there is neither, names have no symbols, and nothing fails.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import NamedTuple

from widelimit.theory.topics import TOPICS

GENERAL = ""  # the first table, whose names every topic uses
_SEVERAL = {  # headings of tables, by their first words, that are not a topic's name
    "batch normalisation": ("batchnorm",),
    "kernels": ("kernel", "convolution", "recurrence", "residual"),
    "free probability": ("freeprob",),
    "non-contrastive learning": ("ssl",),
    "learning rules": ("rules",),
    "recurrent networks": ("dynamics", "gru", "cycles"),
    "ridge regression": ("ridge",),
    "fisher information": ("fisher",),
}
_ROW = re.compile(r"\|(?P<cells>.+)\|\s*$")
_NAME = re.compile(r"`\.?(?:\w+\.)*(\w+)(?:\(.*?\))?`")
_LONG = 48  # letters of a symbol that is an equation rather


class Entry(NamedTuple):
    """What a name of the code stands for: the symbol of the papers (may be empty) and a meaning."""

    name: str
    symbol: str
    meaning: str
    topic: str


def entry(name: str, topic: str = GENERAL) -> Entry | None:
    """Look up a name, among those of a topic first.

    >>> entry("q_star", "meanfield").meaning
    'stable fixed point of the length map'
    >>> entry("penalty", "ridge").symbol
    'lambda'
    """
    known = entries()
    return known.get((topic, name)) or known.get((GENERAL, name))


def symbol(name: str, topic: str = GENERAL) -> str:
    """How a figure writes a name: its symbol with Greek letters, or the name with spaces.

    >>> symbol("chi_1"), symbol("test_error")
    ('χ_1', 'test error')
    """
    from widelimit.validate.report.words import greek

    found = entry(name, topic)
    return greek(found.symbol) if found is not None and found.symbol else name.replace("_", " ")


@cache
def entries() -> dict[tuple[str, str], Entry]:
    """All entries by (topic, name); those of the first table have the topic ""."""
    out: dict[tuple[str, str], Entry] = {}
    topics: tuple[str, ...] = (GENERAL,)
    for line in _section(readme()).splitlines():
        row = _ROW.match(line.replace(r"\|", "¦"))
        if row is None:
            topics = _topics(line) or topics
            continue
        cells = [cell.strip().replace("¦", "|") for cell in row["cells"].split("|")]
        for one in _read(cells):
            for topic in topics:
                out.setdefault((topic, one.name), one._replace(topic=topic))
    return out


def _read(cells: list[str]) -> list[Entry]:
    """The entries of one row: symbols and names stand in the same order where there are as many of them."""
    if len(cells) < 3 or set(cells[0]) <= {"-", ":"}:
        return []
    names = list(dict.fromkeys(_NAME.findall(cells[1])))
    parts = [part.strip() for part in cells[0].split(",")] if cells[0] != "-" else [""]
    if len(parts) != len(names):
        # where names are more than symbols, all of them are for the one; no symbol is better than a wrong one
        parts = [cells[0] if len(parts) == 1 else ""] * len(names)
    meaning = cells[2].replace("`", "")
    return [Entry(n, s if len(s) <= _LONG else "", meaning, "") for n, s in zip(names, parts, strict=True)]


def _topics(line: str) -> tuple[str, ...]:
    """The topics whose table a heading announces; none for other text."""
    text = line.strip().lower()
    for words, topics in _SEVERAL.items():
        if text.startswith(words):
            return topics
    first = re.match(r"\w+", text)
    return (first[0],) if first and first[0] in TOPICS else ()


def _section(text: str) -> str:
    """What stands below the heading "Notation"."""
    return text.partition("\n## Notation")[2].partition("\n## ")[0]


def readme() -> str:
    """The README's text; empty where neither the sources nor an installation has it."""
    beside = Path(__file__).parents[4] / "README.md"
    try:
        text = beside.read_text(encoding="utf-8")
        if text.startswith("# widelimit"):
            return text
    except (OSError, UnicodeDecodeError):
        pass
    try:
        return str(metadata("widelimit").json.get("description", ""))
    except PackageNotFoundError:
        return ""
