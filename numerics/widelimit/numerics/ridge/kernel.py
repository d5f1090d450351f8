"""Runs the loops of `loops` over arrays of problems that share a spectrum, in threads."""

from __future__ import annotations

import functools
import importlib
from types import ModuleType

import numpy as np

from widelimit.numerics import threads

FIELDS = (
    "effective_ridge", "test_error", "training_error", "bias", "variance_of_inputs", "variance_of_noise", "fitted",
    "rho", "steps",
)  # fmt: skip


@functools.cache
def loops() -> ModuleType:
    """Return `loops`, which is imported when first needed: its terms take half a second to compile."""
    return importlib.import_module("widelimit.numerics.ridge.loops")


def solve_all(
    s: np.ndarray, p: np.ndarray, u: np.ndarray, alpha: np.ndarray, penalty: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Solve flat arrays of problems; rows of the first result are `FIELDS`, the second is the status."""
    run = loops().solve_all
    out, status = np.empty((len(FIELDS), alpha.size)), np.empty(alpha.size, np.int64)
    parts = threads.chunks(alpha.size, smallest=max(1, 20_000 // s.size))
    threads.each(
        lambda part: run(s, p, u, alpha[part], penalty[part], noise[part], out[:, part], status[part]), parts
    )
    return out, status


def edges(s: np.ndarray, p: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return kappa_c and lambda_c for each sample ratio."""
    out = np.empty((2, alpha.size))
    loops().edges(s, p, alpha, out)
    return out[0], out[1]
