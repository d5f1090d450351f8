"""What callers pass to rules, checked: scales that squares and cubes leave in the range of floats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.theory.errors import ArgumentError

Array = np.ndarray


_SHORT = {
    "fa": "feedback_alignment", "feedback": "feedback_alignment", "kp": "kolen_pollack", "ia": "information_alignment",
    "information": "information_alignment",
}  # fmt: skip


def rule(value: Any, options: Iterable[str]) -> str:
    """The name of a rule, by its full name or a short one (fa, kp, ia), with spaces or hyphens in it."""
    if isinstance(value, str):
        said = value.strip().lower().replace("-", "_").replace(" ", "_")
        value = _SHORT.get(said, said if said in options else value)
    return arguments.choice("rule", value, options)


def near_one(name: str, array: Array, *, zero: bool = False) -> Array:
    """A checked array whose entries have sizes between 1e-30 and 1e30; zeros as well, if allowed."""
    if not zero and (array == 0).any():
        raise ArgumentError(name, "must not be 0", 0.0)
    return arguments.near_one(name, array)


def positive(name: str, value: Any) -> Array:
    """Positive numbers of such sizes."""
    return near_one(name, arguments.positive(name, value))


def non_negative(name: str, value: Any) -> Array:
    """Zeros, or positive numbers of such sizes."""
    return near_one(name, arguments.non_negative(name, value), zero=True)


def times(value: Any) -> Array:
    """Times from 0 to infinity, which is allowed."""
    t = arguments.non_negative("t", value, infinite=True)
    near_one("t", np.where(np.isinf(t), 1.0, t), zero=True)
    return t
