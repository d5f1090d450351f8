"""Tables in text: separators, decimal signs, encodings, headers, comments and row names are found, not asked for.

encoding    UTF-8, UTF-16 (both with and without a mark of the byte order), else Latin-1
separator   the one of tab ; | , and white space that makes numbers of most cells
decimals    a comma, where cells have one and none has a point
header      a first line without numbers, mostly of names over numbers, or that counts the columns; R leaves one out
comments    lines that start with # or %; the last before the data may be the header
row names   a first column without a name that holds the numbers of a range in any order, or text
"""

from __future__ import annotations

import csv
import io
import warnings
from array import array
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from widelimit.numerics.files.table import Table, Unreadable
from widelimit.theory.errors import DataWarning

Array = np.ndarray
_MISSING = frozenset(
    ["", "na", "n/a", "nan", "null", "none", "?", "-", ".", "#n/a", "#na", "-nan", "<na>", "nil", "missing"]
)
_COMMENTS = ("#", "%")
_LOOKED_AT = 30  # lines, to find a dialect
_SEPARATORS = ("\t", ";", "|", ",", " ")
_CELL = 10**6  # characters


def parse(content: bytes) -> Table:
    """Read a table of text; raises `Unreadable`."""
    text, note = _decoded(content)
    lines, comments = _lines(text)
    if not lines:
        raise Unreadable("is empty")
    separator, comma = _dialect([line for _, line in lines[:_LOOKED_AT]])
    sample = [_split(line, separator) for _, line in lines[:_LOOKED_AT]]
    shortened = separator != "," or (len(lines) > 1 and lines[1][1].lstrip().startswith('"'))
    names = _header(sample[0], sample[1:], comma, shortened=shortened)
    body = _rows(lines, separator)
    if names is not None:
        next(body)
    elif comments:
        spoken = _split(comments[-1].lstrip("#% "), separator)
        if len(spoken) == len(sample[0]) and not any(_is_number(cell, comma) for cell in spoken):
            names = tuple(spoken)
    table = _filled(body, comma, names, note)
    last = table.values.shape[1] - 1
    if last > 0 and names is not None and not names[-1] and np.isnan(table.values[:, last]).all():
        table = table.without(last) if last not in table.texts else table  # lines that end with a separator
    return without_row_names(table, quoted=separator != " " and lines[-1][1].lstrip().startswith('"'))


def _decoded(content: bytes) -> tuple[str, str]:
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            try:
                return content.decode(encoding), ""
            except UnicodeDecodeError:
                raise Unreadable(f"is marked as {encoding[:6].upper()} text and is none") from None
    head = content[:4096]
    for place, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) > 3 and head[place::2].count(0) > 0.4 * len(head[place::2]):
            try:
                return content.decode(encoding), ""
            except UnicodeDecodeError:
                break
    if b"\0" in content:
        raise Unreadable("is no text: it holds zero bytes")
    try:
        return content.decode("utf-8"), ""
    except UnicodeDecodeError:
        return content.decode("latin-1"), "It is not UTF-8 and was read as Latin-1."


def _lines(text: str) -> tuple[list[tuple[int, str]], list[str]]:
    """Lines of data with their numbers, from 1, and the comments before the first of them."""
    lines: list[tuple[int, str]] = []
    comments: list[str] = []
    for number, line in enumerate(
        text.splitlines() if "\n" not in text else io.StringIO(text, None), start=1
    ):
        line = line.rstrip("\r\n")
        if line.lstrip().startswith(_COMMENTS):
            if not lines:
                comments.append(line.lstrip())
        elif line.strip(" \t,;|\0"):
            lines.append((number, line))
    return lines, comments


def _split(line: str, separator: str) -> list[str]:
    if separator == " ":
        return [cell.strip('"') for cell in line.split()] if '"' not in line else _quoted(line.strip(), " ")
    return _quoted(line, separator) if '"' in line else [cell.strip() for cell in line.split(separator)]


def _quoted(line: str, separator: str) -> list[str]:
    csv.field_size_limit(_CELL)
    try:
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    except (csv.Error, StopIteration) as error:
        raise Unreadable(f"has a line that cannot be split into cells ({error})") from None
    return [cell.strip() for cell in cells]


def _dialect(lines: list[str]) -> tuple[str, bool]:
    """The separator that makes most cells below the first line numbers, and whether decimals have a comma."""
    best: tuple[tuple[float, int], str, bool] | None = None
    for separator in _SEPARATORS:
        rows = [_split(line, separator) for line in lines]
        body = rows[1:] or rows
        width = max(len(row) for row in body)
        if width < 2:
            continue
        cells = [cell for row in body for cell in row]
        comma = (
            separator != ","
            and any("," in c for c in cells)
            and not any("." in c and _is_number(c) for c in cells)
        )
        numbers = sum(_is_number(cell, comma) or cell.lower() in _MISSING for cell in cells) / len(cells)
        score = (round(numbers, 2) if len({len(row) for row in body}) == 1 else numbers / 2, width)
        if best is None or score > best[0]:
            best = score, separator, comma
    if best is None:
        alone = [line.strip().strip('"') for line in lines[1:] or lines]
        return "\0", not all(_is_number(cell) for cell in alone) and all(
            _is_number(cell, True) for cell in alone
        )
    return best[1], best[2]


def _rows(lines: list[tuple[int, str]], separator: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in lines:
        yield number, _split(line, separator)


def _is_number(cell: str, comma: bool = False) -> bool:
    try:
        float(cell.replace(",", ".") if comma else cell)
    except ValueError:
        return False
    return "_" not in cell


def _like_a_number(cell: str, comma: bool) -> bool:
    if _is_number(cell, comma):
        return cell.lower() not in _MISSING
    try:
        complex(cell)
    except ValueError:
        return False
    return True


def _header(
    first: list[str], below: list[list[str]], comma: bool, *, shortened: bool
) -> tuple[str, ...] | None:
    """The names of the first line, or None where it holds data."""
    second = below[0] if below else None
    numbers = [cell for cell in first if _like_a_number(cell, comma)]
    texts = [
        k for k, cell in enumerate(first) if cell.lower() not in _MISSING and not _like_a_number(cell, comma)
    ]
    if shortened and second is not None and len(second) == len(first) + 1 and second[-1] and texts:
        return ("", *first)  # R, whose row names have no header
    if not numbers:
        return tuple(first) if texts or second is None else None
    if _counts(first, numbers, below):
        return tuple(first)
    if len(texts) > len(numbers) and second is not None and len(second) == len(first):
        under = [second[k] for k in texts]
        if all(_is_number(cell, comma) or cell.lower() in _MISSING for cell in under):
            return tuple(first)
    return None


def _counts(first: list[str], numbers: list[str], below: list[list[str]]) -> bool:
    """Whether a first line counts the columns: 0, 1, 2 ..., with or without a corner that is empty.

    Of fewer than three columns only over decimals: 0 and 1 are data more often than names.
    """
    if numbers != [str(k) for k in range(len(numbers))] or not below:
        return False
    if len(first) == len(numbers) + 1 and first[1:] == numbers:
        return True
    whole = [cell.lstrip("-").isdigit() for row in below for cell in row]
    return len(first) == len(numbers) and (len(first) > 2 or sum(whole) < 0.5 * len(whole))


def _filled(
    rows: Iterator[tuple[int, list[str]]], comma: bool, names: tuple[str, ...] | None, note: str
) -> Table:
    """Numbers of all rows, which must be of one length."""
    values, lines, texts = array("d"), array("q"), dict[int, tuple[int, str]]()
    width = -1 if names is None else len(names)
    start = 1
    for count, (number, cells) in enumerate(rows):
        if width < 0:
            width, start = len(cells), number
        if len(cells) != width:
            if len(cells) == width + 1 and not cells[-1]:  # a separator at the end of each line
                cells = cells[:-1]
            else:
                of = "the header" if names is not None else f"row {start}"
                raise Unreadable(
                    f"has {len(cells)} columns in row {number}, but {width} in {of}: all rows need the same length"
                )
        lines.append(number)
        try:
            found = [float(cell.replace(",", ".") if comma else cell) for cell in cells]
            if any("_" in cell for cell in cells):
                raise ValueError
        except ValueError:
            found = [_value(cell, comma, (count, k), texts) for k, cell in enumerate(cells)]
        values.extend(found)
    shape = (len(lines), max(width, 0))
    return Table(np.array(values, dtype=float).reshape(shape), names, texts, np.array(lines, dtype=int), note)


def _value(cell: str, comma: bool, place: tuple[int, int], texts: dict[int, tuple[int, str]]) -> float:
    if _is_number(cell, comma):
        return float(cell.replace(",", ".") if comma else cell)
    if cell.lower() not in _MISSING:
        texts.setdefault(place[1], (place[0], cell))
    return float("nan")


def without_row_names(table: Table, *, quoted: bool = False) -> Table:
    """Leave out a first column that only names the rows.

    Without a name (or as ``Unnamed: 0``, which pandas makes of none): the whole numbers of a range in any order, or
    text. In a file without header, only numbers in quotation marks, as R writes them. A column that
    could as well be a feature stays, with a `DataWarning`.
    """
    rows, columns = table.values.shape
    nameless = table.names is not None and (table.names[0] == "" or table.names[0].startswith("Unnamed: 0"))
    if rows == 0 or columns < 2 or not (nameless or (table.names is None and quoted)):
        return table
    if 0 in table.texts:
        return replace(table.without(0), dropped=1) if nameless else table
    first = table.values[:, 0]
    if not (first == np.round(first)).all() or np.unique(first).size < rows:
        return table
    if first.max() - first.min() == rows - 1 or quoted:
        return replace(table.without(0), dropped=1)
    warnings.warn(
        "The first column has no name and holds whole numbers that all differ. It is taken as a feature; if it only "
        "names the rows, remove it.",
        DataWarning,
        stacklevel=2,
    )
    return table
