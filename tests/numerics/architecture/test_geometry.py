"""Convolutions and average pools of any geometry against torch's own, and graphs of layers."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from widelimit.numerics.architecture import kernels
from widelimit.theory.architecture import (
    Act,
    Add,
    Architecture,
    AveragePool,
    Concatenate,
    Convolution,
    Dense,
    Flatten,
    GlobalAveragePool,
    LayerNorm,
    Residual,
    recursion,
)
from widelimit.theory.errors import ArgumentError, DomainError

MODES = {"zeros": "constant", "circular": "circular", "reflect": "reflect", "replicate": "replicate"}
X = np.random.default_rng(1).standard_normal((2, 3, 7, 6))


def arccosine(gram):
    q = np.diagonal(gram, axis1=0, axis2=1).T
    root = np.sqrt(q[:, None] * q[None])
    angle = np.arccos(np.clip(gram / root, -1, 1))
    return root * (np.sin(angle) + (math.pi - angle) * np.cos(angle)) / (2 * math.pi)


@pytest.mark.parametrize(
    "settings",
    [
        {"size": 3, "stride": 2, "pad": 0}, {"size": 3, "padding": "reflect"}, {"size": (2, 3), "pad": (1, 0)},
        {"size": 3, "dilation": (1, 2), "pad": (0, 2)}, {"size": 3, "padding": "circular", "stride": (2, 1)},
        {"size": 4, "stride": 3, "pad": 2, "padding": "replicate"}, {"size": 1, "stride": 2},
    ],
)  # fmt: skip
@pytest.mark.parametrize("pooled", [False, True])
def test_second_moments_of_any_geometry(settings, pooled):
    """Filters that each pick one tap of one channel give what is read; ReLU behind is the arc-cosine formula."""
    layer = Convolution(**{"padding": "zeros", "dimensions": 2, **settings})
    points = 3 * math.prod(layer.sizes)
    pads = [one for pad in reversed(layer.pads) for one in (pad, pad)]
    x = F.pad(torch.tensor(X), pads, mode=MODES[layer.padding])
    picks = torch.eye(points, dtype=torch.float64).reshape(points, 3, *layer.sizes)
    read = F.conv2d(x, picks, stride=layer.stride, dilation=layer.dilation).flatten(2)
    if (
        pooled
    ):  # 3 Gaussian layers' worth of pairs: linear, so that averages of what is read are what is averaged
        mean = read.mean(-1).numpy()
        found = kernels(Architecture((layer, GlobalAveragePool(), Dense())), X).nngp
        assert np.allclose(found, mean @ mean.T / points, rtol=1e-10)
    else:
        gram = torch.einsum("iap,jap->ijp", read, read).numpy() / points
        found = kernels(Architecture((layer, Act.of("relu"), Flatten(), Dense())), X).nngp
        assert np.allclose(found, arccosine(gram).mean(axis=-1), rtol=1e-9)


@pytest.mark.parametrize(
    ("layer", "pool"),
    [
        (AveragePool(2, dimensions=2), lambda x: F.avg_pool2d(x, 2)),
        (AveragePool((3, 2), 1, (1, 0), 2), lambda x: F.avg_pool2d(x, (3, 2), 1, (1, 0))),
        (AveragePool(3, 2, 1, 2, False), lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
        (AveragePool(dimensions=2, outputs=(3, 4)), lambda x: F.adaptive_avg_pool2d(x, (3, 4))),
    ],
)
def test_average_pools_are_torchs(layer, pool):
    """Behind a linear layer of one point, kernels are products of pooled inputs."""
    behind = pool(torch.tensor(X)).flatten(2).numpy()
    expected = np.einsum("icp,jcp->ij", behind, behind) / (3 * behind.shape[2])
    layers = (Convolution(1, dimensions=2), layer, Flatten(), Dense())
    both, part = kernels(Architecture(layers), X), kernels(Architecture(layers), X[:1], X[1:])
    assert np.allclose(both.nngp, expected, rtol=1e-12) and np.allclose(both.ntk, 2 * expected, rtol=1e-12)
    assert np.allclose(part.ntk, both.ntk[:1, 1:], rtol=1e-12)


def test_graphs_are_what_their_layers_are():
    """A chain written as a graph; a shortcut around identity; units side by side of one law are that law."""
    x = X[:, :, 0, :].reshape(2, -1)[:, :6]
    chain = (Dense(1.4, 0.2), Act.of("tanh"), Dense(1.1), Act.of("relu"), Dense())
    plain = Architecture(chain)
    assert Architecture(chain, ((-1,), (0,), (1,), (2,), (3,))) == plain and plain.inputs is None
    twice = (Dense(1.4, 0.2), Dense(1.4, 0.2), Concatenate((2, 5)), *chain[1:])
    graph = Architecture(twice, ((-1,), (-1,), (0, 1), (2,), (3,), (4,), (5,)))
    assert np.allclose(kernels(graph, x).nngp, kernels(plain, x).nngp, rtol=1e-12)
    linear = Architecture(
        (Dense(2.0), Dense(3.0), Dense(1.0), Add(), Add()), ((-1,), (0,), (-1,), (0, 1), (3, 2))
    )
    k = x @ x.T / 6
    found = kernels(linear, x)
    assert np.allclose(found.nngp, 4 * k + 36 * k + k) and np.allclose(found.ntk, 4 * k + 72 * k + k)
    assert [str(one.nngp.rhs) for one in recursion(linear)][3:] == [
        "K_1(a, b) + K_2(a, b)",
        "K_3(a, b) + K_4(a, b)",
    ]


@pytest.mark.parametrize(
    ("layers", "inputs", "match"),
    [
        (
            (Dense(), Act.of("relu"), Add()),
            ((-1,), (0,), (0, 1)),
            r"Layer 2 \(Add\) adds layers 0, 1, which are cor",
        ),
        ((Dense(), LayerNorm(), Add()), ((-1,), (0,), (0, 1)), "correlated"),
        ((Dense(), Dense()), ((-1,), (0, -1)), r"let Layer 1 \(Dense\) read one layer"),
        ((Dense(), Add()), ((-1,), (0,)), r"let Layer 1 \(Add\) read two or more layers"),
        ((Dense(), Dense()), ((-1,), (1,)), "from -1 to 0"),
        ((Dense(), Dense()), ((-1,), (True,)), "from -1 to 0"),
        ((Dense(), Dense()), ((-1,),), "each of 2 layers"),
        ((Dense(), Dense()), "ab", "for each of 2 layers"),
        ((Dense(), Dense()), ((-1,), ()), "for each layer"),
    ],
)
def test_graphs_that_make_no_sense_are_refused(layers, inputs, match):
    with pytest.raises((ArgumentError, DomainError), match=match):
        Architecture(layers, inputs)


def test_positions_and_units_that_do_not_fit_are_refused():
    side = Architecture(
        (Convolution(3, dimensions=2), Convolution(3, dimensions=2, stride=2), Add()), ((-1,), (-1,), (0, 1))
    )
    with pytest.raises(DomainError, match=r"Layer 2 \(Add\) reads units at positions \(7, 6\), \(4, 3\)"):
        kernels(side, X)
    with pytest.raises(DomainError, match="does not fit 6 positions"):
        kernels(Architecture((Convolution(7, dimensions=2, pad=0), Flatten())), X)
    with pytest.raises(DomainError, match="windows of 9 does not fit 7"):
        kernels(Architecture((AveragePool(9, dimensions=2), Flatten())), X)
    depthwise = Convolution(3, dimensions=2, depthwise=True)
    with pytest.raises(DomainError, match=r"Layer 1 \(Act\) must follow a dense or convolution layer"):
        kernels(Architecture((depthwise, Act.of("relu"), Flatten())), X)
    branch = Residual((Act.of("relu"), Convolution(3, dimensions=2), depthwise))
    with pytest.raises(DomainError, match=r"Layer 2 \(Act\) must follow a dense or convolution layer"):
        kernels(Architecture((Convolution(3, dimensions=2), branch, Act.of("relu"), Flatten())), X)
    for settings in (
        {"stride": 0},
        {"dilation": 1.5},
        {"pad": -1},
        {"size": (3,)},
        {"size": 2},
        {"size": None},
        {"size": 10**400 + 1},
        {"dimensions": 4},
    ):
        with pytest.raises(ArgumentError):
            Convolution(**{"size": 3, "dimensions": 2, **settings})
    for settings in (
        {"size": 0},
        {"size": None},
        {"pad": 2},
        {"outputs": 0},
        {"outputs": 10**400},
        {"stride": True},
    ):
        with pytest.raises(ArgumentError):
            AveragePool(**{"size": 2, **settings})
    for widths in (0, 1.5, True, (), (3,), (3, 0), [3, 1], "ab"):
        with pytest.raises(ArgumentError, match="`widths` must be"):
            Concatenate(widths)
