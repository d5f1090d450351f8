"""Moments of the matrices that laws are named after, by counting and integrals that know nothing of transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mpmath

from widelimit.theory.calculus.ensembles import planar_pairings


def points(order: int, points: Sequence[tuple[Any, Any]]) -> Any:
    """Moment of finitely many atoms, given as (location, mass)."""
    return mpmath.fsum(mass * mpmath.mpf(x) ** order for x, mass in points)


def wigner(order: int) -> Any:
    """Moment of Wigner's density ``sqrt(4 - x^2)/(2 pi)``, at x = 2 cos(t)."""
    if order % 2:
        return mpmath.mpf(0)
    return mpmath.quad(
        lambda t: (2 * mpmath.cos(t)) ** order * (2 * mpmath.sin(t)) ** 2 / (2 * mpmath.pi),
        [0, mpmath.pi / 2, mpmath.pi],
    )


def unitary(order: int) -> Any:
    """Moment of u + u^* whose eigenvalues ``2 cos(t)`` have uniform angles."""
    if order % 2:
        return mpmath.mpf(0)
    ends = [0, mpmath.pi / 2, mpmath.pi]
    return mpmath.quad(lambda t: (2 * mpmath.cos(t)) ** order / mpmath.pi, ends)


def rank_ones(order: int, rate: Any) -> Any:
    """Moment of a sum of rate N random projections of rank one, by Wick's theorem: ``X X^T``, X of N x (rate N)."""
    return mpmath.fsum(mpmath.mpf(rate) ** len(columns) for columns, _ in planar_pairings(order))


def wishart(order: int, ratios: Sequence[Any]) -> Any:
    """Moment of ``J^T J/N_0`` for Gaussian layers of entry variance 1/N_l, ratios N_0/N_l, one layer after the other.

    The first layer alone has Wick's pairings; the layers behind it are a matrix C between its factors.
    """
    first, *others = (mpmath.mpf(one) for one in ratios)
    behind = [one / first for one in others]
    total = mpmath.mpf(0)
    for columns, rows in planar_pairings(order):
        traces = mpmath.fprod(wishart(len(cycle), behind) if behind else 1 for cycle in columns)
        total += first ** (len(rows) - 1) * traces
    return total


def brownian(order: int, time: Any) -> Any:
    """Moment of free multiplicative Brownian motion of mean one.

    Another factor near one, of variance dt, pairs two of the `order` places: it adds ``m_j m_(order - j) dt``, j their
    distance. The polynomials in t that follow are integrated exactly.
    """
    moments = [[mpmath.mpf(1)], [mpmath.mpf(1)]]  # coefficients in t, of m_0 and m_1
    for k in range(2, order + 1):
        rate = [mpmath.mpf(0)] * (k - 1)
        for j in range(1, k):
            for a, x in enumerate(moments[j]):
                for b, y in enumerate(moments[k - j]):
                    rate[a + b] += x * y * k / 2
        moments.append([mpmath.mpf(1), *(c / (n + 1) for n, c in enumerate(rate))])
    return mpmath.polyval(moments[order][::-1], mpmath.mpf(time))
