"""Fluctuations of linear statistics: sums of a polynomial over all eigenvalues, which scatter by O(1) and not sqrt(p).

On the support [a, b] of a semicircle or Marchenko-Pastur law let x = (a + b)/2 + (b - a)/2 cos(theta). The sums of
Chebyshev polynomials T_k over the eigenvalues of a real symmetric Gaussian or Wishart matrix are independent Gaussians
in the limit, one an order k.
"""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Eq, Expr, Rational, Symbol

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.precision import Values, numbers

RATIO = Symbol("c", positive=True)
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


def derive_fluctuations() -> Derivation:
    """Return mean and variance of sums of Chebyshev polynomials over the eigenvalues of Wishart matrices, checked.

    >>> print(derive_fluctuations()["variance"].equation)
    Eq(Var_T_k, k/2)
    """
    domain = {RATIO: (0.1, 0.25), ORDER: (1, 4)}
    variance = Step(
        "variance",
        Eq(Symbol("Var_T_k"), statistic_variance(), evaluate=False),
        "The double contour of the covariance of resolvents, along circles in the plane of the companion's transform.",
        "bai2004clt, theorem 1.1",
        domain=domain,
        left=contour_variance,
    )
    shift = Step(
        "shift",
        Eq(Symbol("E_T_k"), statistic_shift(), evaluate=False),
        "The single contour of the correction to the mean resolvent.",
        "bai2004clt, theorem 1.1",
        domain=domain,
        left=contour_shift,
    )
    return Derivation("Fluctuations of linear statistics", (variance, shift), ("real Gaussian entries",))


def _shell(ratio: Any, radius: Any, count: int) -> tuple[list[Any], list[Any]]:
    """Points u and steps du of a circle around those of the edges, at x = -1/u + c/(1 + u), where it has radius one.

    A polynomial of x is analytic between radii sqrt(c) and 1/sqrt(c).
    """
    centre = -1 / (1 - ratio)
    reach = mpmath.sqrt(ratio) / (1 - ratio)
    turns = [mpmath.expjpi(2 * (mpmath.mpf(k) + mpmath.mpf("0.5")) / count) for k in range(count)]
    plane = [centre + radius * reach * turn for turn in turns]
    step = [2 * mpmath.pi * radius * reach * turn * 1j / count for turn in turns]
    return plane, step


def contour_variance(values: Values, dps: int) -> Any:
    """Return the variance of the sum of T_k over real Wishart eigenvalues by Bai and Silverstein's double contour."""
    ratio, order = numbers(values, dps, RATIO, ORDER)
    count = 5 * dps

    def chebyshev(u: Any) -> Any:
        z = -1 / u + ratio / (1 + u)
        return mpmath.chebyt(int(order), (z - 1 - ratio) / (2 * mpmath.sqrt(ratio)))

    inner, outer = (_shell(ratio, mpmath.mpf(r), count) for r in ("0.8", "1.25"))
    one = [(u, chebyshev(u) * du) for u, du in zip(*inner, strict=True)]
    two = [(u, chebyshev(u) * du) for u, du in zip(*outer, strict=True)]
    total = mpmath.fsum(f * g / (u - w) ** 2 for u, f in one for w, g in two)
    return (-total / (2 * mpmath.pi**2)).real


def contour_shift(values: Values, dps: int) -> Any:
    """Return the mean of the same sum less p times the law's, by Bai and Silverstein's contour for real matrices."""
    ratio, order = numbers(values, dps, RATIO, ORDER)
    total = mpmath.mpf(0)
    for u, du in zip(*_shell(ratio, mpmath.mpf("1.4"), 8 * dps), strict=True):
        z = -1 / u + ratio / (1 + u)
        value = mpmath.chebyt(int(order), (z - 1 - ratio) / (2 * mpmath.sqrt(ratio)))
        slope = 1 / u**2 - ratio / (1 + u) ** 2
        total += value * ratio * u**3 / (1 + u) ** 3 / (1 - ratio * u**2 / (1 + u) ** 2) ** 2 * slope * du
    return (-total / (2j * mpmath.pi)).real
