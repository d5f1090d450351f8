"""A result as a small HTML table: symbol, value, meaning."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np

from widelimit.validate.pictures.kit import topic_of
from widelimit.validate.pictures.notation import entry
from widelimit.validate.report.numbers import number
from widelimit.validate.report.words import words

_SHOWN = 5  # numbers of a short array
_LETTERS = 60  # of a value
_DIGITS = 7
# What the table of a class without fields lists.
_SHOWN_OF = {
    "SpectralLaw": ("name", "mean", "variance", "smallest", "largest", "support", "atoms", "error"),
    "TracyWidom": ("beta", "mean", "variance"),
    "Tracker": ("path_integral", "displacement"),
}


class Row(NamedTuple):
    """One line of a table: the symbol of the papers (or ""), the name, the value as text, what it means (or "")."""

    symbol: str
    name: str
    value: str
    meaning: str


def table(result: Any) -> str:
    """Write a result as an HTML table.

    >>> from widelimit.numerics import batchnorm
    >>> text = table(batchnorm.predict("relu"))
    >>> "<code>factor</code>" in text, "<table" in text
    (True, True)
    """
    head = "<tr><th>symbol</th><th>value</th><th>meaning</th></tr>"
    body = "".join(map(_line, rows(result)))
    return (
        f'<table class="widelimit"><caption>{escape(type(result).__name__)}</caption>'
        f"<thead>{head}</thead><tbody>{body}</tbody></table>"
    )


def _line(row: Row) -> str:
    sign = f"<i>{words(row.symbol)}</i> " if row.symbol else ""
    left = 'style="text-align:left"'
    cells = (f"{sign}<code>{escape(row.name)}</code>", escape(row.value), words(row.meaning))
    return "<tr>" + "".join(f"<td {left}>{cell}</td>" for cell in cells) + "</tr>"


def rows(result: Any) -> list[Row]:
    """The lines of a result's table: its fields in their order."""
    topic = topic_of(result)
    out = []
    for name, value in _values(result):
        found = entry(name, topic)
        meaning = found.meaning if found else meanings(type(result)).get(name, "")
        out.append(Row(found.symbol if found else "", name, text(value), meaning))
    return out


def _values(result: Any) -> list[tuple[str, Any]]:
    if is_dataclass(result):
        return [(f.name, getattr(result, f.name)) for f in fields(result) if not f.name.startswith("_")]
    names = getattr(type(result), "_fields", None) or _SHOWN_OF.get(type(result).__name__, ())
    return [(name, getattr(result, name)) for name in names]


def text(value: Any) -> str:
    """Write a value: short, and never as more than one line.

    >>> text(1.06395837), text(np.arange(3.0)), text(np.ones((2, 100))), text(None)
    ('1.063958', '0, 1, 2', '2 × 100 numbers, all 1', 'not defined')
    """
    if value is None:
        return "not defined"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float):
        return number(value, _DIGITS)
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, tuple | list) and len(value) <= _SHOWN:
        return _cut(", ".join(text(part) for part in value) or "none")
    if isinstance(value, tuple | list | dict):
        return f"{len(value)} entries"
    return _cut(" ".join((value if isinstance(value, str) else _name(value)).split()))


def _name(value: Any) -> str:
    """Records inside a record are named, not written out."""
    return f"a {type(value).__name__}" if is_dataclass(value) else str(value)


def _array(values: np.ndarray) -> str:
    if values.ndim == 0:
        return text(values.item())
    if values.size == 0:
        return "none"
    if values.ndim == 1 and values.size <= _SHOWN:
        return _cut(", ".join(text(one) for one in values))
    shape = " × ".join(map(str, values.shape))
    if values.dtype.kind not in "fiu":
        return f"{shape} {'complex numbers' if values.dtype.kind == 'c' else 'values'}"
    finite = values[np.isfinite(values)]
    if not finite.size:
        return f"{shape} numbers, none finite"
    low, high = (number(float(end), 4) for end in (finite.min(), finite.max()))
    return f"{shape} numbers, all {low}" if low == high else f"{shape} numbers, {low} … {high}"


def _cut(line: str) -> str:
    return line if len(line) <= _LETTERS else line[: _LETTERS - 1] + "…"


def meanings(cls: type) -> dict[str, str]:
    """What a class's docstring says of its fields: behind each name in backticks, up to the next or the end.

    >>> class Code:
    ...     '''A code: `gain` A, `bias` x - x_hat, and `variance`, N times that of x_hat; both finite.'''
    ...     gain = bias = variance = 0.0
    >>> meanings(Code)
    {'gain': 'A', 'bias': 'x - x_hat', 'variance': 'N times that of x_hat'}
    """
    said = " ".join((cls.__doc__ or "").split())
    out: dict[str, str] = {}
    bare = rf"(?:(?<=[.;:] )|^)({'|'.join(getattr(cls, '__annotations__', {'-': 0}))}): "
    parts = re.split(r"`(\w+)`", re.sub(bare, r"`\1` ", said))
    for name, behind in zip(parts[1::2], parts[2::2], strict=True):
        until = re.split(r"[;.](?:\s|$)", behind)[0]
        shape = re.match(r"\s*\([\w ,]*\)", until)
        told = until[shape.end() :] if shape else until
        told = re.sub(r"(,|\band|\bor|\(|\s)+$", "", told.strip(" ,:="))
        if told and name not in out and hasattr(cls, name) | (name in getattr(cls, "__annotations__", {})):
            out[name] = told
    return out
