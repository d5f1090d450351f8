"""What the feedback of the error does to fluctuations: variances of modes, with a delay and without; thresholds."""

from __future__ import annotations

import functools
import math

import numpy as np

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.dynamics.correlation import Path
from widelimit.numerics.dynamics.level import tail_rate
from widelimit.numerics.dynamics.modes import Modes
from widelimit.theory import coding as theory
from widelimit.theory.calculus.equations import residual
from widelimit.theory.errors import ConvergenceError

Array = np.ndarray
_RATES, _FIT = 36, 400  # exponentials and times of a fit
_FITTED = 1e-8


@functools.cache
def _modes() -> tuple[Compiled, Compiled]:
    t = theory
    plain = compile(t.mode_variance(), (t.LOOP, t.MODE), name="mode")
    delayed = compile(t.delayed_mode(), (t.LOOP, t.MODE, t.DELAY, t.COSINE, t.SINE), name="delayed_mode")
    return plain, delayed


@functools.cache
def _closed() -> Compiled:
    return compile(theory.closed_loop(), (theory.LOOP, theory.RATES, theory.FADING), name="closed_loop")


@functools.cache
def _hopf() -> tuple[Compiled, Compiled]:
    t = theory
    condition = residual(t.hopf_condition())
    return compile((condition, condition.diff(t.FREQUENCY)), (t.FREQUENCY, t.DELAY), name="hopf"), compile(
        t.hopf_gain(), (t.FREQUENCY,), name="gain"
    )


def passed(loop: Array, delay: Array, rate: Array) -> Array:
    """Variance of x_hat for rates of correlation exp(-rate tau), broadcast; the loop has to be stable."""
    loop, delay, rate = np.broadcast_arrays(loop, delay, rate)
    plain, delayed = _modes()
    out = np.asarray(plain(loop, rate), float)
    late = delay > 0
    if late.any():
        g, d = loop[late], delay[late]
        angle = d * np.sqrt((g * g - 1).astype(complex))
        out = np.array(out)
        out[late] = delayed(g, rate[late], d, np.cos(angle).real, d * np.sinc(angle / np.pi).real)
    return out


def of_modes(found: Modes, loop: Array, delay: Array) -> Array:
    """N Var x_hat of rates with the correlation sum_k s_k exp(-k tau), one row each; the mean k = 0 does not move."""
    count = found.squares.shape[1]
    k = np.arange(1, count + 1, dtype=float)
    shares = np.concatenate([found.squares[:, 1:], found.tail[:, None]], axis=1)
    return (shares * passed(loop[:, None], delay[:, None], k)).sum(axis=1)


def of_path(path: Path, loop: float, delay: float) -> float:
    """N Var x_hat of rates whose correlation dynamic mean field gives."""
    modes, rest = path.balance.modes, path.balance.rest
    fades = float(modes.moment[0] - modes.value(np.array([rest]))[0])
    if delay == 0:
        falling = modes.slope(path.rho) * path.steps * np.exp(-(1 + loop) * path.tau)
        return float(_closed()(loop, fades, float(falling.sum())))
    rates, shares = exponentials(path)
    return float(shares @ passed(np.full(rates.shape, loop), np.full(rates.shape, delay), rates))


def exponentials(path: Path) -> tuple[Array, Array]:
    """Rates and shares of exponentials that make up C(tau) less what does not fade; raises where they do not."""
    slow = tail_rate(path)
    rates = slow * np.geomspace(1.0, 1e4 / min(slow, 1.0), _RATES)
    tau = np.concatenate([[0.0], np.geomspace(1e-4, 40 / slow, _FIT)])
    modes = path.balance.modes
    value = modes.value(path.rho_at(tau)) - modes.value(np.array([path.balance.rest]))[0]
    basis = np.exp(-np.outer(tau, rates))
    shares, *_ = np.linalg.lstsq(basis, value, rcond=1e-15)
    missed = float(np.abs(basis @ shares - value).max()) / float(value[0])
    if missed > _FITTED:
        raise ConvergenceError(
            f"The correlation of rates was followed to {missed:.1g} of itself only. Use less disorder."
        )
    return rates, shares


def hopf_frequency(delay: Array) -> Array:
    """omega with omega cos(omega d) + sin(omega d) = 0 between pi/(2d) and pi/d; inf without delay."""
    return _thresholds(delay)[0]


def _thresholds(delay: Array) -> tuple[Array, Array]:
    """Frequencies and loop gains at which delayed loops start to oscillate; each delay is solved once."""
    d = np.asarray(delay, float)
    late = d > 0
    frequency, gain = np.full((2, *d.shape), math.inf)
    own, place = np.unique(d[late], return_inverse=True)
    if own.size == 1:
        frequency[late], gain[late] = _threshold(float(own[0]))
    elif own.size:
        found = _roots(own)
        frequency[late], gain[late] = found[place], np.asarray(_hopf()[1](found))[place]
    return frequency, gain


@functools.lru_cache(maxsize=256)
def _threshold(delay: float) -> tuple[float, float]:
    found = _roots(np.array([delay]))
    return float(found[0]), float(_hopf()[1](found)[0])


def _roots(here: Array) -> Array:
    """The frequency of each of these delays, by Newton's steps between bounds."""
    condition, _ = _hopf()
    low, high = np.pi / (2 * here), np.pi / here
    w = low * (1 + 1 / (1 + 1 / np.maximum(here, 1e-300)) / np.pi)
    for _ in range(100):
        value, slope = condition(w, here)
        low, high = np.where(value > 0, w, low), np.where(value > 0, high, w)
        newton = w - value / slope
        after = np.where((newton > low) & (newton < high), newton, 0.5 * (low + high))
        done = (np.abs(after - w) <= 4e-16 * after).all()
        w = after
        if done:
            break
    return np.asarray(w)


def hopf_gain(delay: Array) -> Array:
    """The loop gain at which a delayed loop starts to oscillate, inf without delay."""
    return _thresholds(delay)[1]
