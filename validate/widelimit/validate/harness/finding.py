"""Find claims by name: those of the topics (``claims/<topic>``) and those of a user's own modules.

A module of claims exposes ``CLAIMS: tuple[Claim, ...]``. Only the topics that a pattern can match are
imported. Worker processes find a claim the same way, from its `Source` (module or file, and id): a claim
never has to be pickled.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from widelimit.theory.errors import ArgumentError, InternalError
from widelimit.theory.topics import EXTENDS, TOPICS
from widelimit.validate.harness.claim import Claim
from widelimit.validate.harness.loading import claims_of, resolved

ALL = ("*",)


@dataclass(frozen=True)
class Source:
    """Where a worker finds a claim: an importable module or the path of a Python file, and the claim's id."""

    module: str
    id: str

    def claim(self) -> Claim:
        """Import the module (once a process) and pick the claim."""
        for claim in claims_of(self.module):
            if claim.id == self.id:
                return claim
        raise InternalError(f"Module {self.module} has no claim {self.id}.")


def load(patterns: str | Iterable[str] = ALL, modules: Sequence[str] = ()) -> tuple[Claim, ...]:
    """Return the claims whose ids match one of the patterns, in the order of the topics.

    A pattern is an id (``meanfield.length-map``), a topic (``meanfield``) or a shell pattern
    (``meanfield.*-map``). `modules` are further places to look: names of importable modules or paths of
    Python files that expose ``CLAIMS``. Raises `ArgumentError`, with the nearest ids, for a pattern that
    matches nothing.

    >>> load("no-such-topic.claim")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    widelimit.theory.errors.ArgumentError: Argument `claims` must match a claim, but is ...
    """
    return tuple(source.claim() for source in sources(patterns, modules))


def find(claim_id: str, modules: Sequence[str] = ()) -> Claim:
    """Return the one claim of this id; `ArgumentError` with the nearest ids where there is none."""
    for claim in load([claim_id], modules):
        if claim.id == claim_id:
            return claim
    raise ArgumentError("claim", "must be the id of one claim", claim_id, "See `widelimit list`.")


def sources(patterns: str | Iterable[str] = ALL, modules: Sequence[str] = ()) -> tuple[Source, ...]:
    """As `load`, but return where each claim is found."""
    wanted = [patterns] if isinstance(patterns, str) else list(patterns)
    wanted = [f"{pattern}.*" if pattern in TOPICS else pattern for pattern in wanted]
    extra = dict.fromkeys(map(resolved, [modules] if isinstance(modules, str) else modules))
    places = [room for topic in TOPICS if any(_may_match(p, topic) for p in wanted) for room in _rooms(topic)]
    found = _collect([*places, *extra])
    chosen: dict[str, Source] = {}
    for pattern in wanted:
        matches = [name for name in found if fnmatchcase(name, pattern) or name.startswith(f"{pattern}.")]
        if not matches:
            everything = _collect([*(room for topic in TOPICS for room in _rooms(topic)), *extra])
            near = get_close_matches(pattern, everything, n=3, cutoff=0.4) or sorted(everything)[:3]
            help = f"Nearest: {', '.join(near)}." if near else "No claims are installed."
            raise ArgumentError("claims", "must match a claim", pattern, f"{help} See `widelimit list`.")
        chosen.update({claim_id: found[claim_id] for claim_id in matches})
    return tuple(source for claim_id, source in found.items() if claim_id in chosen)


def _collect(places: Iterable[str]) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for place in places:
        for claim in claims_of(place):
            if claim.id in found and found[claim.id].module != place:
                raise ArgumentError(
                    "claims",
                    "must have ids of their own",
                    but=f"{claim.id} is in {found[claim.id].module} and in {place}",
                )
            found[claim.id] = Source(place, claim.id)
    return found


def _may_match(pattern: str, topic: str) -> bool:
    head = pattern.partition(".")[0]
    return "*" in head or "?" in head or "[" in head or head == topic


def _rooms(topic: str) -> list[str]:
    """The modules whose claims bear the topic's name."""
    names = [topic, *(room for room, extended in EXTENDS.items() if extended == topic)]
    modules = [f"widelimit.validate.claims.{name}" for name in names]
    return [name for name in modules if name in sys.modules or importlib.util.find_spec(name)]
