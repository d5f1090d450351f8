"""`firing_rate` of leaky integrate-and-fire neurons; with noise by Siegert's integral, from a table.

The passage takes W = int erfcx(v) dv from (mu - theta)/sigma to (mu - reset)/sigma. Above 0 the integral from 0 on lies
in panels of Chebyshev polynomials, beyond them in the theory's series; below 0 it is what both sides make together less
that. Short ways are integrated as they stand: differences would cancel.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from widelimit.numerics import arguments, threads
from widelimit.numerics.compile import compile
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.spiking.settings import MOST, moderate
from widelimit.theory import spiking as theory
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
density = compile(theory.passage_density(), (theory.DISTANCE,), name="passage_density")
far = compile(theory.passage_far(), (theory.DISTANCE,), name="passage_far").njit
_REST = (theory.TAU, theory.REFRACTORY)
noisy = compile(theory.noisy_rate(), (theory.PASSAGE, *_REST), name="noisy_rate").njit
quiet = compile(
    theory.deterministic_rate(), (theory.DRIVE, theory.THRESHOLD, theory.RESET, *_REST), name="lif_rate"
).njit
at = density.njit
both = compile(theory.passage_both(), (theory.DISTANCE,), name="passage_both").njit

PANELS, END, _DEGREE = 16, 8.0, 13
DEEP = -26.0  # below, exp(v^2) leaves the range of floats: the rate is 0
_NODES, _WEIGHTS = (tuple(map(float, x)) for x in np.polynomial.legendre.leggauss(14))


@functools.cache
def _table() -> tuple[tuple[float, ...], ...]:
    """Chebyshev coefficients of the integral from 0 on, in each panel."""
    width, rows, total = END / PANELS, [], 0.0
    for k in range(PANELS):
        fitted = np.polynomial.Chebyshev.interpolate(
            lambda v: np.asarray(density(v)), _DEGREE, [k * width, (k + 1) * width]
        ).integ(lbnd=k * width)
        coefficients = fitted.coef.copy()
        coefficients[0] += total
        total += float(fitted((k + 1) * width))
        rows.append(tuple(map(float, coefficients)))
    return tuple(rows)


@njit(nogil=True, error_model="numpy")
def whole(v, table):
    """The integral of the passage from 0 to v, v >= 0."""
    if v >= END:
        return whole(END * (1.0 - 1e-16), table) + far(v) - far(END)
    place = v * (PANELS / END)
    k = int(place)
    x = 2.0 * (place - k) - 1.0
    one = other = 0.0
    for j in range(table.shape[1] - 1, 0, -1):
        one, other = table[k, j] + 2.0 * x * one - other, one
    return table[k, 0] + x * one - other


@njit(nogil=True, error_model="numpy")
def direct(low, high):
    """The integral of the passage over a short way."""
    half, total = 0.5 * (high - low), 0.0
    for k in range(len(_NODES)):
        total += _WEIGHTS[k] * at(low + half * (1.0 + _NODES[k]))
    return half * total


@njit(nogil=True, error_model="numpy")
def passage(low, high, table):
    """The integral of the passage from low to high."""
    if low < DEEP:
        return math.inf
    if (high - low) * max(1.0, -low) < 0.5 or (low > 0.0 and high < 1.5 * low):
        return direct(low, high)
    if low >= 0.0:
        return whole(high, table) - whole(low, table)
    found = both(-low) - whole(-low, table)
    if high >= 0.0:
        return found + whole(high, table)
    return found - (both(-high) - whole(-high, table))


@njit(nogil=True, error_model="numpy")
def _fill(drive, threshold, tau, rest, reset, noise, table, out):
    for k in range(out.size):
        if noise[k] > 0.0:
            low, high = (drive[k] - threshold[k]) / noise[k], (drive[k] - reset[k]) / noise[k]
            out[k] = noisy(passage(low, high, table), tau[k], rest[k])
        elif drive[k] > threshold[k]:
            out[k] = quiet(drive[k], threshold[k], reset[k], tau[k], rest[k])
        else:
            out[k] = 0.0


def firing_rate(
    drive: Any, *, threshold: Any, tau: Any, refractory: Any = 0.0, reset: Any = 0.0, noise: Any = 0.0
) -> Any:
    """Return the firing rate of tau dV = (mu - V) dt + sigma sqrt(tau) dW with threshold and reset, in spikes a second.

    Without noise 1/(t_ref + tau log((mu - U_r)/(mu - theta))), and 0 where the drive does not pass the threshold; with
    noise Siegert's formula (siegert1951first), exact for white noise. The potential's variance is sigma^2/2.

    Args:
        drive: mu = R I, from rest, in the units of threshold, reset and noise; arrays broadcast.
        threshold: theta.
        tau: membrane constant, in seconds.
        refractory: t_ref after a spike, in seconds.
        reset: U_r, below the threshold.
        noise: sigma, 0 or more.

    Raises `ArgumentError` for such numbers out of range, or a reset at the threshold or above it.

    >>> round(firing_rate(15.0, threshold=10.0, tau=0.010, refractory=0.005), 3)
    62.554
    >>> round(firing_rate(12.0, threshold=10.0, tau=0.010, refractory=0.005, noise=4.0), 9)
    52.287489512
    >>> round(firing_rate(15.0, threshold=10.0, tau=0.010, refractory=0.005, noise=0.3), 6)
    62.585481
    """
    potentials = {name: _bounded(name, one) for name, one in
                  (("drive", drive), ("threshold", threshold), ("reset", reset))}  # fmt: skip
    noise_ = arguments.non_negative("noise", noise)
    moderate("noise", np.where(noise_ > 0, noise_, 1.0), "It is 0, or within these bounds.")
    rest = _bounded("refractory", arguments.non_negative("refractory", refractory))
    every = arguments.broadcast(
        drive=potentials["drive"], threshold=potentials["threshold"], tau=moderate("tau", tau), refractory=rest,
        reset=potentials["reset"], noise=noise_,
    )  # fmt: skip
    if (every[4] >= every[1]).any():
        place = np.argmax(every[4] >= every[1])
        but = f"is {every[4].flat[place]:g} with a threshold of {every[1].flat[place]:g}"
        raise ArgumentError("reset", "must be below the threshold", but=but)
    flat = [np.array(one, order="C").reshape(-1) for one in every]
    out, table = np.empty(flat[0].size), np.array(_table())
    parts = threads.chunks(out.size)
    if len(parts) > 1:  # compile before the threads start
        _fill(*(one[:1] for one in flat), table, out[:1])
    threads.each(lambda part: _fill(*(one[part] for one in flat), table, out[part]), parts)
    return arguments.scalar(out.reshape(every[0].shape))


def _bounded(name: str, value: Any) -> Array:
    array = arguments.finite(name, value)
    if (np.abs(array) > MOST).any():
        help = "Choose units in which it is near 1."
        raise ArgumentError(name, f"must be at most {MOST:g} in size", float(np.abs(array).max()), help)
    return array
