"""Activations that oscillate: right where quadrature follows them, refused where a Gaussian has too many periods."""

import math

import pytest
from scipy.integrate import quad

from widelimit.numerics import meanfield
from widelimit.numerics.meanfield.maps import maps
from widelimit.theory.errors import ConvergenceError

NAME = "sin(x)*tanh(x)"


def second_moment(q):
    """E sin^2 tanh^2 = (1 - E sech^2 - E cos 2x + E cos 2x sech^2)/2; sech^2 ends soon."""

    def density(z):
        return math.exp(-z * z / (2 * q)) / math.sqrt(2 * math.pi * q) / math.cosh(z) ** 2

    reach = min(40.0, 12 * math.sqrt(q))
    rest = 2 * quad(lambda z: density(z) * (1 - math.cos(2 * z)), 0, reach, epsabs=1e-14, limit=400)[0]
    return (1 - rest - math.exp(-2 * q)) / 2


@pytest.mark.parametrize("sigma_w", [1.5, 30.0, 1000.0])
def test_fixed_points_that_quadrature_follows(sigma_w):
    found = meanfield.solve(NAME, sigma_w=sigma_w, sigma_b=0.1)
    assert found.q_star == pytest.approx(sigma_w**2 * second_moment(found.q_star) + 0.01, rel=1e-9)


@pytest.mark.parametrize("sigma_w", [4000.0, 1e6])
def test_lengths_that_it_does_not_follow_are_refused(sigma_w):
    with pytest.raises(ConvergenceError, match="oscillates too often"):
        meanfield.solve(NAME, sigma_w=sigma_w, sigma_b=0.1)


def test_no_layer_is_computed_from_what_is_not_resolved():
    with pytest.raises(ConvergenceError, match="q = 1e"):
        meanfield.propagate(NAME, sigma_w=1.5, sigma_b=0.1, q0=1e9, c0=0.5, depth=5)
    with pytest.raises(ConvergenceError):  # a phase that turns ever faster
        meanfield.solve("sin(x**2)*tanh(x)", sigma_w=300, sigma_b=0.1)


def test_closed_forms_need_no_quadrature():
    values, errors = maps("x*sin(x)").moments([1e13])
    assert values[0, 0] == pytest.approx(5e12, rel=1e-15)
    assert errors[0, 0] == 0
