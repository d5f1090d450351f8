"""A user's module: phase and Fisher statistics where layers differ, normalisation of images, what is refused."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.theory.architecture import BatchNorm, LayerNorm
from widelimit.theory.errors import DomainError
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


def image_module(*normalisation, head=None):
    head = (nn.Flatten(), nn.Linear(64 * 12, 1)) if head is None else head
    return nn.Sequential(nn.Conv2d(2, 64, 3, padding=1), *normalisation, nn.ReLU(), *head)


POOLED = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 1))


@pytest.mark.parametrize(
    ("layer", "read"),
    [
        (nn.LayerNorm((64, 4, 3)), LayerNorm(True)), (nn.GroupNorm(4, 64), LayerNorm(True)),
        (nn.GroupNorm(1, 64, affine=False), LayerNorm()), (nn.BatchNorm2d(64), BatchNorm(True)),
        (nn.BatchNorm2d(64, affine=False), BatchNorm()),
    ],
)  # fmt: skip
def test_normalisations_of_images_are_read(layer, read):
    assert from_torch(image_module(layer)).architecture.layers[1] == read


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ((nn.GroupNorm(32, 64),), r"Layer '1' \(GroupNorm\) .* groups of 2 channels fluctuate"),
        ((nn.InstanceNorm2d(64),), r"Layer '1' \(InstanceNorm2d\) .* stay random"),
        ((nn.LayerNorm(3),), r"Layer '1' \(LayerNorm\) .* not over everything behind the batch"),
        ((nn.Dropout(1.0),), r"Layer '1' \(Dropout\) .* drops every unit"),
        ((nn.Flatten(2),), r"Layer '1' \(Flatten\) .* from 2 to -1, not everything"),
        ((nn.AvgPool2d(2),), r"Layer '1' \(AvgPool2d\)"),
        ((nn.Conv2d(64, 64, 3, dilation=2, padding=2),), r"Layer '1' \(Conv2d\) .* dilation \(2, 2\)"),
        ((nn.Conv2d(64, 64, 3, padding=1, padding_mode="reflect"),), r"Layer '1' \(Conv2d\) .* 'reflect'"),
        ((nn.Conv2d(64, 64, 3),), r"Layer '1' \(Conv2d\) .* does not keep the size"),
        ((nn.Conv2d(64, 64, 3, padding=1, groups=64),), r"Layer '1' \(Conv2d\) .* groups 64"),
    ],
)
def test_layers_of_images_that_are_refused_by_name(layers, match):
    with pytest.raises(DomainError, match=match):
        from_torch(image_module(*layers))


def test_running_averages_and_gains_of_positions_are_refused():
    with pytest.raises(DomainError, match=r"Layer '1' \(BatchNorm2d\) .* running averages; call train"):
        from_torch(image_module(nn.BatchNorm2d(64)).eval())
    with pytest.raises(DomainError, match=r"Layer '1' \(LayerNorm\) .* gain of every position"):
        from_torch(image_module(nn.LayerNorm((64, 4, 3)), head=POOLED))
    assert from_torch(image_module(nn.GroupNorm(4, 64), head=POOLED)).architecture.pools


def test_a_users_group_norm_has_the_kernel_that_was_read():
    """NNGP kernel of wide user modules with eight groups, torch's own layers, against theory."""
    x = np.random.default_rng(3).standard_normal((3, 2, 4, 3))
    found = []
    for seed in range(12):
        torch.manual_seed(seed)
        drawn = nn.Sequential(
            nn.Conv2d(2, 512, 3, padding=1, bias=False), nn.Tanh(), nn.GroupNorm(8, 512),
            nn.Conv2d(512, 64, 3, padding=1), nn.GroupNorm(1, 64), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 1),
        ).double()  # fmt: skip
        for weights in (drawn[0].weight, drawn[3].weight, drawn[8].weight):
            nn.init.normal_(weights, std=1.5 / math.sqrt(weights[0].numel()))
        for shift in (drawn[3].bias, drawn[8].bias):
            nn.init.zeros_(shift)
        below = drawn[:-1](torch.tensor(x)).detach().numpy()
        found.append(1.5**2 * below @ below.T / 64)
    expected = from_torch(drawn, sigma_w=1.5, sigma_b=0.0).kernels(x).nngp
    error = np.std(found, axis=0, ddof=1) / math.sqrt(12)
    assert (np.abs(np.mean(found, axis=0) - expected) < 4.5 * error + expected.max() / 64).all()
