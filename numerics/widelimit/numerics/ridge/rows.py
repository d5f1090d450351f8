"""Which rows of a data set are observations of their own, and which are copies of others.

An error on a left-out row means nothing if a copy of the row stayed in: rows drawn with replacement (as in bagging), or
a table joined twice, look free of noise. Rows of equal inputs and equal targets are copies, unless some rows of equal
inputs have different targets: then inputs are so coarse that equal rows are to be expected, and all are observations.
Weights that are whole numbers mean rows given so many times, and the same is done with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError

Array = np.ndarray


@by_value
@dataclass(frozen=True)
class Rows:
    """`kept` places of rows that stay, their `weight` (None: all 1), which adds up to the observations they stand for.

    counts: weights count observations; else each row is one, and weights, of mean 1, say how much it matters. scale:
    by what weights were multiplied.
    """

    kept: Array
    weight: Array | None
    counts: bool
    scale: float


def observations(X: Array, y: Array, weight: Array | None = None) -> Rows:
    """Tell observations from copies, and make weights those of observations.

    >>> observations(np.array([[0.0], [1.0], [1.0], [2.0]]), np.array([3.0, 5.0, 5.0, 4.0])).weight
    array([0.75, 1.5 , 0.75])
    >>> observations(np.array([[0.0], [1.0], [1.0], [1.0]]), np.array([3.0, 5.0, 5.0, 4.0])).weight is None
    True
    """
    kept = np.arange(X.shape[0]) if weight is None else np.flatnonzero(weight > 0)
    given = np.ones(kept.size) if weight is None else weight[kept]
    whole = bool((given == np.round(given)).all())
    first, group = _groups(np.column_stack([X[kept], y[kept]]))
    coarse = np.unique(_keys(X[kept[first]])).size < first.size
    if coarse and whole:  # equal rows are observations
        ones = bool((given == 1).all())
        return Rows(kept, None if ones else given, not ones, 1.0)
    if not coarse:
        kept, given = kept[first], np.bincount(group, weights=given)
    scale = float(kept.size / given.sum())
    equal = bool((given == given[0]).all())
    return Rows(kept, None if equal else given * scale, False, scale)


def _groups(rows: Array) -> tuple[Array, Array]:
    """Place of the first of each kind of row, in the order of the file, and the kind of each row."""
    _, first, group = np.unique(_keys(rows), return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return first[order], rank[group]


def _keys(rows: Array) -> Array:
    """Rows as strings of bytes, zeros without their sign."""
    rows = np.ascontiguousarray(rows + 0.0)
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()


def weights(given: Any, rows: int) -> Array | None:
    """Check a caller's `sample_weight`: a number for all rows, or one for each."""
    if given is None:
        return None
    name, help = "sample_weight", "Pass a number for each row."
    try:
        weight = np.asarray(given)
        if weight.dtype.kind not in "iufbO":
            raise TypeError
        weight = weight.astype(float)
    except (TypeError, ValueError):
        raise ArgumentError(name, "must be numbers", but="holds something else", help=help) from None
    if weight.ndim == 0:
        weight = np.full(rows, float(weight))
    if weight.shape != (rows,):
        raise ArgumentError(name, f"must have shape ({rows},)", but=f"has shape {weight.shape}", help=help)
    if (bad := ~np.isfinite(weight) | (weight < 0)).any():
        raise ArgumentError(name, "must be finite and not negative", float(weight[bad][0]), help)
    if not (weight > 0).any():
        raise ArgumentError(name, "must be positive for some rows", but="is zero for all", help=help)
    return weight
