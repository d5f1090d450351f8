"""The formulas of ``theory.architecture`` as functions of numbers, and of the entries of kernels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import architecture as theory
from widelimit.theory.architecture import formulas as f
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.kernel import Q1, THETA

dropped = compile(
    theory.dropped().subs(f.SAME, 1), (f.K, f.KEEP), name="dropped"
)  # a unit that meets its own mask
added = compile(theory.added(), (f.K, f.BRANCH), name="added")
averaged = compile(theory.averaged(), (f.TOTAL, f.COUNT), name="averaged")
pooled = compile(theory.pooled(), (f.TOTAL, f.COUNT), name="pooled")
windowed = compile(theory.windowed(), (f.TOTAL, f.COUNT, f.COUNT2), name="windowed")
filtered = compile(theory.filtered(), (f.TOTAL, f.SIZE, f.DIMENSIONS), name="filtered")
deviation = compile(theory.deviation(), (f.SQUARE, f.CENTRE1), name="deviation")
about_batch = compile(theory.about_batch(), (f.K, f.ROW, f.COLUMN, f.ALL), name="about_batch")
rescaled = compile(theory.rescaled(), (f.K, f.D1, f.D2), name="rescaled")
normalised = compile(  # K of units about their means, divided by their deviations
    theory.rescaled().subs(f.K, theory.about_means()),
    (f.K, f.M1, f.CENTRE1, f.D1, f.M2, f.CENTRE2, f.D2),
    name="normalised",
)
centred_mean = compile(theory.centred_mean(), (f.M1, f.CENTRE1, f.D1), name="centred_mean")
shifted = compile(theory.shifted(), (THETA,), name="shifted")
gained = compile(theory.gained(), (THETA, f.K), name="gained")
batch_fluctuation = compile(theory.batch_fluctuation(), (f.SQUARES, f.TRACE), name="batch_fluctuation")

_BLOCK = 2**20  # entries whose arguments are laid out side by side


@functools.lru_cache(maxsize=64)
def unit_mean(activation: Activation) -> Compiled:
    """E phi(u) as a function of the variance of u."""
    return compile(theory.unit_mean(activation), (Q1,), name="mean")


def over_entries(
    formula: Compiled, kernel: np.ndarray, rows: Sequence[np.ndarray] = (), columns: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """A formula of a kernel's entries and what belongs to their rows, then columns; some rows at a time.

    `kernel`: (P, n1, n2), `rows` arrays (P, n1) and `columns` (P, n2), or (n1,) and (n2,).

    >>> over_entries(rescaled, np.ones((1, 2, 2)), [np.array([1.0, 2.0])], [np.array([1.0, 4.0])]).tolist()
    [[[1.0, 0.25], [0.5, 0.125]]]
    """
    out = np.empty_like(kernel)
    rows = [np.broadcast_to(one, kernel.shape[:2]) for one in rows]
    columns = [np.broadcast_to(one, (kernel.shape[0], kernel.shape[2])) for one in columns]
    step = max(1, _BLOCK // kernel.shape[2])
    for p in range(kernel.shape[0]):
        for first in range(0, kernel.shape[1], step):
            part = slice(first, first + step)
            by_row: list[Any] = [one[p, part, None] for one in rows]
            out[p, part] = formula(kernel[p, part], *by_row, *[one[p, None, :] for one in columns])
    return out
