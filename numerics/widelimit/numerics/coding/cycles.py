"""Beyond the Hopf threshold: the amplitude of a delayed network's oscillation, by its first harmonic."""

from __future__ import annotations

import functools

import numpy as np

from widelimit.numerics.coding import loops, smoothed
from widelimit.numerics.coding.units import Given, Unit
from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import coding as theory
from widelimit.theory.calculus.equations import residual
from widelimit.theory.errors import ConvergenceError

Array = np.ndarray
_PHASES = 96
_ANGLES = np.pi * (np.arange(_PHASES) + 0.5) / _PHASES  # over half a period: cosines are even
_LEAST, _MOST = -16.0, 60.0  # logarithms of amplitudes
_NEWTON, _DONE = 80, 1e-10  # steps at most; the next step would be the square of this


@functools.cache
def _excess() -> Compiled:
    t = theory
    return compile(
        residual(t.harmonic_balance()), (t.BALANCE, t.HARMONIC, t.AMPLITUDE, t.LOOP), name="harmonic_excess"
    )


def harmonics(neuron: Unit, amplitude: Array, centre: Array, variance: Array) -> Array:
    """Mean and first Fourier coefficient of rates at centre + R cos p, averaged over noise; (2, points)."""
    h = centre[:, None] + amplitude[:, None] * np.cos(_ANGLES)
    rates = neuron.rates(h.reshape(-1), np.repeat(variance, _PHASES)).reshape(h.shape)
    return np.stack([rates.mean(1), 2 * (rates * np.cos(_ANGLES)).mean(1)])


def amplitude(
    neuron: Unit, balance: float, loop: float, variance: float, signal: float = 0.0
) -> tuple[float, float]:
    """R with b a_1/R = G, and the centre of h, which moves with the oscillation where there is a signal."""
    b, g, q, x = (np.array([one]) for one in (balance, loop, variance, signal))
    size, centre = (float(one[0]) for one in cycles(neuron, b, g, q, x, neuron.drive(b, x, q)))
    if np.isfinite(size):
        return size, centre
    if signal != 0:
        raise ConvergenceError(
            f"The oscillation of {neuron.phi} about the signal {signal:.6g} was not found at balance {balance:.6g}."
        )
    raise ConvergenceError(
        f"The oscillation of {neuron.phi} grows without bound at balance {balance:.6g}: use a bounded one."
    )


def amplitudes(neuron: Unit, given: Given, drive: Array, variance: Array, stable: Array) -> Array:
    """Amplitudes of h at many points, 0 where they are stable, inf where an oscillation has no bound."""
    out = np.zeros(stable.shape)
    beyond = np.flatnonzero(~stable)
    if beyond.size:
        gain = loops.hopf_gain(given.delay)
        known = (one[beyond] for one in (given.balance, gain, variance, given.signal, drive))
        out[beyond] = cycles(neuron, *known)[0]
    return out


def cycles(
    neuron: Unit, balance: Array, loop: Array, variance: Array, signal: Array, drive: Array
) -> tuple[Array, Array]:
    """R and the centre at many points: R is 0 where nothing oscillates without a signal, inf where none is found.

    `drive` is that without an oscillation: |m| is at most R larger.
    """
    top = _bounds(neuron, balance, loop, variance)
    size, centre = np.where(np.isinf(top), np.inf, 0.0), np.zeros(top.shape)
    rows = np.flatnonzero(np.isfinite(top))
    if rows.size == 0:
        return size, centre
    found = smoothed.tables(neuron, variance[rows], float((2 * top[rows] + np.abs(drive[rows])).max()))
    known = balance[rows], loop[rows]
    own = _without_signal(found, *known, top[rows])
    driven = np.flatnonzero(signal[rows] != 0)
    about = np.zeros(rows.size)
    if driven.size:
        own[driven], about[driven] = _about_signals(found, *known, signal[rows], own, driven)
    size[rows], centre[rows] = own, about
    return size, centre


def _bounds(neuron: Unit, balance: Array, loop: Array, variance: Array) -> Array:
    """An amplitude above R: a_1 is at most 4/pi of the largest rate. Without a largest rate one is looked for."""
    if np.isfinite(neuron.bound):
        return np.asarray(4 / np.pi * neuron.bound * balance / loop)
    high = np.full(balance.shape, 2.0)
    open_ = np.arange(high.size)
    while open_.size and high.max() <= _MOST:
        size = np.exp(high[open_])
        first = harmonics(neuron, size, np.zeros(size.shape), variance[open_])[1]
        open_ = open_[_excess()(balance[open_], first, size, loop[open_]) > 0]
        high[open_] += 2.0
    high[open_] = np.inf
    return np.asarray(np.exp(high))


def _without_signal(found: list[smoothed.Table], balance: Array, loop: Array, top: Array) -> Array:
    """R with b a_1/R = G at many points, from above by Newton's steps in log R between bounds; 0 where there is none.

    The logarithm of a_1/R falls, faster and faster, to -log R: steps from above do not pass the root.
    """
    low, high = np.full(top.shape, _LEAST), np.maximum(np.log(top), _LEAST + 1)
    active = np.arange(top.size)
    _, first, _, _, _ = _averages(found, np.exp(low), np.zeros(low.shape), active)
    born = np.asarray(_excess()(balance, first, np.exp(low), loop)) > 0
    u = np.where(born, high, -np.inf)
    active = np.flatnonzero(born)
    for _ in range(_NEWTON):
        if active.size == 0:
            break
        r = np.exp(u[active])
        _, first, _, _, twice = _averages(found, r, np.zeros(r.shape), active)
        off = np.log1p(np.asarray(_excess()(balance[active], first, r, loop[active])) / loop[active])
        above = off < 0
        high[active[above]], low[active[~above]] = u[active[above]], u[active[~above]]
        with np.errstate(all="ignore"):
            after = u[active] - off / (r * twice / first - 1)
        inside = (after >= low[active]) & (after <= high[active])
        after = np.where(inside, after, (low[active] + high[active]) / 2)
        moved = np.abs(after - u[active]) > _DONE
        u[active] = after
        active = active[moved]
    return np.asarray(np.exp(u))


def _about_signals(
    found: list[smoothed.Table], balance: Array, loop: Array, signal: Array, alone: Array, driven: Array
) -> tuple[Array, Array]:
    """R and the centre together at the points `driven`, from R without signals; inf where they are not found.

    Newton's steps in log R and the centre: all four slopes are averages of the rate's slope over a period.
    """
    size, centre, reached = alone.copy(), np.zeros(alone.shape), np.zeros(alone.shape, bool)
    active = driven[alone[driven] > 0]
    centre[active] = _centred(found, balance, signal, alone, active)
    for _ in range(_NEWTON):
        if active.size == 0:
            break
        b, g, r, m = balance[active], loop[active], size[active], centre[active]
        mean, first, slope, once, twice = _averages(found, r, m, active)
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
    return np.where(reached, size, np.inf)[driven], centre[driven]


def _centred(found: list[smoothed.Table], balance: Array, signal: Array, size: Array, rows: Array) -> Array:
    """m = b (x - a_0) to three digits at the amplitudes given, by Newton's steps between bounds."""
    m, low, high = np.zeros(rows.size), *(side * balance[rows] * np.abs(signal[rows]) for side in (-1.0, 1.0))
    active = np.arange(rows.size)
    for _ in range(_NEWTON):
        if active.size == 0:
            break
        here = rows[active]
        mean, _, slope, _, _ = _averages(found, size[here], m[active], here)
        off = m[active] / balance[here] - (signal[here] - mean)
        low[active[off <= 0]], high[active[off > 0]] = m[active[off <= 0]], m[active[off > 0]]
        after = m[active] - off / (1 / balance[here] + slope)
        inside = (after >= low[active]) & (after <= high[active])
        after = np.where(inside, after, (low[active] + high[active]) / 2)
        moved = np.abs(after - m[active]) > 1e-3 * (np.abs(after) + size[here])
        m[active] = after
        active = active[moved]
    return m


def _averages(found: list[smoothed.Table], size: Array, centre: Array, rows: Array) -> Array:
    """`smoothed.averages`; small oscillations by 2 R times the mean of f' sin^2, which has all digits of a_1."""
    out = smoothed.averages(found, size, centre, rows)
    small = size < 0.01
    out[1, small] = size[small] * (2 * out[2, small] - out[4, small])
    return out
