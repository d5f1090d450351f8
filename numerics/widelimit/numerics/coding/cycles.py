"""Beyond the Hopf threshold: the amplitude of a delayed network's oscillation, by its first harmonic."""

from __future__ import annotations

import functools

import numpy as np
from scipy import optimize
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
    """R and the centre together, from those without and with the signal alone."""
    start, _ = amplitude(neuron, balance, loop, variance)

    def off(point: Array) -> Array:
        size, m = float(np.exp(point[0])), float(point[1])
        mean, first = harmonics(neuron, *(np.array([one]) for one in (size, m, variance)))[:, 0]
        return np.array([_excess()(balance, first, size, loop), (m - balance * (signal - mean)) / balance])

    at = neuron.drive(np.array([balance]), np.array([signal]), np.array([variance + start**2 / 2]))
    found = optimize.root(off, [np.log(start), float(at[0])], tol=1e-13)
    if not np.abs(off(found.x)).max() < 1e-9 * loop:
        raise ConvergenceError(
            f"The oscillation of {neuron.phi} about the signal {signal:.6g} was not found at balance {balance:.6g}."
        )
    return float(np.exp(found.x[0])), float(found.x[1])


def amplitudes(neuron: Unit, given: Given, variance: Array, stable: Array) -> Array:
    """Amplitudes of h at many points, 0 where they are stable, inf where an oscillation has no bound."""
    out = np.zeros(stable.shape)
    beyond = np.flatnonzero(~stable)
    gains = np.asarray(loops.hopf_gain(given.delay))
    quiet = beyond[given.signal[beyond] == 0]
    for start in range(0, quiet.size, _BLOCK):
        block = quiet[start : start + _BLOCK]
        out[block] = _without_signal(neuron, given.balance[block], gains[block], variance[block])
    for k in beyond[given.signal[beyond] != 0]:
        try:
            out[k], _ = amplitude(
                neuron, float(given.balance[k]), float(gains[k]), float(variance[k]), float(given.signal[k])
            )
        except ConvergenceError:
            out[k] = np.inf
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
