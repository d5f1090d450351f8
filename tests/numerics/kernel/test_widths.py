"""Mean kernels at finite width against exact cases, the lengths of `meanfield`, and drawn networks."""

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from widelimit.numerics import kernel, meanfield
from widelimit.numerics.kernel import at_width
from widelimit.theory.errors import ArgumentError, ConvergenceError, InfiniteMomentError

X = np.array([[1.0, 0.0], [0.6, 0.8]]) * 2**0.5


def test_one_layer_of_x_squared():
    """phi = x^2/2, one hidden layer: units are independent, and the mean is that of the limit."""
    found = at_width(X, activation="x**2/2", sigma_w=1.2, sigma_b=0.3, depth=1, width=5)
    np.testing.assert_allclose(found.ntk_correction, 0, atol=1e-12)
    limit = kernel.nngp_ntk(X, activation="x**2/2", sigma_w=1.2, sigma_b=0.3, depth=1)
    np.testing.assert_allclose(found.ntk[0], limit.ntk, rtol=1e-12)


def test_relu_without_biases_has_the_limit_s_mean_of_one_input():
    """Slopes are coins, independent of the rest: E Theta(x, x) is that of the limit at every width (Hanin and Nica)."""
    found = at_width(X, activation="relu", sigma_w=2**0.5, depth=4, width=[3, 30])
    np.testing.assert_allclose(found.ntk_correction[:, [0, 1], [0, 1]], 0, atol=1e-10)
    assert np.abs(found.ntk_correction[:, 0, 1]).min() > 0.01  # of two inputs it is not


def test_linear_networks_have_the_limit_s_mean():
    found = at_width(X, activation="linear", sigma_w=1.3, sigma_b=0.2, depth=5, width=2)
    np.testing.assert_allclose(found.ntk_correction, 0, atol=1e-9)


@pytest.mark.parametrize("activation", ["tanh", "gelu", "relu"])
def test_the_nngp_kernel_is_that_of_lengths_and_covariances(activation):
    scales = {"sigma_w": 1.4, "sigma_b": 0.3, "depth": 3, "width": 50}
    found = at_width(X, activation=activation, **scales)
    gram = 1.4**2 * X @ X.T / 2 + 0.3**2
    mine = meanfield.propagate(activation, **scales, q0=gram[0, 0], c0=gram[0, 1] / gram[0, 0]).at_width
    assert found.nngp_correction[0, 0, 0] == pytest.approx(mine.correction[0, -1], rel=1e-6, abs=1e-12)
    assert found.nngp_correction[0, 0, 1] == pytest.approx(
        mine.covariance_correction[0, -1], rel=1e-6, abs=1e-9
    )


def drawn(phi, slope, sigma_w, sigma_b, depth, n, count):
    """Theta of (1, 1) and (1, 2), mean over the readout's weights, of networks drawn by NumPy alone."""
    rng = np.random.default_rng(0)
    gram, found = sigma_w**2 * X @ X.T / 2 + sigma_b**2, []
    for _ in range(count // 500):
        h = sigma_w / 2**0.5 * rng.standard_normal((500, n, 2)) @ X.T + sigma_b * rng.standard_normal(
            (500, n, 1)
        )
        derivatives = [gram[0, j] * np.eye(n) for j in (0, 1)]
        for layer in range(depth):
            f, d = phi(h), slope(h)
            scale = sigma_w**2 / n
            k = scale * np.einsum("nai,naj->nij", f, f) + sigma_b**2
            if layer < depth - 1:
                w = rng.standard_normal((500, n, n))
                h = sigma_w / n**0.5 * w @ f + sigma_b * rng.standard_normal((500, n, 1))
                derivatives = [
                    scale * (w * d[:, None, :, 0]) @ derivatives[j] @ (w * d[:, None, :, j]).swapaxes(1, 2)
                    + k[:, 0, j, None, None] * np.eye(n)
                    for j in (0, 1)
                ]
        last = [np.broadcast_to(one, (500, n, n)).diagonal(axis1=1, axis2=2) for one in derivatives]
        found.append([k[:, 0, j] + scale * (d[:, :, 0] * d[:, :, j] * last[j]).sum(1) for j in (0, 1)])
    return np.concatenate(found, axis=1)


@pytest.mark.parametrize(
    ("activation", "phi", "slope", "scales", "n", "entries"),
    [
        ("x**2/4", lambda h: h**2 / 4, lambda h: h / 2, (1.3, 0.5, 2), 32, (0, 1)),
        ("gelu", lambda h: h * ndtr(h), lambda h: ndtr(h) + h * norm.pdf(h), (1.6, 0.2, 3), 20, (1,)),
    ],
    ids=["x**2/4", "gelu"],
)
def test_drawn_networks(activation, phi, slope, scales, n, entries):
    sigma_w, sigma_b, depth = scales
    theta = drawn(phi, slope, *scales, n, 12000)
    found = at_width(X, activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth, width=n)
    mean, error = theta.mean(1), theta.std(1) / theta.shape[1] ** 0.5
    for entry in entries:
        predicted, correction = found.ntk[0, 0, entry], found.ntk_correction[0, 0, entry]
        assert abs(mean[entry] - predicted) < 4 * error[entry]
        assert abs(mean[entry] - (predicted - correction)) > 5 * error[entry]


def test_what_is_refused():
    kept = {"activation": "relu", "sigma_w": 1.4, "depth": 2, "width": 10}
    with pytest.raises(ConvergenceError, match="too alike"):
        at_width([[1.0, 0.0], [1.0, 0.01]], **kept)
    with pytest.raises(ArgumentError, match="`width` must"):
        at_width(X, **kept | {"width": 0.5})
    with pytest.raises(InfiniteMomentError):
        at_width(X, **kept | {"activation": "exp(x**2/4)"})
