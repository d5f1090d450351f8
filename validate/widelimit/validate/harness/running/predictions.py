"""What theory says at all places of a run: worked out by workers, a topic at a time, or here.

A topic's formulas share what they compile, so that its claims stay together: two workers that each began with one of
them would compile the same functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from widelimit.validate.harness.finding import Source
from widelimit.validate.harness.running.cells import one_thread
from widelimit.validate.harness.running.points import Place, Theory, predicted


@dataclass(frozen=True)
class Question:
    """A piece of work: what does theory say at these places, which are of one topic?"""

    topic: str
    places: tuple[Place, ...]

    @property
    def key(self) -> str:
        """What tells it from other work: a topic may be asked twice, where a user's claims bear its name."""
        return f"theory of {self.topic}, from {self.places[0].found.id} on"

    @property
    def label(self) -> str:
        """The question in a few words, for progress and errors."""
        return f"the predictions of {self.topic}"

    def run(self) -> tuple[Theory, ...]:
        """Answer for each place; raises what `points.predicted` does."""
        with one_thread():
            return tuple(map(predicted, self.places))


def questions(places: Iterable[Place]) -> tuple[Question, ...]:
    """One question for neighbours of one topic, in the order of the places."""
    topics = groupby(places, key=lambda place: place.found.id.split(".", 1)[0])
    return tuple(Question(topic, tuple(own)) for topic, own in topics)


def travel(places: Iterable[Place]) -> bool:
    """Whether workers can be asked: they find claims by their source."""
    return all(isinstance(place.found, Source) for place in places)
