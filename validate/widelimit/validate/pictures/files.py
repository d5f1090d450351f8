"""Pictures and numbers as files, written whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.running import atomic
from widelimit.validate.report.look import blank, style
from widelimit.validate.report.scales import tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMAGES = (".svg", ".png", ".pdf")
TABLES = (".csv",)
_WIDTH, _HEIGHT = 460, 320  # CSS pixels
_DPI = 200  # of a PNG


def checked(argument: str, path: Path, suffixes: tuple[str, ...]) -> Path:
    """Return a path whose suffix is one of `suffixes`; `ArgumentError` names those that there are.

    >>> checked("save", Path("numbers.xls"), TABLES)
    Traceback (most recent call last):
        ...
    widelimit.theory.errors.ArgumentError: Argument `save` must end in .csv, but is 'numbers.xls'.
    """
    if path.suffix.lower() not in suffixes:
        *most, last = suffixes
        raise ArgumentError(
            argument, f"must end in {', '.join(most)}{' or ' if most else ''}{last}", str(path)
        )
    if path.is_dir():
        raise ArgumentError(argument, "must be a file", but=f"is the folder {path}")
    if not path.absolute().parent.is_dir():
        raise ArgumentError(argument, "must lie in a folder that exists", but=f"is {str(path)!r}")
    return path


def write_picture(path: Path, draw: Callable[[Axes], Any], title: str) -> None:
    """Draw on new axes and write the figure: SVG with selectable text, PNG or PDF by the suffix."""
    from widelimit.validate.report.svg import fragment, standalone

    with style():
        figure, axes = blank(_WIDTH, _HEIGHT)
        draw(axes)
        tidy(axes)
        if path.suffix.lower() == ".svg":
            atomic.write_bytes(path, standalone(fragment(figure, "w", title)).encode())
            return
        stream = io.BytesIO()
        kind = path.suffix[1:].lower()
        date = {"CreationDate": None} if kind == "pdf" else {}
        figure.savefig(stream, format=kind, dpi=_DPI, facecolor="white", metadata=date)
    atomic.write_bytes(path, stream.getvalue())


def write_table(path: Path, values: Mapping[str, Any]) -> None:
    """Write numbers by name: a row of names, one of single values; lists become columns, as long as the longest.

    Lists of lists get a column an entry of the inner lists. Infinity is ``inf``, what is not defined is empty.
    """
    columns = {name: column for key, value in values.items() for name, column in _columns(key, value)}
    longest = max((len(column) for column in columns.values()), default=0)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for k in range(longest):
        writer.writerow([_cell(column[k]) if k < len(column) else "" for column in columns.values()])
    atomic.write_bytes(path, stream.getvalue().encode())


def _columns(name: str, value: Any) -> list[tuple[str, list[Any]]]:
    if isinstance(value, Mapping):
        return [pair for key, part in value.items() for pair in _columns(f"{name}.{key}", part)]
    if not isinstance(value, list):
        return [(name, [value])]
    if value and isinstance(value[0], list):
        width = max(len(row) for row in value)
        found = []
        for k in range(width):
            found += _columns(f"{name}.{k}", [row[k] if k < len(row) else None for row in value])
        return found
    return [(name, value)]


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, str) and value[:1] in "=+-@":  # a spreadsheet would compute it
        return "'" + value
    return repr(value) if isinstance(value, float) else value
