"""Kernels of units that are not Gaussian, by samples: maxima, and sums with what stands behind activations."""

import math

import numpy as np
import pytest

from widelimit.numerics import residual
from widelimit.numerics.architecture import kernels, repeated
from widelimit.numerics.architecture.state import sampled
from widelimit.theory.architecture import (
    Act,
    Add,
    Affine,
    Architecture,
    AveragePool,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
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
    assert found.method == "composition, sampled units" and 0 < found.error < 0.02
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
