"""Whole runs of toy claims whose verdicts are known."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray

from widelimit.theory.errors import ArgumentError, InputError
from widelimit.validate.harness import finding
from widelimit.validate.harness.claim import Claim, Plan
from widelimit.validate.harness.faults import ClaimError
from widelimit.validate.harness.judging import verdict_of
from widelimit.validate.harness.seeds import digest, identity, seed_of
from widelimit.validate.run import validate

TOY = str(Path(__file__).parents[1] / "toy_claims.py")


WORLD = ("toy.true", "toy.false", "toy.weak", "toy.exact", "toy.deep-only")


def run(patterns, out, **changes):
    standard = {"out": out, "device": "cpu", "jobs": 1, "claims_from": [TOY], "report": False}
    return validate(patterns, **(standard | changes))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    seen = []
    outcome = run(WORLD, folder, progress=lambda *args: seen.append(args))
    return folder, outcome, seen


def test_verdicts(world):
    _, outcome, _ = world
    found = {one.id: one for one in outcome.claims}
    assert [*found] == ["toy.true", "toy.false", "toy.weak", "toy.exact"]
    assert {name: one.verdict for name, one in found.items()} == {
        "toy.true": "agrees",
        "toy.false": "disagrees",
        "toy.weak": "agrees",
        "toy.exact": "agrees",
    }
    assert [one.too_weak for one in outcome.claims] == [False, False, True, False]
    assert outcome.disagrees
    for row in found["toy.true"].rows:
        assert row.sizes[0].size == 50 and len(row.sizes) == 3
        assert row.slope == pytest.approx(1.5 * row.predicted, abs=5 * row.slope_error)
        assert abs(row.residual) < 5 and row.resolution < 0.05
        assert row.counterfactuals[0].rejected
    labels = [(row.inputs["a"], row.inputs["which"]) for row in found["toy.true"].rows]
    assert labels == [(1.0, "sum"), (1.0, "product"), (2.0, "sum"), (2.0, "product")]
    subtle = found["toy.weak"].counterfactuals[1]
    assert (subtle.rejected, subtle.rows_tested, subtle.rows_rejected) == (False, 4, 0)
    assert found["toy.exact"].resolution == pytest.approx(1e-12)
    assert found["toy.exact"].replicates == 2


def test_repeated_run_computes_nothing_and_finds_the_same(world):
    folder, outcome, seen = world
    cells = outcome.manifest["cells"]
    assert [one[0] for one in seen] == [*range(1, cells["all"] + 1)]
    assert seen[-1][1] == cells["all"] and seen[-1][3] > 0
    again = run(WORLD, folder)
    assert again.manifest["cells"] == {"all": cells["all"], "computed": 0, "reused": cells["all"]}
    assert again.claims == outcome.claims


def test_manifest_and_results(world):
    folder, outcome, _ = world
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["status"] == "done" and manifest["seed"] == 0 and manifest["level"] == 0.05
    assert manifest["versions"]["numpy"] == np.__version__
    assert manifest["skipped"] == ["toy.deep-only"]
    with xarray.open_datatree(folder / "results.nc", engine="h5netcdf") as tree:
        true = tree["toy.true"].to_dataset()
        rows = outcome.claims[0].rows
        assert json.loads(tree.attrs["manifest"])["preset"] == "quick"
        assert true.samples.dims == ("point", "size", "replicate", "row")
        mean = true.samples.sel(size=50).mean("replicate")
        assert mean.values.ravel() == pytest.approx([row.sizes[0].mean for row in rows], rel=1e-12)
        assert true.verdict.values.ravel().tolist() == [row.verdict for row in rows]


def test_samples_do_not_depend_on_executor_or_blocks(world, tmp_path):
    _, outcome, _ = world
    with ThreadPoolExecutor(3) as executor:
        threads = run("toy.true", tmp_path / "a", executor=executor)
    claim = finding.find("toy.true", [TOY])
    total = outcome.claims[0].rows[0].sizes[0].replicates
    small = replace(claim.plans["quick"], block=3, pilot=total, most=total)
    blocks = validate(
        claims=[replace(claim, plans={"quick": small})],
        out=tmp_path / "b",
        device="cpu",
        jobs=1,
        report=False,
    )
    alone = run("toy.true", tmp_path / "c")
    assert [row.measured for row in threads.claims[0].rows] == [row.measured for row in alone.claims[0].rows]
    assert [row.sizes[0].mean for row in blocks.claims[0].rows][:2] == pytest.approx(
        [row.sizes[0].mean for row in outcome.claims[0].rows][:2], rel=1e-12
    )


def test_another_seed_is_another_run(tmp_path):
    one, two = (run("toy.true", tmp_path, seed=seed) for seed in (0, 1))
    assert two.manifest["cells"]["reused"] == 0
    assert one.claims[0].rows[0].measured != two.claims[0].rows[0].measured


def test_float32_only_where_a_claim_allows_it(tmp_path):
    outcome = run("toy.true", tmp_path, precision="float32")
    assert "does not allow float32" in outcome.manifest["warnings"][0]
    assert run("toy.true", tmp_path).manifest["cells"]["computed"] == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "toy.failing",
            r"Claim toy\.failing .* its `simulate` \(`failing` in .*toy_claims\.py, line \d+\) raised "
            r"ZeroDivisionError: by design, at a=2\.0, b=3, size 200\.$",
        ),
        ("toy.nan", r"toy\.nan .* returned numbers that are not finite, at a=1\.0, b=2, size 200\.$"),
    ],
)
def test_failing_simulation_names_its_cell_and_keeps_the_rest(tmp_path, name, says):
    with pytest.raises(ClaimError, match=says):
        run(["toy.true", name], tmp_path)
    assert run("toy.true", tmp_path).manifest["cells"]["reused"] > 0


def test_interrupt_keeps_what_is_done(tmp_path):
    done = []
    with pytest.raises(KeyboardInterrupt):
        run("toy.interrupted", tmp_path, progress=lambda *args: done.append(args))
    assert len(done) == 2  # the two larger sizes of the first point came first
    assert json.loads((tmp_path / "manifest.json").read_text())["status"] == "running"
    with pytest.raises(KeyboardInterrupt):
        run("toy.interrupted", tmp_path, progress=lambda *args: done.append(args))
    assert len(done) == 4 and done[-1][0] == 2


@pytest.mark.parametrize(
    ("patterns", "changes", "says"),
    [
        ("toy.tru", {}, r"Argument `claims` must match a claim, but is 'toy\.tru'\. Nearest: toy\.true"),
        (
            "toy.deep-only",
            {},
            "Argument `preset` must be one that the claims have a plan for, but is 'quick'",
        ),
        (
            "toy.true",
            {"preset": "fast"},
            "Argument `preset` must be one of quick, reference, deep, but is 'fast'",
        ),
        ("toy.true", {"device": "tpu"}, "Argument `device` must be auto, cpu or cuda, but is 'tpu'"),
        ("toy.true", {"precision": "half"}, "Argument `precision` must be float64 or float32, but is 'half'"),
        ("toy.true", {"level": 2.0}, r"Argument `level` must lie between 0 and 0\.5, but is 2\.0"),
        ("toy.true", {"seed": "one"}, "Argument `seed` must be a whole number, but is 'one'"),
        ("toy.true", {"jobs": 0}, "Argument `jobs` must be a whole number, 1 or more, but is 0"),
        (
            "toy.true",
            {"claims_from": ["no.such.module"]},
            "Argument `claims_from` must be a module that can be",
        ),
        ("toy.true", {"claims_from": ["no_such.py"]}, "Argument `claims_from` must be a module that can be"),
        ("toy.true", {"claims_from": ["json"]}, "Argument `claims_from` must expose CLAIMS"),
        ("toy.true", {"inputs": "no_such.csv"}, r"The input file no_such\.csv does not exist"),
    ],
)
def test_requests_that_cannot_be_met(tmp_path, patterns, changes, says):
    with pytest.raises(InputError, match=says):
        run(patterns, tmp_path, **changes)


def test_output_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArgumentError, match="Argument `out` must be a folder that can be written to, but"):
        run("toy.true", tmp_path / "file" / "below")


def first_column(inputs):
    from widelimit.validate.harness.inputs import pair

    return pair(inputs["data"]).sum(1)


def exact_column(inputs, size, seeds, backend):
    return np.tile(first_column(inputs), (len(seeds), 1))


def test_users_matrix_takes_the_place_of_the_data(tmp_path):
    matrix = np.arange(1.0, 13.0).reshape(6, 2)
    np.save(tmp_path / "mine.npy", matrix)
    points = tuple({"data": f"digits:{row}:{row + 1}", "depth": 1} for row in range(5))
    claim = Claim(
        "toy.data", "", "", "", {}, {"quick": Plan(points, (), 1, 1)}, first_column, exact_column, (),
        rows=lambda inputs: ({"row": 0}, {"row": 1}),
    )  # fmt: skip
    kept = {"claims": [claim], "device": "cpu", "jobs": 1, "report": False}
    outcome = validate(out=tmp_path / "a", inputs=tmp_path / "mine.npy", **kept)
    assert [row.predicted for row in outcome.claims[0].rows] == matrix.sum(
        1
    ).tolist()  # three pairs, once each
    assert outcome.claims[0].too_weak  # it has no counterfactual
    (tmp_path / "other").mkdir()
    (tmp_path / "mine.npy").rename(tmp_path / "other" / "moved.npy")
    moved = validate(out=tmp_path / "a", inputs=tmp_path / "other" / "moved.npy", **kept)
    assert moved.manifest["cells"]["computed"] == 0  # a file counts by its content
    np.save(tmp_path / "other" / "moved.npy", matrix + 1)
    changed = validate(out=tmp_path / "a", inputs=tmp_path / "other" / "moved.npy", **kept)
    assert changed.manifest["cells"]["reused"] == 0
    with pytest.raises(ArgumentError, match="Argument `inputs` must go with a claim that starts from data"):
        run("toy.true", tmp_path / "b", inputs=tmp_path / "other" / "moved.npy")


def test_seeds_are_the_same_in_every_process():
    # fixed for ever: results stored by one version are found by the next
    code = "from widelimit.validate.harness.seeds import seed_of; print(seed_of('a.b', {'x': 0.1, 'n': 2}, 100, 7, 3))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    here = seed_of("a.b", {"n": 2.0, "x": 0.1}, 100, 7, 3)
    assert int(there) == here and 0 <= here < 2**63
    seeds = {seed_of("a.b", {"x": x}, size, one) for x in (0.1, 0.2) for size in (1, 2) for one in range(500)}
    assert len(seeds) == 2000
    assert identity({"data": "digits:1:2"}) == {"data": "digits:1:2"}
    assert digest([True]) != digest([1])


def test_verdict_of_a_claim():
    assert verdict_of(["agrees", "disagrees", "inconclusive"]) == "disagrees"
    assert verdict_of(["agrees", "agrees"]) == "agrees"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"predict": lambda inputs: np.array([np.nan, 1.0])}, "returned numbers that are not finite"),
        ({"predict": lambda inputs: np.ones(3)}, "`rows` names 2"),
        ({"predict": lambda inputs: np.zeros(2)}, "the claim needs a `scale`"),
        (
            {"simulate": lambda inputs, size, seeds, backend: np.ones((len(seeds), 3))},
            "returned 3 numbers a replicate",
        ),
        ({"simulate": lambda inputs, size, seeds, backend: np.ones(3)}, "returned numbers of shape"),
    ],
)
def test_claims_that_are_not_sound(tmp_path, changes, says):
    claim = replace(finding.find("toy.true", [TOY]), **changes)
    with pytest.raises(ClaimError, match=says):
        validate(claims=[claim], out=tmp_path, device="cpu", jobs=1, report=False)
