"""What is fed to a network: rows of a matrix that a user brings, scikit-learn's digits, or synthetic vectors.

Text in a claim's inputs names a pair of rows: ``digits:3:17`` are images 3 and 17 of the digits set (8 x 8
pixels, scaled to [0, 1]); ``file:PATH:0:1`` are rows 0 and 1 of a ``.npy`` or ``.csv`` matrix.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from widelimit.numerics import files
from widelimit.numerics.files.table import Table, Unreadable
from widelimit.theory.errors import ArgumentError, InputError

_HELP = "Give a table in a file with one sample a row, two rows or more, numbers only."


def load_matrix(path: str | Path) -> np.ndarray:
    """Read a user's matrix, shape (samples, features), float64, from any file that `numerics.files` reads.

    Text may start with one header line and have row names, which are left out; of an archive there must be one array.
    Raises InputError with one sentence that names the file and, where one is to blame, the row and column (counted
    from 1, as in a spreadsheet).
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"The input file {path} does not exist or is not a file. {_HELP}")
    if not files.kind(path):
        known = ", ".join((*files.FORMATS[:-1], f".gz nor {files.FORMATS[-1]}"))
        raise InputError(f"The input file {path} is neither {known}. {_HELP}")
    try:
        found = files.read(path)
    except Unreadable as error:
        raise InputError(f"The input file {path} {error.reason}. {_HELP}") from None
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"The input file {path} cannot be read: {reason}. {_HELP}") from None
    except MemoryError:
        raise InputError(f"The input file {path} does not fit in memory. {_HELP}") from None
    matrix = _of_table(path, found) if isinstance(found, Table) else _of_arrays(path, found)
    if matrix.shape[0] < 2:
        raise InputError(f"The input file {path} has one row, but a pair of inputs needs two. {_HELP}")
    return matrix


@lru_cache(maxsize=1)
def digits() -> np.ndarray:
    """The 1,797 images of scikit-learn's digits set as rows of 64 pixels in [0, 1], read only."""
    from sklearn.datasets import load_digits

    images = load_digits().data / 16.0
    images.setflags(write=False)
    return images


def pair(data: str) -> np.ndarray:
    """The two rows that `data` names, shape (2, features), float64.

    Raises ArgumentError if the text has another form or a row is not there, or if a row is all zeros.

    >>> pair("digits:3:17").shape
    (2, 64)
    """
    kind, _, rest = data.partition(":")
    name, *rows = rest.rsplit(":", 2) if kind == "file" else ["", *rest.split(":")]
    if kind not in ("digits", "file") or len(rows) != 2 or not all(row.isdecimal() for row in rows):
        raise ArgumentError("data", "must have the form digits:ROW:ROW or file:PATH:ROW:ROW", data)
    if kind == "digits":
        matrix = digits()
    else:
        path = Path(name)
        matrix = _cached_matrix(name, path.stat().st_mtime_ns if path.is_file() else 0)
    first, second = (int(row) for row in rows)
    for row in (first, second):
        if row >= len(matrix):
            raise ArgumentError(
                "data", f"must name rows below {len(matrix)}", row, "Rows are counted from 0."
            )
        if not matrix[row].any():
            raise ArgumentError("data", "must name rows that are not all zeros", row)
    return matrix[[first, second]]


def first_moments(data: str, sigma_w: float, sigma_b: float) -> tuple[float, float, float]:
    """What the first layer makes of two inputs: q_a, q_b and their correlation c before the first activation.

    h^1 = W^1 x + b^1 with weights of variance sigma_w^2 / n_0 gives q = sigma_w^2 |x|^2 / n_0 + sigma_b^2 and
    c = (sigma_w^2 x_a.x_b / n_0 + sigma_b^2) / sqrt(q_a q_b), the point from which a prediction starts.

    >>> q_a, q_b, c = first_moments("digits:3:17", sigma_w=1.0, sigma_b=0.0)
    >>> 0 < c < 1
    True
    """
    x = pair(data)
    gram = sigma_w**2 * (x @ x.T) / x.shape[1] + sigma_b**2
    return float(gram[0, 0]), float(gram[1, 1]), float(gram[0, 1] / np.sqrt(gram[0, 0] * gram[1, 1]))


@lru_cache(maxsize=8)
def _cached_matrix(name: str, _modified: int) -> np.ndarray:
    return load_matrix(name)


def _of_arrays(path: Path, found: np.ndarray | dict[str, np.ndarray]) -> np.ndarray:
    """One matrix of finite numbers."""
    if isinstance(found, dict):
        if len(found) != 1:
            names = ", ".join(list(found)[:20])
            raise InputError(f"The input file {path} is an archive of {len(found)} arrays ({names}). {_HELP}")
        found = next(iter(found.values()))
    if found.ndim != 2:
        raise InputError(
            f"The input file {path} has an array of {found.ndim} dimensions, not a matrix. {_HELP}"
        )
    if found.size == 0:
        raise InputError(f"The input file {path} is empty. {_HELP}")
    with np.errstate(over="ignore"):  # a long double that no float holds is infinite, and refused as that
        matrix = found.astype(np.float64)
    for row, column in np.argwhere(~np.isfinite(matrix))[:1]:
        raise _not_finite(path, matrix[row, column], row + 1, column + 1)
    return matrix


def _of_table(path: Path, table: Table) -> np.ndarray:
    """The numbers of a table without texts and gaps."""
    matrix, note = table.values, f" {table.note}" if table.note else ""
    if matrix.size == 0:
        raise InputError(f"The input file {path} is empty. {_HELP}")
    shift = table.dropped + 1

    def line(row: int) -> int:
        return row + 1 if table.lines is None else int(table.lines[row])

    for column, (row, text) in sorted(table.texts.items(), key=lambda item: item[1][0])[:1]:
        where = f"row {line(row)}, column {column + shift}"
        raise InputError(f"The input file {path} has the text {text[:40]!r} in {where}. {_HELP}{note}")
    for row, column in np.argwhere(~np.isfinite(matrix))[:1]:
        if np.isnan(matrix[row, column]):
            where = f"row {line(row)}, column {column + shift}"
            raise InputError(f"The input file {path} has nothing (nan) in {where}. {_HELP}{note}")
        raise _not_finite(path, matrix[row, column], line(row), column + shift)
    return matrix


def _not_finite(path: Path, value: float, row: int, column: int) -> InputError:
    return InputError(
        f"The input file {path} has {value} in row {row}, column {column}. Remove or fill what is missing."
    )
