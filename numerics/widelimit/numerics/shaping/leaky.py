"""Tailored leaky ReLU: the slope at which independent inputs have the correlation eta behind all layers."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from numba import njit
from scipy.integrate import quad
from scipy.optimize import brentq

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import shaping as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError

SMALL = 0.3  # angle below which the series of the kink's map is used
MOST_LAYERS = 100_000


@functools.cache
def kink() -> Compiled:
    """Return h of an angle, and its series."""
    return compile((theory.kink_map(), theory.kink_series()), (theory.ANGLE,), name="kink")


@functools.cache
def numbers_() -> Compiled:
    """Return gain and kappa of a slope."""
    return compile((theory.leaky_gain(), theory.leaky_kink()), (theory.NEGATIVE,), name="leaky")


@functools.cache
def _slope() -> Compiled:
    return compile(theory.leaky_slope(), (theory.KAPPA,), name="leaky_slope")


@functools.cache
def _rate() -> Compiled:
    return compile(theory.leaky_rate(), (theory.ANGLE,), name="leaky_rate")


@functools.cache
def _composed() -> Callable[[float, int, float], float]:
    """Return what is left of 1 - c = gap behind a number of layers of a given kappa."""
    both = kink().njit

    @njit(error_model="numpy")
    def run(kappa: float, depth: int, gap: float) -> float:
        for _ in range(depth):
            angle = 2.0 * math.asin(math.sqrt(min(gap, 2.0) / 2.0))
            plain, series = both(angle)
            gap -= kappa * (series if angle < SMALL else plain)
        return gap

    return run


def overlap_behind(kappa: float, depth: int) -> float:
    """Return 1 - C(0) of `depth` layers."""
    return float(_composed()(kappa, depth, 1.0))


def leaky_time(target: float = 0.9) -> float:
    """Return kappa D, the kink's strength times the depth, at which a deep leaky network takes C(0) to `target`.

    The integral of dc / h(c) from 0 to eta, ``h = (sqrt(1 - c^2) - c arccos c) / pi``; ``kappa = (1 - s)^2/(1 + s^2)``
    of a layer with the slope s tends to it over the depth.

    Args:
        target: eta, the correlation of independent inputs behind all layers, in (0, 1).

    Raises `ArgumentError` for an eta outside (0, 1).

    >>> round(leaky_time(0.9), 9), round(leaky_time(0.99), 6)
    (14.168388514, 59.664756)
    """
    eta = _eta(target)
    found, _ = quad(lambda t: _at(float(t)), math.acos(eta), math.pi / 2, epsabs=0.0, epsrel=1e-12, limit=200)
    return float(found)


def _at(angle: float) -> float:
    """The rate at an angle; by the series of the kink's map where it is small."""
    if angle >= SMALL:
        return float(_rate()(angle))
    return math.sin(angle) / float(kink()(angle)[1])


def _eta(target: Any) -> float:
    eta = arguments.finite_number("target", target)
    if not 1e-6 <= eta <= 1 - 1e-6:
        raise ArgumentError(
            "target",
            "must lie between 1e-06 and 0.999999",
            target,
            "It is C(0) behind all layers of leaky ReLU.",
        )
    return eta


def slope_of(activation: Activation) -> float | None:
    """Return the slope below 0 of an activation that is x above 0 and proportional to x below, None for others."""
    from sympy import Rational

    from widelimit.theory.calculus.activation import x as X

    if tuple(activation.kinks) != (0,) or len(activation.pieces.exprs) < 2:
        return None
    below, above = activation.pieces.exprs[0], activation.pieces.exprs[-1]
    ratio = below / X
    if above != X or ratio.free_symbols or not ratio.is_number:
        return None
    return float(Rational(1) * ratio)


def solve(depth: int, target: Any) -> float:
    """Return the slope s whose leaky ReLU takes C(0) to `target` in `depth` layers.

    Raises `ArgumentError` where even ReLU, s = 0, stays below it.
    """
    eta = _eta(target)
    if depth > MOST_LAYERS:
        raise ArgumentError("depth", f"must be at most {MOST_LAYERS} for leaky ReLU", depth)
    if (reach := 1 - overlap_behind(1.0, depth)) < eta:
        raise ArgumentError(
            "target",
            f"must be at most {math.floor(reach * 1e6) / 1e6:g} for {depth} layers of leaky ReLU",
            target,
            "Even ReLU does not come further. Use more layers or a smaller target.",
        )
    goal = math.log1p(-eta)

    def excess(log_kappa: float) -> float:
        return math.log(overlap_behind(math.exp(log_kappa), depth)) - goal

    middle = math.log(leaky_time(eta) / depth)
    low = middle - 0.5
    while excess(low) < 0:
        low -= 0.5
    kappa = math.exp(
        brentq(excess, low, min(middle + 0.5, 0.0) if excess(min(middle + 0.5, 0.0)) < 0 else 0.0, xtol=1e-14)
    )
    return float(_slope()(min(kappa, 1.0)))
