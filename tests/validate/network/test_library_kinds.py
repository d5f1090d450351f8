"""Kinds of networks that libraries build, in small: gates on shortcuts, dense nets, maxima, masks drawn as they run."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.numerics import residual
from widelimit.validate.network import ModuleError, from_torch, read, report
from widelimit.validate.network.graph.backward import gradients
from widelimit.validate.network.graph.reading import opened
from widelimit.validate.network.graph.states import Samples
from widelimit.validate.network.graph.walking import Walk
from widelimit.validate.network.graph.weights import pooled


class Reflected(nn.Module):
    """x = relu(x + norm(linear)), the form of ResNets of the first kind; branches read the input, not x."""

    def __init__(self, width, blocks):
        super().__init__()
        self.inner = nn.ModuleList(nn.Linear(32, width, bias=False) for _ in range(blocks + 1))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(blocks + 1))

    def forward(self, x):
        out = 0
        for layer, norm in zip(self.inner, self.norms, strict=True):
            out = torch.relu(out + norm(layer(x)))
        return out


def walked_back(module, *example):
    found = opened(module, example)
    walk = Walk(
        found.program, pooled([dict(found.numbers.state)], found.numbers), found.example, lambda *_: None, {},
        Samples(256),
    ).go()  # fmt: skip
    return found, gradients(walk, {})


def test_a_shortcut_stays_open_with_the_probability_of_a_reflected_walk():
    torch.manual_seed(0)
    found, back = walked_back(Reflected(64, 6), torch.randn(64, 32))
    given = [back.g[step.key] for step in found.program.steps if step.op == "relu"]
    law = residual.post_activation(6)
    assert np.allclose(given, law.open[:, 6], rtol=0.02)
    independent = [*np.cumprod(1 - law.zeros[:0:-1])[::-1], 1.0]
    assert not np.allclose(given, independent, rtol=0.1)  # the gates of one unit are not independent


class Dense(nn.Module):
    """Each layer reads all before it, behind a normalisation of each unit by the batch, as dense nets do."""

    def __init__(self, width, layers):
        super().__init__()
        self.stem = nn.Linear(48, width)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width * (k + 1)) for k in range(layers))
        self.inner = nn.ModuleList(nn.Linear(width * (k + 1), width) for k in range(layers))
        self.out = nn.Linear(width * (layers + 1), 64)

    def forward(self, x):
        x = 2 * torch.relu(self.stem(x))
        for norm, layer in zip(self.norms, self.inner, strict=True):
            x = torch.cat([x, layer(torch.relu(norm(x)))], 1)
        return self.out(x)


class Stochastic(nn.Module):
    """Branches that are dropped for whole inputs, with the mask drawn in place."""

    def __init__(self, width):
        super().__init__()
        self.stem, self.inner = nn.Linear(32, width), nn.ModuleList(nn.Linear(width, width) for _ in range(2))

    def forward(self, x):
        x = self.stem(x)
        for layer in self.inner:
            kept = x.new_empty((x.shape[0], 1)).bernoulli_(0.75).div_(0.75)
            x = x + kept * layer(torch.tanh(x))
        return x


class Written(nn.Module):
    """Attention written out, with a mask of numbers that is filled in place and added to the logits."""

    def __init__(self, width):
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.drop = nn.Dropout(0.0)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = (one.view(n, t, 8, d // 8).transpose(1, 2) for one in self.qkv(x).chunk(3, -1))
        mask = x.new_zeros(t, t)
        for one in range(t):
            mask[one, one + 1 :] = -torch.inf
        shares = torch.softmax(q @ k.transpose(-1, -2) / (d // 8) ** 0.5 + mask, -1)
        return self.out((self.drop(shares) @ v).transpose(1, 2).reshape(n, t, d))


def maxima():
    return nn.Sequential(
        nn.Conv2d(3, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(128, 128, 3, padding=1),
        nn.BatchNorm2d(128), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(128, 256, 2), nn.ReLU(), nn.Flatten(),
        nn.Linear(256, 64),
    )  # fmt: skip


def few():
    """Batch norms of eight numbers a unit, whose slopes and statistics are not independent."""
    layers = [nn.Linear(60, 256), nn.BatchNorm1d(256), nn.Hardswish()]
    for _ in range(2):
        layers += [nn.Linear(256, 256), nn.BatchNorm1d(256), nn.Hardswish()]
    return nn.Sequential(*layers, nn.Linear(256, 64))


def twice():
    """Two normalisations of ten numbers a unit with an activation between and no weights: one unit all the way."""
    layers = []
    for width in (60, 512, 512):
        layers += [nn.Linear(width, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.BatchNorm1d(512), nn.SiLU()]
    return nn.Sequential(*layers, nn.Linear(512, 256))


NETS = {
    "few": (few, (8, 60)),
    "twice": (twice, (10, 60)),
    "reflected": (lambda: nn.Sequential(Reflected(256, 4), nn.Linear(256, 64)), (64, 32)),
    "dense": (lambda: Dense(128, 3), (48, 48)),
    "stochastic": (lambda: Stochastic(256), (24, 32)),
    "written": (lambda: Written(256), (3, 6, 256)),
    "maxima": (maxima, (12, 3, 8, 8)),
}


@pytest.mark.parametrize("name", NETS)
def test_small_ones_of_each_kind(name):
    make, shape = NETS[name]
    torch.manual_seed(1)
    found = report(make(), torch.randn(shape), draws=12)
    assert found.graph.coverage == 1 and found.agrees, str(found)
    logs = [math.log(one.g_measured / one.g_predicted) for one in found.layers if one.g_predicted > 0]
    assert len(logs) > 2 and max(map(abs, logs)) < 0.13, str(found)


def test_what_is_drawn_as_a_module_runs_is_no_fixed_number():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(16, 64)

        def forward(self, x):
            return self.inner(x) * torch.rand(x.shape[0], 1)

    found = read(Noisy(), torch.randn(4, 16))
    (node,) = [one for one in found.nodes if one.op == "mul"]
    assert node.rule == "measured" and "rand draws as the module runs" in node.why


def test_gradients_through_a_batch_of_two_numbers_are_measured():
    module = nn.Sequential(nn.Linear(16, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64))
    found = report(module, torch.randn(2, 16), draws=4)
    first, norm = found.layers[:2]
    assert math.isnan(first.g_predicted) and first.g_measured > 0 and "heavy tails" in norm.why


def test_parts_of_units_with_heavy_tails_are_measured_and_gone_through_unit_by_unit():
    torch.manual_seed(0)
    found = report(Dense(256, 3), torch.randn(4, 48), draws=12)
    joined = [one for one in found.layers if one.op == "cat"]
    assert len(joined) == 3 and all(math.isnan(one.g_predicted) for one in joined[:2])  # a norm reads them
    norms = [one for one in found.layers if one.op == "batch_norm"]
    assert all("heavy tails, which are measured" in one.why for one in norms[1:])
    for one in found.layers:
        if not math.isnan(one.g_predicted):
            error = abs(math.log(one.g_measured / one.g_predicted))
            assert error < 0.05 + 3 * one.g_error / one.g_measured, (one.name, error)


def test_what_reads_few_units_has_larger_gradients_in_front_of_its_norm_alone():
    """Variances of n terms scatter: E 1/sigma^2 = n/(n - 2); the weights in front take it away, as they made it."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(32, 8, 1, bias=False), nn.BatchNorm2d(8), nn.Conv2d(8, 256, 1, bias=False), nn.BatchNorm2d(256),
        nn.SiLU(), nn.Conv2d(256, 64, 1),
    )  # fmt: skip
    for one in (module[0], module[2]):
        nn.init.normal_(one.weight, std=one.weight[0].numel() ** -0.5)
    found = report(module, torch.randn(6, 32, 8, 8), draws=12)
    ratio = {one.name: one.g_measured / one.g_predicted for one in found.layers}
    assert abs(ratio["2"] - 8 / 6) < 0.1 and abs(ratio["1"] - 1) < 0.1 and abs(ratio["0"] - 1) < 0.1
    assert any("Layers of 8 units, as 0, are narrow" in one and "2/n" in one for one in found.warnings)


def test_a_mask_has_no_kernel_and_is_named():
    with pytest.raises(
        ModuleError, match=r"Layer 'mul'.* a mask that is drawn as the module runs .*call eval"
    ):
        from_torch(Stochastic(64), example=torch.randn(4, 32), weights="as_if_random")


def test_masks_that_kept_everything_are_no_disagreement():
    """Draws that keep all inputs give equal numbers, 11 per cent off the mean: their scatter says nothing."""

    class Kept(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(16, 256)

        def forward(self, x):
            return self.inner(x) * x.new_empty((x.shape[0], 1)).bernoulli_(0.9).div_(0.9)

    torch.manual_seed(0)
    found = report(Kept(), torch.randn(2, 16), draws=4, seed=1)
    (mask,) = [one for one in found.layers if one.op == "mul"]
    assert mask.q_error >= math.sqrt(0.1 / 0.9 / 2) / 2 * mask.q_predicted and found.agrees


def test_masks_make_sums_and_gradients_scatter_by_their_shares():
    """A branch of which one of two inputs may be lost: behind the sum by its share of the squares, in front wholly."""

    class Kept(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.inner, self.out = nn.Linear(16, 256), nn.Linear(256, 256), nn.Linear(256, 64)
            self.norm = nn.LayerNorm(256)

        def forward(self, x):
            x = self.stem(x)
            x = x + self.inner(x) * x.new_empty((x.shape[0], 1)).bernoulli_(0.9).div_(0.9)
            return self.out(self.norm(x))

    torch.manual_seed(0)
    module, x = Kept(), torch.randn(2, 16)
    found = report(module, x, draws=4, seed=1)
    held = {one.name: one for one in found.layers}
    mask, total = (next(one for one in found.layers if one.op == op) for op in ("mul", "add"))
    one = math.sqrt(0.1 / 0.9 / 2)  # of means over two inputs in one draw
    assert total.q_error >= one / 2 * mask.q_predicted * (1 - 1e-9)
    assert held["norm"].q_error < 1e-5 and found.agrees
    scatter = walked_back(module, x)[1].scatter
    normed = one * mask.q_predicted / total.q_predicted  # the normalisation divides by what the mask leaves
    share = total.g_predicted * held["inner"].chi * mask.chi / held["stem"].g_predicted
    assert math.isclose(scatter[held["inner"].key], (one - normed) ** 2, rel_tol=0.01)
    assert math.isclose(scatter[held["stem"].key], (one * share - normed) ** 2, rel_tol=0.01)


def test_a_token_that_is_expanded_to_all_inputs_is_the_same_in_each():
    class Classed(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.inner = nn.Parameter(torch.randn(1, 1, 256)), nn.Linear(256, 256)

        def forward(self, x):
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
            return self.inner(x)[:, 0]

    torch.manual_seed(0)
    found = report(Classed(), torch.randn(3, 4, 256), draws=4)
    (layer,) = [one for one in found.layers if one.op == "linear"]
    # 3 pairs of 15 positions' 105 are of one token with itself
    assert (
        layer.method == "derived" and layer.rho_predicted == pytest.approx(3 / 105, abs=0.01) and found.agrees
    )
