"""Where cells run: any ``concurrent.futures.Executor``, and what to do when its workers die.

`open_executor` gives one job in this process, several as loky processes, or a Dask cluster by its address.
`drive` hands out pieces of work, a few for each worker at a time, and keeps what is finished; one whose worker
died is handed out again, an exception of the work itself ends the run (`workers` says what happened).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from contextlib import contextmanager, suppress
from typing import Any, Protocol, TypeVar

from widelimit.theory.errors import ArgumentError, InternalError, StoreError, WidelimitError
from widelimit.validate.harness import workers
from widelimit.validate.harness.running.cells import THREADS

_ONE_THREAD = dict.fromkeys((*THREADS, "NUMBA_NUM_THREADS"), "1")  # numba's may not change while it runs
_DASK = (
    "KilledWorker",
    "FutureCancelledError",
)  # of lost workers, by name: it is imported only where it is used
TRIES = 3  # a cell that takes its worker with it this often is at fault itself


class Task(Protocol):
    """A piece of work that travels to a worker: a cell, or a question to theory."""

    @property
    def key(self) -> str:
        """What tells it from other work."""

    @property
    def label(self) -> str:
        """What it is, for errors."""

    def run(self) -> Any:
        """Do it."""


T = TypeVar("T", bound=Task)


def perform(task: Task) -> Any:
    """Do a piece of work; the function that workers run."""
    return task.run()


class InProcess(Executor):
    """One job, in this process: `submit` computes at once.

    >>> InProcess().submit(pow, 2, 10).result()
    1024
    """

    width = 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Run the function now; its exception waits in the future, but Ctrl-C does not."""
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except (Exception, SystemExit) as error:
            future.set_exception(error)
        return future


class Processes(Executor):
    """Loky's reusable pool with one thread a worker; a pool that broke is replaced at the next `submit`.

    All that are open at a time share its workers, with what they have imported and compiled.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.width = 2 * jobs
        self._latest: Any = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Hand the function to a worker process."""
        return self._pool().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers; without waiting, end them at once."""
        if self._latest is not None:
            self._latest.shutdown(wait=wait, kill_workers=not wait)

    def _pool(self) -> Any:
        from loky import get_reusable_executor

        self._latest = get_reusable_executor(
            self.jobs, timeout=300, env=_ONE_THREAD, initializer=_tolerate_growth
        )
        return self._latest


def _tolerate_growth() -> None:
    """Keep loky from replacing workers that grew by 300 MB: one that has imported torch and drawn a network has."""
    from loky import process_executor

    process_executor._MAX_MEMORY_LEAK_SIZE = int(1e12)  # noqa: SLF001 - loky has no setting for it


class Cluster(Executor):
    """The workers of a Dask scheduler; the scheduler itself repeats what a lost worker had."""

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise ArgumentError(
                "scheduler", "must come with Dask", address, "Install widelimit[cluster]."
            ) from error
        try:
            self.client = Client(address, timeout="10s", set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise ArgumentError(
                "scheduler",
                "must be the address of a running Dask scheduler",
                address,
                "Write it as tcp://host:port, and see that the scheduler runs.",
            ) from error
        self._executor = self.client.get_executor()

    @property
    def width(self) -> int:
        """Cells to have under way: two for each thread that the cluster has now."""
        return max(2, 2 * sum(self.client.nthreads().values()))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Hand the function to the scheduler."""
        return self._executor.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the cluster, which stays up."""
        self._executor.shutdown(wait=wait)
        self.client.close()


def default_jobs(device: str = "cpu") -> int:
    """One job for each core this process may use; one alone where a CUDA device does the work."""
    if device.startswith("cuda"):
        return 1
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def check_jobs(jobs: Any) -> int:
    """Return a number of worker processes that this machine can hold, or raise `ArgumentError`."""
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ArgumentError("jobs", "must be a whole number, 1 or more", jobs)
    most = max(64, 8 * (os.cpu_count() or 1))
    if jobs > most:
        raise ArgumentError("jobs", f"must be at most {most} on this machine", jobs, "One a core is best.")
    return jobs


@contextmanager
def open_executor(jobs: int = 1, scheduler: str | None = None) -> Iterator[Executor]:
    """Yield an executor and shut it down afterwards, at once where the block was interrupted.

    Raises `ArgumentError` for fewer jobs than one and for a scheduler that does not answer.

    >>> with open_executor(jobs=1) as executor:
    ...     type(executor).__name__
    'InProcess'
    """
    check_jobs(jobs)
    executor: Executor
    if scheduler is not None:
        executor = Cluster(scheduler)
    else:
        executor = InProcess() if jobs == 1 else Processes(jobs)
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False)
        raise
    executor.shutdown()


def drive(executor: Executor, tasks: Iterable[T], keep: Callable[[T, Any], None]) -> None:
    """Do pieces of work and `keep` what each returns as soon as it has ended.

    Raises what the work raised if that is one of our own errors, else `InternalError` that names it;
    `WorkerError` where its workers were killed again and again, or memory ran out; `ArgumentError` for an executor
    that takes no work. Before that or a Ctrl-C gets out, the other pieces that have ended by then are kept, too.
    """
    waiting: deque[T] = deque(tasks)
    tries = _Tries()
    running: dict[Future, T] = {}
    try:
        while waiting or running:
            while waiting and _may_start(waiting[0], running, tries, _width(executor)):
                try:
                    running[executor.submit(perform, waiting[0])] = waiting[0]
                except BrokenExecutor as error:
                    tries.count(waiting[0], error)
                    break
                except RuntimeError as error:
                    raise ArgumentError("executor", "must take work", but=f"it says: {error}") from error
                waiting.popleft()
            ended = wait(running, return_when=FIRST_COMPLETED).done if running else set()
            for future in ended:
                task = running.pop(future)
                done = _result(future, task, tries)
                if done is None:
                    waiting.appendleft(task)
                else:
                    keep(task, done)
    except StoreError:
        raise
    except BaseException:
        for future, task in running.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                with suppress(Exception):  # what ended the run is what is told
                    keep(task, future.result())
        raise
    finally:
        for future in running:
            future.cancel()


class _Tries:
    """The deaths of workers that each piece of work was under way at."""

    def __init__(self) -> None:
        self.deaths: dict[str, list[BaseException]] = {}
        self.killed_before = workers.killed_for_memory()

    def __contains__(self, task: Task) -> bool:
        return task.key in self.deaths

    def count(self, task: Task, error: BaseException) -> None:
        """Note a death; the last one that is allowed ends the run."""
        deaths = self.deaths.setdefault(task.key, [])
        deaths.append(error)
        if len(deaths) >= TRIES:
            for_memory = workers.killed_for_memory() > self.killed_before
            raise workers.ended(task.label, deaths, for_memory) from error


def _may_start(task: Task, running: Mapping[Future, Task], tries: _Tries, width: int) -> bool:
    """Whether there is room; what was under way when a worker died runs alone, to know who is at fault."""
    suspect = task in tries or any(one in tries for one in running.values())
    return len(running) < (1 if suspect else width)


def _width(executor: Executor) -> int:
    return getattr(executor, "width", None) or 2 * getattr(executor, "_max_workers", 2)


def _result(future: Future, task: Task, tries: _Tries) -> Any:
    """What the work returned, or None if its worker died and it should be handed out again."""
    try:
        return future.result()
    except WidelimitError:
        raise
    except (Exception, CancelledError, SystemExit) as error:
        if _cannot_travel(error):
            raise ArgumentError(
                "claims",
                "must be such as can be sent to another process",
                but=f"{task.label} is not: {error}",
                help="Expose them as CLAIMS of a file (claims_from), or pass jobs=1.",
            ) from error
        if isinstance(error, BrokenExecutor | CancelledError) or type(error).__name__ in _DASK:
            tries.count(task, error)
        elif workers.no_memory(error):
            raise workers.out_of_memory(task.label) from error
        else:
            what = f"{type(error).__name__}: {error}"
            raise InternalError(f"A worker failed at {task.label} with {what}") from error
    return None


def _cannot_travel(error: BaseException) -> bool:
    """Whether a cell could not be pickled here, or not be unpickled by a worker (whose pool is then broken)."""
    if isinstance(error, BrokenExecutor):
        return "pickl" in str(error)
    return type(error).__name__ == "PicklingError" or "can't pickle" in str(error).lower().replace(
        "cannot", "can't"
    )
