"""Two inputs at finite width against small networks of NumPy, and against what is known exactly."""

import numpy as np
import pytest

from widelimit.numerics import meanfield
from widelimit.theory.errors import ArgumentError

WIDTH, PAIRS = 30, 6


def given_pairs(rng, q0, c0):
    """Pairs of exactly this length and correlation, orthogonal between pairs: whitened normal vectors."""
    z = rng.standard_normal((WIDTH, 2 * PAIRS))
    z = np.linalg.solve(np.linalg.cholesky(z.T @ z / WIDTH), z.T).T
    first, second = z[:, :PAIRS], z[:, PAIRS:]
    return q0**0.5 * np.concatenate([first, c0 * first + (1 - c0**2) ** 0.5 * second], axis=1)


def weights_of(kind, rng):
    w = rng.standard_normal((WIDTH, WIDTH))
    if kind == "gaussian":
        return w / WIDTH**0.5
    q, r = np.linalg.qr(w)
    return q * np.sign(np.diag(r))


def networks(phi, *, sigma_w, sigma_b, q0, c0, depth, keep, weights, count, seed):
    """Lengths, correlations, covariances of a network's own pre-activations, (networks, depth, 3): means of pairs."""
    rng, found = np.random.default_rng(seed), np.empty((count, depth, 3))
    for one in found:
        h = given_pairs(rng, q0, c0)
        for layer in range(depth):
            x = phi(h) * (rng.random(h.shape) < keep) / keep
            h = sigma_w * weights_of(weights, rng) @ x + sigma_b * rng.standard_normal((WIDTH, 1))
            q, r = (h**2).mean(0), (h[:, :PAIRS] * h[:, PAIRS:]).mean(0)
            one[layer] = q.mean(), (r / (q[:PAIRS] * q[PAIRS:]) ** 0.5).mean(), r.mean()
    return found


CASES = [
    pytest.param("tanh", np.tanh, {"sigma_w": 1.58, "sigma_b": 0.22, "q0": 3.0, "c0": 0.7}, "gaussian", 1.0),
    pytest.param("tanh", np.tanh, {"sigma_w": 1.58, "sigma_b": 0.22, "q0": 3.0, "c0": 0.7}, "orthogonal", 1.0),
    pytest.param("tanh", np.tanh, {"sigma_w": 1.3, "sigma_b": 0.3, "q0": 1.0, "c0": -0.4}, "orthogonal", 0.7),
    pytest.param(
        "relu", lambda h: np.maximum(h, 0), {"sigma_w": 1.34, "sigma_b": 0.3, "q0": 1.0, "c0": 0.3}, "gaussian", 1.0
    ),
    pytest.param(
        "hard_tanh", lambda h: np.clip(h, -1, 1), {"sigma_w": 1.3, "sigma_b": 0.3, "q0": 1.0, "c0": 1.0},
        "gaussian", 0.7,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "phi", "at", "weights", "keep"), CASES)
def test_small_networks(name, phi, at, weights, keep):
    measured = networks(phi, **at, keep=keep, weights=weights, depth=3, count=1500, seed=5)
    mean, error = measured.mean(0), measured.std(0) / len(measured) ** 0.5
    eps = {"one_minus_c0": 1 - at["c0"]}
    given = {key: value for key, value in at.items() if key != "c0"} | eps
    found = meanfield.propagate(
        name, **given, keep=keep, depth=3, width=WIDTH, weights=weights, given=True
    ).at_width
    predicted = np.stack([found.mean, found.c, found.covariance], axis=-1)[0, 1:]
    corrected = np.stack([found.correction, found.c_correction, found.covariance_correction], axis=-1)
    infinite = predicted - corrected[0, 1:]
    left_out = 0.25 * np.abs(predicted - infinite).max(0) + 0.05 / WIDTH  # the order N^-2
    assert (np.abs(mean - predicted) < 4 * error + left_out).all()
    seen = np.abs(predicted - infinite) > 4 * error
    assert (np.abs(mean - infinite)[seen] > 2 * error[seen]).all()  # infinite width is another theory


def test_the_scatter_of_a_correlation():
    """One pair a network, whose correlation scatters as `c_deviation` says; N(0, K_0) given K_0 at the start."""
    rng, count, width = np.random.default_rng(3), 4000, 60
    h = rng.standard_normal((count, 2, width))
    h[:, 1] = 0.5 * h[:, 0] + 0.75**0.5 * h[:, 1]
    w = rng.standard_normal((count, width, width)) * 1.4 / width**0.5
    h = np.einsum("nij,nkj->nki", w, np.tanh(h)) + 0.2 * rng.standard_normal((count, 1, width))
    c = (h[:, 0] * h[:, 1]).sum(1) / ((h[:, 0] ** 2).sum(1) * (h[:, 1] ** 2).sum(1)) ** 0.5
    found = meanfield.propagate("tanh", sigma_w=1.4, sigma_b=0.2, c0=0.5, depth=1, width=width).at_width
    assert c.std() == pytest.approx(found.c_deviation[0, 1], rel=0.05)
    assert c.mean() == pytest.approx(found.c[0, 1], abs=4 * c.std() / count**0.5)


def test_independent_normal_vectors_scatter_by_one_over_the_width():
    """Fisher, of a sample correlation: mean c (1 - (1 - c^2)/(2N)), standard deviation (1 - c^2)/sqrt N."""
    found = meanfield.propagate(
        "tanh", sigma_w=1.0, q0=(1.0, 2.0), c0=0.6, depth=1, width=[10, 1000]
    ).at_width
    n = found.width
    assert found.c_correction[:, 0] == pytest.approx(-0.6 * 0.64 / (2 * n))
    assert found.c_deviation[:, 0] == pytest.approx(0.64 / n**0.5)


def test_linear_orthogonal_networks_keep_everything():
    """Without biases products go through linear layers of orthogonal weights as they are."""
    found = meanfield.propagate(
        "linear", sigma_w=1.0, c0=0.3, depth=5, width=20, weights="orthogonal", given=True
    ).at_width
    for array in (
        found.correction,
        found.c_correction,
        found.deviation,
        found.c_deviation,
        found.sample_deviation,
    ):
        assert array == pytest.approx(np.zeros_like(array), abs=1e-7)
    assert found.c == pytest.approx(np.full((1, 6), 0.3))


def test_equal_inputs_stay_equal():
    found = meanfield.propagate(
        "relu", sigma_w=1.2, sigma_b=0.3, one_minus_c0=0.0, depth=4, width=10
    ).at_width
    assert found.c[0].tolist() == [1.0] * 5 and found.c_deviation[0].tolist() == [0.0] * 5


def test_what_no_series_resolves_says_so():
    found = meanfield.propagate(
        "relu", sigma_w=1.2, sigma_b=0.3, one_minus_c0=1e-4, depth=2, width=10
    ).at_width
    assert np.isnan(found.c[0]).all() and np.isfinite(found.mean).all()


def test_choices_are_refused():
    with pytest.raises(ArgumentError, match="weights"):
        meanfield.propagate("tanh", sigma_w=1.0, depth=1, width=10, weights="sparse")
    with pytest.raises(ArgumentError, match="given"):
        meanfield.propagate("tanh", sigma_w=1.0, depth=1, width=10, given="yes")
