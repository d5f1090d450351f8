"""Write files whole or not at all: into a temporary neighbour, then ``os.replace``."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from widelimit.theory.errors import ArgumentError, StoreError

_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and move it there if the block ends well.

    A reader sees the old file or the new one, never half of it. Raises `StoreError` where the disk is full
    or the folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise StoreError(f"File {path} could not be written: {reason(error)}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text; the folder is made where it is missing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(Path(folder) / "a" / "b.txt", "whole").read_text()
    'whole'
    """
    return write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> Path:
    """Write bytes, flushed to the disk before the old file is replaced."""
    path = Path(path)
    folder(path.parent)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return path


def folder(path: Path) -> Path:
    """Make a folder that can be written to, or raise `ArgumentError` for the argument `out`."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".probe.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        if error.errno in _ROOM:
            raise StoreError(f"Folder {path} cannot take results: {reason(error)}.") from error
        raise ArgumentError(
            "out", "must be a folder that can be written to", but=f"{path} cannot: {reason(error)}"
        ) from error
    return path


def reason(error: OSError) -> str:
    """Say in a few words why the system refused."""
    if error.errno in _ROOM:
        return "the disk is full; free some space and run the same command again"
    return (error.strerror or str(error)).lower()
