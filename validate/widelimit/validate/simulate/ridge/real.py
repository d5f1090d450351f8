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


def halves(name: str, samples: int, seeds: Sequence[int]) -> np.ndarray:
    """log measured/predicted error at the theory's best penalty, and log of it over a cross-validated fit's error."""
    from widelimit.numerics.ridge import from_data

    X, y = data_set(name)
    found = []
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(y))
        known, rest = order[: len(y) // 2], order[len(y) // 2 :]
        train, test = rest[:samples], rest[samples:]
        theory = from_data(X[known], y[known], redrawn=2)
        penalty = float(theory.best_penalty(samples))
        predicted = theory.learning_curve(samples=samples, penalty=penalty).test_error.item()
        scale = float(theory.eigenvalues @ theory.multiplicities) / theory.rank
        chosen = _cross_validated(X[train], y[train], scale * np.geomspace(1e-4, 1e2, 25))
        own, other = errors_of(X[train], y[train], X[test], y[test], np.array([penalty, chosen]))
        found.append([np.log(own / predicted), np.log(own / other)])
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


def _cross_validated(X: np.ndarray, y: np.ndarray, penalties: np.ndarray, folds: int = 5) -> float:
    """The penalty of least error over folds, all penalties from one eigendecomposition a fold."""
    fold = np.arange(len(y)) % folds
    errors = sum(
        errors_of(X[fold != k], y[fold != k], X[fold == k], y[fold == k], penalties) for k in range(folds)
    )
    return float(penalties[np.argmin(errors)])


@functools.cache
def naive_log_ratio(name: str, samples: int) -> float:
    """What log measured/predicted would be if `samples` rows' own covariance and fit were the population's."""
    from widelimit.numerics.ridge import from_data, solve

    X, y = data_set(name)
    order = np.random.default_rng(0).permutation(len(y))
    few = order[:samples]
    x, t = X[few] - X[few].mean(0), y[few] - y[few].mean()
    s, V = np.linalg.eigh(x.T @ x / samples)
    kept = s > 1e-9 * s[-1]
    s, V = s[kept], V[:, kept]
    u = (V.T @ (x.T @ t) / samples) ** 2 / s
    noise = max(float(np.mean(t**2) - u.sum()), 1e-12)
    theory = from_data(X, y, redrawn=2)
    penalty = float(theory.best_penalty(samples))
    true = theory.learning_curve(samples=samples, penalty=penalty).test_error.item()
    naive = solve(
        s, signal=u, noise=noise, sample_ratio=samples / s.size, penalty=max(penalty, 0.0)
    ).test_error
    return float(np.log(naive / true))
