"""Sample covariance matrices as they are drawn: largest eigenvalues, outliers, sums over eigenvalues, best mixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_LARGEST = 100  # matrices a replicate whose largest eigenvalue alone is asked for
_SUMS = 60
_FOUND = 40


def largest(dimensions: int, samples: int, random: np.random.Generator) -> float:
    """Return the largest eigenvalue of X'X/n, X of samples x dimensions standard normal numbers.

    By the bidiagonal matrix of chi-distributed numbers that Householder reflections make of X (Silverstein 1985).
    """
    i = np.arange(dimensions)
    diagonal = np.sqrt(random.chisquare(samples - i))
    below = np.sqrt(random.chisquare(dimensions - 1 - i[:-1]))
    square = diagonal**2
    square[1:] += below**2
    last = (dimensions - 1, dimensions - 1)
    top = scipy.linalg.eigh_tridiagonal(
        square, diagonal[:-1] * below, eigvals_only=True, select="i", select_range=last
    )
    return float(top[0]) / samples


def edge(inputs: Any, size: int, seed: int, backend: Backend, edge: float) -> np.ndarray:
    """Return by what power of n the spread of largest eigenvalues falls, and their mean off the edge over the spread.

    The power from n = size and 4 size. Over the spread of m numbers a mean comes out larger by 3/(4 m) on average (of
    normal numbers, which is close enough here); that is taken off.
    """
    random = np.random.default_rng(seed)
    ratio = float(inputs["ratio"])
    few, many = (
        np.array([largest(round(ratio * n), n, random) for _ in range(_LARGEST)]) for n in (size, 4 * size)
    )
    power = np.log(few.std(ddof=1) / many.std(ddof=1)) / np.log(4.0)
    return np.array([power, (many.mean() - edge) / many.std(ddof=1) * (1 - 0.75 / _LARGEST)])


def outlier(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Return the top eigenvalue of samples of one spike in unit noise, and the squared cosine of its eigenvector."""
    import torch

    from widelimit.validate.harness.drawing.weights import Draws

    ratio, spike = float(inputs["ratio"]), float(inputs["spike"])
    data = Draws([seed], backend).normal(round(size / ratio), size)[0]
    data[:, 0] *= spike**0.5
    values, vectors = torch.linalg.eigh(data.mT @ data / data.shape[0])
    return np.array([float(values[-1]), float(vectors[0, -1] ** 2)])


def found(inputs: Any, size: int, seed: int, backend: Backend, critical: Any, spike: Any) -> float:
    """Return the share of matrices whose top eigenvalue is above a critical one, all with one spike; both by size."""
    import torch

    from widelimit.validate.harness.drawing.weights import Draws

    ratio = float(inputs["ratio"])
    n = round(size / ratio)
    data = Draws([seed], backend).normal(_FOUND * n, size)[0].reshape(_FOUND, n, size)
    data[:, :, 0] *= float(spike(size)) ** 0.5
    top = torch.linalg.eigvalsh(data.mT @ data / n)[:, -1]
    return float((top > float(critical(size))).double().mean())


def sums(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Return variances over matrices of tr S and of tr S^2, of n = p/c samples in p dimensions."""
    import torch

    from widelimit.validate.harness.drawing.weights import Draws

    n = round(size / float(inputs["ratio"]))
    data = Draws([seed], backend).normal(_SUMS * n, size)[0].reshape(_SUMS, n, size)
    values = torch.linalg.eigvalsh(data.mT @ data / n)
    return np.array([float(values.pow(k).sum(1).var()) for k in (1, 2)])


def mixture(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Return the share of the mean that brings a sample covariance nearest to the population's, and the distance there.

    Half of the population eigenvalues are 1, half `spread`; n = p/c samples; distances are squared, over p.
    """
    import torch

    from widelimit.validate.harness.drawing.weights import Draws

    ratio, spread = float(inputs["ratio"]), float(inputs["spread"])
    n = round(size / ratio)
    scales = torch.ones(size, dtype=backend.dtype, device=backend.device)
    scales[size // 2 :] = spread
    data = Draws([seed], backend).normal(n, size)[0] * scales.sqrt()
    sample = data.mT @ data / n
    target = torch.eye(size, dtype=sample.dtype, device=sample.device) * scales.mean() - sample
    truth = torch.diag(scales) - sample
    share = (target * truth).sum() / (target**2).sum()
    return np.array([float(share), float(((truth - share * target) ** 2).sum()) / size])
