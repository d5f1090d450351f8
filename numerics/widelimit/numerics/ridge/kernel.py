"""Runs the loops of `loops` over arrays of problems that share a spectrum, in threads."""

from __future__ import annotations

import functools
from pathlib import Path
from types import ModuleType

import numpy as np

from widelimit.numerics import threads
from widelimit.numerics.compile import cache
from widelimit.numerics.ridge import terms

FIELDS = (
    "effective_ridge", "test_error", "training_error", "bias", "variance_of_inputs", "variance_of_noise", "fitted",
    "rho", "steps",
)  # fmt: skip


@functools.cache
def loops() -> ModuleType:
    """Return `loops`, compiled under a name that holds the formulas it was compiled from."""
    text = (Path(__file__).with_name("loops.py")).read_text(encoding="utf-8")
    compiled = [value.source for value in vars(terms).values() if isinstance(value, terms.Compiled)]
    return cache.module(cache.digest(cache.sources("widelimit.numerics"), text, *compiled), lambda: text)


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
