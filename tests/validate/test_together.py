"""Runs into one folder add up, and say where they contradict."""

import json
from pathlib import Path

import pytest
import xarray

from widelimit.theory.errors import ArgumentError
from widelimit.validate.report import machine
from widelimit.validate.run import validate

TOY = str(Path(__file__).with_name("toy_claims.py"))


def run(patterns, out, **changes):
    standard = {"out": out, "device": "cpu", "jobs": 1, "claims_from": [TOY], "report": False}
    return validate(patterns, **(standard | changes))


def report_of(folder):
    return json.loads((folder / "report.json").read_text())


def ids(folder):
    return [one["id"] for one in report_of(folder)["claims"]]


def test_a_second_run_keeps_what_the_first_found(tmp_path):
    first = run("toy.true", tmp_path)
    alone = report_of(tmp_path)
    second = run("toy.false", tmp_path)
    assert [one.id for one in second.claims] == ["toy.false"]  # what was asked for
    both = report_of(tmp_path)
    assert ids(tmp_path) == ["toy.false", "toy.true"]
    assert both["claims"][1] == alone["claims"][0]
    about = both["run"]
    assert about["claims"] == ["toy.false", "toy.true"] and about["claims_from"] == [TOY]
    assert [one["claims"] for one in about["runs"]] == [["toy.true"], ["toy.false"]]
    assert about["seconds"] == pytest.approx(sum(one["seconds"] for one in about["runs"]), abs=1e-9)
    assert about["warnings"] == [
        "The claims were tested in 2 runs into this folder: the level 0.05 holds over each run, not over all of them."
    ]
    assert json.loads((tmp_path / "manifest.json").read_text()) == about
    with xarray.open_datatree(tmp_path / "results.nc", engine="h5netcdf") as tree:
        assert sorted(tree.children) == ["toy.false", "toy.true"]
        mean = tree["toy.true"].to_dataset().samples.sel(size=50).mean("replicate")
        assert mean.values.ravel() == pytest.approx(
            [row.sizes[0].mean for row in first.claims[0].rows], rel=1e-12
        )
        assert tree["toy.true"].to_dataset().verdict.values[0, 0] == "agrees"


def test_a_claim_that_is_tested_again_replaces_itself(tmp_path):
    run(["toy.true", "toy.false"], tmp_path)
    run("toy.weak", tmp_path)
    run(["toy.false"], tmp_path)
    about = report_of(tmp_path)["run"]
    assert sorted(ids(tmp_path)) == ["toy.false", "toy.true", "toy.weak"]
    assert [one["claims"] for one in about["runs"]] == [["toy.true"], ["toy.weak"], ["toy.false"]]
    assert len(about["warnings"]) == 1 and "in 3 runs" in about["warnings"][0]
    run(["toy.true", "toy.false", "toy.weak"], tmp_path)
    about = report_of(tmp_path)["run"]
    assert "runs" not in about and about["warnings"] == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seed": 1}, "seed 0, not 1"),
        ({"level": 0.01}, "level 0.05, not 0.01"),
        ({"precision": "float32"}, "precision float64, not float32"),
    ],
)
def test_runs_with_other_settings_do_not_mix(tmp_path, changes, says):
    run("toy.true", tmp_path)
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir() if one.name != "run.sqlite"}
    with pytest.raises(
        ArgumentError, match=rf"Argument `out` must be a folder .* holds toy\.true with {says}\. Choose"
    ):
        run("toy.false", tmp_path, **changes)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir() if one.name != "run.sqlite"} == before
    run(["toy.true", "toy.false"], tmp_path, **changes)  # all that was there is tested anew
    assert sorted(ids(tmp_path)) == ["toy.false", "toy.true"]


def test_preset_is_a_setting(tmp_path):
    run("toy.true", tmp_path)
    with pytest.raises(ArgumentError, match="preset quick, not deep"):
        run("toy.deep-only", tmp_path, preset="deep")


def test_the_page_has_both_and_prints_again(tmp_path):
    from widelimit.validate import report

    run("toy.true", tmp_path, report=True)
    run("toy.exact", tmp_path, report=True)
    page = (tmp_path / "index.html").read_text()
    assert "toy.true" in page and "toy.exact" in page and "holds over each run" in page
    report.write(report.read(tmp_path), tmp_path)
    assert (tmp_path / "index.html").read_text() == page


def test_an_interrupted_run_leaves_what_was_finished(tmp_path):
    run("toy.true", tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run("toy.interrupted", tmp_path)
    assert ids(tmp_path) == ["toy.true"]
    run("toy.exact", tmp_path)
    assert sorted(ids(tmp_path)) == ["toy.exact", "toy.true"]


def test_a_damaged_report_does_not_stop_the_next_run(tmp_path):
    run("toy.true", tmp_path)
    path = tmp_path / machine.NAME
    path.write_text(path.read_text()[:200])
    run("toy.exact", tmp_path)
    assert ids(tmp_path) == ["toy.exact"]
    assert "What earlier runs found out is left out" in report_of(tmp_path)["run"]["warnings"][0]
    (tmp_path / "results.nc").write_bytes(b"cut")
    run("toy.true", tmp_path)
    assert sorted(ids(tmp_path)) == ["toy.exact", "toy.true"]
