"""A table as it was read: columns of numbers, what they are called, and which hold something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from widelimit.numerics.results import by_value

Array = np.ndarray


class Unreadable(Exception):
    """A file that cannot be read: `reason` is the predicate of a sentence about it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@by_value
@dataclass(frozen=True)
class Table:
    """Columns of numbers, with NaN where the file has none.

    names: of the columns, None where the file has none. texts: for columns that hold text, the row and text of the
    first. lines: of the rows in the file. note: what the reader assumed, for complaints. dropped: columns of row names
    that were left out before these.
    """

    values: Array
    names: tuple[str, ...] | None = None
    texts: Mapping[int, tuple[int, str]] = field(default_factory=dict)
    lines: Array | None = None
    note: str = ""
    dropped: int = 0

    def name(self, column: int) -> str:
        """What to call a column in a message."""
        return str(column) if self.names is None else self.names[column] or f"number {column}"

    def without(self, column: int) -> Table:
        """The other columns."""
        return self.select([k for k in range(self.values.shape[1]) if k != column])

    def select(self, columns: list[int]) -> Table:
        """Some columns, in this order."""
        names = None if self.names is None else tuple(self.names[k] for k in columns)
        texts = {place: self.texts[k] for place, k in enumerate(columns) if k in self.texts}
        return Table(self.values[:, columns], names, texts, self.lines, self.note, self.dropped)


def frame(columns: Any) -> Table:
    """The table of a pandas frame, whose columns of text, dates or complex numbers are marked as such."""
    values = np.full((len(columns), len(columns.columns)), np.nan)
    texts: dict[int, tuple[int, str]] = {}
    for place in range(values.shape[1]):
        column = columns.iloc[:, place]
        if getattr(column.dtype, "kind", "O") in "iufb":
            values[:, place] = column.to_numpy(dtype=float, na_value=np.nan)
        else:
            texts[place] = _first_text(column, values[:, place])
            if texts[place][0] < 0:
                del texts[place]
    return Table(values, tuple(str(name) for name in columns.columns), texts)


def _first_text(column: Any, into: Array) -> tuple[int, str]:
    """Fill in an object column whose entries are all numbers or missing; else the place and text of the first other."""
    import pandas

    for row, item in enumerate(column):
        if item is None or item is pandas.NA or item is pandas.NaT:
            continue
        if isinstance(item, str | bytes | complex | np.complexfloating):
            return row, str(item)
        try:
            into[row] = float(item)
        except (TypeError, ValueError):
            return row, str(item)
    return -1, ""
