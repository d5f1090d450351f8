"""Benjamini and Hochberg's step-up over the rows of a page, and what it leaves to a row that comes first.

The step-up rejects the k smallest of M p-values, for the largest k with ``p_(k) <= level k / M`` (J. R. Statist. Soc. B
57, 1995). Whether it rejects row i, with the p-values of the others as they are, is a threshold on p_i alone:
``p_i <= level k_i / M``, where k_i counts the rejections that there are when p_i is 0. `allowed` gives that threshold,
so that a test can be inverted exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def rejected(p: np.ndarray, level: float) -> np.ndarray:
    """Benjamini and Hochberg's step-up along the last axis.

    >>> rejected(np.array([0.01, 0.04, 0.9]), 0.05)
    array([ True, False, False])
    """
    # a second of start-up, which listing claims does not need
    from scipy.stats import false_discovery_control

    return false_discovery_control(p, axis=-1, method="bh") <= level


def spent(found: np.ndarray, level: float) -> np.ndarray:
    """What multiplicity leaves of the level to each row: ``level k / M``, k of M rows `found` (at least one)."""
    return level * (np.maximum(found.sum(-1, keepdims=True), 1) / found.shape[-1])


def allowed(p: np.ndarray, level: float) -> np.ndarray:
    """The largest p-value with which each row would be rejected, the p-values of the others as they are.

    >>> allowed(np.array([0.01, 0.04, 0.9]), 0.03).round(4)
    array([0.01, 0.02, 0.02])
    """
    many = p.shape[-1]
    order = np.argsort(p, axis=-1, kind="stable")
    ordered = np.take_along_axis(p, order, -1)
    counts = np.arange(1, many + 1)
    all_found = np.where(ordered <= level * counts / many, counts, 0).max(-1, keepdims=True)
    # with row i put first, the k-th smallest is what was the (k-1)-th, as long as k is at most the rank of i
    before = np.concatenate([np.zeros_like(ordered[..., :1]), ordered[..., :-1]], axis=-1)
    first = np.maximum.accumulate(np.where(before <= level * counts / many, counts, 0), axis=-1)
    found = np.where(counts <= all_found, all_found, first)
    out = np.empty_like(p)
    np.put_along_axis(out, order, level * (found / many), -1)
    return out


def allowed_together(p: np.ndarray, rows: Sequence[int], level: float) -> float:
    """The largest p-value with which all these `rows` of one page would be rejected together.

    >>> allowed_together(np.array([0.01, 0.04, 0.9]), [1, 2], 0.03)
    0.03
    """
    together = np.array(p, dtype=float)
    together[list(rows)] = 0.0
    return float(level * (rejected(together, level).sum() / len(together)))
