"""Sums and corners of laws with atoms: roots in the transform, gaps that close, densities that touch zero."""

import numpy as np
import pytest
from sympy import Rational

from widelimit.numerics import freeprob
from widelimit.theory import freeprob as symbolic
from widelimit.theory.errors import ArgumentError

HALF = Rational(1, 2)
SIGNS = symbolic.mixture([(-1, HALF), (1, HALF)])


def pastur(x, variance):
    """Density of semicircle + signs by the cubic of G = E 1/(x - variance G - sign), the root below the axis."""
    v = variance
    # G ((x - v G)^2 - 1) = x - v G
    roots = np.roots([v * v, -2 * x * v, x * x - 1 + v, -x])
    return max(0.0, -roots.imag.min()) / np.pi


@pytest.mark.parametrize(
    ("way", "variance"),
    [
        ("transform", Rational(99, 100)),
        ("transform", 1),
        ("transform", Rational(101, 100)),
        ("subordination", 1),
    ],
)
def test_a_gap_closes(way, variance):
    """Semicircle plus signs: two intervals below variance 1, one with a cusp |x|^(1/3) at it, one above."""
    semicircle = symbolic.semicircle(variance)
    if way == "transform":
        law = freeprob.law(semicircle + SIGNS)
    else:
        law = freeprob.add(freeprob.law(semicircle), freeprob.law(SIGNS))
    assert len(law.support) == (1 if variance >= 1 else 2) and law.error < 1e-12  # a cusp is no gap
    x = np.array([-2.0, -0.7, -0.03, 0.02, 0.3, 1.1, 2.3])
    assert np.allclose(law.density(x), [pastur(value, float(variance)) for value in x], atol=2e-9)
    if variance == 1:
        near = np.array([1e-2, 1e-3, 1e-4])
        assert np.allclose(law.density(near) / near ** (1 / 3), np.sqrt(3) / (2 * np.pi), rtol=1e-3)
    assert abs(law.cdf(0.0) - 0.5) < 1e-7 and abs(law.moment(2) - 1 - float(variance)) < 1e-9


def test_signs_and_signs_make_the_arcsine_law():
    law = freeprob.law(SIGNS + SIGNS)
    x = np.linspace(-1.99, 1.99, 41)
    assert np.allclose(law.density(x), 1 / (np.pi * np.sqrt(4 - x * x)), rtol=1e-9)
    numbers = freeprob.add(freeprob.law(SIGNS), freeprob.law(SIGNS))
    assert np.allclose(
        [numbers.moment(k) for k in range(1, 11)], [0, 2, 0, 6, 0, 20, 0, 70, 0, 252], atol=1e-8
    )


def test_a_corner_keeps_what_is_left_of_atoms():
    """Three quarters of a matrix with eigenvalues 1 and 4: a third of the corner's stay 1, a third 4."""
    law = freeprob.law(symbolic.mixture([(1, HALF), (4, HALF)]).compress(Rational(3, 4)))
    assert np.allclose(law.atoms, [(1, 1 / 3), (4, 1 / 3)], rtol=0, atol=1e-12) and law.error < 1e-9
    ((low, high),) = law.support
    # two projections of trace 1/2 and 3/4 in general position: edges 1/2 -+ sqrt(1/2 3/4 1/2 1/4) around ...
    beta, alpha = 0.5, 0.75
    ends = np.array(
        [
            alpha + beta - 2 * alpha * beta - s * 2 * np.sqrt(alpha * beta * (1 - alpha) * (1 - beta))
            for s in (1, -1)
        ]
    )
    assert np.allclose([low, high], 1 + 3 * ends, atol=1e-8)


def test_a_product_with_a_two_point_law():
    """S of a mixture has a root: the law by its transform and by subordination are the same."""
    wishart, pair = symbolic.marchenko_pastur(HALF), symbolic.mixture([(1, HALF), (4, HALF)])
    one, two = freeprob.law(wishart * pair), freeprob.multiply(freeprob.law(wishart), freeprob.law(pair))
    x = np.linspace(0.2, 9.0, 23)
    assert np.allclose(one.density(x), two.density(x), atol=1e-9)
    assert np.allclose([one.moment(k) for k in (1, 2)], [2.5, 8.5 + 0.5 * 2.5**2], rtol=1e-12)


THREE = symbolic.mixture([(x, Rational(1, 3)) for x in (1, 2, 5)])


def test_three_islands_have_the_edges_of_their_critical_points():
    """Three atoms plus a small semicircle: no transform in closed form; edges by dz/domega = 0 (Pastur's equation)."""
    law = freeprob.law(THREE + symbolic.semicircle(Rational(1, 10)))
    poly = np.poly1d([1.0])
    inverse_squares = lambda w: sum(1 / (w - x) ** 2 for x in (1, 2, 5)) / 30  # noqa: E731
    z = lambda w: w + sum(1 / (w - x) for x in (1, 2, 5)) / 30  # noqa: E731
    for x in (1, 2, 5):
        poly *= np.poly1d([1, -x]) ** 2
    critical = poly - sum(np.polydiv(poly, np.poly1d([1, -x]) ** 2)[0] for x in (1, 2, 5)) / 30
    turns = sorted(z(w.real) for w in critical.roots if abs(w.imag) < 1e-9)
    assert all(abs(inverse_squares(w) - 1) < 1e-6 for w in critical.roots)
    assert np.allclose(np.ravel(law.support), turns, atol=1e-9) and law.error < 1e-12


def test_laws_without_transforms_are_made_of_their_parts():
    corner = freeprob.law(THREE.compress(Rational(9, 10)))
    assert np.allclose(corner.atoms, [(x, (1 / 3 - 0.1) / 0.9) for x in (1, 2, 5)], atol=1e-12)
    assert len(corner.support) == 2 and corner.error < 1e-9
    product = freeprob.law(2 * (THREE * symbolic.marchenko_pastur(HALF)))
    assert abs(product.moment(1) - 16 / 3) < 1e-12
    assert abs(product.moment(2) - 4 * (10 + 0.5 * (8 / 3) ** 2)) < 1e-9  # m2 + c m1^2
    shifted = freeprob.law((THREE + symbolic.semicircle()).shift(-3))
    assert abs(shifted.mean - 8 / 3 + 3) < 1e-12 and abs(shifted.variance - (10 - 64 / 9 + 1)) < 1e-9


def test_free_powers_keep_atoms_until_they_are_used_up():
    """Bernoulli(1/4) to the 5/2: 5/2 3/4 - 3/2 stay at zero, nothing at 5/2; the free binomial law's edges."""
    law = freeprob.law(symbolic.bernoulli(Rational(1, 4)).free_power(Rational(5, 2)))
    assert np.allclose(law.atoms, [(0.0, 0.375)], atol=1e-12) and law.error < 1e-9
    # of the corner 2/5 of a projection of trace 1/4, times 5/2
    a, b = 0.4, 0.25
    ends = [a + b - 2 * a * b + s * 2 * np.sqrt(a * b * (1 - a) * (1 - b)) for s in (-1, 1)]
    assert np.allclose(law.support[0], np.array(ends) / a, atol=1e-9)
    assert np.isclose(
        freeprob.power([(-1.0, 0.5), (1.0, 0.5)], 3.0).largest, np.sqrt(8.0), atol=1e-9
    )  # Kesten
    with pytest.raises(ArgumentError, match="at least 1"):
        freeprob.power([(-1.0, 0.5), (1.0, 0.5)], 0.5)
    with pytest.raises(ArgumentError, match="positive"):
        freeprob.compress([(-1.0, 0.5), (1.0, 0.5)], 0.0)


def test_moments_beyond_those_that_a_transform_tells():
    catalan = freeprob.law(S=1 / (1 + symbolic.m))
    assert np.allclose(
        [catalan.moment(k) for k in range(1, 10)], [1, 2, 5, 14, 42, 132, 429, 1430, 4862], rtol=1e-9
    )
    assert np.allclose([freeprob.law(R=symbolic.g).moment(k) for k in (5, 6, 7, 8)], [0, 5, 0, 14], atol=1e-9)
