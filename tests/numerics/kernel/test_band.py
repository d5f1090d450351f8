"""Kernels of finite networks against Monte Carlo and closed forms."""

import math

import numpy as np
import pytest
from scipy import special

from widelimit.numerics.kernel.band import nngp_band, ntk_band, single_layer_fluctuation
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


def tangent(width, count, depth, sigma_w, sigma_b, phi, slope, seed=1):
    """(Theta11, Theta22, Theta12) of networks of this width, by explicit back-propagation."""
    rng = np.random.default_rng(seed)
    x = np.broadcast_to(np.stack([X1, X2]), (count, 2, 3))
    grams, hidden, weights = [], [], []
    for _ in range(depth):
        grams.append(sigma_w**2 * x @ x.transpose(0, 2, 1) / x.shape[2] + sigma_b**2)
        weights.append(rng.standard_normal((count, width, x.shape[2])) * sigma_w / math.sqrt(x.shape[2]))
        h = x @ weights[-1].transpose(0, 2, 1) + sigma_b * rng.standard_normal((count, 1, width))
        hidden.append(h)
        x = phi(h)
    grams.append(sigma_w**2 * x @ x.transpose(0, 2, 1) / width + sigma_b**2)
    weights.append(rng.standard_normal((count, 1, width)) * sigma_w / math.sqrt(width))
    delta, theta = np.ones((count, 2, 1)), grams[-1]
    for weight, h, gram in zip(weights[:0:-1], hidden[::-1], grams[-2::-1], strict=True):
        delta = (delta @ weight) * slope(h)
        theta = theta + gram * (delta @ delta.transpose(0, 2, 1))
    return np.stack([theta[:, 0, 0], theta[:, 1, 1], theta[:, 0, 1]], axis=1)


@pytest.mark.parametrize(
    ("name", "phi", "slope"),
    [
        ("relu", lambda x: np.maximum(x, 0), lambda x: 1.0 * (x > 0)),
        ("erf", special.erf, lambda x: 2 / math.sqrt(math.pi) * np.exp(-(x**2))),
    ],
)
def test_tangent_band_against_monte_carlo(name, phi, slope):
    theta = tangent(48, 4000, 2, 1.4, 0.2, phi, slope)
    band = ntk_band(X1, X2, activation=name, sigma_w=1.4, sigma_b=0.2, widths=[48] * 2)
    # 4,000 networks leave 2 per cent of the deviation, and the next order in 1/48 some more
    assert np.allclose(theta.std(axis=0), band.deviation, rtol=0.1)
    assert np.allclose(theta.mean(axis=0), band.limit, rtol=0, atol=0.06 * band.limit.max())


@pytest.mark.parametrize(
    ("name", "phi", "slope", "sigma_w", "width", "entry"),
    [
        ("relu", lambda x: np.maximum(x, 0), lambda x: 1.0 * (x > 0), 1.4, 16, 2),
        ("x + x**2/5", lambda x: x + x**2 / 5, lambda x: 1 + 0.4 * x, 1.1, 32, 0),
    ],
)
def test_shift_of_the_tangent_kernel_against_monte_carlo(name, phi, slope, sigma_w, width, entry):
    """Off the diagonal for ReLU, which has no shift on it (hanin2020finite); on it for a quadratic activation."""
    theta = tangent(width, 12000, 3, sigma_w, 0.0, phi, slope)
    band = ntk_band(X1, X2, activation=name, sigma_w=sigma_w, sigma_b=0.0, widths=[width] * 3)
    error, shift = theta.std(axis=0) / math.sqrt(len(theta)), theta.mean(axis=0) - band.limit
    # four standard errors, and the next order in 1/width, a few times 1/width of the shift
    assert (np.abs(shift - band.shift) < 4 * error + 0.25 * np.abs(band.shift)).all()
    assert abs(shift[entry]) > 5 * error[entry]  # the correction is seen
    if name == "relu":
        assert np.abs(band.shift[:2]).max() < 1e-9 * band.limit.max()


def test_shift_of_the_tangent_kernel_falls_like_one_over_width():
    assert np.abs(ntk_band(X1, X2, activation="tanh", sigma_w=1.5, widths=[40]).shift).max() == 0.0
    some, half = (ntk_band(X1, X2, activation="tanh", sigma_w=1.5, widths=[n, 2 * n]).shift for n in (40, 80))
    assert np.abs(some).max() > 1e-4 and np.allclose(some, 2 * half)


def test_tangent_band_of_one_layer_is_exact():
    for name in ("relu", "erf"):
        band = ntk_band(X1, X2, activation=name, sigma_w=1.4, sigma_b=0.3, widths=[200])
        expected = single_layer_fluctuation(name, 1.4, 0.3, X1 @ X1 / 3)
        assert math.isclose(200 * (band.deviation[0] / band.limit[0]) ** 2, expected, rel_tol=1e-6)


def test_bad_input():
    with pytest.raises(DomainError, match="parallel"):
        nngp_band(X1, 2 * X1, activation="relu", sigma_w=1.0, widths=[10])
    with pytest.raises(ArgumentError, match="`x2` must have as many features"):
        nngp_band(X1, [1.0], activation="relu", sigma_w=1.0, widths=[10])
