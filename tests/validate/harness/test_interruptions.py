"""What ends a run from outside: signals, callers' functions, folders that go; each in one sentence, and it goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from widelimit.theory.errors import ArgumentError, StoreError
from widelimit.validate.cli import main, progress
from widelimit.validate.harness.falsify import falsify
from widelimit.validate.harness.running import manifest
from widelimit.validate.run import validate

TOY = str(Path(__file__).parents[1] / "toy_claims.py")
RAISED = r"Argument `progress` must be a function that returns, but it raised ZeroDivisionError: by design"
COMMAND = [sys.executable, "-c", "import sys; from widelimit.validate.cli import main; sys.exit(main())"]


def run(name, out, **changes):
    standard = {"device": "cpu", "jobs": 1, "claims_from": [TOY], "report": False}
    return validate(name, out=out, **(standard | changes))


def words(name, out, *more):
    return [
        "validate",
        name,
        "--claims-from",
        TOY,
        "--device",
        "cpu",
        "--jobs",
        "1",
        "--out",
        str(out),
        *more,
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_that_end_a_process_end_a_run_as_an_interrupt_does(tmp_path, number):
    out = tmp_path / "out"
    calls = (
        tmp_path / "calls"
    )  # a point for each cell that has begun: the second one says that the first is kept
    environment = {**os.environ, "TOY_PAUSE": "0.6", "TOY_CALLS": str(calls)}
    command = [*COMMAND, *words("toy.slow", out)]
    heard = partial(
        signal.signal, number, signal.SIG_DFL
    )  # under nohup a process inherits that it is ignored
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=heard)
    deadline = time.monotonic() + 100
    while not (calls.exists() and calls.stat().st_size >= 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    said = process.communicate(timeout=100)[1]
    assert process.returncode == 130, said
    assert said == (
        f"widelimit: Interrupted. What is done is kept in {out}: run the same command again to go on from there.\n"
    )
    again = run("toy.slow", out)
    assert again.manifest["cells"]["reused"] >= 1 and again.claims[0].verdict == "agrees"


def test_ignored_signals_stay_ignored(monkeypatch):
    """As under ``nohup``."""
    from widelimit.validate.cli import runs

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with runs._stoppable():
            os.kill(os.getpid(), signal.SIGHUP)
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(1)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_report_of_an_interrupted_run_says_how_to_go_on(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        run("toy.interrupted", tmp_path, seed=3)
    assert main(["report", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    command = (
        f"widelimit validate toy.interrupted --preset quick --seed 3 --claims-from {TOY} --out {tmp_path}"
    )
    assert said == (
        f"widelimit: The last run into {tmp_path} has not ended: it was interrupted, or is still under way. "
        f"Go on from what is stored with: {command}\n"
    )


def test_report_of_what_was_finished_before_an_interrupt(tmp_path, capsys):
    assert main(words("toy.true", tmp_path, "--quiet")) == 0
    with pytest.raises(KeyboardInterrupt):
        run("toy.interrupted", tmp_path)
    capsys.readouterr()
    assert main(["report", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "toy.true" in out and "toy.interrupted" not in out
    assert "has not ended" in err and "widelimit validate toy.interrupted" in err
    assert main(words("toy.exact", tmp_path, "--quiet")) == 0
    assert (
        "Note: the page also has 1 claim that earlier runs into this folder tested."
        in capsys.readouterr().out
    )
    assert manifest.read(tmp_path)["status"] == "done"


def test_workers_that_are_killed_are_no_bug(tmp_path, capsys):
    command = words("toy.always-dying", tmp_path, "--quiet")
    command[command.index("--jobs") + 1] = "2"
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "Workers were killed 3 times (SIGKILL)" in said and "bug" not in said


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_that_raises_ends_the_run_with_one_sentence(tmp_path, jobs):
    def raising(done, *_):
        if done == 3:
            raise ZeroDivisionError("by design")

    with pytest.raises(ArgumentError, match=RAISED):
        run("toy.true", tmp_path, progress=raising, jobs=jobs)
    assert run("toy.true", tmp_path).manifest["cells"]["reused"] >= 3
    with pytest.raises(ArgumentError, match=RAISED):
        falsify("toy.true", 5, device="cpu", claims_from=[TOY], progress=raising)


def test_search_ends_at_the_first_failure():
    from dataclasses import replace

    from widelimit.validate.harness import finding
    from widelimit.validate.harness.faults import ClaimError

    calls = []

    def failing(inputs, size, seeds, backend):
        calls.append(inputs)
        raise ZeroDivisionError("by design")

    claim = replace(finding.find("toy.true", [TOY]), simulate=failing)
    with pytest.raises(ClaimError, match="raised ZeroDivisionError: by design"):
        falsify(claim, 20, device="cpu")
    assert len(calls) == 1


@pytest.mark.parametrize("gone", ["folder", "store"])
@pytest.mark.parametrize("when", [2, 12])
def test_folder_deleted_during_a_run_is_an_error(tmp_path, gone, when, capsys, monkeypatch):
    """At the second cell, and after the last one, when nothing is left to be stored."""
    out = tmp_path / "out"

    def delete(done, total, *_):
        if done == when:
            shutil.rmtree(out) if gone == "folder" else (out / "run.sqlite").unlink()

    with pytest.raises(StoreError, match="was removed or replaced while a run wrote to it"):
        run("toy.true", out, progress=delete)
    assert not (out / "report.json").exists()


def test_folder_deleted_during_a_command_ends_with_exit_status_2(tmp_path, capsys, monkeypatch):
    from contextlib import contextmanager

    from widelimit.validate.cli import runs

    @contextmanager
    def deleting(quiet):
        yield lambda done, *_: shutil.rmtree(tmp_path / "out", ignore_errors=True)

    monkeypatch.setattr(runs, "watching", deleting)
    assert main(words("toy.true", tmp_path / "out")) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "was removed or replaced" in said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"preset": ["quick"]}, "`preset` must be one of quick, reference, deep"),
        ({"precision": None}, "`precision` must be float64 or float32"),
        ({"device": 5}, "`device` must be auto, cpu or cuda"),
        ({"device": "cuda:x"}, "`device` must be auto, cpu or cuda"),
        ({"level": "a"}, "`level` must be a number"),
        ({"level": float("nan")}, "`level` must lie between"),
        ({"level": 10**400}, "`level` must lie between"),
        ({"seed": 10**400}, "`seed` must be a whole number below"),
        ({"seed": 2.5}, "`seed` must be a whole number"),
        ({"executor": "loky"}, "`executor` must be a concurrent.futures.Executor"),
        ({"progress": 5}, "`progress` must be a function"),
        ({"out": 5}, "`out` must be the path of a folder"),
        ({"out": ""}, "`out` must be the path of a folder"),
        ({"out": "a\0b"}, "`out` must be the path of a folder"),
        ({"out": "x" * 5000}, "`out` must be a folder that can be written to"),
        ({"out": "/dev/null"}, "`out` must be a folder that can be written to"),
        ({"out": "/proc/here"}, "`out` must be a folder that can be written to"),
        ({"claims_from": [5]}, "`claims_from` must be a name, or several"),
        ({"claims_from": 5}, "`claims_from` must be a name, or several"),
        ({"patterns": []}, "`patterns` must be a name, or several"),
        ({"patterns": 5}, "`patterns` must be a name, or several"),
        ({"patterns": [None]}, "`patterns` must be a name, or several"),
        ({"claims": []}, "`claims` must be claims, one or more"),
        ({"claims": [5]}, "`claims` must be claims, one or more"),
        ({"claims": "toy.true"}, "`claims` must be claims, one or more"),
        ({"inputs": 5}, "`inputs` must be the path of a file"),
        ({"jobs": 10**400}, "`jobs` must be at most"),
        ({"scheduler": 5}, "`scheduler` must be the address"),
    ],
)
def test_every_argument_is_checked(tmp_path, changes, says):
    patterns = changes.pop("patterns", "toy.true") if "patterns" in changes else "toy.true"
    with pytest.raises(ArgumentError, match=f"^Argument {says}"):
        run(patterns, changes.pop("out", tmp_path / "out"), **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"claim": 5}, {"claim": None}, {"budget": 1.5}, {"seconds": "x"},
        {"seconds": float("nan")}, {"preset": 5}, {"seed": "x"}, {"executor": 5}, {"progress": 5}, {"level": None},
    ],
)  # fmt: skip
def test_every_argument_of_a_search_is_checked(changes):
    claim = changes.get("claim", "toy.true")
    more = {name: value for name, value in changes.items() if name != "claim"}
    with pytest.raises(ArgumentError, match=rf"^Argument `{next(iter(changes))}` must "):
        falsify(claim, device="cpu", claims_from=[TOY], **more)


def test_large_seeds_are_told_apart():
    from widelimit.validate.harness.seeds import digest, seed_of

    assert len({seed_of("a.b", {}, 1, 0, 2**53 + k) for k in range(4)}) == 4
    assert digest([2**40, 3.0]) == digest([float(2**40), 3])


def test_progress_that_nobody_reads(monkeypatch):
    """``2>&1 | head -1``: the lines go nowhere, the run goes on."""

    class Closed:
        def isatty(self):
            return False

        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

        flush = write

    monkeypatch.setattr(sys, "stderr", Closed())
    times = iter([0.0, 25.0, 25.0])
    progress._lines(lambda: next(times))(1, 2, "first", 25.0)
    monkeypatch.setattr(sys, "stderr", None)
    with progress.watching(False) as watch:
        watch(1, 2, "first", 1.0)


def test_manifest_that_cannot_be_read_is_none(tmp_path):
    assert manifest.read(tmp_path) is None
    for text in ("", "[]", "{", "\xff"):
        (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
        assert manifest.read(tmp_path) is None
    (tmp_path / "manifest.json").write_text(json.dumps({"a": 1}))
    assert manifest.read(tmp_path) == {"a": 1}
