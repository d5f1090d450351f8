"""How a run shows how far it is: a bar with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

_EVERY = 10.0  # seconds between lines where there is no terminal


class Silent:
    """Shows nothing."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


class Bar:
    """Shows cells done on the standard error; used as ``with Bar() as progress: validate(..., progress=progress)``.

    Cells differ in cost, so the time left is judged from the last cells rather than from all of them (rich does).
    """

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None
        self.last = 0.0

    def __enter__(self) -> Bar:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
            from rich.progress import TimeElapsedColumn, TimeRemainingColumn  # isort: skip

            columns = (
                BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
                TimeRemainingColumn(), TextColumn("{task.description}"),
            )  # fmt: skip
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("", total=None)
        return self

    def __call__(self, done: int, total: int, label: str, seconds: float) -> None:
        """Take note of a finished cell."""
        if self.bar is not None:
            self.bar.update(self.task, completed=done, total=total, description=label)
        elif time.monotonic() - self.last > _EVERY:
            self.last = time.monotonic()
            left = seconds / done * (total - done) if done else 0.0
            print(f"{done}/{total} cells, {seconds:.0f} s, about {left:.0f} s left: {label}", file=sys.stderr)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()
