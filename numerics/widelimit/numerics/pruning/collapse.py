"""The compression at which the first layer of a network is empty."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.pruning import chance, layers
from widelimit.numerics.pruning.flow import total_flow
from widelimit.numerics.pruning.magnitude import Layers
from widelimit.numerics.results import by_value
from widelimit.theory import pruning as theory
from widelimit.theory.errors import ArgumentError

METHODS = ("magnitude", "random", "synflow")


@by_value
@dataclass(frozen=True)
class Collapse:
    """Compression N / N_kept up to which every layer keeps a weight, over networks drawn at random.

    `median`: of it; for magnitude N over the expected number of weights above the median of the threshold at collapse.
    `geometric_mean`: exp E log; for magnitude the logarithm is of the mean number kept, given the threshold.
    `log_mean`: E log, for magnitude with the spread of that number to second order; exact at random.
    `maximum`: N / L, one weight a layer, which no method exceeds and SynFlow reaches.
    """

    median: float
    geometric_mean: float
    log_mean: float
    maximum: float


def critical_compression(widths: Any, *, method: str = "magnitude", gain: float = 2.0) -> Collapse:
    """Return the compression at which pruning empties a layer of a network with independent Gaussian weights.

    ``magnitude``: the threshold at collapse is the least of the layers' largest weights; the layer of largest fan-in
    and fewest weights goes first. ``random``: inclusion and exclusion over sets of empty layers. ``synflow``: N / L,
    whatever the weights are, as every layer has the same sum of scores and the last weight of a layer all of it.

    Args:
        widths: units of the input, of each layer, of the output.
        method: magnitude, random or synflow.
        gain: variance of a weight times its fan-in; magnitude does not mind a common factor.

    Raises `ArgumentError` for widths that are no whole numbers of at least 1, an unknown method or a gain that is not
    positive.

    >>> found = critical_compression([10, 40, 7, 25, 3])
    >>> round(found.median, 3), round(found.geometric_mean, 3), found.maximum
    (9.371, 9.578, 232.5)
    >>> round(critical_compression([10, 40, 7, 25, 3], method="random").median, 3)
    84.545
    """
    units = layers.units(widths)
    method = arguments.choice("method", method, METHODS)
    arguments.positive_number("gain", gain)
    sizes = layers.counts(units)
    total = sum(sizes)
    largest = _maximum()(float(total), float(len(sizes)))
    if method == "synflow":
        return Collapse(largest, largest, math.log(largest), largest)
    if method == "random":
        return _at_random(sizes, largest)
    drawn = Layers(np.array(sizes, dtype=float), layers.scales(units, 1.0))
    median = total / drawn.median_kept()
    rough, fine = drawn.log_kept()
    return Collapse(
        min(median, largest), min(total / math.exp(rough), largest), math.log(total) - fine, largest
    )


def _at_random(sizes: list[int], largest: float) -> Collapse:
    total = sum(sizes)
    known = chance.curve(sizes)
    first = np.diff(
        known, prepend=0.0
    )  # probability that so many weights are the fewest without an empty layer
    kept = np.arange(1, len(known))
    log = math.log(total) - float(first[1:] @ np.log(kept)) / float(first.sum())
    return Collapse(total / int(np.argmax(known >= 0.5)), math.exp(log), log, largest)


def predict(widths: list[int] | None = None, gain: float = 2.0) -> dict[str, float]:
    """Return how far a fully connected network can be pruned by each method before a layer is empty.

    Args:
        widths: units of the input, of each layer, of the output.
        gain: variance of a weight times its fan-in.

    Returns medians of the compression at collapse by magnitude and at random, what SynFlow reaches, the logarithm of
    the mean flow R = 1' prod abs(W_l) 1 and the depth at which it overflows float32.

    >>> found = predict([10, 40, 7, 25, 3])
    >>> round(found["magnitude"], 3), round(found["synflow"], 3), round(found["log_flow"], 5)
    (9.371, 232.5, 7.15987)
    """
    if widths is None:
        raise ArgumentError("widths", "must be given", but="is missing", help="Such as 784, 300, 100 and 10.")
    flow = total_flow(widths, gain=gain)
    medians = {method: critical_compression(widths, method=method, gain=gain).median for method in METHODS}
    return medians | {"log_flow": flow.log, "overflow_depth": flow.overflow_depth}


@functools.cache
def _maximum() -> Compiled:
    return compile(theory.maximal_compression(), (theory.TOTAL, theory.LAYERS), name="maximal_compression")
