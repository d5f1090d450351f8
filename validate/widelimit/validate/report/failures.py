"""What of a page could not be made: a sentence each, in its place; the rest of the page goes on without it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from widelimit.validate.harness import faults
from widelimit.validate.harness.text import told

T = TypeVar("T")
log = logging.getLogger(__name__)


class Failures:
    """Tries parts of a page and keeps what failed, in words.

    >>> failures = Failures()
    >>> failures.attempt("The picture", lambda: 1 / 0, "no picture")
    'no picture'
    >>> failures.sentences
    ['The picture failed: ZeroDivisionError: division by zero.']
    """

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def attempt(
        self, what: str, make: Callable[[], T], otherwise: T, source: Callable[..., Any] | None = None
    ) -> T:
        """Return what `make` makes, or `otherwise`; `source`: whose file and line to name where it fails."""
        try:
            return make()
        except (Exception, SystemExit) as error:
            place = f" ({faults.where(source, error)})" if source is not None else ""
            sentence = f"{what} failed{place}: {told(error)}."
            log.warning("%s", sentence)
            log.debug("It failed here.", exc_info=True)
            self.sentences.append(sentence)
            return otherwise
