"""A Gaussian unit that moves, by numbers: what names in the geometry of curves stand for.

h(t) is a pre-activation along a curve of inputs, hdot its derivative: centred Gaussians with E h^2 = q, E h hdot = s,
E hdot^2 = m. Averages are quadratures of mpmath's own, and sums over signs where only second moments matter.
"""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Expr

from widelimit.theory.calculus.ensembles import over_gaussian, over_signs
from widelimit.theory.calculus.layers import by_number, over_unit


def product(one: Expr, other: Expr, moments: tuple[Any, Any, Any], powers: tuple[int, int], dps: int) -> Any:
    """Return E [f(h) hdot^a g(h) hdot^b], a + b at most 2: hdot is s/q h and independent noise, here of either sign.

    >>> from widelimit.theory.calculus.activation import x
    >>> print(mpmath.nstr(product(x, x**0, (2, 1, 3), (0, 1), 15), 10))
    1.0
    """
    q, s, m = moments
    drift, noise = s / q, mpmath.sqrt(m - s**2 / q)
    (f, breaks), (g, more) = by_number(one, dps), by_number(other, dps)
    power = sum(powers)
    return over_unit(
        lambda h: f(h) * g(h) * over_signs(lambda z: (drift * h + noise * z[0]) ** power, 1),
        q,
        (*breaks, *more),
    )


def crossing_rate(q: Any, s: Any, m: Any, level: Any) -> Any:
    """Return how often h passes `level` per unit of t: the mean of abs(hdot) over the joint density at that level.

    >>> print(mpmath.nstr(crossing_rate(1, 0, 1, 0) * mpmath.pi, 10))
    1.0
    """
    determinant = q * m - s**2

    def flux(v: Any) -> Any:
        form = (m * level**2 - 2 * s * level * v + q * v**2) / determinant
        return abs(v) * mpmath.exp(-form / 2) / (2 * mpmath.pi * mpmath.sqrt(determinant))

    reach = 15 * mpmath.sqrt(m) + abs(level * s / q)
    return mpmath.quad(flux, [-reach, -reach / 4, 0, reach / 4, reach])


def crossing_rate_on_ray(q: Any, s: Any, level: Any) -> Any:
    """Return the same for h (1 + t s/q): how fast the probability of h being beyond the level changes.

    >>> print(mpmath.nstr(crossing_rate_on_ray(1, 1, 1) - mpmath.npdf(1), 3))
    0.0
    """
    rate = s / q
    return abs(mpmath.diff(lambda t: mpmath.ncdf(level / (1 + rate * t), 0, mpmath.sqrt(q)), 0))


def opposite_signs(correlation: Any) -> Any:
    """Return the probability that two Gaussians have opposite signs.

    >>> print(mpmath.nstr(opposite_signs(0), 10))
    0.5
    """
    tilt = correlation / mpmath.sqrt(1 - correlation**2)
    return 2 * mpmath.quad(lambda u: mpmath.npdf(u) * mpmath.ncdf(-tilt * u), [0, 1, 4, 16])


def stretched(chi_1: Any, metric: Any) -> Any:
    """Return E hdot'^2 of the next layer, from units whose slopes are of two sizes and hdot Gaussian.

    >>> print(mpmath.nstr(stretched(2, 3), 10))
    6.0
    """
    slopes = (mpmath.sqrt(chi_1 / 2), mpmath.sqrt(3 * chi_1 / 2))
    motion = over_gaussian(lambda v: v**2, [[metric]], 3)
    return over_signs(lambda w: (w[0] * slopes[0] + w[1] * slopes[1]) ** 2, 2) / 2 * motion


def curved(chi_1: Any, chi_2: Any, metric: Any, curvature: Any) -> Any:
    """Return N kappa^2 of a circle's image under phi = a h + b h^2/2, which has these chi_1 and chi_2.

    On a circle of constant speed hdot is independent of h, and the acceleration has -g h/q along h; here q is 1.5
    times the least at which a circle of that curvature exists.

    >>> print(mpmath.nstr(curved(2, 0, 1, 3), 10))
    1.5
    """
    q = mpmath.mpf(3) / (2 * curvature)
    b = mpmath.sqrt(chi_2)
    a = mpmath.sqrt(chi_1 - chi_2 * q)
    rest = (curvature - 1 / q) * metric**2  # of the acceleration, beside what is along h
    covariance = [[q, 0, -metric], [0, metric, 0], [-metric, 0, rest + metric**2 / q]]
    speed = over_gaussian(lambda h, v, w: ((a + b * h) * v) ** 2, covariance, 4)
    bent = over_gaussian(lambda h, v, w: (b * v**2 + (a + b * h) * w) ** 2, covariance, 4)
    return bent / speed**2


def arc_length(metric: Any) -> Any:
    """Return the length of a circle that is run through at the speed sqrt(metric) by an angle from 0 to 2 pi.

    >>> print(mpmath.nstr(arc_length(4) / mpmath.pi, 10))
    4.0
    """
    radius = mpmath.sqrt(metric)

    def speed(angle: Any) -> Any:
        place = [mpmath.diff(lambda t, f=f: radius * f(t), angle) for f in (mpmath.cos, mpmath.sin)]
        return mpmath.norm(place)

    return mpmath.quad(speed, [0, 1], method="gauss-legendre", maxdegree=3) * 2 * mpmath.pi


def binomial_growth(weight: Any, units: int, probability: Any) -> Any:
    """Return weight sqrt(units) p / sqrt(1 + E J), J binomial: Jensen's bound of a layer with so many active units.

    >>> print(mpmath.nstr(binomial_growth(1, 4, mpmath.mpf(1) / 2), 10))
    0.5773502692
    """
    active = mpmath.fsum(
        j * mpmath.binomial(units, j) * probability**j * (1 - probability) ** (units - j)
        for j in range(units + 1)
    )
    return weight * mpmath.sqrt(units) * probability / mpmath.sqrt(1 + active)
