"""The whole Lyapunov spectrum of a random network in discrete time, from the law of its slopes.

The S-transform of a step's Jacobian is that of one Gaussian layer (`jacobian`): its law of d = phi'^2 is used here on
the negative axis, where it has no singularities.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import optimize
from sympy import Expr, Symbol, expand_log, log

from widelimit.numerics import arguments, jacobian, meanfield
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.quadrature import gaussian
from widelimit.numerics.dynamics.averages import Function
from widelimit.numerics.dynamics.correlation import moderate, rests
from widelimit.numerics.dynamics.modes import modes
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.dynamics import random as theory
from widelimit.theory.errors import ConvergenceError, DomainError

Array = np.ndarray
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PANEL, _REACH = 2.0, 36.0  # of log(-zeta): lengths of panels, and where they begin above log E d
_NEGLIGIBLE = 1e-20  # weight of a node
_ABOVE = Symbol("above", positive=True)  # 1 - t, of exponents that lie above


@by_value
@dataclass(frozen=True)
class Stationary:
    """Variances of x, of phi(x), and what does not fade of that of x."""

    variance: float
    rate_variance: float
    frozen: float


def stationary(phi: Activation, g: float, sigma: float) -> Stationary:
    """The stationary state: q* of a random network in depth, with noise for biases that are drawn anew."""
    q = float(meanfield.solve(phi, sigma_w=g, sigma_b=sigma).q_star)
    if q == 0.0:
        return Stationary(0.0, 0.0, 0.0)
    at = np.array([q])
    found = modes(phi, np.zeros(1), at)
    return Stationary(q, float(found.moment[0]), float(rests(found, g, at)[0]) * q)


@functools.cache
def _formulas() -> tuple[Compiled, Compiled]:
    t = theory
    above = t.spectrum_exponent().subs(
        t.FRACTION, 1 - _ABOVE
    )  # 1 - t by itself: the largest exponents are at t = 1
    whole = compile(above, (t.DISORDER, _ABOVE, t.ZETA), name="spectrum_exponent")
    return whole, compile(t.mean_exponent(), (t.DISORDER, t.LOG_SLOPE), name="mean_exponent")


@functools.lru_cache(maxsize=64)
def _largest(phi: Activation) -> Compiled:
    return compile(theory.step_exponent(phi), (theory.DISORDER, theory.VARIANCE), name="step_exponent")


class Spectrum:
    """Exponents lambda(t), their largest, mean, and what follows from all of them."""

    def __init__(self, phi: Activation, g: float, variance: float) -> None:
        self.phi, self.g, self.variance = phi, g, variance
        law = jacobian.slopes(phi, variance)
        here = np.abs(law.weights) > _NEGLIGIBLE
        self._d, self._w = law.nodes[here], law.weights[here]
        self._zero = law.mass_at(0.0)  # of slopes: so many exponents are -inf

    @property
    def largest(self) -> float:
        """lambda(1)."""
        return float(_largest(self.phi)(self.g, max(self.variance, 1e-280)))

    @property
    def mean(self) -> float:
        """The mean of all exponents, -inf where slopes vanish with positive probability."""
        if self._zero > 0:
            return -math.inf
        return float(_formulas()[1](self.g, self._log_slope()))

    def _log_slope(self) -> float:
        """E log |phi'|; where slopes fall below what floats hold, of their logarithm as it is written."""
        if self._d.all():
            return 0.5 * float((self._w @ np.log(self._d)).real)
        written = Function([expand_log(log(self.phi.derivative().expr), force=True)], X)
        with np.errstate(all="ignore"):
            found = float(gaussian(written, np.array([self.variance]), written.features)[0][0, 0])
        if not math.isfinite(found):
            raise ConvergenceError(
                f"Slopes of {self.phi} fall below what floats hold at g = {self.g:.6g}: their logarithm has no mean."
            )
        return found

    def at(self, share: Array) -> Array:
        """lambda(t) at shares in (0, 1]."""
        t = np.asarray(share, float)
        flat = t.ravel()
        out = np.full(flat.shape, -math.inf)
        out[flat >= 1.0] = self.largest
        inner = np.flatnonzero((flat < 1.0) & (flat > self._zero * (1 + 1e-12)))
        if inner.size:
            zeta = -np.exp(self._places(flat[inner]))
            out[inner] = _formulas()[0](self.g, 1 - flat[inner], zeta)
        return out.reshape(t.shape)

    @cached_property
    def entropy(self) -> float:
        """The integral of what is positive of lambda."""
        return self._integrals[0]

    @cached_property
    def dimension(self) -> float:
        """1 - a where the integral of lambda from a to 1 vanishes: the share of dimensions that are filled."""
        return self._integrals[1]

    @cached_property
    def _integrals(self) -> tuple[float, float]:
        """Entropy and dimension, by panels of log(-zeta) from large values down, where lambda dt is smooth."""
        if self.largest <= 0:
            return 0.0, 0.0
        total, entropy = 0.0, None
        top = math.log(self._mean_slope) + _REACH
        while True:
            lower = top - _PANEL
            part, t, last = self._panel(lower, top)
            if total + part <= 0 and entropy is None and self._panel(top, top)[2] <= 0:
                return 0.0, 0.0  # at the edge of chaos to all digits
            if entropy is None and last <= 0:
                entropy = total + self._panel(self._zero_of(2, 0.0, lower, top), top)[0]
            if total + part <= 0:
                place = self._zero_of(0, total, lower, top)
                return float(entropy or 0.0), 1.0 - self._panel(place, top)[1]
            total, top = total + part, lower
            if t - self._zero < 1e-13:  # all directions together still grow
                return float(total if entropy is None else entropy), 1.0 - self._zero

    def _panel(self, low: float, high: float) -> tuple[float, float, float]:
        """The integral of lambda dt between two log(-zeta), and t and lambda at the lower end."""
        y = np.append(low + 0.5 * (high - low) * (1 + _NODES), low)
        t, above, slope = self._curve(y)
        found = _formulas()[0](self.g, above, -np.exp(y))
        return 0.5 * (high - low) * float((found * slope)[:-1] @ _WEIGHTS), float(t[-1]), float(found[-1])

    def _zero_of(self, which: int, before: float, low: float, high: float) -> float:
        """Where in a panel one of its quantities, added to what was before, is zero."""

        def function(y: float) -> float:
            return before + self._panel(y, high)[which]

        return float(optimize.brentq(function, low, high, xtol=1e-13))

    def _curve(self, y: Array) -> tuple[Array, Array, Array]:
        """t = E s/(s + d), s = -zeta = e^y; 1 - t = E d/(s + d), and dt/dy."""
        spread = np.exp(y)[:, None]
        kept, gone = spread / (spread + self._d), self._d / (spread + self._d)
        parts = (kept, gone, kept * gone)
        t, above, slope = ((part @ self._w).real / self._mass for part in parts)
        return t, above, slope

    def _places(self, t: Array) -> Array:
        """log(-zeta) at shares t, by Newton's steps for log(t/(1 - t)), kept between bounds."""
        target = np.log(t) - np.log1p(-t)
        low, high = np.full(t.shape, -700.0), np.full(t.shape, math.log(self._top) + 60.0)
        y = np.clip(math.log(self._mean_slope) + target, low + 1, high - 1)
        active = np.arange(t.size)
        for _ in range(200):
            here, rest, slope = self._curve(y[active])
            safe, above = np.maximum(here, 1e-300), np.maximum(rest, 1e-300)
            excess = np.log(safe) - np.log(above) - target[active]
            low[active] = np.where(excess < 0, y[active], low[active])
            high[active] = np.where(excess < 0, high[active], y[active])
            with np.errstate(divide="ignore", invalid="ignore"):
                newton = y[active] - excess * safe * above / slope
            inside = (newton > low[active]) & (newton < high[active])
            after = np.where(inside, newton, 0.5 * (low[active] + high[active]))
            moved = np.abs(after - y[active]) > 1e-12 * np.maximum(np.abs(after), 1.0)
            y[active] = after
            active = active[moved]
            if active.size == 0:
                return y
        if (high - low)[active].max() > 1e-9:
            raise ConvergenceError(
                f"The Lyapunov spectrum of {self.phi} was not resolved at g = {self.g:.6g}."
            )
        return y

    @cached_property
    def _mass(self) -> float:
        return float(self._w.sum().real)

    @cached_property
    def _mean_slope(self) -> float:
        return float((self._w @ self._d).real)

    @cached_property
    def _top(self) -> float:
        return max(float(np.abs(self._d).max()), 1e-300)


@by_value
@dataclass(frozen=True)
class NoiseEdge:
    """Noise beyond which a network in discrete time is not chaotic, and the variance of a unit there."""

    noise: float
    noise_variance: float
    variance: float


@functools.lru_cache(maxsize=64)
def _edge(phi: Activation) -> Compiled:
    return compile(theory.noise_edge(phi), (theory.DISORDER, theory.VARIANCE), name="noise_edge")


def noise_edge(g: float, *, activation: str | Activation | Expr = "tanh") -> NoiseEdge:
    """Return the noise that just suppresses chaos in discrete time: sigma^2 = q - g^2 E phi^2 where g^2 E phi'^2 = 1.

    The input noise is the same in both replicas whose distance the exponent measures. Raises `DomainError` where the
    network is not chaotic without noise, or no noise suppresses its chaos.

    >>> found = noise_edge(2.0)
    >>> round(found.noise_variance, 10), round(found.variance, 10)
    (1.6359572439, 4.2078950309)
    """
    phi = Activation.of(activation)
    size = moderate("g", arguments.positive_number("g", g))
    here = stationary(phi, size, 0.0).variance
    exponent = _largest(phi)

    def excess(log_variance: float) -> float:
        return float(exponent(size, math.exp(log_variance)))

    low, high = math.log(max(here, 1e-12)), math.log(1e12)
    if not excess(low) > 0:
        raise DomainError(
            f"The network is not chaotic at g = {size:.6g} without noise: no edge. Use a larger `g`."
        )
    if not excess(high) < 0:
        raise DomainError(
            f"No noise suppresses the chaos of {phi}: its slope does not fall at large arguments."
        )
    grid = np.linspace(low, high, 81)
    first = next(k for k in range(1, grid.size) if excess(float(grid[k])) <= 0)
    q = math.exp(float(optimize.brentq(excess, grid[first - 1], grid[first], xtol=1e-15)))
    variance = float(_edge(phi)(size, q))
    return NoiseEdge(math.sqrt(variance), variance, q)
