"""Kills of coordinators between and within cells of a real claim, and of workers now and then: nothing is lost."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "killing.py"


@pytest.mark.parametrize("moments", [10, pytest.param(50, marks=pytest.mark.slow)])
def test_runs_killed_at_many_moments_go_on_to_the_same_numbers(tmp_path, moments):
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path, str(moments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    trials = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(trials) == moments
    assert (
        sum(one["deaths"] > 0 for one in trials) > 0.9 * moments - 1
    )  # the others were faster than their killer
    assert len({one["reused"] for one in trials}) > moments // 5  # moments all over the run
    assert any(0 < one["reused"] < one["all"] for one in trials)


def workers():
    """The processes of loky's pool that work, of this process."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"popen_loky" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return sorted(found)


@pytest.fixture
def killing():
    spec = importlib.util.spec_from_file_location("killing", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers in /proc")
def test_workers_killed_at_a_slow_pace_change_no_number(tmp_path, killing):
    """Two worker processes, one of which is killed after the eighth and the sixteenth cell."""
    claim = killing.fast_claim()
    expected = killing.run(claim, tmp_path / "alone")
    killed = []

    def kill_one(done, total, label, seconds):
        if done % 8 == 0 and len(killed) < 2:
            killed.append(workers()[0])
            os.kill(killed[-1], signal.SIGKILL)

    outcome = killing.run(claim, tmp_path / "killed", kill_one, jobs=2)
    assert len(killed) == 2
    assert killing.found(outcome) == killing.found(expected)
    assert killing.stored(tmp_path / "killed") == killing.stored(tmp_path / "alone")
    cells = outcome.manifest["cells"]
    assert cells["computed"] == cells["all"] == expected.manifest["cells"]["all"]
