"""What callers of this room pass: scales within reach of powers, recordings as rows, files of them, covariances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.files import matlab
from widelimit.numerics.files.door import numbers, opened
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_HDF5 = (".h5", ".hdf5", ".hdf")


def scale(name: str, value: Any) -> Array:
    """Return positive numbers near 1."""
    return arguments.near_one(name, arguments.positive(name, value))


def level(name: str, value: Any) -> Array:
    """Return real numbers near 1."""
    return arguments.near_one(name, arguments.finite(name, value))


def whole(name: str, value: Any, least: int) -> Array:
    """Return whole numbers of at least `least`, as floats."""
    array = arguments.finite(name, value)
    bad = (array < least) | (array != np.floor(array)) | (array > 2**53)
    if bad.any():
        raise ArgumentError(name, f"must be whole numbers of at least {least}", float(array[bad].flat[0]))
    return array


def given(name: str, value: Any) -> Any:
    """Return a user's array as it is, or that of a file: text, .npy, .npz, HDF5 (its only array of numbers)."""
    if not isinstance(value, str | Path):
        return value
    if Path(value).suffix.lower() not in _HDF5:
        return numbers(name, value)
    found = opened(name, value, formats=_HDF5, of=_suffix, reader=matlab.hdf5)
    if len(found) != 1:
        raise ArgumentError(name, "must hold one array", but=f"holds {', '.join(list(found)[:20])}")
    return next(iter(found.values()))


def _suffix(path: Path) -> str:
    return path.suffix.lower()


def stimulus(value: Any, name: str = "stimulus") -> tuple[Array, tuple[int, ...]]:
    """Return a stimulus as rows, one a bin, and the shape of each; floats of NumPy are not copied, nor looked through.

    Whoever sums them finds out whether they are finite (`sound`).
    """
    value = given(name, value)
    plain = isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray)
    array = value if plain and value.dtype in (np.float64, np.float32) else arguments.real(name, value)
    if array.ndim == 0 or array.size == 0 or len(array) < 2:
        raise ArgumentError(
            name, "must have two rows or more, one for each bin", but=f"has shape {array.shape}"
        )
    shape = array.shape[1:]
    return array.reshape(len(array), -1), shape


def sound(name: str, rows: Array, sums: Array) -> None:
    """Raise `ArgumentError` where sums of squares of rows are not finite: the rows are not, or they are large."""
    if np.isfinite(sums).all():
        return
    arguments.real(name, np.asarray(rows))
    raise ArgumentError(name, "must have squares that a float can sum", but="holds larger numbers")


def response(value: Any, bins: int, name: str = "response") -> Array:
    """Return one number for each bin, not all of them equal."""
    array = arguments.near_one(name, arguments.real(name, given(name, value)))
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.shape != (bins,):
        raise ArgumentError(
            name,
            f"must have {bins} numbers, one for each row of the stimulus",
            but=f"has shape {array.shape}",
        )
    if (array == array[0]).all():
        raise ArgumentError(
            name, "must vary", but="is constant", help="A cell that says nothing has no filter."
        )
    return array


def trials(value: Any, name: str = "trials", *, counts: bool = False) -> Array:
    """Return repeats as (trials, bins), two or more of each."""
    array = arguments.near_one(name, arguments.real(name, given(name, value)))
    if array.ndim != 2 or array.shape[1] < 2:
        raise ArgumentError(
            name, "must be of shape (trials, bins), two bins or more", but=f"has shape {array.shape}"
        )
    if len(array) < 2:
        help = "One trial does not tell noise from signal: repeat the stimulus."
        raise ArgumentError(name, "must hold two trials or more", but=f"holds {len(array)}", help=help)
    if counts and (array < 0).any():
        raise ArgumentError(name, "must not hold negative counts", float(array[array < 0].flat[0]))
    return array


def covariance(name: str, value: Any, size: int, ridge: float = 0.0) -> Array:
    """Return a covariance matrix of positive eigenvalues; a number is a variance, a vector the diagonal."""
    array = arguments.near_one(name, arguments.real(name, value))
    if array.ndim == 0:
        array = np.eye(size) * float(array)
    elif array.ndim == 1 and array.shape == (size,):
        array = np.diag(array)
    if array.shape != (size, size):
        raise ArgumentError(name, f"must be of shape ({size}, {size})", but=f"has shape {array.shape}")
    largest = float(np.abs(array).max())
    if (apart := float(np.abs(array - array.T).max())) > 1e-8 * largest:
        raise ArgumentError(name, "must be symmetric", but=f"differs from its transpose by {apart:.2g}")
    array = (array + array.T) / 2 + ridge * np.eye(size)
    values = np.linalg.eigvalsh(array)
    if values[0] <= 1e-12 * values[-1]:
        kind = "negative eigenvalues" if values[0] < -1e-8 * values[-1] else "directions without variance"
        help = "Pass ridge= to hold them, or leave out what does not vary."
        raise ArgumentError(name, "must not be singular", but=f"has {kind}", help=help)
    return array
