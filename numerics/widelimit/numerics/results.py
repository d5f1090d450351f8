"""What every result is: a record that pickles, copies, compares by value, draws itself and shows itself as a table.

A frozen dataclass that holds arrays cannot be compared: ``==`` compares tuples of fields, and the truth of an array
is ambiguous. `by_value` goes on top of ``@dataclass(frozen=True)`` and is all that a result class needs; a result that
compares as it should without (no arrays, or a class of its own) takes `pictured`.

`pictured` and `plot` are `theory.calculus.pictured`'s: derivations draw themselves as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from widelimit.theory.calculus.pictured import pictured, plot

__all__ = ["by_value", "pictured", "plot", "same"]

T = TypeVar("T")
_NOT_A_NUMBER = "nan"  # every NaN hashes alike, as all of them are equal here


def by_value(cls: type[T]) -> type[T]:
    """Let a frozen dataclass compare by the values of its fields, and pickle as those and nothing else.

    ``a == b`` is a plain bool: true if both are of this class and all fields that take part in comparisons are
    equal, arrays in shape and in every element, NaN being equal to NaN. It is hashable exactly where all its fields
    are: with an array in it, it is not, like the array. A copy or a pickle carries the fields, not what a cached
    property has computed from them. It has the methods of `pictured` too.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> @by_value
    ... @dataclass(frozen=True)
    ... class Curve:
    ...     length: np.ndarray
    >>> Curve(np.array([1.0, np.nan])) == Curve(np.array([1.0, np.nan]))
    True
    >>> Curve(np.array([1.0, 2.0])) == Curve(np.array([1.0, 3.0]))
    False
    """
    names = tuple(field.name for field in fields(cls) if field.compare)  # type: ignore[arg-type]
    every = tuple(field.name for field in fields(cls))  # type: ignore[arg-type]

    def __eq__(self: Any, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(same(getattr(self, name), getattr(other, name)) for name in names)

    def __hash__(self: Any) -> int:
        return hash((self.__class__, *(_key(getattr(self, name)) for name in names)))

    def __getstate__(self: Any) -> dict[str, Any]:
        return {name: getattr(self, name) for name in every}

    for function in (__eq__, __hash__, __getstate__):
        function.__qualname__ = f"{cls.__qualname__}.{function.__name__}"
        setattr(cls, function.__name__, function)
    return pictured(cls)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal: arrays (of any library) element by element, sequences and mappings part by part.

    >>> same((1.0, float("nan")), (1.0, float("nan"))), same([1.0], (1.0,)), same({"a": 1}, {"a": 2})
    (True, False, False)
    """
    if one is other:
        return True
    if _is_array(one) or _is_array(other):
        if not (_is_array(one) and _is_array(other)) or one.shape != other.shape:
            return False
        equal = (one == other) | ((one != one) & (other != other))  # NaN alone differs from itself
        return bool(equal.all())
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(same, one, other))
    equal = one == other
    return bool(equal) or (_is_nan(one) and _is_nan(other))


def _is_array(value: Any) -> bool:
    """NumPy's arrays and torch's tensors; NumPy's scalars compare as the numbers that they are."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "__setitem__")


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | complex) and value != value


def _key(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_key, value))
    return _NOT_A_NUMBER if _is_nan(value) else value
