"""Whether a call ended as it may: with a result without NaN or one of our own errors, within thirty seconds.

Numba's compiler does not count: it runs once, and an exception out of a signal would leave its library half built.
`wrong` is what a call did wrong, in words, or None. A bug that we call one (`InternalError`) is wrong, too.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import re
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import sympy
from numba.core import event

from widelimit.theory.errors import InternalError, WidelimitError

SECONDS = 30  # of this process, not of the clock: machines are shared
_ROOM = 6 * 2**30  # bytes of address space that a call may add
_DOCUMENTED = re.compile(r"\bnan\b|not defined", re.IGNORECASE)


class TooSlowError(BaseException):
    """The time is over; no handler of a library's stops it."""


class Compiler(event.Listener):
    """Whether numba's compiler is at work, and the CPU seconds that it has taken."""

    def __init__(self) -> None:
        self.taken, self._since, self._depth = 0.0, 0.0, 0

    @property
    def works(self) -> bool:
        return self._depth > 0

    def on_start(self, event: event.Event) -> None:
        if self._depth == 0:
            self._since = time.process_time()
        self._depth += 1

    def on_end(self, event: event.Event) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.taken += time.process_time() - self._since


@contextmanager
def limited(compiler: Compiler) -> Iterator[None]:
    """Interrupt a call after `SECONDS` besides those of `compiler`, and refuse it memory without end."""
    start = time.process_time()

    def over(number: int, frame: FrameType | None) -> None:
        left = SECONDS + compiler.taken - (time.process_time() - start)
        if not compiler.works and left <= 0:
            raise TooSlowError
        signal.setitimer(signal.ITIMER_PROF, max(left, 0.1))

    before = signal.signal(signal.SIGPROF, over)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _ROOM, hard))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)


def wrong(function: Callable[..., Any], arguments: Mapping[str, Any]) -> str | None:
    """Call a function and say what is wrong with how it ended."""
    compiler, start = Compiler(), time.process_time()
    try:
        with (
            event.install_listener("numba:compiler_lock", compiler),
            limited(compiler),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            result = function(**arguments)
            if inspect.isgenerator(result):
                result = [value for value, _ in zip(result, range(100), strict=False)]
            found = _nan(function, result) or _not_an_object(result)
    except TooSlowError:
        return f"does not end within {SECONDS} s"
    except InternalError as error:
        return f"calls it a bug of ours: {error}"
    except WidelimitError:
        found = None
    except Exception as error:
        return f"raises {_told(error)}"
    taken = time.process_time() - start - compiler.taken
    return f"takes {taken:.0f} s" if taken > SECONDS else found


def _told(error: BaseException) -> str:
    frames = [one for one in traceback.extract_tb(error.__traceback__) if "widelimit" in one.filename]
    place = f" in {Path(frames[-1].filename).name}, {frames[-1].name}" if frames else ""
    return f"{type(error).__name__}{place}: {str(error)[:120]}"


def _nan(function: Callable[..., Any], result: Any) -> str | None:
    """Name the parts of a result that are NaN though no docstring says that they can be."""
    words = f"{function.__doc__} {type(result).__doc__ if dataclasses.is_dataclass(result) else ''}"
    if _DOCUMENTED.search(words):
        return None
    where = next(_nans(result, "the result"), None)
    return f"returns NaN in {where}" if where else None


def _nans(value: Any, where: str) -> Iterator[str]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _nans(getattr(value, field.name), field.name)
    elif isinstance(value, float | complex | np.floating | np.complexfloating):
        if value != value:
            yield where
    elif isinstance(value, np.ndarray):
        if value.dtype.kind in "fc" and np.isnan(value).any():
            yield where
    elif isinstance(value, sympy.Basic):
        if value.has(sympy.nan, sympy.zoo):
            yield where
    elif hasattr(value, "data_vars"):
        for name in (*value.coords, *value.data_vars):
            yield from _nans(value[name].values, str(name))
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _nans(part, f"{where}[{index}]")
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _nans(part, f"{where}[{name}]")


def _not_an_object(result: Any) -> str | None:
    """Results are values: they compare, copy and pickle."""
    if not dataclasses.is_dataclass(result) or isinstance(result, type):
        return None
    if (result == copy.deepcopy(result)) is not True:
        return "differs from its own copy"
    return None if (pickle.loads(pickle.dumps(result)) == result) is True else "differs from its own pickle"
