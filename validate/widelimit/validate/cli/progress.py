"""How far a run is: a bar with the time left on a terminal, a line now and then elsewhere; always on stderr.

No time is told before it means something: what earlier runs cost, or a good part of the cells of this one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from widelimit.validate.report.numbers import count, duration

if TYPE_CHECKING:
    from widelimit.validate.harness.running.costs import Forecast

Watch = Callable[[int, int, str, float], None]
_EVERY = 20.0  # seconds between two lines where there is no terminal
_ENOUGH = 0.1  # share of the cells after which their mean time means something
_STAGES = {
    "theory": ("predictions", "topic"),
    "pilot": ("first stage (pilots, which say how many replicates it takes)", "cell"),
    "main": ("second stage", "cell"),
    "page": ("page", "part"),
}
_PIECES = {"theory": "topics predicted", "page": "parts of the page"}  # too unequal to foretell


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


class _Stages:
    """What both ways of watching share: the stage that a run is in, and how long it still takes."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.name = ""
        self.remaining: float | None = None

    def stage(self, name: str, work: int, forecast: Forecast | None) -> None:
        """Say that a stage begins, and how long the run takes from there, where that is known."""
        self.name, self.remaining = name, None
        if work:
            self.say(begun(name, work, forecast))

    def left(self, seconds: float | None) -> None:
        """Take note of what is left of the stage."""
        self.remaining = seconds

    def estimate(self, done: int, total: int, elapsed: float) -> float | None:
        """Seconds left: from costs, else from the mean of the cells so far, once they are enough."""
        if self.remaining is not None or self.name in _PIECES:
            return self.remaining
        return elapsed * (total - done) / done if done and done >= _ENOUGH * total else None


def begun(name: str, work: int, forecast: Forecast | None) -> str:
    """Say in a sentence that a stage begins.

    >>> begun("page", 12, None)
    'Page: 12 parts.'
    """
    title, unit = _STAGES.get(name, (name, "cell"))
    text = f"{title[:1].upper()}{title[1:]}: {count(work, unit)}"
    if not work or name in _PIECES:
        return f"{text}."
    if forecast is None:
        return f"{text}; how long they take is not known yet, as this machine has not run them before."
    low, high = duration(forecast.least), duration(forecast.most)
    whole = "the run takes" if name == "pilot" else "it takes"
    span = f"about {low}" if low == high else f"{low} to {high}"
    missing = f", without {count(len(forecast.unknown), 'claim')} not seen before" if forecast.unknown else ""
    return f"{text}; {whole} {span}{missing}."


def of_page(watch: Watch) -> Callable[[int, int, str], None]:
    """What `report.write` takes to tell how far a page is, for one that watches."""
    start = time.monotonic()

    def tell(done: int, total: int, label: str) -> None:
        if isinstance(watch, _Stages):
            if done == 0:
                watch.stage("page", total, None)
            watch(done, total, label, time.monotonic() - start)

    return tell


@contextmanager
def _bar() -> Iterator[Watch]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    shown: Any = Progress(
        TextColumn("{task.fields[stage]} {task.completed}/{task.total}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.description}", markup=False),
        console=console,
        transient=True,
    )
    with shown:
        yield _Bar(shown, lambda text: console.print(text, markup=False, highlight=False))


class _Bar(_Stages):
    """A bar of the predictions, of the whole run's cells, then of the page's parts."""

    def __init__(self, shown: Any, say: Callable[[str], None]) -> None:
        super().__init__(say)
        self.shown = shown
        self.task = shown.add_task("", total=None, left="", stage="")

    def __call__(self, done: int, total: int, label: str, elapsed: float) -> None:
        """Move the bar."""
        left = self.estimate(done, total, elapsed)
        said = "" if left is None else f"about {duration(left)} left of this stage"
        words = {"completed": done, "total": total, "description": label}
        self.shown.update(self.task, **words, stage=self.name, left=said)


class _Lines(_Stages):
    """A line at the beginning of a stage that is known to be long, then one every now and then."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(_told)
        self.clock = clock
        self.last = clock()

    def stage(self, name: str, work: int, forecast: Forecast | None) -> None:
        """Say that a stage begins, if there is time to read it."""
        self.name, self.remaining = name, None
        if forecast is not None and forecast.most >= _EVERY:
            self.say(begun(name, work, forecast))

    def __call__(self, done: int, total: int, label: str, elapsed: float) -> None:
        """Print a line, if the last is long ago."""
        if self.clock() - self.last >= _EVERY:
            self.last = self.clock()
            left = self.estimate(done, total, elapsed)
            unit = _PIECES.get(self.name, "cells")
            about = "" if left is None else f", about {duration(left)} left"
            about += f" of the {self.name} stage" if left is not None and self.name else ""
            self.say(f"{done}/{total} {unit}{about}: {label}")


def _lines(clock: Callable[[], float] = time.monotonic) -> _Lines:
    return _Lines(clock)


def _told(text: str) -> None:
    with suppress(OSError):  # nobody reads it any more; the run goes on
        print(text, file=sys.stderr, flush=True)
