"""``index.html``: the page as one file, from the templates beside this module."""

from __future__ import annotations

import re
from collections import Counter
from itertools import count

from widelimit.validate.harness.outcome import MEANINGS
from widelimit.validate.harness.statistics import LEVEL_MEANS
from widelimit.validate.harness.text import clean
from widelimit.validate.report import audits
from widelimit.validate.report.look import css_variables
from widelimit.validate.report.model import Page, anchor
from widelimit.validate.report.numbers import percent
from widelimit.validate.report.references import spelled
from widelimit.validate.report.words import words

# Text in a verdict's colour needs more contrast than a line in a figure: 4.5 to 1 on its paper.
_TEXT = (
    "--agree:#00694d;--differ:#005a8c;--wrong:#a84300;--open:#7a5500",
    "--agree:#35cfa4;--differ:#6cc1f0;--wrong:#ff9a63;--open:#f0b429",
)


def render(page: Page) -> str:
    """Print the page. Everything from outside is cleaned and escaped; only our SVG and MathML go in as they are."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("widelimit.validate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: clean(value) if type(value) is str else value,
        trim_blocks=False,
    )
    environment.filters["words"] = lambda text: Markup(words(clean(str(text))))
    environment.filters["anchor"] = anchor
    sheet = environment.get_template("style.css").render()
    text = environment.get_template("index.html.j2").render(
        page=page,
        css=_themes() + sheet,
        level=percent(page.outcome.level),
        level_means=LEVEL_MEANS,
        meanings=MEANINGS,
        spelled=spelled,
        audit=[audits.cells(row) for row in audits.table(page.outcome)],
        audit_heads=audits.heads(),
        audit_explained=audits.EXPLAINED,
    )
    return _without_namespaces(_looks_named(re.sub(r"\n\s*\n+", "\n", text)))


_FIGURE = re.compile(r'<svg xmlns="[^"]*".*?</svg>', re.DOTALL)
_LOOK = re.compile(
    r"(?: ?(?:fill|stroke|stroke-width|stroke-dasharray|stroke-linecap|opacity|fill-opacity|stroke-opacity|"
    r'text-anchor)="[^"]*")+'
)
_OFTEN = 20  # a look that a page has fewer times keeps its attributes


def _looks_named(page: str) -> str:
    """Attributes that many shapes of a page share, as classes of its style sheet, and identifiers by number.

    The papers' figures keep theirs: they are copied from a page to others.
    """
    figures = [one for one in _FIGURE.findall(page) if 'id="g-' not in one]
    counts = Counter(look.strip() for one in figures for look in _LOOK.findall(one))
    often = [look for look, count in counts.most_common() if count >= _OFTEN]
    names = {look: f"f{k}" for k, look in enumerate(often)}
    numbers = count()

    def named(figure: re.Match[str]) -> str:
        text = figure[0]
        if 'id="g-' in text:
            return text
        text = _LOOK.sub(
            lambda look: f' class="{names[look[0].strip()]}"' if look[0].strip() in names else look[0],
            text,
        )
        return _numbered(text, next(numbers))

    rules = "".join(f".{name}{{{_declared(look)}}}" for look, name in names.items())
    return _FIGURE.sub(named, page).replace("</style>", f"{rules}</style>", 1)


def _numbered(figure: str, number: int) -> str:
    """A figure whose identifiers begin with its number on the page, in place of a longer name."""
    found = re.search(r' id="([^"]+)-[0-9]+"', figure)
    if found is None:
        return figure
    name = re.escape(found[1])
    return re.sub(rf'( id="| href="#|="url\(#){name}(?=-[0-9]+[")])', rf"\g<1>i{number}", figure)


def _without_namespaces(page: str) -> str:
    """Of SVG and MathML inside HTML the parser knows the namespace; text has no quotation marks of its own."""
    return re.sub(r'<(svg|math) xmlns="[^"]*"', r"<\1", page)


def _declared(look: str) -> str:
    """Attributes of a shape as the declarations of a style sheet."""
    return ";".join(f"{name}:{value}" for name, value in re.findall(r'([a-z-]+)="([^"]*)"', look))


def _themes() -> str:
    light, dark = (f"{css_variables(mode)};{_TEXT[mode]}" for mode in (0, 1))
    return f":root{{color-scheme:light dark;{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
