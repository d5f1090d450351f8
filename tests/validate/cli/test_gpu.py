"""The GPU session, on a CPU: every step at tiny size, the comparison of devices with a device that errs."""

import importlib.machinery
import importlib.util
import json
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.validate import toy_claims

from widelimit.theory.errors import ArgumentError
from widelimit.validate.cli.gpu import comparing, deep, session
from widelimit.validate.cli.gpu.__main__ import main
from widelimit.validate.cli.gpu.draws import SameDraws
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.claim import Plan
from widelimit.validate.harness.drawing.weights import Draws
from widelimit.validate.harness.finding import load

ROOT = Path(__file__).parents[3]
CPU = Backend()


def toy(**changes):
    one = next(claim for claim in toy_claims.CLAIMS if claim.id == "toy.true")
    return replace(one, **changes)


def drawn(scale=1.0, shift=0.0):
    """A simulation of three normal numbers a seed, which a faulty device scales or shifts."""

    def simulate(inputs, size, seeds, backend):
        rows = [torch.randn(3, generator=backend.generator(seed), dtype=backend.dtype) for seed in seeds]
        wrong = backend.precision == "float32"  # the fake second device of these tests
        return (torch.stack(rows) * (scale if wrong else 1.0) + (shift if wrong else 0.0)).numpy()

    return simulate


def test_same_draws_are_those_of_the_cpu():
    """As `Draws` and torch make them, in any order; what has no generator passes."""
    plain = Draws([5, 6], CPU)
    expected = [
        plain.normal(4),
        plain.kept(0.5, 4),
        torch.randperm(9, generator=torch.Generator().manual_seed(1)),
    ]
    with SameDraws():
        mine = Draws([5, 6], CPU)
        found = [
            mine.normal(4),
            mine.kept(0.5, 4),
            torch.randperm(9, generator=torch.Generator().manual_seed(1)),
        ]
        assert torch.zeros(2).sum() == 0
    assert all(bool((a == b).all()) for a, b in zip(expected, found, strict=True))


class Foreign:
    """A generator of another device, as far as one can be made here."""

    def __init__(self, seed):
        self.seed = seed
        self.device = torch.device("cuda")

    def initial_seed(self):
        return self.seed


def test_a_foreign_generator_draws_as_its_partner_on_the_cpu():
    mode, generator = SameDraws(), Foreign(7)
    partner = torch.Generator().manual_seed(7)
    for _ in range(2):
        found = mode.__torch_function__(
            torch.randn, (), (3,), {"generator": generator, "dtype": torch.float64}
        )
        assert bool((found == torch.randn(3, generator=partner, dtype=torch.float64)).all())
    target = torch.empty(5, dtype=torch.float64)
    mode.__torch_function__(torch.Tensor.normal_, (), (target,), {"generator": generator})
    assert bool((target == torch.empty(5, dtype=torch.float64).normal_(generator=partner)).all())
    assert len(mode.partners) == 1


def test_a_device_agrees_with_itself():
    found = comparing.compare(load("meanfield.length-map")[0], CPU, CPU, replicates=3)
    assert (found.problem, found.apart, found.p_value) == ("", 0.0, 1.0)
    assert found.numbers > 0 and min(found.seconds) > 0 and found.agrees(1)
    assert found.module.startswith("widelimit.validate.")


@pytest.mark.parametrize(
    ("scale", "shift", "agrees"),
    [(1.0, 0.0, True), (1.0, 1e-3, False), (1.001, 0.0, False), (1.0, 5.0, False)],
)
def test_a_device_that_errs_is_caught(scale, shift, agrees, monkeypatch):
    """A relative error of a thousandth is far beyond rounding, and far below what own draws would show."""
    one = toy(simulate=drawn(scale, shift), float32="allowed")
    monkeypatch.setitem(comparing.ROUNDING, "float64", 1e-5)  # the fake device is a single-precision CPU
    monkeypatch.setattr(torch, "randn", _double(torch.randn))
    found = comparing.compare(one, CPU, Backend(precision="float32"), replicates=8)
    assert not found.problem
    assert found.agrees(1) is agrees, found
    assert (found.p_value < 0.01) is (shift == 5.0)


def _double(randn):
    """The same numbers in both precisions."""

    def same(*shape, dtype, generator):
        return randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    return same


def test_what_fails_on_a_device_is_told():
    def fails(inputs, size, seeds, backend):
        raise RuntimeError("no kernel image")

    found = comparing.compare(toy(simulate=fails), CPU, CPU)
    assert found.problem == "RuntimeError: no kernel image" and not found.agrees(1)
    sized = deep.sized(toy(simulate=fails, plans={"deep": Plan(({"a": 1.0},), (1, 2, 4))}), 9.0, CPU)
    assert sized.plan is None and "no kernel image" in sized.why


def test_every_simulate_module_is_compared_first():
    claims = load("*")
    order = comparing.chosen(claims)
    modules = {comparing.module(one) for one in claims}
    assert {comparing.module(one) for one in order[: len(modules)]} == modules
    assert sorted(one.id for one in order) == sorted(one.id for one in claims)


def test_a_budget_buys_replicates_then_points():
    points = tuple({"a": float(k)} for k in range(4))
    plan = Plan(points, (100, 200, 400), pilot=8, most=64, block=8)
    whole, why = deep._bought(plan, 1000.0, 1.0)
    assert whole == plan and why == ""
    half, why = deep._bought(plan, 40.0, 1.0)
    assert (len(half.points), half.most, half.pilot) == (4, 10, 10) and "10 of 64 replicates" in why
    few, why = deep._bought(plan, 9.0, 1.0)
    assert (len(few.points), few.most, few.block) == (2, 4, 4) and few.sizes == plan.sizes
    assert deep._bought(plan, 3.0, 1.0) == (None, "4 replicates of one point would take 4 s")


@pytest.mark.parametrize("text", ["", "4x", "m", "-3s", "nan", "0"])
def test_budgets_that_are_none(text):
    with pytest.raises(ArgumentError, match="Argument `budget` must be a time such as 4m"):
        session.seconds(text)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A session on the CPU against itself, with toy claims."""
    one = toy()
    plans = {**one.plans, "deep": replace(one.plans["quick"], most=16, pilot=16)}
    monkeypatch.setattr(session, "load", lambda patterns: [replace(one, plans=plans)])
    return session.Request(
        tmp_path / "out", device="cpu", limit=60.0, budget=5.0, tests="", widths=(64, 64), replicates=3
    )


def test_a_session_writes_what_it_found(tiny):
    found = session.run(tiny)
    written = json.loads((tiny.out / "gpu.json").read_text())
    assert written["finished"] is True and written["problems"] == found["problems"] == []
    assert [p["precision"] for p in written["products"]] == ["float64", "float64", "float32", "float32"]
    assert [row["agrees"] for row in written["compared"]] == [True]
    assert written["deep"]["verdicts"].keys() == {"toy.true"} and written["deep"]["largest"] >= 100
    assert (tiny.out / "deep" / "index.html").is_file()
    text = (tiny.out / "gpu.md").read_text()
    assert "Nothing to mend was found." in text and "| toy.true |" in text


def test_a_session_that_is_cut_short_has_what_it_found(tiny, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "_deep", killed)
    with pytest.raises(KeyboardInterrupt):
        session.run(tiny)
    written = json.loads((tiny.out / "gpu.json").read_text())
    assert len(written["compared"]) == 1 and "finished" not in written
    assert "did not come to its end" in (tiny.out / "gpu.md").read_text()


def test_no_time_is_no_comparison(tiny):
    assert list(comparing.all_of([toy()], CPU, CPU, time.monotonic() - 1)) == []


def test_problems_are_sentences():
    row = {"claim": "a.b", "problem": "", "agrees": False, "apart": 0.5, "p_value": 1e-9}
    found = {
        "tests": {"ran": True, "passed": False, "said": "1 failed"},
        "compared": [row, {**row, "problem": "RuntimeError: x"}, {**row, "agrees": True}],
        "deep": {"verdicts": {"c.d": "disagrees", "e.f": "differs"}},
    }
    assert session.problems(found) == [
        "Tests that need a GPU fail: 1 failed.",
        "a.b: devices are apart by 0.5 from the same draws, and own draws agree with p = < 10⁻⁶.",
        "a.b fails: RuntimeError: x.",
        "c.d disagrees in the deep preset.",
    ]


def test_the_module_refuses_what_is_not_there(tmp_path, capsys):
    if not torch.cuda.is_available():
        assert main(["--out", str(tmp_path / "x")]) == 2
        assert "no CUDA device" in capsys.readouterr().err
    assert main(["--out", str(tmp_path / "x"), "--device", "cpu", "--budget", "soon"]) == 2
    assert "Argument `budget`" in capsys.readouterr().err


# --- the script ------------------------------------------------------------------------------------------------------


def script():
    loader = importlib.machinery.SourceFileLoader("gpu_script", str(ROOT / ".ci" / "gpu"))
    spec = importlib.util.spec_from_loader("gpu_script", loader)
    made = importlib.util.module_from_spec(spec)
    loader.exec_module(made)
    return made


def wheel(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def test_wheels_are_unpacked_where_python_finds_them(tmp_path):
    made = script()
    wheel(tmp_path / "a-1-py3-none-any.whl", {
        "a/__init__.py": "x = 1", "a-1.dist-info/METADATA": "", "a-1.data/purelib/b.py": "y = 2",
        "a-1.data/scripts/tool": "no"})  # fmt: skip
    made.unpack(tmp_path, tmp_path / "to")
    found = {str(p.relative_to(tmp_path / "to")) for p in (tmp_path / "to").rglob("*") if p.is_file()}
    assert found == {"a/__init__.py", "a-1.dist-info/METADATA", "b.py"}
    wheel(tmp_path / "b-1-py3-none-any.whl", {"../../evil.py": "no"})
    with pytest.raises(SystemExit, match="reaches outside"):
        made.unpack(tmp_path, tmp_path / "to")
    assert not (tmp_path.parent / "evil.py").exists()


def test_the_script_says_what_is_missing(tmp_path, monkeypatch, capsys):
    made = script()
    monkeypatch.setattr(made, "NEEDED", ["json", "no_such_module_here"])
    monkeypatch.setenv("WHEELS", str(tmp_path / "none"))
    monkeypatch.setenv("PACKAGES", str(tmp_path / "packages"))
    monkeypatch.setattr(made.sys, "path", [*sys.path])
    assert made.main([str(tmp_path / "out")]) == 2
    assert "Modules are missing: no_such_module_here" in capsys.readouterr().err
    assert made.main([]) == 2 and made.main(["--budget"]) == 2


def test_the_script_takes_a_missing_module_from_a_wheel_and_ends_in_time(tmp_path, monkeypatch):
    made = script()
    wheel(tmp_path / "late-1-py3-none-any.whl", {"no_such_module_here.py": "x = 1"})
    monkeypatch.setattr(made, "NEEDED", ["no_such_module_here"])
    monkeypatch.setenv("WHEELS", str(tmp_path))
    monkeypatch.setenv("PACKAGES", str(tmp_path / "packages"))
    monkeypatch.setenv("PYTHONPATH", "kept")
    monkeypatch.setattr(made.sys, "path", [*sys.path])
    called = {}

    def run(command, **words):
        called.update(command=command, **words)
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(made.subprocess, "run", run)
    assert made.main([str(tmp_path / "out"), "--budget", "1m"]) == 3
    assert called["timeout"] <= 470 and called["command"][3:6] == ["--out", str(tmp_path / "out"), "--budget"]
    path = made.os.environ["PYTHONPATH"].split(":")
    assert path[:3] == [str(ROOT / f) for f in ("theory", "numerics", "validate")]
    assert path[3:] == ["kept", str(tmp_path / "packages")]


def test_needed_modules_are_what_the_package_needs():
    """Every requirement of pyproject.toml, but torch, is looked for."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    named = {"scikit-learn": "sklearn", "h5py": "h5netcdf"}
    names = {one.split(">")[0].split("<")[0] for one in project}
    assert {named.get(name, name) for name in names} - {"torch"} <= set(script().NEEDED)


def test_the_welch_test_is_scipys():
    from scipy.stats import ttest_ind

    one, other = np.random.default_rng(0).normal([[[0.0]], [[1.2]]], size=(2, 9, 1))
    error = np.sqrt(one.var(ddof=1) / 9 + other.var(ddof=1) / 9)
    theirs = ttest_ind(one, other, equal_var=False)
    assert abs(one.mean() - other.mean()) / error == pytest.approx(abs(theirs.statistic[0]))
    assert comparing._welch(one, other) >= theirs.pvalue[0], "on fewer degrees of freedom"
