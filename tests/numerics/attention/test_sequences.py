"""Attention over several sequences: against integrals, sums of finite heads, and what masks and rotations must do."""

import numpy as np
import pytest

from widelimit.numerics.attention import backwards, gradient, layer, sequences
from widelimit.theory.errors import ArgumentError


def tokens(count, seed=0, units=9):
    x = np.random.default_rng(seed).standard_normal((count, units))
    return x @ x.T / units


def several(count, size, seed=0):
    return tokens(count * size, seed, 2 * count * size).reshape(count, size, count, size)


def test_overlaps_of_the_specification():
    """Worked values of users' networks: T = 8, logits of standard deviation 1, rho = .3."""
    found = sequences(np.where(np.eye(8), 1.0, 0.3), sigma_qk=0.7**-0.5, pairs=20_000)
    overlaps = found.overlaps[0, :, 0]
    off = overlaps[~np.eye(8, dtype=bool)]
    assert np.diag(overlaps).mean() == pytest.approx(0.232313447232, rel=3e-3)
    assert off.mean() == pytest.approx(0.15214058506, rel=3e-3)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("beta", [0.3, 2.0])
def test_exchangeable_tokens_have_their_integrals(causal, beta):
    gram = np.where(np.eye(10), 1.3, 0.2)
    exact = layer(gram, sigma_qk=beta, sigma_vo=0.8, causal=causal)
    assert exact.method == "exchangeable"
    found = sequences(gram, sigma_qk=beta, sigma_vo=0.8, causal=causal)
    largest = np.abs(exact.covariance).max()
    assert np.abs(found.covariance[0, :, 0] - exact.covariance).max() < 5 * found.error * largest
    assert found.error < (1e-3 if beta < 1 else 1e-2)


@pytest.mark.parametrize("causal", [False, True])
def test_gradients_of_exchangeable_tokens_have_their_integrals(causal):
    gram, upstream = np.where(np.eye(6), 1.0, 0.3), np.where(np.eye(6), 1.0, 0.4)
    exact = gradient(gram, upstream, sigma_qk=1.0, sigma_vo=1.0, causal=causal)
    found = backwards(gram, upstream, sigma_qk=1.0, causal=causal)
    for name in ("values", "queries", "keys"):
        want = getattr(exact, name)
        assert getattr(found, name)[0, :, 0] == pytest.approx(want, abs=0.02 * np.abs(want).max())


def heads(gram, beta, angles, count, units):
    """C' of one finite head after another, with its standard error."""
    random = np.random.default_rng(5)
    n, t = gram.shape[:2]
    left = np.linalg.cholesky(gram.reshape(n * t, n * t) + 1e-12 * np.eye(n * t))
    every = []
    for _ in range(count // 100):
        q, k = (
            (left @ random.standard_normal((100, n * t, units))).reshape(100, n, t, units) for _ in range(2)
        )
        if angles is not None:  # neighbours are turned with one another
            phase = np.exp(1j * angles)
            q, k = ((one[..., ::2] + 1j * one[..., 1::2]) * phase for one in (q, k))
        s = beta * np.einsum("haid,hajd->haij", q, k.conj()).real / units**0.5
        weights = np.exp(s - s.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        every.append(np.einsum("haij,ajbl,hbkl->haibk", weights, gram, weights, optimize=True))
    every = np.concatenate(every)
    return every.mean(0), every.std(0) / len(every) ** 0.5


ANGLES = np.arange(5)[:, None] * 10.0 ** (-np.arange(64) / 32)[None]


@pytest.mark.parametrize("angles", [None, ANGLES], ids=["plain", "rotary"])
def test_two_sequences_are_what_finite_heads_make_of_them(angles):
    gram = several(2, 5)
    mean, error = heads(gram, 1.3, angles, 4000, 128)
    found = sequences(gram, sigma_qk=1.3, angles=angles)
    scatter = np.sqrt(error**2 + (found.error * np.abs(found.covariance).max()) ** 2)
    assert np.abs((found.covariance - mean) / scatter).max() < 4.5


def test_rotations_matter_in_that_test():
    gram = several(2, 5)
    mean, error = heads(gram, 1.3, ANGLES, 4000, 128)
    other = sequences(gram, sigma_qk=1.3).covariance
    assert np.abs((other - mean) / error).max() > 8


def test_a_turn_of_all_tokens_turns_nothing():
    gram = several(2, 5)
    one = sequences(gram, sigma_qk=1.0, angles=ANGLES).covariance
    assert sequences(gram, sigma_qk=1.0, angles=ANGLES + 1.7).covariance == pytest.approx(one, abs=2e-2)
    still = sequences(gram, sigma_qk=1.0, angles=np.zeros((5, 3))).covariance
    assert still == pytest.approx(sequences(gram, sigma_qk=1.0).covariance, rel=1e-9)


def test_without_logits_weights_are_those_of_the_mask():
    gram = several(3, 4)
    slopes = np.where(np.tri(4, dtype=bool), -0.5 * np.subtract.outer(np.arange(4), np.arange(4)), -np.inf)
    weights = np.exp(slopes) / np.exp(slopes).sum(1, keepdims=True)
    found = sequences(gram, sigma_qk=0.0, sigma_vo=2.0, mask=slopes)
    assert found.covariance == pytest.approx(4 * np.einsum("ij,ajbl,kl->aibk", weights, gram, weights))
    assert found.error < 1e-12


def test_cool_logits_to_fourth_order():
    """What is known is exact to second order: errors of halved logits fall sixteenfold."""
    gram = tokens(6)
    errors = [sequences(gram, sigma_qk=beta, pairs=64).error for beta in (0.1, 0.2)]
    assert 10 < errors[1] / errors[0] < 24


def test_every_sequence_sees_itself_alone():
    """The block of one sequence is what it is without the other."""
    gram = several(2, 5)
    both = sequences(gram, sigma_qk=1.0, pairs=4000)
    alone = sequences(gram[0, :, 0], sigma_qk=1.0, pairs=4000)
    assert both.covariance[0, :, 0] == pytest.approx(alone.covariance[0, :, 0], abs=0.02)


def test_gradients_are_derivatives():
    """E of squared directional derivatives of sum c A(q, k) v, by finite differences of finite heads."""
    random = np.random.default_rng(3)
    t, d, count = 4, 96, 1500
    gram, upstream = tokens(t, 2), tokens(t, 4)
    left, right = (np.linalg.cholesky(one + 1e-12 * np.eye(t)) for one in (gram, upstream))
    angles = np.arange(t)[:, None] * 5.0 ** (-np.arange(d // 2) / 16)[None]
    phase = np.exp(1j * angles)
    given = {"sigma_qk": 1.0, "angles": angles, "causal": True}
    found = backwards(gram, upstream, **given, pairs=4000)

    def loss(q, k, v, c):
        q, k = ((one[..., ::2] + 1j * one[..., 1::2]) * phase for one in (q, k))
        s = np.where(np.tri(t, dtype=bool), (q @ k.conj().swapaxes(-1, -2)).real / d**0.5, -np.inf)
        weights = np.exp(s - s.max(-1, keepdims=True))
        return (c * (weights / weights.sum(-1, keepdims=True) @ v)).sum((-1, -2))

    q, k, v = (left @ random.standard_normal((count, t, d)) for _ in range(3))
    c = right @ random.standard_normal((count, t, d))
    for place, name in enumerate(("queries", "keys", "values")):
        for token in range(t):
            step = np.zeros((count, t, d))
            step[:, token] = 1e-4 * random.standard_normal((count, d))
            moved = [[*(q, k, v)] for _ in range(2)]
            moved[0][place], moved[1][place] = moved[0][place] + step, moved[1][place] - step
            slope = (loss(*moved[0], c) - loss(*moved[1], c)) / 2e-4
            squares = slope**2 / d  # of a component, logits having the scale 1/sqrt(d)
            want = getattr(found, name)[0, token, 0, token]
            room = 4 * squares.std() / count**0.5 + 0.02 * abs(want) + 1e-12
            assert squares.mean() == pytest.approx(want, abs=room), name


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"C": [[1.0, 2.0], [2.0, 1.0]]}, "positive semidefinite"),
        ({"C": np.ones((2, 3))}, "square matrix"),
        ({"C": [[1.0, 0.5], [0.2, 1.0]]}, "symmetric"),
        ({"mask": np.zeros((3, 2))}, "shape"),
        ({"mask": np.full((2, 2), -np.inf)}, "must leave every token one"),
        ({"angles": np.zeros((3, 2))}, "a row of planes for each of 2"),
        ({"keys": np.eye(3), "values": np.eye(2)}, "must have 3 tokens"),
        ({"sigma_qk": -1.0}, "sigma_qk"),
        ({"sigma_qk": 200.0}, "must keep logits below"),
        ({"pairs": 0}, "pairs"),
    ],
)
def test_bad_requests(given, words):
    with pytest.raises(ArgumentError, match=words):
        sequences(**{"C": np.eye(2), "sigma_qk": 1.0, **given})


def test_more_pairs_than_time_are_refused():
    with pytest.raises(ArgumentError, match="`pairs` must be at most"):
        sequences(np.eye(3), sigma_qk=1.0, pairs=10**400)
