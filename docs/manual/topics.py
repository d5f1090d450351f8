"""One page a topic, made from the topic itself; a topic that is added to the list has its page."""

from __future__ import annotations

import inspect
import json
from functools import cache
from html import escape
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cyclopts import CycloptsError
from docs.manual.docstrings import function, marked, prose, raw

from widelimit.theory.errors import WidelimitError
from widelimit.theory.topics import TOPICS
from widelimit.validate.cli import options, tables
from widelimit.validate.harness.finding import sources
from widelimit.validate.pictures import commands
from widelimit.validate.report.gallery import GalleryFigure, figures_of, gallery
from widelimit.validate.report.references import Reference, bibliography, mentioned, spelled

REPORT = Path(__file__).parents[2] / "reports" / "reference" / "report.json"
# Topics that have to be told something before they predict: what the page's example tells them.
EXAMPLES = {
    "ridge": "--eigenvalues 1 0.1 --signal 1 0.5 --noise 0.1 --sample-ratio 0.5",
    "ssl": "--weight-decay 0.04 --augmentation 0.5",
    "pruning": "--widths 784 300 100 10",
    "jacobian": "--activation hard_tanh --sigma-w 1.05 --sigma-b 0.05 --depth 16",
    "spectra": "--spike 4 --ratio 0.5",
    "shaping": "--activation tanh --depth 50",
}
_SHOWN = 14  # numbers of an example


def names() -> tuple[str, ...]:
    """Topics that have a page: all of them."""
    return TOPICS


def page(topic: str, *, draft: bool = False) -> str:
    """The page of a topic as Markdown; a draft computes no figure that the committed report does not have."""
    parts = [
        f"# {topic}\n",
        _said(topic),
        _derivation(topic),
        _example(topic),
        _figures(topic, draft),
        _functions(topic),
        _claims(topic),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _said(topic: str) -> str:
    """What the topic's solvers say of themselves in their first paragraph, or its theory."""
    for floor in ("numerics", "theory"):
        if find_spec(f"widelimit.{floor}.{topic}"):
            text = inspect.getdoc(import_module(f"widelimit.{floor}.{topic}")) or ""
            if text:
                return prose(text.split("\n\n")[0])
    return ""


# what is true ---------------------------------------------------------------------------------------------------------


def _derivation(topic: str) -> str:
    if not find_spec(f"widelimit.theory.{topic}"):
        return ""
    try:
        of = options.topic_function(topic, "theory", "derive")
        found = of(**options.bind(of, [], topic))
    except (WidelimitError, CycloptsError) as error:
        return f"## What is true, and why\n\n{prose(str(error))}"
    out = [f"## What is true, and why\n\n{prose(found.title + '.')}"]
    out += [prose(f"Assuming {one}.") for one in found.assumptions]
    for step in found:
        source = f" <i>{_cited(step.source)}</i>" if step.source else ""
        assuming = f" Assuming {marked('; '.join(step.assumptions))}." if step.assumptions else ""
        reason = f'<p class="because">{marked(step.because)}{assuming}{source}</p>'
        out.append(f"**{step.name}**\n\n{raw(found.step_mathml(step.name) + reason)}")
    out.append(
        f"`widelimit derive {topic} --check` evaluates both sides of each step apart, at random points and 30 digits; "
        f"`widelimit derive {topic} --format latex` sets them."
    )
    return "\n\n".join(out)


def _cited(source: str) -> str:
    """A source with its names linked to the list of references."""
    text = escape(spelled(source))
    for one in mentioned(source):
        short = escape(one.short)
        text = text.replace(short, f'<a href="../references.html#{one.key}">{short}</a>')
    return text


# what it says in numbers ----------------------------------------------------------------------------------------------


def _example(topic: str) -> str:
    if not find_spec(f"widelimit.numerics.{topic}"):
        return ""
    words = EXAMPLES.get(topic, "").split()
    command = " ".join(["widelimit predict", topic, *words])
    try:
        of = options.topic_function(topic, "numerics", "predict")
        given = options.bind(of, words, topic)
        found = of(**given)
    except (WidelimitError, CycloptsError) as error:  # what it has to be told is not in `EXAMPLES`
        return f"## In numbers\n\n{prose(str(error))}"
    values = list(tables.attributes(found).items())
    rows = [[name, tables.cell(value, exact=True)] for name, value in values[:_SHOWN]]
    more = ["..."] if len(values) > _SHOWN else []
    shown = "\n".join([tables.columns(rows), *more])
    picture = svg(
        lambda axes: commands.picture(topic, of, given, found)(axes), f"{topic}: {command}", f"t-{topic}"
    )
    text = f"## In numbers\n\n```console\n$ {command}\n{shown}\n```"
    return text + (f"\n\n{raw(picture)}\n\n`{command} --plot {topic}.svg` draws this." if picture else "")


def svg(draw: Any, title: str, prefix: str) -> str:
    """A picture as an element of the page, in colours of its own; empty where there is none to be drawn."""
    from widelimit.theory.errors import PictureError
    from widelimit.validate.report.look import blank, style
    from widelimit.validate.report.scales import tidy
    from widelimit.validate.report.svg import fragment

    with style():
        figure, axes = blank(460, 320)
        try:
            draw(axes)
        except PictureError:
            return ""
        tidy(axes)
        text = fragment(figure, prefix, title)
    return framed(text)


def framed(svg: str) -> str:
    """A picture on light paper, with the colours that it names."""
    from widelimit.validate.report.look import css_variables

    return f'<div class="output" style="{css_variables(0)};background:#fffffe;max-width:480px">{svg}</div>'


# figures of papers ----------------------------------------------------------------------------------------------------


def _figures(topic: str, draft: bool) -> str:
    """The papers' figures that the topic redraws: as the committed report shows them, else computed."""
    known = {
        figure.name: (figure, svg) for figure in figures_of(topic) if (svg := redrawn(topic, figure.name))
    }
    if len(known) < len(figures_of(topic)) and not draft:
        with TemporaryDirectory() as folder:
            known |= {f.name: (f, panel.svg) for f, panel in gallery([topic], "quick", Path(folder))}
    shown = [_figure(*known[figure.name]) for figure in figures_of(topic) if figure.name in known]
    return "\n\n".join(["## Figures of the papers, redrawn", *shown]) if shown else ""


def _figure(figure: GalleryFigure, svg: str) -> str:
    said = f"<b>{marked(figure.title)}</b> {marked(figure.caption)} <cite>{_cited(figure.source)}</cite>"
    return raw(f"<figure>{framed(svg)}<figcaption>{said}</figcaption></figure>")


def redrawn(topic: str, name: str) -> str:
    """A figure of a topic as the page of the committed report has it; empty where it has not.

    >>> redrawn("meanfield", "no-such-figure")
    ''
    """
    mark = f'id="g-{topic}-{name}-'
    return next((svg for svg in _committed() if mark in svg), "")


@cache
def _committed() -> tuple[str, ...]:
    """The figures on the page of the committed report; none where it is missing."""
    try:
        text = REPORT.with_name("index.html").read_text(encoding="utf-8")
    except OSError:
        return ()
    parts = text.split('<figure class="panel">')[1:]
    return tuple(part.partition("</svg>")[0] + "</svg>" for part in parts)


# functions ------------------------------------------------------------------------------------------------------------


def _functions(topic: str) -> str:
    out = []
    for floor in ("numerics", "validate"):
        name = f"widelimit.{floor}.{topic}"
        if find_spec(name):
            found = public(import_module(name))
            if found:
                out.append(f"## `{name}`")
                out += [function(key, value) for key, value in found.items()]
    return "\n\n".join(out)


def public(module: Any) -> dict[str, Any]:
    """Functions of ours that a module offers: those of its ``__all__``, or those without an underscore."""
    listed = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    found = {name: getattr(module, name) for name in listed if hasattr(module, name)}
    return {
        name: value
        for name, value in found.items()
        if inspect.isfunction(value) and value.__module__.startswith(module.__name__)
    }


# claims ---------------------------------------------------------------------------------------------------------------


@cache
def verdicts() -> dict[str, dict[str, Any]]:
    """The claims of the committed report, by id; none where it is missing."""
    try:
        return {one["id"]: one for one in json.loads(REPORT.read_text(encoding="utf-8"))["claims"]}
    except (OSError, ValueError, KeyError):
        return {}


def _claims(topic: str) -> str:
    known = [source.claim() for source in sources("*") if source.id.split(".")[0] == topic]
    if not known:
        return ""
    rows = "".join(map(_claim, known))
    head = "<tr><th>claim</th><th>says</th><th>paper</th><th>last verdict</th></tr>"
    return (
        "## Claims\n\n"
        + raw(f'<table class="widelimit"><thead>{head}</thead><tbody>{rows}</tbody></table>')
        + f'\n\n`widelimit validate "{topic}.*"` tests them; verdicts are those of the committed report.'
    )


def _claim(claim: Any) -> str:
    found = verdicts().get(claim.id)
    if found is None:
        said = "not in the committed report"
    else:
        within = found.get("within")
        inside = f" within {100 * within:.2g} %" if isinstance(within, int | float) else ""
        said = f'<span class="verdict">{escape(found["verdict"])}</span>{inside}'
        said += ", too weak to mean anything" if found.get("too_weak") else ""
    cells = (f"<code>{escape(claim.id)}</code>", marked(claim.statement), _cited(claim.paper), said)
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


# sources --------------------------------------------------------------------------------------------------------------


def references() -> str:
    """The page of all references."""
    found = sorted(bibliography().values(), key=lambda one: one.short.lower())
    items = "".join(map(_reference, found))
    return f"# References\n\n{raw(f'<ul>{items}</ul>')}\n"


def _reference(one: Reference) -> str:
    title = f'<a href="{escape(one.link)}">{escape(one.title)}</a>' if one.link else escape(one.title)
    rest = ", ".join(escape(part) for part in (one.venue, one.year) if part)
    return f'<li id="{escape(one.key)}">{escape(one.authors)}: {title}. {rest}.</li>'
