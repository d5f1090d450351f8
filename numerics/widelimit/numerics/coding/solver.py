"""`solve`: the error of a balanced network, its bias and fluctuations, and whether it is stable."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.coding import loops
from widelimit.numerics.coding.cycles import amplitudes
from widelimit.numerics.coding.units import Given, Kind, Unit, unit
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.dynamics import correlation, level
from widelimit.numerics.dynamics.modes import Modes, modes
from widelimit.numerics.results import by_value
from widelimit.theory import coding as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
PHASES = ("static", "chaotic", "oscillating")
_SCALES = {  # what a network's numbers may be, zero besides
    "balance": (1e-9, 1e12), "noise": (1e-6, 1e3), "disorder": (1e-6, 1e3), "delay": (1e-12, 1e6),
}  # fmt: skip


@by_value
@dataclass(frozen=True)
class Coding:
    """A balanced network, each a number or an array of the arguments' shape.

    `drive` m, `estimate` x_hat, `bias` x - x_hat, `gain` A, `loop_gain` G = b A; `unit_variance` Delta_0 of h about w m
    and `frozen_variance`, the part of it that does not fade in time; `variance`, N times the variance of x_hat in time
    within one network, inf where it oscillates; `quenched_variance`, N times the variance of the mean of x_hat between
    networks; `critical_balance`, at which a delayed loop of this gain starts to oscillate; `stable`, `phase`
    ("static", "chaotic", "oscillating") and `amplitude`, of h where it oscillates, otherwise 0.
    """

    drive: Any
    estimate: Any
    bias: Any
    gain: Any
    loop_gain: Any
    unit_variance: Any
    frozen_variance: Any
    variance: Any
    quenched_variance: Any
    critical_balance: Any
    stable: Any
    phase: Any
    amplitude: Any


class State(NamedTuple):
    """Drive, variances and averages of units, flat arrays; modes where there is no disorder, paths where there is.

    Modes are zeros where the variance of x_hat does not need them.
    """

    drive: Array
    estimate: Array
    gain: Array
    variance: Array
    frozen: Array
    still: Array  # what does not fade of E phi phi
    modes: Modes | None
    paths: dict[int, correlation.Path]


def solve(
    activation: Kind,
    *,
    balance: Any,
    noise: Any = 0.0,
    disorder: Any = 0.0,
    delay: Any = 0.0,
    signal: Any = 0.0,
) -> Coding:
    """Return what a large balanced network decodes, and how far it is off (arXiv:2006.14178).

    dh_i = [-h_i + g sum_j J_ij phi(h_j(t - d)) + b w_i (x - x_hat(t - d))] dt + sigma dW_i. The drive solves
    m = b (x - x_hat(m)); Delta_0 is sigma^2/2, or with disorder the largest root of dynamic mean field; fluctuations
    of rates pass the loop 1/(1 + G exp(-i omega d)/(1 + i omega)). Time is in units of the membrane constant. All
    arguments broadcast.

    Args:
        activation: a catalogue name or an increasing expression in x.
        balance: b, not negative.
        noise: sigma, which multiplies dW: a unit by itself has the variance sigma^2/2.
        disorder: g, of the random part of the weights.
        delay: d of all recurrent input.
        signal: x; its size has to be below the largest rate.

    Raises `ArgumentError` for a signal that no rates reach, or an activation that jumps or does not increase, and
    `NoFixedPointError` where disorder lets an unbounded activation run away.

    >>> p = solve("tanh", balance=4.0, noise=0.75, signal=0.2)
    >>> round(p.drive, 10), round(p.estimate, 10), round(p.variance, 10), p.phase
    (0.1894297298, 0.1526425676, 0.0443823518, 'static')
    >>> p = solve("erf_s", balance=8.0, noise=0.75, disorder=1.6)
    >>> round(p.unit_variance, 8), round(p.variance, 10)
    (1.16386791, 0.034546598)
    >>> p = solve("erf_s", balance=4.0, noise=0.5, disorder=1.2, signal=0.5)
    >>> round(p.frozen_variance, 8), round(p.quenched_variance, 8)
    (0.46486093, 0.0156169)
    """
    neuron, given = door(activation, balance, noise, disorder, delay, signal)
    found = coding(neuron, given, settle(neuron, given))
    shaped = {name: arguments.scalar(value.reshape(given.shape)) for name, value in found.items()}
    return Coding(**shaped)


def door(
    activation: Kind, balance: Any, noise: Any, disorder: Any, delay: Any, signal: Any
) -> tuple[Unit, Given]:
    """Check arguments and flatten them."""
    neuron = unit(Activation.of(activation))
    checked = {
        name: _scale(name, arguments.non_negative(name, value))
        for name, value in {"balance": balance, "noise": noise, "disorder": disorder, "delay": delay}.items()
    }
    x = signals(neuron, signal)
    several = arguments.broadcast(**checked, signal=x)
    shape = several[0].shape
    slow = 0.1 if bool((several[2] > 0).any()) else 5e-5
    costs.affordable("balance", int(several[0].size), memory=4000.0, seconds=slow, each="point")
    b, sigma, g, d, values = (np.array(a, float).reshape(-1) for a in several)
    return neuron, Given(b, sigma, g, d, values, shape)


def signals(neuron: Unit, signal: Any) -> Array:
    """Signals that rates can reach."""
    x = arguments.finite("signal", signal)
    if (np.abs(x) >= neuron.bound).any():
        worst = float(x[np.abs(x) >= neuron.bound].flat[0])
        raise ArgumentError(
            "signal",
            f"must be smaller than {neuron.bound:.6g}, the largest rate of {neuron.phi.name}",
            worst,
            "No finite drive decodes it. Scale the signal, or the activation.",
        )
    if (np.abs(x) > 1e6).any():
        raise ArgumentError(
            "signal", "must be at most 1e6 in size", float(np.abs(x).max()), "Choose other units."
        )
    return x


def _scale(name: str, array: Array) -> Array:
    least, most = _SCALES[name]
    wrong = (array != 0) & ((array < least) | (array > most))
    if wrong.any():
        raise ArgumentError(
            name, f"must be 0 or lie between {least:g} and {most:g}", float(array[wrong].flat[0]),
            "Choose other units.",
        )  # fmt: skip
    return array


@functools.cache
def _static() -> Compiled:
    t = theory
    return compile((t.loop_gain(), t.bias()), (t.BALANCE, t.GAIN, t.DRIVE), name="loop_gain")


@functools.cache
def _quenched() -> Compiled:
    t = theory
    return compile(t.quenched_variance(), (t.STILL, t.ESTIMATE, t.LOOP), name="quenched")


def settle(neuron: Unit, given: Given) -> State:
    """The stationary state of units, each once: a delay does not change it, nor the balance without a signal."""
    least = np.where(given.delay > 0, np.maximum(given.balance, 1e-9), 1.0)  # without a delay G_c is infinite
    room = loops.hopf_gain(given.delay) / least
    balance = np.where(given.signal == 0, 1.0, given.balance)
    rows = np.stack([balance, given.noise, given.disorder, given.signal], axis=1)
    first, back = np.unique(rows, axis=0, return_inverse=True)
    if len(first) == len(rows):
        return _settled(neuron, given, room)
    b, noise, disorder, signal = np.ascontiguousarray(first.T)
    most = np.zeros(b.shape)
    np.maximum.at(most, back.reshape(-1), room)
    one = _settled(neuron, Given(b, noise, disorder, np.zeros(b.shape), signal, b.shape), most)
    return picked(one, back.reshape(-1))


def picked(one: State, back: Array) -> State:
    """A state whose rows are those of another, by index."""
    series = None if one.modes is None else Modes(one.modes.squares[back], one.modes.moment[back])
    paths = {k: one.paths[i] for k, i in enumerate(back.tolist()) if i in one.paths}
    m, estimate, gain, variance, frozen, still = (part[back] for part in one[:6])
    return State(m, estimate, gain, variance, frozen, still, series, paths)


def _settled(neuron: Unit, given: Given, room: Array) -> State:
    """The same of these rows; the network is stable while A is below `room`, its critical loop gain over b."""
    variance, frozen = given.noise**2 / 2, np.zeros(given.noise.shape)
    paths: dict[int, correlation.Path] = {}
    disordered = np.flatnonzero(given.disorder > 0)
    still = np.zeros(given.noise.shape)
    for k in disordered:
        balance, signal = given.balance[k], given.signal[k]

        def drive(at: Array, balance: float = balance, signal: float = signal) -> Array:
            return neuron.drive(np.full(at.shape, balance), np.full(at.shape, signal), at)

        found = correlation.solve(neuron.phi, float(given.disorder[k]), float(given.noise[k]), drive)
        variance[k], frozen[k] = found.variance, found.frozen
        still[k] = found.modes.value(np.array([min(found.rest, 1.0)]))[0]
        if found.rest < 1.0:
            paths[int(k)] = correlation.Path(found, float(given.disorder[k]), float(given.noise[k]))
    m = neuron.drive(given.balance, given.signal, variance)
    estimate, gain = neuron.line(m, variance)
    plain = given.disorder == 0
    series = None
    if plain.any():
        odd = neuron.phi.is_odd  # both signs of w have the same squared mean then, that of x_hat
        series = _modes_at(neuron, m, variance, plain & (gain <= room * (1 + 1e-9)) if odd else plain)
        still = np.where(plain, estimate**2 if odd else series.squares[:, 0], still)
    return State(m, estimate, gain, variance, frozen, still, series, paths)


def _modes_at(neuron: Unit, drive: Array, variance: Array, chosen: Array) -> Modes:
    """Modes at the points chosen, zeros elsewhere."""
    if chosen.all():
        return modes(neuron.phi, drive, variance)
    if not chosen.any():
        return Modes(np.zeros((drive.size, 1)), np.zeros(drive.shape))
    found = modes(neuron.phi, drive[chosen], variance[chosen])
    squares, moment = np.zeros((drive.size, found.squares.shape[1])), np.zeros(drive.shape)
    squares[chosen], moment[chosen] = found.squares, found.moment
    return Modes(squares, moment)


def error(given: Given, state: State, stable: Array) -> tuple[Array, Array, Array]:
    """G, the bias, and N Var x_hat, inf where it is not stable."""
    loop, bias = _static()(given.balance, state.gain, state.drive)
    with np.errstate(divide="ignore", invalid="ignore"):
        bias = np.where(given.balance > 0, bias, given.signal - state.estimate)
    return loop, bias, _variances(given, state, loop, stable)


def coding(neuron: Unit, given: Given, state: State) -> dict[str, Array]:
    """The fields of `Coding` as flat arrays."""
    with np.errstate(divide="ignore", invalid="ignore"):
        critical = loops.hopf_gain(given.delay) / state.gain
    critical = np.where(np.isnan(critical), np.inf, critical)
    stable = given.balance < critical
    loop, bias, variance = error(given, state, stable)
    still = _quenched()(state.still, state.estimate, loop)
    phase = np.where(stable, "static", "oscillating").astype(object)
    phase[_chaotic(neuron, given, state, stable)] = "chaotic"
    return {
        "drive": state.drive,
        "estimate": state.estimate,
        "bias": bias,
        "gain": state.gain,
        "loop_gain": loop,
        "unit_variance": state.variance,
        "frozen_variance": state.frozen,
        "variance": variance,
        "quenched_variance": np.maximum(still, 0.0) * (still > 1e-15),
        "critical_balance": critical,
        "stable": stable,
        "phase": phase,
        "amplitude": amplitudes(neuron, given, state.drive, state.variance, stable),
    }


def _variances(given: Given, state: State, loop: Array, stable: Array) -> Array:
    out = np.full(loop.shape, np.inf)
    plain = np.flatnonzero((given.disorder == 0) & stable)
    if plain.size and state.modes is not None:
        found = Modes(state.modes.squares[plain], state.modes.moment[plain])
        out[plain] = loops.of_modes(found, loop[plain], given.delay[plain])
        out[plain[given.noise[plain] == 0]] = 0.0
    for k in np.flatnonzero((given.disorder > 0) & stable):
        path = state.paths.get(int(k))
        out[k] = 0.0 if path is None else loops.of_path(path, float(loop[k]), float(given.delay[k]))
    return out


def _chaotic(neuron: Unit, given: Given, state: State, stable: Array) -> list[int]:
    """Where small differences grow: not where the well is nowhere below zero."""
    rows = np.array([k for k in state.paths if stable[k]], int)
    if rows.size == 0:
        return []
    square = neuron.squares(state.drive[rows], state.variance[rows])[0]
    open_ = rows[given.disorder[rows] ** 2 * square > 1].tolist()
    return [k for k in open_ if given.noise[k] == 0 or level.exponent(state.paths[k]) > 0]
