"""What was drawn, kept between pages: a second page of the same numbers by the same code costs next to nothing.

Sections, derivations and the papers' figures lie in the user's private folder (``$WIDELIMIT_CACHE``), never in that of
a run: they go into a page as they are, and a run's folder may come from a stranger. They are named by a hash of all
that made them: what was measured, every source of widelimit, and the versions of what it stands on. So nothing is ever
stale, only unused, and the longest unused go first. Where the folder takes no files, all is drawn again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from widelimit.numerics.compile.cache import digest, private, sources
from widelimit.theory.errors import WidelimitError

MOST = 64 * 2**20  # bytes
_FOLDER = "pages"
_FLOORS = ("widelimit.theory", "widelimit.numerics", "widelimit.validate")
_TOOLS = ("matplotlib", "torch", "scikit-learn")  # besides those that `sources` knows


def key(kind: str, *parts: str) -> str:
    """Name what these parts make: another kind, part, code or tool is another name.

    >>> key("section", "a", "b") == key("section", "a", "b"), key("section", "ab") == key("section", "a", "b")
    (True, False)
    """
    return digest(code(), kind, *parts)


@cache
def code() -> str:
    """A hash of all sources of widelimit, and of the tools that draw and compute."""
    return digest(*map(sources, _FLOORS), *map(version, _TOOLS))


def recall(name: str) -> bytes | None:
    """Return what was kept under a name; None if nothing was, or if it is not what was written."""
    with suppress(OSError, WidelimitError):
        found = private.read(name, _FOLDER)
        if found is not None:
            os.utime(private.folder() / _FOLDER / name)  # used: it goes last
        return found
    return None


def keep(name: str, content: bytes) -> None:
    """Keep something under a name, whole or not at all."""
    with suppress(OSError, WidelimitError):
        private.replace(private.below(_FOLDER) / name, private.sealed(name, content))


def prune(most: int = MOST) -> None:
    """Remove what has not been used for longest, until no more than so many bytes are left."""
    with suppress(OSError, WidelimitError), os.scandir(private.below(_FOLDER)) as entries:
        found = [(one.stat(follow_symlinks=False), one.path) for one in entries]
        room = most
        for about, path in sorted(found, key=lambda pair: -pair[0].st_mtime):
            room -= about.st_size
            if room < 0:
                Path(path).unlink(missing_ok=True)
