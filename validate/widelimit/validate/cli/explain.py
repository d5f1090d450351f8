"""``widelimit explain NAME``: what a symbol, a word of a report, a topic, a claim or an error means."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache

from widelimit.theory import errors
from widelimit.theory.errors import ArgumentError, WidelimitError
from widelimit.theory.topics import TOPICS
from widelimit.validate.cli import options, output, tables
from widelimit.validate.harness.text import clean

_CLOSE = 0.6


def explain(name: str, *, json: bool = False) -> None:
    """Say what a name means: of the code or a paper (q_star, xi_c), a word, a topic, a claim, an error.

    Args:
        name: what to explain.
        json: print one JSON object: a list of what was found, each with its kind, name and meaning.
    """
    found = meanings(name)
    if json:
        print(
            tables.json_text(
                {"found": [dict(zip(("kind", "name", "meaning"), one, strict=True)) for one in found]}
            )
        )
        return
    for kind, title, meaning in found:
        output.say(f"{title} ({kind})\n    {meaning}")


def meanings(name: str) -> list[tuple[str, str, str]]:
    """All that is known by a name, as (kind, name, meaning); `ArgumentError` with the nearest names where nothing is.

    >>> meanings("differs")[0][0], meanings("DomainError")[0][2]
    ('word', 'The inputs are well formed but outside the range in which the theory says anything.')
    >>> meanings("xi_c")[0][:2]
    ('meanfield', 'xi_c')
    """
    wanted = clean(name).strip().lower()
    everything = list(_known())
    found = [one for keys, *one in everything if wanted in keys]
    if "." in wanted:
        found += _claim(wanted)
    if not found:
        names = sorted({key for keys, *_ in everything for key in keys})
        near = get_close_matches(wanted, names, n=3, cutoff=_CLOSE)
        help = f"Did you mean {', '.join(near)}?" if near else "`widelimit list` has topics and claims."
        raise ArgumentError("name", "must be a symbol, a word, a topic, a claim or an error", name, help)
    joined: dict[tuple[str, str], list[str]] = {}
    for kind, title, meaning in found:  # topics that share a table share its meanings
        joined.setdefault((title, meaning), []).append(kind)
    return [(", ".join(kinds), title, meaning) for (title, meaning), kinds in joined.items()]


def _known() -> Iterator[tuple[set[str], str, str, str]]:
    """What can be explained without importing claims: (names that ask for it, kind, title, meaning)."""
    from widelimit.validate.pictures import notation

    for (topic, name), one in notation.entries().items():
        title = f"{name} = {one.symbol}" if one.symbol and one.symbol != name else name
        keys = {name.lower(), one.symbol.lower()} - {""}
        yield keys, topic or "meanfield", title, one.meaning or "see its equation in `widelimit derive`"
    for word, meaning in words().items():
        yield {word.lower()}, "word", word, meaning
    for topic in TOPICS:
        floor = "numerics" if topic in options.topics("numerics") else "theory"
        yield {topic}, "topic", topic, options.summary(topic, floor)
    for name, cls in inspect.getmembers(errors, inspect.isclass):
        if issubclass(cls, WidelimitError | errors.WidelimitWarning):
            said = (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")
            yield {name.lower()}, "warning" if issubclass(cls, Warning) else "error", name, said


@cache
def words() -> dict[str, str]:
    """Words of a report: the verdicts, and the table of the README's "How to read a verdict"."""
    from widelimit.validate.harness.outcome import MEANINGS
    from widelimit.validate.pictures import notation

    text = notation.readme().partition("\n## How to read a verdict")[2].partition("\n## ")[0]
    table = dict(re.findall(r"^\| ([\w^/ -]+?) \| (.+?) \|$", text, re.M))
    table.pop("word", None)
    return {**MEANINGS, **table}


def _claim(name: str) -> list[list[str]]:
    from widelimit.validate.harness.finding import sources

    try:
        found = [source.claim() for source in sources(name)]
    except WidelimitError:
        return []
    return [["claim", one.id, f"{one.title}: {one.statement} [{one.paper}]"] for one in found]
