"""A claim's domain as Hypothesis strategies: readable numbers that shrink towards the simplest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.claim import Choice, Inputs, Integers, Interval

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

STEPS = 500  # at least this many values in an interval: three digits or so
_DECADES = 2.5  # an interval wider than this ratio (in powers of ten) is walked in ratios, not in steps


def inputs_strategy(
    domain: Mapping[str, Interval | Integers | Choice],
    fixed: Inputs,
    valid: Callable[[Inputs], bool],
) -> SearchStrategy[Inputs]:
    """Draw points of the domain, with `fixed` inputs added, that are valid."""
    from hypothesis import strategies as st

    drawn = st.fixed_dictionaries({name: strategy_of(name, one) for name, one in domain.items()})
    return drawn.map(lambda inputs: {**fixed, **inputs}).filter(valid)


def strategy_of(name: str, one: Interval | Integers | Choice) -> SearchStrategy[Any]:
    """Draw from one part of a domain; `ArgumentError` where the part is empty or endless."""
    from hypothesis import strategies as st

    if isinstance(one, Choice):
        return st.sampled_from(one.options)
    if not (math.isfinite(one.low) and math.isfinite(one.high) and one.low <= one.high):
        raise ArgumentError(name, "must have a domain with finite ends, low <= high", (one.low, one.high))
    if isinstance(one, Integers):
        return st.integers(one.low, one.high)
    value, least, most = grid(one)
    return st.integers(least, most).map(value)


def grid(one: Interval) -> tuple[Callable[[int], float], int, int]:
    """Number the readable values of an interval, 0 being the simplest; return (number -> value, least, most).

    The simplest is the interval's own `simplest`, else the roundest number in it. The values are those with
    as many decimal places as give `STEPS` of them; three significant digits each where the interval spans
    decades. The ends belong to it.

    >>> value, least, most = grid(Interval(0.5, 4.0))
    >>> value(least), value(0), value(1), value(most)
    (0.5, 1.0, 1.001, 4.0)
    """
    simplest = roundest(one.low, one.high) if one.simplest is None else one.simplest
    if not one.low <= simplest <= one.high:
        raise ArgumentError("simplest", "must lie in its interval", simplest)
    if one.low == one.high:
        return (lambda _number: one.low), 0, 0
    if one.low > 0 and math.log10(one.high) - math.log10(one.low) > _DECADES:
        low, middle, high = (math.log(number) for number in (one.low, simplest, one.high))
        stride = (high - low) / STEPS

        def raw(number: int) -> float:
            return float(f"{math.exp(middle + number * stride):.3g}")

        least, most = -math.ceil((middle - low) / stride), math.ceil((high - middle) / stride)
    else:
        places = math.ceil(-math.log10((one.high - one.low) / STEPS))
        step = 10.0**-places

        def raw(number: int) -> float:
            return round(simplest + number * step, max(places, 0) + 2)

        least, most = -math.ceil((simplest - one.low) / step), math.ceil((one.high - simplest) / step)

    # an end that differs from the simplest in its last digit alone is a value of its own
    least, most = min(least, -int(one.low < simplest)), max(most, int(simplest < one.high))

    def value(number: int) -> float:
        if number == 0:
            return simplest
        if number in (least, most):
            return one.low if number == least else one.high
        return min(max(raw(number), one.low), one.high)

    return value, least, most


def roundest(low: float, high: float) -> float:
    """The number between low and high with the fewest digits, and the smallest of those.

    >>> roundest(0.5, 4.0), roundest(-1.0, 3.0), roundest(0.012, 0.3), roundest(17.0, 18.5)
    (1.0, 0.0, 0.1, 17.0)
    """
    if low <= 0 <= high:
        return 0.0
    sign, low, high = (1, low, high) if low > 0 else (-1, -high, -low)
    for exponent in range(math.ceil(math.log10(high)), max(math.floor(math.log10(low)) - 17, -308), -1):
        step = 10.0**exponent
        first = math.ceil(low / step * (1 - 1e-12))
        for candidate in (float(f"{number * step:.15g}") for number in (first, first + 1)):
            if low <= candidate <= high:
                return sign * candidate
    return sign * low
