"""Users' own data: two arrays of views, and what a weight decay leaves of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.files.door import numbers
from widelimit.numerics.results import by_value
from widelimit.numerics.ssl import matrices, settings
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_MOST = 64


@by_value
@dataclass(frozen=True)
class Views:
    """What two views of the same samples say about non-contrastive learning on them.

    signal, augmentation: estimates of X and X_a (features x features). critical_weight_decay: eta_c, beyond which
    everything collapses. thresholds: the largest decays that one, two, ... dimensions survive, by deflation; the first
    is eta_c. dimensions: how many the weight decay leaves, None without one. samples, features: of the data.
    """

    signal: Array
    augmentation: Array
    critical_weight_decay: float
    thresholds: Array
    dimensions: int | None
    samples: int
    features: int


def from_views(view1: Any, view2: Any, *, weight_decay: Any = None, most: int = _MOST) -> Views:
    """Estimate from two views of each sample which weight decay collapses a linear network on them.

    X is the symmetric part of E x_1 x_2', X_a is E x x' - X over both views, which is half the second moment of their
    difference; neither is centred: centre the features first if your network does. Behind a fixed encoder the same
    holds of its penultimate features. The count of dimensions is that of deflation: exact where X and X_a commute.

    Args:
        view1, view2: samples x features, row by row two augmentations of one sample; or files (.npy, .npz, text).
        weight_decay: eta per unit of time, the optimiser's `weight_decay` for the loss with the factor 1/2.
        most: how many thresholds are computed.

    Raises `ArgumentError` for views of different shapes and for fewer samples than features.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((4000, 3)) * [1.0, 0.7, 0.4]
    >>> views = (x + 0.5 * rng.standard_normal(x.shape) for _ in range(2))
    >>> found = from_views(*views, weight_decay=0.05)
    >>> found.dimensions, found.thresholds.round(3).tolist()
    (2, [0.208, 0.079, 0.015])
    """
    first, second = _table("view1", view1), _table("view2", view2)
    if first.shape != second.shape:
        raise ArgumentError(
            "view2", "must have the shape of `view1`", but=f"they are {second.shape} and {first.shape}",
            help="Rows are samples: each row holds the two views of one.",
        )  # fmt: skip
    samples, features = first.shape
    if samples < features:
        raise ArgumentError(
            "view1", f"must have at least as many samples as features, {features}", but=f"has {samples}",
            help="Their second moments would be singular: pass more samples, or project them on fewer features.",
        )  # fmt: skip
    decay = None if weight_decay is None else _single("weight_decay", weight_decay)
    count = arguments.count("most", most)
    cross = first.T @ second / samples
    signal = (cross + cross.T) / 2
    gap = (first - second) / np.sqrt(2.0)
    spread = gap.T @ gap / samples
    settings.scale(
        "view1", np.abs(signal + spread).max(), help="Scale the features: their second moments count."
    )
    thresholds = _thresholds(signal, spread, count, decay)
    critical = float(thresholds[0]) if thresholds.size else 0.0
    left = None if decay is None else int((thresholds >= decay).sum())
    return Views(signal, spread, critical, thresholds[:count], left, samples, features)


def _single(name: str, value: Any) -> float:
    return arguments.single(name, settings.scale(name, value, zero=True))


def _thresholds(signal: Array, spread: Array, count: int, decay: float | None) -> Array:
    """At least `count` of them, or until they fall below the decay."""
    found = matrices.deflation(signal, signal + spread, count)
    if decay is None or found.size < count or found[-1] < decay:
        return found
    return matrices.deflation(signal, signal + spread, len(signal), decay)


def _table(name: str, view: Any) -> Array:
    if isinstance(view, str | Path):
        view = numbers(name, view)
    array = arguments.finite(name, view)
    if array.ndim != 2 or 0 in array.shape:
        help = "Flatten images: one row a sample."
        raise ArgumentError(
            name, "must be a table of samples x features", but=f"has shape {array.shape}", help=help
        )
    return array
