"""A user's module whose layers differ: phase, Fisher statistics and bound with each layer's own scales."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.validate.network import from_torch
from widelimit.validate.simulate.fisher import largest_eigenvalue


def module(scales, biases, readout, width=400, activation=nn.Tanh, features=20):
    """Dense layers of the given scales, and a readout."""
    torch.manual_seed(0)
    widths = [features, *[width] * len(scales), 1]
    layers = []
    for k, (w, b) in enumerate(zip([*scales, readout], [*biases, 0.0], strict=True)):
        dense = nn.Linear(widths[k], widths[k + 1], bias=b > 0)
        nn.init.normal_(dense.weight, std=w / math.sqrt(widths[k]))
        if b:
            nn.init.normal_(dense.bias, std=b)
        layers += [dense, activation()]
    return nn.Sequential(*layers[:-1]).double()


def test_a_small_readout_does_not_make_a_network_ordered():
    net = from_torch(module([1.5] * 3, [0.1] * 3, readout=0.01, width=600))
    assert net.phase == "chaotic" and abs(net.sigma_w - 1.5) < 0.01
    assert np.allclose(net.chi_1, 1.13, atol=0.03)  # 1.1269 at the scales drawn


def test_an_estimate_next_to_one_is_critical():
    drawn = module([math.sqrt(2)] * 4, [0.0] * 4, readout=0.1, activation=nn.ReLU)
    assert from_torch(drawn).phase == "critical"
    assert from_torch(drawn, sigma_w=1.42).phase == "unbounded"


@pytest.mark.parametrize("readout", [0.1, 3.0])
def test_fisher_of_layers_that_differ(readout):
    """The largest eigenvalue of a drawn network; scales pooled over layers miss it by far."""
    x = np.random.default_rng(1).standard_normal((20, 400))
    drawn = module([0.6, 2.2], [0.2, 0.3], readout, features=400)
    net, measured = from_torch(drawn), largest_eigenvalue(drawn, torch.tensor(x), tolerance=1e-3)
    assert abs(measured / net.fisher(x).largest - 1) < 0.1  # a width of 400 fluctuates by some 1/sqrt(400)
    pooled = from_torch(drawn, sigma_w=net.sigma_w, sigma_b=net.sigma_b)
    assert abs(measured / pooled.fisher(x).largest - 1) > 0.3
    assert measured <= net.fisher_bound(x).whole
