"""What gradient noise makes of a path integral, by SGD and by Adam."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import synapses as theory
from widelimit.theory.errors import ArgumentError


def noisy_path_integral(
    curvature: Any, displacement: Any, *, learning_rate: Any, noise: Any, steps: Any | None
) -> Any:
    """Return E omega after `steps` of SGD whose gradients lambda x + n have noise n of standard deviation `noise`.

    eta (lambda^2 (d^2 S + v (T - S)) + T s^2), S = (1 - a^(2T))/(1 - a^2), v = eta^2 s^2/(1 - a^2), a = 1 - eta lambda:
    it grows without end, by 2 eta s^2/(2 - eta lambda) a step (benzing2022unifying has the effect). With steps=None
    that rate is returned. An independent batch's gradient in place of the step's own removes T s^2.

    Args:
        curvature: lambda, positive; arrays broadcast.
        displacement: d, start less optimum.
        learning_rate: eta, below 2 / curvature.
        noise: s.
        steps: T, or None for the rate in the long run.

    Raises `ArgumentError` for a curvature or learning rate that is not positive, or a rate at which descent diverges.

    >>> round(noisy_path_integral(0.5, 1.0, learning_rate=0.1, noise=0.4, steps=300), 10)
    5.1752794214
    >>> round(noisy_path_integral(0.5, 1.0, learning_rate=0.1, noise=0.4, steps=None), 12)
    0.01641025641
    """
    bent = arguments.near_one("curvature", arguments.positive("curvature", curvature))
    start = arguments.near_one("displacement", arguments.finite("displacement", displacement))
    rate = arguments.near_one("learning_rate", arguments.positive("learning_rate", learning_rate))
    spread = arguments.near_one("noise", arguments.non_negative("noise", noise))
    bent, start, rate, spread = arguments.broadcast(
        curvature=bent, displacement=start, learning_rate=rate, noise=spread
    )
    if (bent * rate >= 2).any():
        raise ArgumentError(
            "learning_rate", "must be below 2 / curvature", learning_rate, "Descent diverges."
        )
    if steps is None:
        return arguments.scalar(np.asarray(_rate()(bent, rate, spread)))
    count = arguments.positive("steps", steps)
    if (count != np.floor(count)).any():
        raise ArgumentError("steps", "must be whole numbers", float(count[count != np.floor(count)].flat[0]))
    parts = arguments.broadcast(
        curvature=bent, displacement=start, learning_rate=rate, noise=spread, steps=count
    )
    return arguments.scalar(np.asarray(_noisy()(*parts)))


def adam_noise_rate(noise: Any, *, learning_rate: Any, beta_1: Any = 0.9) -> Any:
    """Return E omega per step of Adam where gradients are noise: eta (1 - beta_1) s, a root of the Fisher.

    Args:
        noise: s, standard deviation of the gradient; arrays broadcast.
        learning_rate: eta.
        beta_1: decay of Adam's running mean, from 0 to below 1. Its running mean square changes the rate by
            O(1 - beta_2) only.

    Raises `ArgumentError` for a negative noise, a learning rate that is not positive, or a decay of 1 or more.

    >>> round(adam_noise_rate(5.0, learning_rate=1e-3), 12)
    0.0005
    """
    spread = arguments.non_negative("noise", noise)
    rate = arguments.positive("learning_rate", learning_rate)
    decay = arguments.non_negative("beta_1", beta_1)
    if (decay >= 1).any():
        raise ArgumentError("beta_1", "must be below 1", beta_1)
    spread, rate, decay = arguments.broadcast(noise=spread, learning_rate=rate, beta_1=decay)
    return arguments.scalar(np.asarray(_adam()(rate, decay, spread)))


@functools.cache
def _noisy() -> Compiled:
    t = theory
    return compile(t.noisy_path(), (t.CURVATURE, t.START, t.RATE, t.NOISE, t.STEPS), name="noisy_path")


@functools.cache
def _rate() -> Compiled:
    return compile(theory.noise_rate(), (theory.CURVATURE, theory.RATE, theory.NOISE), name="noise_rate")


@functools.cache
def _adam() -> Compiled:
    return compile(theory.adam_rate(), (theory.RATE, theory.BETA_1, theory.NOISE), name="adam_rate")
