"""Fluctuations of linear statistics: sums of a polynomial over all eigenvalues, which scatter by O(1) and not sqrt(p).

On the support [a, b] of a semicircle or Marchenko-Pastur law let x = (a + b)/2 + (b - a)/2 cos(theta). The sums of
Chebyshev polynomials T_k over the eigenvalues of a real symmetric Gaussian or Wishart matrix are independent Gaussians
in the limit, one an order k.
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol

ORDER = Symbol("k", integer=True, positive=True)


def statistic_variance() -> Expr:
    """Return k/2, the variance of the sum of T_k over the eigenvalues of a real matrix."""
    return ORDER * Rational(1, 2)


def statistic_shift() -> Expr:
    """Return (1 + (-1)^k)/4, the mean of that sum less p times the law's mean of T_k, for a real matrix.

    >>> statistic_shift().subs(ORDER, 2), statistic_shift().subs(ORDER, 3)
    (1/2, 0)
    """
    return (1 + (-1) ** ORDER) * Rational(1, 4)
