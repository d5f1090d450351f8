"""Arrays of numbers in MATLAB's files: versions 4 to 7.2 by SciPy, 7.3 (HDF5) by h5py.

Only variables that are arrays of real numbers are read; objects, cells, structures and text are passed by. Shapes that
a file declares are checked against the memory that is free before anything is read; links to other files are not
followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from widelimit.numerics.files.reading import free_memory
from widelimit.numerics.files.table import Unreadable

Array = np.ndarray
_NUMERIC = frozenset(
    ["double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))]
)
_HDF5 = b"\x89HDF\r\n\x1a\n"


def arrays(path: Path) -> dict[str, Array]:
    """Read a file's arrays of real numbers by name; raises `Unreadable`, FileNotFoundError, OSError."""
    with path.open("rb") as file:
        head = file.read(520)
    found = _hdf5(path) if _HDF5 in (head[:8], head[512:520]) else _classic(path)
    if not found:
        raise Unreadable("holds no array of real numbers")
    return found


def _classic(path: Path) -> dict[str, Array]:
    """Versions 4 to 7.2."""
    from scipy.io import loadmat, whosmat

    try:
        with path.open("rb") as file:
            listed = whosmat(file)
        names = [name for name, _, kind in listed if kind in _NUMERIC]
        _affordable({name: shape for name, shape, _ in listed if name in names})
        with path.open("rb") as file:
            loaded = loadmat(file, variable_names=names)
    except Unreadable:
        raise
    except MemoryError:
        raise
    except Exception as error:  # damaged files raise many kinds
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Unreadable(f"is not a readable .mat file ({first})") from None
    return {name: np.asarray(loaded[name]) for name in names if name in loaded and _real(loaded[name])}


def hdf5(path: Path) -> dict[str, Array]:
    """Read the arrays of real numbers at the top of an HDF5 file by name; raises as `arrays` does."""
    with path.open("rb") as file:
        if file.read(8) != _HDF5:
            raise Unreadable("is not a readable HDF5 file")
    if not (found := {name: one.T for name, one in _hdf5(path).items()}):
        raise Unreadable("holds no array of real numbers")
    return found


def _hdf5(path: Path) -> dict[str, Array]:
    """Version 7.3, whose axes are stored in reverse."""
    try:
        import h5py
    except ImportError:
        raise Unreadable("is an HDF5 file (.mat of version 7.3 is), which h5py reads: install it") from None
    try:
        with h5py.File(path, "r") as file:
            there = dict(_datasets(file))
            _affordable({name: one.shape for name, one in there.items()})
            return {name: np.asarray(one[()]).T for name, one in there.items()}
    except Unreadable:
        raise
    except MemoryError:
        raise
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Unreadable(f"is not a readable HDF5 file ({first})") from None


def _datasets(file: Any) -> Iterator[tuple[str, Any]]:
    """Arrays of real numbers that lie in the file itself."""
    import h5py

    for name in file:
        if name.startswith("#") or not isinstance(file.get(name, getlink=True), h5py.HardLink):
            continue
        one = file[name]
        if not isinstance(one, h5py.Dataset) or one.is_virtual or one.external:
            continue
        if one.dtype.kind in "iuf" and "MATLAB_empty" not in one.attrs:
            yield name, one


def _real(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "iufb"


def _affordable(shapes: Mapping[str, tuple[int, ...]]) -> None:
    need = 0
    for shape in shapes.values():
        count = 8
        for length in shape:
            count *= int(length)
        need += count
    if 2 * need > free_memory():
        raise Unreadable(f"declares {need / 2**30:.1f} GiB of numbers, too many for the memory that is free")
