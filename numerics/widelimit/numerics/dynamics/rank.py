"""Networks of rank one, dx/dt = -x + m n' phi(x)/N: their fixed points besides rest, and how fast rest is forgotten."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scipy import optimize
from sympy import Expr

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.dynamics.correlation import moderate
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.dynamics import random as theory


@by_value
@dataclass(frozen=True)
class RankOne:
    """Fixed points and rest of a network of rank one.

    `kappa`, the standard deviation of x at the two fixed points besides rest, 0 where there are none; `time_constant`
    of rest, inf where it is not stable.
    """

    kappa: float
    time_constant: float


@functools.lru_cache(maxsize=64)
def _excess(phi: Activation) -> Compiled:
    return compile(theory.rank_one_excess(phi), (theory.OVERLAP, theory.KAPPA), name="rank_one")


@functools.cache
def _time() -> Compiled:
    return compile(theory.rank_one_time(), (theory.OVERLAP,), name="rank_one_time")


def rank_one(overlap: float, *, activation: str | Activation | Expr | Callable[..., Any] = "tanh") -> RankOne:
    """Return kappa with sigma_mn E phi'(kappa z) = 1, for Gaussian m of mean square 1 and overlap m.n/N = sigma_mn.

    Two fixed points beyond sigma_mn phi'(0) = 1, a continuous attractor only there.

    >>> found = rank_one(2.0)
    >>> round(found.kappa, 4), found.time_constant, rank_one(0.5).time_constant
    (1.3371, inf, 2.0)
    """
    phi = Activation.of(activation)
    size = moderate("overlap", arguments.positive_number("overlap", overlap))
    excess = _excess(phi)
    start = float(excess(size, 1e-8)) + 1  # sigma_mn phi'(0)
    time = math.inf if start >= 1 else float(_time()(start))
    if start <= 1:
        return RankOne(0.0, time)
    high = 1.0
    while float(excess(size, high)) > 0 and high < 1e8:
        high *= 2
    if high >= 1e8:
        return RankOne(math.inf, time)
    return RankOne(float(optimize.brentq(lambda k: float(excess(size, k)), 1e-8, high, xtol=1e-14)), time)
