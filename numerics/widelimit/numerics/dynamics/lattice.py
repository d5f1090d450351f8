"""Euler's steps of a random network: covariances at lags of whole steps, the theory of what is simulated.

[1 + (1 - alpha)^2] Delta_k - (1 - alpha)(Delta_{k+1} + Delta_{k-1}) = alpha^2 g^2 C(Delta_k), by Newton's steps for all
lags together from the correlation in continuous time; at lag 0 noise adds alpha sigma^2. alpha = 1 is discrete time.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from sympy import Expr

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.dynamics import correlation
from widelimit.numerics.dynamics.level import tail_rate
from widelimit.numerics.dynamics.modes import modes
from widelimit.numerics.dynamics.spectrum import stationary
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.dynamics import random as theory
from widelimit.theory.errors import ArgumentError, ConvergenceError

Array = np.ndarray
_FADED, _LAGS = 30.0, 1500  # exponent at which a correlation is gone; lags at most
_SHIFT = 1e-6


@functools.cache
def _balance() -> Compiled:
    t = theory
    names = (t.BEFORE, t.HERE, t.BEHIND, t.STEP, t.DISORDER, t.RATES)
    return compile((t.lattice_balance(), t.lattice_balance().diff(t.HERE)), names, name="lattice")


def euler(
    g: float,
    *,
    step: float,
    activation: str | Activation | Expr | Callable[..., Any] = "tanh",
    noise: float = 0.0,
) -> Array:
    """Return the covariances Delta_0, Delta_1, ... of x' = (1 - alpha) x + alpha J phi(x) + sigma sqrt(alpha) xi.

    Args:
        g: the standard deviation of weights times sqrt(N).
        step: alpha, above 0 and at most 1, and not so short that correlations last longer than 1,500 steps.
        activation: odd, a catalogue name or an expression in x.
        noise: sigma.

    >>> [round(float(euler(2.0, step=alpha)[0]), 5) for alpha in (0.2, 0.5, 1.0)]
    [1.92475, 1.92428, 2.12147]
    """
    phi = Activation.of(activation)
    size = correlation.moderate("g", arguments.positive_number("g", g))
    alpha = arguments.number_within("step", step, 1e-3, 1.0)
    sigma = arguments.non_negative_number("noise", noise)
    if not phi.is_odd:
        raise ArgumentError("activation", "must be odd here", phi.name)
    if alpha == 1.0:
        return np.array([stationary(phi, size, sigma).variance])
    start = correlation.solve(phi, size, correlation.moderate("noise", sigma) if sigma else 0.0)
    if start.rest >= 1.0:
        return np.zeros(1)
    path = correlation.Path(start, size, sigma)
    count = math.ceil(_FADED / (tail_rate(path) * alpha))
    if count > _LAGS:
        raise ArgumentError("step", f"must be at least {_FADED / tail_rate(path) / _LAGS:.3g} here", alpha)
    delta = start.variance * path.rho_at(alpha * np.arange(count))
    for _ in range(60):
        value, matrix = _system(phi, size, alpha, sigma, delta)
        change = np.linalg.solve(matrix, value)
        delta = delta - change
        if np.abs(change).max() <= 1e-12 * delta[0]:
            return delta
        if not delta[0] > 0:
            break
    raise ConvergenceError(
        f"Covariances of steps {alpha:.3g} were not found at g = {size:.6g}: use a smaller `step`."
    )


def _system(phi: Activation, g: float, alpha: float, sigma: float, delta: Array) -> tuple[Array, Array]:
    """What has to vanish at each lag, and its derivatives."""
    tops = np.array([delta[0], delta[0] * (1 + _SHIFT)])
    found = modes(phi, np.zeros(2), tops)
    here, moved = found.row(0), found.row(1)
    rho = np.clip(delta / delta[0], -1.0, 1.0)
    rates, slope = here.value(rho), here.slope(rho) / delta[0]
    outer = (moved.value(rho / (1 + _SHIFT)) - rates) / (delta[0] * _SHIFT)  # with Delta_0 at this lag kept
    before = np.concatenate([delta[1:2], delta[:-1]])
    behind = np.append(delta[1:], 0.0)
    value, diagonal = _balance()(before, delta, behind, alpha, g, rates)
    value = np.array(value)
    value[0] -= alpha * sigma**2
    pull = alpha**2 * g**2
    matrix = np.diag(diagonal - pull * slope)
    lags = np.arange(delta.size - 1)
    matrix[lags, lags + 1] -= 1 - alpha
    matrix[lags + 1, lags] -= 1 - alpha
    matrix[0, 1] -= 1 - alpha
    matrix[:, 0] -= pull * outer
    return value, matrix
