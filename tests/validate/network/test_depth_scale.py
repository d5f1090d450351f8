"""A depth scale is read off parts that repeat, and off nothing else."""

import math

import pytest
import torch
from tests.validate.network import zoo
from torch import nn

from widelimit.validate import network


def stack(depth, width):
    layers = [nn.Linear(width, width) for _ in range(depth)]
    return nn.Sequential(*(one for layer in layers for one in (layer, nn.ReLU())), nn.Linear(width, 3))


def test_layers_that_torch_draws_by_default_reach_three_deep():
    """Variance 1/(3 fan-in) halved by ReLU: gradients lose a factor of 6 a layer, xi_c = 1/ln 6.

    A report goes by the variance of the weights that are there: known to a per cent at this width.
    """
    torch.manual_seed(0)
    found = network.report(stack(8, 128), torch.randn(4, 128), draws=2)
    assert found.xi_c == pytest.approx(1 / math.log(6), rel=0.02)
    assert found.trainable_depth == pytest.approx(6 / math.log(6), rel=0.02)
    assert not found.trainable
    assert found.answer.startswith("No, not trainable as it stands: it has 9 layers")


def test_a_network_whose_parts_differ_has_no_depth_scale():
    """The way down a U-Net, its middle and the way up change gradients by factors that say nothing of more layers."""
    torch.manual_seed(0)
    found = network.report(zoo.UNet(), torch.randn(4, 3, 16, 16), draws=2)
    assert math.isnan(found.xi_c) and math.isnan(found.trainable_depth)
    assert found.trainable and "xi_c" not in found.answer
    assert "differ too much for a depth scale" in found.limits
