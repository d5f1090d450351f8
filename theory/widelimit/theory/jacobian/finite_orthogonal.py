r"""Moments of the Jacobian at finite width for Haar orthogonal weights; what differs from `finite`, under its names.

A layer sends its input x to sigma_w W x, uniform on a sphere, and nothing is known of W on the complement of x but
that it is a rotation there, independent of the slopes. So, with :math:`w=W\hat x`,

* the part of a pre-activation that W makes, a `share` r of its variance K, has the sum of squares N r K exactly: means
  S and M of a layer lose the fluctuation of that sum, in their mean (`own_shift`) and in their covariance;
* :math:`W=w\hat x^T+V` with V Haar on N - 1 dimensions: Weingarten's sums give tr (D W G W^T)^k to order 1/N.

G is J J^T here, and the overlaps are :math:`\beta_k=\hat x^T(JJ^T)^k\hat x`, one at the input. Formulas are short in
moments about the mean: of slopes (`_central`), of G, and of what the directions w and x see of them beyond.
"""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Expr, Integer, Matrix, sqrt

from widelimit.theory.calculus import exact
from widelimit.theory.jacobian import finite
from widelimit.theory.jacobian.finite import (
    ORDERS,
    M,
    along,
    energy,
    overlap,
    quartic,
    share,
    square,
    square_quartic,
    square_tilt,
    t,
    tilt,
)
from widelimit.theory.jacobian.laws import sigma_w
from widelimit.theory.meanfield.formulas import sigma_b

__all__ = [
    "coupled",
    "excess",
    "layer_map",
    "overlap_map",
    "own_covariance",
    "own_shift",
    "planar",
    "twisted",
]


def _central(one: Sequence[Expr]) -> tuple[Expr, Expr]:
    """The second and third moment about the mean of moments."""
    first, second, third = one
    return second - first**2, third - 3 * first * second + 2 * first**3


def _seen() -> tuple[tuple[Expr, Expr, Expr], tuple[Expr, Expr, Expr]]:
    """What w sees of powers of D - M_1 beyond their means, and x of powers of G - t_1."""
    (m1, _, _), (w1, w2, w3) = M, (share * one for one in tilt)
    (t1, t2, _), (b1, b2, b3) = t, overlap
    slopes = (w1, w2 - 2 * m1 * w1, w3 - 3 * m1 * w2 + 3 * m1**2 * w1)
    _, third = _central(t)
    gram = (b1 - t1, b2 - 2 * t1 * b1 + 2 * t1**2 - t2, b3 - 3 * t1 * b2 + 3 * t1**2 * b1 - t1**3 - third)
    return slopes, (gram[0], gram[1], gram[2])


@exact.takes(order=exact.order(1, 3))
def planar(order: int) -> Expr:
    """Return F_k, the moments of a free product.

    >>> planar(1)
    M_1*sigma_w**2*t_1
    """
    (m1, _, _), (t1, _, _) = M, t
    (v, v3), (s, s3) = _central(M), _central(t)
    found = {
        1: m1 * t1,
        2: m1**2 * s + (m1**2 + v) * t1**2,
        3: (m1**3 + v3) * t1**3 + 3 * m1 * (m1**2 + v) * s * t1 + m1**3 * s3 + 3 * m1 * v * t1**3,
    }
    return sigma_w ** (2 * order) * found[order]


@exact.takes(order=exact.order(1, 3))
def twisted(order: int) -> Expr:
    """Return N times what real rotations add to F_k, independent of the slopes.

    >>> twisted(2)
    sigma_w**4*(-M_1**2 + M_2)*(-t_1**2 + t_2)
    """
    (m1, _, _), (t1, _, _) = M, t
    (v, v3), (s, s3) = _central(M), _central(t)
    found = {1: Integer(0), 2: v * s, 3: 3 * (2 * m1 * t1 * v * s + m1 * v * s3 + t1 * s * v3)}
    return sigma_w ** (2 * order) * found[order]


@exact.takes(order=exact.order(1, 3))
def coupled(order: int) -> Expr:
    """Return N times what the slopes' knowledge of W x adds to t_k'.

    >>> coupled(1)
    omega_1*r*sigma_w**2*(beta_1 - t_1)
    """
    (m1, _, _), (t1, _, _) = M, t
    (v, _), (s, _) = _central(M), _central(t)
    (w1, w2, w3), (b1, b2, b3) = _seen()
    found = {
        1: w1 * b1,
        2: w1**2 * b1**2 + 2 * w2 * t1 * b1 + 2 * m1 * w1 * (2 * t1 * b1 + b2),
        3: w1**3 * b1**3
        + 3 * w3 * t1**2 * b1
        + 3 * m1 * w1**2 * b1 * (2 * t1 * b1 + b2)
        + 3 * w1 * w2 * t1 * b1**2
        + 3 * w1 * (3 * m1**2 * t1 * (t1 * b1 + b2) + v * t1 * b2 + m1**2 * b3)
        + 3 * m1 * w2 * (s * b1 + 3 * t1**2 * b1 + t1 * b2),
    }
    return sigma_w ** (2 * order) * found[order]


def layer_map() -> tuple[Expr, ...]:
    """Return K' and the three t' of a layer whose own means are S and M, in the limit."""
    return (sigma_w**2 * square + sigma_b**2, *(planar(k) for k in ORDERS))


def excess() -> tuple[Expr, ...]:
    """Return N times what the means of K' and of the three t' exceed those of `layer_map` by, given S and M."""
    return (Integer(0), *(twisted(k) + coupled(k) for k in ORDERS))


def overlap_map() -> tuple[Expr, ...]:
    r"""Return :math:`\beta_1',\beta_2',\beta_3'` of the next layer, in the limit.

    >>> overlap_map()[0]
    sigma_w**2*(eta_0*t_1 + pi_0**2*r*(beta_1 - t_1))/S
    """
    (m1, _, _), (t1, _, _), (e0, e1, e2) = M, t, energy
    (v, _), (s, s3) = _central(M), _central(t)
    (w1, w2, _), (b1, b2, b3) = _seen()
    a0, a1, a2 = (sqrt(share) * one for one in along)
    found = (
        a0**2 * b1 + e0 * t1,
        a0**2 * (w1 * b1**2 + m1 * b2) + 2 * a0 * a1 * t1 * b1 + e0 * m1 * s + e1 * t1**2,
        a0**2
        * (
            w1**2 * b1**3
            + w1 * b1 * (2 * m1 * t1 * b1 + 2 * m1 * b2)
            + w2 * t1 * b1**2
            - 2 * m1**2 * s * b1
            + (m1**2 + v) * t1 * b2
            + m1**2 * b3
        )
        + 2 * a0 * a1 * (w1 * t1 * b1**2 + m1 * (s * b1 + t1 * b2))
        + 2 * a0 * a2 * t1**2 * b1
        + a1**2 * t1**2 * b1
        + e0 * (m1**2 * (s * t1 + s3) + v * s * t1)
        + 2 * e1 * m1 * s * t1
        + e2 * t1**3,
    )
    return tuple(sigma_w ** (2 * k) * one / square for k, one in zip(ORDERS, found, strict=True))


def own_shift() -> tuple[Expr, ...]:
    """Return N times what the means of a layer's own S and M lose with the sum of squares that W keeps.

    A coordinate of a sphere has the density of a Gaussian number times 1 - (z^4 - 6 z^2 + 3)/(4 N).

    >>> own_shift()[0]
    -chi_0*r**2/4
    """
    return tuple(-(share**2) * one / 4 for one in (square_quartic, *quartic))


def own_covariance() -> Matrix:
    """Return N times the covariance of S, M_1, M_2, M_3: without what the sum of squares explains."""
    seen = Matrix([square_tilt, *tilt])
    return finite.own_covariance() - share**2 * seen * seen.T / 2
