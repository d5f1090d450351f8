"""What is bound to a function by value: arguments of partials, closures, defaults, objects, constants that it names.

Of the functions met on the way, widelimit's own are followed into what is bound to them and stand for their files;
a user's are followed into the constants and functions that they name as well, and their code counts as it was loaded.
Those of Python and of installed packages count by their names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cached_property, partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import sympy

from widelimit.validate.harness.provenance.files import is_installed, root

_OURS = "widelimit."
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...), range, slice, np.generic)
_DEEPEST = 40


class Walk:
    """Everything that can be reached from a function: `files` that code stands in, `values` in the order met.

    >>> walk = Walk(partial(round, ndigits=3))
    >>> walk.files, walk.values[-1]
    (set(), 'int 3')
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        """Walk from a function."""
        self.files: set[Path] = set()
        self.values: list[str] = []
        self._root: Path | None = None  # of the package of the function that simulates
        self._seen: dict[int, Any] = {}  # keeps what it has seen alive, so that no address comes twice
        self._value(function, 0)

    def _say(self, *words: str) -> None:
        self.values.append(" ".join(words))

    def _value(self, value: Any, depth: int) -> None:
        if isinstance(value, _PLAIN):
            self._say(type(value).__name__, repr(value))
            return
        if id(value) in self._seen or depth > _DEEPEST:
            self._say("again")
            return
        self._seen[id(value)] = value
        if isinstance(value, partial):
            self._each("partial", (value.func, value.args, value.keywords), depth)
        elif isinstance(value, MethodType):
            self._each("method", (value.__func__, value.__self__), depth)
        elif isinstance(value, FunctionType):
            self._function(value, depth)
        elif isinstance(value, ModuleType):
            self._say("module", value.__name__)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, Mapping):
            self._each("mapping", [part for item in value.items() for part in item], depth)
        elif isinstance(value, list | tuple):
            self._each(type(value).__name__, value, depth)
        elif isinstance(value, set | frozenset):
            self._say("set", *sorted(map(repr, value)))
        elif (array := _array(value)) is not None:
            self._say("array", str(array.dtype), str(array.shape), array.tobytes().hex())
        else:
            self._object(value, depth)

    def _each(self, kind: str, parts: Any, depth: int) -> None:
        self._say(kind, str(len(parts)))
        for part in parts:
            self._value(part, depth + 1)

    def _function(self, value: FunctionType, depth: int) -> None:
        self._say("function", value.__qualname__)
        if not self._file(value):
            return
        closure = [cell.cell_contents for cell in value.__closure__ or () if _filled(cell)]
        self._each("bound", (value.__defaults__, value.__kwdefaults__, closure), depth)
        if wrapped := vars(value).get("__wrapped__"):
            self._value(wrapped, depth + 1)
        if not _is_ours(value):
            self._say(*_code(value.__code__))
            for name in _names(value.__code__):
                self._named(name, value.__globals__.get(name), depth)

    def _named(self, name: str, value: Any, depth: int) -> None:
        """A constant that a user's function names; what can change while it runs (a memory of results) is left out."""
        kept = (*_PLAIN, tuple, frozenset, np.ndarray, FunctionType, partial)
        if value is not None and isinstance(value, kept) and not (callable(value) and _is_ours(value)):
            self._say("name", name)
            self._value(value, depth + 1)

    def _class(self, value: type) -> None:
        self._say("class", value.__module__, value.__qualname__)
        for one in value.__mro__:
            self._file(one)

    def _object(self, value: Any, depth: int) -> None:
        """An instance: its class, and what it holds."""
        self._class(type(value))
        if isinstance(name := getattr(value, "__name__", None), str):  # of what is built in
            self._say(name)
        if isinstance(value, sympy.Basic):
            self._say(sympy.srepr(value))
            return
        for name, held in _held(value):
            self._say(name)
            self._value(held, depth + 1)

    def _file(self, value: Any) -> bool:
        """Note the file that a function or class stands in; return whether it is to be followed."""
        try:
            found = inspect.getsourcefile(value)
        except (TypeError, OSError):  # built in, or of a session
            return isinstance(value, FunctionType)
        if not found or not Path(found).is_file():
            return True
        file = Path(found).resolve()
        self._root = self._root or root(file)
        if is_installed(file) and not _is_ours(value) and self._root not in (file, *file.parents):
            return False
        self.files.add(file)
        return True


def _is_ours(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).startswith(_OURS)


def _held(value: Any) -> Iterator[tuple[str, Any]]:
    """What an instance was made with: the fields of a dataclass, else its attributes, without what it remembers."""
    if is_dataclass(value):
        names = [field.name for field in fields(value)]
    else:
        slots = [name for one in type(value).__mro__ for name in _slots(one)]
        names = [*slots, *(vars(value) if hasattr(value, "__dict__") else ())]
    for name in names:
        if hasattr(value, name) and not isinstance(getattr(type(value), name, None), cached_property):
            yield name, getattr(value, name)


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # a name that has no value yet
        return False


def _names(code: CodeType) -> list[str]:
    """The names that code asks for, in the functions inside it as well."""
    inner = [name for one in code.co_consts if isinstance(one, CodeType) for name in _names(one)]
    return list(dict.fromkeys([*code.co_names, *inner]))


def _code(code: CodeType) -> list[str]:
    """What code does, wherever it stands."""
    constants = [
        " ".join(_code(one))
        if isinstance(one, CodeType)
        else " ".join(sorted(map(repr, one)))
        if isinstance(one, frozenset)
        else repr(one)
        for one in code.co_consts
    ]
    return ["code", code.co_code.hex(), *code.co_names, *constants]


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _array(value: Any) -> np.ndarray | None:
    """Numbers of NumPy or torch."""
    try:
        if hasattr(value, "detach"):
            value = value.detach().cpu().numpy()
        elif not isinstance(value, np.ndarray):
            return None
    except Exception:  # what looks like a tensor and is none
        return None
    return None if value.dtype.hasobject else np.ascontiguousarray(value)
