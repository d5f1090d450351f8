"""Kernels of units that are not Gaussian, by samples: maxima, and sums with what stands behind activations."""

import math

import numpy as np
import pytest

from widelimit.numerics import attention, residual
from widelimit.numerics.architecture import kernels, repeated
from widelimit.numerics.architecture.state import sampled
from widelimit.theory.architecture import (
    Act,
    Add,
    Affine,
    Architecture,
    Attention,
    AveragePool,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    LayerNorm,
    MaxPool,
    Residual,
    RMSNorm,
)
from widelimit.theory.errors import ArgumentError, DomainError

RELU, X = Act.of("relu"), np.random.default_rng(3).standard_normal((3, 5))


def of_first_kind(blocks, *, last=RELU):
    """x = relu(x + W relu(V x)), from relu of weights."""
    layers, inputs = [Dense(2**0.5), RELU], [(-1,), (0,)]
    for _ in range(blocks):
        top = len(layers) - 1
        layers += [Dense(2**0.5), RELU, Dense(0.8, 0.3), Add(), last]
        inputs += [(top,), (top + 1,), (top + 2,), (top, top + 3), (top + 4,)]
    return Architecture((*layers, Dense(1.0)), (*inputs, (len(layers) - 1,)))


def test_maxima_of_four_independent_units():
    """Mean 1.0293753730 and second moment 1.5513288954 of four (Teichroew's table of order statistics)."""
    net = Architecture((Convolution(1), MaxPool(4), Flatten()))
    found = kernels(net, 2.0 * np.eye(4)[None])
    assert found.method == "composition, samples" and 0 < found.error < 0.02
    assert found.nngp[0, 0] == pytest.approx(1.5513288954, rel=found.error)
    assert found.ntk[0, 0] == pytest.approx(1.0, rel=1e-9)  # each of them has a tangent kernel of 1


def test_two_maxima_of_correlated_pairs():
    """E max(a, b) max(c, d), (a, c) and (b, d) correlated by rho: 1/pi + (rho + ...)/..., by quadrature."""
    rho = 0.6
    root = np.linalg.cholesky([[1, rho], [rho, 1]])
    x = np.zeros((2, 4, 2))
    x[0, :2, 0], x[0, 2:, 1] = 2 * root[0], 2 * root[0]
    x[1, :2, 0], x[1, 2:, 1] = 2 * root[1], 2 * root[1]
    nngp, ntk = kernels(Architecture((Convolution(1), MaxPool(2), Flatten())), x)
    # max(a, b) = (a + b)/2 + |a - b|/2; E |s| |t| of unit normals = 2/pi (sqrt(1 - rho^2) + rho asin rho)
    wanted = rho / 2 + (2 / math.pi) * (math.sqrt(1 - rho**2) + rho * math.asin(rho)) / 2
    assert nngp[0, 1] == pytest.approx(wanted, rel=0.02)
    # both pick the same place with the probability that a - b and c - d have one sign
    assert ntk[0, 1] == pytest.approx(rho * (0.5 + math.asin(rho) / math.pi), rel=0.02)


def test_the_length_of_a_reflected_walk():
    """Branches that are made of the input alone: units are those of ``residual.post_activation``."""
    layers, inputs = [Dense(1.0), RELU], [(-1,), (0,)]
    for _ in range(4):
        top = len(layers) - 1
        layers += [Dense(1.0), Add(), RELU]
        inputs += [(-1,), (top, top + 1), (top + 2,)]
    net = Architecture((*layers, Dense(1.0)), (*inputs, (len(layers) - 1,)))
    found = kernels(net, math.sqrt(5) * np.eye(5)[:1])
    law = residual.post_activation(4)
    assert found.nngp[0, 0] == pytest.approx(law.second_moment[4], rel=found.error)
    # what is trained at block l counts by the probability that all gates from there on are open; those of block 0 too
    reached = law.zeros[4] + law.open[:4, 4].sum()
    assert found.ntk[0, 0] - found.nngp[0, 0] == pytest.approx(reached, rel=found.error)


def test_samples_are_those_of_exact_kernels_where_there_are_some():
    """A norm that changes nothing keeps units Gaussian for the theory of samples too: relu(relu(u)) = relu(u)."""
    twice = Architecture((Dense(1.3), RELU, RELU, Dense(1.0)))
    once = Architecture((Dense(1.3), RELU, Dense(1.0)))
    found, exact = kernels(twice, X), kernels(once, X)
    assert sampled(twice) and not sampled(once)
    for one, two in zip(found, exact, strict=True):
        assert np.abs(one - two).max() < found.error * np.abs(two).max()


@pytest.mark.parametrize("norm", [LayerNorm(True), RMSNorm(True), Affine(0.7, True), BatchNorm(True)])
def test_trained_gains_reach_activations_through_samples(norm):
    """relu twice is relu once, behind a gain that is trained, whose exact rule is another one."""
    x = 6 * np.eye(60) + np.random.default_rng(5).standard_normal((60, 60))
    twice = kernels(Architecture((Dense(1.3), norm, RELU, RELU, Dense(1.0))), x)
    once = kernels(Architecture((Dense(1.3), norm, RELU, Dense(1.0))), x)
    for one, two in zip(twice, once, strict=True):
        assert np.abs(one - two).max() < twice.error * np.abs(two).max()


def test_a_second_set_is_a_block_of_one_set():
    net = of_first_kind(2)
    both, part = kernels(net, X), kernels(net, X[:1], X[1:])
    assert np.array_equal(part.nngp, both.nngp[:1, 1:]) and np.array_equal(kernels(net, X).ntk, both.ntk)


def test_what_has_no_law_is_refused():
    for first in (Dropout(0.5), AveragePool(2)):
        with pytest.raises(DomainError, match=r"Layer 3 \(MaxPool\)|Layer 3 \(Act\)"):
            kernels(Architecture((Convolution(1), RELU, first, MaxPool(2), Flatten())), np.ones((2, 3, 8)))
    with pytest.raises(ArgumentError, match="`pad` must be at most half"):
        MaxPool(2, pad=2)
    with pytest.raises(DomainError, match=r"not Gaussian from block to block.*post_activation"):
        repeated(Architecture((Dense(), RELU, Dense(), Add(), RELU), ((-1,), (0,), (1,), (-1, 2), (3,))))
    assert repeated(Architecture((RELU, Dense(2**0.5)))).phase == "critical"
    assert repeated(Architecture((Residual((RELU, Dense(1.0))),))).phase == "critical"


@pytest.mark.parametrize("causal", [False, True])
def test_attention_of_one_sequence_is_the_exact_one(causal):
    """Exchangeable tokens, whose kernels are integrals in ``numerics.attention.layer``."""
    gram = 0.3 + 0.7 * np.eye(6)
    x = math.sqrt(6) * np.linalg.cholesky(gram).T[None]
    exact = attention.layer(gram, sigma_qk=1.5, sigma_vo=0.8, causal=causal)
    k, theta = exact.covariance, exact.ntk
    found = kernels(Architecture((Attention(1.5, 0.8, causal), Flatten())), x)
    assert found.nngp[0, 0] == pytest.approx(np.trace(k) / 6, rel=found.error)
    assert found.ntk[0, 0] == pytest.approx(np.trace(theta) / 6, rel=found.error)
    pooled = kernels(Architecture((Attention(1.5, 0.8, causal), GlobalAveragePool())), x)
    assert pooled.nngp[0, 0] == pytest.approx(k.mean(), rel=pooled.error)
    assert pooled.ntk[0, 0] == pytest.approx(theta.mean(), rel=pooled.error) and pooled.error < 0.05


def test_attention_of_two_sequences():
    """The covariance across sequences is that of ``attention.sequences``, and a second set is a block of it."""
    x = np.random.default_rng(2).standard_normal((3, 8, 5))
    rows = x.transpose(0, 2, 1).reshape(15, 8)
    joint = (rows @ rows.T / 8).reshape(3, 5, 3, 5)
    wanted = attention.sequences(joint, sigma_qk=1.2).covariance.mean(axis=(1, 3))
    net = Architecture((Attention(1.2), GlobalAveragePool()))
    found = kernels(net, x)
    assert np.abs(found.nngp - wanted).max() < (found.error + 0.01) * np.abs(wanted).max()
    assert np.array_equal(kernels(net, x[:1], x[1:]).ntk, found.ntk[:1, 1:])
    with pytest.raises(DomainError, match=r"Layer 0 \(Attention\) mixes tokens.*exponents"):
        repeated(Architecture((Attention(),)))
    with pytest.raises(DomainError, match="one dimension of positions"):
        kernels(Architecture((Convolution(3, dimensions=2), Attention(), Flatten())), np.ones((2, 3, 4, 4)))
