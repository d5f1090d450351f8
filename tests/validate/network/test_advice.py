"""Advice: right numbers, nothing touched that must not be, code that does what `apply` does, and an honest proof."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.theory.errors import ArgumentError
from widelimit.validate.network import Advice, advise, report
from widelimit.validate.network.advice_proof import _judged


def deep(activation, layers=12, width=64):
    parts = [part for _ in range(layers) for part in (nn.Linear(width, width), activation())]
    return nn.Sequential(*parts, nn.Linear(width, 10))


class Residual(nn.Module):
    def __init__(self, blocks=6, width=64):
        super().__init__()
        self.inner = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.outer = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        for layer in (*self.inner, *self.outer):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, x):
        for inner, outer in zip(self.inner, self.outer, strict=True):
            x = x + outer(torch.relu(inner(x)))
        return x


def scale(weight):
    return float((weight.detach().double().square().mean() * weight[0].numel()).sqrt())


def advised(module, *example, depth=None):
    return advise(report(module, *example, draws=2, seed=1), depth)


@pytest.fixture(scope="module")
def relu():
    torch.manual_seed(0)
    module = deep(nn.ReLU)
    return module, advised(module, torch.randn(4, 64))


def test_gain_of_relu(relu):
    module, found = relu
    before = copy.deepcopy(module.state_dict())
    changed = found.apply(module)
    assert all(torch.equal(one, before[name]) for name, one in module.state_dict().items())  # a copy
    assert [one.what for one in found.changes] == ["gain"]
    for index in range(2, 24, 2):
        assert scale(changed[index].weight) == pytest.approx(math.sqrt(2), rel=1e-5)
        assert not changed[index].bias.any()
    assert torch.equal(changed[24].weight, module[24].weight)  # the head
    assert "6 layers" not in found.changes[0].target and "11 layers behind relu" in found.changes[0].target


def test_predicted_effect_is_the_product_of_the_layers(relu):
    module, found = relu
    product = math.prod(scale(module[index].weight) ** 2 / 2 for index in range(2, 24, 2))
    assert f"change by {product:.2g}"[:12] in found.changes[0].effect


def test_code_does_the_same_with_torch_alone(relu):
    module, found = relu
    source = found.code()
    assert "widelimit" not in source
    space = {}
    exec(source, space)
    other = space["init_"](copy.deepcopy(module))
    for one, two in zip(found.apply(module).parameters(), other.parameters(), strict=True):
        assert torch.allclose(one, two, rtol=1e-6)


def test_twice_is_once(relu):
    module, found = relu
    once = found.apply(module)
    twice = found.apply(found.apply(once), copy=False)
    for one, two in zip(once.parameters(), twice.parameters(), strict=True):
        assert torch.allclose(one, two, rtol=1e-5)


def test_the_difference_is_shown_before_it_is_made(relu):
    _, found = relu
    rows = found.diff().splitlines()
    assert (
        rows[0].startswith("# gain")
        and "- 2.weight: sigma_w 0.5" in rows[1]
        and rows[2] == "+ 2.weight: sigma_w 1.414"
    )


def test_tanh_is_put_on_its_edge():
    torch.manual_seed(0)
    module = deep(nn.Tanh)
    changed = advised(module, torch.randn(4, 64)).apply(module)
    assert scale(changed[4].weight) ** 2 == pytest.approx(1.04, abs=0.02)
    assert scale(changed[0].weight) < scale(module[0].weight)  # units enter where tanh is nearly linear


def test_good_networks_are_left_alone():
    torch.manual_seed(0)
    module = deep(nn.ReLU)
    for layer in module:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    assert not [one for one in advised(module, torch.randn(4, 64)).changes if one.what == "gain"]


def test_branches_are_scaled_by_their_number():
    torch.manual_seed(0)
    module = Residual()
    found = advised(module, torch.randn(4, 64))
    assert found.changes[0].what == "residual scale"
    changed = found.apply(module)
    for one, two in zip(changed.outer, module.outer, strict=True):
        assert scale(one.weight) == pytest.approx(scale(two.weight) / math.sqrt(6), rel=1e-3)
    assert torch.equal(changed.inner[2].weight, module.inner[2].weight)


def test_copied_layers_are_drawn_anew():
    torch.manual_seed(0)
    module = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True), 3)
    found = advised(module, torch.randn(2, 6, 32))
    assert found.changes[0].what == "fresh draws"
    changed = found.apply(module)
    first, second = changed.layers[0].linear1.weight, changed.layers[1].linear1.weight
    assert torch.equal(first, module.layers[0].linear1.weight) and not torch.equal(first, second)
    assert torch.equal(first.flatten().sort().values, second.flatten().sort().values)
    again = found.apply(changed)
    assert torch.equal(again.layers[1].linear1.weight, second)
    assert any(one.what == "Pre-LN" and not one.actions for one in found.changes)


class Heads(nn.Module):
    """Attention with layers of its own for queries and keys, or one for both and values."""

    def __init__(self, square, packed=False, d=128, heads=4):
        super().__init__()
        self.heads, self.packed, self.norm = heads, packed, nn.LayerNorm(d)
        self.read = nn.ModuleList([nn.Linear(d, 3 * d)] if packed else [nn.Linear(d, d) for _ in range(3)])
        for one in self.read:
            nn.init.normal_(one.weight, std=(square / d) ** 0.5)
            nn.init.zeros_(one.bias)

    def sides(self, x):
        x = self.norm(x)
        parts = self.read[0](x).chunk(3, -1) if self.packed else [one(x) for one in self.read]
        return [part.view(*x.shape[:2], self.heads, -1).transpose(1, 2) for part in parts]

    def forward(self, x):
        y = nn.functional.scaled_dot_product_attention(*self.sides(x))
        return x + y.transpose(1, 2).reshape(x.shape)

    @torch.no_grad()
    def scatter(self, x):
        """Standard deviation of logits about the mean of their row."""
        q, k, _ = self.sides(x)
        s = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        return float((s - s.mean(-1, keepdim=True)).square().mean() * s.shape[-1] / (s.shape[-1] - 1)) ** 0.5


@pytest.fixture
def words():
    return torch.randn(4, 12, 128, generator=torch.Generator().manual_seed(0))


def test_hot_attention_is_cooled(words):
    torch.manual_seed(0)
    module = Heads(3.0)
    edge = math.sqrt(2 * math.log(12))
    assert module.scatter(words) > edge / 2
    found = advised(module, words)
    change = next(one for one in found.changes if one.what == "temperature")
    said = float(change.before.rsplit(maxsplit=1)[-1])
    assert said == pytest.approx(module.scatter(words), rel=0.1)
    changed = found.apply(module)
    assert changed.scatter(words) == pytest.approx(edge / 4, rel=0.1)
    assert torch.equal(changed.read[2].weight, module.read[2].weight)  # values stay
    assert not [one for one in advised(changed, words).changes if one.what == "temperature"]


def test_cool_attention_is_left_alone(words):
    torch.manual_seed(0)
    assert not [one for one in advised(Heads(1.0), words).changes if one.what == "temperature"]


def test_packed_projections_are_cooled_by_hand(words):
    torch.manual_seed(0)
    found = advised(Heads(3.0, packed=True), words)
    change = next(one for one in found.changes if one.what == "temperature")
    assert not change.actions and "(by hand)" in str(change)


def test_trained_weights_are_left_alone():
    torch.manual_seed(0)
    module = deep(nn.ReLU)
    with torch.no_grad():
        u, v = torch.randn(2, 64)
        module[6].weight += 0.2 * torch.outer(u, v)
    found = advised(module, torch.randn(4, 64))
    assert "6.weight" not in {one.parameter for one in found.actions}
    assert torch.equal(found.apply(module)[6].weight, module[6].weight)


def test_depth_can_be_another_one():
    torch.manual_seed(0)
    module = deep(nn.Tanh, layers=4)
    found = advised(module, torch.randn(4, 64), depth=100)
    assert "Over 100 layers" in found.changes[0].effect
    shaping = next(one for one in found.changes if one.what == "shaping")
    assert "0.0904379" in shaping.after and "14.9025" in shaping.after


def test_bad_arguments(relu):
    module, found = relu
    for bad in (None, module, "report"):
        with pytest.raises(ArgumentError):
            advise(bad)
    with pytest.raises(ArgumentError):
        found.apply("module")
    with pytest.raises(ArgumentError, match="must have the parameter"):
        found.apply(nn.Linear(2, 2))
    with pytest.raises(ArgumentError):
        found.apply(module, copy="yes")
    for given in (
        {"data": "mnist"}, {"steps": 0}, {"rates": 0}, {"seeds": 1}, {"seeds": True}, {"factory": 3},
        {"factory": lambda: 3}, {"factory": lambda: 1 / 0}, {"factory": nn.Identity},
    ):  # fmt: skip
        with pytest.raises(ArgumentError):
            found.prove(**{"factory": lambda: deep(nn.ReLU), "steps": 1, "rates": 1, "seeds": 2, **given})


def test_a_proof_may_say_no_difference():
    curves = np.full((3, 30), 1.0) + np.arange(3)[:, None] * 0.1
    same = {"before": curves, "after": curves}
    accuracy = {"before": [0.5] * 3, "after": [0.5] * 3}
    assert _judged(same, (1e-3,), accuracy).verdict == "no difference"
    better = {"before": curves + 1 + np.array([[0.0], [0.01], [0.02]]), "after": curves}
    found = _judged(better, (1e-3,), accuracy)
    assert found.verdict == "helps" and found.low < found.difference < found.high
    assert found.difference == pytest.approx(1.01) and "helps" in str(found)


def test_a_proof_of_a_deep_network():
    torch.manual_seed(0)
    found = advised(deep(nn.ReLU, 10, 32), torch.randn(4, 32))
    proof = found.prove(lambda: deep(nn.ReLU, 10, 32), steps=30, rates=1, seeds=2)
    assert proof.before.shape == proof.after.shape == (2, 30)
    assert proof.after[:, -1].mean() < proof.before[:, -1].mean()


def test_nothing_to_say():
    assert str(Advice(())) == "Nothing to change." and "pass" in Advice(()).code()


DEFAULTS = [  # of torch, section 6 of the specification: module, parameter, sigma_w^2
    (lambda: nn.Linear(400, 300), "weight", 1 / 3),
    (lambda: nn.Conv2d(40, 60, 3), "weight", 1 / 3),
    (lambda: nn.LSTM(200, 200), "weight_hh_l0", 1 / 3),
    (lambda: nn.GRU(200, 200), "weight_ih_l0", 1 / 3),
    (lambda: nn.MultiheadAttention(128, 4), "in_proj_weight", 1 / 2),
    (lambda: nn.MultiheadAttention(256, 4), "out_proj.weight", 1 / 3),
    (
        lambda: nn.Transformer(64, 4, 1, 1, 128, batch_first=True),
        "encoder.layers.0.linear1.weight",
        2 * 64 / (64 + 128),
    ),
    (
        lambda: nn.Transformer(64, 4, 1, 1, 128, batch_first=True),
        "encoder.layers.0.linear2.weight",
        2 * 128 / (64 + 128),
    ),
    (lambda: nn.Embedding(300, 64), "weight", 64.0),
]


@pytest.mark.parametrize(("make", "name", "expected"), DEFAULTS)
def test_defaults_of_torch(make, name, expected):
    torch.manual_seed(0)
    weight = dict(make().named_parameters())[name]
    assert scale(weight) ** 2 == pytest.approx(expected, rel=0.03)


def test_biases_of_torch():
    torch.manual_seed(0)
    assert float(nn.Linear(40, 20_000).bias.detach().var()) == pytest.approx(1 / 120, rel=0.03)
    attention = nn.MultiheadAttention(32, 4)
    assert not attention.out_proj.bias.any() and not attention.in_proj_bias.any()
