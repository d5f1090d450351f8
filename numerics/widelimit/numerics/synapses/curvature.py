"""Curvatures that callers pass: symmetric matrices without negative eigenvalues."""

from __future__ import annotations

from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.theory.errors import ArgumentError

_ROUNDING = 1e-10  # of the largest entry, that input may be off by
_FLAT = 1e-13  # of the largest eigenvalue: below, it is rounding


def hessian(name: str, value: Any) -> np.ndarray:
    """Return a square matrix (a vector of its diagonal will do) that is symmetric and has no negative eigenvalue."""
    array = arguments.real(name, value)
    if array.size:
        arguments.near_one(name, np.abs(array).max(), 60)
    if array.ndim == 0:
        array = array.reshape(1)
    if array.ndim == 1:
        if array.size == 0 or (array < 0).any():
            raise ArgumentError(name, "must have no negative curvature", value)
        costs.affordable(name, len(array), memory=8.0, power=2, each="parameter")
        return np.diag(array)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not array.size:
        raise ArgumentError(name, "must be a square matrix or its diagonal", but=f"has shape {array.shape}")
    size = np.abs(array).max()
    if (apart := float(np.abs(array - array.T).max())) > _ROUNDING * size:
        raise ArgumentError(name, "must be symmetric", but=f"differs from its transpose by {apart:.2g}")
    array = (array + array.T) / 2
    lowest = float(np.linalg.eigvalsh(array)[0])
    if lowest < -_ROUNDING * size:
        help = "The loss falls without bound along it."
        raise ArgumentError(
            name, "must have no negative curvature", but=f"has the eigenvalue {lowest:.4g}", help=help
        )
    return array


def eigen(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues, those of rounding set to 0, and eigenvectors in columns."""
    values, vectors = np.linalg.eigh(matrix)
    return np.where(values > _FLAT * max(values[-1], 0.0), values, 0.0), vectors


def vector(name: str, value: Any, size: int) -> np.ndarray:
    """Return a vector of one number for each parameter."""
    array = arguments.real(name, value)
    if array.ndim == 0:
        array = array.reshape(1)
    if array.shape != (size,):
        raise ArgumentError(
            name, f"must have {size} numbers, one for each parameter", but=f"has shape {array.shape}"
        )
    return arguments.near_one(name, array, 60)
