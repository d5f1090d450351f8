"""Inputs and targets from arrays, pandas frames and files (`files`), or one clear complaint."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.files.door import opened
from widelimit.numerics.files.table import Table, frame
from widelimit.numerics.files.text import without_row_names
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_INPUTS, _TARGETS = (
    ("X", "x", "inputs", "data", "features"),
    ("y", "Y", "target", "targets", "labels", "label"),
)


@by_value
@dataclass(frozen=True)
class Loaded:
    """Inputs (samples x features), targets, and the name of the targets' column where they came from a table."""

    inputs: Array
    targets: Array
    column: str | None


def table(X: Any, y: Any = None, target: str | int | None = None, name: str = "X") -> tuple[Array, Array]:
    """Return inputs (samples x features) and targets as float arrays; see `data.from_data`."""
    found = load(X, y, target, name)
    return found.inputs, found.targets


def load(X: Any, y: Any = None, target: str | int | None = None, name: str = "X") -> Loaded:
    """Read inputs and targets; `name` is what complaints call `X`."""
    if y is not None and target is not None:
        raise ArgumentError("target", "must be left out where `y` is given", target)
    inputs, targets = _source(name, X), None if y is None else _source("y", y)
    column = None
    if isinstance(inputs, dict):
        inputs, targets = _members(name, inputs, targets)
    if targets is None:
        inputs, targets, column = _split(name, inputs, target)
    x = _numbers(name, inputs)
    values = _numbers("target" if column is not None else "y", targets)
    if x.ndim != 2 or x.shape[1] == 0:
        help = "" if column is None else "One column is the target: there must be another one."
        raise ArgumentError(
            name, "must be a table of samples x features", but=f"has shape {x.shape}", help=help
        )
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1:
        help = "Pass the columns one at a time; AsymptoticRidge fits several."
        raise ArgumentError("y", "must be one column of targets", but=f"has shape {values.shape}", help=help)
    if x.shape[0] != values.size:
        raise ArgumentError(
            "y", f"must have one entry for each of the {x.shape[0]} rows of X", but=f"has {values.size}"
        )
    return Loaded(x, values, column)


def matrix(name: str, X: Any) -> Array:
    """Read a table of samples x features without a target: an array, a frame, or the path of a file.

    Raises `ArgumentError` for text, rows with missing or infinite entries (the first is named), and no table.

    >>> matrix("data", [[1, 2.5], [3, 4]])
    array([[1. , 2.5],
           [3. , 4. ]])
    """
    source = _source(name, X)
    if isinstance(source, dict):
        if len(source) != 1:
            raise ArgumentError(name, "must hold one array", but=f"holds {', '.join(list(source)[:20])}")
        source = next(iter(source.values()))
    values = _numbers(name, source) if isinstance(source, Table) else _plain(name, source)
    if values.ndim != 2 or values.shape[1] == 0:
        raise ArgumentError(name, "must be a table of samples x features", but=f"has shape {values.shape}")
    return values


def _plain(name: str, values: Any) -> Array:
    """An array of finite numbers, or which entry is missing."""
    try:
        array = np.asarray(values, dtype=float)
    except Exception:  # whatever a foreign container raises; the checker says what is wrong
        array = np.zeros(0)
    if not np.isfinite(array).all() and array.ndim:
        return _numbers(name, values)
    return arguments.real(name, values)


def _source(name: str, source: Any) -> Any:
    """A table, an array, the arrays of an archive, or whatever else the caller passed."""
    if hasattr(source, "columns") and hasattr(source, "iloc"):
        return without_row_names(frame(source))
    if hasattr(source, "to_frame") and hasattr(source, "iloc"):
        return frame(source.to_frame())
    if not isinstance(source, str | Path):
        return source
    return opened(name, source)


def _members(name: str, arrays: dict[str, Array], targets: Any) -> tuple[Any, Any]:
    """Inputs and targets of an archive: its only array, or those with the names that they usually have."""
    if len(arrays) == 1:
        return next(iter(arrays.values())), targets
    x = [key for key in _INPUTS if key in arrays]
    y = [key for key in _TARGETS if key in arrays]
    if len(x) == 1 and (targets is not None or len(y) == 1):
        return arrays[x[0]], arrays[y[0]] if targets is None else targets
    raise ArgumentError(
        name, "must hold one array, or two called X and y", but=f"holds {', '.join(list(arrays)[:20])}"
    )


def _split(name: str, inputs: Any, target: str | int | None) -> tuple[Any, Any, str]:
    """Take the target's column out of a table."""
    if isinstance(inputs, Table):
        place = _place(inputs, target)
        return inputs.without(place), inputs.select([place]), inputs.name(place)
    array = _array(name, inputs)
    if array.ndim != 2 or array.shape[1] < 2:
        must = "must hold the target in one of its columns"
        raise ArgumentError(
            name, must + (", or `y` be given" if name == "X" else ""), but=f"has shape {array.shape}"
        )
    try:
        place = _number_of_column(target)
        return np.delete(array, place, axis=1), array[:, place], str(place % array.shape[1])
    except (TypeError, ValueError, IndexError, OverflowError):
        help = f"The columns are numbered 0 to {array.shape[1] - 1}."
        raise ArgumentError("target", "must be the number of a column", target, help) from None


def _number_of_column(target: object) -> int:
    """-1, the last, for None; text comes from the command line."""
    if isinstance(target, bool):
        raise TypeError
    return -1 if target is None else int(target) if isinstance(target, str) else operator.index(target)  # type: ignore[arg-type]


def _place(data: Table, target: str | int | None) -> int:
    """The column of the target: the last, or the one of its name, or (without names) of its number."""
    width = data.values.shape[1]
    names = [str(k) for k in range(width)] if data.names is None else list(data.names)
    if target is None:
        return width - 1
    places = [k for k, one in enumerate(names) if one == str(target)]
    if len(places) > 1:
        raise ArgumentError(
            "target",
            "must name one column",
            but=f"{target!r} is the name of {len(places)}",
            help="Rename one.",
        )
    if places:
        return places[0]
    if isinstance(target, int) and not isinstance(target, bool) and -width <= target < width:
        return target % width
    listed = ", ".join(names[:20]) + (" ..." if width > 20 else "")
    raise ArgumentError("target", "must be a column of the data", target, f"The columns are {listed}.")


def _numbers(name: str, values: Any) -> Array:
    """Make floats, naming the columns that are text, missing or infinite."""
    if isinstance(values, Table):
        return _of_table(name, values)
    array = _array(name, values)
    if array.ndim == 0:
        raise ArgumentError(name, "must hold rows", but="is one number")
    if not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))[0]
        where = f"row {bad[0]}" + (f", column {bad[1]}" if bad.size > 1 else "")
        raise _not_finite(name, array[tuple(bad)], where)
    return array


def _of_table(name: str, data: Table) -> Array:
    if data.values.shape[0] == 0:
        raise ArgumentError(name, "must have rows", but="has none")
    note = f" {data.note}" if data.note else ""
    if data.texts:
        help = "Drop such columns or encode them as numbers."
        if name == "target":
            help = "Name another column, or encode it as numbers."
        texts = ", ".join(data.name(k) for k in sorted(data.texts)[:8])
        row, text = data.texts[min(data.texts)]
        first = f"{text[:40]!r} in row {row}{_line(data, row)}"
        raise ArgumentError(
            name, "must be numeric", help=help + note, but=f"holds text or dates in {texts}, first {first}"
        )
    if not np.isfinite(data.values).all():
        row, column = np.argwhere(~np.isfinite(data.values))[0]
        where = f"row {row}, column {data.name(column)}{_line(data, row)}"
        raise _not_finite(name, data.values[row, column], where)
    return data.values


def _line(data: Table, row: int) -> str:
    return "" if data.lines is None else f" (line {data.lines[row]} of the file)"


def _not_finite(name: str, value: float, where: str) -> ArgumentError:
    what = "is missing" if np.isnan(value) else "is infinite"
    return ArgumentError(name, "must be finite", help="Fill in or drop such rows.", but=f"{what} in {where}")


def _array(name: str, values: Any) -> Array:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "iufbO":
            raise TypeError
        with np.errstate(over="ignore"):  # a long double that no float holds is infinite, and refused as that
            return array.astype(float)
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(name, "must be numbers", but="holds something else") from None
