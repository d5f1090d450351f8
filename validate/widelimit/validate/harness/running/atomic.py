"""Write files whole or not at all: into a temporary neighbour, then ``os.replace``."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from widelimit.theory.errors import ArgumentError, StoreError

_ROOM = (errno.ENOSPC, errno.EDQUOT)
_TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and move it there if the block ends well.

    A reader sees the old file or the new one, never half of it. A link's file is replaced, not the link; what is no
    file (a pipe, ``/dev/stdout``) is written to as it is. Raises `StoreError` where the disk is full or the folder
    cannot be written.
    """
    path = Path(path)
    temporary = beside(path)
    try:
        if _is_no_file(path):
            yield path
            return
        if path.is_symlink():
            path = Path(os.path.realpath(path))
            temporary = beside(path)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise StoreError(f"File {path} could not be written: {reason(error)}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _is_no_file(path: Path) -> bool:
    """Whether there is a pipe, a terminal or a folder at a path."""
    return path.exists() and not path.is_file()


def beside(path: Path) -> Path:
    """Return the name of this process's temporary neighbour of a file."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def sweep(path: Path) -> None:
    """Remove temporary files of processes that are no more (killed while they wrote) from a folder.

    Call it where no other process of this user writes into the folder, or only such as run on this machine.
    """
    with suppress(OSError), os.scandir(path) as entries:
        for one in entries:
            match = _TEMPORARY.fullmatch(one.name)
            if match and (int(match[1]) == os.getpid() or not _alive(int(match[1]))):
                with suppress(OSError):
                    os.unlink(one)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass
    return True


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
    if not _is_no_file(path):
        folder(path.parent)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        if temporary != path:
            os.fsync(file.fileno())
    return path


def folder(path: Path) -> Path:
    """Make a folder that can be written to, or raise `ArgumentError` for the argument `out`."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):  # has no name, so that a kill leaves nothing
            pass
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
