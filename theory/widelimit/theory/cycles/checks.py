"""What the names in the derivation stand for, by numbers: roots, differences and sums over all signs."""

from __future__ import annotations

from itertools import product
from typing import Any

import mpmath

from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.cycles import formulas as f


def _velocity(values: Values, dps: int, w: Any) -> Any:
    growth, frequency, shear = numbers(values, dps, f.GROWTH, f.FREQUENCY, f.SHEAR)
    return mpmath.mpc(growth, frequency) * w - mpmath.mpc(1, shear) * abs(w) ** 2 * w


def radius(values: Values, dps: int) -> Any:
    """Return the radius at which w' is orthogonal to w."""
    return mpmath.findroot(
        lambda r: mpmath.re(_velocity(values, dps, r)) / r, (0.5, 2), solver="anderson", tol=10 ** (-dps - 5)
    )


def frequency(values: Values, dps: int) -> Any:
    """Return Im w'/w there."""
    r = radius(values, dps)
    return mpmath.im(_velocity(values, dps, r)) / r


def multiplier(values: Values, dps: int) -> Any:
    """Return exp(T d(Re w')/dr)."""
    r, turn = radius(values, dps), abs(frequency(values, dps))
    with mpmath.workdps(2 * dps + 20):
        rate = mpmath.diff(lambda x: mpmath.re(_velocity(values, 2 * dps, x)), r)
    return mpmath.exp(2 * mpmath.pi / turn * rate)


def response(part: int, values: Values, dps: int) -> Any:
    """Return the covector that the linear flow in polar coordinates leaves alone, with Z.f = omega."""
    r = radius(values, dps)
    with mpmath.workdps(2 * dps + 20):
        shrink = mpmath.diff(lambda x: mpmath.re(_velocity(values, 2 * dps, x)), r)
        twist = mpmath.diff(lambda x: mpmath.im(_velocity(values, 2 * dps, x)) / x, r) * r
    angular = 1 / r
    return (-twist / shrink * angular, angular)[part]


def edge(values: Values, dps: int) -> Any:
    """Return the largest value of epsilon K cos(psi)."""
    strength, coupling = numbers(values, dps, f.STRENGTH, f.COUPLING)
    best = mpmath.findroot(lambda psi: mpmath.diff(mpmath.cos, psi), 0.3)
    return strength * coupling * mpmath.cos(best)


def locked(values: Values, dps: int) -> Any:
    """Return exp(T dv/dpsi) at the stable root of v = epsilon K cos(psi) - Delta."""
    strength, coupling, detuning, period = numbers(values, dps, f.STRENGTH, f.COUPLING, f.DETUNING, f.PERIOD)

    def drift(psi: Any) -> Any:
        return strength * coupling * mpmath.cos(psi) - detuning

    rest = mpmath.findroot(drift, (0.3, 2.8), solver="anderson", tol=10 ** (-2 * dps))
    return mpmath.exp(period * mpmath.diff(drift, rest))


def diffusion(values: Values, dps: int) -> Any:
    """Return half of the mean square of the phase per time after two kicks, over all signs; Z = (1, 1) sqrt(S/2)."""
    strength, square = numbers(values, dps, f.STRENGTH, f.SQUARE)
    part, step = mpmath.sqrt(square / 2), mpmath.mpf("0.1")
    moves = [strength * mpmath.sqrt(step) * part * sum(signs) for signs in product((1, -1), repeat=4)]
    return mpmath.fsum(move**2 for move in moves) / 16 / (2 * step) / 2
