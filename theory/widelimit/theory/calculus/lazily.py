"""Rooms of a floor by attribute, imported when they are asked for: start-up stays as it is.

``from widelimit import numerics; numerics.meanfield`` works like ``from widelimit.numerics import meanfield``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pkgutil import iter_modules
from typing import Any

UNKNOWN = "0+unknown"  # run from a folder of sources that nobody installed


def rooms(floor: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a floor: its modules, and ``__version__``."""
    package = sys.modules[floor]

    def modules() -> set[str]:
        return {found.name for found in iter_modules(package.__path__) if not found.name.startswith("_")}

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return installed_version()
        if not name.startswith("_") and name in modules():
            return import_module(f"{floor}.{name}")
        raise AttributeError(f"module {floor!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*vars(package), *modules(), "__version__"})

    return __getattr__, __dir__


def installed_version() -> str:
    """The version of widelimit that is installed."""
    try:
        return version("widelimit")
    except PackageNotFoundError:
        return UNKNOWN
