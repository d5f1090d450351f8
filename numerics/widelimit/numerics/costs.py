"""Requests that cannot end are refused with what they would cost, before anything is allocated."""

from __future__ import annotations

from widelimit.theory.errors import ArgumentError

MEMORY = 4 * 2**30  # bytes that one request may hold
TIME = 600.0  # seconds of one core that one request may take, by the estimates of the callers
_SIZES = ((2**50, "PiB"), (2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"))
_SPANS = ((365.25 * 86400, "years"), (86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"))


def affordable(
    name: str,
    value: int,
    *,
    memory: float = 0.0,
    seconds: float = 0.0,
    power: int = 1,
    each: str = "layer",
) -> int:
    """Return `value`, a number of layers, steps or points of the argument `name`, if what it costs can be paid.

    `memory` (bytes) and `seconds` are estimates of what one `each` costs, or one pair of them with `power=2`. Raises
    `ArgumentError` with the cost of the whole request beyond `MEMORY` or `TIME`.

    >>> affordable("depth", 10**12, memory=64)
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ArgumentError: Argument `depth` must be at most 67108864 here, but is ...
    """
    rate = max(memory / MEMORY, seconds / TIME)
    most = int((1 / rate) ** (1 / power)) if rate else value
    if value <= most:
        return value
    amount, costs = float(min(value, 10**100)) ** power, []
    if memory * amount > MEMORY:
        costs.append(f"hold {_in_units(memory * amount, _SIZES, 'bytes')} of memory")
    if seconds * amount > TIME:
        costs.append(f"take about {_in_units(seconds * amount, _SPANS, 'seconds')}")
    raise ArgumentError(
        name,
        f"must be at most {most} here",
        value,
        f"That many would {' and '.join(costs)}: use fewer {each}s.",
    )


def _in_units(amount: float, units: tuple[tuple[float, str], ...], smallest: str) -> str:
    for size, unit in units:
        if amount >= size:
            return f"{amount / size:.3g} {unit}"
    return f"{amount:.3g} {smallest}"
