"""Runs into one folder add up, and say where they contradict."""

import json
from pathlib import Path

import pytest
import xarray

from widelimit.theory.errors import ArgumentError
from widelimit.validate.report import machine
from widelimit.validate.run import validate

TOY = str(Path(__file__).parents[1] / "toy_claims.py")


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
    measured = ("predicted", "measured", "standard_error", "sizes", "slope")
    for here, before in zip(both["claims"][1]["points"], alone["claims"][0]["points"], strict=True):
        assert [here[name] for name in measured] == [before[name] for name in measured]
    about = both["run"]
    assert about["claims"] == ["toy.false", "toy.true"] and about["claims_from"] == [TOY]
    assert [one["claims"] for one in about["runs"]] == [["toy.true"], ["toy.false"]]
    assert about["seconds"] == pytest.approx(sum(one["seconds"] for one in about["runs"]), abs=1e-9)
    assert about["warnings"] == []
    assert json.loads((tmp_path / "manifest.json").read_text()) == about
    with xarray.open_datatree(tmp_path / "results.nc", engine="h5netcdf") as tree:
        assert sorted(tree.children) == ["toy.false", "toy.true"]
        mean = tree["toy.true"].to_dataset().samples.sel(size=50).mean("replicate")
        assert mean.values.ravel() == pytest.approx(
            [row.sizes[0].mean for row in first.claims[0].rows], rel=1e-12
        )
        assert tree["toy.true"].to_dataset().verdict.values[0, 0] == "agrees"


def everything(folder):
    """All that a page says of its claims, by their ids, but for the times; and all that the file of results holds."""
    claims = {one["id"]: {**one, "seconds": 0} for one in report_of(folder)["claims"]}
    with xarray.open_datatree(folder / "results.nc", engine="h5netcdf") as tree:
        return claims, {name: tree[name].to_dataset().load() for name in tree.children}


MIXED = ["toy.true", "toy.weak", "toy.half-true", "toy.exact"]


@pytest.mark.parametrize("order", [MIXED, MIXED[::-1], [MIXED[1:3], MIXED[0], MIXED[3]]])
def test_one_after_the_other_is_as_all_at_once(tmp_path, order):
    """Bit for bit: what is measured, every interval and verdict, what is rejected, and the labelled results."""
    run(MIXED, tmp_path / "once")
    outcomes = [run(one, tmp_path / "each") for one in order]
    claims, results = everything(tmp_path / "once")
    again, results_again = everything(tmp_path / "each")
    assert again == claims
    assert set(results) == set(results_again) == set(MIXED)
    for name, one in results.items():
        assert one.identical(results_again[name]), name
    last = outcomes[-1].claims[0]  # what a run returns is what its page says
    assert [row.low for row in last.rows] == pytest.approx(
        [row["low"] for row in again[last.id]["points"]], rel=1e-5
    )


def test_judging_again_needs_no_cell_and_no_code(tmp_path):
    """Kept claims are judged by what is written of them, though what simulates them is gone, and the store as well."""
    run(["toy.true"], tmp_path)
    alone = report_of(tmp_path)["claims"][0]
    (tmp_path / "run.sqlite").unlink()
    out = run("mine.other", tmp_path, claims_from=[other_claims(tmp_path)])
    assert out.manifest["cells"]["computed"] > 0
    kept = next(one for one in report_of(tmp_path)["claims"] if one["id"] == "toy.true")
    assert [one["measured"] for one in kept["points"]] == [one["measured"] for one in alone["points"]]
    assert kept["points"][0]["confidence"] != alone["points"][0]["confidence"]  # the family has grown


def other_claims(folder):
    """A file with a claim that is wrong everywhere: beside it, others stand less far in the step-up."""
    path = folder / "other_claims.py"
    text = Path(TOY).read_text()
    path.write_text(text[: text.index("CLAIMS = (")].replace("toy.{name}", "mine.{name}") + OTHER)
    return str(path)


OTHER = 'CLAIMS = (claim("other", predict=partial(shifted, by=-0.1)),)\n'


def test_a_folder_of_an_earlier_version_takes_another_run(tmp_path):
    """Schema 1, and results without `within`: the page and the labelled results have today's verdicts of both."""
    run("toy.true", tmp_path)
    report = report_of(tmp_path)
    report["schema"] = 1
    for claim in report["claims"]:
        for record in (claim, *claim["points"]):
            for name in ("within", "compare", "residuals", "law"):
                record.pop(name, None)
    (tmp_path / machine.NAME).write_text(json.dumps(report))
    with xarray.open_datatree(tmp_path / "results.nc", engine="h5netcdf") as tree:
        older = {"/": tree.to_dataset(), "toy.true": tree["toy.true"].to_dataset().load().drop_vars("within")}
    xarray.DataTree.from_dict(older).to_netcdf(tmp_path / "results.nc", engine="h5netcdf")
    run("toy.false", tmp_path)
    now = report_of(tmp_path)
    assert now["schema"] == 2 and ids(tmp_path) == ["toy.false", "toy.true"]
    kept = now["claims"][1]
    assert kept["verdict"] == "agrees" and 0 < kept["within"] < 0.03 and kept["residuals"] is None
    with xarray.open_datatree(tmp_path / "results.nc", engine="h5netcdf") as tree:
        values = tree["toy.true"].to_dataset().within.values.ravel()
    assert values == pytest.approx([row["within"] for row in kept["points"]], rel=1e-5)


def test_reports_of_earlier_versions_are_judged_again(tmp_path):
    run("toy.true", tmp_path / "new")
    run("toy.true", tmp_path / "old")
    report = report_of(tmp_path / "old")
    for row in report["claims"][0]["points"]:
        row.pop("scale"), row.pop("shift")
        for name in ("standard_error", "degrees_of_freedom", "margin", "lack_of_fit"):
            row[name] = row[name] if isinstance(row[name], str) else float(f"{row[name]:.6g}")
    (tmp_path / "old" / machine.NAME).write_text(json.dumps(report))
    for folder in ("new", "old"):
        run("toy.weak", tmp_path / folder)
    new, old = (report_of(tmp_path / folder)["claims"] for folder in ("new", "old"))
    for one, other in zip(new, old, strict=True):
        assert one["verdict"] == other["verdict"]
        lows = [[row["low"] for row in claim["points"]] for claim in (one, other)]
        assert lows[0] == pytest.approx(lows[1], rel=1e-5)


@pytest.mark.parametrize(("name", "value"), [("margin", 0.0), ("standard_error", None), ("lack_of_fit", 2.0)])
def test_rows_that_cannot_be_judged_do_not_stop_the_next_run(tmp_path, name, value):
    run("toy.true", tmp_path)
    report = report_of(tmp_path)
    report["claims"][0]["points"][1][name] = value
    (tmp_path / machine.NAME).write_text(json.dumps(report))
    run("toy.exact", tmp_path)
    assert ids(tmp_path) == ["toy.exact"]
    assert "What earlier runs found out is left out" in report_of(tmp_path)["run"]["warnings"][0]


def test_a_claim_that_is_tested_again_replaces_itself(tmp_path):
    run(["toy.true", "toy.false"], tmp_path)
    run("toy.weak", tmp_path)
    run(["toy.false"], tmp_path)
    about = report_of(tmp_path)["run"]
    assert sorted(ids(tmp_path)) == ["toy.false", "toy.true", "toy.weak"]
    assert [one["claims"] for one in about["runs"]] == [["toy.true"], ["toy.weak"], ["toy.false"]]
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
    assert "toy.true" in page and "toy.exact" in page
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
