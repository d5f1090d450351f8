"""A layer of attention, forwards and backwards, against its worked values, draws of torch-free networks, and itself."""

import math
import time
import warnings

import numpy as np
import pytest
from scipy.special import expit

from widelimit.numerics.attention import gradient, layer, sampling
from widelimit.numerics.attention.gradients import _paths
from widelimit.numerics.attention.layers import _both
from widelimit.numerics.attention.requests import request
from widelimit.theory.errors import ArgumentError, WidelimitError


def gram(tokens, rho, q=1.0):
    return np.where(np.eye(tokens, dtype=bool), q, q * rho)


def draws(C, beta, vo, heads, width, count, seed):
    """Mean of C' over numpy networks whose tokens have exactly this Gram matrix, and its standard error."""
    rng = np.random.default_rng(seed)
    tokens = len(C)
    values, vectors = np.linalg.eigh(C)
    root = vectors * np.sqrt(np.maximum(values, 0))
    found = []
    for _ in range(count):
        frame, _ = np.linalg.qr(rng.standard_normal((width, tokens)))
        x = root @ frame.T * math.sqrt(width)
        out = np.zeros((tokens, width))
        size = 32
        for _head in range(heads):
            wq, wk, wv = (rng.standard_normal((width, size)) / math.sqrt(width) for _ in range(3))
            logits = (beta * x @ wq) @ (x @ wk).T / math.sqrt(size)
            a = np.exp(logits - logits.max(1, keepdims=True))
            a /= a.sum(1, keepdims=True)
            out += a @ (x @ wv) @ rng.standard_normal((size, width)) * vo / math.sqrt(heads * size)
        found.append(out @ out.T / width)
    found = np.array(found)
    return found.mean(0), found.std(0) / math.sqrt(count)


@pytest.mark.parametrize("theta, worked", [(None, (1.6351, 0.9349)), (gram(8, 0.3), (2.7121, 1.4446))])
def test_worked_tangent_kernels(theta, worked):
    found = layer(gram(8, 0.3), sigma_qk=2, sigma_vo=1, theta=theta)
    assert found.method == "exchangeable"
    assert tuple(found.ntk[0, :2]) == pytest.approx(worked, abs=6e-5)


def test_worked_pair():
    found = layer([[1, 0.2], [0.2, 2]], sigma_qk=1.5, sigma_vo=1)
    assert found.method == "pair"
    worked = [[1.15139384698, 0.89236722619], [0.89236722619, 1.23041606780]]
    assert found.covariance == pytest.approx(np.array(worked), rel=1e-10)


@pytest.mark.parametrize("beta", [0.8, 2.5])
def test_pair_by_a_dense_sum(beta):
    """C'_ik = C_12 + D E s_i s_k and Theta'_ik - 2 C'_ik = 2 beta^2 C_ik D^2 E s_i (1 - s_i) s_k (1 - s_k)."""
    C = np.array([[1.0, 0.2], [0.2, 2.0]])
    found = layer(C, sigma_qk=beta, sigma_vo=1.0)
    spread = C[0, 0] + C[1, 1] - 2 * C[0, 1]
    z = np.arange(-8.5, 8.5001, 0.02)
    weight = np.exp(-(z[:, None] ** 2 + z**2) / 2) * 0.02**2 / (2 * math.pi)
    root = np.linalg.cholesky(beta**2 * spread * C)
    first = expit(root[0, 0] * z)[:, None] + 0 * z
    second = expit(root[1, 0] * z[:, None] + root[1, 1] * z)
    one, two = first * (1 - first), second * (1 - second)
    assert found.covariance[0, 1] == pytest.approx(0.2 + spread * (weight * first * second).sum(), rel=1e-11)
    paths = 2 * beta**2 * C[0, 1] * spread**2 * (weight * one * two).sum()
    assert found.ntk[0, 1] - 2 * found.covariance[0, 1] == pytest.approx(paths, rel=1e-10)
    paths = 2 * beta**2 * C[1, 1] * spread**2 * (weight * two**2).sum()
    assert found.ntk[1, 1] - 2 * found.covariance[1, 1] == pytest.approx(paths, rel=1e-10)


def any_gram(asked, function):
    """Means over drawn logits of what `function` makes of rows of weights, with no control taken off."""
    every = sampling.averages(sampling.points(asked, 0), lambda node: function(node.weights))
    return every.mean(0)


@pytest.mark.parametrize(
    "tokens, beta, tolerance, causal", [(3, 0.3, 6e-5, False), (3, 0.3, 6e-5, True), (5, 1.5, 4e-3, True)]
)
def test_integrals_and_sobol_points_agree(tokens, beta, tolerance, causal):
    """Two codes that share nothing but the softmax: integrals over rows, and sums over drawn logits."""
    C, G = gram(tokens, 0.3), gram(tokens, 0.2)
    asked = request(C, beta, 1.3, causal, "sqrt", None)
    known = layer(C, sigma_qk=beta, sigma_vo=1.3, theta=G, causal=causal)
    found = any_gram(asked, lambda weights: _both(asked, G, weights))
    assert found[0] == pytest.approx(known.covariance, rel=tolerance)
    assert found[1] == pytest.approx(known.ntk, rel=tolerance)
    rng = np.random.default_rng(0).standard_normal((tokens, tokens))
    for upstream in (G, rng @ rng.T):
        back = gradient(C, upstream, sigma_qk=beta, sigma_vo=1.3, causal=causal)
        paths = any_gram(asked, lambda weights, to=upstream: _paths(asked, to, weights))
        scale = np.abs(back.gradient).max()
        for one, other in zip(paths, (back.values, back.queries, back.keys), strict=True):
            assert np.abs(one - other).max() < 2 * tolerance * scale


@pytest.mark.parametrize("causal", [False, True])
def test_what_is_known_is_taken_off_the_noise(causal):
    """Nearly exchangeable tokens: the same as without controls, with a smaller error that is true."""
    x = np.random.default_rng(2).standard_normal((4, 400))
    C = x @ x.T / 400 + 0.3
    asked = request(C, 1.5, 1.0, causal, "sqrt", None)
    zero = np.zeros((4, 4))
    plain = any_gram(asked, lambda weights: _both(asked, zero, weights))
    found = layer(C, sigma_qk=1.5, sigma_vo=1.0, causal=causal)
    assert found.error < 3e-4
    assert found.covariance == pytest.approx(plain[0], rel=3e-3)
    assert found.ntk == pytest.approx(plain[1], rel=3e-3)
    other = layer(C, sigma_qk=1.5, sigma_vo=1.0, causal=causal, seed=1)
    assert np.abs(other.ntk - found.ntk).max() < 6 * found.error * found.ntk.max()
    back = gradient(C, np.eye(4), sigma_qk=1.5, sigma_vo=1.0, causal=causal)
    paths = any_gram(asked, lambda weights: _paths(asked, np.eye(4), weights))
    assert back.gradient == pytest.approx(paths.sum(0), abs=4e-3)


def test_finite_networks_have_the_mean_at_any_gram_matrix():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((5, 3))
    C = x @ x.T / 3 + 0.2
    mean, error = draws(C, 1.3, 1.2, 16, 192, 60, 1)
    found = layer(C, sigma_qk=1.3, sigma_vo=1.2)
    assert found.method == "monte-carlo"
    assert (np.abs(mean - found.covariance) < 4 * error + 2 * found.error).all()


def test_hot_attention_of_any_gram_matrix_is_the_second_order():
    x = np.random.default_rng(1).standard_normal((6, 6))
    C = x @ x.T / 6
    centred = C - C.mean(0) - C.mean(1)[:, None] + C.mean()
    own, beta = np.diag(centred), 0.05
    lengths = np.add.outer(np.diag(C), np.diag(C))
    skew = ((own - own.mean()) * C.mean(1)).mean()
    exact = C.mean() + beta**2 * (C * (centred**2).sum() / 36 + lengths / 2 * skew)
    found = layer(C, sigma_qk=beta, sigma_vo=1.0)
    assert found.covariance == pytest.approx(exact, rel=2e-5)
    assert found.error < 5e-5


def test_cubic_collapse_and_its_constant():
    """The note's paired draws have 1.014(2) and 1.039(1); 5 million pairs of rows give 1.0219(4) at the first."""
    for tokens, apart in ((4, 0.03), (16, 0.01)):
        found = layer(gram(tokens, 1 - apart), sigma_qk=1, sigma_vo=1)
        left = 1 - found.covariance[0, 1] / found.covariance[0, 0]
        assert left / ((tokens - 1) / tokens**2 * apart**3) == pytest.approx(
            {4: 1.02224, 16: 1.01698}[tokens], abs=2e-5
        )


@pytest.mark.parametrize("beta", [0.0, 1.0, 5.0])
def test_the_first_row_of_a_causal_mask_does_not_know_the_temperature(beta):
    found = layer(gram(7, 0.4, 2.0), sigma_qk=beta, sigma_vo=1.5, causal=True)
    k = np.arange(1, 8)
    assert found.covariance[0] == pytest.approx(2.25 * (0.8 + 1.2 / k), rel=1e-9)
    if beta == 0:
        assert found.covariance == pytest.approx(2.25 * (0.8 + 1.2 / np.maximum.outer(k, k)), rel=1e-13)


def test_even_causal_weights_collect_gradients_at_early_tokens():
    i = np.arange(1, 65.0)
    C = gram(64, 0.3)
    alone = gradient(C, np.eye(64), sigma_qk=0, sigma_vo=1, causal=True)
    assert np.diag(alone.gradient) == pytest.approx((1 / i**2)[::-1].cumsum()[::-1], rel=1e-12)
    equal = gradient(C, 1.0, sigma_qk=0, sigma_vo=1, causal=True)
    assert np.diag(equal.gradient) == pytest.approx((1 / i)[::-1].cumsum()[::-1] ** 2, rel=1e-12)


@pytest.mark.parametrize(
    "rho, beta, tokens, value, whole", [(0.3, 1.0, 12, 0.142, 0.266), (0.8, 2.0, 24, 0.082, 0.146)]
)
def test_half_of_the_gradient_goes_through_the_softmax(rho, beta, tokens, value, whole):
    found = gradient(gram(tokens, rho), np.eye(tokens), sigma_qk=beta, sigma_vo=1)
    assert found.values[0, 0] == pytest.approx(value, abs=5e-4)
    assert found.gradient[0, 0] == pytest.approx(whole, abs=6e-4)


def test_scaling_by_the_head_dimension():
    C = gram(5, 0.2)
    wide = layer(C, sigma_qk=3, sigma_vo=1, scaling="linear")
    even = layer(C, sigma_qk=0, sigma_vo=1)
    assert (wide.covariance == even.covariance).all()
    narrow = layer(C, sigma_qk=3, sigma_vo=1, scaling="linear", head_dim=9)
    assert narrow.covariance == pytest.approx(layer(C, sigma_qk=1, sigma_vo=1).covariance, rel=1e-13)


def test_negative_correlations():
    C = gram(3, -0.5)  # three tokens that sum to zero
    mean, error = draws(C, 1.0, 1.0, 16, 96, 60, 2)
    found = layer(C, sigma_qk=1.0, sigma_vo=1.0)
    assert found.method == "exchangeable"
    assert (np.abs(mean - found.covariance) < 4 * error).all()


BAD = {
    "C": [[[1.0]], np.ones(3), np.ones((2, 3)), [[1, 2], [2, 1]], [[1, 0.2], [0.3, 1]], [[0, 0], [0, 0]],
          [[0, 0], [0, 1]],
          [[1, math.nan], [math.nan, 1]], [[1, math.inf], [math.inf, 1]], "C", None, [[True, False], [False, True]],
          np.eye(2) * 1e300, [[10**400, 0], [0, 1]], np.zeros((0, 0))],
    "sigma_qk": [-1.0, math.nan, math.inf, "1", True, None, [1.0, 2.0], 1e300, 1e3, 10**400, 1e-300],
    "sigma_vo": [-1.0, math.nan, math.inf, "1", True, None, [1.0, 2.0], 1e300, 10**400, 1e-300],
    "causal": ["yes", 1, None],
    "scaling": ["cubic", None, 1],
    "head_dim": [0, -1, 2.5, "8", True],
    "theta": [np.ones((3, 3)), "0", math.nan, [[1, 2], [3, 4]], 1e300],
    "seed": [-1, 0.5, None, True],
}  # fmt: skip


@pytest.mark.parametrize("name, value", [(name, value) for name, values in BAD.items() for value in values])
def test_bad_input(name, value):
    arguments = {"C": gram(2, 0.2), "sigma_qk": 1.0, "sigma_vo": 1.0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ArgumentError, match=f"`{name}`"):
            layer(**{**arguments, name: value})


def test_bad_gradients():
    for value in (np.ones((3, 3)), "1", math.nan, [[1, 2], [3, 4]], True):
        with pytest.raises(ArgumentError, match="`G`"):
            gradient(gram(2, 0.2), value, sigma_qk=1, sigma_vo=1)
    zero = gradient(gram(4, 0.2), 0.0, sigma_qk=1, sigma_vo=1)
    assert not zero.gradient.any()


@pytest.mark.parametrize(
    "C",
    [
        gram(3, 0.2, 1e-20),
        gram(3, 1.0),
        np.diag([1.0, 1e-12, 3.0]),
        np.ones((2, 2)),
        np.outer([1, 2, -1], [1, 2, -1]),
    ],
)
@pytest.mark.parametrize("beta", [1e-25, 3.0])
def test_extreme_tokens_have_numbers(C, beta):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for causal in (False, True):
            try:
                found = layer(C, sigma_qk=beta, sigma_vo=1.0, causal=causal, theta=1.0)
            except WidelimitError:
                continue
            assert np.isfinite(found.covariance).all() and np.isfinite(found.ntk).all() and found.error >= 0
            assert np.linalg.eigvalsh(found.covariance)[0] > -1e-6 * np.abs(found.covariance).max()


def test_long_causal_sequences_are_quick():
    layer(gram(8, 0.3), sigma_qk=1.0, sigma_vo=1.0, causal=True)
    start = time.process_time()
    found = layer(gram(128, 0.3), sigma_qk=2.0, sigma_vo=1.0, causal=True)
    assert time.process_time() - start < 3
    assert found.covariance[-1, -1] == pytest.approx(
        layer(gram(128, 0.3), sigma_qk=2.0, sigma_vo=1.0).covariance[0, 0], rel=1e-10
    )
