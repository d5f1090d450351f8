"""Work on arrays split into chunks over threads; compiled kernels release the interpreter lock.

The number of threads is numba's (``NUMBA_NUM_THREADS``): a worker process that was given one thread uses one.
Matrix products inside our threads stay on one thread each: those of BLAS would only compete with ours, and spin for
tens of milliseconds after every product.
"""

from __future__ import annotations

import functools
import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from numba import get_num_threads
from threadpoolctl import ThreadpoolController

SMALLEST = 2048  # fewer items than this are not worth handing to a second thread
_pools: dict[int, ThreadPoolExecutor] = {}
_state = threading.local()


def workers() -> int:
    """Return how many threads array work is split over."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, get_num_threads()))


def chunks(size: int, smallest: int = SMALLEST, largest: int | None = None) -> list[slice]:
    """Cut ``range(size)`` into slices, a few per worker, none below `smallest` unless it is the only one.

    >>> chunks(10)
    [slice(0, 10, None)]
    """
    count = max(1, size // max(1, smallest))
    if count > 1:  # asking for the number of workers costs more than a small array
        count = min(count, 4 * workers() if workers() > 1 else 1)
    if largest is not None:
        count = max(count, -(-size // largest))
    edges = [size * k // count for k in range(count + 1)]
    return [slice(low, high) for low, high in itertools.pairwise(edges)]


def each(work: Callable[[slice], Any], slices: Sequence[slice]) -> list[Any]:
    """Apply `work` to every slice, in threads if there are several, and return the results in order."""
    if len(slices) <= 1 or workers() == 1 or getattr(_state, "inside", False):
        return [work(part) for part in slices]

    def inside(part: slice) -> Any:
        _state.inside = True  # work that splits its own arrays again must not wait for this pool
        return work(part)

    with _blas().limit(limits=1, user_api="blas"):
        return list(_pool().map(inside, slices))


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _pool() -> ThreadPoolExecutor:
    pid = os.getpid()  # a pool does not survive a fork
    if pid not in _pools:
        _pools[pid] = ThreadPoolExecutor(workers(), thread_name_prefix="widelimit")
    return _pools[pid]
