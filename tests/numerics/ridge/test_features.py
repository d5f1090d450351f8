"""Ridge on random features: limits that are known, and a simulation of nonlinear ones."""

import numpy as np
import pytest
import scipy.special

from widelimit.numerics import ridge
from widelimit.theory.errors import ArgumentError


def test_moments_of_activations():
    zeta, cost = ridge.feature_moments("erf")
    assert zeta == pytest.approx(4 / (3 * np.pi), rel=1e-13)
    assert zeta + cost == pytest.approx(2 / np.pi * np.arcsin(2 / 3), rel=1e-13)
    zeta, cost = ridge.feature_moments("relu")  # E z f = 1/2, E f = 1/sqrt(2 pi), E f^2 = 1/2
    assert (zeta, cost) == pytest.approx((0.25, 0.25 - 1 / (2 * np.pi)), rel=1e-13)


@pytest.mark.parametrize("alpha", [0.3, 0.9, 2.0])
@pytest.mark.parametrize("penalty", [0.0, 0.05])
def test_many_linear_features_are_the_inputs_themselves(alpha, penalty):
    arguments = ([1.5, 0.5], [0.3, 0.7], [0.4, 0.6], 0.1)
    wide = ridge.random_features(*arguments, sample_ratio=alpha, feature_ratio=1e8, penalty=penalty)
    plain = ridge.solve(*arguments, sample_ratio=alpha, penalty=penalty)
    assert wide.test_error == pytest.approx(plain.test_error, rel=1e-6)
    assert wide.training_error == pytest.approx(plain.training_error, rel=1e-5, abs=1e-12)


def test_enough_linear_features_without_penalty_are_least_squares():
    # n_1 > P and N > P: the features span the inputs, E = sigma^2 alpha/(alpha - 1)
    point = ridge.random_features([1.5, 0.5], signal=[0.5, 0.5], noise=0.1, sample_ratio=2, feature_ratio=3)
    assert (point.test_error, point.input_ridge) == (pytest.approx(0.2, rel=1e-12), 0.0)


def test_roots_satisfy_their_equation():
    s, p = np.array([1.5, 0.5]), np.array([0.5, 0.5])
    zeta, cost = ridge.feature_moments("erf")
    for alpha, psi, penalty in [(0.5, 0.7, 1e-3), (2, 0.7, 1e-8), (0.5, 3, 0.3), (5, 4, 1e-2)]:
        got = ridge.random_features(
            s, p, [0.5, 0.5], 0.1, sample_ratio=alpha, feature_ratio=psi, penalty=penalty, activation="erf"
        )
        k = got.input_ridge
        share = 1 - (p * s / (s + k)).sum() / psi - cost / psi / (zeta * k)
        assert zeta * share * k * (1 - psi / alpha * (1 - share)) == pytest.approx(penalty, rel=1e-9)
        assert got.effective_ridge == pytest.approx(zeta * share * k, rel=1e-10)


@pytest.mark.parametrize("activation", ["linear", "erf"])
def test_simulated_features(activation):
    random = np.random.default_rng(5)
    P, alpha, psi, penalty, noise = 200, 0.8, 1.5, 0.05, 0.1
    s = np.repeat([1.5, 0.5], P // 2)
    w = np.sqrt(1 / (P * s))
    f = scipy.special.erf if activation == "erf" else np.asarray
    N, n1, errors = int(alpha * P), int(psi * P), []
    for _ in range(25):
        W = random.standard_normal((n1, P)) / np.sqrt(P)
        X, X_test = (random.standard_normal((n, P)) * np.sqrt(s) for n in (N, 1500))
        y = X @ w + np.sqrt(noise) * random.standard_normal(N)
        A, A_test = (f(x @ W.T) * np.sqrt(P / n1) for x in (X, X_test))
        v = A.T @ np.linalg.solve(A @ A.T + N * penalty * np.eye(N), y)
        errors.append(np.mean((X_test @ w - A_test @ v) ** 2) + noise)
    theory = ridge.random_features(
        [1.5, 0.5], signal=[0.5, 0.5], noise=noise, sample_ratio=alpha, feature_ratio=psi, penalty=penalty,
        activation=activation,
    ).test_error  # fmt: skip
    # three standard errors and the 1 % that neuron norms fluctuate at P = 200
    assert abs(np.mean(errors) - theory) < 3 * np.std(errors) / 5 + 0.01 * theory


def test_bad_features():
    given = {"eigenvalues": [2.0], "signal": [1.0], "sample_ratio": 1, "feature_ratio": 1}
    with pytest.raises(ArgumentError, match="`eigenvalues` must have mean 1"):
        ridge.random_features(**given, activation="erf")
    with pytest.raises(ArgumentError, match="`activation` must have a linear part"):
        ridge.random_features(**given | {"eigenvalues": [1.0]}, activation="x**2")
    with pytest.raises(ArgumentError, match="`penalty` must not be negative"):
        ridge.random_features(**given, penalty=-1)
