"""The files of a user's that a simulation rests on: those that it stands in, and the modules that these import.

Imports are read off the text, functions' own among them, and off the modules that are loaded, so that what was imported
by a name made at run time counts, too, where the module keeps it. Nothing is imported for it.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from widelimit.numerics.compile.cache.files import file_of

_INSTALLED = ("site-packages", "dist-packages")


def users(files: Iterable[Path]) -> tuple[set[Path], set[Path]]:
    """Return the user's files among these and those that they import, and the files of widelimit that they import.

    A package that is installed is left out, unless it holds one of `files`.
    """
    theirs: set[Path] = set()
    ours: set[Path] = set()
    open_ends = list(files)
    roots = {root(file) for file in open_ends if not _is_ours(file)}
    while open_ends:
        file = open_ends.pop()
        if _is_ours(file):
            ours.add(file)
        elif file not in theirs and (
            not is_installed(file) or any(one == file or one in file.parents for one in roots)
        ):
            theirs.add(file)
            module = _module_of(file)
            names = {*_imports(file, module), *_held(module)}
            open_ends += [one for name in names for one in _files(name) if one not in theirs]
    return theirs, ours


def root(file: Path) -> Path:
    """Return the folder of the outermost package that a file is in; the file itself where it is in none."""
    root = file
    while (root.parent / "__init__.py").is_file():
        root = root.parent
    return root


def _is_ours(file: Path) -> bool:
    return any(folder in file.parents for folder in _our_folders())


@cache
def _our_folders() -> tuple[Path, ...]:
    floors = (file_of(f"widelimit.{floor}") for floor in ("theory", "numerics", "validate"))
    return tuple(file.parent for file in floors if file)


def is_installed(file: Path) -> bool:
    """Whether a file belongs to Python's library or to an installed package.

    >>> is_installed(Path(ast.__file__)), is_installed(Path(__file__))
    (True, False)
    """
    if set(_INSTALLED) & set(file.parts):
        return True
    return any(folder in file.parents for folder in _library())


@cache
def _library() -> tuple[Path, ...]:
    """Where Python's own library lies."""
    return tuple({Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")})


def _module_of(file: Path) -> ModuleType | None:
    """The module that was loaded from a file, if one was."""
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType) and vars(module).get("__file__") == str(file):
            return module
    return None


def _imports(file: Path, module: ModuleType | None) -> Iterator[str]:
    """The full names of modules, or of what is in them, that a file imports anywhere."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # a compiled extension, or what is no Python any more
        return
    package = str(vars(module).get("__package__") or "") if module is not None else _package(file)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*filter(None, above), *filter(None, [node.module])])
            yield from (base, *(f"{base}.{one.name}" for one in node.names))


def _package(file: Path) -> str:
    """The package that a file is in, by the folders that it lies in."""
    outermost = root(file)
    return "" if outermost == file else ".".join((outermost.name, *file.relative_to(outermost).parts[:-1]))


def _held(module: ModuleType | None) -> Iterator[str]:
    """The names of modules that a module holds, or holds functions and classes of."""
    for value in list(vars(module).values()) if module is not None else ():
        name = value.__name__ if isinstance(value, ModuleType) else _home(value)
        if isinstance(name, str):
            yield name


def _home(value: Any) -> Any:
    try:
        return getattr(value, "__module__", None)
    except Exception:  # an object with a __getattr__ of its own
        return None


def _files(name: str) -> Iterator[Path]:
    """The files that an import of this name runs: of packages from the outermost, and of the module."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or not name:
        return
    where: Any = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        spec = _spec(".".join(parts[:count]), where)
        if spec is None:  # what is in the last module
            return
        if spec.origin and spec.has_location:
            yield Path(spec.origin).resolve()
        where = spec.submodule_search_locations
        if where is None:
            return


def _spec(name: str, where: Any) -> ModuleSpec | None:
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    if isinstance(loaded, ModuleSpec):
        return loaded
    try:
        return importlib.util.find_spec(name) if where is None else PathFinder.find_spec(name, list(where))
    except (ImportError, ValueError, AttributeError, TypeError):
        return None
