"""The correlation C of rates as a series: C(rho) = sum_k s_k rho^k, s_k >= 0, rho = Delta/Delta_0.

s_k are squares of Hermite coefficients of phi at the drive m, averaged over both signs of m. All sums here have terms
of one sign: what is small where the correlation comes to rest is a sum of small terms, not a difference of large ones.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from widelimit.numerics.compile.cache import njit
from widelimit.numerics.compile.pair import coefficients
from widelimit.numerics.dynamics.averages import Function
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.errors import InfiniteMomentError

Array = np.ndarray
TERMS = (32, 96, 320, 1024)  # more of them where the tail is not yet negligible
ENOUGH = 3e-12  # of E phi^2, left in the tail
_SMALL = 1e-280


@by_value
@dataclass(frozen=True)
class Modes:
    """Squares s_k (rows, terms), the sum of all of them, E phi^2 (rows,), and what the terms leave of it."""

    squares: Array
    moment: Array

    @property
    def tail(self) -> Array:
        """What lies beyond the terms."""
        left = self.moment - self.squares.sum(axis=1)
        return np.where(left > 1e-14 * self.moment, left, 0.0)

    def row(self, index: int) -> Modes:
        """One row by itself."""
        return Modes(self.squares[index : index + 1], self.moment[index : index + 1])

    def value(self, rho: Array) -> Array:
        """Return C at correlations `rho` of one row; the tail counts at rho = 1 alone, near it by its last power."""
        return self._sum(self.squares[0], rho, self.tail[0])

    def slope(self, rho: Array) -> Array:
        """Return dC/drho of one row."""
        k = np.arange(self.squares.shape[1])
        return self._sum((k * self.squares[0])[1:], rho, 0.0)

    def deflated(self, rest: float) -> Array:
        """Return the coefficients of Q in powers of rho for one row.

        The integral of C from `rest` to rho less C(rest) (rho - rest) is (rho - rest)^2 Q(rho): of each
        rho^(k+1)/(k+1) it leaves sum_j (j + 1) rest^j rho^(k-1-j)/(k + 1).
        """
        e = self.squares[0] / np.arange(1, self.squares.shape[1] + 1)
        if rest == 0.0:
            return e[1:]
        once = _suffix(e, rest)  # divided by (rho - rest), of rho^(k+1)
        return _suffix(once, rest)[1:]

    @staticmethod
    def _sum(terms: Array, rho: Array, tail: float) -> Array:
        rho = np.asarray(rho, float)
        found = polynomial(terms, rho)
        return np.asarray(found + tail * rho**terms.size if tail else found)


def polynomial(terms: Array, x: Array) -> Array:
    """Return sum_k terms_k x^k.

    >>> polynomial(np.array([1.0, 0.0, 2.0]), np.array([[3.0]]))
    array([[19.]])
    """
    flat = np.ascontiguousarray(x, float).ravel()
    return _horner(np.ascontiguousarray(terms, float), flat).reshape(np.shape(x))


@njit(cache=True, nogil=True)
def _horner(terms, x):
    out = np.zeros(x.size)
    for k in range(terms.size - 1, -1, -1):
        for i in range(x.size):
            out[i] = out[i] * x[i] + terms[k]
    return out


@njit(cache=True, nogil=True)
def _suffix(e, rest):
    """b_j = sum_{i >= 0} e_{j+i} rest^i, by Horner from the end."""
    out = np.empty_like(e)
    total = 0.0
    for j in range(e.size - 1, -1, -1):
        total = e[j] + rest * total
        out[j] = total
    return out


def _trimmed(squares: Array, moment: Array) -> Array:
    """Without the last terms, where they are rounding in every row."""
    used = np.flatnonzero((squares > 1e-18 * moment[:, None]).any(axis=0))
    return np.ascontiguousarray(squares[:, : max(int(used[-1]) + 1 if used.size else 0, 2)])


@functools.lru_cache(maxsize=64)
def function(activation: Activation) -> Function:
    """phi, compiled, with its kinks and scales."""
    return Function([activation.expr], X)


def modes(
    activation: Activation, drive: Array, variance: Array, enough: float = ENOUGH, most: int = TERMS[-1]
) -> Modes:
    """Return the modes at drives m and variances Delta_0, both (rows,).

    Raises `InfiniteMomentError` where E phi^2 does not exist.

    >>> found = modes(Activation.of("linear"), np.zeros(1), np.array([2.0]))
    >>> found.squares[0].round(12).tolist()
    [0.0, 2.0]
    """
    phi = function(activation)
    variance = np.maximum(variance, _SMALL)
    signs = (1,) if activation.is_odd else (1, -1)
    for terms in TERMS:
        squares, moment = np.zeros((variance.size, terms)), np.zeros(variance.size)
        for sign in signs:
            got = coefficients(phi, variance, phi.features, terms, sign * drive)
            squares += got.values**2 / len(signs)
            moment += got.moment / len(signs)
        if not np.isfinite(moment).all():
            raise InfiniteMomentError(
                f"E phi^2 of {activation} does not exist at the variance that the network has. Use an activation that "
                "grows more slowly, or less noise."
            )
        found = Modes(_trimmed(squares, moment), moment)
        if terms >= most or (found.tail <= enough * np.maximum(moment, 1e-300)).all():
            break
    return found
