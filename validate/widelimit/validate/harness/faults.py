"""Whose fault it is when a claim's own function fails: one sentence that names the claim, the file and the line.

A claim of a user's file is the user's side (`ClaimError`, exit status 2); one of widelimit's own is ours
(`InternalError`). Errors of the theory (`DomainError`) say that a point lies outside and pass through.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import DomainError, InputError, InternalError, WidelimitError
from widelimit.validate.harness.text import clean, told
from widelimit.validate.harness.workers import no_memory

if TYPE_CHECKING:
    from widelimit.validate.harness.claim import Claim

_OURS = "widelimit."


class ClaimError(InputError):
    """A claim of a user's own cannot be used as it is written."""


def called(claim: Claim, role: str, function: Callable[..., Any], *args: Any, at: str = "") -> Any:
    """Call a claim's function (`role` is its name in the claim); what it raises is told in one sentence.

    Raises `ClaimError` for a user's claim and `InternalError` for one of ours.
    """
    try:
        return function(*args)
    except (DomainError, InternalError, MemoryError):  # memory is the machine's
        raise
    except (Exception, SystemExit) as error:
        if no_memory(error):  # as torch says it
            raise MemoryError(str(error)) from error
        if isinstance(error, WidelimitError) and ours(function):
            raise
        what = str(error) if isinstance(error, WidelimitError) else told(error)
        raise fault(claim, role, function, f"raised {what}", at, error) from error


def fault(
    claim: Claim,
    role: str,
    function: Callable[..., Any],
    what: str,
    at: str = "",
    error: BaseException | None = None,
) -> WidelimitError:
    """Make the exception that says what a claim's function did wrong, where it stands and at which inputs."""
    place = where(function, error)
    text = f"Claim {claim.id} cannot be used: its `{role}`{f' ({place})' if place else ''} {what}".rstrip(".")
    text += f", at {at}." if at else "."
    return InternalError(text) if ours(function) else ClaimError(text)


def numbers(
    claim: Claim, role: str, function: Callable[..., Any], value: Any, at: str = ""
) -> np.ndarray[Any, Any]:
    """Return what a claim's function gave as an array of floats; text, complex numbers and None are its fault."""
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O" and not any(
            isinstance(one, str | bytes | None.__class__) for one in array.flat
        ):
            array = array.astype(np.float64)
    except (Exception, SystemExit) as error:
        raise fault(
            claim, role, function, f"returned what is no array of numbers ({told(error)})", at
        ) from error
    if array.dtype.kind not in "biuf":
        kinds = {"c": "complex numbers", "U": "text", "S": "text"}
        what = kinds.get(array.dtype.kind, f"{type(value).__name__}, not an array of numbers")
        raise fault(claim, role, function, f"returned {what}", at)
    return array.astype(np.float64)


def ours(function: Callable[..., Any]) -> bool:
    """Whether a function belongs to widelimit itself."""
    return str(getattr(_whole(function), "__module__", "")).startswith(_OURS)


def where(function: Callable[..., Any], error: BaseException | None = None) -> str:
    """Say where a function stands: its name, file and line, the line that failed where an exception tells it.

    >>> where(where).split(", line ")[0].endswith("faults.py")
    True
    """
    whole = _whole(function)
    code = getattr(whole, "__code__", None) or getattr(type(whole).__call__, "__code__", None)
    name = getattr(whole, "__name__", type(whole).__name__)
    if code is None:
        return f"`{name}`"
    return f"`{name}` in {clean(code.co_filename)}, line {line_in(code.co_filename, error) or code.co_firstlineno}"


def line_in(file: str, error: BaseException | None) -> int | None:
    """The last line of a file that an exception came through, if it did."""
    found, trace = None, error.__traceback__ if error is not None else None
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == Path(file):
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def said(inputs: Mapping[str, Any], size: int = 0) -> str:
    """Inputs in one line, for a message.

    >>> said({"a": 1.5, "b": "x"}, 100)
    'a=1.5, b=x, size 100'
    """
    parts = [f"{clean(str(name), 40)}={clean(str(value), 60)}" for name, value in inputs.items()]
    return ", ".join([*parts, *([f"size {size}"] if size else [])])


def _whole(function: Any) -> Any:
    while isinstance(function, partial):
        function = function.func
    return inspect.unwrap(function) if callable(function) else function
