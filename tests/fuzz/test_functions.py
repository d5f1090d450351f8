"""Every public function of the topics of theory and numerics, tried with values of all kinds.

A short, seeded run belongs to the suite. ``make fuzz`` tries as many values as there is time for: WIDELIMIT_FUZZ is the
number of examples a function, and what fails is collected instead of ending the search.
"""

import importlib
import importlib.util
import inspect
import os
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from widelimit.theory.topics import TOPICS

EXAMPLES = int(os.environ.get("WIDELIMIT_FUZZ", "0"))
LONG = EXAMPLES > 0
HEED = os.environ.get("WIDELIMIT_FUZZ_KNOWN", "1") != "0"
SHORT = 5  # examples a function in the suite: a minute or two in all

# Parts of an engine that stand in a topic's room: they take what another function of ours has made and checked.
ENGINE = {
    "numerics.kernel.diagonalise": "kernels as `nngp_ntk` returns them",
    "numerics.kernel.inputs": "the check itself",
    "numerics.kernel.pair_map": "an Activation",
    "theory.meanfield.nodes": "an Activation",
}
# What is known and not mended yet: start of a name, part of what is wrong, and where it will be mended. To be
# emptied: WIDELIMIT_FUZZ_KNOWN=0 searches without this list.
KNOWN: tuple[tuple[str, str, str], ...] = ()


def beside(name):
    """Load a module of this folder."""
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def functions(floor, topic):
    """The public functions of a topic that take something, by name."""
    try:
        room = importlib.import_module(f"widelimit.{floor}.{topic}")
    except ModuleNotFoundError:
        return {}
    found = {}
    for name in getattr(room, "__all__", None) or dir(room):
        one = getattr(room, name)
        own = str(getattr(one, "__module__", "")).startswith(room.__name__)
        if not name.startswith("_") and inspect.isfunction(one) and own and inspect.signature(one).parameters:
            found[f"{floor}.{topic}.{name}"] = one
    return {name: one for name, one in found.items() if name not in ENGINE}


def shown(arguments):
    return ", ".join(f"{name}={value!r:.80}" for name, value in arguments.items())


def note(finding):
    """Write a finding to the file WIDELIMIT_FUZZ_LOG at once: a long search may be ended before it is done."""
    if log := os.environ.get("WIDELIMIT_FUZZ_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(finding.encode("unicode_escape").decode() + "\n")


@pytest.fixture(autouse=True)
def no_request_of_minutes(monkeypatch):
    """Some depths take minutes and say so; here all requests beyond half a minute are too dear."""
    monkeypatch.setattr("widelimit.numerics.costs.TIME", 20.0)


def search(name, function, values, judge):
    """Try a function; return all that is wrong, each with the first arguments at which it is."""
    found, calls = {}, 0

    @seed(random.randrange(2**63) if LONG else zlib.crc32(name.encode()))  # other values for each function
    @settings(
        max_examples=EXAMPLES or SHORT,
        database=None,
        deadline=None,
        phases=(Phase.generate,),  # what does not end is not worth shrinking
        suppress_health_check=list(HealthCheck),
    )
    @given(values.arguments(function))
    def tried(arguments):
        nonlocal calls
        calls += 1
        what = judge.wrong(function, arguments)
        if what is None or (HEED and any(name.startswith(one) and part in what for one, part, _ in KNOWN)):
            return
        if what not in found:
            found[what] = f"{name}({shown(arguments)}) {what}"
            note(found[what])

    tried()
    if LONG:
        note(f"tried {name} {calls} times, found {len(found)}")
    return list(found.values())


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("floor", ["theory", "numerics"])
def test_only_our_own_errors_leave(floor, topic):
    values, judge = beside("values"), beside("judge")
    wrong = [
        one
        for name, function in functions(floor, topic).items()
        for one in search(name, function, values, judge)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_walk_finds_the_doors():
    found = (
        functions("numerics", "meanfield") | functions("theory", "freeprob") | functions("numerics", "ridge")
    )
    assert {
        "numerics.meanfield.solve",
        "theory.freeprob.semicircle",
        "numerics.ridge.from_data",
    } <= found.keys()
    assert len(found) > 20
