"""Relative variances of drawn lengths: in closed form for ReLU, and against bad input."""

import math

import pytest

from widelimit.numerics.network import width_variance
from widelimit.theory import network as theory
from widelimit.theory.errors import ArgumentError, InfiniteMomentError


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_derivation_checks_itself(activation):
    assert all(step.passed for step in theory.derive(activation).check(dps=15, points=1))


def test_relu_in_closed_form():
    found = width_variance("relu", width=128, depth=8)
    assert found.variance == pytest.approx([(1 + 5 / 128) ** k - 1 for k in range(1, 9)], rel=1e-11)
    assert found.variance[-1] == pytest.approx(0.359, abs=1e-3) and found.error == math.sqrt(
        found.variance[-1]
    )
    assert found.length == pytest.approx([1.0] * 8, rel=1e-12)


def test_linear_units_have_two():
    assert width_variance("x", width=50, sigma_w=1.0).spread[0] == pytest.approx(2.0, rel=1e-12)


@pytest.mark.parametrize("given", [
    {"width": 0}, {"width": 2.5}, {"width": 10**400}, {"depth": 0}, {"depth": 10**400}, {"sigma_w": 0.0},
    {"sigma_w": 1e300}, {"sigma_w": math.nan}, {"sigma_b": -1.0}, {"q0": 0.0}, {"q0": 1e-300}, {"sigma_w": [1.0, 2.0]},
    {"sigma_w": 1e29, "depth": 20}, {"sigma_w": 1e-29, "depth": 20}, {"width": True}, {"sigma_b": "0"},
])  # fmt: skip
def test_bad_arguments(given):
    with pytest.raises(ArgumentError):
        width_variance("relu", **given)


def test_infinite_moments():
    with pytest.raises(InfiniteMomentError):
        width_variance("exp(x**2)")
    with pytest.raises(InfiniteMomentError):
        width_variance("sign(x)")
