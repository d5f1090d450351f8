"""Planted errors: what a run would have caught, from its samples and by its own rules."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from widelimit.theory.errors import ArgumentError
from widelimit.validate.cli import main
from widelimit.validate.harness.audit import audit
from widelimit.validate.harness.judging import judged
from widelimit.validate.report import read, write
from widelimit.validate.run import validate

TOY = str(Path(__file__).parents[1] / "toy_claims.py")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audited")
    validate(["toy.true", "toy.exact"], out=folder, device="cpu", jobs=1, claims_from=[TOY], report=False)
    return read(folder), folder


def test_twice_the_own_within_is_caught_and_a_hair_is_not(run):
    outcome, _ = run
    true, exact = audit(outcome)
    assert (true.claim, len(true.planted), true.size) == ("toy.true", 10, 2 * outcome.claims[0].within)
    assert true.caught == 10 and true.share == 1.0 and true.missed == ()
    assert exact.caught == len(exact.planted) == 10
    (hair,) = audit(outcome, ["toy.true"], size=1e-6)
    assert hair.caught == 0 and len(hair.missed) == 10 and {one.verdict for one in hair.planted} == {"agrees"}


@pytest.mark.parametrize("size", [0.004, 0.01, 0.02, 0.05, -0.02])
def test_verdicts_are_those_of_a_run_with_that_prediction(run, size):
    """Against the road that any run takes: the outcome with one prediction replaced, judged as a page."""
    outcome, _ = run
    (found,) = audit(outcome, ["toy.true"], size=abs(size))
    claim = outcome.claims[0]
    for index, row in enumerate(claim.rows):
        wrong = replace(row, predicted=row.predicted + size * row.scale)
        rows = (*claim.rows[:index], wrong, *claim.rows[index + 1 :])
        again = judged([replace(claim, rows=rows), *outcome.claims[1:]], outcome.level)[0]
        (ours,) = [
            one for one in found.planted if one.inputs == row.inputs and np.sign(one.size) == np.sign(size)
        ]
        assert ours.verdict == again.rows[index].verdict and not ours.all
    scaled = tuple(replace(row, predicted=row.predicted * (1 + size)) for row in claim.rows)
    again = judged([replace(claim, rows=scaled), *outcome.claims[1:]], outcome.level)[0]
    (ours,) = [one for one in found.planted if one.all and np.sign(one.size) == np.sign(size)]
    assert ours.verdict == again.verdict


def test_a_one_sided_statement_that_says_less_is_no_error(run):
    outcome, _ = run
    sided = tuple(replace(row, compare="at least") for row in outcome.claims[0].rows)
    (found,) = audit(replace(outcome, claims=(replace(outcome.claims[0], rows=sided),)), size=0.5)
    assert {one.size for one in found.planted} == {0.5} and found.share == 1.0


def test_command(run, capsys):
    _, folder = run
    assert main(["audit", "toy.true", "--folder", str(folder), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["audits"]
    assert (found["claim"], found["caught"], found["share"]) == ("toy.true", 10, 1.0)
    assert main(["audit", "toy.true", "--folder", str(folder), "--size", "1e-6"]) == 0
    said = capsys.readouterr().out
    assert "0/10" in said and said.count("not caught") == 10
    assert main(["audit", "toy.unknown", "--folder", str(folder)]) == 2
    assert "toy.true" in capsys.readouterr().err
    assert main(["audit", "--folder", str(folder), "--size", "-1"]) == 2


def test_the_report_has_the_table(run, tmp_path):
    outcome, _ = run
    write(outcome, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "## Planted errors" in text and "| `toy.true` |" in text.split("## Planted errors")[1]
    assert '<h2 id="audit">' in (tmp_path / "index.html").read_text()


def test_what_cannot_be_planted_is_refused(run):
    for wrong in ({"times": 0.0}, {"size": float("inf")}):
        with pytest.raises(ArgumentError):
            audit(run[0], **wrong)
