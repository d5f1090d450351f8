"""Functions for readers: the signature with its types, then the docstring, prose as prose and examples as examples."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from html import escape
from typing import Any

_WIDE = 88  # letters of a signature in one line


def function(name: str, of: Callable[..., Any]) -> str:
    """A function as Markdown: heading, signature, docstring."""
    return f"### {name}\n\n```python\n{signature(name, of)}\n```\n\n{prose(inspect.getdoc(of) or '')}\n"


def signature(name: str, of: Callable[..., Any]) -> str:
    """Write a signature, a parameter a line where it is long.

    >>> def solve(activation: str, *, depth: int = 3) -> float: ...
    >>> signature("solve", solve)
    'solve(activation: str, *, depth: int = 3) -> float'
    """
    found = inspect.signature(of)
    text = f"{name}{found}".replace("'", "")
    if len(text) <= _WIDE:
        return text
    parts, star = [], False
    for one in found.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        parts.append(str(one).replace("'", ""))
    back = "" if found.return_annotation is found.empty else f" -> {found.return_annotation}".replace("'", "")
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){back}"


def prose(text: str) -> str:
    """Turn a docstring into Markdown that is taken as it stands: paragraphs as HTML, examples as code."""
    out = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.splitlines()
        example = next((k for k, line in enumerate(lines) if line.lstrip().startswith(">>>")), None)
        if example is not None:
            if example:
                out.append(_paragraph(lines[:example]))
            out.append("```python\n" + inspect.cleandoc("\n".join(lines[example:])) + "\n```")
        else:
            out.append(_paragraph(lines))
    return "\n\n".join(out)


def _paragraph(lines: list[str]) -> str:
    indented = [line for line in lines[1:] if line.startswith("    ")]
    if lines and (len(indented) > 0 and len(indented) >= len(lines) - 1):
        head = f"<p>{marked(lines[0])}</p>" if lines[0].strip() else ""
        items, current = [], ""
        for line in lines[1:]:
            if line.startswith("        ") and current:
                current += " " + line.strip()
            else:
                items += [current] if current else []
                current = line.strip()
        items += [current] if current else []
        body = "".join(f"<li>{marked(item)}</li>" for item in items)
        return raw(f"{head}<ul>{body}</ul>")
    return raw(f"<p>{marked(' '.join(line.strip() for line in lines))}</p>")


def marked(text: str) -> str:
    """Escape text for HTML; what stands in backticks is code.

    >>> marked("a < `b` and ``c``")
    'a &lt; <code>b</code> and <code>c</code>'
    """
    return re.sub(r"(`{1,2})([^`]+)\1", r"<code>\2</code>", escape(text, quote=False))


def raw(html: str) -> str:
    """HTML that Markdown leaves alone."""
    return f"```{{raw}} html\n{html}\n```"
