"""What callers pass to alignment, checked: matrices of weights, covariances, coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.theory import alignment as theory
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
SYMMETRIC = 1e-8  # of the largest entry, that a matrix may differ from its transpose by
NEGATIVE = 1e-10  # of the largest eigenvalue, that rounding may leave below zero
_LARGEST = 1e60  # products of weights and covariances, squared, have to be floats
_UNITS = "Choose units in which it is near 1."


def rule(value: Any) -> str:
    """One of the five rules."""
    return arguments.choice("rule", value, theory.RULES)


def matrix(name: str, value: Any, help: str = "") -> Array:
    """A matrix with at least one row and column, entries within 1e60."""
    array = arguments.real(name, value, help)
    if array.ndim != 2 or array.size == 0:
        raise ArgumentError(name, "must be a matrix", but=f"has shape {array.shape}", help=help)
    if (largest := float(np.abs(array).max())) > _LARGEST:
        raise ArgumentError(name, "must have entries of at most 1e60", largest, _UNITS)
    return array


def weights(value: Any) -> Array:
    """W, outputs by inputs; not all zero, so that a cosine with it is defined."""
    array = matrix("weights", value, "Pass W with a row for each output and a column for each input.")
    if np.abs(array).max() < 1 / _LARGEST:
        raise ArgumentError(
            "weights", "must not vanish", but="is zero", help="No feedback is parallel to zero."
        )
    return array


def feedback(value: Any, w: Array) -> Array:
    """B, of the shape of W^T."""
    array = matrix("backward", value)
    if array.shape != w.shape[::-1]:
        raise ArgumentError(
            "backward",
            f"must have the shape {w.shape[::-1]} of the transposed weights",
            but=f"has shape {array.shape}",
        )
    return array


def covariance(value: Any, size: int) -> tuple[Array, Array]:
    """Eigenvalues (not below zero) and eigenvectors of the second moment C of inputs; None: white inputs."""
    if value is None:
        return np.ones(size), np.eye(size)
    array = matrix("covariance", value)
    if array.shape != (size, size):
        raise ArgumentError(
            "covariance",
            f"must have the shape {(size, size)} of the inputs of the weights",
            but=f"has shape {array.shape}",
        )
    largest = np.abs(array).max()
    if np.abs(array - array.T).max() > SYMMETRIC * largest:
        raise ArgumentError("covariance", "must be symmetric", but="is not", help="Pass the mean of x x^T.")
    values, vectors = np.linalg.eigh((array + array.T) / 2)
    if values[0] < -NEGATIVE * max(values[-1], -values[0]):
        raise ArgumentError(
            "covariance",
            "must have no negative eigenvalues",
            but=f"has {values[0]:.3g}",
            help="Pass the mean of x x^T.",
        )
    if largest < 1 / _LARGEST:
        raise ArgumentError("covariance", "must not vanish", but="is zero", help="Inputs have to vary.")
    return np.maximum(values, 0.0), vectors


def coefficient(name: str, value: Any, *, zero: bool = False) -> float:
    """A positive coefficient (or zero) within 1e60 and above 1e-60."""
    return arguments.single(name, scales(name, value, zero=zero))


def coefficients(name: str, alpha: Any, beta: Any, gamma: Any) -> tuple[float, float, float]:
    """alpha, beta, gamma of a rule; kolen_pollack, which has none, may leave out beta."""
    if beta is None:
        if name != "kolen_pollack":
            raise ArgumentError("beta", f"must be given for {name}", None, "See `theory.alignment.flow`.")
        beta = 1.0
    return coefficient("alpha", alpha), coefficient("beta", beta), coefficient("gamma", gamma, zero=True)


def scales(name: str, value: Any, *, zero: bool = False) -> Array:
    """An array of positive scales (or zeros), each within 1e-60 and 1e60."""
    array = (arguments.non_negative if zero else arguments.positive)(name, value)
    return arguments.near_one(name, array, 60)
