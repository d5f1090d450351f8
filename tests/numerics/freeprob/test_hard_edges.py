"""Densities that are infinite at their edge, next to which a small mass makes structure on scales down to 1e-31.

Right values: G = m/(1 + m)^n of Fuss and Catalan's law makes z = (1 + m)^n + w, w the other law's function at G; with
two atoms that is a polynomial in m, whose roots mpmath finds in eighty digits.
"""

import mpmath
import numpy as np
import pytest

from widelimit.numerics import freeprob
from widelimit.theory import freeprob as symbolic


def densities(n, mass, place, x):
    """-Im G/pi of every root at x, of Fuss and Catalan's law plus masses 1 - mass at 0 and mass at `place`."""
    with mpmath.workdps(80):
        m, share, s = [mpmath.mpf(1), mpmath.mpf(0)], mpmath.mpf(mass), mpmath.mpf(place)
        one = [mpmath.binomial(n, k) for k in range(n + 1)]  # (1 + m)^n
        w = [-c for c in one]
        w[-1] += mpmath.mpf(x)
        away = [*w[:-1], w[-1] - s]
        other = [*w[:-1], w[-1] - (1 - share) * s]
        left, right = times(m, times(w, away)), times(one, other)
        right = [mpmath.mpf(0)] * (len(left) - len(right)) + right
        roots = mpmath.polyroots(
            [a - b for a, b in zip(left, right, strict=True)], maxsteps=2000, extraprec=2000
        )
        return np.array([float(-mpmath.im(root / (1 + root) ** n) / mpmath.pi) for root in roots])


def times(a, b):
    out = [mpmath.mpf(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            out[i + j] += x * y
    return out


@pytest.mark.parametrize(
    ("n", "mass", "place"), [(1, 1e-6, 3.5), (2, 0.01, -1.0), (3, 1e-4, 3.5), (4, 1e-6, 30.0)]
)
def test_a_small_mass_beside_an_infinite_density(n, mass, place):
    law = freeprob.add(freeprob.law(symbolic.fuss_catalan(n)), [(0.0, 1 - mass), (place, mass)])
    assert law.error < 1e-10
    assert abs(law.mass - 1) < 1e-12
    low, high = law.support[-1] if place < 0 else law.support[0]
    # the edge: v - mass v^(n/(n+1)) c turns where v = (n mass/(n + 1))^(n + 1), up to the mass itself
    assert low == pytest.approx((n * mass / (n + 1)) ** (n + 1) / n, rel=0.2)
    x = np.concatenate([low * np.array([1.2, 3, 1e3]), high * np.array([1e-6, 0.1, 0.6])])
    for point in x[(x > 1.1 * low) & (x < 0.9 * high)]:
        known = densities(n, mass, place, point)
        found = law.density(point)
        assert np.abs(known / found - 1).min() < 1e-8


def test_the_same_moved_away_from_zero():
    base = freeprob.law(symbolic.fuss_catalan(3))
    law = freeprob.add(base, [(0.0, 1 - 1e-4), (5.0, 1e-4)])
    moved = freeprob.add(base, [(2.5, 1 - 1e-4), (7.5, 1e-4)])
    x = np.array([1e-3, 0.2, 4.0])
    assert moved.density(x + 2.5) == pytest.approx(law.density(x), rel=1e-9)
    assert moved.cdf(x + 2.5) == pytest.approx(law.cdf(x), abs=1e-10)
    assert moved.quantile(0.3) == pytest.approx(2.5 + law.quantile(0.3), rel=1e-12)
    assert (moved.mean, moved.largest) == pytest.approx((2.5 + law.mean, 2.5 + law.largest), rel=1e-12)
    assert moved.cauchy([20.0]) == pytest.approx(law.cauchy([17.5]), rel=1e-9)
    sum_of_three = freeprob.add(moved, [(-1.0, 0.5), (1.0, 0.5)])  # a moved law as an operand
    assert sum_of_three.error < 1e-9
    assert sum_of_three.moment(3) == pytest.approx(moved.moment(3) + 3 * moved.mean, rel=1e-9)


def test_a_power_next_to_one_of_an_infinite_density():
    law = freeprob.power(freeprob.law(symbolic.fuss_catalan(3)), 1.0001)
    assert law.error < 1e-10 and 0 < law.support[0][0] < 1e-15
