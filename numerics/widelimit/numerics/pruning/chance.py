"""Pruning at random: the probability that no layer is empty, one number exactly or the whole curve.

Inclusion and exclusion alternates; layers of many equal sizes cancel to many digits. Single numbers come from whole
numbers without rounding, curves from numbers with a fixed point that keeps sixty-four bits behind all that cancels.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sympy import fraction, lambdify

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.pruning import layers
from widelimit.theory import pruning as theory
from widelimit.theory.errors import ArgumentError

_LEFT_OUT = 1e-17
_FLOATS = 1e4  # sums of signs up to which floats do
_BLOCK = 2**22  # numbers at once
_MOST_SUMS = 10**5


def survival(widths: Any, kept: Any) -> Any:
    """Return the probability that `kept` weights, chosen at random from all, leave no layer empty.

    sum over sets A of layers of (-1)^|A| C(N - N_A, K) / C(N, K), in whole numbers.

    Args:
        widths: units of the input, of each layer, of the output.
        kept: how many weights are kept, a whole number from 0 to all of them, or an array.

    Raises `ArgumentError` for widths or numbers that are none of these.

    >>> round(survival([10, 40, 7, 25, 3], 20), 12)
    0.80366174061
    >>> survival([2, 2, 2], [1, 2, 8])
    array([0.        , 0.57142857, 1.        ])
    """
    sizes = layers.counts(layers.units(widths))
    numbers = arguments.non_negative("kept", kept)
    wrong = (numbers > sum(sizes)) | (numbers != np.floor(numbers))
    if wrong.any():
        must = f"must be whole numbers up to the {sum(sizes)} weights there are"
        raise ArgumentError("kept", must, float(numbers[wrong].flat[0]))
    _affordable(sizes)
    found = [float(theory.survival(sizes, int(one))) for one in numbers.flat]
    return arguments.scalar(np.array(found).reshape(numbers.shape))


def curve(sizes: Sequence[int]) -> np.ndarray:
    """Return the probability that no layer is empty with 0, 1, 2, ... weights kept, until it is 1 but for 1e-17."""
    total = sum(sizes)
    _affordable(sizes)
    most = min(total, math.ceil(-math.log(_LEFT_OUT / len(sizes)) * total / min(sizes)))
    sums = theory.signed_sums(sizes)
    signs = {missing: sign for missing, sign in sums.items() if sign}
    lost = sum(abs(sign) for sign in signs.values())
    steps = len(signs) * most
    costs.affordable("widths", steps, seconds=2e-7 if lost > _FLOATS else 2e-8, each="weight")
    return _exactly(signs, total, most, lost) if lost > _FLOATS else _in_floats(signs, total, most)


def _in_floats(signs: dict[int, int], total: int, most: int) -> np.ndarray:
    found = np.zeros(most + 1)
    kept = np.arange(most, dtype=float)
    for missing, sign in signs.items():
        steps = int(min(most, total - missing))  # beyond, nothing can be left out
        with np.errstate(divide="ignore"):
            shares = np.cumprod(np.asarray(_ratio()(float(total), float(missing), kept[:steps])))
        found[0] += sign
        found[1 : steps + 1] += sign * shares
    return np.clip(found, 0.0, 1.0)


def _exactly(signs: dict[int, int], total: int, most: int, lost: int) -> np.ndarray:
    above, below = _whole()
    shift = 128 + lost.bit_length() + most.bit_length()
    one = 1 << shift
    found = [0] * (most + 1)
    for missing, sign in signs.items():
        share = one
        found[0] += sign * one
        for kept in range(most):
            share = share * above(total, missing, kept) // below(total, missing, kept)
            if not share:
                break
            found[kept + 1] += sign * share
    return np.clip(
        np.array([float(value) / float(one) if abs(value) < one else 1.0 for value in found]), 0.0, 1.0
    )


def _affordable(sizes: Sequence[int]) -> None:
    """Refuse networks whose layers have more different sums of sizes than can be counted."""
    different = {size: list(sizes).count(size) for size in sizes}
    sums = math.prod(count + 1 for count in different.values())
    if sums > _MOST_SUMS and sum(sizes) > _MOST_SUMS:
        raise ArgumentError(
            "widths",
            "must have layers of fewer different sizes here",
            but=f"has {len(different)}, which come to {float(sums):.2g} sums",
        )


@functools.cache
def _ratio() -> Compiled:
    return compile(theory.share_ratio(), (theory.TOTAL, theory.MISSING, theory.KEPT), name="share_ratio")


@functools.cache
def _whole() -> tuple[Callable[..., int], Callable[..., int]]:
    """Numerator and denominator of the same ratio, as functions of whole numbers."""
    symbols = (theory.TOTAL, theory.MISSING, theory.KEPT)
    above, below = (lambdify(symbols, part, "math") for part in fraction(theory.share_ratio()))
    return above, below
