"""Noise in the targets: the posterior of a Gaussian process, against scikit-learn with the same kernel."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel

from widelimit.numerics import kernel
from widelimit.theory.errors import ArgumentError

NETWORK = {"activation": "erf", "sigma_w": 1.4, "sigma_b": 0.3, "depth": 2}


class Tabulated(Kernel):
    """A kernel of scikit-learn that looks its values up, X holding row numbers."""

    def __init__(self, table):
        self.table = table

    def __call__(self, x, y=None, eval_gradient=False):
        rows = x[:, 0].astype(int)
        return self.table[np.ix_(rows, rows if y is None else y[:, 0].astype(int))]

    def diag(self, x):
        return np.diag(self.table)[x[:, 0].astype(int)]

    def is_stationary(self):
        return False


def data(rows=14, tests=5, outputs=1):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((rows + tests, 3))
    return x[:rows], np.sin(x[:rows] @ rng.standard_normal((3, outputs))), x[rows:]


@pytest.mark.parametrize("noise", [1e-3, 0.1, 2.0])
def test_posterior_of_scikit_learn(noise):
    x, y, new = data()
    table = kernel.nngp_ntk(np.vstack([x, new]), **NETWORK).nngp
    model = GaussianProcessRegressor(Tabulated(table), alpha=noise, optimizer=None)
    rows = np.arange(len(table), dtype=float)[:, None]
    mean, covariance = model.fit(rows[: len(x)], y[:, 0]).predict(rows[len(x) :], return_cov=True)
    got = kernel.predict(x, y, new, kernel="nngp", noise=noise, **NETWORK)
    assert np.allclose(got.mean[:, 0], mean, rtol=1e-9, atol=1e-9)
    assert np.allclose(got.covariance, covariance, rtol=1e-8, atol=1e-9)
    jitter = kernel.predict(x, y, new, kernel="nngp", jitter=noise, **NETWORK)
    assert np.allclose(jitter.mean, got.mean)  # a jitter has the mean, but not the variance of noise
    assert (np.diag(got.covariance - jitter.covariance) > 0).all()


def test_ensembles_trained_on_noisy_targets():
    """Kernel gradient descent of drawn functions and targets, step by step, held back to the start by the noise."""
    x, y, new = data(rows=6, tests=2)
    noise, rate, steps = 0.3, 0.02, 40
    both = kernel.nngp_ntk(np.vstack([x, new]), **NETWORK)
    rng, m = np.random.default_rng(0), len(x)
    start = np.linalg.cholesky(both.nngp) @ rng.standard_normal((len(both.nngp), 20_000))
    targets = y + noise**0.5 * rng.standard_normal((m, 20_000))
    weight = np.zeros((m, 20_000))  # f = start + Theta(., X) weight
    for _ in range(steps):
        f = start[:m] + both.ntk[:m, :m] @ weight
        weight -= rate * (f - targets + noise * weight)
    drawn = start[m:] + both.ntk[m:, :m] @ weight
    got = kernel.predict(x, y, new, noise=noise, learning_rate=rate, steps=steps, **NETWORK)
    assert np.allclose(got.mean[:, 0], drawn.mean(axis=1), atol=4 * drawn.std() / 20_000**0.5)
    assert np.allclose(got.covariance, np.cov(drawn), rtol=0.05, atol=0.01)


def test_bad_noise():
    x, y, new = data()
    with pytest.raises(ArgumentError, match="`noise` must not be negative"):
        kernel.predict(x, y, new, noise=-1.0)
    with pytest.raises(ArgumentError, match="`noise`"):
        kernel.predict(x, y, new, noise=[0.1, 0.2])


def test_kernels_of_networks_that_are_always_zero():
    pair = kernel.predict_from_numbers("max(x-100,0)", sigma_w=1.0, depth=2)
    assert pair.nngp_12 == 0.0 and pair.correlation is None
    tiny = kernel.predict_from_numbers("relu", sigma_w=1e-11, depth=3, overlap=0.5)
    assert 0 < tiny.correlation < 1
