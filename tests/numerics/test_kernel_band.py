"""Kernels of finite networks against Monte Carlo and closed forms."""

import math

import numpy as np
import pytest

from widelimit.numerics.kernel_band import nngp_band, single_layer_fluctuation
from widelimit.theory.errors import ArgumentError, DomainError

X1, X2 = np.array([1.0, 0.3, -0.5]), np.array([0.2, -0.8, 0.9])


def drawn(width, count, depth, sigma_w, sigma_b, phi, seed=0):
    """(K11, K22, K12) of networks of this width."""
    rng = np.random.default_rng(seed)
    h = np.broadcast_to(np.stack([X1, X2]), (count, 2, 3))
    for _ in range(depth):
        weight = rng.standard_normal((count, width, h.shape[2])) * sigma_w / math.sqrt(h.shape[2])
        h = phi(h @ weight.transpose(0, 2, 1) + sigma_b * rng.standard_normal((count, 1, width)))
    k = sigma_w**2 * h @ h.transpose(0, 2, 1) / width + sigma_b**2
    return np.stack([k[:, 0, 0], k[:, 1, 1], k[:, 0, 1]], axis=1)


@pytest.mark.parametrize(("name", "phi"), [("relu", lambda x: np.maximum(x, 0)), ("tanh", np.tanh)])
def test_band_against_monte_carlo(name, phi):
    width, count = 24, 20000
    k = drawn(width, count, 3, 1.4, 0.2, phi)
    band = nngp_band(X1, X2, activation=name, sigma_w=1.4, sigma_b=0.2, widths=[width] * 3)
    error = k.std(axis=0) / math.sqrt(count)
    # the next order in 1/width is some 1/24 of the correction and of the variance
    assert (np.abs(k.mean(axis=0) - band.mean) < 4 * error + 0.15 * np.abs(band.shift) + 1e-3).all()
    assert np.allclose(k.std(axis=0), band.deviation, rtol=0.12)


def test_shift_vanishes_for_one_layer_and_is_seen_for_three():
    one = nngp_band(X1, X2, activation="tanh", sigma_w=2.0, sigma_b=0.2, widths=[50])
    assert np.abs(one.shift).max() == 0.0
    three = nngp_band(X1, X2, activation="tanh", sigma_w=2.0, sigma_b=0.2, widths=[50] * 3)
    twice = nngp_band(X1, X2, activation="tanh", sigma_w=2.0, sigma_b=0.2, widths=[100] * 3)
    assert np.abs(three.shift[0]) > 1e-3 and np.allclose(three.shift, 2 * twice.shift)
    assert np.allclose(three.deviation, math.sqrt(2) * twice.deviation)


def test_relu_fluctuation_grows_with_depth_as_known():
    """ReLU, sigma_b = 0: K11 is a product of independent factors, Var/mean^2 = 5 sum 1/N to first order."""
    band = nngp_band(X1, X2, activation="relu", sigma_w=1.3, sigma_b=0.0, widths=[100, 200, 400])
    assert math.isclose(
        (band.deviation[0] / band.mean[0]) ** 2, 5 * (1 / 100 + 1 / 200 + 1 / 400), rel_tol=1e-6
    )


def test_single_layer_tangent_kernel():
    for sigma_w in (0.7, 1.9):  # 3 for any scale
        assert math.isclose(single_layer_fluctuation("relu", sigma_w, 0.0, 1.7), 3.0, rel_tol=1e-9)
    # linear: Theta = sigma_w^2 / N sum (u^2 + W^2 q): variance (2 q^2 + 2 q^2) over mean (2 q)^2
    assert math.isclose(single_layer_fluctuation("linear", 1.2, 0.0), 1.0, rel_tol=1e-12)


def test_bad_input():
    with pytest.raises(DomainError, match="parallel"):
        nngp_band(X1, 2 * X1, activation="relu", sigma_w=1.0, widths=[10])
    with pytest.raises(ArgumentError, match="`x2` must have as many features"):
        nngp_band(X1, [1.0], activation="relu", sigma_w=1.0, widths=[10])
