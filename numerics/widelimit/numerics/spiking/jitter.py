"""`jitter_loss`: what a jitter of spikes costs; `timing_precision`: the jitter that a loss stands for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import compile
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.spiking.settings import DECAY, RISE, constants
from widelimit.theory import spiking as theory
from widelimit.theory.errors import DomainError

Array = np.ndarray
_CONSTANTS = (theory.DECAY, theory.RISE)
closed = compile(theory.jitter_loss(), (theory.JITTER, *_CONSTANTS), name="jitter_loss").njit
density = compile(
    theory.jitter_density(), (theory.FREQUENCY, theory.JITTER, *_CONSTANTS), name="jitter_density"
).njit
at_zero = compile(theory.overlap_at_zero(), _CONSTANTS, name="overlap_at_zero").njit

_STEP, _REACH = 0.125, 40.0  # of log omega: an error of exp(-pi^2/(2 step)), tails of exp(-reach)
_APART, _WIDE = 1.5, 0.1  # where the closed form keeps its digits: a over b, jitter over a


@njit(nogil=True, error_model="numpy")
def cost(s, a, b):
    """The loss of a spike moved by N(0, s^2); by the trapezoidal rule over log omega where the closed form cancels."""
    if s == 0.0:
        return 0.0
    if a >= _APART * b and s >= _WIDE * a:
        return closed(s, a, b)
    log = -math.log(a) - _REACH
    total = 0.0
    for k in range(int((2 * _REACH + math.log(a / b)) / _STEP)):
        omega = math.exp(log + k * _STEP)
        total += omega * density(omega, s, a, b)
    return total * _STEP


@njit(nogil=True, error_model="numpy")
def precision(loss, a, b):
    """The jitter whose cost is a loss below C(0); the cost rises with the jitter, at most as C(0) s^2/(2ab)."""
    share = loss / at_zero(a, b)
    low = math.sqrt(2.0 * a * b * share)
    if share < 1e-34:
        return low
    high = 2.0 * low
    while cost(high, a, b) < loss and high < 1e300:
        low, high = high, 2.0 * high
    for _ in range(60):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        if cost(middle, a, b) < loss:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@njit(nogil=True, error_model="numpy")
def _costs(s, a, b, out):
    for k in range(s.size):
        out[k] = cost(s[k], a[k], b[k])


@njit(nogil=True, error_model="numpy")
def _precisions(loss, a, b, out):
    for k in range(loss.size):
        out[k] = precision(loss[k], a[k], b[k])


def jitter_loss(jitter: Any, *, decay: Any = DECAY, rise: Any = RISE) -> Any:
    """Return the mean loss per spike where every spike of a train was moved by N(0, jitter^2), in s^3.

    Spikes are far apart against decay and jitter. A missing or an extra spike costs C(0)/2, far jitter C(0) = (ab)^2/(2
    (a + b)).

    Args:
        jitter: standard deviation in seconds, 0 or more; arrays broadcast.
        decay: a, in seconds.
        rise: b, in seconds.

    Raises `ArgumentError` for a negative jitter or such time constants.

    >>> round(jitter_loss(0.004, decay=0.010, rise=0.005) * 1e9, 10)
    7.5329348638
    >>> round(jitter_loss(1e-4, decay=0.010, rise=0.005) * 1e12, 9)
    8.201797715
    """
    a, b = constants(decay, rise)
    return _mapped(
        _costs, *arguments.broadcast(jitter=arguments.non_negative("jitter", jitter), decay=a, rise=b)
    )


def timing_precision(loss_per_spike: Any, *, decay: Any = DECAY, rise: Any = RISE) -> Any:
    """Return the standard deviation of jitter, in seconds, that a loss per spike stands for; inverts `jitter_loss`.

    Args:
        loss_per_spike: in s^3, 0 or more; arrays broadcast.
        decay: a, in seconds.
        rise: b, in seconds.

    Raises `ArgumentError` for a negative loss or such time constants, `DomainError` for a loss of C(0) per spike or
    more, which no jitter makes.

    >>> round(timing_precision(7.5329348637773e-9, decay=0.010, rise=0.005), 12)
    0.004
    """
    a, b = constants(decay, rise)
    lost = arguments.non_negative("loss_per_spike", loss_per_spike)
    lost, a, b = arguments.broadcast(loss_per_spike=lost, decay=a, rise=b)
    most = np.vectorize(at_zero, otypes=[float])(a, b) if a.size else a
    if (lost >= most).any():
        place = np.argmax(lost >= most)
        raise DomainError(
            f"A loss of {lost.flat[place]:g} per spike is no jitter: it is at least "
            f"C(0) = {np.asarray(most).flat[place]:g}, the loss of two spikes that have nothing to do with each other. "
            "Spikes are missing, or others."
        )
    return _mapped(_precisions, lost, a, b)


def _mapped(fill: Any, *arrays: Array) -> Any:
    out = np.empty(arrays[0].size)
    fill(*(np.array(one, order="C").reshape(-1) for one in arrays), out)
    return arguments.scalar(out.reshape(arrays[0].shape))
