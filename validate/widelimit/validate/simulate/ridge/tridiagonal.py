"""All penalties of a ridge fit from one tridiagonalisation: a quarter of the work of an eigendecomposition.

``K = Q T Q^T`` with Householder reflections (LAPACK's sytrd); each penalty is then a tridiagonal solve, and Q is
applied to the right side and to the solutions only (ormqr on the reflections), never formed.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas, lapack

Array = np.ndarray


def weights(X: Array, y: Array, penalties: Array) -> Array:
    """Weights of ``(1/N) sum of squares + penalty |w|^2`` without intercept, one row a penalty.

    `X` is in C order; the smaller of its Gram matrices is formed, and only its lower half.
    """
    samples, dimensions = X.shape
    if samples < dimensions:
        gram = blas.dsyrk(1 / samples, X.T, trans=1, lower=1)
        return solutions(gram, y / samples, penalties) @ X
    gram = blas.dsyrk(1 / samples, X.T, lower=1)
    return solutions(gram, X.T @ y / samples, penalties)


def solutions(gram: Array, right: Array, penalties: Array) -> Array:
    """``(gram + penalty)^-1 right`` for each penalty, one row each; `gram` is overwritten and only its lower half read.

    >>> solutions(np.diag([1.0, 3.0]), np.array([2.0, 4.0]), np.array([1.0]))
    array([[1., 1.]])
    """
    size = gram.shape[0]
    if size == 1:
        return right[None, :] / (gram[0] + penalties[:, None])
    work = int(lapack.dsytrd_lwork(size, lower=1)[0])
    packed, diagonal, below, scale, info = lapack.dsytrd(
        np.asfortranarray(gram), lower=1, lwork=work, overwrite_a=1
    )
    reflections = packed[1:, :-1]  # acting on all but the first coordinate
    projected = right.copy()
    projected[1:] = _apply(reflections, scale, right[1:, None], "T")[:, 0]
    solved = np.empty((size, penalties.size), order="F")
    for k, penalty in enumerate(penalties):
        # factor T + penalty; negative penalties above the edge leave it positive definite too
        *_, x, failed = lapack.dptsv(diagonal + penalty, below, projected)
        if info or failed:
            raise np.linalg.LinAlgError(f"penalty {penalty} reaches an eigenvalue of the Gram matrix")
        solved[:, k] = x
    solved[1:] = _apply(reflections, scale, solved[1:], "N")
    return solved.T


def _apply(reflections: Array, scale: Array, to: Array, side: str) -> Array:
    if to.shape[0] == 0:
        return to
    _, work, _ = lapack.dormqr("L", side, reflections, scale, to, -1)
    return lapack.dormqr("L", side, reflections, scale, to, int(work[0]))[0]
