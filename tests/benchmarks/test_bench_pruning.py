"""When magnitude pruning empties a layer: one quadrature beside two thousand drawn networks (`--benchmark-enable`).

SynFlow's hundred rounds on a ResNet-20 beside a hundred bare passes back through it.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from widelimit.numerics import pruning
from widelimit.validate import pruning as masks

WIDTHS = [784, 300, 100, 10]
DRAWS = 2000


def drawn(draws=DRAWS):
    """Mean log compression at which the first layer is empty, by sorting every weight of every network."""
    rng = np.random.default_rng(1)
    logs = []
    for _ in range(draws):
        layers = [np.abs(rng.standard_normal(a * b)) * (2 / a) ** 0.5 for a, b in pairwise(WIDTHS)]
        threshold = min(layer.max() for layer in layers)
        kept = sum(int((layer >= threshold).sum()) for layer in layers)
        logs.append(np.log(sum(layer.size for layer in layers) / kept))
    return float(np.mean(logs)), float(np.std(logs) / np.sqrt(draws))


def test_two_thousand_networks(benchmark):
    mean, error = benchmark.pedantic(drawn, rounds=1, args=(200,))
    theory = pruning.critical_compression(WIDTHS).log_mean
    assert abs(mean - theory) < 4 * error


def test_one_quadrature(benchmark):
    assert benchmark(lambda: pruning.critical_compression(WIDTHS).geometric_mean) > 1


class Block(nn.Module):
    def __init__(self, inside, outside, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(outside), nn.BatchNorm2d(outside)
        short = [nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)]
        self.short = nn.Identity() if stride == 1 else nn.Sequential(*short)

    def forward(self, x):
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.short(x))


def resnet20():
    torch.manual_seed(0)
    parts = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    for inside, outside in ((16, 16), (16, 32), (32, 64)):
        stride = outside // inside
        parts += [Block(inside, outside, stride), Block(outside, outside, 1), Block(outside, outside, 1)]
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)).eval()


def test_a_hundred_bare_passes(benchmark):
    net, ones = resnet20(), torch.ones(1, 3, 32, 32)

    def passes():
        for _ in range(100):
            torch.autograd.grad(net(ones).sum(), list(net.parameters()))

    benchmark.pedantic(passes, rounds=3)


def test_a_hundred_rounds_of_synflow(benchmark):
    """Goal: 1.2 times the bare passes, and under 20 s."""
    net = resnet20()
    found = benchmark.pedantic(masks.synflow, (net, 100), {"input_shape": (3, 32, 32)}, rounds=3)
    assert not found.collapsed
