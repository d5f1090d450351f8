"""Inputs and targets from arrays, pandas frames and .npy, .csv and .parquet files, or one clear complaint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_FORMATS = ".npy, .csv or .parquet"


def table(X: Any, y: Any = None, target: str | int | None = None) -> tuple[Array, Array]:
    """Return inputs (samples x features) and targets as float arrays; see `ridge_data.from_data`."""
    if y is not None and target is not None:
        raise ArgumentError("target", "must be left out where `y` is given", target)
    inputs = _load("X", X)
    if y is None:
        inputs, targets = _split(inputs, target)
    else:
        targets = _load("y", y)
    x, values = _numbers("X", inputs), _numbers("y", targets)
    if x.ndim != 2 or x.shape[1] == 0:
        raise ArgumentError("X", "must be a table of samples x features", but=f"has shape {x.shape}")
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
    if path.suffix not in (".npy", ".csv", ".parquet"):
        raise ArgumentError(name, f"must be a {_FORMATS} file", str(source))
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        import pandas

        return (
            pandas.read_csv(path, skipinitialspace=True)
            if path.suffix == ".csv"
            else pandas.read_parquet(path)
        )
    except FileNotFoundError:
        raise ArgumentError(name, "must be a file that exists", str(source)) from None
    except ImportError as error:
        raise ArgumentError(
            name, "needs another package to be read", help=str(error), but=f"is {source}"
        ) from None
    except Exception as error:  # the parsers raise many kinds
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArgumentError(
            name, f"must be a readable {path.suffix} file", help=first, but=f"is {source}"
        ) from None


def _split(inputs: Any, target: str | int | None) -> tuple[Any, Any]:
    """Take the target's column out of a table."""
    columns = getattr(inputs, "columns", None)
    if columns is not None:
        if target is None:
            target = columns[-1]
        if target not in columns:
            names = ", ".join(map(str, list(columns)[:20])) + (" ..." if len(columns) > 20 else "")
            raise ArgumentError("target", "must be a column of the data", target, f"The columns are {names}.")
        return inputs.drop(columns=[target]), inputs[target]
    array = np.asarray(inputs)
    if array.ndim != 2 or array.shape[1] < 2:
        raise ArgumentError(
            "X", "must hold the target in one of its columns, or `y` be given", but=f"has shape {array.shape}"
        )
    try:
        place = -1 if target is None else int(target)
        return np.delete(array, place, axis=1), array[:, place]
    except (ValueError, IndexError):
        help = f"The columns are numbered 0 to {array.shape[1] - 1}."
        raise ArgumentError("target", "must be the number of a column", target, help) from None


def _numbers(name: str, values: Any) -> Array:
    """Make floats, naming the columns that are text, missing or infinite."""
    columns = getattr(values, "columns", None)
    if columns is not None:
        texts = [str(c) for c in columns if values[c].dtype.kind not in "iufb"]
        if texts:
            help = "Drop them or encode them as numbers."
            raise ArgumentError(
                name, "must have numeric columns", help=help, but=f"holds text in {', '.join(texts[:8])}"
            )
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
