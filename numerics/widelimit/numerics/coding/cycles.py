"""Beyond the Hopf threshold: the amplitude of a delayed network's oscillation, by its first harmonic."""

from __future__ import annotations

import functools

import numpy as np
from scipy import optimize

from widelimit.numerics.coding import loops
from widelimit.numerics.coding.units import Given, Unit
from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import coding as theory
from widelimit.theory.errors import ConvergenceError

Array = np.ndarray
_PHASES = 96
_ANGLES = np.pi * (np.arange(_PHASES) + 0.5) / _PHASES  # over half a period: cosines are even


@functools.cache
def _excess() -> Compiled:
    t = theory
    return compile(t.harmonic_excess(), (t.BALANCE, t.HARMONIC, t.AMPLITUDE, t.LOOP), name="harmonic_excess")


def harmonics(neuron: Unit, amplitude: float, centre: float, variance: float) -> tuple[float, float]:
    """Mean and first Fourier coefficient of rates at centre + R cos p, averaged over noise of a variance."""
    h = centre + amplitude * np.cos(_ANGLES)
    rates = neuron.line(h, np.full(_PHASES, variance))[0]
    return float(rates.mean()), float(2 * (rates * np.cos(_ANGLES)).mean())


def amplitude(
    neuron: Unit, balance: float, loop: float, variance: float, signal: float = 0.0
) -> tuple[float, float]:
    """R with b a_1/R = G, and the centre of h, which moves with the oscillation where there is a signal."""
    if signal != 0:
        return _with_signal(neuron, balance, loop, variance, signal)

    def excess(log_size: float) -> float:
        size = float(np.exp(log_size))
        return float(_excess()(balance, harmonics(neuron, size, 0.0, variance)[1], size, loop))

    low, high = -16.0, 2.0
    if excess(low) <= 0:
        return 0.0, 0.0
    while excess(high) > 0:
        high += 2.0
        if high > 60:
            raise ConvergenceError(
                f"The oscillation of {neuron.phi} grows without bound at balance {balance:.6g}: use a bounded one."
            )
    size = float(np.exp(optimize.brentq(excess, low, high, xtol=1e-14)))
    return size, 0.0


def _with_signal(
    neuron: Unit, balance: float, loop: float, variance: float, signal: float
) -> tuple[float, float]:
    """R and the centre together, from those without and with the signal alone."""
    start, _ = amplitude(neuron, balance, loop, variance)

    def off(point: Array) -> Array:
        size, m = float(np.exp(point[0])), float(point[1])
        mean, first = harmonics(neuron, size, m, variance)
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
    for k in np.flatnonzero(~stable):
        gain = float(loops.hopf_gain(given.delay[k : k + 1])[0])
        try:
            out[k], _ = amplitude(
                neuron, float(given.balance[k]), gain, float(variance[k]), float(given.signal[k])
            )
        except ConvergenceError:
            out[k] = np.inf
    return out
