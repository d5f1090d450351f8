"""Which files of widelimit a file of code rests on: itself and all that it imports, directly or not, on any floor.

What was compiled or simulated is kept under a hash of these files, so that an edit anywhere below makes it anew. The
files are read as text, and nothing is imported: this runs whenever a floor is loaded, and takes milliseconds.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

OURS = "widelimit."
_FROM = re.compile(rb"^[ \t]*from[ \t]+(widelimit[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)", re.M)
_IMPORT = re.compile(rb"^[ \t]*import[ \t]+([^\n]*\bwidelimit\b[^\n]*)", re.M)
_FOR_TYPES = re.compile(rb"^if TYPE_CHECKING:\n(?:[ \t]+[^\n]*\n|[ \t]*\n)+", re.M)
_COMMENT = re.compile(rb"#[^\n]*")
_NAME = re.compile(r"[\w.]+")


def closure(files: Iterable[Path], *, outside: tuple[str, ...] = ()) -> frozenset[Path]:
    """Return these files and those of widelimit that they import, wherever in the file; none of the packages `outside`.

    >>> names = {file.name for file in closure([Path(__file__)])}
    >>> names
    {'files.py'}
    """
    return _closure(frozenset(files), outside)


@cache
def _closure(files: frozenset[Path], outside: tuple[str, ...]) -> frozenset[Path]:
    found: set[Path] = set()
    open_ends = list(files)
    while open_ends:
        file = open_ends.pop()
        if file not in found:
            found.add(file)
            names = [name for name in _imports(file) if not f"{name}.".startswith(outside)]
            open_ends += [one for name in names if (one := file_of(name))]
    return frozenset(found)


@cache
def _imports(file: Path) -> tuple[str, ...]:
    try:
        return imported(file.read_bytes())
    except OSError:
        return ()


def imported(text: bytes) -> tuple[str, ...]:
    """Return the names of modules of widelimit, or of what is in them, that a source imports anywhere.

    Absolute imports of the usual forms are read, which a test holds all files to; those for types alone never run.

    >>> imported(b"from widelimit.theory import (\\n    errors,  # comment\\n    exact as e,\\n)\\nimport numpy")
    ('widelimit.theory', 'widelimit.theory.errors', 'widelimit.theory.exact')
    >>> imported(b"if TYPE_CHECKING:\\n    import widelimit.theory\\n\\nimport widelimit.numerics\\n")
    ('widelimit.numerics',)
    """
    text = _FOR_TYPES.sub(b"", text)
    names: list[str] = []
    for module, listed in _FROM.findall(text):
        names += [module.decode(), *(f"{module.decode()}.{one}" for one in _names(listed.strip(b"()")))]
    for listed in _IMPORT.findall(text):
        names += _names(listed)
    return tuple(name for name in names if name.startswith(OURS))


def _names(listed: bytes) -> list[str]:
    parts = _COMMENT.sub(b"", listed).decode(errors="replace").split(",")
    return [match[0] for one in parts if (match := _NAME.match(one.strip()))]


@cache
def file_of(module: str) -> Path | None:
    """Return the file of a module of ours, found without importing it; None for an attribute of one.

    >>> file_of("widelimit.numerics.compile.cache.files.closure") is None
    True
    """
    floor, *parts = module.removeprefix(OURS).split(".")
    spec = importlib.util.find_spec(OURS + floor)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent.joinpath(*parts)
    return next((one for one in (path / "__init__.py", path.with_suffix(".py")) if one.is_file()), None)
