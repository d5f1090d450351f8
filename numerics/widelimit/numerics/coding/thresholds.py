"""Thresholds of balance, disorder and delay, the best balance, and what remains of the oscillation beyond."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from scipy import optimize
from scipy.optimize import elementwise

from widelimit.numerics import arguments
from widelimit.numerics.coding import cycles, loops, solver
from widelimit.numerics.coding.units import Given, Kind, Unit, unit
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import coding as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.equations import residual
from widelimit.theory.dynamics import VARIANCE
from widelimit.theory.errors import ArgumentError, DomainError, NoFixedPointError

Array = np.ndarray
_SMALL = 1e-12  # variance that stands for none
_WIDE = 12.0  # logarithm of how far balances may lie from the critical loop gain
_STEPS, _NODES = (
    np.arange(1, 41) / 40,
    12,
)  # drives between which a threshold lies, nodes of the series about it
_CONVERGED = 1e-13  # what is left of a series
_ROUGH = 1e-2  # by what a rough error may be off


@by_value
@dataclass(frozen=True)
class CriticalBalance:
    """The balance b_c at which a delayed network starts to oscillate, its loop gain G_c and its frequency omega."""

    balance: Any
    loop_gain: Any
    frequency: Any


@by_value
@dataclass(frozen=True)
class Best:
    """The balance of the least error: N Var x_hat there, its leading order for short delays, the mean square error.

    Without a size the error is the variance alone, and `mean_square_error` that of infinitely many neurons, the bias
    squared.
    """

    balance: float
    variance: float
    mean_square_error: float
    leading: float


@by_value
@dataclass(frozen=True)
class Oscillation:
    """Amplitude of h, the mean m that it turns about, its frequency, and amplitude and rms of x_hat's oscillation."""

    amplitude: float
    centre: float
    frequency: float
    estimate_amplitude: float
    estimate_rms: float


def critical_balance(
    activation: Kind, *, delay: Any, noise: Any = 0.0, disorder: Any = 0.0, signal: Any = 0.0
) -> CriticalBalance:
    """Return where a delayed network starts to oscillate: b A(b) = G_c = sqrt(1 + omega^2).

    omega cos(omega d) + sin(omega d) = 0 between pi/(2d) and pi/d. A depends on the balance itself through the drive;
    with a signal or disorder the first crossing is found. Without a delay there is none (inf). Arguments broadcast.

    >>> p = critical_balance("tanh", delay=0.1, noise=0.75)
    >>> round(p.balance, 9), round(p.loop_gain, 9), round(p.frequency, 9)
    (20.151819659, 16.350553926, 16.319945272)
    """
    neuron, given = solver.door(activation, 0.0, noise, disorder, delay, signal)
    gain, frequency = loops.hopf_gain(given.delay), loops.hopf_frequency(given.delay)
    balance = np.array([_crossing(neuron, given, k, float(gain[k])) for k in range(gain.size)])
    shaped = (arguments.scalar(a.reshape(given.shape)) for a in (balance, gain, frequency))
    return CriticalBalance(*shaped)


def _at(given: Given, k: int, balance: Array) -> Given:
    """One point at many balances."""
    columns = (given.noise, given.disorder, given.delay, given.signal)
    sigma, g, d, x = (np.full(balance.shape, column[k]) for column in columns)
    return Given(balance, sigma, g, d, x, balance.shape)


def _crossing(neuron: Unit, given: Given, k: int, gain: float) -> float:
    """The balance at which b A first is `gain`."""
    if math.isinf(gain):
        return math.inf
    if given.signal[k] == 0:
        return float(gain / solver.settle(neuron, _at(given, k, np.ones(1))).gain[0])
    found = None
    if not given.disorder[k]:
        found = _by_drive(neuron, float(given.signal[k]), float(given.noise[k]) ** 2 / 2, gain)
    else:

        def excess(log_balance: Array) -> Array:
            b = np.exp(np.atleast_1d(log_balance))
            return b * solver.settle(neuron, _at(given, k, b)).gain - gain

        grid = np.linspace(math.log(gain) - _WIDE, math.log(gain) + _WIDE, 17)
        above = np.flatnonzero(excess(grid) >= 0)
        if above.size and above[0]:
            a, b = grid[above[0] - 1], grid[above[0]]
            found = math.exp(optimize.brentq(lambda u: float(excess(np.array([u]))[0]), a, b, xtol=1e-13))
    if found is None:
        raise NoFixedPointError(
            f"No balance brings the loop to its critical gain {gain:.6g} at the signal {given.signal[k]:.6g}: units "
            "saturate. Use a smaller `signal`."
        )
    return float(found)


def _by_drive(neuron: Unit, signal: float, variance: float, gain: float) -> float | None:
    """The balance at which b A first is `gain`, by its drive m: b = m/(x - x_hat(m)) needs no root.

    The first root of m A - G (x - x_hat) up to the drive that decodes the signal exactly; None where A vanishes there.
    It is looked for by sums over few nodes first, and found as that of a series between two drives.
    """
    x = abs(signal)
    exactly = np.array([math.inf]), np.array([x]), np.array([variance])

    def excess(m: Array, rough: bool = False) -> Array:
        line = neuron.nearly if rough else neuron.line
        estimate, slope = line(m, np.full(m.shape, variance))[:2]
        return np.stack([m * slope - gain * (x - estimate), slope])

    places, whole = _chebyshev(_NODES)
    for rough in (True, False):
        most = 1.02 * float(neuron.near(*exactly)[0]) if rough else float(neuron.drive(*exactly)[0])
        found, slopes = excess(most * _STEPS, rough)
        if not (found > 0).any():
            continue
        first = int((found > 0).argmax())
        low, high = most * (_STEPS[first - 1] if first else 0.0), most * _STEPS[first]
        half = (high - low) / 2
        series = whole @ excess(low + half * (1 + places)).T
        (start, _), (end, slope) = chebyshev.chebval([-1.0, 1.0], series).T
        sure = np.abs(series[-2:]).max(axis=0) < _CONVERGED * np.abs(series).max(axis=0)
        if start < 0 < end and sure.all() and abs(slopes[first] - slope) <= _ROUGH * slope:
            u = optimize.brentq(chebyshev.chebval, -1.0, 1.0, args=(series[:, 0],), xtol=1e-15)
            return _balance(gain, chebyshev.chebval(u, series[:, 1]))
    if not (found > 0).any():
        return None
    m = optimize.brentq(
        lambda m: float(excess(np.array([m]))[0, 0]), low, high, xtol=1e-15 * most, rtol=1e-15
    )
    return _balance(gain, excess(np.array([m]))[1, 0])


def _balance(gain: float, slope: float) -> float | None:
    """b with b A = G, A the slope; none that is out of all bounds."""
    return float(gain / slope) if slope > math.exp(-_WIDE) else None


def optimal_balance(
    activation: Kind,
    *,
    delay: float,
    size: float | None = None,
    noise: float = 0.0,
    disorder: float = 0.0,
    signal: float = 0.0,
) -> Best:
    """Return the balance of the least error of a delayed network of `size` neurons, bias^2 + Var x_hat.

    Without `size` the bias is not counted, and N Var x_hat is least: for short delays at G = y/d, y = cos y, where it
    is 3.0638 Delta_0 B d. With a size and a signal the best balance lies higher. Raises `DomainError` where the error
    falls with the balance for ever (no delay) or does not fluctuate.

    >>> p = optimal_balance("tanh", delay=0.1, noise=0.75)
    >>> round(p.balance, 6), round(p.variance, 12)
    (8.706194, 0.050013764573)
    >>> round(p.leading / (0.75**2 / 2 * 0.1), 4)  # 3.0638 E phi'^2
    2.136
    """
    for name, value in {"delay": delay, "noise": noise, "disorder": disorder, "signal": signal}.items():
        arguments.finite_number(name, value)
    neuron, given = solver.door(activation, 1.0, noise, disorder, delay, signal)
    count = None if size is None else arguments.positive_number("size", size)
    if given.delay[0] == 0:
        raise DomainError(
            "Without a delay the error falls with the balance for ever: pass a positive `delay`."
        )
    if given.noise[0] == 0 and given.disorder[0] == 0:
        raise DomainError("Without noise and disorder nothing fluctuates, and no balance is best.")
    still = given.signal[0] == 0  # no balance moves the units then
    gain = float(loops.hopf_gain(given.delay)[0])
    one = solver.settle(neuron, given._replace(delay=np.zeros(1))) if still else None
    top = gain / float(one.gain[0]) if one is not None else _crossing(neuron, given, 0, gain)

    def errors(y: Array, state: solver.State | None = None) -> Array:
        at = _at(given, 0, top / (1 + np.exp(-y)))
        if state is None:
            now = at._replace(delay=np.zeros(y.shape))  # all of them are stable
            state = solver.settle(neuron, now) if one is None else solver.picked(one, np.zeros(y.size, int))
        _, bias, variance = solver.error(at, state, at.balance * state.gain < gain)
        total = variance if count is None else bias**2 + variance / count
        return np.stack([total, variance, bias, state.drive, state.variance])

    def roughly(y: Array) -> Array:
        b, x = top / (1 + np.exp(-y)), np.full(y.shape, given.signal[0])
        variance, nothing = np.full(y.shape, given.noise[0] ** 2 / 2), np.zeros(y.shape)
        m = neuron.near(b, x, variance)
        estimate, slope, modes = neuron.nearly(m, variance)
        return errors(y, solver.State(m, estimate, slope, variance, nothing, nothing, modes, {}))

    functions = (errors,) if still or given.disorder[0] else (roughly, errors)
    y, (_, variance, bias, drive, spread) = _least(
        functions, *((15, 10, 1e-8) if given.disorder[0] else (31, 20, 1e-12))
    )
    mean = bias**2 + (0.0 if count is None else variance / count)
    square = neuron.squares(np.array([drive]), np.array([spread]))[0, 0]
    floor = _short()[0](given.noise[0] ** 2 / 2, square, given.delay[0], _best_phase())
    return Best(top / (1 + math.exp(-y)), float(variance), float(mean), float(floor))


def _least(
    functions: Sequence[Callable[[Array], Array]],
    points: int,
    nodes: int,
    enough: float,
) -> tuple[float, Array]:
    """Where the first row of a function of y is least, and all rows there: a grid, then Chebyshev's series about it.

    y = log b/(b_c - b): the error grows without bound towards b_c, and is smooth in y. The grid is of the
    first of `functions`, a rough one, unless it differs from the series or the least is not where it says; the series
    is of the last, and shortened until it has converged.
    """
    grid = np.linspace(-14.0, 16.0, points)
    places, whole = _chebyshev(nodes)
    for function in functions:
        found = function(grid)[0]
        found = np.where(np.isnan(found), np.inf, found)
        if not (found > 0).any():
            raise DomainError(
                "Nothing fluctuates at any balance, and no balance is best: raise `noise` or `disorder`."
            )
        best = int(np.argmin(found))
        y, half, alike = float(grid[best]), grid[1] - grid[0], True
        for step in range(4):
            parts = whole @ functions[-1](y + half * places).T
            if step == 0:
                here = chebyshev.chebval(0.0, parts[:, 0])
                alike = abs(found[best] - here) <= _ROUGH * here
            u = _least_of(parts[:, 0])
            y += half * u
            if np.abs(parts[-2:, 0]).max() <= enough * np.abs(parts[:, 0]).max() or abs(u) == 1:
                break
            half /= 5
        if abs(u) < 1 and alike:
            break
    return y, chebyshev.chebval(u, parts)


def _least_of(series: Array) -> float:
    """Where a Chebyshev series is least between -1 and 1."""
    slopes = chebyshev.chebroots(chebyshev.chebder(series))
    inside = slopes[(np.abs(slopes.imag) < 1e-6) & (np.abs(slopes.real) <= 1)].real
    places = np.concatenate([inside, [-1.0, 1.0]])
    return float(places[int(np.argmin(chebyshev.chebval(places, series)))])


@functools.cache
def _chebyshev(count: int) -> tuple[Array, Array]:
    """Chebyshev's points, and what makes a series of values at them."""
    places = chebyshev.chebpts1(count)
    return places, np.linalg.inv(chebyshev.chebvander(places, count - 1))


@functools.cache
def _short() -> tuple[Compiled, Compiled]:
    t = theory
    floor = compile(t.delay_floor(), (VARIANCE, t.SQUARE, t.DELAY, t.PHASE), name="delay_floor")
    return floor, compile(residual(t.best_phase()), (t.PHASE,), name="best_phase")


@functools.cache
def _best_phase() -> float:
    return float(optimize.brentq(lambda y: float(_short()[1](y)), 0.1, 1.5, xtol=1e-15))


def oscillation(
    activation: Kind,
    *,
    balance: float,
    delay: float,
    noise: float = 0.0,
    disorder: float = 0.0,
    signal: float = 0.0,
) -> Oscillation:
    """Return the oscillation of a delayed network: b a_1(R)/R = G_c, a_1 the first Fourier coefficient of rates.

    The frequency is that of the threshold. Noise smoothes the rates before they are taken apart. Below the threshold
    the amplitude is 0. With disorder the variance of units is that of the state without oscillation, and with a signal
    higher harmonics of even order are left out: both are approximations.

    >>> p = oscillation("tanh", balance=1.05 * 16.35055392597, delay=0.1)
    >>> round(p.amplitude, 4), round(p.estimate_rms, 4)
    (0.4509, 0.3037)
    """
    for name, value in {
        "balance": balance, "delay": delay, "noise": noise, "disorder": disorder, "signal": signal,
    }.items():  # fmt: skip
        arguments.finite_number(name, value)
    neuron, given = solver.door(activation, balance, noise, disorder, delay, signal)
    if given.delay[0] == 0:
        raise ArgumentError("delay", "must be positive", 0.0, "A loop without delay does not oscillate.")
    state = solver.settle(neuron, given)
    gain = float(loops.hopf_gain(given.delay)[0])
    frequency = float(loops.hopf_frequency(given.delay)[0])
    b = float(given.balance[0])
    if b * state.gain[0] < gain:
        return Oscillation(0.0, float(state.drive[0]), frequency, 0.0, 0.0)
    size, centre = cycles.amplitude(neuron, b, gain, float(state.variance[0]), float(given.signal[0]))
    decoded = gain * size / b  # a_1
    return Oscillation(size, centre, frequency, decoded, decoded / math.sqrt(2))


def stable_delay(loop_gain: float) -> float:
    """Return the delay from which on a loop of this gain oscillates, inf for gains of at most 1.

    >>> round(stable_delay(16.35055392597), 10)
    0.1
    """
    gain = arguments.non_negative_number("loop_gain", loop_gain)
    if gain > 1e12:
        raise ArgumentError("loop_gain", "must be at most 1e12", gain)
    if gain <= 1 + 1e-12:
        return math.inf

    def excess(log_delay: float) -> float:
        return math.log(float(loops.hopf_gain(np.array([math.exp(log_delay)]))[0])) - math.log(gain)

    low, high = math.log(1 / gain), math.log(10 / gain)  # d G_c is at least pi/2
    while excess(high) > 0:
        high += 1.0
        if high > 30:
            return math.inf
    return math.exp(float(optimize.brentq(excess, low, high, xtol=1e-14)))


def chaos_onset(activation: Kind, *, signal: Any, balance: Any = math.inf) -> Any:
    """Return the disorder g_c at which the static state of a network without noise turns chaotic.

    Delta_0 = g^2 E phi^2 loses its stability at g^2 E phi'^2 = 1, with m from the balance; infinite balance decodes the
    signal exactly. Signals suppress chaos: g_c is 1 for tanh at x = 0 only. Arguments broadcast.

    >>> chaos_onset("tanh", signal=[0.0, 0.2, 0.5]).round(9).tolist()
    [1.0, 1.401609478, 2.103617615]
    """
    neuron = unit(Activation.of(activation))
    b = arguments.positive("balance", balance, infinite=True)
    if (b[np.isfinite(b)] > 1e12).any() or (b < 1e-9).any():
        raise ArgumentError("balance", "must lie between 1e-9 and 1e12, or be infinite", float(b.flat[0]))
    strengths, values = arguments.broadcast(balance=b, signal=solver.signals(neuron, signal))
    found = _onsets(neuron, strengths.ravel(), values.ravel())
    return arguments.scalar(found.reshape(strengths.shape))


@functools.cache
def _disorder() -> Compiled:
    return compile(theory.onset_disorder(), (theory.SQUARE,), name="onset_disorder")


def _onsets(neuron: Unit, balance: Array, signal: Array) -> Array:
    """The same for pairs of balance and signal, all at once."""

    def excess(log_variance: Array, b: Array, x: Array) -> Array:
        variance = np.exp(log_variance).ravel()
        drive = neuron.drive(b.ravel(), x.ravel(), variance)
        return neuron.onset(drive, variance).reshape(log_variance.shape)

    variance = np.full(balance.shape, _SMALL)
    open_ = np.flatnonzero((signal != 0) | (not neuron.phi.is_odd))
    if open_.size:
        b, x = balance[open_], signal[open_]
        grid = np.linspace(math.log(_SMALL), math.log(1e6), 121)
        above = excess(*np.broadcast_arrays(grid[:, None], b, x)) > 0
        first = above.argmax(axis=0)
        if (none := ~above.any(axis=0) | (first == 0)).any():
            raise NoFixedPointError(
                f"No disorder makes the static state of {neuron.phi} chaotic at the signal {x[none][0]:.6g}."
            )
        tight = {"xatol": 1e-14, "xrtol": 4e-16, "fatol": 0.0}
        found = elementwise.find_root(
            excess, (grid[first - 1], grid[first]), args=(b, x), tolerances=tight, maxiter=200
        )
        variance[open_] = np.exp(found.x)
    square = neuron.squares(neuron.drive(balance, signal, variance), variance)[0]
    return np.asarray(_disorder()(square))
