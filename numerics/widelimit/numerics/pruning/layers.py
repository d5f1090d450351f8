"""Widths of a network as layers: their weights, and the scales that these are drawn with."""

from __future__ import annotations

import functools
from itertools import pairwise
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import pruning as theory
from widelimit.theory.errors import ArgumentError

_HELP = "The units of the input, of each layer and of the output, such as [784, 300, 10]."
_MOST = 2**53  # counts beyond are no whole floats


def units(widths: Any) -> list[int]:
    """Return the units of two or more layers as whole numbers of at least 1."""
    array = arguments.vector("widths", widths, _HELP)
    whole = (array >= 1) & (array == np.floor(array))
    if not whole.all():
        raise ArgumentError("widths", "must be whole numbers of at least 1", float(array[~whole][0]), _HELP)
    if len(array) < 2:
        raise ArgumentError("widths", "must have two numbers or more", len(array), _HELP)
    if array[:-1] @ array[1:] > _MOST:
        raise ArgumentError("widths", "must come to at most 2^53 weights", widths)
    return [int(one) for one in array]


def counts(widths: list[int]) -> list[int]:
    """Return the weights of each layer.

    >>> counts([10, 40, 7])
    [400, 280]
    """
    return [below * above for below, above in pairwise(widths)]


def scales(widths: list[int], gain: float) -> np.ndarray:
    """Return the standard deviation of the weights of each layer."""
    return np.asarray(_scale()(np.array(widths[:-1], dtype=float), gain))


@functools.cache
def _scale() -> Compiled:
    return compile(theory.weight_scale(), (theory.FAN_IN, theory.GAIN), name="weight_scale")
