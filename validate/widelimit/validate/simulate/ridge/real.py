"""Ridge fits on real data: images of digits, their random features, and diabetes patients."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import ArgumentError

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_FEATURES = 300  # random features of a digit


@functools.cache
def digits(task: str) -> tuple[np.ndarray, np.ndarray]:
    """Centred images (1797 x 64) and the centred target: the digit, its parity, or whether it is 0."""
    from sklearn.datasets import load_digits

    images, label = load_digits(return_X_y=True)
    targets = {"value": label, "parity": label % 2, "zero or not": label == 0}
    if task not in targets:
        raise ArgumentError("task", "must be one of " + ", ".join(targets), task)
    y = targets[task].astype(float)
    return images - images.mean(0), y - y.mean()


def pool_errors(
    X: np.ndarray,
    y: np.ndarray,
    samples: int,
    penalties: Sequence[float],
    seeds: Sequence[int],
    backend: Backend,
) -> np.ndarray:
    """Mean squared errors over the whole pool of fits to rows drawn with replacement, without intercept."""
    import torch

    from widelimit.validate.simulate.ridge.regressions import fits

    options: dict[str, Any] = {"dtype": backend.dtype, "device": backend.device}
    pool, target = torch.as_tensor(X, **options), torch.as_tensor(y, **options)
    lam = torch.tensor(list(penalties), **options)
    found = []
    for seed in seeds:
        rows = torch.randint(len(y), (samples,), generator=backend.generator(seed), device=backend.device)
        weights, _ = fits(pool[rows][None], target[rows][None], lam)
        found.append(((target[:, None] - pool @ weights[0].T) ** 2).mean(0).cpu().numpy())
    return np.array(found)


@functools.cache
def data_set(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a data set by name."""
    from sklearn.datasets import load_diabetes, load_digits

    if name == "diabetes":
        return load_diabetes(return_X_y=True)
    images, label = load_digits(return_X_y=True)
    if name == "digits":
        return images, label.astype(float)
    if name == "digits features":
        centred = images - images.mean(0)
        directions = np.random.default_rng(0).standard_normal((images.shape[1], _FEATURES))
        inner = centred @ directions / np.sqrt((centred**2).sum(1).mean())
        return np.maximum(inner, 0.0), label.astype(float)
    raise ArgumentError("data", "must be diabetes, digits or digits features", name)


def mean_eigenvalue(X: np.ndarray) -> float:
    """Mean of the eigenvalues above zero of the covariance of centred inputs: the unit of penalties."""
    return float((X**2).sum(1).mean()) / np.linalg.matrix_rank(X)


_SCAN = np.geomspace(1e-4, 1e2, 25)  # penalties over the mean eigenvalue


def best_of_halves(name: str, samples: int, seeds: Sequence[int], *, fits: int) -> np.ndarray:
    """log of the best penalty over the mean eigenvalue, and log of its error, one row a seed.

    A replicate fits `samples` rows of `fits` random halves and tests on the other rows of these halves; where the mean
    of these errors is least is told by a scan of penalties, and a parabola through the three lowest.
    """
    X, y = data_set(name)
    penalties, step = mean_eigenvalue(X - X.mean(0)) * _SCAN, float(np.log(_SCAN[1] / _SCAN[0]))
    found = []
    for seed in seeds:
        drawn = np.random.default_rng(seed)
        total = np.zeros(penalties.size)
        for _ in range(fits):
            half = drawn.permutation(len(y))[len(y) // 2 :]
            train, test = half[:samples], half[samples:]
            total += errors_of(X[train], y[train], X[test], y[test], penalties)
        errors = np.log(total / fits)
        place = int(np.clip(np.argmin(errors), 1, errors.size - 2))
        low, middle, high = errors[place - 1 : place + 2]
        bend = low - 2 * middle + high
        turn = float(np.clip(0.5 * (low - high) / bend, -1, 1)) if bend > 0 else 0.0
        found.append([np.log(_SCAN[place]) + turn * step, middle - 0.25 * (low - high) * turn])
    return np.array(found)


def errors_of(
    X: np.ndarray, y: np.ndarray, X_new: np.ndarray, y_new: np.ndarray, penalties: np.ndarray
) -> np.ndarray:
    """Mean squared errors on new rows of fits with intercept."""
    mean, level = X.mean(0), y.mean()
    x = X - mean
    values, V = np.linalg.eigh(x.T @ x / len(y))
    weights = V @ (
        (V.T @ (x.T @ (y - level)) / len(y))[:, None] / (np.maximum(values, 0.0)[:, None] + penalties)
    )
    return ((y_new[:, None] - level - (X_new - mean) @ weights) ** 2).mean(0)
