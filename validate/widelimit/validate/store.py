"""Samples of finished cells, in SQLite, one transaction a cell: what is stored survives a kill, and is
never doubted.

``run.sqlite`` uses a write-ahead log and has one writer, the coordinating process. Each row holds the
samples of a cell under the hash of what they depend on, with a checksum of their own. A database that is
damaged, truncated or not ours is set aside under another name and started afresh; it is never read.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np

from widelimit.theory.errors import StoreError
from widelimit.validate import atomic
from widelimit.validate.cells import Cell, Done

NAME = "run.sqlite"
_FORMAT = 1
_MARK = 0x776C696D  # application id "wlim"
_TABLE = """
CREATE TABLE cells (
    key TEXT PRIMARY KEY, claim TEXT NOT NULL, inputs TEXT NOT NULL, size INTEGER NOT NULL,
    start INTEGER NOT NULL, count INTEGER NOT NULL, columns INTEGER NOT NULL,
    samples BLOB NOT NULL, checksum TEXT NOT NULL, seconds REAL NOT NULL, stored REAL NOT NULL
) STRICT
"""


class Store:
    """The finished cells of a run's folder; a context manager.

    `set_aside` is where a damaged database went, if there was one.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
    ...     len(store)
    0
    """

    def __init__(self, folder: Path) -> None:
        """Open or create ``folder/run.sqlite``; `StoreError` where another run has it open."""
        self.path = atomic.folder(Path(folder)) / NAME
        self.set_aside: Path | None = None
        try:
            self._connection = self._open()
        except _Damaged as damage:
            self.set_aside = self._move_away()
            self.damage = str(damage)
            self._connection = self._open()

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

    def get(self, cell: Cell) -> Done | None:
        """The samples of a cell if they are stored (and unharmed)."""
        query = "SELECT columns, samples, checksum, seconds FROM cells WHERE key = ?"
        with self._saying("read"):
            row = self._connection.execute(query, (cell.key,)).fetchone()
        if row is None or _checksum(row[1]) != row[2]:
            return None
        return Done(np.frombuffer(row[1], dtype="<f8").reshape(cell.count, row[0]).copy(), row[3])

    def put(self, cell: Cell, done: Done) -> None:
        """Store a finished cell in a transaction of its own; it is on the disk when this returns.

        Raises `StoreError` where the disk is full or the file cannot be written; what was stored before is
        kept.
        """
        data = np.ascontiguousarray(done.samples, dtype="<f8").tobytes()
        inputs = json.dumps(dict(cell.inputs), sort_keys=True)
        what = (cell.key, cell.id, inputs, cell.size, cell.start, cell.count, done.samples.shape[1])
        with self._saying("stored"), self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*what, data, _checksum(data), done.seconds, time.time()),
            )

    def _open(self) -> sqlite3.Connection:
        existed = self.path.exists()
        try:
            connection = sqlite3.connect(self.path, timeout=1.0)
        except sqlite3.Error as error:
            raise StoreError(f"Database {self.path} cannot be opened: {error}.") from error
        try:
            # The lock is the process's, so that a kill releases it, and the log needs no shared memory.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            if existed:
                _recognise(connection)  # before anything is written to what may not be ours
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                if existed:
                    _check(connection)
                else:
                    connection.execute(f"PRAGMA application_id = {_MARK}")
                    connection.execute(f"PRAGMA user_version = {_FORMAT}")
                    connection.execute(_TABLE)
        except (_Damaged, sqlite3.Error) as error:
            connection.close()
            if isinstance(error, _Damaged):
                raise
            if "locked" in str(error):
                raise StoreError(
                    f"Another run has {self.path} open. Wait for it to end, or choose another folder."
                ) from error
            if existed and isinstance(error, sqlite3.DatabaseError) and not _full(error):
                if isinstance(error, sqlite3.OperationalError) and "disk I/O" not in str(error):
                    raise StoreError(f"Database {self.path} cannot be opened: {error}.") from error
                raise _Damaged(str(error)) from error
            raise _explained(self.path, "created", error) from error
        return connection

    def _move_away(self) -> Path:
        """Rename the database and its log; names count up, so that nothing is overwritten."""
        number = 1
        while (target := self.path.with_name(f"{NAME}.damaged-{number}")).exists():
            number += 1
        try:
            for suffix in ("", "-wal", "-shm"):
                part = self.path.with_name(NAME + suffix)
                if part.exists():
                    part.rename(target.with_name(target.name + suffix))
        except OSError as error:
            raise StoreError(f"Damaged {self.path} cannot be set aside: {atomic.reason(error)}.") from error
        return target

    @contextmanager
    def _saying(self, verb: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _explained(self.path, verb, error) from error


class _Damaged(Exception):
    """The file is no healthy database of ours."""


def _recognise(connection: sqlite3.Connection) -> None:
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if (mark, version) != (_MARK, _FORMAT):
        raise _Damaged("it is not a database of this version of widelimit")


def _check(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _Damaged(found)
    for key, data, checksum in connection.execute("SELECT key, samples, checksum FROM cells"):
        if _checksum(data) != checksum:
            raise _Damaged(f"cell {key[:12]} is not what was stored")


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _full(error: sqlite3.Error) -> bool:
    return "full" in str(error)


def _explained(path: Path, verb: str, error: sqlite3.Error) -> StoreError:
    what = "the disk is full" if _full(error) else str(error)
    return StoreError(
        f"Results could not be {verb} in {path}: {what}. What was stored before is kept: "
        "put that right and run the same command again."
    )
