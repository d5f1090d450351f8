"""Machine code in the cache folder, each file with a seal of its own: of generated modules and of the floor's loops.

numba keeps what it compiled in files that it unpickles. Here they lie in a folder closed to others, and one that is not
what was written counts as missing: the function is compiled again. numba also looks no further than the file of a
function for changes, though the code of functions and constants of other files is compiled into it. `njit` looks at
all files of widelimit that this file imports, directly or not.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from numba.core import typeinfer
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, _CacheLocator
from numba.core.dispatcher import Dispatcher

from widelimit.numerics.compile.cache import files, linking, private

_log = logging.getLogger(__name__)
_LENGTH = 32  # bytes of a seal, at the end of a file, where unpickling never gets to
_FOLDER = "machine"
GENERATED = "widelimit_generated_"  # how names of generated modules begin; a hash follows


def njit(*signature: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """As ``numba.njit(signature, cache=True, ...)``, with machine code that follows edits of all files it rests on.

    It lies in the cache folder: the package itself need not be writable. `options` are numba's; `cache` is always on.

    >>> @njit(nogil=True)
    ... def twice(x):
    ...     return 2 * x
    >>> twice(1.5)
    3.0
    """
    options.pop("cache", None)

    def compiled(function: Callable[..., Any]) -> Any:
        made = linking.njit(**options)(function)
        if not isinstance(made, Dispatcher):  # NUMBA_DISABLE_JIT
            return made
        if Path(function.__code__.co_filename).is_file():
            vars(made)["_cache"] = _Kept(function)
        if signature:
            with typeinfer.register_dispatcher(made):
                made.compile(signature[0])
            made.disable_compile()
        return made

    return compiled


def seal(module: ModuleType) -> None:
    """Let the functions that a generated module defines keep their machine code in sealed files."""
    for value in vars(module).values():
        if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__:
            kept: Any = vars(value).get("_cache")
            if isinstance(kept, FunctionCache):  # it was declared with cache=True
                impl = kept._impl  # noqa: SLF001 - numba has no door to where it keeps machine code
                vars(kept)["_cache_file"] = _Sealed(
                    _FOLDER, impl.filename_base, impl.locator.get_source_stamp()
                )


class _Locator(_CacheLocator):
    """Where the machine code of a function of ours lies, and what it was made from."""

    def __init__(self, function: Any, file: str) -> None:
        self._py_file, self._function = file, function

    def get_cache_path(self) -> str:
        """A folder for each folder of sources: names of files repeat from room to room."""
        folder = Path(self._py_file).resolve().parent
        return f"{_FOLDER}/{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"

    def ensure_cache_path(self) -> None:
        """It is made when it is written to (`private.below`)."""

    def get_source_stamp(self) -> bytes:
        """Return a hash of the files that the function rests on, and of the generated modules that it calls."""
        called = "\0".join(sorted(generated(self._function)))
        return _stamp(self._py_file) + hashlib.sha256(called.encode()).digest()

    def get_disambiguator(self) -> str:
        return str(self._function.__code__.co_firstlineno)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator:
        return cls(py_func, py_file)


class _Impl(CompileResultCacheImpl):
    _locator_classes: Any = [_Locator]  # noqa: RUF012


class _Kept(linking.Entries):
    """numba's cache of one function, which looks for its files when it is first asked: by then all are imported."""

    _impl_class: Any = _Impl

    def __init__(self, function: Any) -> None:
        self._name, self._py_func = repr(function), function
        self._impl = self._impl_class(function)
        self._cache_path = self._impl.locator.get_cache_path()
        self.enable()

    def _opened(self) -> _Sealed:
        return _Sealed(self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())

    _cache_file: Any = cached_property(_opened)


def generated(function: Any) -> frozenset[str]:
    """Return the names of the generated modules whose functions a function calls, through others of ours or directly.

    Their names are hashes of what they compute: a theory that changes reaches machine code that was inlined.
    """
    found: set[str] = set()
    seen: set[Any] = set()
    open_ends = [function]
    while open_ends:
        one = open_ends.pop()
        if one in seen:
            continue
        seen.add(one)
        if one.__module__.startswith(GENERATED):
            found.add(one.__module__)
        names = one.__code__.co_names + one.__code__.co_freevars
        values = inspect.getclosurevars(one)
        called = (values.globals.get(name, values.nonlocals.get(name)) for name in names)
        open_ends += [value.py_func for value in called if isinstance(value, Dispatcher)]
    return frozenset(found)


@cache
def _stamp(file: str) -> bytes:
    """A hash of the files that a file rests on."""
    hasher = hashlib.sha256()
    for one in sorted(files.closure([Path(file)])):
        hasher.update(one.name.encode() + b"\0" + hashlib.sha256(one.read_bytes()).digest())
    return hasher.digest()


class _Sealed(IndexDataCacheFile):
    """numba's index and data files of one function, with a seal."""

    def __init__(self, where: str, name: str, stamp: Any) -> None:
        super().__init__(str(private.below(where)), name, stamp)

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
        private.replace(path, data + _hash(path.name, data))


def _intact(path: Path) -> bool:
    data = private.content(path)
    return data is not None and data[-_LENGTH:] == _hash(path.name, data[:-_LENGTH])


def _hash(name: str, data: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + data).digest()
