"""Convolution, recurrence, residual nets and batch normalisation in mean field, against worked values and limits."""

import math

import numpy as np
import pytest
from scipy import integrate

from widelimit.numerics import batchnorm, convolution, recurrence, residual
from widelimit.theory.errors import ArgumentError, DomainError


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


def gate_map(memory, sw, sv, r, mu):
    """E h_t^2 of E h_(t-1)^2, by quadrature."""
    q = sw**2 * memory + sv**2 * r
    u = lambda x: 1 / (1 + math.exp(-x)) if x > -700 else 0.0  # noqa: E731
    return normal_mean(lambda x: u(x) ** 2, mu, q) * memory + r * normal_mean(lambda x: u(-x) ** 2, mu, q)


def test_a_network_from_rest_reaches_the_lowest_of_its_fixed_points():
    sw, sv, r, mu = 30.0, 0.3, 1.0, 8.0
    p = recurrence.predict(sigma_w=sw, sigma_v=sv, input_moment=r, bias_mean=mu)
    assert [round(q, 3) for q in p.roots] == [0.342, 1.509, 841.315]
    assert p.q_star == p.roots[0] and p.stable and p.several
    for q, slope in zip(p.roots[:2], p.root_slopes[:2], strict=True):
        memory = (q - sv**2 * r) / sw**2
        assert gate_map(memory, sw, sv, r, mu) == pytest.approx(memory, rel=1e-9)
        step = 1e-4 * memory
        up, down = (gate_map(memory + s, sw, sv, r, mu) for s in (step, -step))
        assert slope == pytest.approx((up - down) / (2 * step), abs=1e-6)
    assert p.root_slopes[1] > 1 and abs(p.root_slopes[2]) < 1
    memory = 0.0
    for _ in range(150):  # rises, and stays below
        before, memory = memory, gate_map(memory, sw, sv, r, mu)
        assert before < memory < p.memory


def test_gates_that_hardly_open_keep_their_digits():
    p = recurrence.predict(bias_mean=40.0)  # 1 - u = exp(-40 - x): q = 1, E h^2 = E e^(-2x)/(2 E e^-x) e^-40
    assert p.memory == pytest.approx(math.exp(-40 + 1.5) / 2, rel=1e-10)
    assert p.time_scale == pytest.approx(math.exp(40 - 0.5) / 2, rel=1e-10) and p.stable
    with pytest.raises(DomainError, match="never open"):
        recurrence.predict(bias_mean=1000.0)
    with pytest.raises(DomainError, match="range of floats"):
        recurrence.predict(sigma_w=1e200)


@pytest.mark.parametrize(
    ("name", "growth"), [("x**2", 2), ("x**3", 3), ("relu", 1), ("abs(x)", 1), ("linear", 1), ("tanh", None)]
)
def test_stability_of_batch_normalisation(name, growth):
    p = batchnorm.predict(name)
    if growth is None:  # d log Var/d log q, by a difference
        variance = [normal_mean(lambda x: math.tanh(x) ** 2, 0.0, q) for q in (1 - 1e-4, 1.0, 1 + 1e-4)]
        growth = (variance[2] - variance[0]) / 2e-4 / variance[1]
    assert p.length_growth == pytest.approx(growth, rel=1e-6) and p.stable == (growth <= 1)


def test_lengths_grow_apart_by_the_stated_factor():
    """One layer of 10000 units on a batch of 1000 inputs whose lengths differ by a few per cent."""
    rng = np.random.default_rng(5)
    deviation = 0.05 * rng.standard_normal(1000)
    deviation -= deviation.mean()
    for name, phi in (("x**2", np.square), ("tanh", np.tanh), ("relu", lambda h: np.maximum(h, 0))):
        h = rng.standard_normal((10000, 1000)) * np.sqrt(1 + deviation)
        h = (h - h.mean(axis=1, keepdims=True)) / h.std(axis=1, keepdims=True)
        y = phi(h)
        y -= y.mean(axis=1, keepdims=True)
        lengths = (y**2).mean(axis=0)
        slope = deviation @ (lengths / lengths.mean() - 1) / (deviation @ deviation)
        # x**2: a standard error of 0.024, and corrections of ten over the batch size
        assert slope == pytest.approx(batchnorm.predict(name).length_growth, abs=0.1)


def test_overflow_is_said_and_costs_are_refused():
    assert batchnorm.predict("relu", depth=10**30).explosion == math.inf
    steep = residual.predict("relu", sigma_w=20.0, depth=110, p0=1e-290)
    assert steep.gradient[0] == math.inf or steep.gradient[0] > 1e200
    with pytest.raises(ArgumentError, match="overflows"):
        residual.predict("relu", depth=5000)
    for request in (
        lambda: residual.predict(depth=10**12),
        lambda: recurrence.two_time("tanh", sigma_w=1.0, steps=10**9),
        lambda: convolution.predict(positions=10**12),
        lambda: convolution.predict(filter_size=10**6 + 1),
    ):
        with pytest.raises(ArgumentError, match=r"at most .* That many would"):
            request()
