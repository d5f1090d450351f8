"""`from_torch` on modules with a forward of their own: kernels of graphs against finite networks and closed forms."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from widelimit.numerics.architecture import kernels
from widelimit.numerics.kernel import nngp_ntk
from widelimit.theory.architecture import Act, AveragePool, Concatenate, Convolution, Dense, RMSNorm
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate.network import from_torch
from widelimit.validate.network.walk import ModuleError

SCALES = {"sigma_w": 1.3, "sigma_b": 0.3}


class Projected(nn.Module):
    """RMSNorm in front of a branch, a projection beside it, a shortcut scaled by a number."""

    def __init__(self, n):
        super().__init__()
        self.stem, self.up, self.down = nn.Linear(6, n), nn.Linear(n, 2 * n), nn.Linear(2 * n, n)
        self.side, self.last, self.head = nn.Linear(n, n), nn.Linear(n, n), nn.Linear(n, 1)
        self.norm, self.late = nn.RMSNorm(n), nn.LayerNorm(n, elementwise_affine=False)

    def forward(self, x):
        x = self.stem(x)
        x = self.side(x) + self.down(torch.tanh(self.up(self.norm(x))))
        x = x - 0.5 * self.last(F.silu(self.late(x)))
        return self.head(x * torch.sigmoid(1.702 * x))


class Dense2(nn.Module):
    """DenseNet-like: units side by side, batch normalisation by kept statistics, stride, dilation, average pools."""

    def __init__(self, n):
        super().__init__()
        self.stem = nn.Conv2d(2, n, 3, stride=(1, 2), padding=1)
        self.one = nn.Conv2d(n, n, 3, padding=2, dilation=2, padding_mode="replicate")
        self.two, self.head = nn.Conv2d(2 * n, n, 2, padding=1), nn.Linear(2 * n, 1)
        self.bn1, self.bn2 = nn.BatchNorm2d(n), nn.BatchNorm2d(2 * n)
        self.pool = nn.AvgPool2d(2, padding=1, stride=1)
        self.eval()

    def forward(self, x):
        x = self.stem(x)
        x = torch.cat([x, self.one(F.relu(self.bn1(x)))], 1)
        x = self.two(F.avg_pool2d(F.relu(self.bn2(x)), 2, 1))
        x = torch.cat([self.pool(x), self.pool(torch.relu(x))], dim=1)
        return self.head(x.mean((2, 3)))


class NextBlock(nn.Module):
    """ConvNeXt: depthwise filters, LayerNorm of every position, pointwise layers on the last axis, a frozen gain."""

    def __init__(self, n):
        super().__init__()
        self.stem, self.depthwise = nn.Conv2d(2, n, 2, stride=2), nn.Conv2d(n, n, 3, padding=1, groups=n)
        self.norm = nn.LayerNorm(n, eps=0.1)
        self.wide, self.back, self.head = nn.Linear(n, 2 * n), nn.Linear(2 * n, n), nn.Linear(4 * n, 1)
        self.gamma = nn.Parameter(0.7 * torch.ones(n), requires_grad=False)

    def forward(self, x):
        x = self.stem(x)
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.gamma * self.back(F.gelu(self.wide(y)))
        x = x + y.permute(0, 3, 1, 2)
        return self.head(F.adaptive_avg_pool2d(x, (2, 2)).flatten(1))


class Tokens(nn.Module):
    """A network on tokens whose units are the last axis, averaged over positions."""

    def __init__(self, n):
        super().__init__()
        self.one, self.two, self.head = nn.Linear(5, n), nn.Linear(n, n), nn.Linear(n, 1)
        self.norm = nn.LayerNorm(n)

    def forward(self, x):
        x = self.one(x)
        return self.head((x + self.two(torch.relu(self.norm(x)))).mean(1))


class FirstKind(nn.Module):
    """A residual network of the first kind: maxima behind the stem, an activation behind every sum, a projection."""

    def __init__(self, n):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(2, n, 3, padding=1), nn.BatchNorm2d(n)
        self.one, self.two = nn.Conv2d(n, n, 3, padding=1), nn.Conv2d(n, n, 3, padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) for _ in range(3))
        self.three, self.four, self.past = (
            nn.Conv2d(n, n, k, stride=s, padding=k // 2) for k, s in ((3, 2), (3, 1), (1, 2))
        )
        self.head = nn.Linear(n, 1)
        self.eval()

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 3, 2, 1)
        x = F.relu(x + self.norms[0](self.two(F.relu(self.one(x)))))
        x = F.relu(self.norms[1](self.past(x)) + self.norms[2](self.four(F.relu(self.three(x)))))
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


NETWORKS = {
    "first kind": (FirstKind, (2, 6, 5)),
    "projected": (Projected, (6,)), "dense": (Dense2, (2, 4, 5)), "next": (NextBlock, (2, 6, 4)),
    "tokens": (Tokens, (3, 5)),
}  # fmt: skip


def empirical(kind, x, width, count, scales=SCALES):
    """NNGP and tangent kernels of finite networks, of derivatives by standard-normal weights."""
    found, points = [], torch.tensor(x)
    for seed in range(count):
        torch.manual_seed(seed)
        module = kind(width).double()
        factors, parameters, variance = [], [], 0.0
        for layer in module.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                scale = scales["sigma_w"] / math.sqrt(layer.weight[0].numel())
                nn.init.normal_(layer.weight, std=scale)
                nn.init.normal_(layer.bias, std=scales["sigma_b"])
                factors += [scale, scales["sigma_b"]]
                parameters += [layer.weight, layer.bias]
            elif (own := [one for one in layer.parameters(recurse=False) if one.requires_grad]) and own:
                factors += [1.0] * len(own)
                parameters += own
        held = []
        module.head.register_forward_pre_hook(lambda _, given, held=held: held.append(given[0].detach()))
        out = module(points)[:, 0]
        rows = [torch.autograd.grad(one, parameters, retain_graph=True) for one in out]
        jacobian = torch.stack(
            [torch.cat([f * g.reshape(-1) for f, g in zip(factors, row, strict=True)]) for row in rows]
        )
        (below,) = held
        variance = scales["sigma_w"] ** 2 * below @ below.T / below.shape[1] + scales["sigma_b"] ** 2
        found.append(np.array([variance.numpy(), (jacobian @ jacobian.T).numpy()]))
    return np.array(found)


@pytest.mark.parametrize("name", NETWORKS)
def test_kernels_of_graphs_are_those_of_wide_modules(name):
    kind, shape = NETWORKS[name]
    x = np.random.default_rng(1).standard_normal((2, *shape))
    torch.manual_seed(0)
    read = from_torch(kind(64).double(), example=torch.tensor(x), **SCALES)
    theory = np.array([read.kernels(x).nngp, read.kernels(x).ntk])
    width, count = 64, 24
    sample = empirical(kind, x, width, count)
    error = sample.std(axis=0, ddof=1) / math.sqrt(count)
    size = np.abs(theory).max(axis=(1, 2), keepdims=True)
    assert (np.abs(sample.mean(axis=0) - theory) < 4.5 * error + 2.0 / width * size).all()


def test_what_is_read_of_graphs():
    x = torch.randn(2, 2, 4, 5)
    net = from_torch(Dense2(64), example=x, **SCALES)
    held = list(net.architecture)
    assert net.architecture.inputs is not None and net.features == 2 and net.positions is None
    assert sum(isinstance(one, Concatenate) for one in held) >= 2
    pools = [one for one in held if isinstance(one, AveragePool)]
    assert [(one.size, one.stride, one.pad) for one in pools[:2]] == [(2, 1, 0), (2, 1, 1)]
    convolutions = [one for one in held if isinstance(one, Convolution)]
    assert [(one.size, one.stride, one.pads, one.padding, one.dilation) for one in convolutions] == [
        (3, (1, 2), (1, 1), "zeros", 1), (3, 1, (2, 2), "replicate", 2), (2, 1, (1, 1), "zeros", 1),
    ]  # fmt: skip
    assert any(isinstance(one, RMSNorm) and one.affine for one in from_torch(
        Projected(64), example=torch.randn(2, 6)).architecture)  # fmt: skip
    tokens = from_torch(Tokens(64), example=torch.randn(2, 3, 5))
    assert tokens.units_last and tokens.features == 5


def test_a_pre_activation_network_by_hand():
    """K = 2 (K_0 + relu part), Theta from the rules, by arc-cosine formulas written here."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.out = nn.Linear(4, 64), nn.Linear(64, 64), nn.Linear(64, 1)

        def forward(self, x):
            x = self.one(x)
            return self.out(x + self.two(F.relu(x)))

    x = np.array([[1.0, 0.5, -0.3, 0.1], [0.2, -1.0, 0.8, 0.4]])
    got = from_torch(Net(), example=torch.tensor(x, dtype=torch.float32), sigma_w=1.5, sigma_b=0.0).kernels(x)
    k0 = 1.5**2 * x @ x.T / 4
    root = np.sqrt(np.outer(np.diag(k0), np.diag(k0)))
    angle = np.arccos(np.clip(k0 / root, -1, 1))
    t = root * (np.sin(angle) + (math.pi - angle) * np.cos(angle)) / (2 * math.pi)
    tdot = (math.pi - angle) / (2 * math.pi)
    branch, of_branch = 2.25 * t, 2.25 * t + 2.25 * tdot * k0
    nngp = 2.25 * (k0 + branch)
    assert np.allclose(got.nngp, nngp, rtol=1e-10)
    assert np.allclose(got.ntk, nngp + 2.25 * (k0 + of_branch), rtol=1e-10)


def test_a_sequence_is_read_the_same_with_and_without_an_example():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 1))
    x = torch.randn(3, 6)
    one, two = from_torch(module), from_torch(module, example=x)
    assert one.architecture == two.architecture and one.notes == two.notes

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, x):
            return self.inner(x)

    third = from_torch(Own(), example=x)
    assert third.architecture == one.architecture and third.widths == one.widths
    exact = nngp_ntk(x.numpy(), activation="gelu", sigma_w=1.4, sigma_b=0.2, depth=2)
    declared = from_torch(Own(), example=x, sigma_w=1.4, sigma_b=0.2).kernels(x)
    assert np.allclose(declared.ntk, exact.ntk, rtol=1e-9)


class Adds(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.one, self.two, self.out = nn.Linear(6, 64), nn.Linear(64, 64), nn.Linear(64, 1)
        self.how, self.gain = how, nn.Parameter(torch.full((64,), 0.5))

    def forward(self, x):
        return self.out(self.how(self, self.one(x)))


@pytest.mark.parametrize(
    ("how", "match"),
    [
        (
            lambda m, h: F.relu(F.dropout(F.relu(h)) + m.two(h)),
            r"Layer 'relu 2'.* law of its inputs is not known",
        ),
        (lambda m, h: m.two(F.relu(h)) + F.relu(m.two(F.relu(h))), "weights are those of layer 'two"),
        (lambda m, h: F.max_pool1d(h, 2).repeat(1, 2), "reads no positions"),
        (lambda m, h: h * m.gain, r"Layer 'mul' .* gains that start at 0.5 are trained"),
        (lambda m, h: F.softmax(h, dim=-1), "a softmax, of attention or of gates, has no kernel"),
        (lambda m, h: h * F.relu(m.two(h)), "a product of units"),
        (lambda m, h: F.relu(h) + F.layer_norm(F.relu(h), (64,)), "adds tensors that are correlated"),
        (lambda m, h: F.normalize(h), "no rule for its kernels"),
    ],
)
def test_what_has_no_kernel_is_refused_by_name(how, match):
    with pytest.raises(ModuleError, match=match):
        from_torch(Adds(how), example=torch.randn(2, 6), weights="as_if_random")


def test_a_gain_that_meets_a_sum_in_front_of_an_activation_is_refused():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.out = nn.Linear(6, 64), nn.Linear(64, 64), nn.Linear(64, 1)
            self.norm = nn.LayerNorm(64)

        def forward(self, x):
            x = self.norm(self.one(x))
            return self.out(F.relu(x + self.two(x)))

    x = torch.randn(2, 6)
    module = Net()
    with pytest.raises(DomainError, match="trained gain, but not at once"):
        from_torch(module, example=x).kernels(x)
    module.norm.requires_grad_(False)
    assert np.isfinite(from_torch(module, example=x).kernels(x).ntk).all()


def test_examples_that_are_none():
    module = Tokens(64)
    with pytest.raises(ModuleError, match="With `example`"):
        from_torch(module)
    for bad in (torch.zeros(2, 3, 5), "x", [], torch.full((2, 3, 5), math.nan)):
        with pytest.raises(ArgumentError, match="`example` must"):
            from_torch(module, example=bad)
    with pytest.raises(ArgumentError, match="`example` must be what the module runs on"):
        from_torch(module, example=torch.randn(2, 3, 4))
    with pytest.raises(ModuleError, match="one tensor of floating-point numbers"):
        from_torch(nn.Sequential(nn.Embedding(9, 64), nn.Linear(64, 1)), example=torch.ones(2, 3).long())


def test_dense_layers_behind_a_graph_are_the_layers_themselves():
    x = np.random.default_rng(0).standard_normal((3, 6))
    module = Projected(64)
    read = from_torch(module, example=torch.tensor(x, dtype=torch.float32), **SCALES)
    kinds = {type(one) for one in read.architecture}
    assert {Dense, Act, RMSNorm} < kinds
    assert np.allclose(read.kernels(x).ntk, kernels(read.architecture, x).ntk)
