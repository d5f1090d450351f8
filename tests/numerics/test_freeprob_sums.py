"""Sums and corners of laws with atoms: roots in the transform, gaps that close, densities that touch zero."""

import numpy as np
import pytest
from sympy import Rational

from widelimit.numerics import freeprob
from widelimit.theory import freeprob as symbolic

HALF = Rational(1, 2)
SIGNS = symbolic.mixture([(-1, HALF), (1, HALF)])


def pastur(x, variance):
    """Density of semicircle + signs by the cubic of G = E 1/(x - variance G - sign), the root below the axis."""
    v = variance
    # G ((x - v G)^2 - 1) = x - v G
    roots = np.roots([v * v, -2 * x * v, x * x - 1 + v, -x])
    return max(0.0, -roots.imag.min()) / np.pi


@pytest.mark.parametrize("variance", [Rational(99, 100), 1, Rational(101, 100)])
@pytest.mark.parametrize("way", ["transform", "subordination"])
def test_a_gap_closes(way, variance):
    """Semicircle plus signs: two intervals below variance 1, a cusp |x|^(1/3) at it, one interval above."""
    semicircle = symbolic.semicircle(variance)
    if way == "transform":
        law = freeprob.law(semicircle + SIGNS)
    else:
        law = freeprob.add(freeprob.law(semicircle), freeprob.law(SIGNS))
    assert len(law.support) == (1 if variance > 1 else 2) and law.error < 1e-7
    x = np.array([-2.0, -0.7, -0.03, 0.02, 0.3, 1.1, 2.3])
    assert np.allclose(law.density(x), [pastur(value, float(variance)) for value in x], atol=2e-9)
    assert abs(law.cdf(0.0) - 0.5) < 1e-7 and abs(law.moment(2) - 1 - float(variance)) < 1e-9


def test_the_cusp_has_its_exponent():
    law = freeprob.law(symbolic.semicircle() + SIGNS)
    x = np.array([1e-2, 1e-3, 1e-4])
    assert np.allclose(law.density(x) / x ** (1 / 3), np.sqrt(3) / (2 * np.pi), rtol=1e-3)


def test_signs_and_signs_make_the_arcsine_law():
    law = freeprob.law(SIGNS + SIGNS)
    x = np.linspace(-1.99, 1.99, 41)
    assert np.allclose(law.density(x), 1 / (np.pi * np.sqrt(4 - x * x)), rtol=1e-9)


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
