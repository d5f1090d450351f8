"""What is fed to a network: rows of a matrix that a user brings, scikit-learn's digits, or synthetic vectors.

Text in a claim's inputs names a pair of rows: ``digits:3:17`` are images 3 and 17 of the digits set (8 x 8
pixels, scaled to [0, 1]); ``file:PATH:0:1`` are rows 0 and 1 of a ``.npy`` or ``.csv`` matrix.
"""

from __future__ import annotations

import csv
import math
from functools import lru_cache
from pathlib import Path

import numpy as np

from widelimit.theory.errors import ArgumentError, InputError

_HELP = "Give a .npy or .csv file with one sample a row, two rows or more, numbers only."


def load_matrix(path: str | Path) -> np.ndarray:
    """Read a user's matrix, shape (samples, features), float64, from ``.npy`` (no pickles) or ``.csv``.

    A CSV may start with one header line, recognised by holding no number at all. Raises InputError with one
    sentence that names the file and, where one is to blame, the row and column (counted from 1, as in a
    spreadsheet).
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"The input file {path} does not exist or is not a file. {_HELP}")
    try:
        if path.suffix.lower() == ".npy":
            matrix = _read_npy(path)
        elif path.suffix.lower() == ".csv":
            matrix = _read_csv(path)
        else:
            raise InputError(f"The input file {path} is neither .npy nor .csv. {_HELP}")
    except OSError as error:
        raise InputError(
            f"The input file {path} cannot be read: {error.strerror or error}. {_HELP}"
        ) from None
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
def _cached_matrix(name: str, modified: int) -> np.ndarray:
    return load_matrix(name)


def _read_npy(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        what = "holds Python objects" if "pickle" in str(error).lower() else "is not a complete .npy file"
        raise InputError(f"The input file {path} {what}. {_HELP}") from None
    if not isinstance(array, np.ndarray):  # an .npz under another name
        array.close()
        raise InputError(f"The input file {path} is an archive of arrays. {_HELP}")
    if array.dtype.kind not in "buif":
        what = "complex numbers" if array.dtype.kind == "c" else f"entries of type {array.dtype}"
        raise InputError(f"The input file {path} has {what}, but inputs must be real numbers. {_HELP}")
    if array.ndim != 2:
        raise InputError(
            f"The input file {path} has an array of {array.ndim} dimensions, not a matrix. {_HELP}"
        )
    if array.size == 0:
        raise InputError(f"The input file {path} is empty. {_HELP}")
    matrix = array.astype(np.float64)
    for row, column in np.argwhere(~np.isfinite(matrix))[:1]:
        raise _not_finite(path, matrix[row, column], row + 1, column + 1)
    return matrix


def _read_csv(path: Path) -> np.ndarray:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if any(row)]
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"The input file {path} is not a text file in UTF-8. {_HELP}") from None
    if lines and not any(_is_number(cell) for cell in lines[0][1]):
        lines = lines[1:]
    if not lines:
        raise InputError(f"The input file {path} is empty. {_HELP}")
    columns = len(lines[0][1])
    for number, row in lines:
        if len(row) != columns:
            raise InputError(
                f"The input file {path} has {len(row)} columns in row {number}, but {columns} in row "
                f"{lines[0][0]}. All rows need the same length."
            )
        for column, cell in enumerate(row, start=1):
            if not _is_number(cell):
                what = f"the text {cell.strip()[:40]!r}" if cell.strip() else "nothing"
                raise InputError(
                    f"The input file {path} has {what} in row {number}, column {column}. {_HELP}"
                )
            if not math.isfinite(float(cell)):
                raise _not_finite(path, float(cell), number, column)
    return np.array([[float(cell) for cell in row] for _, row in lines])


def _not_finite(path: Path, value: float, row: int, column: int) -> InputError:
    return InputError(
        f"The input file {path} has {value} in row {row}, column {column}. Remove or fill what is missing."
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
