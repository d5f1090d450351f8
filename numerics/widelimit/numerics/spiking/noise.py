"""`surrogate`: the noise that a surrogate derivative stands for, and what layers of it do to gradients."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import oo

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import pictured
from widelimit.numerics.spiking.settings import moderate
from widelimit.theory import spiking as theory
from widelimit.theory.errors import DomainError


@pictured
@dataclass(frozen=True)
class Surrogate:
    """A surrogate derivative s(u) = Z p(u), p the density of the noise under which it is exact.

    `scale`: Z, the integral of s. `noise_variance`: of p, infinite for heavy tails (fast sigmoid, arctan).
    """

    name: str
    slope: float
    scale: float
    noise_variance: float

    def value(self, u: Any) -> Any:
        """Return s(u), u the potential less the threshold; arrays are taken."""
        return self._at(u)[0]

    def noise_density(self, u: Any) -> Any:
        """Return p(u) = s(u)/Z."""
        return self._at(u)[0] / self.scale

    def firing_probability(self, u: Any) -> Any:
        """Return P(u), the probability that u + noise passes 0, whose derivative is p(u).

        >>> surrogate("fast_sigmoid", 25.0).firing_probability([-1.0, 0.0, 1.0]).round(6)
        array([0.019231, 0.5     , 0.980769])
        """
        return self._at(u)[1]

    def gradient_scale(self, depth: int) -> float:
        """Return Z^L, what L layers multiply the gradient of expected spikes by.

        Raises `DomainError` where that leaves the range of floats.

        >>> round(surrogate("fast_sigmoid", 25.0).gradient_scale(4), 10)
        4.096e-05
        """
        return layered(self.scale, depth)

    def _at(self, u: Any) -> tuple[Any, Any]:
        return _functions(self.name)(arguments.finite("u", u), self.slope)


def surrogate(name: str, slope: Any = 1.0) -> Surrogate:
    """Return what a surrogate derivative of a library differentiates.

    A unit that fires when u + noise > 0 has dP/du = p(u), p the noise's density: a surrogate s with an integral Z is Z
    times the derivative of the expected spike under noise of density s/Z.

    Args:
        name: "fast_sigmoid" 1/(1 + slope |u|)^2 (zenke2018superspike), "sigmoid" slope sigma(1 - sigma), "arctan"
            (slope/2)/(1 + (pi slope u/2)^2), "triangle" max(0, 1 - slope |u|), "box" 1 for |u| < slope, "gaussian" the
            density of standard deviation 1/slope.
        slope: positive; of the box its half width.

    Raises `ArgumentError` for another name or such a slope.

    >>> found = surrogate("fast_sigmoid", 25.0)
    >>> found.scale, found.noise_variance
    (0.08, inf)
    >>> round(surrogate("sigmoid", 2.0).noise_variance, 6)
    0.822467
    """
    arguments.choice("name", name, theory.NAMES)
    size = arguments.single("slope", moderate("slope", slope))
    scale, variance = _constants(name)(size)
    return Surrogate(name, size, float(scale), float(variance))


def layered(scale: float, depth: int) -> float:
    """Return Z^L, or say that no float holds it."""
    layers = arguments.count("depth", depth, least=0)
    with np.errstate(over="ignore", under="ignore"):
        found = float(np.float64(scale) ** float(min(layers, 2**53)))
    if not 0.0 < found < np.inf and scale > 0:
        raise DomainError(
            f"A gradient scaled by {scale:g} in each of {depth} layers leaves the range of floats."
        )
    return float(_layers()(scale, float(layers)))


@functools.cache
def _functions(name: str) -> Compiled:
    formulas = (theory.surrogate(name), theory.firing_probability(name))
    return compile(formulas, (theory.POTENTIAL, theory.SLOPE), name=f"surrogate_{name}")


@functools.cache
def _constants(name: str) -> Compiled:
    variance = theory.noise_variance(name)
    formulas = (theory.surrogate_scale(name), variance)
    assert variance is oo or variance.has(theory.SLOPE)
    return compile(formulas, (theory.SLOPE,), name=f"surrogate_scale_{name}")


@functools.cache
def _layers() -> Compiled:
    return compile(theory.gradient_scale(), (theory.SCALE, theory.DEPTH), name="gradient_scale")
