"""What a caller asks of a run or a search, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, get_args

from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.claim import Preset
from widelimit.validate.harness.statistics import check_level

_LARGEST = 2**63


def check(preset: Any, level: Any, seed: Any, executor: Any, progress: Any) -> None:
    """Raise `ArgumentError` for what no run can be made with."""
    one_of("preset", preset, get_args(Preset))
    if isinstance(level, bool) or not isinstance(level, int | float):
        raise ArgumentError("level", "must be a number between 0 and 0.5", level)
    check_level(level)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ArgumentError("seed", "must be a whole number", seed)
    if abs(seed) >= _LARGEST:
        raise ArgumentError(
            "seed", "must be a whole number below 2^63", but=f"has {seed.bit_length()} binary digits"
        )
    if executor is not None and not isinstance(executor, Executor):
        raise ArgumentError("executor", "must be a concurrent.futures.Executor, or None", executor)
    if progress is not None and not callable(progress):
        raise ArgumentError("progress", "must be a function, or None", progress)


def one_of(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raise `ArgumentError` for a value that is none of the choices."""
    if not isinstance(value, str) or value not in choices:
        listed = " or ".join(choices) if len(choices) == 2 else f"one of {', '.join(choices)}"
        raise ArgumentError(name, f"must be {listed}", value)


def folder(name: str, value: Any) -> Path:
    """Return a path that names a folder; `ArgumentError` for what cannot."""
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise ArgumentError(name, "must be the path of a folder", value)
    return Path(value)


def names(argument: str, value: Any) -> list[str]:
    """Return one text, or several, as a list; `ArgumentError` for anything else, and for none at all."""
    several = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    if not several or not all(isinstance(one, str) for one in several):
        raise ArgumentError(argument, "must be a name, or several", value)
    return several


def told(progress: Callable[..., Any], *what: Any) -> None:
    """Call a caller's own function; what it raises ends the run with one sentence (Ctrl-C passes as it is)."""
    try:
        progress(*what)
    except Exception as error:
        raise ArgumentError(
            "progress",
            "must be a function that returns",
            but=f"it raised {type(error).__name__}: {error}",
            help="What is done is stored.",
        ) from error
