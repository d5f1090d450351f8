"""Derivatives of kernels against differences and closed forms; estimators against scikit-learn's checks."""

import math

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.utils.estimator_checks import check_estimator

from widelimit.numerics.kernel import NNGPKernel, NTKRegressor, nngp_gradient, nngp_ntk, predict
from widelimit.theory.errors import ArgumentError, WidelimitError

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((6, 4)), RNG.standard_normal((3, 4))
X[5], X[4] = X[0], -X[1]  # an input twice, and one opposite to another
SCALES = {"sigma_w": np.array([1.2, 1.5, 0.9]), "sigma_b": np.array([0.1, 0.3, 0.2])}


@pytest.mark.parametrize(
    "activation", ["relu", "tanh", "gelu", "leaky_relu(0.1)", "elu", "hard_tanh", "sin(x)"]
)
@pytest.mark.parametrize("other", [None, Y])
def test_against_differences(activation, other):
    found = nngp_gradient(X, other, activation=activation, depth=2, **SCALES)
    assert found.nngp == pytest.approx(
        nngp_ntk(X, other, activation=activation, depth=2, **SCALES).nngp, rel=1e-11
    )
    for name in SCALES:
        for layer in range(3):
            ends = []
            for sign in (1, -1):
                moved = {key: value.copy() for key, value in SCALES.items()}
                moved[name][layer] += sign * 1e-5
                ends.append(nngp_ntk(X, other, activation=activation, depth=2, **moved).nngp)
            want = (ends[0] - ends[1]) / 2e-5
            assert getattr(found, name)[layer] == pytest.approx(want, abs=2e-9)


def test_scales_of_each_layer():
    """A linear network multiplies sigma_w^2; biases of lower layers are carried up."""
    w, b = [1.2, 0.7, 2.0], [0.5, 0.3, 0.1]
    got = nngp_ntk([[1.0, 2.0]], activation="x", sigma_w=w, sigma_b=b, depth=2).nngp[0, 0]
    assert got == pytest.approx(((2.5 * 1.44 + 0.25) * 0.49 + 0.09) * 4 + 0.01, rel=1e-14)
    same = nngp_ntk(X, activation="erf", sigma_w=[1.3] * 3, sigma_b=[0.2] * 3, depth=2)
    one = nngp_ntk(X, activation="erf", sigma_w=1.3, sigma_b=0.2, depth=2)
    assert (same.nngp == one.nngp).all() and (same.ntk == one.ntk).all()
    for bad in ([1.0, 2.0], [[1.0] * 3], [1.0, 2.0, -1.0], []):
        with pytest.raises(ArgumentError, match="sigma_w"):
            nngp_ntk(X, sigma_w=bad, depth=2)
    with pytest.raises(ArgumentError, match="sigma_b"):
        nngp_gradient(X, sigma_b=[0.1] * 4, depth=2)


def test_a_homogeneous_activation_in_closed_form():
    found = nngp_gradient(X, activation="relu", sigma_w=1.5, depth=3)
    for layer in range(4):
        assert found.sigma_w[layer] == pytest.approx(2 * found.nngp / 1.5, rel=1e-12)
    assert (found.sigma_b == 0).all()  # 2 sigma_b, at sigma_b = 0


def test_what_has_no_derivative():
    with pytest.raises(WidelimitError, match="no closed form"):
        nngp_gradient(X, activation="abs(x)*tanh(x) + relu(x - 1)")
    with pytest.raises(WidelimitError, match="one ray"):
        nngp_gradient([[1.0, 0.0], [2.0, 0.0]], activation="hard_tanh")
    for wrong in (
        {"x2": [[1.0]]},
        {"activation": "sign"},
        {"depth": -1},
        {"sigma_w": math.inf},
        {"x1": [1.0]},
    ):
        with pytest.raises(WidelimitError):
            nngp_gradient(**{"x1": X, **wrong})
    with pytest.raises(WidelimitError):
        nngp_gradient(X, activation="x**3", sigma_w=1e30, depth=4)


def test_kernel_of_scikit_learn():
    kernel = NNGPKernel(activation="erf", depth=2, sigma_w=1.4, sigma_b=0.3)
    value, gradient = kernel(X, eval_gradient=True)
    assert gradient.shape == (6, 6, 2)
    assert kernel.theta == pytest.approx(np.log([0.3, 1.4]))  # by the alphabet
    for k in range(2):
        ends = [clone(kernel).clone_with_theta(kernel.theta + s * 1e-5 * np.eye(2)[k])(X) for s in (1, -1)]
        assert gradient[:, :, k] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)
    assert kernel.diag(X) == pytest.approx(np.diag(value), rel=1e-13)
    assert kernel(X, Y) == pytest.approx(
        nngp_ntk(X, Y, activation="erf", sigma_w=1.4, sigma_b=0.3, depth=2).nngp
    )
    fixed = NNGPKernel(sigma_b=0.0, sigma_b_bounds="fixed")
    assert fixed(X, eval_gradient=True)[1].shape == (6, 6, 1)
    with pytest.raises(ArgumentError, match="None"):
        kernel(X, Y, eval_gradient=True)


def test_scales_are_learnt_by_the_marginal_likelihood():
    """Data drawn from the process itself: the scales come back within what 60 points tell."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((60, 2))
    true = nngp_ntk(x, activation="relu", sigma_w=2.0, sigma_b=0.5, depth=1).nngp
    y = np.linalg.cholesky(true + 1e-8 * np.eye(60)) @ rng.standard_normal(60)
    process = GaussianProcessRegressor(NNGPKernel(sigma_w=1.0, sigma_b=0.1) + WhiteKernel(1e-6, "fixed")).fit(
        x, y
    )
    learnt = process.kernel_.k1
    assert learnt.sigma_w == pytest.approx(2.0, rel=0.2)
    grid = [
        process.log_marginal_likelihood(process.kernel_.theta + d)
        for d in ([0.05, 0], [0, 0.05], [-0.05, -0.05])
    ]
    assert max(grid) <= process.log_marginal_likelihood_value_ + 1e-6


def test_regressor_is_what_predict_says():
    y = np.sin(X[:4, 0])
    model = NTKRegressor(activation="erf", sigma_w=1.3, sigma_b=0.2, depth=2, time=3.0).fit(X[:4], y)
    mean, deviation = model.predict(Y, return_std=True)
    want = predict(X[:4], y, Y, activation="erf", sigma_w=1.3, sigma_b=0.2, depth=2, time=3.0)
    assert (mean == want.mean[:, 0]).all() and (deviation == want.deviation).all()


def test_regressor_passes_the_checks_of_scikit_learn():
    results = check_estimator(NTKRegressor(), on_skip=None)
    assert not [r["check_name"] for r in results if r["status"] not in ("passed", "skipped")]
