"""Beyond the Hopf threshold: the amplitude of a delayed network's oscillation, by its first harmonic."""

from __future__ import annotations

import functools

import numpy as np
from scipy.optimize import elementwise

from widelimit.numerics.coding import loops
from widelimit.numerics.coding.units import Given, Unit
from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import coding as theory
from widelimit.theory.errors import ConvergenceError

Array = np.ndarray
_PHASES = 96
_BLOCK = 512  # points at once: a few hundred megabytes of quadrature
_LEAST, _MOST = -16.0, 60.0  # logarithms of amplitudes
_NEWTON, _DONE = 60, 1e-10  # steps at most; the next step would be the square of this
_ANGLES = np.pi * (np.arange(_PHASES) + 0.5) / _PHASES  # over half a period: cosines are even


@functools.cache
def _excess() -> Compiled:
    t = theory
    return compile(t.harmonic_excess(), (t.BALANCE, t.HARMONIC, t.AMPLITUDE, t.LOOP), name="harmonic_excess")


def harmonics(neuron: Unit, amplitude: Array, centre: Array, variance: Array) -> Array:
    """Mean and first Fourier coefficient of rates at centre + R cos p, averaged over noise; (2, points)."""
    h = centre[:, None] + amplitude[:, None] * np.cos(_ANGLES)
    rates = neuron.rates(h.reshape(-1), np.repeat(variance, _PHASES)).reshape(h.shape)
    return np.stack([rates.mean(1), 2 * (rates * np.cos(_ANGLES)).mean(1)])


def amplitude(
    neuron: Unit, balance: float, loop: float, variance: float, signal: float = 0.0
) -> tuple[float, float]:
    """R with b a_1/R = G, and the centre of h, which moves with the oscillation where there is a signal."""
    if signal != 0:
        return _with_signal(neuron, balance, loop, variance, signal)

    known = (np.array([one]) for one in (balance, loop, variance))
    size = float(_without_signal(neuron, *known)[0])
    if not np.isfinite(size):
        raise ConvergenceError(
            f"The oscillation of {neuron.phi} grows without bound at balance {balance:.6g}: use a bounded one."
        )
    return size, 0.0


def _with_signal(
    neuron: Unit, balance: float, loop: float, variance: float, signal: float
) -> tuple[float, float]:
    """R and the centre of one oscillation about a signal."""
    size, centre, reached = _about_signals(
        neuron, *(np.array([one]) for one in (balance, loop, variance, signal))
    )
    if not reached[0]:
        raise ConvergenceError(
            f"The oscillation of {neuron.phi} about the signal {signal:.6g} was not found at balance {balance:.6g}."
        )
    return float(size[0]), float(centre[0])


def _about_signals(
    neuron: Unit, balance: Array, loop: Array, variance: Array, signal: Array
) -> tuple[Array, Array, Array]:
    """R and the centre together at many points, from those without and with the signal alone; and where they are found.

    Newton's steps in log R and the centre: all four slopes are averages of the rate's slope over a period.
    """
    start = _without_signal(neuron, balance, loop, variance)
    bound = np.isfinite(start) & (start > 0)
    size = np.where(bound, start, 1.0)
    centre = np.zeros(size.shape)
    centre[bound] = neuron.drive(balance[bound], signal[bound], variance[bound] + start[bound] ** 2 / 2)
    reached = np.zeros(size.shape, bool)
    active = np.flatnonzero(bound)
    for _ in range(_NEWTON):
        if active.size == 0:
            break
        b, g, r, m = balance[active], loop[active], size[active], centre[active]
        mean, first, slope, once, twice = _period(neuron, r, m, variance[active])
        off = np.stack([_excess()(b, first, r, g), m / b - (signal[active] - mean)])
        # b a_1/R - G and m/b + a_0 - x, by log R and m
        rows = np.array([[b * (twice - first / r), b * once / r], [r * once / 2, 1 / b + slope]])
        det = rows[0, 0] * rows[1, 1] - rows[0, 1] * rows[1, 0]
        with np.errstate(all="ignore"):
            log = (off[0] * rows[1, 1] - off[1] * rows[0, 1]) / det
            move = (rows[0, 0] * off[1] - rows[1, 0] * off[0]) / det
        sound = np.isfinite(log) & np.isfinite(move)
        done = sound & (np.abs(log) <= _DONE) & (np.abs(move) <= _DONE * (1 + np.abs(m)))
        size[active[sound]] = (r * np.exp(-np.clip(log, -1, 1)))[sound]
        centre[active[sound]] = (m - move)[sound]
        reached[active[done]] = True
        active = active[sound & ~done]
    return size, centre, reached


def _period(neuron: Unit, amplitude: Array, centre: Array, variance: Array) -> tuple[Array, ...]:
    """Mean and first coefficient of rates over a period; mean of their slope, and its first and second moments."""
    h = centre[:, None] + amplitude[:, None] * np.cos(_ANGLES)
    rates, slopes = neuron.line(h.reshape(-1), np.repeat(variance, _PHASES)).reshape(2, *h.shape)
    turn = np.cos(_ANGLES)
    return (
        rates.mean(1), 2 * (rates * turn).mean(1), slopes.mean(1), 2 * (slopes * turn).mean(1),
        2 * (slopes * turn**2).mean(1),
    )  # fmt: skip


def amplitudes(neuron: Unit, given: Given, variance: Array, stable: Array) -> Array:
    """Amplitudes of h at many points, 0 where they are stable, inf where an oscillation has no bound."""
    out = np.zeros(stable.shape)
    beyond = np.flatnonzero(~stable)
    gains = np.asarray(loops.hopf_gain(given.delay))
    quiet = beyond[given.signal[beyond] == 0]
    for start in range(0, quiet.size, _BLOCK):
        block = quiet[start : start + _BLOCK]
        out[block] = _without_signal(neuron, given.balance[block], gains[block], variance[block])
    driven = beyond[given.signal[beyond] != 0]
    for start in range(0, driven.size, _BLOCK):
        block = driven[start : start + _BLOCK]
        known = (one[block] for one in (given.balance, gains, variance, given.signal))
        size, _, reached = _about_signals(neuron, *known)
        out[block] = np.where(reached, size, np.inf)
    return out


def _without_signal(neuron: Unit, balance: Array, loop: Array, variance: Array) -> Array:
    """R with b a_1/R = G at many points at once."""

    def excess(log_size: Array, *known: Array) -> Array:
        b, gain, q = (np.asarray(one).reshape(-1) for one in known)
        size = np.exp(log_size.reshape(-1))
        first = harmonics(neuron, size, np.zeros(size.shape), q)[1]
        return np.asarray(_excess()(b, first, size, gain)).reshape(log_size.shape)

    low, high = np.full(balance.shape, _LEAST), np.full(balance.shape, 2.0)
    known = balance, loop, variance
    unbound = excess(high, *known) > 0
    while unbound.any() and high.max() <= _MOST:
        high[unbound] += 2.0
        unbound[unbound] = excess(high[unbound], *(one[unbound] for one in known)) > 0
    born = (excess(low, *known) > 0) & ~unbound
    out = np.where(unbound, np.inf, 0.0)
    if born.any():
        ends = low[born], high[born]
        found = elementwise.find_root(
            excess, ends, args=tuple(one[born] for one in known), tolerances={"xatol": 1e-14, "xrtol": 1e-14}
        )
        out[born] = np.exp(found.x)
    return out
