"""How far a run is: a bar with the time left on a terminal, a line now and then elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from widelimit.validate.report.numbers import duration

Watch = Callable[[int, int, str, float], None]
_EVERY = 20.0  # seconds between two lines where there is no terminal


@contextmanager
def watching(quiet: bool) -> Iterator[Watch]:
    """Yield the callback that `run.validate` takes as `progress`."""
    if quiet or sys.stderr is None:
        yield lambda _done, _total, _label, _elapsed: None
    elif sys.stderr.isatty():
        with _bar() as watch:
            yield watch
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Watch]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    shown: Any = Progress(
        TextColumn("{task.completed}/{task.total} cells"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
    with shown:
        task = shown.add_task("", total=None)
        yield lambda done, total, label, _elapsed: shown.update(
            task, completed=done, total=total, description=label
        )


def _lines(clock: Callable[[], float] = time.monotonic) -> Watch:
    last = clock()

    def watch(done: int, total: int, label: str, elapsed: float) -> None:
        nonlocal last
        if clock() - last >= _EVERY:
            last = clock()
            left = elapsed * (total - done) / done
            with suppress(OSError):  # nobody reads it any more; the run goes on
                print(
                    f"{done}/{total} cells, about {duration(left)} left: {label}", file=sys.stderr, flush=True
                )

    return watch
