"""Fixed points of the correlation map, in eps = 1 - c.

With the variance q* of both inputs and keep probability rho (inverted dropout, independent masks) the map is
eps' = noise + (sigma_w^2/q*) gap(eps), noise = (1 - rho) sigma_w^2 V/(rho q*). All Hermite coefficients of the map
are non-negative, so on 0 < eps <= 1 the function noise/eps + (sigma_w^2/q*) gap/eps - 1 is convex and decreasing:
Newton's method from the left is monotone, and the fixed point it finds is the only one besides eps = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from widelimit.numerics import threads
from widelimit.numerics.meanfield.maps import Maps
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ConvergenceError

Array = np.ndarray
TERMS = (96, 512, 2048)  # Hermite coefficients tried in turn before conditioning
BLOCK = 256
_STEP = 1e-4  # of a difference quotient, relative
_ROOT = 1e-8  # how well the equation must hold at what is taken for its root


@by_value
@dataclass(frozen=True)
class Correlations:
    """Per row: eps = 1 - c at the fixed point, and E phi' phi' there."""

    eps: Array
    chi: Array


def fixed_points(maps: Maps, q: Array, weight: Array, noise: Array, top: Array) -> Correlations:
    """Solve eps = noise + weight * gap(eps) for the root in (0, top], top = 1 where c* cannot be negative.

    `weight` is sigma_w^2/q. Rows must have a root: noise > 0, or weight * q * E phi'^2 > 1.
    """
    eps, chi = np.empty_like(q), np.empty_like(q)

    def work(rows: Array) -> None:
        left = rows
        for terms in (0,) if maps.closed_at(q[rows]) else TERMS:
            here = q[left]
            pairs = maps.pairs(here, here, terms)
            eps[left], chi[left] = _newton(pairs, weight[left], noise[left], top[left])
            left = left[~pairs.accurate(eps[left])]
            if left.size == 0:
                return
        slow = maps.conditioned(q[left], q[left])
        eps[left], chi[left] = _newton(slow, weight[left], noise[left], top[left])

    parts = threads.chunks(q.size, 64, largest=BLOCK if not maps.closed else 4096)
    if len(parts) > 1:
        work(np.arange(1))  # compile before the threads start
    threads.each(lambda part: work(np.arange(part.start, part.stop)), parts)
    rough = np.flatnonzero(~(np.isfinite(eps) & np.isfinite(chi)))
    if rough.size:
        chi[rough] = _slope_by_difference(maps, q[rough], weight[rough], noise[rough], eps[rough])
    return Correlations(eps, chi)


def _slope_by_difference(maps: Maps, q: Array, weight: Array, noise: Array, eps: Array) -> Array:
    """d gap/d eps over q where phi' is infinite at a kink, as that of abs(x)^0.7: its quadrature has no finite value.

    Raises `ConvergenceError` where the gap has no digits either, so that eps is no root.
    """
    pairs = maps.conditioned(q, q)
    with np.errstate(all="ignore"):
        lost = np.abs((noise + weight * pairs.gap(eps)) / eps - 1)
        low, high = eps * (1 - _STEP), np.minimum(eps * (1 + _STEP), 2.0)
        slope = (pairs.gap(high) - pairs.gap(low)) / (high - low) / q
    bad = ~(lost <= _ROOT) | ~np.isfinite(slope)
    if bad.any():
        raise ConvergenceError(
            f"The correlation map at q = {q[bad][0]:g} is not resolved: phi has no digits in floats next to a kink. "
            "Write the activation in another form."
        )
    return slope


def _newton(pairs: Any, weight: Array, noise: Array, top: Array) -> tuple[Array, Array]:
    """Safeguarded Newton on h(eps) = (noise + weight gap)/eps - 1, positive left of the root.

    Rows whose slope is not finite go to `_without_slope`.
    """
    low, high = np.zeros_like(weight), top.copy()
    eps = top.copy()
    final = np.empty_like(eps)
    slope = np.empty_like(eps)
    active = np.arange(eps.size)
    q = pairs.q
    for _ in range(100):
        if active.size == 0:
            break
        here = eps[active]
        some = pairs if active.size == eps.size else pairs.take(active)
        gap, chi = some.gap(here), some.chi(here)
        for row in active[~np.isfinite(chi)]:
            final[row], slope[row] = _without_slope(pairs, row, weight[row], noise[row], top[row]), np.nan
        known = np.isfinite(chi)
        active, here, gap, chi = active[known], here[known], gap[known], chi[known]
        total = noise[active] + weight[active] * gap
        h = total / here - 1
        with np.errstate(all="ignore"):
            pull = (weight[active] * q[active] * chi - total / here) / here
            new = here - h / pull
        low[active] = np.where(h > 0, here, low[active])
        high[active] = np.where(h > 0, high[active], here)
        floor = np.maximum(low[active], 1e-4 * np.minimum(high[active], here))
        inside = np.isfinite(new) & (new > low[active]) & (new <= high[active])
        new = np.where(inside, new, np.where(h > 0, np.sqrt(here * high[active]), np.sqrt(floor * here)))
        done = (
            (np.abs(new - here) <= 1e-14 * here)
            | (np.abs(h) <= 4e-16)
            | (high[active] - low[active] <= 4e-16 * here)
        )
        done |= (np.abs(h) <= 1e-13) & (here == top[active])  # at the end of the interval: c* = 0
        final[active], slope[active] = np.where(done & (np.abs(h) <= 1e-13), here, new), chi
        eps[active] = final[active]
        active = active[~done]
    return final, slope


def _without_slope(pairs: Any, row: int, weight: float, noise: float, top: float) -> float:
    """The root of h in one row by Brent's method: phi' is infinite at a kink, and so is the quadrature of chi."""
    one = pairs.take(np.array([row]))

    def excess(eps: float) -> float:
        return float((noise + weight * one.gap(np.array([eps]))[0]) / eps - 1)

    if excess(top) >= -1e-13:
        return top
    low = 1e-3 * top
    while not excess(low) > 0:
        if low < 1e-200:
            return math.nan
        low *= 1e-3
    return float(brentq(excess, low, top, xtol=1e-300, rtol=1e-14))
