"""The lowest level of the well along a correlation, and with it the Lyapunov exponent in continuous time.

-psi'' + W(tau) psi = E psi on the half line, psi even: spectral elements in the variable u in which dtau/du is smooth
(`correlation`), so that a mirror's kink at zero lag costs nothing. At the end psi fades at the rate sqrt(kappa^2 - E).
"""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy import linalg, optimize

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.dynamics.correlation import Balance, Path
from widelimit.theory.dynamics import random as theory

Array = np.ndarray
_ORDER = 12
_ELEMENTS = 28


@functools.cache
def _formulas() -> tuple[Compiled, Compiled]:
    well = compile((theory.well(), theory.tail_rate()), (theory.DISORDER, theory.SLOPE), name="well")
    return well, compile(theory.continuous_exponent(), (theory.LEVEL,), name="continuous_exponent")


def tail_rate(path: Path) -> float:
    """The rate at which the correlation fades at last."""
    found = path.balance
    return float(_formulas()[0](path.g, _slope(path, np.array([found.rest])))[1][0])


def exponent(path: Path) -> float:
    """The largest Lyapunov exponent, in units of the inverse time constant."""
    return float(_formulas()[1](lowest(path)))


def static(found: Balance, disorder: float) -> float:
    """The largest exponent of a state that does not move: E_0 is the bottom of its well."""
    variance = max(found.variance, 1e-280)
    well, exponent_of = _formulas()
    slope = found.modes.slope(np.ones(1)) / variance
    return float(exponent_of(float(well(disorder, slope)[0][0])))


def lowest(path: Path) -> float:
    """E_0."""
    well, _ = _formulas()
    x, w, d = _lobatto(_ORDER)
    edges = _edges(path)
    half = 0.5 * np.diff(edges)[:, None]
    u = edges[:-1, None] + half * (1 + x)
    jump = path.rate(u)
    floor = float(well(path.g, _slope(path, np.array([path.balance.rest])))[0][0])
    potential = well(path.g, _slope(path, path.rho_of(u)))[0]
    count = _ELEMENTS * _ORDER + 1
    band, mass = np.zeros((_ORDER + 1, count)), np.zeros(count)
    for k in range(_ELEMENTS):
        stiff = d.T @ ((w / (jump[k] * half[k]))[:, None] * d)
        place = slice(k * _ORDER, (k + 1) * _ORDER + 1)
        weight = w * half[k] * jump[k]
        mass[place] += weight
        stiff[np.diag_indices(_ORDER + 1)] += weight * potential[k]
        for i in range(_ORDER + 1):
            band[i, k * _ORDER : (k + 1) * _ORDER + 1 - i] += np.diagonal(stiff, -i)
    root = np.sqrt(mass)
    for i in range(_ORDER + 1):
        band[i, : count - i] /= root[: count - i] * root[i:]
    free = _first(band)  # with nothing beyond the end: a bound from below

    def closed(level: float) -> float:
        outer = band.copy()
        outer[0, -1] += math.sqrt(max(floor - level, 0.0)) / mass[-1]
        return _first(outer) - level

    if not free < floor or closed(free) <= 1e-14 * max(1.0, abs(free)):
        return min(free, floor)
    return float(optimize.brentq(closed, free, floor, xtol=1e-14))


def _slope(path: Path, rho: Array) -> Array:
    """dC/dDelta."""
    return path.balance.modes.slope(rho) / path.balance.variance


def _edges(path: Path) -> Array:
    """Elements of equal length in u, of which the last ends where the correlation has faded."""
    return np.linspace(0.0, path.edges[-1], _ELEMENTS + 1)


def _first(band: Array) -> float:
    """The lowest eigenvalue of a symmetric band matrix, given by its lower half."""
    return float(linalg.eig_banded(band, lower=True, eigvals_only=True, select="i", select_range=(0, 0))[0])


@functools.cache
def _lobatto(order: int) -> tuple[Array, Array, Array]:
    """Nodes of Gauss and Lobatto on [-1, 1], weights, and the matrix of derivatives."""
    basis = np.zeros(order + 1)
    basis[-1] = 1.0
    inner = np.polynomial.legendre.legroots(np.polynomial.legendre.legder(basis))
    x = np.concatenate([[-1.0], np.sort(inner.real), [1.0]])
    value = np.polynomial.legendre.legval(x, basis)
    w = 2 / (order * (order + 1) * value**2)
    gap = x[:, None] - x[None, :]
    np.fill_diagonal(gap, 1.0)
    d = value[:, None] / value[None, :] / gap
    np.fill_diagonal(d, 0.0)
    d[0, 0], d[-1, -1] = -order * (order + 1) / 4, order * (order + 1) / 4
    return x, w, d
