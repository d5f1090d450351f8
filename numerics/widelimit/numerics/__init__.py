"""Floor 2, numeric: theory made fast by generated, numba-jitted solvers."""

from typing import Any

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    """A room of this floor by attribute, imported when it is asked for (`widelimit.theory.calculus.lazily`)."""
    from widelimit.theory.calculus.lazily import rooms

    return rooms(__name__)[0](name)


def __dir__() -> list[str]:
    from widelimit.theory.calculus.lazily import rooms

    return rooms(__name__)[1]()
