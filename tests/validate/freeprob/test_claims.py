"""Claims of free probability: predictions against closed forms, repeatable draws, wrong theories that differ."""

from fractions import Fraction

import numpy as np
import pytest

from widelimit.validate.claims import freeprob as claims
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate import freeprob as simulate


def test_signs_in_general_position_add_to_the_arcsine_law():
    inputs = {"operation": "sum", "first": "signs", "second": "signs"}
    x = claims.places(inputs)
    assert np.allclose(claims.distribution(inputs), 0.5 + np.arcsin(x / 2) / np.pi, atol=1e-10)
    assert np.allclose(claims.commuting(inputs)[[0, 1, 3, 4]], [0.25, 0.25, 0.75, 0.75])  # heads and tails


def test_a_corner_of_a_gaussian_matrix_is_a_smaller_gaussian_matrix():
    inputs = {"operation": "corner", "first": "semicircle", "second": "1/4"}
    x = claims.places(inputs)
    assert np.allclose(
        claims.distribution(inputs), 0.5 + (x * np.sqrt(1 - x**2) + np.arcsin(x)) / np.pi, atol=1e-12
    )


def test_projected_sample_covariances_keep_their_kernel():
    inputs = {"operation": "product", "first": "marchenko_pastur", "second": "projection"}
    predicted = claims.distribution(inputs)
    assert (predicted > 2 / 3).all()
    # a third of Marchenko and Pastur's law of ratio 1/6, by quadrature of its density
    from scipy.integrate import quad

    low, high = (1 - 6**-0.5) ** 2, (1 + 6**-0.5) ** 2
    density = lambda x: np.sqrt((high - x) * (x - low)) / (2 * np.pi * x / 6)  # noqa: E731
    direct = [2 / 3 + quad(density, low, x, epsabs=1e-12)[0] / 3 for x in claims.places(inputs)]
    assert np.allclose(predicted, direct, atol=1e-9)


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.id)
def test_shares_repeat_and_come_near(claim):
    for inputs in claim.plans["reference"].points:
        shares = claim.simulate(inputs, 60, [3, 4], Backend())
        assert np.array_equal(shares[1:], claim.simulate(inputs, 60, [4], Backend()))
        predicted = claim.predict(inputs)
        eigenvalues = 60 * float(Fraction(inputs["second"])) if inputs["operation"] == "corner" else 60
        assert (
            np.abs(shares - predicted).max() < 3.5 / eigenvalues
        )  # eigenvalues are rigid: few are out of place
        wrong = claim.counterfactuals[0].predict(inputs)
        assert np.abs(wrong - predicted).max() > 2.5 * claim.margin
        assert len(claim.rows(inputs)) == len(predicted)


def test_matrices_have_the_moments_of_their_laws():
    sums = simulate.sums("semicircle", claims._atoms("signs"), 120, range(8), Backend())
    products = simulate.products("marchenko_pastur", claims._atoms("one-four"), 120, range(8), Backend())
    corners = simulate.corners(claims._atoms("one-four"), 60, 120, range(8), Backend())
    assert abs((sums**2).mean() - 2.0) < 0.05  # variances add
    assert abs(products.mean() - 2.5) < 0.05  # means multiply
    # tr (P A P)^2 / tr P = alpha m2 + (1 - alpha) m1^2 for a corner of share alpha
    assert abs((corners**2).mean() - (0.5 * 8.5 + 0.5 * 2.5**2)) < 0.1
    assert corners.shape == (8, 60) and (corners > 1 - 1e-9).all() and (corners < 4 + 1e-9).all()


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.id)
def test_theory_speaks_of_each_size(claim):
    """Off the limit by less than half an eigenvalue, more than nothing, and ten times less at ten times the size."""
    for inputs in claim.plans["quick"].points:
        limit = claim.predict(inputs)
        rows = float(Fraction(inputs["second"])) if inputs["operation"] == "corner" else 1.0
        small, large = (claim.predict_at(inputs, size) - limit for size in (60, 600))
        assert 0.02 < np.abs(60 * rows * small).max() < 0.5
        assert np.allclose(small, 10 * large, atol=1e-12)
    assert claim.counterfactuals[-1].name == "infinite matrix size"
