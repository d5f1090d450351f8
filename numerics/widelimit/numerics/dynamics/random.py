"""Random recurrent networks without a simulation: variance, autocorrelation, Lyapunov exponents and their spectrum."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from sympy import Expr

from widelimit.numerics import arguments
from widelimit.numerics.dynamics import correlation, level
from widelimit.numerics.dynamics.spectrum import Spectrum, stationary
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
TIMES = ("continuous", "step")


@by_value
@dataclass(frozen=True)
class RandomNetwork:
    """What a large network of independent weights N(0, g^2/N) does by itself.

    `variance` of a unit x and `rate_variance` E phi(x)^2; `frozen`, the part of the variance that does not fade;
    `half_time`, the lag at which the autocovariance has fallen to half (inf where it never does); `tail_rate`, at which
    it fades at last (continuous time); `lyapunov`, the largest exponent, and `mean_lyapunov`, the mean of all, natural
    logarithms per unit of time or per step; `dimension` (Kaplan and Yorke) and `entropy`, the sum of positive
    exponents, both over the number of units, None in continuous time.
    """

    activation: str
    g: float
    time: str
    noise: float
    variance: float
    rate_variance: float
    frozen: float
    half_time: float
    tail_rate: float | None
    lyapunov: float
    mean_lyapunov: float
    dimension: float | None
    entropy: float | None

    def autocorrelation(self, tau: Any) -> Any:
        """Return the autocovariance of x at lags `tau`, the variance at 0; in discrete time at whole lags.

        >>> found = random_network(2.0)
        >>> round(found.autocorrelation(found.half_time) / found.variance, 10)
        0.5
        """
        lag = np.abs(arguments.finite("tau", tau))
        if self.time == "step":
            if (lag != np.floor(lag)).any():
                raise ArgumentError("tau", "must be a whole number of steps", tau)
            return arguments.scalar(np.where(lag == 0, self.variance, self.frozen))
        if self._path is None:
            return arguments.scalar(np.full(lag.shape, self.variance))
        return arguments.scalar(np.asarray(self.variance * self._path.rho_at(lag)))

    def spectrum(self, t: Any) -> Any:
        """Return the Lyapunov exponent above a share `t` in (0, 1] of all; t = 1 is the largest. Discrete time only.

        The exponents of a linear network obey Newman's law:

        >>> round(random_network(0.5, activation="linear", time="step").spectrum(0.25), 12), round(math.log(0.25), 12)
        (-1.38629436112, -1.38629436112)
        """
        share = arguments.probability("t", t)
        return arguments.scalar(self._slopes.at(share))

    @cached_property
    def _slopes(self) -> Spectrum:
        if self.time != "step":
            raise ArgumentError(
                "time",
                'must be "step" for the whole spectrum',
                self.time,
                "In continuous time no closed form is known.",
            )
        return Spectrum(Activation.of(self.activation), self.g, self.variance)

    @cached_property
    def _path(self) -> correlation.Path | None:
        found = correlation.solve(Activation.of(self.activation), self.g, self.noise)
        return None if found.rest >= 1.0 else correlation.Path(found, self.g, self.noise)


def random_network(
    g: float,
    *,
    activation: str | Activation | Expr | Callable[..., Any] = "tanh",
    time: str = "continuous",
    noise: float = 0.0,
) -> RandomNetwork:
    """Return the dynamic mean field of dx/dt = -x + J phi(x) + noise, or of x' = J phi(x) + noise.

    Continuous time: Delta'' = Delta - g^2 C(Delta) with the largest variance that conserves its energy, and
    lambda = -1 + sqrt(1 - E_0), E_0 the lowest level of -d^2/dtau^2 + 1 - g^2 C'(Delta(tau))
    (sompolinsky1988chaos); noise is sigma dW. Discrete time: q = g^2 E phi^2 + sigma^2, and the spectrum from the
    S-transform of one step's Jacobian. Time is in units of the membrane constant, or in steps. Where the network rests
    (g at most 1 for tanh) the variance is 0 and exponents are those of J.

    Args:
        g: the standard deviation of weights times sqrt(N), positive.
        activation: a catalogue name or an expression in x.
        time: "continuous" or "step".
        noise: sigma, a standard deviation.

    Raises `NoFixedPointError` where an unbounded activation lets the variance grow without bound.

    >>> found = random_network(2.0)
    >>> round(found.variance, 9), round(found.lyapunov, 7), found.mean_lyapunov
    (1.924805414, 0.1124581, -1.0)
    >>> found = random_network(2.0, time="step")
    >>> round(found.lyapunov, 9), round(found.dimension, 8), round(found.entropy, 8)
    (0.15472423, 0.25755527, 0.01068309)

    In a linear network correlations fade at sqrt(1 - g^2), and a step's mean exponent is log g - 1/2:

    >>> round(random_network(0.6, activation="linear", noise=1.0).tail_rate, 10)
    0.8
    >>> found = random_network(0.6, activation="linear", time="step")
    >>> round(found.mean_lyapunov, 10), round(math.log(0.6) - 0.5, 10)
    (-1.0108256238, -1.0108256238)
    """
    phi = Activation.of(activation)
    size = correlation.moderate("g", arguments.positive_number("g", g))
    sigma = arguments.non_negative_number("noise", noise)
    if sigma:
        correlation.moderate("noise", sigma)
    kind = arguments.choice("time", time, TIMES)
    return _stepping(phi, size, sigma) if kind == "step" else _continuous(phi, size, sigma)


def predict(
    activation: str = "tanh", g: float = 2.0, time: str = "continuous", noise: float = 0.0
) -> RandomNetwork:
    """Return what a random network does by itself, for the command line; see `random_network`.

    Args:
        activation: a catalogue name or an expression in x.
        g: the standard deviation of weights times sqrt(N).
        time: "continuous" or "step".
        noise: sigma.

    >>> round(predict(g=1.5).half_time, 6)
    7.846055
    """
    return random_network(g, activation=activation, time=time, noise=noise)


def _continuous(phi: Activation, g: float, sigma: float) -> RandomNetwork:
    found = correlation.solve(phi, g, sigma)
    known = partial(RandomNetwork, _text(phi), g, "continuous", sigma)
    rates = found.modes.moment[0]
    if found.rest >= 1.0:
        exponent = level.static(found, g)
        return known(
            variance=found.variance, rate_variance=float(rates), frozen=found.variance,
            half_time=math.inf, tail_rate=None, lyapunov=exponent, mean_lyapunov=-1.0, dimension=None, entropy=None,
        )  # fmt: skip
    path = correlation.Path(found, g, sigma)
    return known(
        variance=found.variance,
        rate_variance=float(rates),
        frozen=found.frozen,
        half_time=path.time_of(0.5) if found.rest < 0.5 else math.inf,
        tail_rate=level.tail_rate(path),
        lyapunov=level.exponent(path),
        mean_lyapunov=-1.0,
        dimension=None,
        entropy=None,
    )


def _stepping(phi: Activation, g: float, sigma: float) -> RandomNetwork:
    state = stationary(phi, g, sigma)
    found = Spectrum(phi, g, state.variance)
    return RandomNetwork(
        activation=_text(phi),
        g=g,
        time="step",
        noise=sigma,
        variance=state.variance,
        rate_variance=state.rate_variance,
        frozen=state.frozen,
        half_time=1.0 if state.frozen < state.variance / 2 else math.inf,
        tail_rate=None,
        lyapunov=found.largest,
        mean_lyapunov=found.mean,
        dimension=found.dimension,
        entropy=found.entropy,
    )


def _text(phi: Activation) -> str:
    return str(phi.expr) if phi.name == "an expression" else phi.name
