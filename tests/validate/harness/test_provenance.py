"""A stored cell is used again only while the code that made it is the same."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from widelimit.numerics.compile.cache import files
from widelimit.validate.harness import finding
from widelimit.validate.harness.provenance import code, fingerprint
from widelimit.validate.harness.provenance.files import users
from widelimit.validate.harness.provenance.values import Walk

TOY = str(Path(__file__).parents[1] / "toy_claims.py")


@pytest.fixture
def module(tmp_path):
    def write(factor):
        file = tmp_path / f"mine{factor}.py"
        file.write_text(
            f"def simulate(*_):\n    from widelimit.validate.harness.inputs import pair\n    return {factor}\n"
        )
        namespace = {"__name__": "mine"}
        exec(compile(file.read_text(), str(file), "exec"), namespace)
        return namespace["simulate"]

    return write


def test_fingerprint_follows_the_simulation(module):
    toy = finding.find("toy.true", [TOY])
    one, two = module(1), module(2)
    prints = {
        fingerprint(replace(toy, simulate=one)),
        fingerprint(replace(toy, simulate=two)),
        fingerprint(toy),
    }
    assert len(prints) == 3
    assert fingerprint(replace(toy, predict=one)) == fingerprint(toy)  # predictions are made afresh each time
    bound = replace(toy, simulate=partial(toy.simulate, predict=one))
    assert fingerprint(bound) != fingerprint(replace(toy, simulate=partial(toy.simulate, predict=two)))


def test_what_draws_does_not_count():
    """A simulation in one file with a figure: neither the gallery nor what it imports is part of its samples."""
    claim = finding.find("shaping.targets")
    assert any(file.parent.name == "report" for file in files.closure(users(Walk(claim.simulate).files)[1]))
    followed = code.followed(claim)
    assert {"shaping.py", "replicates.py", "seeds.py"} <= {file.name for file in followed}
    assert not {"report", "pictures"} & {file.parent.name for file in followed}


def test_imports_are_followed_into_functions(module):
    theirs, ours = users({Path(module(1).__code__.co_filename)})
    names = {file.name for file in theirs | files.closure(ours)}
    assert {"mine1.py", "inputs.py", "errors.py"} <= names
    assert not {"run.py", "statistics.py", "outcome.py"} & names
