"""What the names of post-activation networks stand for, by numbers: walks counted over all signs and orders of steps.

A share that does not depend on the law of the steps is counted exactly with any magnitudes, as long as no sum of them
vanishes; Gaussian steps are integrated over directions in the plane.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import permutations
from typing import Any

import mpmath
from sympy import Symbol

from widelimit.theory.calculus.ensembles import over_signs, signs
from widelimit.theory.calculus.precision import Values

STEP = Symbol("n", integer=True, positive=True)  # of a reflected walk; the stem is the first
BRANCHES = Symbol("L", integer=True, positive=True)
LAYERS = Symbol("m", integer=True, positive=True)  # of a branch
BLOCK = Symbol("l", integer=True, nonnegative=True)
SIZES = (16, 3, 41, 7, 22)  # of steps: no signed sum of some of them is zero
TOTAL = 4  # steps of the walks whose last zero is counted


def reflected(steps: tuple[int, ...]) -> list[int]:
    """Return 0 and the places of a walk that is set back to zero whenever it is below.

    >>> reflected((2, -3, 1))
    [0, 2, 0, 1]
    """
    places = [0]
    for step in steps:
        places.append(max(0, places[-1] + step))
    return places


def _all(count: int) -> Iterator[list[int]]:
    """Places of walks with steps of all signs and orders."""
    for order in permutations(SIZES[:count]):
        for sign in signs(count):
            yield reflected(tuple(s * size for s, size in zip(sign, order, strict=True)))


@lru_cache(maxsize=16)
def zeros(count: int) -> Fraction:
    """Return the share of walks that are at zero behind so many steps.

    >>> zeros(2)
    Fraction(3, 8)
    """
    found = [places[-1] == 0 for places in _all(count)]
    return Fraction(sum(found), len(found))


def zeros_ratio(values: Values, dps: int) -> Any:
    """P(x_n = 0) / P(x_(n-1) = 0)."""
    n = int(values[STEP])
    share = zeros(n) / zeros(n - 1)
    return mpmath.mpf(share.numerator) / share.denominator


def last_zero(values: Values, dps: int) -> Any:
    """The share of walks of `TOTAL` steps that are last at zero behind step n."""
    n = int(values[STEP])
    found = [places[n] == 0 and all(place > 0 for place in places[n + 1 :]) for places in _all(TOTAL)]
    return mpmath.mpf(sum(found)) / len(found)


def moment(count: int, power: int) -> Any:
    """Return E x^power behind one Gaussian step or two, by directions in the plane: x is homogeneous in its steps."""

    def place(angle: Any) -> Any:
        one, two = mpmath.cos(angle), mpmath.sin(angle)
        return max(0, one) if count == 1 else max(0, max(0, one) + two)

    ends = [mpmath.pi * k / 4 for k in range(-4, 5)]
    mean = mpmath.quad(lambda angle: place(angle) ** power, ends) / (2 * mpmath.pi)
    return mean * (mpmath.sqrt(mpmath.pi / 2) if power == 1 else 2)


def _added(values: Values, power: int) -> Any:
    n = int(values[STEP])
    return moment(n, power) - (moment(n - 1, power) if n > 1 else 0)


def mean_step(values: Values, dps: int) -> Any:
    """E x_n - E x_(n-1)."""
    return _added(values, 1)


def square_step(values: Values, dps: int) -> Any:
    """E x_n^2 - E x_(n-1)^2."""
    return _added(values, 2)


def fixup(values: Values, dps: int) -> Any:
    """The scale s with L s^(2 (m - 1)) = 1, by bisection."""
    branches, layers = int(values[BRANCHES]), int(values[LAYERS])
    low, high = mpmath.mpf(0), mpmath.mpf(1)
    for _ in range(int(mpmath.mp.prec)):
        middle = (low + high) / 2
        low, high = (middle, high) if branches * middle ** (2 * (layers - 1)) < 1 else (low, middle)
    return low


def normalised(values: Values, dps: int) -> Any:
    """E x^2 behind l + 1 branches of independent signs over that behind l, the stream starting at a sign as well."""
    block = int(values[BLOCK])
    after, before = (over_signs(lambda s: sum(s) ** 2, count) for count in (block + 2, block + 1))
    return after / before
