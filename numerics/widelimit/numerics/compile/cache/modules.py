"""Generated modules and what was derived for them, kept in a folder between processes.

`module(key, write)` imports the module named by `key`, writing its source first if no process has.
`remembered(key, derive)` does the same for expressions and numbers, so that a derivation runs once per machine.
A key hashes everything that the result depends on, the sources of widelimit included: an entry is never stale, only
unused. A file is used only if it is what was written under its key, and is written again otherwise.

private where the files are, and that nobody else can write there
code    numba's machine code beside generated modules
trees   expressions as JSON
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import logging
import sys
import threading
from collections.abc import Callable
from importlib.abc import SourceLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import mpmath
import numba
import numpy
import scipy
import sympy

from widelimit.numerics.compile.cache import code, private, trees
from widelimit.numerics.compile.cache.private import folder
from widelimit.theory.errors import InternalError

__all__ = ["digest", "folder", "module", "remembered", "sources"]
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
    """Return a hash of the toolchain and of all Python sources of `package`, in its subpackages too.

    With `names`, only of the modules or subpackages called so (``"pieces"``, ``"freeprob/law"``, ``"freeprob"``).
    Raises `InternalError` for a name that is neither: its changes would go unseen.
    """
    spec = importlib.util.find_spec(package)
    tree = {}
    for root in spec.submodule_search_locations or () if spec is not None else ():
        for path in Path(root).rglob("*.py"):
            tree[path.relative_to(root).with_suffix("").as_posix()] = path
    for name in names:
        if not any(_within(inside, name) for inside in tree):
            raise InternalError(f"Package {package} has no module {name}, which a key of the cache asks for.")
    if names:
        tree = {inside: path for inside, path in tree.items() if any(_within(inside, name) for name in names)}
    tools = (numba, numpy, scipy, sympy, mpmath)
    versions = (*(tool.__version__ for tool in tools), sys.version)
    return digest(*versions, *(f"{name}\n{tree[name].read_text(encoding='utf-8')}" for name in sorted(tree)))


def _within(inside: str, name: str) -> bool:
    return inside == name or inside.startswith(f"{name}/")


def module(key: str, write: Callable[[], str]) -> ModuleType:
    """Import the generated module called `key`, calling `write` for its source if the cache does not have it.

    The module's ``SOURCE`` is that text.
    """
    name = f"{code.GENERATED}{key}"
    with _lock:
        if name in sys.modules:
            return sys.modules[name]
        path = folder() / f"{name}.py"
        text = private.read(path.name)
        if text is None:
            text = write().encode()
            path = private.write(path.name, text)
        spec = importlib.util.spec_from_loader(name, _Loader(path, private.sealed(path.name, text)))
        assert spec is not None and spec.loader is not None
        found = importlib.util.module_from_spec(spec)
        vars(found)["SOURCE"] = text.decode()
        sys.modules[name] = found
        try:
            spec.loader.exec_module(found)
            code.seal(found)
        except BaseException:
            del sys.modules[name]
            raise
        return found


class _Loader(SourceLoader):
    """Runs the text that was checked; no bytecode beside it, which nobody checks."""

    def __init__(self, path: Path, text: bytes) -> None:
        self._path, self._text = path, text

    def get_filename(self, fullname: str) -> str:
        return str(self._path)

    def get_data(self, path: str) -> bytes:
        return self._text


def remembered(key: str, derive: Callable[[], Any], *records: type) -> Any:
    """Return what is called `key`, calling `derive` if it is not in the cache.

    Expressions, numbers, text, lists, tuples and the dataclasses `records` of these are kept; everything else is
    derived by each process.
    """
    name = f"{key}.json"
    text = private.read(name)
    if text is not None:
        try:
            return trees.loads(text.decode(), records)
        except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
            _log.debug("%s: %s", name, error)
    found = derive()
    try:
        text = trees.dumps(found).encode()
        if trees.loads(text.decode(), records) == found:
            private.write(name, text)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        _log.debug("%s is not kept: %s", name, error)
    return found
