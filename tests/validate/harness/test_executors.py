"""Cells on real executors whose workers are killed: loky processes, and a Dask cluster of two."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from widelimit.theory.errors import ArgumentError, InternalError, WorkerError
from widelimit.validate.harness import finding, workers
from widelimit.validate.harness.faults import ClaimError
from widelimit.validate.harness.running.cells import THREADS
from widelimit.validate.harness.running.executors import (
    Cluster,
    InProcess,
    Processes,
    default_jobs,
    open_executor,
)
from widelimit.validate.run import validate

TOY = str(Path(__file__).parents[1] / "toy_claims.py")


def run(name, out, **changes):
    return validate(name, out=out, device="cpu", claims_from=[TOY], report=False, **changes)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What one process finds, without haste or harm."""
    outcome = run("toy.true", tmp_path_factory.mktemp("expected"), jobs=1)
    return [row.residual for row in outcome.claims[0].rows]


def threads_of_worker():
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    return os.environ["OMP_NUM_THREADS"], [one["num_threads"] for one in threadpool_info()]


def test_one_thread_a_worker():
    with open_executor(jobs=2) as executor:
        assert isinstance(executor, Processes)
        variable, pools = executor.submit(threads_of_worker).result()
    assert variable == "1" and set(pools) <= {1}


def test_a_cell_leaves_torch_the_threads_that_it_had():
    """Numba's threads, which start when it is asked for their number, raised torch's for all that came after."""
    code = (
        "import numba, torch\n"
        "from widelimit.validate.harness.running.cells import one_thread\n"
        "before = torch.get_num_threads()\n"
        "with one_thread():\n    inside = torch.get_num_threads()\n"
        "print(before, inside, torch.get_num_threads(), numba.get_num_threads())"
    )
    for threads in ("1", "2"):
        env = {**os.environ, "NUMBA_NUM_THREADS": "3"} | dict.fromkeys(THREADS, threads)
        said = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
        )
        assert said.stdout.split() == [threads, "1", threads, "3"]


def test_loky_worker_that_dies_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_CLAIMS_MARK", str(tmp_path / "mark"))
    outcome = run("toy.dying-once", tmp_path / "out", jobs=2)
    assert (tmp_path / "mark").exists()
    assert outcome.claims[0].verdict == "agrees"
    assert outcome.manifest["cells"]["computed"] == outcome.manifest["cells"]["all"]


def test_cell_that_always_takes_its_worker_along_ends_the_run(tmp_path):
    says = r"Workers were killed 3 times \(SIGKILL\) at work on toy\.always-dying .*: by hand, .* fewer jobs"
    with pytest.raises(WorkerError, match=says):
        run("toy.always-dying", tmp_path, jobs=2)


def test_workers_predict_what_one_process_does(tmp_path, expected):
    outcome = run("toy.true", tmp_path, jobs=2)
    assert [row.residual for row in outcome.claims[0].rows] == expected


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [
        (
            "fail",
            ClaimError,
            "Claim toy.asked cannot be used: its `predict` .* raised ZeroDivisionError: by design",
        ),
        ("die", WorkerError, r"Workers were killed 3 times \(SIGKILL\) at work on the predictions of toy:"),
    ],
)
def test_predictions_that_fail_in_workers_end_the_run(tmp_path, monkeypatch, what, error, says):
    monkeypatch.setenv("TOY_ASKED", what)
    with pytest.raises(error, match=says):
        run("toy.asked", tmp_path, jobs=2)
    monkeypatch.delenv("TOY_ASKED")
    assert run("toy.asked", tmp_path, jobs=2).claims[0].verdict == "agrees"


def test_any_executor_of_the_standard_library(tmp_path, expected):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        outcome = run("toy.true", tmp_path, executor=executor)
        assert executor.submit(pow, 2, 3).result() == 8  # a caller's executor stays open
    assert [row.residual for row in outcome.claims[0].rows] == expected


def test_killed_worker_of_a_dask_cluster(tmp_path):
    """Two worker processes, one of which is killed while it works: its cells are done again, none is lost."""
    distributed = pytest.importorskip("distributed")
    alone = run("toy.slow", tmp_path / "alone", jobs=2)
    settings = {
        "n_workers": 2,
        "threads_per_worker": 1,
        "processes": True,
        "host": "127.0.0.1",
        "dashboard_address": None,
        "silence_logs": 50,
    }
    with distributed.LocalCluster(**settings) as cluster:
        pids = [worker.pid for worker in cluster.workers.values()]
        killed = []

        def kill_one(done, total, label, seconds):
            if done == 3:
                os.kill(pids[0], signal.SIGKILL)
                killed.append(done)

        outcome = run("toy.slow", tmp_path / "dask", scheduler=cluster.scheduler_address, progress=kill_one)
    assert killed
    cells = outcome.manifest["cells"]
    assert cells["computed"] == cells["all"] == alone.manifest["cells"]["all"]
    assert [row.measured for row in outcome.claims[0].rows] == [row.measured for row in alone.claims[0].rows]


def test_scheduler_that_is_not_there(monkeypatch):
    pytest.importorskip("distributed")
    with pytest.raises(
        ArgumentError, match="must be the address of a running Dask scheduler, but is 'nonsense:"
    ):
        Cluster("nonsense://127.0.0.1:1")
    for address in (5, "", "localhost", "tcp://"):
        with pytest.raises(ArgumentError, match="must be the address of a running Dask scheduler"):
            Cluster(address)


@pytest.mark.parametrize("jobs", [100_000, 10**400])
def test_more_jobs_than_a_machine_holds(jobs):
    with (
        pytest.raises(ArgumentError, match=r"`jobs` must be at most \d+ on this machine"),
        open_executor(jobs),
    ):
        pass


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True, "two"])
def test_number_of_jobs(jobs):
    with (
        pytest.raises(ArgumentError, match="Argument `jobs` must be a whole number, 1 or more, but is"),
        open_executor(jobs),
    ):
        pass


def test_default_jobs():
    assert default_jobs("cuda") == 1
    assert default_jobs() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("told", "for_memory", "kind", "says"),
    [
        (
            "codes are {SIGKILL(-9)}",
            True,
            WorkerError,
            r"^The system killed .* \(SIGKILL\) .*: memory ran out",
        ),
        ("codes are {SIGKILL(-9), EXIT(0)}", False, WorkerError, "^Workers were killed 3 times"),
        ("codes are {SIGTERM(-15)}", True, WorkerError, r"^Workers were killed 3 times \(SIGTERM\)"),
        (
            "terminated abruptly",
            False,
            WorkerError,
            "^Workers were killed 3 times at work on .*the cell: by",
        ),
        ("terminated abruptly", True, WorkerError, "^The system killed workers"),
        ("codes are {SIGSEGV(-11)}", False, InternalError, r"^Workers crashed 3 times \(SIGSEGV\)"),
        ("codes are {SIGABRT(-6), SIGKILL(-9)}", True, InternalError, "^Workers crashed"),
    ],
)
def test_how_workers_ended_in_words(told, for_memory, kind, says):
    error = workers.ended("the cell", [BrokenExecutor(told)] * 3, for_memory)
    assert type(error) is kind
    with pytest.raises(kind, match=says):
        raise error


def allocate(inputs, size, seeds, backend):
    return np.ones(1 << 46)


def device_full(inputs, size, seeds, backend):
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def torch_full(inputs, size, seeds, backend):
    import torch

    return torch.ones(1 << 60)


def leave(inputs, size, seeds, backend):
    raise SystemExit(7)


def changed(simulate):
    return [replace(finding.find("toy.true", [TOY]), simulate=simulate)]


@pytest.mark.parametrize("simulate", [allocate, device_full, torch_full])
def test_memory_that_runs_out_is_told(tmp_path, simulate):
    with pytest.raises(
        WorkerError, match=r"^Memory ran out at toy\.true at a=1\.0, b=2, size 200\. What is finished"
    ):
        validate(claims=changed(simulate), out=tmp_path, device="cpu", jobs=1, report=False)


def test_simulation_that_leaves_does_not_end_the_run_in_silence(tmp_path):
    with pytest.raises(ClaimError, match="raised SystemExit: 7"):
        validate(claims=changed(leave), out=tmp_path, device="cpu", jobs=1, report=False)


def test_claims_that_cannot_travel(tmp_path):
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor,
        pytest.raises(
            ArgumentError, match=r"Argument `claims` must be such as .* toy\.true at .* is not: .*lambda"
        ),
    ):
        validate(claims=changed(lambda *_: None), out=tmp_path, device="cpu", executor=executor, report=False)


def test_claims_that_workers_cannot_import(tmp_path):
    """Loky says that its pool is broken, as if a worker had died."""
    with pytest.raises(
        ArgumentError, match="Argument `claims` must be such as can be sent to another process"
    ):
        validate(claims=changed(leave), out=tmp_path, device="cpu", jobs=2, report=False)


class Dead(Executor):
    """An executor that takes no work, for one reason or another."""

    def __init__(self, error):
        self.error = error

    def submit(self, fn, /, *args, **kwargs):
        raise self.error


def test_executors_that_take_no_work(tmp_path):
    closed = ThreadPoolExecutor(1)
    closed.shutdown()
    with pytest.raises(
        ArgumentError, match="Argument `executor` must take work, but it says: cannot schedule"
    ):
        run("toy.true", tmp_path, executor=closed)
    with pytest.raises(WorkerError, match="Workers were killed 3 times at work on"):
        run("toy.true", tmp_path, executor=Dead(BrokenExecutor("terminated abruptly")))


def test_no_more_workers_than_work(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(Processes, "_pool", lambda self: seen.append(self.jobs) or ThreadPoolExecutor(1))
    run("toy.exact", tmp_path, jobs=60)  # two points, no sizes, one replicate
    assert set(seen) == {2}


def test_interrupt_is_not_swallowed():
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        InProcess().submit(stop)


def test_interrupt_of_a_run_on_processes_keeps_what_is_done(tmp_path):
    def interrupt(done, total, label, seconds):
        if done == 2:
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            time.sleep(0.2)

    with pytest.raises(KeyboardInterrupt):
        run("toy.slow", tmp_path, jobs=2, progress=interrupt)
    again = run("toy.slow", tmp_path, jobs=2)
    assert again.manifest["cells"]["reused"] >= 2
    assert again.claims[0].verdict == "agrees"
