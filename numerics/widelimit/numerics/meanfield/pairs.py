"""The correlation map at given variances, in eps = 1 - c so that correlations next to 1 keep their digits.

For two pre-activations of variances q_1, q_2 and correlation c = 1 - eps, with a function phi:

    chi(eps) = E phi'(u_1) phi'(u_2)                     (Price: d cov / d c = sqrt(q_1 q_2) chi)
    gap(eps) = cov(0) - cov(eps),  cov = E phi(u_1) phi(u_2)

`Closed` takes both from closed forms: gap as a difference where that costs nothing, else as the integral of chi.
`Series` uses the Hermite coefficients of phi' (Mehler): chi = sum b_n b'_n c^n, gap = cov(0) - E phi E phi - sum
a_n a'_n c^n with a_n a'_n = sqrt(q_1 q_2) b_{n-1} b'_{n-1}/n, or where that cancels
gap = eps sum_{n>=1} a_n a'_n (1 + c + ... + c^{n-1}), whose terms are positive.
`Conditioned` integrates over what the two do not share; slow, right for rough phi and eps near 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics.compile import Compiled
from widelimit.numerics.compile.features import Features
from widelimit.numerics.compile.pair import coefficients, conditioned
from widelimit.numerics.compile.quadrature import ROUNDING
from widelimit.numerics.results import by_value

Array = np.ndarray
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
NODES, WEIGHTS = 0.5 * (_NODES + 1), 0.5 * _WEIGHTS  # Gauss-Legendre on [0, 1]
SMALL_GAP = 1e-4  # a gap below this share of cov(0) is integrated, not subtracted


@by_value
@dataclass(frozen=True)
class Closed:
    """Rows of lengths, (q,) of both or (q_1, q_2); `functions` is compiled (cov, chi) of them and eps."""

    functions: Compiled
    lengths: tuple[Array, ...]
    at_one: Array  # cov(0), where the closed form may be 0/0

    @property
    def q(self) -> Array:
        """The geometric mean of the two lengths."""
        return self.lengths[0] if len(self.lengths) == 1 else np.sqrt(self.lengths[0] * self.lengths[1])

    def take(self, rows: Array) -> Closed:
        """Return some of the rows."""
        return Closed(self.functions, tuple(q[rows] for q in self.lengths), self.at_one[rows])

    def chi(self, eps: Array) -> Array:
        """E phi' phi' per row."""
        return self.functions.evaluate(*self.lengths, eps)[0][1]

    def gap(self, eps: Array) -> Array:
        """cov(0) - cov(eps) per row, with small relative error."""
        gap = self.at_one - self.functions.evaluate(*self.lengths, eps)[0][0]
        small = np.flatnonzero(~(gap >= SMALL_GAP * np.abs(self.at_one)))
        if small.size:  # t = eps s^2 smooths the square root that a kink leaves at t = 0
            t = eps[small, None] * NODES**2
            lengths = (np.repeat(q[small], NODES.size) for q in self.lengths)
            chi = self.functions.evaluate(*lengths, t.ravel())[0][1].reshape(t.shape)
            gap[small] = self.q[small] * eps[small] * (chi @ (2 * NODES * WEIGHTS))
        return gap

    def accurate(self, eps: Array) -> Array:
        """Whether chi and gap are right to rounding at eps, per row."""
        return np.ones(eps.shape, bool)


@by_value
@dataclass(frozen=True)
class Series:
    """Rows of Hermite products b_n b'_n of phi' at (q_1, q_2) and what their tail can weigh."""

    products: Array
    tail: Array
    moment: Array
    q: Array  # sqrt(q_1 q_2)
    spread: Array  # cov(0) - E phi E phi

    @staticmethod
    def of(slope: Any, shape: Features, q1: Array, q2: Array, spread: Array, terms: int) -> Series:
        """Compute that many coefficients of phi' (`slope`, an integrand)."""
        first = coefficients(slope, q1, shape, terms)
        second = first if q1 is q2 else coefficients(slope, q2, shape, terms)
        tail, moment = np.sqrt(first.tail * second.tail), np.sqrt(first.moment * second.moment)
        return Series(first.values * second.values, tail, moment, np.sqrt(q1 * q2), spread)

    def take(self, rows: Array) -> Series:
        """Return some of the rows."""
        return Series(
            self.products[rows], self.tail[rows], self.moment[rows], self.q[rows], self.spread[rows]
        )

    def chi(self, eps: Array) -> Array:
        """E phi' phi' per row."""
        return np.einsum("rn,rn->r", self.products, self._powers(eps))

    def gap(self, eps: Array) -> Array:
        """cov(0) - cov(eps) per row, with small relative error."""
        powers = self._powers(eps)
        weights = self.q[:, None] * self.products / np.arange(1, self.products.shape[1] + 1)
        gap = self.spread - (1 - eps) * np.einsum("rn,rn->r", weights, powers)
        small = np.flatnonzero(gap < SMALL_GAP * np.abs(self.spread))
        if small.size:
            sums = np.cumsum(powers[small], axis=1)
            gap[small] = eps[small] * np.einsum("rn,rn->r", weights[small], sums)
        return gap

    def accurate(self, eps: Array) -> Array:
        """Whether the tail left out is rounding at eps, per row."""
        terms = self.products.shape[1]
        with np.errstate(divide="ignore"):
            small = self.gap(eps) < 2 * SMALL_GAP * np.abs(self.spread)  # it may have been the sum
            share = np.where(small, 1.0, np.abs(1 - eps) ** terms)
        return self.tail * share <= 4 * ROUNDING * self.moment

    def _powers(self, eps: Array) -> Array:
        powers = np.repeat((1 - eps)[:, None], self.products.shape[1], axis=1)
        powers[:, 0] = 1.0
        return np.cumprod(powers, axis=1, out=powers)


@by_value
@dataclass(frozen=True)
class Conditioned:
    """Rows of (q_1, q_2) with the integrands phi and phi' themselves."""

    value: Any
    slope: Any
    shape: Features
    q1: Array
    q2: Array

    @property
    def q(self) -> Array:
        """The geometric mean of the two lengths."""
        return np.sqrt(self.q1 * self.q2)

    def take(self, rows: Array) -> Conditioned:
        """Return some of the rows."""
        return Conditioned(self.value, self.slope, self.shape, self.q1[rows], self.q2[rows])

    def chi(self, eps: Array) -> Array:
        """E phi' phi' per row."""
        return np.array([self._one(self.slope, row, e) for row, e in enumerate(eps)])

    def gap(self, eps: Array) -> Array:
        """cov(0) - cov(eps) per row, with small relative error."""
        out = np.empty_like(eps)
        for row, e in enumerate(eps):
            at_one = self._one(self.value, row, 0.0)
            out[row] = at_one - self._one(self.value, row, e)
            if out[row] < SMALL_GAP * abs(at_one):
                chi = np.empty_like(NODES)
                for k, t in enumerate(e * NODES**2):
                    chi[k] = self._one(self.slope, row, t)
                    if not np.isfinite(chi[k]):  # phi' is infinite at a kink: the difference stays
                        break
                else:
                    out[row] = self.q[row] * e * (chi @ (2 * NODES * WEIGHTS))
        return out

    def accurate(self, eps: Array) -> Array:
        """Whether chi and gap are right to rounding at eps, per row."""
        return np.ones(eps.shape, bool)

    def _one(self, f: Any, row: int, eps: float) -> float:
        q = (float(self.q1[row]), float(self.q2[row]))
        return conditioned(f, f, q, 1.0 - eps, (self.shape, self.shape), row, min(eps, 2.0 - eps))[0]
