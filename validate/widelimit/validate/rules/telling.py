"""How well recordings tell rules apart: ridge regression on one-hot labels, every network left out once.

Leaving a network out is one division by what the hat matrix leaves (as in any linear smoother), so that hundreds of
permutations cost one matrix product each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from widelimit.numerics.results import by_value

Array = np.ndarray
_PENALTY = 1.0  # over the mean of the eigenvalues of the kernel


@by_value
@dataclass(frozen=True)
class Scale:
    """What makes columns comparable: a soft logarithm in units of `size`, about `mean`, in units of `spread`."""

    size: Array
    mean: Array
    spread: Array
    kept: Array

    @staticmethod
    def of(values: Array) -> Scale:
        """Of the columns of some networks, (networks, columns); those that are all alike are not kept."""
        size = np.median(np.abs(values), axis=0)
        size = np.where(size > 0, size, np.maximum(np.abs(values).max(0), 1e-300))
        soft = np.arcsinh(values / size)
        spread = soft.std(0)
        return Scale(size, soft.mean(0), np.where(spread > 0, spread, 1.0), spread > 1e-9)

    def __call__(self, values: Array) -> Array:
        """Standardised columns of other networks."""
        return ((np.arcsinh(values / self.size) - self.mean) / self.spread)[:, self.kept]


def one_hot(labels: Array, kinds: Array) -> Array:
    """Rows with a one where the label stands."""
    return (np.asarray(labels)[:, None] == kinds).astype(float)


def left_out(values: Array, labels: Array, permuted: int = 0, seed: int = 0) -> Array:
    """Return the accuracy on networks that were left out; behind it those of as many permutations of the labels."""
    x = Scale.of(values)(values)
    n = len(x)
    gram = x @ x.T
    ones = np.full((n, n), 1 / n)
    kernel = gram - ones @ gram - gram @ ones + ones @ gram @ ones
    hat = kernel @ np.linalg.inv(kernel + _PENALTY * kernel.trace() / n * np.eye(n)) + ones
    lever = np.clip(1 - hat.diagonal(), 1e-9, None)[:, None]
    kinds = np.unique(labels)
    shuffled, found = np.random.default_rng(seed), []
    for turn in range(permuted + 1):
        said = labels if turn == 0 else shuffled.permutation(labels)
        wanted = one_hot(said, kinds)
        guess = wanted - (wanted - hat @ wanted) / lever
        found.append(float((kinds[guess.argmax(1)] == said).mean()))
    return np.array(found)


def transferred(values: Array, labels: Array, others: Array, truth: Array) -> float:
    """Return the accuracy on other networks than were learnt from."""
    scale = Scale.of(values)
    x, y = scale(values), scale(others)
    kinds = np.unique(labels)
    wanted = one_hot(labels, kinds)
    middle = wanted.mean(0)
    kernel = x @ x.T
    weights = np.linalg.solve(kernel + _PENALTY * kernel.trace() / len(x) * np.eye(len(x)), wanted - middle)
    guess = y @ x.T @ weights + middle
    return float((kinds[guess.argmax(1)] == truth).mean())
