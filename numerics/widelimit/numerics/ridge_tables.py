"""Inputs and targets from arrays, pandas frames and .npy, .csv and .parquet files, or one clear complaint.

A .csv file may be separated by commas, semicolons or tabs (with the decimal comma that goes with the latter two). A
first line of numbers is data, not names (unless it counts the columns, 0, 1, 2 ...); columns are then numbered. A
leading column without a name that counts the rows, as pandas writes it, is left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_FORMATS = (".npy", ".csv", ".parquet")


def table(X: Any, y: Any = None, target: str | int | None = None, name: str = "X") -> tuple[Array, Array]:
    """Return inputs (samples x features) and targets as float arrays; see `ridge_data.from_data`.

    `name` is what complaints call `X`.
    """
    if y is not None and target is not None:
        raise ArgumentError("target", "must be left out where `y` is given", target)
    inputs, targets = _load(name, X), None if y is None else _load("y", y)
    if targets is None:
        inputs, targets = _split(name, inputs, target)
    x, values = _numbers(name, inputs), _numbers("target" if y is None else "y", targets)
    if x.ndim != 2 or x.shape[1] == 0:
        help = "" if y is not None else "One column is the target: there must be another one."
        raise ArgumentError(
            name, "must be a table of samples x features", but=f"has shape {x.shape}", help=help
        )
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1:
        raise ArgumentError("y", "must be one column of targets", but=f"has shape {values.shape}")
    if x.shape[0] != values.size:
        raise ArgumentError(
            "y", f"must have one entry for each of the {x.shape[0]} rows of X", but=f"has {values.size}"
        )
    return x, values


def _load(name: str, source: Any) -> Any:
    if not isinstance(source, str | Path):
        return source
    path = Path(source)
    kind = path.suffix.lower()
    if kind not in _FORMATS:
        raise ArgumentError(name, f"must be a {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]} file", str(source))
    try:
        if kind == ".npy":
            return np.load(path, allow_pickle=False)
        if kind == ".csv":
            return _csv(path)
        import pandas

        return pandas.read_parquet(path)
    except FileNotFoundError:
        raise ArgumentError(name, "must be a file that exists", str(source)) from None
    except ImportError as error:
        raise ArgumentError(
            name, "needs another package to be read", help=str(error), but=f"is {source}"
        ) from None
    except Exception as error:  # the parsers raise many kinds
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArgumentError(name, f"must be a readable {kind} file", help=first, but=f"is {source}") from None


def _csv(path: Path) -> Any:
    import pandas

    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        first, second = lines.readline().rstrip("\r\n"), lines.readline()
    separator = next((c for c in ";\t" if first.count(c) == second.count(c) > 0), ",")
    decimal = "," if separator != "," and "," in second and "." not in second else "."
    header = None if _is_data(first.replace(decimal, ".").split(separator)) else "infer"
    read = pandas.read_csv(
        path,
        sep=separator,
        decimal=decimal,
        header=header,
        skipinitialspace=True,
        encoding="utf-8-sig",
    )
    leading = read.columns[0]
    if str(leading).startswith("Unnamed: 0") and np.array_equal(read[leading], np.arange(len(read))):
        return read.drop(columns=[leading])
    return read


def _is_data(cells: list[str]) -> bool:
    """Tell a first line of numbers from a line of names; the names 0, 1, 2 ... are names."""
    try:
        numbers = [float(cell.strip().strip('"')) for cell in cells]
    except ValueError:
        return False
    return numbers != list(range(len(numbers)))


def _split(name: str, inputs: Any, target: str | int | None) -> tuple[Any, Any]:
    """Take the target's column out of a table."""
    columns = getattr(inputs, "columns", None)
    if columns is not None:
        if target is None:
            target = columns[-1]
        elif target not in columns and isinstance(target, str) and target.isdigit():
            target = int(target)  # columns without names
        if target not in columns:
            names = ", ".join(map(str, list(columns)[:20])) + (" ..." if len(columns) > 20 else "")
            raise ArgumentError("target", "must be a column of the data", target, f"The columns are {names}.")
        return inputs.drop(columns=[target]), inputs[target]
    array = np.asarray(inputs)
    if array.ndim != 2 or array.shape[1] < 2:
        must = "must hold the target in one of its columns"
        raise ArgumentError(
            name, must + (", or `y` be given" if name == "X" else ""), but=f"has shape {array.shape}"
        )
    try:
        place = -1 if target is None else int(target)
        return np.delete(array, place, axis=1), array[:, place]
    except (ValueError, IndexError):
        help = f"The columns are numbered 0 to {array.shape[1] - 1}."
        raise ArgumentError("target", "must be the number of a column", target, help) from None


def _numbers(name: str, values: Any) -> Array:
    """Make floats, naming the columns that are text, missing or infinite."""
    frame = hasattr(values, "dtype") and hasattr(values, "to_frame")  # a column of a table
    values = values.to_frame() if frame else values
    columns = getattr(values, "columns", None)
    if columns is not None:
        if len(values) == 0:
            raise ArgumentError(name, "must have rows", but="has none")
        if texts := [str(c) for c, kind in values.dtypes.items() if kind.kind not in "iufb"]:
            help = "Drop such columns or encode them as numbers."
            if name == "target":
                help = "Name another column, or encode it as numbers."
            raise ArgumentError(
                name, "must be numeric", help=help, but=f"holds text or dates in {', '.join(texts[:8])}"
            )
        values = values.to_numpy(dtype=float, na_value=np.nan)
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "iufbO":
            raise TypeError
        array = array.astype(float)
    except (TypeError, ValueError):
        raise ArgumentError(name, "must be numbers", but="holds something else") from None
    if not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))[0]
        where = f"row {bad[0]}" + (
            f", column {columns[bad[1]] if columns is not None else bad[1]}" if bad.size > 1 else ""
        )
        what = "is missing" if np.isnan(array[tuple(bad)]) else "is infinite"
        raise ArgumentError(
            name, "must be finite", help="Fill in or drop such rows.", but=f"{what} in {where}"
        )
    return array
