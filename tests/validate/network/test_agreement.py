"""Claim network.agreement: predictions by hand, and theories that are wrong elsewhere."""

import numpy as np
import pytest

from widelimit.validate.claims.network import whole
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate.network import drawn as simulate


def test_a_residual_network_by_quadrature():
    z = np.linspace(-12, 12, 4001)  # trapezoids, as exact as floats for analytic integrands
    w = np.exp(-(z**2) / 2)
    w = w / w.sum()
    x = simulate.inputs_of("residual").numpy()
    gradient, q = [], 1.5 * np.mean(x**2, axis=1) + simulate.BIAS**2
    for _ in range(3):
        units = np.sqrt(q)[:, None] * z
        gradient.append(1 + 1.5 * (1 / np.cosh(units) ** 4) @ w)
        q = q + 1.5 * np.tanh(units) ** 2 @ w + simulate.BIAS**2
    found = whole._predicted("residual")
    assert found[0] == pytest.approx(np.mean(q), rel=1e-6)
    assert found[1] == pytest.approx(np.mean(np.prod(gradient, axis=0)), rel=1e-6)


def test_networks_that_are_drawn_are_those_that_are_read():
    found = simulate.agreement({"network": "residual"}, 64, [3, 4], Backend())
    again = simulate.agreement({"network": "residual"}, 64, [4], Backend())
    assert found.shape == (2, 2) and (found[1] == again[0]).all() and (found[0] != found[1]).all()


@pytest.mark.slow
@pytest.mark.parametrize("network", ["mlp", "residual", "transformer"])
def test_wrong_theories_are_far_from_the_right_one(network):
    right = whole._predicted(network)
    for change in (
        ({"biases": False}, {"fan_out": True}) if network == "mlp" else ({"skip": False}, {"biases": False})
    ):
        other = whole._predicted(network, **change)
        assert max(abs(a / b - 1) for a, b in zip(other, right, strict=True)) > 0.2
