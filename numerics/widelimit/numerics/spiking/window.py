"""`plasticity_window`: how a silent neuron's weight changes by the time between an input spike and a target spike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import compile
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.spiking.settings import DECAY, RISE, constants
from widelimit.theory import spiking as theory

_CONSTANTS = (theory.DECAY, theory.RISE)
after = compile(theory.window_after(), (theory.LAG, *_CONSTANTS), name="window_after").njit
before = compile(theory.window_before(), (theory.LAG, *_CONSTANTS), name="window_before").njit
alpha = compile(theory.response(), (theory.TIME, *_CONSTANTS), name="spike_response").njit

_GONE = 1000.0  # decays behind which exponentials are 0
_APART = 1.5  # a over b: nearer, four exponentials cancel, and the definition is integrated instead
_OUTER, _OUTER_WEIGHTS = (tuple(map(float, x)) for x in np.polynomial.laguerre.laggauss(40))
_INNER, _INNER_WEIGHTS = (tuple(map(float, x)) for x in np.polynomial.legendre.leggauss(24))


@njit(nogil=True, error_model="numpy")
def twice(t, a, b):
    """(alpha * alpha)(t), by its integral."""
    total = 0.0
    for k in range(len(_INNER)):
        share = 0.5 * (1.0 + _INNER[k])
        total += _INNER_WEIGHTS[k] * alpha(t * share, a, b) * alpha(t * (1.0 - share), a, b)
    return 0.5 * t * total


@njit(nogil=True, error_model="numpy")
def integrated(lag, a, b):
    """K(D) by its integral, decay and rise near each other: a polynomial times exp(-2t/a), nearly."""
    total, late, early = 0.0, max(lag, 0.0), max(-lag, 0.0)
    for k in range(len(_OUTER)):
        t = 0.5 * a * _OUTER[k]
        part = alpha(t + early, a, b) * twice(t + late, a, b)
        if part > 0.0:
            total += _OUTER_WEIGHTS[k] * math.exp(_OUTER[k]) * part
    return 0.5 * a * total


@njit(nogil=True, error_model="numpy")
def _fill(lags, a, b, out):
    for k in range(lags.size):
        if abs(lags[k]) > _GONE * a[k]:
            out[k] = 0.0  # below the smallest float
        elif a[k] < _APART * b[k]:
            out[k] = integrated(lags[k], a[k], b[k])
        elif lags[k] >= 0.0:
            out[k] = max(after(lags[k], a[k], b[k]), 0.0)
        else:
            out[k] = max(before(-lags[k], a[k], b[k]), 0.0)


def plasticity_window(lag: Any, *, decay: Any = DECAY, rise: Any = RISE) -> Any:
    """Return K(D) = int alpha(t - D) (alpha * alpha)(t) dt: the update that one input spike and one target spike make.

    The output is silent and its surrogate constant; multiply by learning rate and surrogate. The peak lies behind the
    input spike (the rule of zenke2018superspike).

    Args:
        lag: D in seconds, of the target behind the input spike; negative before it; arrays broadcast.
        decay: a, in seconds; kernel of the error and of the input alike.
        rise: b, in seconds.

    Raises `ArgumentError` for no such numbers.

    >>> (plasticity_window([-0.010, 0.0, 0.008, 0.020], decay=0.010, rise=0.005) * 1e12).round(6)
    array([0.927905, 2.083333, 2.946461, 2.579212])
    """
    a, b = constants(decay, rise)
    lags, a, b = arguments.broadcast(lag=arguments.finite("lag", lag), decay=a, rise=b)
    out = np.empty(lags.size)
    _fill(*(np.array(one, order="C").reshape(-1) for one in (lags, a, b)), out)
    return arguments.scalar(out.reshape(lags.shape))
