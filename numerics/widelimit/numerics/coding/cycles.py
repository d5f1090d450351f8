"""Beyond the Hopf threshold: the amplitude of a delayed network's oscillation, by its first harmonic."""

from __future__ import annotations

import math

import numpy as np

from widelimit.numerics import threads
from widelimit.numerics.coding import loops, smoothed
from widelimit.numerics.coding.units import Given, Unit
from widelimit.numerics.compile import compile
from widelimit.numerics.compile.cache import njit
from widelimit.theory import coding as theory
from widelimit.theory.calculus.equations import residual
from widelimit.theory.errors import ConvergenceError

Array = np.ndarray
_PHASES = 96
_ANGLES = np.pi * (np.arange(_PHASES) + 0.5) / _PHASES  # over half a period: cosines are even
_LEAST, _MOST = -16.0, 60.0  # logarithms of amplitudes
_SMALL = 0.01  # amplitudes whose a_1 is taken from the rates' slope
_BLOCK = 256  # points whose polynomials are held at once
_NEWTON = 80  # steps at most
_ROUGH = 0.02  # the last step to where another search starts from,
_NEAR = 1e-4  # to where averages are to have all digits,
_DONE = 1e-7  # and of all: the next would be its square
_AGREE = 3e-8  # of sums over the ends and the middles of intervals: their mean errs by the square


EXCESS = compile(
    residual(theory.harmonic_balance()),
    (theory.BALANCE, theory.HARMONIC, theory.AMPLITUDE, theory.LOOP),
    name="harmonic_excess",
)
excess = EXCESS.njit


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
    known = np.stack([balance, loop, signal, drive, top], axis=1)[rows]
    for table in smoothed.tables(neuron, variance[rows], float((2 * top[rows] + np.abs(drive[rows])).max())):
        flat = table.powers.reshape(len(table.powers), -1)

        def work(part: slice, table: smoothed.Table = table, flat: Array = flat) -> None:
            powers = (table.weights[part] @ flat).reshape(-1, *table.powers.shape[1:])
            to = table.places[part]
            size[rows[to]], centre[rows[to]] = _found(table.edges, powers, known[to])

        threads.each(work, threads.chunks(table.places.size, _BLOCK, _BLOCK))
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
        open_ = open_[EXCESS(balance[open_], first, size, loop[open_]) > 0]
        high[open_] += 2.0
    high[open_] = np.inf
    return np.asarray(np.exp(high))


@njit(cache=True, nogil=True, error_model="numpy")
def _found(edges: Array, powers: Array, known: Array) -> tuple[Array, Array]:
    """R and the centre of points whose polynomials are `powers`; `known` are b, G, x, the drive, and a bound of R."""
    size, centre = np.zeros((2, len(known)))
    out, more = np.empty((2, 6))
    for k in range(len(known)):
        b, g, x, drive, top = known[k]
        exact = x == 0
        size[k] = _alone(edges, powers[k], b, g, top, exact, out, more)
        if not exact and size[k] > 0:
            size[k], centre[k] = _about(edges, powers[k], (b, g, x), size[k], drive, top, out, more)
        elif not exact:
            size[k] = np.inf
    return size, centre


@njit(nogil=True, error_model="numpy")
def _averages(
    edges: Array, powers: Array, r: float, m: float, count: int, last: bool, out: Array, more: Array
) -> bool:
    """Fill `out`, by twice as many intervals if it is to be the last; whether that is exact to rounding.

    a_1 of small oscillations is 2 R times the mean of f' sin^2, which has all its digits.
    """
    smoothed.averages(edges, powers, r, m, count, 0, out)
    good = True
    if last and count > 0:
        smoothed.averages(edges, powers, r, m, count, 1, more)
        off = max(abs(out[0] - more[0]), abs(out[1] - more[1]))
        good = off <= _AGREE * (abs(more[0]) + abs(more[1])) and abs(out[5] - more[5]) <= _AGREE * abs(
            more[5]
        )
        for i in range(out.size):
            out[i] = (out[i] + more[i]) / 2
    if r < _SMALL:
        out[1] = r * out[5]
    return good


@njit(nogil=True, error_model="numpy")
def _alone(
    edges: Array, powers: Array, b: float, g: float, top: float, exact: bool, out: Array, more: Array
) -> float:
    """R with b a_1/R = G below `top`, to rounding if it is to be exact; 0 where there is none.

    Newton's steps between bounds for (R/a_1)^2 as a function of R^2. That is a line near the threshold and far beyond
    it, and in between hardly bent for a sigmoid: the first step is taken along the chord of both ends.
    """
    least = math.exp(_LEAST)
    _averages(edges, powers, least, 0.0, 0, True, out, more)
    off = excess(b, out[1], least, g) / g
    if not off > 0:
        return 0.0
    low, high = least, max(top, math.e * least)
    r = min(max(high * math.sqrt(off * (2 + off)) / (1 + off), low), high)
    count, near = smoothed.intervals(edges, r, 0.0), False
    for _ in range(_NEWTON):
        good = _averages(edges, powers, r, 0.0, count, near, out, more)
        off = excess(b, out[1], r, g) / g
        if off < 0:
            high = r
        else:
            low = r
        after = r * math.sqrt(1 + off * (2 + off) / (1 - r * out[4] / out[1]))
        if not low <= after <= high:
            after = math.sqrt(low * high)
        moved, r = abs(after / r - 1), after
        if moved <= _ROUGH and not exact:
            break
        if near and good and moved <= _DONE:
            break
        if near and not good:  # the function varies faster than its polynomials tell
            count, low, high = smoothed.finer(count), least, max(top, math.e * least)
        near = moved <= _NEAR
    return r


@njit(nogil=True, error_model="numpy")
def _about(
    edges: Array,
    powers: Array,
    given: tuple[float, float, float],
    r: float,
    m: float,
    top: float,
    out: Array,
    more: Array,
) -> tuple[float, float]:
    """R and the centre together, from R without the signal and the drive; inf where they are not found.

    Newton's steps from there, or else from near the largest R between bounds that has a centre and b a_1/R = G.
    """
    m = _centred(edges, powers, given, r, m, _ROUGH, out, more)
    size, centre = _both(edges, powers, given, r, m, out, more)
    if math.isinf(size):
        r, m = _bounded(edges, powers, given, r, m, top, out, more)
        size, centre = _both(edges, powers, given, r, m, out, more)
    return size, centre


@njit(nogil=True, error_model="numpy")
def _off(
    given: tuple[float, float, float], r: float, m: float, out: Array
) -> tuple[float, float, float, float, float, float]:
    """b a_1/R - G and m/b + a_0 - x, and the slopes of both by log R and m, from averages over a period."""
    b, g, x = given
    mean, first, slope, once, twice = out[0], out[1], out[2], out[3], out[4]
    one, two = excess(b, first, r, g), m / b - (x - mean)
    return one, two, b * (twice - first / r), b * once / r, r * once / 2, 1 / b + slope


@njit(nogil=True, error_model="numpy")
def _both(
    edges: Array,
    powers: Array,
    given: tuple[float, float, float],
    r: float,
    m: float,
    out: Array,
    more: Array,
) -> tuple[float, float]:
    """R and the centre from near them, by Newton's steps in log R and m; inf where these lead elsewhere."""
    count, near = smoothed.intervals(edges, r, m), False
    for _ in range(_NEWTON):
        good = _averages(edges, powers, r, m, count, near, out, more)
        one, two, a, b, c, d = _off(given, r, m, out)
        det = a * d - b * c
        log, move = (one * d - two * b) / det, (a * two - c * one) / det
        if not (math.isfinite(log) and math.isfinite(move)):
            break
        r *= math.exp(-min(max(log, -1.0), 1.0))
        m -= move
        moved = max(abs(log), abs(move) / (1 + abs(m)))
        if near and good and moved <= _DONE:
            return r, m
        if near and not good:
            count = smoothed.finer(count)
        near = moved <= _NEAR
    return np.inf, m


@njit(nogil=True, error_model="numpy")
def _bounded(
    edges: Array,
    powers: Array,
    given: tuple[float, float, float],
    r: float,
    m: float,
    top: float,
    out: Array,
    more: Array,
) -> tuple[float, float]:
    """R and the centre to four digits, by steps in log R between bounds, with the centre of each R."""
    low, high = math.exp(_LEAST), top
    for _ in range(_NEWTON):
        m = _centred(edges, powers, given, r, m, _NEAR**2, out, more)
        _averages(edges, powers, r, m, smoothed.intervals(edges, r, m), False, out, more)
        one, _, a, b, c, d = _off(given, r, m, out)
        if one < 0:
            high = r
        else:
            low = r
        after = r * math.exp(-one * d / (a * d - b * c))
        if not low <= after <= high:
            after = math.sqrt(low * high)
        moved, r = abs(after / r - 1), after
        if moved <= _NEAR:
            break
    return r, m


@njit(nogil=True, error_model="numpy")
def _centred(
    edges: Array,
    powers: Array,
    given: tuple[float, float, float],
    r: float,
    m: float,
    enough: float,
    out: Array,
    more: Array,
) -> float:
    """m = b (x - a_0) at the amplitude given, by Newton's steps between bounds until one is small."""
    b, _, x = given
    low, high = -b * abs(x), b * abs(x)
    m = min(max(m, low), high)
    for _ in range(_NEWTON):
        _averages(edges, powers, r, m, smoothed.intervals(edges, r, m), False, out, more)
        _, off, _, _, _, slope = _off(given, r, m, out)
        if off <= 0:
            low = m
        if off > 0:
            high = m
        after = m - off / slope
        if not low <= after <= high:
            after = (low + high) / 2
        moved, m = abs(after - m), after
        if moved <= enough * (abs(m) + r):
            break
    return m
