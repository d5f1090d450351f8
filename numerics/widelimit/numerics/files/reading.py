"""Tables of numbers from files, through one door: what they declare is checked before memory is asked for it.

    .csv .tsv .txt .dat, also .gz   text, whatever its separator, decimal sign and encoding   (text)
    .npy                            one array of NumPy
    .npz                            one array, or several by name
    .parquet                        columns, by pandas

Nothing is unpickled, and nothing is allocated that the file cannot fill. What is wrong with a file is said by
`Unreadable` as the rest of a sentence that starts with the file; every door makes its own sentence of it.
"""

from __future__ import annotations

import gzip
import io
import os
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from widelimit.numerics.files.table import Table, Unreadable, frame
from widelimit.numerics.files.text import parse

Array = np.ndarray
TEXT = (".csv", ".tsv", ".txt", ".dat")
FORMATS = (*TEXT, ".npy", ".npz", ".parquet")  # and text with .gz behind it
_MOST = 2**33  # bytes of text that a compressed file may hold
_HEADER = 2**16  # bytes of a header of .npy


def kind(path: Path) -> str:
    """The format of a file by its name, with ``.gz`` where it is compressed; empty where that is none of ours."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] == ".gz":
        return suffixes[0] + ".gz" if len(suffixes) == 2 and suffixes[0] in TEXT else ""
    return suffixes[-1] if suffixes and suffixes[-1] in FORMATS else ""


def read(path: Path) -> Table | Array | dict[str, Array]:
    """Read a table of text, an array, or the arrays of an archive; raises `Unreadable`, FileNotFoundError, OSError."""
    of = kind(path)
    if of == ".npy":
        with path.open("rb") as file:
            return _array(file, path.stat().st_size)
    if of == ".npz":
        return _archive(path)
    if of == ".parquet":
        return _parquet(path)
    if of:
        return parse(_bytes(path, compressed=of.endswith(".gz")))
    raise Unreadable(f"is none of {', '.join(FORMATS)}")


def free_memory() -> float:
    """Bytes of memory that are free, where the system says so; else infinity."""
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):
        return float("inf")


def _bytes(path: Path, *, compressed: bool) -> bytes:
    if not compressed:
        if path.stat().st_size > free_memory() / 4:
            raise Unreadable(
                f"has {path.stat().st_size / 2**30:.1f} GiB, too many for the memory that is free"
            )
        return path.read_bytes()
    most = int(min(_MOST, free_memory() / 4))
    try:
        with gzip.open(path) as file:
            content = file.read(most + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Unreadable(f"is not a complete .gz file ({error})") from None
    if len(content) > most:
        raise Unreadable(f"unpacks to more than {most / 2**30:.1f} GiB")
    return content


def _array(file: IO[bytes], size: int) -> Array:
    """One array of `.npy` format from a file of so many bytes."""
    shape, order, dtype = _header(file)
    if dtype.hasobject:
        raise Unreadable("holds Python objects, which are never unpickled")
    if dtype.kind not in "buif":
        what = "complex numbers" if dtype.kind == "c" else f"entries of type {dtype}"
        raise Unreadable(f"has {what}, but inputs must be real numbers")
    count = 1
    for length in shape:  # of Python, which do not overflow
        count *= length
    need, left = count * dtype.itemsize, size - file.tell()
    if need > left:
        text = f"declares the shape {shape}, {need} bytes of numbers, and holds {left}"
        raise Unreadable(f"is not a complete .npy file: it {text}")
    if 2 * need > free_memory():
        raise Unreadable(f"has {need / 2**30:.1f} GiB of numbers, too many for the memory that is free")
    content = file.read(need)
    if len(content) < need:
        raise Unreadable("is not a complete .npy file: it ends early")
    try:
        array = np.frombuffer(content, dtype, count).reshape(shape, order=order)  # type: ignore[call-overload]
    except ValueError:  # an empty array of more columns than NumPy can count
        raise Unreadable(f"declares the shape {shape}, which no array has") from None
    return np.asarray(array)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], str, np.dtype]:
    """Shape, order and type that a `.npy` file declares."""
    magic = file.read(8)
    if magic.startswith(b"PK\x03\x04"):
        raise Unreadable("is an archive of arrays: name it .npz")
    if len(magic) < 8 or magic[:6] != b"\x93NUMPY" or magic[6] not in (1, 2):
        raise Unreadable("is not a complete .npy file")
    reader = np.lib.format.read_array_header_1_0 if magic[6] == 1 else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = reader(file, max_header_size=_HEADER)
        if not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError
    except Exception:  # a damaged header can raise anything
        raise Unreadable("is not a complete .npy file: its header cannot be read") from None
    return shape, "F" if fortran else "C", dtype


def _archive(path: Path) -> dict[str, Array]:
    """The arrays of a `.npz` file, by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            declared = sum(info.file_size for info in members)
            if 2 * declared > free_memory() or declared > _MOST:
                raise Unreadable(f"declares {declared / 2**30:.1f} GiB, too many for the memory that is free")
            found = {}
            for info in members:
                if not info.filename.endswith(".npy"):
                    raise Unreadable(f"holds {info.filename}, which is no array of NumPy")
                with archive.open(info) as member:
                    content = member.read(info.file_size + 1)
                found[info.filename[:-4]] = _array(io.BytesIO(content), len(content))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise Unreadable(f"is not a complete .npz file ({error})") from None
    if not found:
        raise Unreadable("is empty: it holds no array")
    return found


def _parquet(path: Path) -> Table:
    try:
        import pandas

        return frame(pandas.read_parquet(path))
    except ImportError as error:
        raise Unreadable(f"needs another package to be read ({str(error).splitlines()[0]})") from None
    except (FileNotFoundError, MemoryError):
        raise
    except Exception as error:  # the parsers raise many kinds
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Unreadable(f"is not a readable .parquet file ({first})") from None
