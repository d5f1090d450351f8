"""Samples of finished cells, in SQLite, one transaction a cell: what is stored survives a kill, and is never doubted.

``run.sqlite`` uses a write-ahead log and has one writer, the coordinating process. Each row says what it holds (the
key, which is the hash of all that the samples depend on, and the parts of the cell) and carries a checksum of all
that it says, so that neither a changed sample nor another row is ever taken for the one that was asked for. A
database that is damaged, truncated or not ours is set aside under another name and started afresh; never read.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import numpy as np

from widelimit.theory.errors import StoreError
from widelimit.validate.harness.running import atomic
from widelimit.validate.harness.running.cells import Cell, Done

NAME = "run.sqlite"
_FORMAT = 2
_MARK = 0x776C696D  # application id "wlim"
_TABLE = """CREATE TABLE cells (
    key TEXT PRIMARY KEY, claim TEXT NOT NULL, inputs TEXT NOT NULL, size INTEGER NOT NULL,
    start INTEGER NOT NULL, count INTEGER NOT NULL, columns INTEGER NOT NULL,
    samples BLOB NOT NULL, checksum TEXT NOT NULL, seconds REAL NOT NULL, stored REAL NOT NULL
) STRICT"""
_SCHEMA = [("index", "sqlite_autoindex_cells_1", "cells", None), ("table", "cells", "cells", _TABLE)]
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_REFUSED = (
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
)  # fmt: skip
_UNREADABLE = (sqlite3.Error, ValueError, TypeError, OverflowError)  # what damaged pages make of rows
_SHORT_READ = 522  # SQLITE_IOERR_SHORT_READ: pages are missing; other I/O errors are the disk's


class Store:
    """The finished cells of a run's folder; a context manager.

    `set_aside` is where a damaged database went, if there was one, and `damage` says what was wrong with it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
    ...     len(store)
    0
    """

    def __init__(self, folder: Path) -> None:
        """Open or create ``folder/run.sqlite``, and sweep what killed runs left half-written in the folder.

        Raises `StoreError` where another run has it open, or where the system does not let it be read and written.
        """
        self.folder = atomic.folder(Path(folder))
        self.path = self.folder / NAME
        self.set_aside: Path | None = None
        self.damage = ""
        try:
            self._connection = self._open()
        except _Damaged as damage:
            self.set_aside, self.damage = self._move_away(), str(damage)
            self._connection = self._open()
        self._identity = _identity(self.path)
        atomic.sweep(self.folder)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM cells").fetchone()[0])

    def close(self) -> None:
        """Fold the log into the database and let go of it."""
        self._connection.close()

    def check(self) -> None:
        """Raise `StoreError` if the database is no longer where it was: what is stored in it would be lost."""
        if self._identity is None or _identity(self.path) != self._identity:
            raise StoreError(
                f"Folder {self.folder} was removed or replaced while a run wrote to it, and the run's results with it. "
                "Run the same command again, and leave the folder where it is."
            )

    def get(self, cell: Cell) -> Done | None:
        """Return the samples of a cell if they are stored, and are what was stored for this very cell."""
        query = (
            "SELECT claim, inputs, size, start, count, columns, seconds, stored, samples, checksum "
            "FROM cells WHERE key = ?"
        )
        with self._saying("read"):
            row = self._connection.execute(query, (cell.key,)).fetchone()
        if row is None or not _holds(cell.key, row):
            return None
        columns, seconds, samples = row[5], row[6], row[8]
        return Done(np.frombuffer(samples, dtype="<f8").reshape(cell.count, columns).copy(), seconds)

    def put(self, cell: Cell, done: Done) -> None:
        """Store a finished cell in a transaction of its own; it is on the disk when this returns.

        Raises `StoreError` where the disk is full, the file cannot be written or the folder is gone; what was stored
        before is kept.
        """
        self.check()
        data = np.ascontiguousarray(done.samples, dtype="<f8").tobytes()
        inputs = json.dumps(dict(cell.inputs), sort_keys=True)
        what = (cell.id, inputs, cell.size, cell.start, cell.count, done.samples.shape[1])
        when = (float(done.seconds), time.time())
        checksum = _checksum(cell.key, (*what, *when), data)
        with self._saying("stored"), self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (cell.key, *what, data, checksum, *when),
            )

    def _open(self) -> sqlite3.Connection:
        if not os.path.lexists(self.path):
            _create(self.path)
        if not self.path.is_file():
            raise _Damaged("it is no file")
        if not os.access(self.path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise StoreError(
                f"Database {self.path} cannot be read and written: permission denied. Choose another folder."
            )
        try:
            connection = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=rw", timeout=1.0, uri=True)
        except sqlite3.Error as error:
            raise _explained(self.path, "opened", error) from error
        try:
            # The lock is the process's, so that a kill releases it, and the log needs no shared memory.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA cell_size_check = ON")
            _recognise(connection)  # before anything is written to what may not be ours
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                _check(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, _UNREADABLE):
                raise _understood(self.path, error) from error
            raise
        return connection

    def _move_away(self) -> Path:
        """Rename the database and its log; names count up, so that nothing is overwritten."""
        number = 1
        while os.path.lexists(target := self.path.with_name(f"{NAME}.damaged-{number}")):
            number += 1
        try:
            for suffix in ("", "-wal", "-shm", "-journal"):
                with suppress(FileNotFoundError):
                    os.rename(self.path.with_name(NAME + suffix), target.with_name(target.name + suffix))
        except OSError as error:
            raise StoreError(f"Damaged {self.path} cannot be set aside: {atomic.reason(error)}.") from error
        return target

    @contextmanager
    def _saying(self, verb: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self.check()
            raise _explained(self.path, verb, error) from error


class _Damaged(Exception):
    """The file is no healthy database of ours."""


def _create(path: Path) -> None:
    """Make an empty database that appears whole; nothing happens where another process was faster."""
    temporary = atomic.beside(path)
    try:
        connection = sqlite3.connect(temporary)
        try:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute(f"PRAGMA application_id = {_MARK}")
            connection.execute(f"PRAGMA user_version = {_FORMAT}")
            connection.execute(_TABLE)
        finally:
            connection.close()
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            os.rename(temporary, path)
    except sqlite3.Error as error:
        raise _explained(path, "created", error) from error
    except OSError as error:
        raise StoreError(f"Database {path} could not be created: {atomic.reason(error)}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _recognise(connection: sqlite3.Connection) -> None:
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if (mark, version) != (_MARK, _FORMAT):
        raise _Damaged("it is not a database of this version of widelimit")


def _check(connection: sqlite3.Connection) -> None:
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type").fetchall()
    if found != _SCHEMA:
        raise _Damaged("its tables are not those of a run")
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise _Damaged(" ".join(str(found).split()))
    query = "SELECT key, claim, inputs, size, start, count, columns, seconds, stored, samples, checksum FROM cells"
    for key, *row in connection.execute(query):
        if not _holds(key, row):
            raise _Damaged(f"cell {str(key)[:12]} is not what was stored")


def _holds(key: str, row: tuple | list) -> bool:
    """Whether a row is what was stored under this key; `row` ends with the samples and the checksum."""
    *what, data, checksum = row
    return _checksum(key, what, data) == checksum


def _checksum(key: str, what: tuple | list, data: bytes) -> str:
    said = json.dumps([key, *what])  # numbers as Python prints them, which is all their digits
    return hashlib.sha256(said.encode() + b"\n" + data).hexdigest()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _understood(path: Path, error: Exception) -> Exception:
    """Say what a failure to open means: another run, a system that refuses, or damage."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # text that is none, numbers that are none: not what was stored
        return _Damaged(" ".join(str(error).split()))
    if code & 0xFF in _BUSY:
        return StoreError(f"Another run has {path} open. Wait for it to end, or choose another folder.")
    if code != _SHORT_READ and code & 0xFF in _REFUSED:
        return _explained(path, "read and written", error)
    return _Damaged(str(error))


def _explained(path: Path, verb: str, error: Exception) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    what = "the disk is full" if code == sqlite3.SQLITE_FULL else str(error)
    return StoreError(
        f"Results could not be {verb} in {path}: {what}. What was stored before is kept: "
        "put that right and run the same command again."
    )
