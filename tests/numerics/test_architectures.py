"""Convolution, recurrence, residual nets and batch normalisation in mean field, against worked values and limits."""

import math

import numpy as np
import pytest
from scipy import integrate

from widelimit.numerics import batchnorm, convolution, recurrence, residual
from widelimit.theory.errors import ArgumentError


def normal_mean(f, mu, q):
    """E f over N(mu, q)."""
    density = lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi)  # noqa: E731
    return integrate.quad(lambda z: f(mu + math.sqrt(q) * z) * density(z), -12, 12, epsabs=1e-13, limit=200)[
        0
    ]


def test_gated_worked_values():
    p = recurrence.predict(sigma_w=6.88, sigma_v=1.39, input_moment=0.46)
    worked = (15.9362226560, 0.3178968500, 0.4086619582, 0.0160265351, 0.9987795055)
    assert np.allclose((p.q_star, p.memory, p.kept, p.slope, p.chi_1), worked, rtol=0, atol=6e-11)
    assert math.isclose(p.chi_1_without_gate, p.chi_1 - p.kept, rel_tol=1e-14)


@pytest.mark.parametrize(("sw", "sv", "r", "mu"), [(2.0, 1.0, 1.0, 1.5), (0.7, 0.4, 0.3, -1.0)])
def test_gated_fixed_point_satisfies_its_equations(sw, sv, r, mu):
    p = recurrence.predict(sigma_w=sw, sigma_v=sv, input_moment=r, bias_mean=mu)
    u = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    kept, written = (
        normal_mean(lambda x: u(x) ** 2, mu, p.q_star),
        normal_mean(lambda x: (1 - u(x)) ** 2, mu, p.q_star),
    )
    slope = normal_mean(lambda x: (u(x) * (1 - u(x))) ** 2, mu, p.q_star)
    assert math.isclose(p.memory, r * written / (1 - kept), rel_tol=1e-9)
    assert math.isclose(p.q_star, sw**2 * p.memory + sv**2 * r, rel_tol=1e-9)
    assert math.isclose(p.chi_1, kept + sw**2 * (p.memory + r) * slope, rel_tol=1e-9)


def test_linear_network_remembers_what_its_weights_do():
    """phi linear, no input: C(t, s) = sigma_b^2 sum_k sigma_w^(2k), k < min(t, s), exactly."""
    out = recurrence.two_time("linear", sigma_w=0.8, sigma_b=0.5, steps=5)
    for t in range(5):
        for s in range(5):
            terms = sum(0.64**k for k in range(min(t, s) + 1))
            assert math.isclose(out.covariance[t, s], 0.25 * terms, rel_tol=1e-12)
    untied = recurrence.two_time("linear", sigma_w=0.8, sigma_b=0.5, steps=5, tied=False)
    assert np.allclose(untied.covariance, np.diag(out.variance), atol=1e-15)


def test_residual_tanh_approaches_its_rates():
    """Growth of the log gradient between depths against A sqrt(l): the notes found 1-2 per cent at depth 3,000."""
    a, b = (residual.predict("tanh", sigma_w=1.0, depth=n) for n in (750, 3000))
    measured = (b.log_gradient_ratio - a.log_gradient_ratio) / (math.sqrt(3000) - math.sqrt(750))
    assert math.isclose(a.exponent, 4 / 3 * math.sqrt(2 / math.pi), rel_tol=1e-12)
    assert math.isclose(measured, a.exponent, rel_tol=0.03)
    assert math.isclose(
        (b.second_moment[-1] - a.second_moment[-1]) / 2250, 1.0, rel_tol=0.03
    )  # sigma_v^2 a block


def test_residual_relu_grows_exponentially():
    out = residual.predict("relu", sigma_w=1.3, sigma_v=0.9, depth=6, p0=0.7)
    base = 1 + 0.81 * 1.69 / 2
    assert math.isclose(out.base, base, rel_tol=1e-12)
    assert np.allclose(out.second_moment, [0.7 * base**k for k in range(7)])
    assert np.allclose(out.gradient, [base ** (6 - k) for k in range(7)])


def test_batchnorm_factors():
    assert math.isclose(batchnorm.predict("relu").factor, math.pi / (math.pi - 1), rel_tol=1e-12)
    for batch, factor in ((8, 1.2), (64, 1.01639), (512, 1.00196)):
        assert math.isclose(batchnorm.predict("linear", batch=batch).factor, factor, abs_tol=5e-6)
    assert math.isclose(batchnorm.predict("linear").factor, 1.0, rel_tol=1e-14)
    first, second, steep = (
        normal_mean(f, 0.0, 1.0)
        for f in (math.tanh, lambda x: math.tanh(x) ** 2, lambda x: math.cosh(x) ** -4)
    )
    assert math.isclose(batchnorm.predict("tanh").factor, steep / (second - first**2), rel_tol=1e-9)
    for activation in ("gelu", "swish", "erf", "sigmoid"):  # the Gaussian Poincare inequality
        assert batchnorm.predict(activation).factor > 1
    with pytest.raises(ArgumentError, match="`batch` must be an integer of at least 4"):
        batchnorm.predict("linear", batch=3)
    with pytest.raises(ArgumentError, match="must be left out"):
        batchnorm.predict("relu", batch=16)


def test_modes_are_eigenvalues_of_the_filter():
    """lambda_k against the eigenvalues of the circulant averaging matrix."""
    n, size = 9, 5
    matrix = sum(np.roll(np.eye(n), s, axis=0) for s in range(-2, 3)) / size
    modes = convolution.predict("relu", sigma_w=2.0, sigma_b=0.0, positions=n, filter_size=size, q=1.0, c=1.0)
    assert math.isclose(modes.slope, 2.0, rel_tol=1e-12)
    expected = sorted(np.linalg.eigvalsh(matrix))
    assert np.allclose(
        sorted([modes.multiplier[0], *(m for m in modes.multiplier[1:] for _ in range(2))]), expected
    )
    delta = convolution.predict("relu", sigma_w=2.0, sigma_b=0.0, positions=n, kind="delta", q=1.0, c=1.0)
    assert np.allclose(delta.factor, delta.slope)
    with pytest.raises(ArgumentError, match="`filter_size` must be an odd number"):
        convolution.predict(filter_size=4, q=1.0, c=0.5)
