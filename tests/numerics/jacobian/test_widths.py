"""Moments at finite width against exact sums at every N, coordinates of a sphere, and drawn networks."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from widelimit.numerics.jacobian import at_width, spectrum
from widelimit.theory.errors import ArgumentError, DomainError, InfiniteMomentError
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate import jacobian as simulate

TANH = {"sigma_w": 1.5, "sigma_b": 0.2, "depth": 4, "q0": 1.5}


def relu_of_width(n, depth):
    """E m_2 of Gaussian ReLU networks, sigma_w^2 = 2, exactly: slopes are coins, independent of what rows say.

    With T_k = tr G^k: E T_2' = (2/N)^2 (E D^2 T_2 + E D (T_1^2 + T_2)), E T_1'^2 = (2/N)^2 (E D^2 T_1^2 + 2 E D T_2),
    D binomial.
    """
    coins, squared, second = Fraction(n, 2), Fraction(n * n), Fraction(n)
    both, factor = Fraction(n, 4) + Fraction(n * n, 4), Fraction(4, n * n)
    for _ in range(depth):
        squared, second = (
            factor * (both * squared + 2 * coins * second),
            factor * (both * second + coins * (squared + second)),
        )
    return squared / n**2, second / n


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_relu_networks_have_an_exact_recursion(depth):
    found = at_width("relu", sigma_w=2**0.5, depth=depth, width=1, weights="gaussian", q0=0.7)
    n = 10**9
    squared, second = relu_of_width(n, depth)
    assert found.correction[0, 1] == pytest.approx(float(n * (second - 1 - 2 * depth)), rel=1e-6)
    assert found.deviation[0, 0] ** 2 == pytest.approx(float(n * (squared - 1)), abs=1e-6)


def test_one_orthogonal_layer_has_the_moments_of_a_sphere():
    """phi = x^2/2 has the squared slopes h^2: m_1 = K, m_2 = 3 K^2 N/(N + 2), m_3 = 15 K^3 N^2/(N + 2)(N + 4)."""
    found = at_width("x**2/2", sigma_w=1.0, depth=1, width=1, weights="orthogonal", q0=1.0)
    np.testing.assert_allclose(found.correction[0], [0, -6, -90], atol=1e-9)
    np.testing.assert_allclose(found.deviation[0, 0], 0, atol=1e-6)
    np.testing.assert_allclose(found.moments[0] - found.correction[0], [1, 3, 15], rtol=1e-12)


def test_linear_orthogonal_networks_are_isometries_at_every_width():
    found = at_width("linear", sigma_w=1.1, sigma_b=0.3, depth=6, width=[3, 30], q0=1.0)
    np.testing.assert_allclose(found.moments, 2 * [[1.1 ** (12 * k) for k in (1, 2, 3)]], rtol=1e-12)
    np.testing.assert_allclose(found.deviation, 0, atol=1e-6)


@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
def test_the_limit_is_that_of_the_law(weights):
    found = at_width("tanh", **TANH, width=100, weights=weights)
    law = spectrum("tanh", **TANH, weights=weights)
    limit = (found.moments - found.correction)[0]
    np.testing.assert_allclose(limit, [law.moment(k) for k in (1, 2, 3)], rtol=1e-8)


@pytest.mark.parametrize(("weights", "size", "count"), [("orthogonal", 32, 6000), ("gaussian", 64, 2500)])
def test_drawn_networks(weights, size, count):
    """The mean of log m_1 of tanh networks with biases, and of m_2: means and spread."""

    def measure(jacobian, active):
        gram = jacobian @ jacobian.mT
        return torch.stack(
            [gram.diagonal(dim1=1, dim2=2).mean(1).log(), (gram * gram).sum((1, 2)) / size], dim=1
        )

    inputs = {"activation": "tanh", "weights": weights} | TANH
    drawn = simulate.spectrum_statistics(inputs, TANH["q0"], size, range(count), Backend(), measure)
    found = at_width("tanh", **TANH, width=size, weights=weights)
    mean, error = drawn.mean(0), drawn.std(0) / count**0.5
    predicted = np.array([found.ratios[0, 0], found.moments[0, 1]])
    limit = predicted - [found.ratios_correction[0, 0], found.correction[0, 1]]
    next_order = 0.5 * np.abs(predicted - limit) ** 2 / np.maximum(np.abs(limit), 1)
    assert (np.abs(mean - predicted) < 4 * error + next_order).all()
    assert (np.abs(mean - limit) > 6 * error).all()
    assert drawn[:, 0].std() == pytest.approx(found.ratios_deviation[0, 0], rel=0.15)


def test_arguments_are_refused_by_name():
    kept = {"sigma_w": 1.2, "sigma_b": 0.5, "depth": 2, "width": 10}
    with pytest.raises(ArgumentError, match="`q0` must be at least sigma_b"):
        at_width("tanh", **kept, q0=0.2)
    with pytest.raises(ArgumentError, match="`q0` must be given"):
        at_width("tanh", sigma_w=0.5, depth=2, width=10)
    with pytest.raises(ArgumentError, match="`width` must"):
        at_width("tanh", **kept | {"width": 2.5})
    with pytest.raises(ArgumentError, match="`weights` must"):
        at_width("tanh", **kept, weights="uniform")
    with pytest.raises(DomainError):
        at_width("sign", **kept, q0=1.0)
    with pytest.raises(InfiniteMomentError):
        at_width("exp(x**2/8)", **kept, q0=1.0)
    with pytest.raises(DomainError, match="range of floats"):
        at_width("hard_tanh", sigma_w=9.0, depth=400, width=10)
