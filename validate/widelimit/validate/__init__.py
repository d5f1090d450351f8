"""Floor 3, validation: torch simulations, statistics, runs, reports and the command line."""

from typing import Any

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    """A room of this floor by attribute, imported when it is asked for (`widelimit.theory.calculus.lazily`)."""
    from widelimit.theory.calculus.lazily import rooms

    return rooms(__name__)[0](name)


def __dir__() -> list[str]:
    from widelimit.theory.calculus.lazily import rooms

    return rooms(__name__)[1]()
