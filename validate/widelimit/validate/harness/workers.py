"""How worker processes ended, in words: killed, out of memory, or crashed.

A pool tells the exit codes of workers that died (loky does), or nothing. Whether the system killed them for want of
memory, Linux says in a counter of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from widelimit.theory.errors import InternalError, WidelimitError, WorkerError

_SIGNAL = re.compile(r"\b(SIG[A-Z0-9]+)\b")
_CRASHES = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS"}
_NO_MEMORY = re.compile(
    r"out of memory|can.?t allocate memory|cannot allocate memory|unable to allocate", re.I
)
_GO_ON = "What is finished is stored: run the same command again to go on"


def killed_for_memory() -> int:
    """Return how many processes this machine, or this container, has killed so far because memory ran out."""
    return sum(_counter(path) for path in ("/proc/vmstat", "/sys/fs/cgroup/memory.events"))


def _counter(path: str) -> int:
    with suppress(OSError, ValueError):
        for line in Path(path).read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def no_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, in this process or on a device."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's
        return True
    return isinstance(error, RuntimeError | OSError) and bool(_NO_MEMORY.search(str(error)))


def out_of_memory(label: str) -> WorkerError:
    """Return the error of a piece of work for which memory did not suffice."""
    return WorkerError(f"Memory ran out at {label}. {_GO_ON}, with fewer jobs or where there is more memory.")


def ended(label: str, deaths: Sequence[BaseException], for_memory: bool) -> WidelimitError:
    """Return the error of a piece of work whose workers died each time that it was tried.

    `for_memory`: whether the system killed processes for want of memory meanwhile. A crash of the code itself is an
    `InternalError`.
    """
    signals = list(dict.fromkeys(name for one in deaths for name in _SIGNAL.findall(str(one))))
    how = f" ({', '.join(signals)})" if signals else ""
    times = f"{len(deaths)} times{how} at work on {label}"
    if crash := [name for name in signals if name in _CRASHES]:
        return InternalError(
            f"Workers crashed {times}: {crash[0]} comes from the code that ran there, or a library."
        )
    if for_memory and (not signals or "SIGKILL" in signals):
        return WorkerError(f"The system killed workers {times}: memory ran out. {_GO_ON}, with fewer jobs.")
    return WorkerError(
        f"Workers were killed {times}: by hand, by a scheduler of jobs, or by the system for want of memory. "
        f"{_GO_ON}, with fewer jobs if memory is short."
    )
