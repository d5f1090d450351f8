"""Files that an argument names: opened, or one sentence that says why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from widelimit.numerics.files.reading import FORMATS, Array, kind, read
from widelimit.numerics.files.table import Table, Unreadable
from widelimit.theory.errors import ArgumentError


def opened(
    name: str,
    path: str | Path,
    *,
    formats: Sequence[str] = FORMATS,
    of: Callable[[Path], str] = kind,
    reader: Callable[[Path], Any] = read,
) -> Any:
    """Return what `reader` finds in a file: a table, an array, the arrays of an archive.

    `of` names the format of a file, "" for none of `formats`. Raises `ArgumentError` for what is no such file.
    """
    place = Path(path)
    if not (found := of(place)):
        raise ArgumentError(name, f"must be a {', '.join(formats[:-1])} or {formats[-1]} file", str(path))
    must = f"must be a readable {found} file"
    try:
        return reader(place)
    except FileNotFoundError:
        raise ArgumentError(name, "must be a file that exists", str(path)) from None
    except Unreadable as error:
        raise ArgumentError(name, must, but=f"{place} {error.reason}") from None
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ArgumentError(name, must, but=f"{place} cannot be read ({reason})") from None
    except MemoryError:
        raise ArgumentError(name, must, but=f"{place} does not fit in memory") from None


def numbers(name: str, path: str | Path) -> Array:
    """Return the numbers of a file: a table of text or Parquet, an array of .npy, the only one of .npz.

    Raises `ArgumentError` for what is no such file, holds text, or several arrays; nothing is unpickled.
    """
    found = opened(name, path)
    if isinstance(found, dict):
        if len(found) != 1:
            listed = ", ".join(list(found)[:20]) or "none"
            raise ArgumentError(name, "must hold one array", but=f"holds {listed}")
        found = next(iter(found.values()))
    if isinstance(found, Table):
        if found.texts:
            column = found.name(min(found.texts))
            raise ArgumentError(name, "must be numeric", but=f"{path} holds text in column {column}")
        return found.values
    return found
