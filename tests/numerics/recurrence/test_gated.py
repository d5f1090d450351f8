"""The memory of a gated network on its way from rest, against quadrature of its own."""

import numpy as np
import pytest
from scipy import integrate

from widelimit.numerics import recurrence
from widelimit.theory.errors import ArgumentError

AT = {"sigma_w": 3.0, "sigma_v": 0.8, "input_moment": 0.7, "bias_mean": 0.4}


def average(f, q, mean):
    """E f(u) over u = mean + sqrt(q) z by scipy."""
    density = lambda z: np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * f(mean + np.sqrt(q) * z)  # noqa: E731
    return integrate.quad(density, -12, 12, epsabs=1e-13, limit=200)[0]


def step(memory):
    """E h_t^2 from E h_(t-1)^2."""
    gate = lambda u: 1 / (1 + np.exp(-u))  # noqa: E731
    q = AT["sigma_w"] ** 2 * memory + AT["sigma_v"] ** 2 * AT["input_moment"]
    kept = average(lambda u: gate(u) ** 2, q, AT["bias_mean"])
    written = average(lambda u: gate(-u) ** 2, q, AT["bias_mean"])
    return kept * memory + AT["input_moment"] * written


def test_memory_fills_from_rest_to_the_fixed_point():
    path = recurrence.memory_from_rest(**AT, steps=200)
    expected = [step(0.0)]
    for _ in range(3):
        expected.append(step(expected[-1]))
    assert path[:4] == pytest.approx(expected, rel=1e-9)
    assert path[-1] == pytest.approx(recurrence.predict(**AT).memory, rel=1e-9)


def test_a_deviation_returns_by_the_slope_of_the_step():
    found, h = recurrence.predict(**AT), 1e-4
    slope = (step(found.memory + h) - step(found.memory - h)) / (2 * h)
    assert found.root_slopes[0] == pytest.approx(slope, rel=1e-6)
    assert found.root_returns[0] == pytest.approx(1 - slope, rel=1e-6)
    assert found.time_scale == pytest.approx(-1 / np.log(found.chi_1), rel=1e-9)


def test_steps_must_be_a_count():
    with pytest.raises(ArgumentError):
        recurrence.memory_from_rest(steps=0)
