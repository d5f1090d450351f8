"""What a claim is made of, checked when it is made: no run is spent on a claim that cannot be judged or printed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NoReturn

from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.text import LINE, PARAGRAPH, clean

__all__ = ["LINE", "PARAGRAPH"]

_ID = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_LONGEST_ID = 100
COMPARISONS = ("equal", "at least", "at most")


def refuse(name: str, must: str, value: Any, help: str = "") -> NoReturn:
    """Raise `ArgumentError`."""
    raise ArgumentError(name, must, value, help)


def identifier(value: Any) -> None:
    """A claim's id: words of letters, digits, - and _ with dots between them, the topic first.

    >>> identifier("topic.name")
    """
    if not isinstance(value, str) or not _ID.fullmatch(value) or len(value) > _LONGEST_ID:
        refuse("id", "must be a topic and a name with a dot between, of letters, digits, - and _", value)


def texts(record: Any, owner: str, **most: int) -> None:
    """Clean the texts of a frozen record, each cut to its length."""
    for name, length in most.items():
        value = getattr(record, name)
        if not isinstance(value, str):
            refuse(name, f"must be the {owner}'s {name} as text", value)
        object.__setattr__(record, name, clean(value, length))


def functions(record: Any, *names: str, needed: bool = True) -> None:
    """See that fields hold functions (or None, where they need not be given)."""
    for name in names:
        value = getattr(record, name)
        if not callable(value) and (needed or value is not None):
            refuse(name, "must be a function", value)


def mapping(name: str, value: Any, key: type, kinds: tuple[type, ...]) -> None:
    """See that a field maps names to records of some kinds."""
    must = f"must map names to {' or '.join(kind.__name__ for kind in kinds)}"
    if not isinstance(value, Mapping):
        refuse(name, must, value)
    for one, content in value.items():
        if not isinstance(one, key) or not isinstance(content, kinds):
            refuse(name, must, {one: content})


def sequence(name: str, value: Any, kind: type) -> tuple[Any, ...]:
    """Return a field of several records as a tuple of them."""
    must = f"must be a tuple of {kind.__name__}s"
    if isinstance(value, kind):
        refuse(name, must, value, "Put a comma behind a single one: (it,).")
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        refuse(name, must, value)
    for one in value:
        if not isinstance(one, kind):
            refuse(name, must, one)
    return tuple(value)


def unique(name: str, names: Sequence[str]) -> None:
    """See that names differ."""
    for place, one in enumerate(names):
        if one in names[:place]:
            refuse(name, "must have names that differ", one)


def points(value: Any) -> tuple[dict[str, Any], ...]:
    """Return the points of a plan, each a dict of names to numbers, text or booleans."""
    return tuple(scalars("points", one) for one in sequence("points", value, Mapping))


def scalars(name: str, value: Any) -> dict[str, Any]:
    """Return a mapping of names to plain scalars, which hash, travel and are printed.

    >>> scalars("points", {"a": 1.5, "b": "x"})
    {'a': 1.5, 'b': 'x'}
    """
    must = "must map names to numbers, text or booleans"
    if not isinstance(value, Mapping):
        refuse(name, must, value)
    return {_name(name, must, key): _scalar(name, must, key, one) for key, one in value.items()}


def _name(name: str, must: str, key: Any) -> str:
    return key if isinstance(key, str) else refuse(name, must, key)


def _scalar(name: str, must: str, key: str, value: Any) -> Any:
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # a number of NumPy's
        value = value.item()
    if not isinstance(value, str | bool | int | float):
        refuse(name, must, {key: value})
    if isinstance(value, int | float) and not _fits(value):
        refuse(name, "must hold finite numbers", {key: value})
    return value


def _fits(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False


def sizes(value: Any) -> tuple[int, ...]:
    """Return the sizes of a plan; that they are positive and differ is checked with the plan as a whole."""
    for one in sequence("sizes", value, Integral):
        if isinstance(one, bool):
            refuse("sizes", "must be whole numbers", one)
    return tuple(int(one) for one in value)


def count(name: str, value: Any) -> None:
    """See that a field is a whole number."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        refuse(name, "must be a whole number", value)


def positive(name: str, value: Any) -> None:
    """See that a field is a positive, finite number."""
    if isinstance(value, bool) or not isinstance(value, Real) or not _fits(value) or not float(value) > 0:
        refuse(name, "must be a positive number", value)


def comparison(value: Any) -> None:
    """See that a field says how measured numbers are compared with predicted ones.

    >>> comparison("at least")
    """
    if value not in COMPARISONS:
        refuse("compare", f"must be {', '.join(COMPARISONS[:-1])} or {COMPARISONS[-1]}", value)


def interval(low: Any, high: Any, simplest: Any) -> None:
    """See that the ends of an interval are numbers; that they are finite and in order is the search's to ask."""
    for name, value in (("low", low), ("high", high), ("simplest", 0.0 if simplest is None else simplest)):
        if isinstance(value, bool) or not isinstance(value, Real):
            refuse(name, "must be a number", value)


def integers(low: Any, high: Any) -> None:
    """See that both ends are whole numbers."""
    count("low", low)
    count("high", high)


def options(value: Any) -> tuple[Any, ...]:
    """Return the options of a choice: one scalar or more."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        refuse("options", "must be a tuple of one option or more", value)
    return tuple(scalars("options", {"option": one})["option"] for one in value)
