"""The flow R = 1' prod abs(W_l) 1 of SynFlow: its mean, and the depth at which it leaves a format of numbers."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.pruning import layers
from widelimit.numerics.results import by_value
from widelimit.theory import pruning as theory

FORMATS = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38}
FORMATS["float64"] = math.ldexp(1 - 2.0**-53, 1024)


@by_value
@dataclass(frozen=True)
class Flow:
    """`mean`: E R, inf beyond the range of floats; `log`: its logarithm, always finite.

    `growth`: by what each layer multiplies the mean. `overflow_depth`: the number of layers at which a flow that starts
    with these inputs and grows as these layers do, on average, leaves the format; inf where it does not grow.
    """

    mean: float
    log: float
    growth: tuple[float, ...]
    overflow_depth: float


def total_flow(widths: Any, *, gain: float = 2.0, format: str = "float32") -> Flow:
    """Return the mean of R = 1' prod abs(W_l) 1 at initialisation: n_0 prod_l n_l sqrt(2 gain / (pi n_{l-1})).

    Exact at every width, for independent Gaussian weights of variance gain / fan-in. At equal widths n and gain 2 each
    layer multiplies R by 2 sqrt(n/pi), so that float32 overflows beyond some twenty layers: scores matter up to a
    common factor only, and have to be computed in logarithms or from rescaled layers.

    Args:
        widths: units of the input, of each layer, of the output.
        gain: variance of a weight times its fan-in, 2 by He.
        format: of the numbers that `overflow_depth` is for: float16, bfloat16, float32 or float64.

    Raises `ArgumentError` for widths that are no whole numbers of at least 1, or a gain that is not positive.

    >>> flow = total_flow([10, 40, 7, 25, 3])
    >>> round(flow.mean, 9), round(flow.log, 9)
    (1286.73914141, 7.1598665)
    >>> [round(total_flow([n, n]).overflow_depth, 1) for n in (256, 512, 1024)]
    [28.7, 25.5, 22.8]
    """
    units = layers.units(widths)
    gain = float(
        arguments.near_one("gain", arguments.positive("gain", arguments.positive_number("gain", gain)))
    )
    largest = FORMATS[arguments.choice("format", format, FORMATS)]
    below, above = (np.array(part, dtype=float) for part in (units[:-1], units[1:]))
    growth = np.asarray(_growth()(above, below, gain))
    logs = np.log(growth)
    total = math.log(units[0]) + math.fsum(logs)
    rate = float(logs.mean())
    depth = _depth()(float(units[0]), largest, rate) if rate > 0 else math.inf
    mean = units[0] * math.prod(growth.tolist()) if total < 709 else math.inf
    return Flow(mean, total, tuple(growth.tolist()), depth)


@functools.cache
def _growth() -> Compiled:
    return compile(theory.layer_growth(), (theory.UNITS, theory.FAN_IN, theory.GAIN), name="layer_growth")


@functools.cache
def _depth() -> Compiled:
    return compile(
        theory.overflow_depth(), (theory.UNITS, theory.LARGEST, theory.RATE), name="overflow_depth"
    )
