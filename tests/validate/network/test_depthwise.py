"""Depthwise filters mix no units: slopes and statistics behind them know the filter and the unit that it is applied to."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from widelimit.validate.network import report
from widelimit.validate.network.graph.backward import gradients
from widelimit.validate.network.graph.reading import opened
from widelimit.validate.network.graph.states import Samples
from widelimit.validate.network.graph.walking import Walk
from widelimit.validate.network.graph.weights import pooled


class Gate(nn.Module):
    """Channels times numbers between 0 and 1, made of all channels' means over positions (squeeze and excitation)."""

    def __init__(self, width, inner):
        super().__init__()
        self.down, self.up = nn.Conv2d(width, inner, 1), nn.Conv2d(inner, width, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(F.silu(self.down(F.adaptive_avg_pool2d(x, 1)))))


class Inverted(nn.Module):
    """More channels, a filter for each, a gate, and fewer channels again, normalised behind every layer."""

    def __init__(self, width, inner, norm, stride=1):
        super().__init__()
        self.stride = stride
        self.widen, self.norm1 = nn.Conv2d(width, inner, 1, bias=False), norm(inner)
        self.filters = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False)
        self.norm2, self.gate = norm(inner), Gate(inner, 64)
        self.narrow, self.norm3 = nn.Conv2d(inner, width, 1, bias=False), norm(width)

    def forward(self, x):
        y = F.silu(self.norm1(self.widen(x)))
        y = self.gate(F.silu(self.norm2(self.filters(y))))
        y = self.norm3(self.narrow(y))
        return x + y if self.stride == 1 else y


def mobile(norm):
    return nn.Sequential(
        nn.Conv2d(3, 96, 3, padding=1, bias=False), norm(96), nn.SiLU(), Inverted(96, 256, norm, 2),
        Inverted(96, 256, norm), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 64),
    )  # fmt: skip


NORMS = {"by the batch": nn.BatchNorm2d, "by all channels": lambda width: nn.GroupNorm(1, width)}


@pytest.mark.parametrize("name", NORMS)
def test_gradients_of_inverted_bottlenecks(name):
    torch.manual_seed(0)
    found = report(mobile(NORMS[name]), torch.randn(4, 3, 4, 4), draws=12)
    assert found.graph.coverage == 1 and found.agrees, str(found)
    logs = {one.name: math.log(one.g_measured / one.g_predicted) for one in found.layers}
    assert max(map(abs, logs.values())) < 0.13, logs


def predicted(module, x):
    found = opened(module, (x,))
    walk = Walk(
        found.program, pooled([dict(found.numbers.state)], found.numbers), found.example, lambda *_: None, {},
        Samples(256),
    ).go()  # fmt: skip
    back = gradients(walk, {})
    return walk, {step.op if step.op != "conv2d" else step.key: back.g.get(step.key) for step in found.program.steps}


def test_a_filter_of_one_number_in_front_of_a_normalisation_changes_no_gradient():
    """The batch's deviation divides by that number again, except for its sign: exactly the network without it."""
    torch.manual_seed(0)
    x, norm = torch.randn(12, 3, 1, 1), nn.BatchNorm2d(256, eps=0.0)
    ends = nn.Conv2d(3, 256, 1), nn.SiLU(), nn.Conv2d(256, 64, 1)
    single = nn.Conv2d(256, 256, 1, groups=256, bias=False)
    _, without = predicted(nn.Sequential(*ends[:2], norm, ends[2]), x)
    walk, given = predicted(nn.Sequential(*ends[:2], single, norm, ends[2]), x)
    assert math.isclose(given["silu"], without["silu"], rel_tol=0.03)
    assert math.isclose(given["conv2d"], without["conv2d"], rel_tol=0.03)
    # in front of the normalisation itself most is of filters near zero: a mean that does not exist is not predicted
    assert given["conv2d_1"] is None
    assert any("heavy tails" in done.why for done in walk.done.values())


def test_samples_of_filters_are_the_same_for_any_count():
    """Strides change how many samples are taken; those of the filter still belong to those of the unit."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 64, 1), nn.SiLU(), nn.Conv2d(64, 64, 3, 2, 1, groups=64), nn.SiLU(), nn.Conv2d(64, 8, 1)
    )
    walk, _ = predicted(module, torch.randn(8, 3, 6, 6))
    (done,) = [one for one in walk.done.values() if one.own]
    many, fewer = done.value.draw(Samples(72)), done.value.draw(Samples(288))
    assert len(many) > len(fewer) and np.allclose(many[: len(fewer)], fewer)
