"""Values in tuples, lists and mappings, as operations of a graph take and return them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor


def mapped(function: Callable[..., Any], value: Any, *beside: Any) -> Any:
    """Return the same containers around what a function makes of each value; `beside`: containers of the same shape.

    >>> mapped(lambda one: 2 * one, (1, [2, {"a": 3}]))
    (2, [4, {'a': 6}])
    """
    if isinstance(value, tuple | list):
        return type(value)([mapped(function, *each) for each in zip(value, *beside, strict=True)])
    if isinstance(value, dict):
        return {name: mapped(function, one, *(more[name] for more in beside)) for name, one in value.items()}
    return function(value, *beside)


def leaves(value: Any) -> list[Any]:
    """Return the values inside, in order.

    >>> leaves((1, [2, {"a": 3}]))
    [1, 2, 3]
    """
    found: list[Any] = []
    mapped(found.append, value)
    return found


def tensors(value: Any) -> list[Tensor]:
    """Return the tensors of numbers inside."""
    return [one for one in leaves(value) if isinstance(one, Tensor) and one.is_floating_point()]
