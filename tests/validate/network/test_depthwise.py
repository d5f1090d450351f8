"""Depthwise filters mix no units: slopes and statistics behind them know the filter and the unit in front."""

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


def of_all(width):
    return nn.GroupNorm(1, width)


NETS = {  # normalisation, inputs, size of the image, whether gradients behind some filters have heavy tails
    "by the batch": (nn.BatchNorm2d, 4, 4, False),
    "by a small batch": (nn.BatchNorm2d, 8, 2, True),
    "by all channels": (of_all, 4, 4, False),
}


@pytest.mark.parametrize("name", NETS)
def test_gradients_of_inverted_bottlenecks(name):
    """Within 5 per cent and three standard errors. With filters taken for independent: off by up to 3.8 in ln."""
    norm, batch, size, heavy = NETS[name]
    torch.manual_seed(0)
    found = report(mobile(norm), torch.randn(batch, 3, size, size), draws=12)
    assert found.graph.coverage == 1 and found.agrees, str(found)
    held = [one for one in found.layers if not math.isnan(one.g_predicted)]
    for one in held:
        error = abs(math.log(one.g_measured / one.g_predicted))
        assert error < 0.05 + 3 * one.g_error / one.g_measured, (one.name, error)
    measured = [one.name for one in found.layers if math.isnan(one.g_predicted)]
    assert measured == (["3.filters", "4.filters"] if heavy else [])
    said = [one.name for one in found.layers if "heavy tails" in one.why]
    assert said == (["3.norm2", "4.norm2"] if heavy else [])


def predicted(module, x):
    found = opened(module, (x,))
    walk = Walk(
        found.program, pooled([dict(found.numbers.state)], found.numbers), found.example, lambda *_: None, {},
        Samples(256),
    ).go()  # fmt: skip
    back = gradients(walk, {})
    return walk, {
        step.op if step.op != "conv2d" else step.key: back.g.get(step.key) for step in found.program.steps
    }


def test_a_filter_of_one_number_in_front_of_a_normalisation_changes_no_gradient():
    """The batch's deviation divides by that number again, except for its sign: as without it, which torch runs here."""
    torch.manual_seed(0)
    x = torch.randn(12, 32, 1, 1)
    module = nn.Sequential(
        nn.Conv2d(32, 256, 1, bias=False), nn.SiLU(), nn.Conv2d(256, 256, 1, groups=256, bias=False),
        nn.BatchNorm2d(256, eps=1e-12), nn.Conv2d(256, 64, 1),
    )  # fmt: skip
    walk, given = predicted(module, x)
    # 20,000 units of as many weights of the same variance, and gradients of the variance that the last weights give
    rows, weights = x.flatten(1).double(), module[0].weight.double()
    u = torch.randn(20000, 32, dtype=torch.float64) * weights.square().mean().sqrt() @ rows.T
    y = F.silu(u.requires_grad_())
    out = F.batch_norm(y.T, None, None, training=True, eps=1e-12)
    cotangents = (
        torch.randn(out.shape, dtype=torch.float64) * (64 * module[4].weight.double().square().mean()).sqrt()
    )
    found = torch.autograd.grad(out, (y, u), cotangents)
    assert math.isclose(given["silu"], found[0].square().mean(), rel_tol=0.02)
    assert math.isclose(given["conv2d"], found[1].square().mean(), rel_tol=0.02)
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
