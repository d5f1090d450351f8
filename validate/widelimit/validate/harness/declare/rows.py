"""The numbers of a point: named attributes of a solver's result, arrays spread over an index.

``{"q": "q_star", "c": row("c", over={"layer": "depth"})}`` is one row named q and one named c for each layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.claim import Inputs
from widelimit.validate.harness.declare.calls import call

Reader = (
    str | float | Callable[..., Any]
)  # an attribute, a constant, or a function of the result and of inputs
Index = Mapping[str, Any]  # a name -> its values, the input that counts them from 1, or a function of inputs


@dataclass(frozen=True)
class Row:
    """One number, or as many as `over` counts, where `only` holds."""

    read: Reader
    over: Index = field(default_factory=dict)
    only: Callable[..., bool] | None = None

    def shown(self, inputs: Inputs) -> bool:
        """Whether the row is there at a point."""
        return self.only is None or bool(call("only", self.only, inputs))

    def labels(self, inputs: Inputs) -> list[dict[str, Any]]:
        """What tells the numbers of the row apart: one mapping each."""
        values = [_values(name, of, inputs) for name, of in self.over.items()]
        return [dict(zip(self.over, one, strict=True)) for one in product(*values)]


def row(read: Reader, *, over: Index | None = None, only: Callable[..., bool] | None = None) -> Row:
    """Read a row that is spread over an index of its own, or that only some points have.

    Args:
        read: an attribute of the solver's result, a number, or a function of the result and of inputs that it names.
        over: the name of an index and its values, the input that counts them from 1, or a function of inputs.
        only: at which points there is such a row, a function of inputs; default: at all.

    >>> row("q", over={"layer": "depth"}).labels({"depth": 2})
    [{'layer': 1}, {'layer': 2}]
    """
    return Row(read, over or {}, only)


@dataclass(frozen=True)
class Rows:
    """All rows of a claim by name ("" for a single one without); `named` is what the report calls their names."""

    rows: Mapping[str, Row]
    named: str = "quantity"

    @classmethod
    def of(cls, rows: Any, over: Index | None, named: str) -> Rows:
        """Read what a declaration says: a reader, or a mapping of names to readers or `Row`s."""
        given = rows if isinstance(rows, Mapping) else {"": rows}
        made = {name: one if isinstance(one, Row) else Row(one, over or {}) for name, one in given.items()}
        for name, one in made.items():
            if not isinstance(one.read, str | int | float) and not callable(one.read):
                help = "Such as {'q': 'q_star'}."
                raise ArgumentError(
                    "rows", "must map names to attributes or functions", {name: one.read}, help
                )
        return cls(made, named)

    def instead(self, readers: Mapping[str, Reader], role: str = "instead") -> Rows:
        """Return the same rows, some of them read from elsewhere."""
        for name in readers:
            if name not in self.rows:
                raise ArgumentError(role, f"must name rows, which are {', '.join(self.rows)}", name)
        changed = {
            name: Row(readers.get(name, one.read), one.over, one.only) for name, one in self.rows.items()
        }
        return Rows(changed, self.named)

    def labels(self, inputs: Inputs) -> tuple[Inputs, ...]:
        """What names each number of a point in the report."""
        return tuple(
            ({self.named: name} if name else {}) | label
            for name, one in self.rows.items()
            if one.shown(inputs)
            for label in one.labels(inputs)
        )

    def read(self, result: tuple[Any, ...], inputs: Inputs, shown: Inputs) -> np.ndarray:
        """Read all numbers off a result (none: no solver); which rows there are is told by the point `shown`."""
        parts = [
            _number(name, one, result, inputs, len(one.labels(shown)))
            for name, one in self.rows.items()
            if one.shown(shown)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)


def _number(name: str, one: Row, result: tuple[Any, ...], inputs: Inputs, count: int) -> np.ndarray:
    if callable(one.read):
        found = call("rows", one.read, inputs, *result)
    elif isinstance(one.read, str):
        found = attribute("rows", result[0] if result else None, one.read)
    else:
        found = one.read
    values = np.ravel(np.asarray(found, dtype=np.float64))
    if len(values) != count:
        what = f"`{name or one.read}` has {len(values)} for {count}"
        raise ArgumentError("rows", "must have as many numbers as their index has values", but=what)
    return values


def attribute(role: str, result: Any, name: str) -> Any:
    """Return an attribute of a result (an entry of a mapping); `ArgumentError` lists those that there are."""
    if isinstance(result, Mapping) and name in result:
        return result[name]
    if hasattr(result, name) and not name.startswith("_"):
        return getattr(result, name)
    there = list(result) if isinstance(result, Mapping) else [a for a in dir(result) if not a.startswith("_")]
    kind = type(result).__name__
    raise ArgumentError(
        role, f"must name attributes of `{kind}`", name, f"It has {', '.join(map(str, there))}."
    )


def _values(name: str, of: Any, inputs: Inputs) -> Sequence[Any]:
    if callable(of):
        return list(call("over", of, inputs))
    if isinstance(of, str):
        if of not in inputs:
            raise ArgumentError("over", "must count by an input of the point", {name: of})
        return range(1, int(inputs[of]) + 1)
    return list(of)
