"""Sums, products and corners of large random matrices in general position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from widelimit.validate.harness.drawing.weights import Draws, haar

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

Mixture = Sequence[tuple[float, float]]  # (location, mass) of each atom


def sums(
    first: str | Mixture, second: Mixture, size: int, seeds: Sequence[int], backend: Backend
) -> np.ndarray:
    """Eigenvalues of U A U' + B, sorted, (len(seeds), size): B diagonal, U Haar distributed."""
    matrix = _matrix(first, size, Draws(seeds, backend))
    matrix.diagonal(dim1=-2, dim2=-1).add_(_diagonal(second, size, matrix))
    return _eigenvalues(matrix)


def products(
    first: str | Mixture, second: Mixture, size: int, seeds: Sequence[int], backend: Backend
) -> np.ndarray:
    """Eigenvalues of B^{1/2} U A U' B^{1/2} in the same way."""
    matrix = _matrix(first, size, Draws(seeds, backend))
    root = _diagonal(second, size, matrix).sqrt()
    return _eigenvalues(root[:, None] * matrix * root)


def corners(first: str | Mixture, kept: int, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Eigenvalues of the upper left corner of U A U', `kept` rows and columns of it."""
    return _eigenvalues(_matrix(first, size, Draws(seeds, backend))[:, :kept, :kept])


def _matrix(name: str | Mixture, size: int, draws: Draws) -> torch.Tensor:
    """A symmetric matrix whose law no rotation changes, (R, size, size).

    ``"semicircle"``: Gaussian, entries of variance 1/size. ``"marchenko_pastur"``: X X' / (2 size), ratio 1/2.
    """
    if name == "semicircle":
        matrix = draws.normal(size, size)
        return (matrix + matrix.mT) / (2 * size) ** 0.5
    if name == "marchenko_pastur":
        data = draws.normal(size, 2 * size)
        return data @ data.mT / (2 * size)
    rotation = haar(draws, size, size, 1.0).matrix()
    return rotation * _diagonal(name, size, rotation) @ rotation.mT


def _diagonal(mixture: str | Mixture, size: int, like: torch.Tensor) -> torch.Tensor:
    if isinstance(mixture, str):
        raise ValueError(
            f"There is no ensemble {mixture!r}; there are semicircle, marchenko_pastur and mixtures."
        )
    locations, masses = (torch.tensor(v, dtype=like.dtype) for v in zip(*mixture, strict=True))
    ends = torch.round(torch.cumsum(masses, 0) * size).long()
    counts = torch.diff(ends, prepend=torch.zeros(1, dtype=torch.long))
    return torch.repeat_interleave(locations, counts).to(like.device)


def _eigenvalues(matrix: torch.Tensor) -> np.ndarray:
    return np.asarray(torch.linalg.eigvalsh(matrix).cpu().numpy())
