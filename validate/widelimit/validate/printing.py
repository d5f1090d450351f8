"""Results as flat mappings of JSON values, and as a table for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def flat(result: Any) -> dict[str, Any]:
    """Return the public attributes of a result (fields, then properties) as one flat mapping of JSON values.

    Arrays become lists and records inside lists of mappings; infinite and undefined numbers become the strings
    "inf", "-inf" and "nan", since JSON has no numbers for them.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Result:
    ...     q_star: float
    ...     xi_c: float
    >>> flat(Result(0.5, float("inf")))
    {'q_star': 0.5, 'xi_c': 'inf'}
    """
    return {name: finite(value) for name, value in _attributes(result).items()}


def finite(value: Any) -> Any:
    """Return `value` as JSON values only."""
    if hasattr(value, "tolist"):  # NumPy arrays and scalars
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [finite(item) for item in value]
    if hasattr(value, "to_dict"):  # xarray
        return finite(value.to_dict())
    if is_dataclass(value):
        return flat(value)
    if hasattr(value, "__float__"):
        return finite(float(value))
    return str(value)


def table(values: Mapping[str, Any]) -> str:
    """Return a line for each value, names to the left.

    >>> print(table({"q_star": 0.25, "phase": "ordered"}))
    q_star  0.25
    phase   ordered
    """
    width = max(map(len, values), default=0)
    return "\n".join(f"{name:<{width}}  {_short(value)}" for name, value in values.items())


def _attributes(result: Any) -> dict[str, Any]:
    if isinstance(result, Mapping):
        return dict(result)
    if hasattr(result, "_asdict"):
        return dict(result._asdict())
    names = [field.name for field in fields(result)] if is_dataclass(result) else []
    kind = type(result)
    names += [
        name for name in dir(kind) if isinstance(getattr(kind, name, None), property) and name not in names
    ]
    return {name: getattr(result, name) for name in names if not name.startswith("_")}


def _short(value: Any) -> str:
    if isinstance(value, list):
        items = [_short(item) for item in value]
        return ", ".join(items) if len(items) <= 12 else f"{', '.join(items[:10])}, ... ({len(items)} values)"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_short(item)}" for key, item in value.items()) + "}"
    return str(value)
