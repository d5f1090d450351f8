"""chi_1 layer by layer of networks whose layers differ, against iterated quadrature and meanfield's fixed point."""

import math

import numpy as np
import pytest

from widelimit.numerics import meanfield
from widelimit.numerics.architecture.phase import phase
from widelimit.theory.architecture import Act, Architecture, Dense, Dropout, Flatten, LayerNorm, mlp
from widelimit.theory.errors import DomainError

TANH, RELU = Act.of("tanh"), Act.of("relu")
Z = np.arange(-10, 10, 0.01)
DENSITY = 0.01 * np.exp(-(Z**2) / 2) / math.sqrt(2 * math.pi)


def test_layers_of_one_kind_have_the_phase_of_the_fixed_point():
    for sigma_w, name in ((1.5, "chaotic"), (0.9, "ordered")):
        got = phase(mlp("tanh", sigma_w=sigma_w, sigma_b=0.1, depth=3))
        assert got.phase == name
        assert np.allclose(got.chi_1, meanfield.solve("tanh", sigma_w=sigma_w, sigma_b=0.1).chi_1, rtol=1e-12)


def test_layers_that_differ_are_taken_around_the_stack():
    """Two tanh layers with dropout between, iterated 400 times around by the trapezoidal rule."""
    layers = (Dense(2.0, 0.1), TANH, Dropout(0.8), Dense(0.7, 0.3), TANH, Dense(0.01))
    got = phase(Architecture(layers))
    v = 1.0
    for _ in range(400):
        first = 4.0 * v + 0.01
        second = 0.49 * (np.tanh(math.sqrt(first) * Z) ** 2 @ DENSITY) / 0.8 + 0.09
        v = np.tanh(math.sqrt(second) * Z) ** 2 @ DENSITY
    slopes = [np.cosh(math.sqrt(q) * Z) ** -4 @ DENSITY for q in (first, second)]
    expected = [
        4.0 * slopes[1],
        0.49 * slopes[0] / 0.8,
    ]  # each layer's weights read the layer below, the first the last
    assert np.allclose(got.q, [first, second], rtol=1e-9) and np.allclose(got.chi_1, expected, rtol=1e-8)
    assert (
        math.isclose(got.mean, math.sqrt(expected[0] * expected[1]), rel_tol=1e-8) and got.phase == "ordered"
    )


@pytest.mark.parametrize(
    ("scales", "name"),
    [
        ((2.0, 1.0), "critical"),
        ((2.0, 1.001), "unbounded"),
        ((2.0, 0.999), "ordered"),
        ((1.8, 0.5, 1.1), "ordered"),
    ],
)
def test_relu_layers_multiply(scales, name):
    """chi_1 = sigma_w^2 / 2 whatever the variance, so that only the product counts."""
    layers = [part for sigma_w in scales for part in (Dense(sigma_w), RELU)]
    got = phase(Architecture((*layers, Dense(7.0))))  # the readout has no part
    assert np.allclose(got.chi_1, np.square(scales) / 2) and got.phase == name


def test_tolerance_is_how_close_to_one_is_critical():
    nearly = Architecture((Dense(1.01), TANH, Dense(1.0), TANH, Dense()))
    assert phase(nearly).phase != "critical" and phase(nearly, tolerance=0.02).phase == "critical"


def test_what_has_no_phase_is_refused():
    with pytest.raises(DomainError, match="LayerNorm"):
        phase(Architecture((Dense(), LayerNorm(), TANH, Dense())))
    with pytest.raises(DomainError, match="two meet without one"):
        phase(Architecture((Dense(), Dense(), TANH)))
    with pytest.raises(DomainError, match="no hidden layer"):
        phase(Architecture((Flatten(), Dense())))
