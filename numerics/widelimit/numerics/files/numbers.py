"""The numbers of a file that an argument names: one table or array, or a sentence that says why not."""

from __future__ import annotations

from pathlib import Path

from widelimit.numerics.files.reading import FORMATS, Array, kind, read
from widelimit.numerics.files.table import Table, Unreadable
from widelimit.theory.errors import ArgumentError


def numbers(name: str, path: str | Path) -> Array:
    """Return the numbers of a file: a table of text or Parquet, an array of .npy, the only one of .npz.

    Raises `ArgumentError` for what is no such file, holds text, or several arrays; nothing is unpickled.
    """
    path = Path(path)
    if not kind(path):
        raise ArgumentError(name, f"must be a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file", str(path))
    must = f"must be a readable {kind(path)} file"
    try:
        found = read(path)
    except FileNotFoundError:
        raise ArgumentError(name, "must be a file that exists", str(path)) from None
    except Unreadable as error:
        raise ArgumentError(name, must, but=f"{path} {error.reason}") from None
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ArgumentError(name, must, but=f"{path} cannot be read ({reason})") from None
    except MemoryError:
        raise ArgumentError(name, must, but=f"{path} does not fit in memory") from None
    if isinstance(found, dict):
        if len(found) != 1:
            raise ArgumentError(
                name, "must hold one array", but=f"holds {', '.join(list(found)[:20]) or 'none'}"
            )
        found = next(iter(found.values()))
    if isinstance(found, Table):
        if found.texts:
            raise ArgumentError(
                name, "must be numeric", but=f"{path} holds text in column {found.name(min(found.texts))}"
            )
        return found.values
    return found
