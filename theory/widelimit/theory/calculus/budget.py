"""A budget of work, counted in function calls: symbolic algebra that does not end is stopped, at the same place always.

A timer would make the answer depend on the machine. The count is exact for Python's calls; what a single call computes
is kept small elsewhere (numbers below 10**24, powers up to 64).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import CO_GENERATOR
from typing import Any, TypeVar

Result = TypeVar("Result")
AGAIN = 5000  # calls after which it is raised again, should it have been swallowed


class Exhausted(BaseException):
    """The budget is used up; no ordinary `except Exception` on the way swallows it."""


def within(calls: int, function: Callable[[], Result]) -> Result:
    """Return ``function()``, or raise `Exhausted` after `calls` function calls inside it.

    Where a profiler is at work the function runs without a budget.

    >>> within(1000, lambda: sum(range(10)))
    45
    >>> def endless():
    ...     return endless_too()
    >>> def endless_too():
    ...     while True:
    ...         abs(-1)
    >>> try:
    ...     within(1000, endless)
    ... except Exhausted:
    ...     print("stopped")
    stopped
    """
    if sys.getprofile() is not None:
        return function()
    left = calls

    def count(frame: Any, event: str, _argument: Any) -> None:
        nonlocal left
        left -= 1
        # a generator that is being closed cannot pass it on: Python would print it and go on
        if left < 0 and event != "return" and not frame.f_code.co_flags & CO_GENERATOR:
            left = AGAIN
            raise Exhausted

    sys.setprofile(count)
    try:
        return function()
    finally:
        sys.setprofile(None)
