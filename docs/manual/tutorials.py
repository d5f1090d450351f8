"""Tutorials: Python files with cells (``# %%``), run as they stand; pages and notebooks of what came out.

The format opens as a notebook in the usual editors. A cell's last expression is shown as a notebook shows it: a
picture for axes, a table or LaTeX where an object has them, text otherwise. Nothing but this process runs them.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.manual.docstrings import raw

FOLDER = Path(__file__).parents[1] / "tutorials"


@dataclass(frozen=True)
class Cell:
    """One cell: prose or code."""

    source: str
    code: bool


@dataclass(frozen=True)
class Output:
    """What a cell showed: `kind` is "text", "html" or "svg"."""

    kind: str
    text: str


def lessons() -> list[Path]:
    """All tutorials in their order."""
    return sorted(FOLDER.glob("*.py"))


def cells(text: str) -> list[Cell]:
    """Split a file at its ``# %%``.

    >>> [cell.code for cell in cells("# %% [markdown]\\n# # Title\\n# %%\\n1 + 1\\n")]
    [False, True]
    """
    found = []
    for head, body in re.findall(r"^# %%(.*)\n((?:(?!# %%).*\n?)*)", text, re.M):
        if "[markdown]" in head:
            prose = "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines())
            found.append(Cell(prose, False))
        elif body.strip():
            found.append(Cell(body.strip(), True))
    return found


def ran(path: Path) -> list[tuple[Cell, list[Output]]]:
    """Run a tutorial from its first cell to its last; an exception of a cell is one of the tutorial."""
    space: dict[str, Any] = {"__name__": "__tutorial__"}
    found = []
    with contextlib.chdir(_scratch(path)):
        for number, cell in enumerate(cells(path.read_text(encoding="utf-8"))):
            found.append((cell, _outputs(cell, space, f"{path.stem}-{number}") if cell.code else []))
    return found


def _scratch(path: Path) -> str:
    """A folder of its own, for files that a tutorial writes."""
    import tempfile

    return tempfile.mkdtemp(prefix=f"{path.stem}-")


def _outputs(cell: Cell, space: dict[str, Any], name: str) -> list[Output]:
    tree = ast.parse(cell.source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    out = io.StringIO()
    value = None
    with contextlib.redirect_stdout(out):
        exec(compile(tree, name, "exec"), space)  # a tutorial of ours, as Python would run it
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval"), space)
    shown = [Output("text", out.getvalue().rstrip())] if out.getvalue().strip() else []
    return shown + ([] if value is None else [_shown(value, name)])


def _shown(value: Any, name: str) -> Output:
    figure = getattr(value, "get_figure", None)
    if figure is not None:
        return Output("svg", _svg(figure(), name))
    html = getattr(value, "_repr_html_", None)
    text = html() if html is not None else None
    return (
        Output("html", text)
        if text
        else Output("text", str(value) if isinstance(value, str) else repr(value))
    )


def _svg(figure: Any, name: str) -> str:
    from matplotlib import pyplot

    from widelimit.validate.report.look import css_variables
    from widelimit.validate.report.svg import fragment

    figure.set_size_inches(460 / 72, 320 / 72)
    text = fragment(figure, name, f"picture of {name}")
    pyplot.close(figure)
    return f'<div class="output" style="{css_variables(0)};background:#fffffe;max-width:560px">{text}</div>'


def rendered(path: Path, *, run: bool = True) -> tuple[str, str]:
    """A tutorial as a page (Markdown) and as a notebook (JSON), with what its cells showed if it is run."""
    unread = [(cell, list[Output]()) for cell in cells(path.read_text(encoding="utf-8"))]
    found = ran(path) if run else unread
    parts = []
    for cell, outputs in found:
        parts.append(f"```python\n{cell.source}\n```" if cell.code else cell.source)
        parts += [
            f"```text\n{one.text}\n```" if one.kind == "text" else raw(_plain(one.text)) for one in outputs
        ]
    about = f"and as <code>docs/tutorials/{path.name}</code>"
    parts.append(raw(f'<p><a href="{path.stem}.ipynb">This page as a notebook</a>, {about}</p>'))
    return "\n\n".join(parts) + "\n", _notebook(found)


def _plain(html: str) -> str:
    """LaTeX in tables needs a typesetter, which a page without network does not have: it is shown as it is written."""
    return re.sub(r"\$\\displaystyle (.*?)\$", r"<code>\1</code>", html)


def _notebook(found: list[tuple[Cell, list[Output]]]) -> str:
    written = []
    for number, (cell, outputs) in enumerate(found, 1):
        one: dict[str, Any] = {
            "id": f"cell-{number}",
            "metadata": {},
            "source": cell.source.splitlines(keepends=True),
        }
        if cell.code:
            one |= {
                "cell_type": "code",
                "execution_count": number,
                "outputs": [_json(output) for output in outputs],
            }
        else:
            one["cell_type"] = "markdown"
        written.append(one)
    about = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": written, "metadata": about, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def _json(output: Output) -> dict[str, Any]:
    kind = "text/plain" if output.kind == "text" else "text/html"
    return {
        "output_type": "display_data",
        "metadata": {},
        "data": {kind: output.text.splitlines(keepends=True)},
    }
