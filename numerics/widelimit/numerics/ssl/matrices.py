"""Any data: the weight decay beyond which everything collapses, and what is left below it, direction by direction."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg, optimize

from widelimit.numerics import arguments
from widelimit.numerics.ssl import settings, terms
from widelimit.theory.errors import ArgumentError, ConvergenceError

Array = np.ndarray
_AGREED = 1e-6  # share by which two ways to compute a threshold may differ
_GRID = 25  # values of kappa that maxima are looked for between
_ROUNDING = 1e-9  # of the largest eigenvalue, below which a matrix still counts as positive


def collapse_threshold(signal: Any, augmentation: Any) -> float:
    """Return the weight decay beyond which a network of any width collapses on such data.

    eta_c = max over w of (w X w)^2 / [4 |w|^2 w (X + X_a) w]. It is found as the maximum over one number kappa of
    kappa mu^2, mu the top eigenvalue of X against 1 + kappa (X + X_a), which misses no local maximum of w. Above it the
    norm of W decays at the rate 2 (eta - eta_c) or faster, if the predictor is symmetric; just below it a solution of
    rank one exists.

    Args:
        signal: X, symmetric (features x features): second moment of the means of a sample's views.
        augmentation: X_a, symmetric and without negative eigenvalues: covariance of views about those means.

    Raises `ArgumentError` for matrices that are not symmetric or do not fit together.

    >>> round(collapse_threshold([[1.0, 0.0], [0.0, 0.5]], [[1.0, 0.0], [0.0, 0.1]]), 12)  # max of 1/8 and 0.25/2.4
    0.125
    """
    x, spread = _pair(signal, augmentation)
    return best_direction(x, x + spread)[0]


def best_direction(x: Array, total: Array) -> tuple[float, Array]:
    """Return the threshold and the unit vector that reaches it; zero where X has no positive eigenvalue."""
    values, vectors = np.linalg.eigh(total)
    top = float(values[-1])
    if top <= 0 or np.linalg.eigvalsh(x)[-1] <= _ROUNDING * top:
        return 0.0, vectors[:, -1]
    rotated = vectors.T @ x @ vectors
    spectrum = np.maximum(values, 0.0)

    def scaled(log_kappa: float) -> Array:
        root = 1.0 / np.sqrt(1.0 + np.exp(log_kappa) * spectrum)
        return root[:, None] * rotated * root

    def reached(log_kappa: float) -> float:
        mu = linalg.eigvalsh(scaled(log_kappa), subset_by_index=[len(x) - 1] * 2)[0]
        return float(terms.PENCIL(np.exp(log_kappa), max(mu, 0.0)))

    grid = np.linspace(0.0, np.log(_widest(rotated, spectrum, top)), _GRID) - np.log(top)
    heights = np.array([reached(one) for one in grid])
    best = max(
        (_peak(reached, grid, heights, k) for k in range(_GRID) if _is_peak(heights, k)),
        key=lambda one: one[1],
    )
    root = 1.0 / np.sqrt(1.0 + np.exp(best[0]) * spectrum)
    _, vector = linalg.eigh(scaled(best[0]), subset_by_index=[len(x) - 1] * 2)
    w = vectors @ (root * vector[:, 0])
    w /= np.linalg.norm(w)
    threshold = float(terms.RANK_ONE(w @ x @ w, 1.0, w @ total @ w))
    if abs(threshold - best[1]) > _AGREED * threshold:  # the direction has to reach what kappa promises
        raise ConvergenceError(
            f"The search for the best direction ends at {threshold:.10g} where {best[1]:.10g} is possible. "
            "Scale the features, or leave out directions that carry next to nothing."
        )
    return threshold, w


def _widest(rotated: Array, spectrum: Array, top: float) -> float:
    """Top eigenvalue over the least w (X + X_a) w at which the best of the simplest directions could be beaten.

    X is at most X + X_a, so that a direction's threshold is at most a quarter of its w (X + X_a) w.
    """
    diagonal = np.maximum(np.diag(rotated), 0.0)
    simple = np.max(diagonal**2 / np.maximum(spectrum, 1e-300))
    return float(np.clip(1.01 * top / max(simple, 1e-12 * top), 2.0, 1e12))


def _is_peak(heights: Array, k: int) -> bool:
    return bool(heights[k] >= heights[max(k - 1, 0)] and heights[k] >= heights[min(k + 1, len(heights) - 1)])


def _peak(reached: Any, grid: Array, heights: Array, k: int) -> tuple[float, float]:
    ends = grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(
        lambda one: -reached(one), bounds=ends, method="bounded", options={"xatol": 1e-8}
    )
    return (
        (float(found.x), -float(found.fun))
        if -found.fun >= heights[k]
        else (float(grid[k]), float(heights[k]))
    )


def deflation(x: Array, total: Array, most: int, least: float = 0.0) -> Array:
    """Thresholds one after the other, each in the complement of the directions that won before.

    They fall; it ends after `most` of them, or below `least`.
    """
    found: list[float] = []
    basis = np.eye(len(x))
    while len(found) < most and basis.shape[1] > 0:
        threshold, w = best_direction(basis.T @ x @ basis, basis.T @ total @ basis)
        if threshold <= 0:
            break
        found.append(threshold if not found else min(threshold, found[-1]))
        if threshold < least:
            break
        basis = basis @ linalg.null_space(w[None, :])
    return np.array(found)


def _pair(signal: Any, augmentation: Any) -> tuple[Array, Array]:
    x, spread = _symmetric("signal", signal), _symmetric("augmentation", augmentation)
    if x.shape != spread.shape:
        raise ArgumentError(
            "augmentation", "must have the shape of `signal`", but=f"they are {spread.shape} and {x.shape}"
        )
    lowest = np.linalg.eigvalsh(spread)[0]
    if lowest < -_ROUNDING * max(np.abs(spread).max(), np.abs(x).max()):
        help = "It is the covariance of views about the mean of their sample."
        raise ArgumentError(
            "augmentation", "must have no negative eigenvalue", but=f"has {lowest:.6g}", help=help
        )
    lowest = np.linalg.eigvalsh(x + spread)[0]
    if lowest < -_ROUNDING * max(np.abs(spread).max(), np.abs(x).max()):
        help = "Their sum is the second moment of one view."
        must = "must have no negative eigenvalue beyond `augmentation`"
        raise ArgumentError("signal", must, but=f"they add up to {lowest:.6g}", help=help)
    return x, spread


def _symmetric(name: str, value: Any) -> Array:
    array = arguments.finite(name, value)
    array = array.reshape(1, 1) if array.ndim == 0 else array
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.size == 0:
        raise ArgumentError(name, "must be a square matrix", but=f"has shape {array.shape}")
    settings.scale(name, np.abs(array).max(), zero=True)
    if np.abs(array - array.T).max() > _ROUNDING * np.abs(array).max():
        raise ArgumentError(name, "must be symmetric", but="is not", help="Pass (A + A.T)/2.")
    return (array + array.T) / 2
