"""Generated modules and what was derived for them, kept in a folder between processes.

`module(key, write)` imports the module named by `key`, writing its source first if no process has.
`remembered(key, derive)` does the same for an object, so that a derivation runs once per machine.
The folder is ``$WIDELIMIT_CACHE``, else the user's cache folder, else (nothing writable) one that lives as long
as the process. A key hashes everything that the result depends on, the sources of widelimit included: an entry
is never stale, only unused.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import importlib.util
import logging
import os
import pickle
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy
import platformdirs
import scipy

_log = logging.getLogger(__name__)
_lock = threading.RLock()


def digest(*parts: str) -> str:
    """Return a name for `parts`: the first 32 hexadecimal digits of their SHA-256.

    >>> digest("a", "bc") == digest("ab", "c")
    False
    """
    return hashlib.sha256("\0".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()[:32]


@functools.cache
def sources(package: str, *names: str) -> str:
    """Return a hash of the toolchain and of the Python sources of `package` (only of `names`, if given)."""
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    files = sorted(
        path for folder in folders for path in Path(folder).glob("*.py") if not names or path.stem in names
    )
    versions = (numba.__version__, numpy.__version__, scipy.__version__, sys.version)
    return digest(*versions, *(f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in files))


def folder() -> Path:
    """Return the cache folder, created if need be."""
    chosen = os.environ.get("WIDELIMIT_CACHE")
    return _writable(chosen or platformdirs.user_cache_dir("widelimit", appauthor=False))


def module(key: str, write: Callable[[], str]) -> ModuleType:
    """Import the generated module called `key`, calling `write` for its source if it is not in the cache."""
    name = f"widelimit_generated_{key}"
    with _lock:
        if name in sys.modules:
            return sys.modules[name]
        path = folder() / f"{name}.py"
        if not path.exists():
            path = store(path.name, write().encode())
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        found = importlib.util.module_from_spec(spec)
        sys.modules[name] = found
        try:
            spec.loader.exec_module(found)
        except BaseException:
            del sys.modules[name]
            raise
        return found


def remembered(key: str, derive: Callable[[], Any]) -> Any:
    """Return the object called `key` (SymPy expressions, plain data), calling `derive` if it is not in the cache."""
    path = folder() / f"{key}.pickle"
    try:
        return pickle.loads(path.read_bytes())
    except Exception as error:  # not there, or not what this version of a library can read: derive it again
        _log.debug("%s: %s", path.name, error)
    found = derive()
    store(path.name, pickle.dumps(found))
    return found


def store(name: str, content: bytes) -> Path:
    """Write a file of the cache in one step: other processes see all of it or nothing."""
    try:
        return _replace(folder() / name, content)
    except OSError as error:
        _log.warning("the cache folder %s takes no files (%s); using a temporary one", folder(), error)
        return _replace(_temporary() / name, content)


def _replace(path: Path, content: bytes) -> Path:
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
    return path


@functools.lru_cache
def _writable(path: str) -> Path:
    chosen = Path(path).expanduser()
    try:
        chosen.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=chosen):
            return chosen
    except OSError as error:
        _log.warning("the cache folder %s is not writable (%s); using a temporary one", chosen, error)
        return _temporary()


@functools.cache
def _temporary() -> Path:
    path = Path(tempfile.mkdtemp(prefix="widelimit-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
