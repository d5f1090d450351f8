"""Which code a claim's samples come from: the file that simulates, and all of widelimit that it imports.

A stored cell is only taken for the one at hand if this code is the same, to the byte. What the simulation does not
import (other topics, reports, statistics) can change without a cell being computed again.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from widelimit.validate.claim import Claim

_OURS = "widelimit."
_ALWAYS = ("widelimit.validate.backend", "widelimit.validate.seeds")  # generators and seeds come from these


def fingerprint(claim: Claim) -> str:
    """Hash the files that the claim's samples depend on.

    >>> len(fingerprint(Claim("a.b", "", "", "", {}, {}, abs, fingerprint, ())))
    64
    """
    files = {_file(name) for name in _ALWAYS} | {_source(one) for one in _functions(claim.simulate)}
    hasher = hashlib.sha256()
    for file in sorted(_closure(frozenset(files - {None})), key=lambda one: (one.name, str(one))):
        hasher.update(file.name.encode() + b"\0" + file.read_bytes())
    return hasher.hexdigest()


@cache
def _closure(files: frozenset[Path]) -> frozenset[Path]:
    """These files and those of widelimit that they import, directly or not, wherever in the file."""
    found: set[Path] = set()
    open_ends = list(files)
    while open_ends:
        file = open_ends.pop()
        if file not in found:
            found.add(file)
            open_ends += [one for name in _imports(file) if (one := _file(name))]
    return frozenset(found)


@cache
def _imports(file: Path) -> tuple[str, ...]:
    """Names of modules of ours, or of what is in them, that a file imports anywhere."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names += [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
    return tuple(name for name in names if name.startswith(_OURS))


@cache
def _file(module: str) -> Path | None:
    """The file of a module of ours, found without importing it; None where the name is an attribute of one."""
    floor, *parts = module.removeprefix(_OURS).split(".")
    spec = importlib.util.find_spec(_OURS + floor)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent.joinpath(*parts)
    return next((one for one in (path / "__init__.py", path.with_suffix(".py")) if one.is_file()), None)


def _functions(function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """A function and those that were bound to it as arguments."""
    if isinstance(function, partial):
        yield from _functions(function.func)
        for one in (*function.args, *function.keywords.values()):
            if callable(one):
                yield from _functions(one)
    else:
        yield function


def _source(function: Callable[..., Any]) -> Path | None:
    whole = inspect.unwrap(function)
    try:
        file = inspect.getsourcefile(
            whole if inspect.isroutine(whole) or inspect.isclass(whole) else type(whole)
        )
    except TypeError:  # built in
        return None
    return Path(file) if file else None
