"""Matplotlib figures as lean, themable SVG.

`fragment` prints a figure for the page and goes through its elements once: identifiers are renamed under a prefix so
that figures cannot collide, colours of the palette become CSS variables, numbers keep one decimal, paths are told in
few characters, wrappers and invisible shapes go, neighbours of one style are merged. Text stays text. `standalone`
makes a file of a fragment.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterable, Iterator
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from widelimit.validate.report.look import css_variables, style, themed
from widelimit.validate.report.paths import compact
from widelimit.validate.report.words import spans

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"
_DEFAULT_FONT_SIZE = "9.5"
SMALLEST = 9.0  # pixels of type, scripts too
_KEPT_STYLES = (
    "fill",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "opacity",
    "fill-opacity",
    "stroke-opacity",
)
_SHORT_PATH = 24  # characters; a marker whose path is shorter is drawn in place instead of referred to

Style = dict[str, str]


def fragment(figure: Figure, prefix: str, alt: str) -> str:
    """Print a figure as an ``<svg>`` element to be put into a page; `prefix` must be unique on that page.

    >>> from widelimit.validate.report.look import blank
    >>> with style():
    ...     figure, axes = blank(200, 100)
    ...     _ = axes.plot([0, 1], [0, 1], color="#0072b2")
    ...     text = fragment(figure, "f1", "A line & nothing else")
    >>> text.startswith('<svg '), "var(--blue)" in text, "<title>A line &amp; nothing else</title>" in text
    (True, True, True)
    """
    stream = io.StringIO()
    with style():
        if (engine := figure.get_layout_engine()) is not None:
            engine.execute(figure)
            figure.set_layout_engine(
                None
            )  # done: Matplotlib would draw all of it once before it prints, to lay it out
        figure.savefig(
            stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    root = ElementTree.fromstring(stream.getvalue())
    width, height = (_short(part) for part in root.attrib["viewBox"].split()[2:])
    shapes = _Shapes(prefix, {item.attrib["id"]: item for item in root.iter() if "id" in item.attrib})
    body = "".join(_clipped(_merged(shapes.flat(root, {}))))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img"'
    )
    return (
        f'{head} font-size="{_DEFAULT_FONT_SIZE}"><title>{escape(alt)}</title>'
        f"<defs>{''.join(shapes.definitions.values())}</defs>{body}</svg>"
    ).replace("<defs></defs>", "")


def standalone(svg: str) -> str:
    """Make a file of a fragment: the colours' definitions go inside, with the dark ones behind a media query.

    >>> standalone('<svg viewBox="0 0 1 1"><path/></svg>').count("prefers-color-scheme")
    1
    """
    rules = (
        f"svg{{{css_variables(0)};background:var(--paper);fill:var(--ink);font-family:system-ui,sans-serif}}"
        f"@media(prefers-color-scheme:dark){{svg{{{css_variables(1)}}}}}"
    )
    head, body = svg.split(">", 1)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}><style>{rules}</style>{body}\n'


class _Shapes:
    """Walks the tree that Matplotlib wrote; `flat` yields (how to merge, attributes, content)."""

    def __init__(self, prefix: str, by_id: dict[str, ElementTree.Element]) -> None:
        self.prefix = prefix
        self.by_id = by_id
        self.names: dict[str, str] = {}
        self.definitions: dict[str, str] = {}

    def flat(self, parent: ElementTree.Element, inherited: Style) -> Iterator[tuple[str, str, str]]:
        for item in parent:
            tag = item.tag.removeprefix(_SVG)
            look = inherited | _style(item)
            if "clip-path" in item.attrib:
                look["clip-path"] = f"url(#{self.refer(item.attrib['clip-path'][5:-1])})"
            if tag == "g":
                if item.get("transform"):
                    body = "".join(_merged(self.flat(item, look)))
                    yield "", "", f'<g transform="{_numbers(item.attrib["transform"])}">{body}</g>'
                else:
                    yield from self.flat(item, look)
            elif tag == "path" and item.get("d") and _visible(look):  # a line outside the axes has no path
                yield "path", _attributes(look), compact(item.attrib["d"])
            elif tag == "use":
                yield self.use(item, look)
            elif tag == "text":
                yield "text", "", _text(item, look)
            elif tag == "image":
                yield "", "", self.image(item, look)

    def use(self, item: ElementTree.Element, look: Style) -> tuple[str, str, str]:
        x, y = float(item.get("x", "0")), float(item.get("y", "0"))
        target = item.attrib[f"{_XLINK}href"][1:]
        source = self.by_id[target]
        look = look | _style(source)
        dot = _dot(look, _radius(source.attrib["d"]))
        if dot:
            return "path", dot, compact(f"M {x} {y}") + "h0"
        path = compact(source.attrib["d"])
        if len(path) < _SHORT_PATH:
            return "path", _attributes(look), compact(source.attrib["d"], x, y)
        return (
            "use",
            _attributes(look),
            f'<use href="#{self.refer(target)}" x="{_short(x)}" y="{_short(y)}"/>',
        )

    def image(self, item: ElementTree.Element, look: Style) -> str:
        box = " ".join(
            f'{name}="{_short(item.attrib[name])}"'
            for name in ("x", "y", "width", "height")
            if name in item.attrib
        )
        turn = f' transform="{_numbers(item.attrib["transform"])}"' if "transform" in item.attrib else ""
        clip = f' clip-path="{look["clip-path"]}"' if "clip-path" in look else ""
        return f'<image {box}{turn}{clip} style="image-rendering:pixelated" href="{item.attrib[f"{_XLINK}href"]}"/>'

    def refer(self, name: str) -> str:
        if name not in self.names:
            new = self.names[name] = f"{self.prefix}-{len(self.names)}"
            source = self.by_id[name]
            if source.tag == f"{_SVG}clipPath":
                (shape,) = source
                values = " ".join(
                    f'{key}="{_numbers(value)}"' for key, value in shape.attrib.items() if key != "id"
                )
                self.definitions[name] = (
                    f'<clipPath id="{new}"><{shape.tag.removeprefix(_SVG)} {values}/></clipPath>'
                )
            elif radius := _radius(source.attrib["d"]):
                self.definitions[name] = f'<circle id="{new}" r="{_short(radius, 2)}"/>'
            else:
                self.definitions[name] = f'<path id="{new}" d="{compact(source.attrib["d"])}"/>'
        return self.names[name]


def _merged(shapes: Iterator[tuple[str, str, str]]) -> Iterator[str]:
    """Join neighbouring paths of one look into one path, neighbouring uses into one group; text comes last."""
    kind, look = "", ""
    parts: list[str] = []
    texts: list[str] = []

    def closed() -> str:
        if kind == "path":
            return f'<path {look} d="{"".join(parts)}"/>'
        return f"<g {look}>{''.join(parts)}</g>" if kind == "use" else "".join(parts)

    for new_kind, new_look, content in shapes:
        if new_kind == "text":
            texts.append(content)
            continue
        if parts and (new_kind, new_look) != (kind, look):
            yield closed()
            parts = []
        kind, look = new_kind, new_look
        parts.append(content)
    if parts:
        yield closed()
    yield from _alike(texts)


_TEXT = re.compile(r'<text x="[^"]*" y="[^"]*"([^>]*)>')


def _alike(texts: Iterable[str]) -> Iterator[str]:
    """Say once what neighbouring texts have in common besides their places."""
    return _grouped(texts, lambda text: "" if "transform" in (said := _found(_TEXT, text)) else said)


_CLIP = re.compile(r'<[a-z]+[^>]*?( clip-path="[^"]*")')


def _clipped(shapes: Iterable[str]) -> Iterator[str]:
    """Say once what clips neighbours alike."""
    return _grouped(shapes, lambda shape: _found(_CLIP, shape))


def _found(pattern: re.Pattern[str], element: str) -> str:
    match = pattern.match(element)
    return match[1] if match else ""


def _grouped(elements: Iterable[str], shared: Callable[[str], str]) -> Iterator[str]:
    """Put neighbours that share attributes into a group that has them; `shared` says which, "" for none."""
    for said, found in groupby(elements, key=shared):
        alike = list(found)
        if not said or len(alike) == 1:
            yield from alike
        else:
            yield f"<g{said}>" + "".join(one.replace(said, "", 1) for one in alike) + "</g>"


def _radius(data: str) -> float:
    """The radius of a path that is a circle about the origin, as Matplotlib draws one; else 0."""
    if data.count("C") != 8:
        return 0.0
    numbers = [float(value) for value in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", data)]
    ends = [math.hypot(*numbers[k : k + 2]) for k in (0, *range(6, len(numbers), 6))]
    return ends[0] if max(ends) - min(ends) < 1e-3 * max(ends) else 0.0


def _dot(look: Style, radius: float) -> str:
    """What draws a disc of one colour as the round end of a line without length; empty for all else."""
    fill, edge = look.get("fill", "#000000"), look.get("stroke", "none")
    if not radius or fill == "none" or edge not in ("none", fill) or any("opacity" in name for name in look):
        return ""
    wide = 2 * radius + (float(look.get("stroke-width", "1")) if edge != "none" else 0.0)
    clip = f' clip-path="{look["clip-path"]}"' if "clip-path" in look else ""
    return f'stroke="{themed(fill)}" stroke-width="{_short(wide, 2)}" stroke-linecap="round"{clip}'


def _style(item: ElementTree.Element) -> Style:
    pairs = (part.split(":", 1) for part in item.get("style", "").split(";") if ":" in part)
    found = {name.strip(): value.strip() for name, value in pairs}
    if "transform" in found:
        item.set("transform", found.pop("transform"))
    return found


def _visible(look: Style) -> bool:
    return look.get("fill") != "none" or look.get("stroke", "none") != "none"


def _attributes(look: Style) -> str:
    kept = {name: look[name] for name in (*_KEPT_STYLES, "clip-path") if name in look}
    if kept.get("stroke", "none") == "none":
        kept = {name: value for name, value in kept.items() if not name.startswith("stroke")}
    if kept.get("stroke-width") == "1":
        del kept["stroke-width"]
    return " ".join(f'{name}="{_value(name, value)}"' for name, value in kept.items())


def _value(name: str, value: str) -> str:
    return (
        themed(value) if name in ("fill", "stroke") else value if name == "clip-path" else _numbers(value, 2)
    )


def _text(item: ElementTree.Element, look: Style) -> str:
    attributes = {"x": item.get("x"), "y": item.get("y")}
    size, family = _font(look)
    attributes |= {"font-size": size if size != _DEFAULT_FONT_SIZE else None, "font-family": family}
    anchor = look.get("text-anchor", "start")
    attributes["text-anchor"] = anchor if anchor != "start" else None
    fill = themed(look.get("fill", "#000000"))
    attributes["fill"] = fill if fill != "var(--ink)" else None
    attributes["font-style"] = look.get("font-style")
    attributes["font-weight"] = "bold" if "bold" in look.get("font", "") else None
    turn = item.get("transform", "")
    if not re.match(r"rotate\(-?0[ ,)]", turn):
        attributes["transform"] = turn or None
    written = " ".join(
        f'{name}="{_numbers(value) if name in ("x", "y", "transform") else escape(value)}"'
        for name, value in attributes.items()
        if value
    )
    said = (item.text or "").strip("\n ")
    pieces = list(item)
    inside = escape(said, quote=False) + "".join(map(_tspan, pieces)) if pieces else spans(said)
    return f"<text{' ' if written else ''}{written}>{inside}</text>"


def _tspan(item: ElementTree.Element) -> str:
    """Print a piece of mathematics, whose letters Matplotlib places one by one."""
    size, family = _font(_style(item))
    slant = ' font-style="italic"' if "italic" in item.get("style", "") else ""
    places = "".join(
        f' {name}="{_numbers(item.attrib[name])}"' for name in ("x", "y", "dx", "dy") if name in item.attrib
    )
    face = f' font-family="{escape(family)}"' if family else ""
    tail = escape(item.tail or "", quote=False).strip("\n ")
    return (
        f'<tspan{places} font-size="{size}"{face}{slant}>{escape(item.text or "", quote=False)}</tspan>{tail}'
    )


def _font(look: Style) -> tuple[str, str | None]:
    shorthand = re.search(r"([\d.]+)px\s*(.*)", look.get("font", ""))
    size = _short(shorthand[1]) if shorthand else look.get("font-size", _DEFAULT_FONT_SIZE).removesuffix("px")
    size = _short(max(float(size), SMALLEST))
    family = (shorthand[2] if shorthand else look.get("font-family", "")).replace("'", "").replace('"', "")
    return size, None if not family or family.startswith(
        ("DejaVu Sans,", "sans-serif")
    ) or family == "DejaVu Sans" else family


def _numbers(text: str, decimals: int = 1) -> str:
    return re.sub(r"-?\d+\.\d+", lambda match: _short(match[0], decimals), text)


def _short(value: str | float, decimals: int = 1) -> str:
    text = f"{float(value):.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
