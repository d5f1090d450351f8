"""`poisson_loss`: what two trains that know nothing of each other are apart."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.numerics.spiking.settings import DECAY, MOST, RISE, constants
from widelimit.theory import spiking as theory
from widelimit.theory.errors import ArgumentError


@by_value
@dataclass(frozen=True)
class PoissonLoss:
    """`mean` and `variance` of the loss for each second of recording: of T seconds, T times both.

    Recordings are long against the decay: what happens at their ends is left out, of the order of a/T.
    """

    mean: Any
    variance: Any


def poisson_loss(rate_a: Any, rate_b: Any, *, decay: Any = DECAY, rise: Any = RISE) -> PoissonLoss:
    """Return mean and variance a second of the loss between independent Poisson trains.

    With R the sum and d the difference of rates, the mean is (R C(0) + (d ab)^2)/2.

    Args:
        rate_a, rate_b: in Hz, 0 or more; arrays broadcast.
        decay: a, in seconds.
        rise: b, in seconds.

    Raises `ArgumentError` for negative rates or such time constants.

    >>> found = poisson_loss(12, 20, decay=0.010, rise=0.005)
    >>> round(found.mean * 1e6, 10), round(found.variance * 1e13, 10)
    (1.4133333333, 1.4687407407)
    """
    a, b = constants(decay, rise)
    rates = [arguments.non_negative(name, one) for name, one in (("rate_a", rate_a), ("rate_b", rate_b))]
    for name, one in zip(("rate_a", "rate_b"), rates, strict=True):
        if (one > MOST).any():
            raise ArgumentError(name, f"must be at most {MOST:g}", float(one.max()))
    first, second, a, b = arguments.broadcast(rate_a=rates[0], rate_b=rates[1], decay=a, rise=b)
    mean, variance = _moments()(first, second, a, b)
    return PoissonLoss(arguments.scalar(np.asarray(mean)), arguments.scalar(np.asarray(variance)))


@functools.cache
def _moments() -> Compiled:
    symbols = (theory.RATE_A, theory.RATE_B, theory.DECAY, theory.RISE)
    return compile((theory.poisson_mean(), theory.poisson_variance()), symbols, name="poisson_loss")
