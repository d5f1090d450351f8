"""Kernels of a smooth activation by Mehler's formula, one vector of Hermite coefficients for each input.

T(q1, q2, rho) = sum_n a_n(q1) a_n(q2) rho^n with a_n(q) = E phi(sqrt(q) z) he_n(z), z ~ N(0, 1), he_n orthonormal;
Tdot the same with the coefficients of phi'. By Cauchy-Schwarz the terms left out of T are at most
sqrt(tail(q1) tail(q2)), tail(q) = E phi(sqrt(q) z)^2 - sum_{n<M} a_n(q)^2, so that the error is known, not guessed.
The coefficients come from the trapezoidal rule in z, which converges exponentially for analytic phi.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable

import numpy as np
from numba import types

from widelimit.numerics.compile import compile
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.kernel import angle
from widelimit.numerics.kernel.layers import (
    ALONE,
    SMALLEST,
    Behind,
    Block,
    Layer,
    Prepare,
    correlation,
    floored,
)
from widelimit.numerics.kernel.recursion import next_both
from widelimit.theory import kernel as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.errors import ConvergenceError

_LOG = logging.getLogger(__name__)

TRUNCATION = 1e-11  # what the terms left out may weigh, relative to the variance
LARGEST_ORDER = 8192
_REACH = 13.0  # sqrt of the normal density is 1e-18 there
_NOTHING = 1e-16
_STEPS = (0.2, 0.1, 0.05, 0.025, 0.0125, 0.00625)
_SAMPLE = 5  # variances at which order and step are chosen, the largest and smallest among them

Function = Callable[[np.ndarray], np.ndarray]


def prepare(activation: Activation) -> Prepare:
    """Compile phi and phi' and return what builds a `SeriesLayer` from variances."""
    phi = compile(activation.expr, (X,), name="phi")
    slope = compile(theory.slope(activation), (X,), name="slope")

    def layer(q1: np.ndarray, q2: np.ndarray | None = None) -> Layer:
        try:
            return SeriesLayer(phi, slope, activation.name, q1, q2)
        except ConvergenceError as error:  # very large variances: phi looks kinked at their scale
            _LOG.debug("%s; interpolating in the angle instead", error)
            return angle.prepare(activation)(q1, q2)

    return layer


def expansion(activation: Activation, q: np.ndarray) -> np.ndarray:
    """Return Hermite coefficients a_n(q) of a smooth activation, (orders, variances), two more than `TRUNCATION` needs.

    >>> expansion(Activation.of("x**2"), np.array([2.0]))[[0, 2], 0].round(9).tolist()  # 2 and 2 sqrt(2)
    [2.0, 2.828427125]
    """
    phi, slope = (
        compile(expr, (X,), name=name)
        for expr, name in ((activation.expr, "phi"), (theory.slope(activation), "slope"))
    )
    places, where = np.unique(np.maximum(q, SMALLEST), return_inverse=True)
    sample = places[np.linspace(0, places.size - 1, min(_SAMPLE, places.size)).astype(int)]
    table, grid, _ = _table(phi, slope, activation.name, sample)
    longer = _hermite(table.shape[0] + 2, grid) * (grid[1] - grid[0])
    return _coefficients(longer, grid, phi, places)[:, where.reshape(-1)]


class SeriesLayer:
    """T and Tdot by Horner's rule in rho with each input's Hermite coefficients (columns of `a`, `b`)."""

    def __init__(
        self, phi: Function, slope: Function, name: str, q1: np.ndarray, q2: np.ndarray | None = None
    ) -> None:
        self._q1, self._q2 = floored(q1, q2)
        ordered = np.unique(np.concatenate([self._q1, self._q2]))
        sample = ordered[np.linspace(0, ordered.size - 1, min(_SAMPLE, ordered.size)).astype(int)]
        table, grid, self.error = _table(phi, slope, name, sample)
        self._a1, self._b1 = (
            _coefficients(table, grid, phi, self._q1),
            _coefficients(table, grid, slope, self._q1),
        )
        self._a2, self._b2 = self._a1, self._b1
        if q2 is not None:
            self._a2, self._b2 = (
                _coefficients(table, grid, phi, self._q2),
                _coefficients(table, grid, slope, self._q2),
            )
        self._parity = _parity(self._a1, self._a2)
        if self._parity:
            first = 1 if self._parity == 1 else 0
            self._a1, self._a2 = (np.ascontiguousarray(a[first::2]) for a in (self._a1, self._a2))
            self._b1, self._b2 = (np.ascontiguousarray(b[1 - first :: 2]) for b in (self._b1, self._b2))
        self.v1 = _variance(self._a1)
        self.v2 = self.v1 if q2 is None else _variance(self._a2)

    @property
    def order(self) -> int:
        """How many coefficients an input has (after the half that parity makes zero is dropped)."""
        return self._a1.shape[0]

    def advance(self, block: Block, behind: Behind = ALONE) -> None:
        """See `Layer.advance`."""
        c, theta, rows, columns = block
        one, two = np.s_[:, rows], np.s_[:, columns]
        _advance(
            c, theta, self._a1[one], self._a2[two], self._b1[one], self._b2[two],
            self._q1[rows], self._q2[columns], self._parity, *behind,
        )  # fmt: skip


def _table(phi: Function, slope: Function, name: str, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Choose step and order at the variances `q`: weighted Hermite functions (order, grid), the grid, the error."""
    if not all(_ends_within_reach(f, q) for f in (phi, slope)):
        raise ConvergenceError(f"{name} grows too fast for a series at the variance {q.max():.3g}.")
    for step, finer in itertools.pairwise(_STEPS):
        totals = [_moments(f, q, finer) for f in (phi, slope)]
        coarse = [_moments(f, q, step) for f in (phi, slope)]
        if all(
            np.allclose(rough, fine, rtol=1e-13, atol=0) for rough, fine in zip(coarse, totals, strict=True)
        ):
            break
    else:
        raise ConvergenceError(
            f"The Hermite coefficients of {name} at variance {q.max():.3g} need a finer grid than {_STEPS[-1]}; "
            "the activation varies too fast there. Reduce sigma_w, sigma_b or the norm of the inputs."
        )
    grid = _grid(finer)
    order = 32
    while True:
        table = _hermite(order, grid) * finer
        left = np.zeros(order)  # the largest share of a second moment beyond each order
        for f, total in zip((phi, slope), totals, strict=True):
            kept = np.cumsum(_coefficients(table, grid, f, q) ** 2, axis=0)
            left = np.maximum(left, np.max((total - kept) / np.where(total > 0, total, 1.0), axis=1))
        if left[-1] < TRUNCATION:
            needed = int(np.argmax(left < TRUNCATION)) + 1
            return table[:needed], grid, float(max(left[needed - 1], 0.0))
        if order >= LARGEST_ORDER:
            raise ConvergenceError(
                f"{order} Hermite coefficients of {name} at variance {q.max():.3g} leave out {left[-1]:.1e} of "
                f"its second "
                "moment. Reduce sigma_w, sigma_b or the norm of the inputs."
            )
        order *= 2
        while math.pi / finer < 2 * math.sqrt(order):  # he_n oscillates with wave number sqrt(n)
            finer /= 2
            grid = _grid(finer)


def _grid(step: float) -> np.ndarray:
    return step * np.arange(-math.ceil(_REACH / step), math.ceil(_REACH / step) + 1)


def _ends_within_reach(f: Function, q: np.ndarray) -> bool:
    """Whether f^2 times the density is nothing beside its largest value where the grid ends."""
    z = _grid(_STEPS[0])
    with np.errstate(over="ignore", divide="ignore"):
        size = 2 * np.log(np.abs(f(np.sqrt(q)[:, None] * z))) - z**2 / 2 * np.ones_like(q)[:, None]
    return bool((size[:, [0, -1]] <= size.max(axis=1, keepdims=True) + math.log(_NOTHING)).all())


def _moments(f: Function, q: np.ndarray, step: float) -> np.ndarray:
    """E f(sqrt(q) z)^2."""
    z = _grid(step)
    density = step * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return np.asarray(f(np.sqrt(q)[:, None] * z)) ** 2 @ density * np.ones_like(q)


def _coefficients(table: np.ndarray, grid: np.ndarray, f: Function, q: np.ndarray) -> np.ndarray:
    values = np.broadcast_to(f(np.sqrt(q)[:, None] * grid), (q.size, grid.size))
    return table @ values.T


def _hermite(order: int, z: np.ndarray) -> np.ndarray:
    """he_n(z) times the normal density, n < order; the root of the density multiplies the recursion, so nothing
    overflows.
    """
    root = np.exp(-(z**2) / 4) / (2 * math.pi) ** 0.25
    table = np.empty((order, z.size))
    table[0] = root
    if order > 1:
        table[1] = z * root
    for n in range(1, order - 1):
        table[n + 1] = (z * table[n] - math.sqrt(n) * table[n - 1]) / math.sqrt(n + 1)
    return table * root


def _parity(a1: np.ndarray, a2: np.ndarray) -> int:
    """Return 1 if only odd coefficients are there (odd phi), 2 if only even ones, else 0."""
    odd, even = (max(np.abs(a[k::2]).max(initial=0.0) for a in (a1, a2)) for k in (1, 0))
    if even <= 1e-15 * odd:
        return 1
    return 2 if odd <= 1e-15 * even else 0


_A2 = types.Array(types.float64, 2, "A")
_C2 = types.Array(types.float64, 2, "C")
_C1 = types.Array(types.float64, 1, "C")
_F = types.float64
_both = next_both.njit


@njit(_C1(_C2), nogil=True, cache=True)
def _variance(a):
    """Sum of squares, added in the order of `_advance`, so that equal inputs keep a correlation of exactly 1."""
    out = np.zeros(a.shape[1])
    for m in range(a.shape[0] - 1, -1, -1):
        for j in range(a.shape[1]):
            out[j] += a[m, j] * a[m, j]
    return out


@njit(
    types.void(_A2, _A2, _A2, _A2, _A2, _A2, _C1, _C1, types.int64, _F, _F, _F),
    nogil=True,
    error_model="numpy",
    cache=True,
)
def _advance(c, theta, a1, a2, b1, b2, q1, q2, parity, sw2, sb2, train):
    """Horner's rule along rows; for odd (1) and even (2) phi the polynomials are in rho^2."""
    columns = c.shape[1]
    rho, x, t, tdot = np.empty(columns), np.empty(columns), np.empty(columns), np.empty(columns)
    right = np.empty(columns)
    for i in range(c.shape[0]):
        for j in range(columns):
            rho[j] = correlation(c[i, j], q1[i], q2[j])
            x[j] = rho[j] if parity == 0 else rho[j] * rho[j]
            t[j] = 0.0
            tdot[j] = 0.0
        for m in range(a1.shape[0] - 1, -1, -1):
            left = a1[m, i]
            right[:] = a2[m]
            for j in range(columns):
                t[j] = t[j] * x[j] + left * right[j]
        for m in range(b1.shape[0] - 1, -1, -1):
            left = b1[m, i]
            right[:] = b2[m]
            for j in range(columns):
                tdot[j] = tdot[j] * x[j] + left * right[j]
        for j in range(columns):
            value = t[j] * rho[j] if parity == 1 else t[j]
            slope = tdot[j] * rho[j] if parity == 2 else tdot[j]
            c[i, j], theta[i, j] = _both(value, slope, theta[i, j], sw2, sb2, train, train)
