"""A cell is one (claim, point, size, block of replicates): the unit of work, of storage and of resumption."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.harness import faults
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.claim import Claim, Inputs
from widelimit.validate.harness.finding import Source
from widelimit.validate.harness.seeds import digest, identity, seed_of

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Cell:
    """Replicates `start` to ``start + count`` of one point at one size; a size of 0 means that there is none.

    `claim` is found by the worker from its source; claims that were passed as objects travel as themselves.
    `code` is the fingerprint of what simulates, so that a cell stored by other code is not taken for this
    one.
    """

    claim: Source | Claim
    inputs: Inputs
    size: int
    start: int
    count: int
    backend: Backend
    run_seed: int = 0
    code: str = ""

    @property
    def id(self) -> str:
        """The claim's id."""
        return self.claim.id

    @cached_property
    def key(self) -> str:
        """The hash of all that the samples depend on."""
        block = [self.size, self.start, self.count, self.run_seed]
        device = self.backend.name.partition(":")[
            0
        ]  # generators of CPU and CUDA differ; devices of a kind do not
        return digest([self.id, identity(self.inputs), block, self.backend.precision, device, self.code])

    @property
    def seeds(self) -> list[int]:
        """One seed for each replicate."""
        replicates = range(self.start, self.start + self.count)
        return [seed_of(self.id, self.inputs, self.size, one, self.run_seed) for one in replicates]

    def run(self) -> Done:
        """Simulate it (`simulate`)."""
        return simulate(self)

    @property
    def label(self) -> str:
        """The cell in a few words, for progress and errors."""
        what = ", ".join(f"{name}={value}" for name, value in self.inputs.items())
        size = f", size {self.size}" if self.size else ""
        return f"{self.id} at {what or 'its only point'}{size}"


@by_value
@dataclass(frozen=True)
class Done:
    """What a worker sends back: samples of shape (replicates, k) and the seconds they took."""

    samples: np.ndarray
    seconds: float


def simulate(cell: Cell) -> Done:
    """Simulate one cell, with one thread; the function that workers run.

    Raises `faults.ClaimError` (a user's claim) or `InternalError` (one of ours) where the simulation fails or its
    samples have the wrong shape or are not finite: no NaN travels on in silence.
    """
    start = time.perf_counter()
    with one_thread():
        claim = cell.claim.claim() if isinstance(cell.claim, Source) else cell.claim
        function, at = claim.simulate, faults.said(cell.inputs, cell.size)
        arguments = (cell.inputs, cell.size, cell.seeds, cell.backend)
        result = faults.called(claim, "simulate", function, *arguments, at=at)
        samples = faults.numbers(claim, "simulate", function, result, at)
    if samples.ndim != 2 or len(samples) != cell.count:
        what = f"returned numbers of shape {samples.shape}, not ({cell.count}, k): a row for each seed"
        raise faults.fault(claim, "simulate", function, what, at)
    if not np.isfinite(samples).all():
        raise faults.fault(claim, "simulate", function, "returned numbers that are not finite", at)
    return Done(samples, time.perf_counter() - start)


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold BLAS, numba and torch to one thread: workers share the cores, and sums round alike everywhere."""
    kept = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # for libraries that the simulation is the first to load
    torch, numba = sys.modules.get("torch"), sys.modules.get("numba")
    threads = torch.get_num_threads() if torch else 1
    masked = (
        numba.get_num_threads() if numba else 1
    )  # starts numba's threads, which sets torch's number as well
    if numba and masked != 1:
        numba.set_num_threads(1)
    if torch and torch.get_num_threads() != 1:
        torch.set_num_threads(1)
    try:
        with _pools(len(sys.modules)).limit(limits=1):
            yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if torch and torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if numba and masked != 1:
            numba.set_num_threads(masked)


@lru_cache(maxsize=1)
def _pools(_modules: int) -> ThreadpoolController:
    """The BLAS and OpenMP pools of this process; looked for again when modules were loaded, as it takes a while."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
