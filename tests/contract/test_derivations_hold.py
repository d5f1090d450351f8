"""Every derivation of `theory` holds at the digits that `check` asks for unless told otherwise; all take five minutes.

The tests of each topic ask for fewer digits. What a step stands for by numbers has to have them all: a sum over too few
points, a series cut too early or an interval that ends too soon fails here.
"""

import sys
from pathlib import Path

import pytest

from widelimit.theory.errors import InfiniteMomentError
from widelimit.theory.topics import EXTENDS, TOPICS

HERE = str(Path(__file__).parent)


@pytest.mark.sweep
@pytest.mark.parametrize("topic", (*TOPICS, *EXTENDS))
def test_all_derivations_of_a_topic_hold_at_the_default_digits(topic):
    sys.path.insert(0, HERE)
    try:
        from altered import derivations
    finally:
        sys.path.remove(HERE)
    held = 0
    for name, derive in derivations(topic):
        try:
            derivation = derive()
        except InfiniteMomentError:  # ReLU has a kink: some derivations are of smooth activations only
            assert "relu" in name
            continue
        held += all(step.passed for step in derivation.check())
    assert held
