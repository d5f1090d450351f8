"""What callers hand in: a table of samples, or eigenvalues; both become eigenvalues and degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.ridge.sample import refuse_extremes
from widelimit.numerics.ridge.tables import matrix
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_ROUNDING = 1e-10  # of the largest eigenvalue: negative ones up to here are zeros
_CONSTANT = 1e-13


@by_value
@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues, decreasing; degrees of freedom, None where nothing tells them; columns that do not vary."""

    values: Array
    samples: float | None
    constant: tuple[int, ...] = ()


@by_value
@dataclass(frozen=True)
class Samples:
    """Centred samples of features that vary, with what was set aside."""

    rows: Array
    mean: Array
    constant: tuple[int, ...]

    @property
    def freedom(self) -> int:
        """Degrees of freedom, rows less one."""
        return self.rows.shape[0] - 1


def centred(name: str, data: Any) -> Samples:
    """Read a table, centre it, and set constant columns aside.

    Raises `ArgumentError` for fewer than three rows, or no column that varies.
    """
    x = matrix(name, data)
    if x.shape[0] < 3:
        raise ArgumentError(name, "must have at least three samples", but=f"has {x.shape[0]}")
    refuse_extremes(name, x)
    mean = x.mean(0)
    rows = x - mean
    spread = np.sqrt((rows**2).mean(0))
    varies = spread > _CONSTANT * max(float(spread.max(initial=0.0)), float(np.abs(mean).max(initial=0.0)))
    if not varies.any():
        raise ArgumentError(name, "must have a feature that varies", but="has constant features only")
    return Samples(rows[:, varies], mean[varies], tuple(np.flatnonzero(~varies).tolist()))


def read(data: Any, eigenvalues: Any, samples: Any) -> Spectrum:
    """Eigenvalues of data, or those given."""
    if (data is None) == (eigenvalues is None):
        both = "both are given" if data is not None else "neither is given"
        raise ArgumentError("data", "must be given, or `eigenvalues` in its place", but=both)
    if data is not None:
        if samples is not None:
            raise ArgumentError("samples", "must be left out where `data` tell them", samples)
        table = centred("data", data)
        _enough("data", table.rows.shape[1])
        return Spectrum(of_rows(table.rows, table.freedom), float(table.freedom), table.constant)
    values = np.sort(arguments.vector("eigenvalues", eigenvalues))[::-1].copy()
    _enough("eigenvalues", values.size)
    top = float(np.abs(values).max())
    arguments.near_one("eigenvalues", np.array(top))
    if values[-1] < -_ROUNDING * top:
        help = "They belong to a covariance matrix."
        raise ArgumentError("eigenvalues", "must not be negative", float(values[-1]), help)
    values = np.where(values > _ROUNDING * top, values, np.maximum(values, 0.0))
    number = None
    if samples is not None:
        number = arguments.positive_number("samples", samples)
        if number < 2:
            raise ArgumentError("samples", "must be at least 2", samples)
        arguments.near_one("samples", np.array(number), 12)
    zeros = int((values <= _ROUNDING * top).sum())
    if zeros and (number is None or number < values.size):
        values = np.where(values <= _ROUNDING * top, 0.0, values)
        if number is None:
            number = float(values.size - zeros)
    return Spectrum(values, number)


def _enough(name: str, count: int) -> None:
    if count < 3:
        what = "features that vary" if name == "data" else "of them"
        raise ArgumentError(name, "must have at least three eigenvalues", but=f"has {count} {what}")


def of_rows(rows: Array, freedom: float) -> Array:
    """All eigenvalues of X'X/freedom, decreasing, by the smaller Gram matrix."""
    n, p = rows.shape
    gram = rows @ rows.T if n < p else rows.T @ rows
    values = np.maximum(scipy.linalg.eigvalsh(gram / freedom), 0.0)[::-1]
    found = np.zeros(p)
    found[: min(n, p)] = values[:p]
    if p > freedom:
        found[int(freedom) :] = 0.0  # centring leaves one direction less
    return found
