"""What users' modules do that theory does not expect: each is read rightly, measured and said, or refused."""

import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from widelimit.theory.errors import ArgumentError
from widelimit.validate.network import read, report


class Net(nn.Module):
    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.run = forward

    def forward(self, *inputs):
        return self.run(self, *inputs)


def example(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def linear(read_, write, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + read_ + write)
        return nn.Linear(read_, write)


def test_a_module_that_changes_its_state_in_forward():
    def forward(self, x):
        self.steps += 1
        return self.fc(x) * self.steps

    net = Net(forward, fc=linear(16, 64))
    net.register_buffer("steps", torch.zeros(()))
    found = report(net, example(4, 16), draws=2)
    assert float(net.steps) == 0.0 and not math.isnan(found.layers[0].q_measured)


def test_a_module_whose_second_run_differs_is_told():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.runs = nn.Linear(16, 32), 0

        def forward(self, x):
            self.runs += 1
            return self.layer(x) * self.runs

    module = Counts()
    assert any("changes its own state" in note for note in read(module, torch.randn(4, 16)).notes)
    assert module.runs == 0
    for still in (nn.Dropout(0.5), nn.BatchNorm1d(16), nn.Identity()):
        assert not read(nn.Sequential(nn.Linear(8, 16), still), torch.randn(4, 8)).notes


def test_compiled_modules_and_complex_outputs_are_refused_by_name():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(nn.Sequential(nn.Linear(8, 16), nn.ReLU()))
    for module in (scripted, nn.Sequential(scripted, nn.Linear(16, 4))):
        with pytest.raises(ArgumentError, match=r"`module` must be the module itself, but is compiled"):
            read(module, torch.randn(2, 8))

    class Waves(nn.Linear):
        def forward(self, x):
            return torch.fft.rfft(super().forward(x))

    with pytest.raises(ArgumentError, match=r"gives torch.complex64"):
        read(Waves(8, 8), torch.randn(2, 8))


def test_what_goes_past_a_layer_is_no_part_of_a_chain():
    """One block of a transformer was called too deep: its branch was taken for the whole network."""
    report_ = report(nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), torch.randn(2, 6, 64), draws=4)
    assert report_.trainable and not report_.blocks

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(5))

        def forward(self, x):
            a, b, c, d, e = self.layers
            h = torch.tanh(a(x))
            h = h + c(torch.tanh(b(h)))
            return e(torch.tanh(d(h)))

    (part,) = report(Residual(), torch.randn(4, 64), draws=4).blocks
    assert part.layers == 3  # b, c and d, from a on


def test_a_module_that_changes_its_parameters_is_told():
    def forward(self, x):
        with torch.no_grad():
            self.fc.weight.mul_(0.5)
        return self.fc(x)

    net = Net(forward, fc=linear(16, 64))
    before = net.fc.weight.detach().clone()
    found = read(net, example(4, 16))
    assert torch.equal(net.fc.weight, before)
    assert any("changes its own parameters" in words for words in found.notes)


def test_outputs_that_are_no_tensor():
    net = Net(lambda self, x: {"n": 3, "a": self.fc(x), "b": x}, fc=linear(16, 64))
    found = report(net, example(4, 16), draws=2)
    assert any("first floating tensor" in words for words in found.warnings)
    with pytest.raises(ArgumentError, match="must give a tensor"):
        read(Net(lambda self, x: self.fc(x).argmax(), fc=linear(16, 64)), example(4, 16))


def test_numbers_that_are_not_finite_name_their_layer():
    net = Net(lambda self, x: self.b(torch.log(-self.a(x).abs())), a=linear(16, 64), b=linear(64, 3))
    with pytest.raises(ArgumentError, match=r"gives nan, first in layer 'b'"):
        read(net, example(4, 16))


def test_a_batch_of_one_gets_a_second_input():
    found = report(nn.Sequential(linear(16, 64), nn.Tanh()), example(1, 16), draws=2)
    assert any("a second one" in words for words in found.warnings)
    assert not math.isnan(found.layers[0].rho_predicted)


def test_one_token():
    layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
    found = report(layer, example(2, 1, 32), draws=2)
    assert not any(one.verdict == "disagrees" for one in found.layers), str(found)


def test_weights_equal_to_another_layers():
    one, two = linear(64, 64), nn.Linear(64, 64)
    two.load_state_dict(one.state_dict())
    found = read(nn.Sequential(one, nn.Tanh(), two), example(4, 64))
    assert found.copies == (("0", "2"),) and found.nodes[2].rule == "measured"


def test_a_layer_used_twice():
    net = Net(lambda self, x: self.fc(torch.tanh(self.fc(x))), fc=linear(64, 64))
    found = read(net, example(4, 64))
    assert [node.rule for node in found.nodes] == ["derived", "derived", "measured"]
    assert any("fc.weight" in group for group in found.shared)


def test_a_change_in_place_of_a_part_is_never_read_as_none():
    def forward(self, x):
        h = self.a(x)
        h[:, :32] = 0.0
        return self.b(h)

    found = report(Net(forward, a=linear(16, 64), b=linear(64, 8)), example(4, 16), draws=2)
    held = {one.op: one for one in found.layers}
    assert held["linear"].name and found.layers[-1].method == "measured"
    assert any("in place" in words for words in found.warnings)


def test_a_whole_change_in_place_is_its_functional_twin():
    def forward(self, x):
        h = self.a(x)
        h.mul_(2.0).add_(1.0)
        return self.b(F.relu_(h))

    found = report(Net(forward, a=linear(16, 128), b=linear(128, 8)), example(4, 16), draws=4)
    assert found.agrees and found.graph.coverage == 1.0, str(found)
    assert [one.op for one in found.layers] == ["linear", "mul", "add", "relu", "linear"]


@pytest.mark.parametrize(
    ("forward", "why"),
    [
        (lambda self, x: torch.softmax(self.a(x), -1), "softmax over units"),
        (lambda self, x: torch.sort(self.a(x))[0], "no rule for sort"),
        (lambda self, x: torch.fft.rfft(self.a(x)).abs(), "no rule"),
        (lambda self, x: self.a(x).topk(3)[0], "no rule for topk"),
        (lambda self, x: F.normalize(self.a(x), dim=-1), "no rule for"),
        (lambda self, x: self.a(x).cumsum(1), "no rule for cumsum"),
        (lambda self, x: self.a(x).mean(1), "an average of units that is random"),
    ],
)
def test_what_has_no_rule_is_measured_and_says_why(forward, why):
    found = read(Net(forward, a=linear(16, 64)), example(4, 16))
    assert found.nodes[0].rule == "derived"
    assert any(why in node.why for node in found.nodes if node.rule == "measured"), str(found)


def test_attention_as_einsum():
    def forward(self, x):
        b, t, d = x.shape
        q, k, v = (y.view(b, t, 4, d // 4) for y in self.qkv(x).chunk(3, dim=-1))
        s = torch.einsum("bihd,bjhd->bhij", q, k) * (d // 4) ** -0.5
        y = torch.einsum("bhij,bjhd->bihd", s.softmax(dim=-1), v)
        return torch.einsum("btd,dk->btk", y.reshape(b, t, d), self.out)

    net = Net(forward, qkv=linear(128, 384))
    net.out = nn.Parameter(torch.randn(128, 128, generator=torch.Generator().manual_seed(5)) / 128**0.5)
    found = report(net, example(2, 6, 128), draws=8)
    assert found.agrees and found.graph.coverage == 1.0, str(found)
    assert [one.op for one in found.layers] == ["linear", "einsum", "mul", "softmax", "einsum", "einsum"]


def test_hand_written_layer_norm():
    def forward(self, x):
        h = F.relu(self.a(x))
        centred = h - h.mean(-1, keepdim=True)
        return self.b(centred * torch.rsqrt(centred.pow(2).mean(-1, keepdim=True) + 1e-5))

    found = report(Net(forward, a=linear(16, 256), b=linear(256, 256)), example(4, 16), draws=8)
    assert found.agrees, str(found)
    assert found.layers[-1].q_predicted == pytest.approx(1 / 3 + 1 / (3 * 256), rel=0.02)


@pytest.mark.parametrize("gate", ["same", "independent"])
def test_products_of_one_tensor_and_of_two(gate):
    """E u^4 = 3 q^2 for u times u; q1 q2 for two independent ones."""

    def forward(self, x):
        h = self.a(x)
        return self.c(h * (h if gate == "same" else self.b(x)))

    net = Net(forward, a=linear(16, 512), b=linear(16, 512, 1), c=linear(512, 64))
    found = report(net, example(4, 16), draws=4, gradients=False)
    product = next(one.q_predicted for one in found.layers if one.op == "mul")
    squares = np.diagonal((example(4, 16) @ example(4, 16).T).double().numpy()) / 16
    if gate == "same":
        w = float(net.a.weight.detach().double().square().mean()) * 16
        b = float(net.a.bias.detach().double().square().mean())
        assert product == pytest.approx(float(np.mean(3 * (w * squares + b) ** 2)), rel=1e-6)
    else:
        scales = [float(one.weight.detach().double().square().mean()) * 16 for one in (net.a, net.b)]
        shifts = [float(one.bias.detach().double().square().mean()) for one in (net.a, net.b)]
        both = np.prod([s * squares + b for s, b in zip(scales, shifts, strict=True)], axis=0)
        assert product == pytest.approx(float(np.mean(both)), rel=1e-6)
    assert found.agrees, str(found)
