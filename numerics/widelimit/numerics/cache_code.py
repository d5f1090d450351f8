"""Machine code of generated modules, in the cache folder beside them, each file with a seal of its own.

numba keeps what it compiled in files that it unpickles. Here they lie in a folder closed to others, and one that is not
what was written counts as missing: the function is compiled again.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from numba.core.caching import IndexDataCacheFile
from numba.core.dispatcher import Dispatcher

from widelimit.numerics import cache_folder

_log = logging.getLogger(__name__)
_LENGTH = 32  # bytes of a seal, at the end of a file, where unpickling never gets to


def seal(module: ModuleType) -> None:
    """Let the functions that a generated module defines keep their machine code in sealed files."""
    for value in vars(module).values():
        if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__:
            kept: Any = vars(value).get("_cache")
            if hasattr(kept, "_cache_file"):  # it was declared with cache=True
                kept._cache_file = _Sealed(kept)


class _Sealed(IndexDataCacheFile):
    """numba's index and data files of one function, with a seal."""

    def __init__(self, kept: Any) -> None:
        where = str(cache_folder.below("machine"))
        super().__init__(where, kept._impl.filename_base, kept._impl.locator.get_source_stamp())

    def load(self, key: Any) -> Any:
        """Return what is stored under a key, None if it is missing or damaged."""
        try:
            return super().load(key)
        except Exception as error:
            _log.debug("%s: %s", self._index_path, error)
            return None

    def save(self, key: Any, data: Any) -> None:
        """Store machine code; where the folder takes no files, the next process compiles again."""
        try:
            super().save(key, data)
        except OSError as error:
            _log.warning("machine code could not be kept in %s (%s)", self._cache_path, error)

    def _load_index(self) -> dict:
        return super()._load_index() if _intact(Path(self._index_path)) else {}

    def _load_data(self, name: str) -> Any:
        if not _intact(Path(self._data_path(name))):
            raise FileNotFoundError(name)
        return super()._load_data(name)

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        buffer = io.BytesIO()
        yield buffer
        data, path = buffer.getvalue(), Path(filepath)
        cache_folder.replace(path, data + _hash(path.name, data))


def _intact(path: Path) -> bool:
    data = cache_folder.content(path)
    return data is not None and data[-_LENGTH:] == _hash(path.name, data[:-_LENGTH])


def _hash(name: str, data: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + data).digest()
