"""Curves of inputs against kernels of nearby points, quadrature, and the angle between inputs."""

import math

import numpy as np
import pytest
from scipy import integrate

from widelimit.numerics import geometry, kernel
from widelimit.theory.errors import ArgumentError


def test_circle_follows_quadrature():
    q, sw2 = 1.3, 4.0

    def mean(f):
        return integrate.quad(
            lambda z: f(math.sqrt(q) * z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi), -12, 12
        )[0]

    chi_1 = sw2 * mean(lambda x: math.cosh(x) ** -4)
    chi_2 = sw2 * mean(lambda x: (2 * math.tanh(x) / math.cosh(x) ** 2) ** 2)
    c = geometry.predict("tanh", sigma_w=2.0, sigma_b=0.3, depth=3, q=q)
    assert math.isclose(c.chi_1, chi_1, rel_tol=1e-9) and math.isclose(c.chi_2, chi_2, rel_tol=1e-9)
    assert np.allclose(c.metric, np.cumprod([q, *c.stretch])) and math.isclose(
        c.metric[1], q * chi_1, rel_tol=1e-9
    )
    assert math.isclose(c.curvature[1], 3 * chi_2 / chi_1**2 + 1 / (q * chi_1), rel_tol=1e-9)
    # the Gauss map's own recursion, from the two others: g_G' = g_G + 3 (chi_2 / chi_1) g
    for layer in range(3):
        assert math.isclose(
            c.gauss[layer + 1],
            c.gauss[layer] + 3 * c.bend[layer] / c.stretch[layer] * c.metric[layer],
            rel_tol=1e-9,
        )


def test_curvature_runs_to_its_limit():
    c = geometry.predict("tanh", sigma_w=3.0, sigma_b=0.3, depth=60)
    assert math.isclose(c.curvature[-1], c.curvature_limit, rel_tol=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "relu", "hard_tanh", "gelu"])
def test_line_metric_is_the_distance_of_neighbours(activation):
    """m = lim (K(t, t) + K(s, s) - 2 K(t, s)) / (t - s)^2, from kernels of neighbouring points of the line."""
    start, end = np.array([1.0, -0.4, 0.3]), np.array([-0.2, 0.9, 1.1])
    line = geometry.line(start, end, activation=activation, sigma_w=1.4, sigma_b=0.2, depth=2, points=11)
    step = 1e-3
    for index in (2, 5, 8):
        t = line.position[index]
        x = np.stack([start + s * (end - start) for s in (t - step, t, t + step)])
        k = kernel.nngp_ntk(x, activation=activation, sigma_w=1.4, sigma_b=0.2, depth=2).nngp
        assert math.isclose(line.q[-1, index], k[1, 1], rel_tol=1e-9)
        distance = (k[0, 0] + k[2, 2] - 2 * k[0, 2]) / (2 * step) ** 2
        # kinks leave a term of order |t - s| times the curvature of the kernel's cusp
        assert math.isclose(
            line.metric[-1, index], distance, rel_tol=3e-3 if activation in ("relu", "hard_tanh") else 1e-5
        )


def test_crossings_of_relu_are_angles():
    """A unit without bias changes sign between two inputs with probability angle / pi, and at most once on a line."""
    start, end = np.array([1.0, 0.2]), np.array([-0.3, 0.8])
    angle = math.acos(start @ end / np.linalg.norm(start) / np.linalg.norm(end))
    out = geometry.line(start, end, activation="relu", sigma_w=1.5, depth=1)
    assert math.isclose(out.crossings[0], angle / math.pi, rel_tol=1e-9)


def test_relu_grows_by_sqrt_chi_not_by_the_published_factor():
    out = geometry.line([1.0, 0.0], [0.0, 1.0], activation="relu", sigma_w=1.6, depth=3)
    assert np.allclose(out.length[1:] / out.length[:-1], math.sqrt(1.6**2 / 2))


def test_kinked_activations_have_no_curvature_and_bad_input_is_named():
    assert geometry.predict("relu", sigma_w=1.5, q=1.0).curvature is None
    with pytest.raises(ArgumentError, match="`q` must be positive"):
        geometry.predict("tanh", sigma_w=0.5, sigma_b=0.0)
    with pytest.raises(ArgumentError, match="`end` must have as many features as `start`, 1, but has 2"):
        geometry.line([1.0], [1.0, 2.0], sigma_w=1.0)
