"""The loss of two trains in one pass: running traces, and what the squared curve between two spikes integrates to.

E and F are followed from spike to spike (theory.spiking.energy). Every interval adds the energy that is lost in it, a
positive number, so that a small loss is no difference of large ones; E keeps its rounding errors beside it. In
intervals far shorter than the rise, the energy lost is integrated instead, as its terms cancel there.
"""

from __future__ import annotations

import math

import numpy as np

from widelimit.numerics.compile import compile
from widelimit.numerics.compile.cache import njit
from widelimit.theory import spiking as theory

_CHANGES = theory.trace_changes()
_LOST = theory.energy_lost().subs(
    {theory.CHANGE_E: _CHANGES[0], theory.CHANGE_F: _CHANGES[1]}, simultaneous=True
)
_STATE = (theory.EXPONENTIAL, theory.FILTERED)
_PASSED = (theory.SHRUNK, theory.RISEN, theory.GAP)
_CONSTANTS = (theory.DECAY, theory.RISE)
advance = compile((*_CHANGES, _LOST), (*_STATE, *_PASSED, *_CONSTANTS), name="spiking_advance").njit
change = compile(_CHANGES[1], (*_STATE, *_PASSED), name="spiking_change").njit
passed = compile(theory.time_passed(), (theory.TIME, *_CONSTANTS), name="spiking_time").njit
remaining = compile(theory.energy(), (*_STATE, *_CONSTANTS), name="spiking_energy").njit

_SHORT = 0.1  # of the rise
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
N0, N1 = (float(x) for x in _NODES[:2])
W0, W1, W2 = (float(x) for x in _WEIGHTS[:3])


@njit(nogil=True, error_model="numpy")
def value(e, f, t, gap, a, b):
    """The curve at a time t."""
    x, y = passed(t, a, b)
    return f + change(e, f, x, y, gap)


@njit(nogil=True, error_model="numpy")
def short(e, f, h, gap, a, b):
    """The integral of the squared curve over a short time, by five nodes of Gauss."""
    half = 0.5 * h
    left, right = value(e, f, half * (1 + N0), gap, a, b), value(e, f, half * (1 - N0), gap, a, b)
    inner, outer = value(e, f, half * (1 + N1), gap, a, b), value(e, f, half * (1 - N1), gap, a, b)
    middle = value(e, f, half, gap, a, b)
    return half * (
        W0 * (left * left + right * right) + W1 * (inner * inner + outer * outer) + W2 * middle * middle
    )


@njit(nogil=True, error_model="numpy")
def loss(x, y, a, b):
    """Half of the integral of (alpha * (x - y))^2, and whether both trains are in order from 0 on."""
    total = e = low = f = last = 0.0
    gap = (a - b) / (a * b)
    i = j = 0
    while i < x.size or j < y.size:
        if j == y.size or (i < x.size and x[i] <= y[j]):
            now, charge = x[i], 1.0
            i += 1
        else:
            now, charge = y[j], -1.0
            j += 1
        h = now - last
        if not 0.0 <= h < math.inf:
            return math.nan, False
        if h > 0.0:
            shrunk, risen = passed(h, a, b)
            change_e, change_f, lost = advance(e, f, shrunk, risen, gap, a, b)
            total += short(e, f, h, gap, a, b) if h < _SHORT * b else lost
            moved = e + change_e
            low = low * (1.0 + shrunk) + (change_e - (moved - e))
            e = moved
            f += change_f
            last = now
        moved = e + charge
        part = moved - e
        low += (e - (moved - part)) + (charge - part)
        e = moved + low
        low -= e - moved
    return 0.5 * (total + max(remaining(e, f, a, b), 0.0)), True
