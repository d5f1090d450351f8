"""What the names in the steps on fixed points stand for, by numbers: worst cases, series, searches."""

from __future__ import annotations

from typing import Any

import mpmath

from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.dynamics import fixed as f


def worst_root(values: Values, dps: int, larger: bool) -> Any:
    """Return a root of eta - (1 - delta) r + omega r^2/2, the function that is as bad as the bounds allow."""
    eta, delta, omega = numbers(values, dps, f.STEP, f.DEFECT, f.BENT)
    roots = mpmath.polyroots([omega / 2, delta - 1, eta], extraprec=60)
    return max(roots, key=mpmath.re) if larger else min(roots, key=mpmath.re)


def steepest_change(values: Values, dps: int) -> Any:
    """Return the largest slope of c w tanh'(w x) in x, searched for by golden sections."""
    inverse, rows = numbers(values, dps, f.INVERSE, f.ROWS)
    low, high = mpmath.mpf(0), mpmath.mpf(2)
    ratio = (mpmath.sqrt(5) - 1) / 2

    def slope(u: Any) -> Any:
        return 2 * mpmath.tanh(u) * mpmath.sech(u) ** 2

    for _ in range(3 * dps):  # halves of the digits are enough at a maximum
        one, other = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, other) if slope(one) > slope(other) else (one, high)
    return inverse * rows**2 * slope((low + high) / 2)


def steps_added(values: Values, dps: int) -> Any:
    """Return eta + alpha eta + alpha^2 eta + ..., how far steps that shrink by alpha get."""
    eta, alpha = numbers(values, dps, f.STEP, f.CONTRACTION)
    return mpmath.nsum(lambda k: eta * alpha**k, [0, mpmath.inf])


def steps_to_fade(values: Values, dps: int) -> Any:
    """Return after how many steps |lambda|^n has changed by the factor e, by search."""
    (modulus,) = numbers(values, dps, f.MODULUS)
    target = mpmath.e if modulus > 1 else 1 / mpmath.e
    return mpmath.findroot(lambda n: modulus**n - target, (mpmath.mpf(1), mpmath.mpf(2)))


def steps_to_turn(values: Values, dps: int) -> Any:
    """Return after how many steps the powers of exp(i theta) are back at 1: the first return of the real part to 1."""
    (angle,) = numbers(values, dps, f.ANGLE)
    first = mpmath.findroot(lambda n: mpmath.cos(n * angle), mpmath.mpf("1.5") / angle)  # a quarter turn
    return 4 * first


def summed(values: Values, dps: int) -> Any:
    """Return the variance of sum_k lambda^k x_k over T terms, one by one."""
    kept, steps, noise = numbers(values, dps, f.KEPT, f.COUNT, f.NOISE)
    return mpmath.fsum((kept**k * noise) ** 2 for k in range(int(steps)))
