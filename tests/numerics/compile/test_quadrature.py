"""Gaussian expectations: narrow, wide, kinked, oscillating, growing and infinite integrands; error bounds that hold."""

import math

import mpmath
import numpy as np
import pytest
from sympy import Symbol, cos, exp, lambdify, tanh

from widelimit.numerics.compile.features import Features, features
from widelimit.numerics.compile.pair import conditioned, pair
from widelimit.numerics.compile.quadrature import gaussian

x = Symbol("x", real=True)


def average(expr, qs):
    function = lambdify(x, expr, "numpy")
    return gaussian(lambda points, rows: function(points)[None], np.array(qs), features([expr], x))


@pytest.mark.parametrize("q", [1e-12, 1e-3, 0.7, 40.0])
@pytest.mark.parametrize("k", [1, 20])
def test_oscillating_against_characteristic_function(q, k):
    values, errors = average(cos(k * x), [q])
    assert abs(values[0, 0] - math.exp(-k * k * q / 2)) <= errors[0, 0] <= 1e-12  # a thousand periods


def test_narrow_features_far_from_the_centre():
    spike = exp(-(10**4) * (x - 3) ** 2)
    for q in (0.5, 9.0, 1e6):
        values, errors = average(spike, [q])
        width = 1 / (2e4)  # a Gaussian of this variance: the product is one again
        exact = math.sqrt(width / (width + q)) * math.exp(-9 / (2 * (width + q)))
        assert abs(values[0, 0] - exact) <= errors[0, 0] + 1e-14 * exact
        assert errors[0, 0] <= 1e-13 * exact


def test_wide_gaussian_does_not_miss_the_middle():
    # chi_1 of tanh at q = 5e3 and 1e8, where a fixed grid in z fails: leading order E sech^4 = (4/3)/sqrt(2 pi q)
    for q in (5e3, 1e8):
        values, errors = average((1 - tanh(x) ** 2) ** 2, [q])
        with mpmath.workdps(25):
            exact = mpmath.quad(
                lambda u, q=q: mpmath.sech(u) ** 4 * mpmath.exp(-u * u / (2 * q)), [-60, -8, -2, 0, 2, 8, 60]
            )
            exact = float(exact / mpmath.sqrt(2 * mpmath.pi * q))
        assert abs(values[0, 0] - exact) <= errors[0, 0] <= 1e-13 * exact


def test_growing_and_infinite_moments():
    values, _ = average(x**10, [1.0, 100.0])
    assert np.abs(values[0] / [945.0, 945e10] - 1).max() < 1e-14
    values, _ = average(exp(x**2), [0.1, 0.4, 0.5, 0.6, 1e3])
    assert values[0, :2] == pytest.approx([1 / math.sqrt(0.8), 1 / math.sqrt(0.2)], rel=1e-13)
    assert np.isinf(values[0, 2:]).all()


def test_zero_variance_is_the_limit():
    step = gaussian(lambda points, rows: (points > 0)[None] * 1.0, np.array([0.0]), Features(kinks=(0.0,)))
    assert step[0][0, 0] == pytest.approx(0.5, abs=1e-15)


@pytest.mark.parametrize("c", [-1.0, -0.97, -0.4, 0.0, 0.8, 0.999, 1 - 1e-10, 1.0])
@pytest.mark.parametrize("q", [0.3, 400.0])
def test_pairs_against_closed_forms(c, q):
    from scipy.special import erf

    smooth, kinked = Features(spots=((0.0, 1.0),)), Features(kinks=(0.0,))
    at = (np.array([q]), np.array([q]), np.array([c]))
    erfs, steps = (lambda p, rows: erf(p)[None]), (lambda p, rows: (p > 0)[None] * 1.0)
    value, error = pair(erfs, erfs, *at, (smooth, smooth))
    with mpmath.workdps(30):
        exact = float(2 / mpmath.pi * mpmath.asin(2 * mpmath.mpf(q) * c / (1 + 2 * mpmath.mpf(q))))
        orthant = float(mpmath.mpf(1) / 4 + mpmath.asin(mpmath.mpf(c)) / (2 * mpmath.pi))
    assert abs(value[0] - exact) <= error[0] + 2e-16 and error[0] < 1e-13
    value, error = pair(steps, steps, *at, (kinked, kinked))
    assert abs(value[0] - orthant) <= error[0] + 2e-16 and error[0] < 1e-13


def test_both_methods_agree():
    tanhs = lambda p, rows: np.tanh(p)[None]  # noqa: E731
    shape = Features(spots=((0.0, 1.0),))
    slow, _ = conditioned(tanhs, tanhs, (2.0, 3.0), 0.7, (shape, shape), 0, 0.3)
    fast, _ = pair(tanhs, tanhs, np.array([2.0]), np.array([3.0]), np.array([0.7]), (shape, shape))
    assert slow == pytest.approx(fast[0], rel=1e-13)


def test_function_that_cancels_is_not_refined_into_its_rounding():
    """phi = x - tanh(x), E phi'^2 = 3 q^2 - ...: at q = 1e-12 floats know three digits of it, and the error says so."""
    evaluated = 0

    def f(x, rows):
        nonlocal evaluated
        evaluated += x.size
        return (1 - (1 - np.tanh(x) ** 2))[None] ** 2

    q = 1e-12
    values, errors = gaussian(f, np.array([q]), Features(spots=((0.0, 1.0),)))
    assert abs(values[0, 0] - 3 * q**2) <= errors[0, 0] <= 1e-2 * 3 * q**2
    assert evaluated < 1_000_000
