"""Where the pictures of a page are drawn: in this process one after the other, or by workers, several at a time.

Pictures of a claim depend on its outcome alone, and on the claim that its id finds; those of our claims are kept
(`kept`). Claims of a user's own are drawn in this process: a worker would have to be handed their code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from widelimit.numerics.compile.cache import digest
from widelimit.theory.errors import WidelimitError
from widelimit.validate.harness.outcome import ClaimOutcome
from widelimit.validate.report import kept
from widelimit.validate.report.failures import Failures
from widelimit.validate.report.figures import Panel, evidence, panels
from widelimit.validate.report.gallery import GalleryFigure, figures_of, gallery

if TYPE_CHECKING:
    from widelimit.validate.harness.claim import Claim

T = TypeVar("T")
FEWEST = 12  # sections: workers take seconds to start
Pictures = tuple[tuple[Panel, ...], tuple[Panel, ...], tuple[str, ...]]
"""Theory against simulation, the evidence, and what could not be drawn."""


class Studio:
    """Hands out drawings. What it returns is called where the drawing is needed, and waits for it."""

    def __init__(self, executor: Executor | None = None) -> None:
        self._executor = executor

    def section(
        self, one: ClaimOutcome, claim: Claim | None, ours: Claim | None, prefix: str
    ) -> Callable[[], Pictures]:
        """Draw the panels of a claim; `ours`: what its id finds, another one or none where it is a user's."""
        if claim is not ours:
            return partial(_section, one, claim, prefix)
        return self._ask(_known, one, prefix)

    def figures(
        self, topic: str, preset: str, folder: Path
    ) -> Callable[[], tuple[list[tuple[str, Panel]], tuple[str, ...]]]:
        """Draw a topic's figures of papers: names and panels, and what failed."""
        return self._ask(_figures, topic, preset, folder)

    def _ask(self, draw: Callable[..., T], *arguments: Any) -> Callable[[], T]:
        here = partial(draw, *arguments)
        if self._executor is None:
            return here
        future = self._executor.submit(draw, *arguments)

        def there() -> T:
            try:
                found: T = future.result()
            except BrokenExecutor:  # killed, or out of memory: a page is made all the same
                found = here()
            return found

        return there


@contextmanager
def studio(jobs: int, sections: int) -> Iterator[Studio]:
    """Yield a studio with so many workers; without any for a page of few sections."""
    from widelimit.validate.harness.running.executors import open_executor

    if jobs == 1 or sections < FEWEST:
        yield Studio()
        return
    with open_executor(jobs) as executor:
        yield Studio(executor)


def definition(claim_id: str) -> Claim | None:
    """The claim itself, for its derivation and figure; None if this installation does not know it."""
    from widelimit.validate.harness.finding import find

    try:
        return find(claim_id)
    except WidelimitError:
        return None


def named(topic: str, name: str) -> GalleryFigure:
    """The figure of that name of a topic's gallery."""
    return next(figure for figure in figures_of(topic) if figure.name == name)


def prefix_of(claim_id: str) -> str:
    """How identifiers in a section's figures begin: the same whichever sections stand before it.

    >>> prefix_of("meanfield.length-map")
    'c11b20488'
    """
    return f"c{digest(claim_id)[:8]}"


def _known(one: ClaimOutcome, prefix: str) -> Pictures:
    """The pictures of a claim of ours, as they were kept, or drawn and kept; where something failed, they are not."""
    claim = definition(one.id)
    if claim is None:  # nobody's here: what draws it is not all of it ours
        return _section(one, None, prefix)
    name = kept.key("section", repr(one), prefix)
    stored = kept.recall(name)
    if stored is not None:
        shown, proof = ([Panel(*panel) for panel in panels] for panels in json.loads(stored))
        return tuple(shown), tuple(proof), ()
    pictures = _section(one, claim, prefix)
    if not pictures[2]:
        kept.keep(name, json.dumps([[astuple(one) for one in panels] for panels in pictures[:2]]).encode())
    return pictures


def _section(one: ClaimOutcome, claim: Claim | None, prefix: str) -> Pictures:
    said = Failures()
    return panels(one, claim, prefix, said), evidence(one, prefix, said), tuple(said.sentences)


def _figures(topic: str, preset: str, folder: Path) -> tuple[list[tuple[str, Panel]], tuple[str, ...]]:
    said = Failures()
    found = gallery([topic], preset, folder, said)
    return [(figure.name, panel) for figure, panel in found], tuple(said.sentences)
