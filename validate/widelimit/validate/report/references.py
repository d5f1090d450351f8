"""Where a statement comes from: the one bibliography, formatted by pybtex."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Reference:
    """An entry of the bibliography, ready to print; `arxiv` and `doi` are identifiers or empty."""

    key: str
    short: str  # "Schoenholz et al., 2017"
    authors: str
    title: str
    venue: str
    year: str
    arxiv: str = ""
    doi: str = ""

    @property
    def link(self) -> str:
        """Where to read it."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        return f"https://doi.org/{self.doi}" if self.doi else ""


@cache
def bibliography() -> dict[str, Reference]:
    """Read ``references.bib`` of the theory floor.

    >>> bibliography()["schoenholz2017deep"].short
    'Schoenholz et al., 2017'
    """
    from pybtex.database.input.bibtex import Parser

    text = (files("widelimit.theory") / "references.bib").read_text(encoding="utf-8")
    entries = Parser(encoding="utf-8").parse_string(text).entries
    return {key: _reference(key, entry) for key, entry in entries.items()}


def mentioned(text: str) -> list[Reference]:
    """Find the entries that a text names, by key or by arXiv number, in the order of the text.

    >>> [r.key for r in mentioned("arXiv:1611.01232, eq. (5)")]
    ['schoenholz2017deep']
    """
    found: dict[str, int] = {}
    for key, reference in bibliography().items():
        names = [rf"\b{re.escape(key)}\b"] + ([re.escape(reference.arxiv)] if reference.arxiv else [])
        places = [match.start() for name in names for match in re.finditer(name, text)]
        if places:
            found[key] = min(places)
    return [bibliography()[key] for key in sorted(found, key=lambda key: found[key])]


def spelled(source: str) -> str:
    """Replace the keys in a source by names a reader knows.

    >>> spelled("schoenholz2017deep, eq. (5)")
    'Schoenholz et al., 2017, eq. (5)'
    """
    known = bibliography()
    return re.sub(r"\b[a-z]+\d{4}[a-z]*\b", lambda m: known[m[0]].short if m[0] in known else m[0], source)


@cache
def _backend() -> Any:
    """Pybtex' printer of plain text; by name it would look through all installed packages at every call."""
    from pybtex.backends.plaintext import Backend

    return Backend()


def _plain(latex: str) -> str:
    from pybtex.richtext import Text

    return str(Text.from_latex(latex).render(_backend()))


def _reference(key: str, entry: Any) -> Reference:
    def field(name: str) -> str:
        return _plain(entry.fields[name]) if name in entry.fields else ""

    people = entry.persons.get("author", [])
    last = [" ".join(map(_plain, [*p.prelast_names, *p.last_names])) for p in people]
    full = [" ".join([_initials(p), name]).strip() for p, name in zip(people, last, strict=True)]
    year = field("year")
    first = {0: key, 1: last[0] if last else key, 2: " and ".join(last)}.get(
        len(last), f"{last[0]} et al." if last else key
    )
    venue = next(
        (field(name) for name in ("journal", "booktitle", "publisher", "school") if name in entry.fields), ""
    )
    if venue and "volume" in entry.fields:
        venue += f" {field('volume')}"
    return Reference(
        key, f"{first}, {year}", ", ".join(full), field("title"), venue, year, field("eprint"), field("doi")
    )


def _initials(person: Any) -> str:
    names = [_plain(part) for part in [*person.first_names, *person.middle_names]]
    return " ".join(name if name.endswith(".") else f"{name[0]}." for name in names if name)
