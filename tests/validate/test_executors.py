"""Cells on real executors whose workers are killed: loky processes, and a Dask cluster of two."""

import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from widelimit.theory.errors import ArgumentError, InternalError
from widelimit.validate.executors import Cluster, InProcess, Processes, default_jobs, open_executor
from widelimit.validate.run import validate

TOY = str(Path(__file__).with_name("toy_claims.py"))


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


def test_loky_worker_that_dies_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_CLAIMS_MARK", str(tmp_path / "mark"))
    outcome = run("toy.dying-once", tmp_path / "out", jobs=2)
    assert (tmp_path / "mark").exists()
    assert outcome.claims[0].verdict == "agrees"
    assert outcome.manifest["cells"]["computed"] == outcome.manifest["cells"]["all"]


def test_cell_that_always_takes_its_worker_along_ends_the_run(tmp_path):
    with pytest.raises(
        InternalError, match=r"Workers died 3 times at toy\.always-dying at .* Try fewer jobs"
    ):
        run("toy.always-dying", tmp_path, jobs=2)


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
