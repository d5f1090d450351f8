"""Any torch module in: what is read, what theory says of it, and that it is left alone."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from widelimit.theory.errors import ArgumentError
from widelimit.validate.network import read, report
from widelimit.validate.network.graph.measuring import moments


def by_name(found):
    return {layer.name: layer for layer in found.layers}


def seeded(function, *arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return function(*arguments)


class Residual(nn.Module):
    def __init__(self, d, depth, bias=True):
        super().__init__()
        self.stem = nn.Linear(d, d, bias=bias)
        self.blocks = nn.ModuleList(nn.Linear(d, d, bias=bias) for _ in range(depth))
        for one in (self.stem, *self.blocks):
            nn.init.normal_(one.weight, std=(2 / d) ** 0.5)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(F.relu(x))
        return x


def test_a_residual_network_by_hand():
    """x + W relu(x): second moments by the arc-cosine map, gradients by 1 + sigma_w^2 / 2 a block."""
    model = seeded(Residual, 256, 3, False)
    x = seeded(torch.randn, 4, 256)
    found = report(model, x, draws=8)
    assert found.agrees and found.graph.coverage == 1.0
    held = by_name(found)
    squares = [model.stem.weight, *(one.weight for one in model.blocks)]
    scales = [float(w.detach().double().square().mean()) * 256 for w in squares]
    gram = scales[0] * (x.double() @ x.double().T).numpy() / 256
    for k, name in enumerate(("add", "add 2", "add 3")):
        q = np.diagonal(gram)
        cosine = np.clip(gram / np.sqrt(np.outer(q, q)), -1, 1)
        angle = np.arccos(cosine)
        arccos = np.sqrt(np.outer(q, q)) * (np.sin(angle) + (np.pi - angle) * cosine) / (2 * np.pi)
        gram = gram + scales[k + 1] * arccos
        off = (gram.sum() - np.trace(gram)) / 12
        assert held[name].q_predicted == pytest.approx(np.trace(gram) / 4, rel=1e-6)
        assert held[name].rho_predicted == pytest.approx(off / (np.trace(gram) / 4), rel=1e-6)
    assert held["stem"].g_predicted == pytest.approx(np.prod([1 + s / 2 for s in scales[1:]]), rel=1e-6)


def test_what_draws_give_is_what_numpy_gives():
    rows = np.random.default_rng(0).standard_normal((5, 40))
    q, p = moments(rows)
    gram = rows @ rows.T / 40
    assert q == pytest.approx(np.trace(gram) / 5)
    assert p == pytest.approx((gram.sum() - np.trace(gram)) / 20)


class Attention(nn.Module):
    def __init__(self, d=128, heads=4, way="fused"):
        super().__init__()
        self.embed, self.place = nn.Embedding(40, d), nn.Parameter(torch.randn(8, d) * 0.5)
        self.qkv, self.out, self.heads, self.way = nn.Linear(d, 3 * d), nn.Linear(d, d), heads, way
        nn.init.normal_(self.qkv.weight, std=(2 / d) ** 0.5)

    def forward(self, ids):
        x = self.embed(ids) + self.place
        b, t, d = x.shape
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2) for y in self.qkv(x).chunk(3, -1))
        if self.way == "fused":
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            s = torch.matmul(q, k.transpose(-2, -1)) / (d // self.heads) ** 0.5
            s = s.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), float("-inf"))
            y = torch.matmul(s.softmax(-1), v)
        return x + self.out(y.transpose(1, 2).reshape(b, t, d))


@pytest.mark.parametrize("way", ["fused", "written out"])
def test_attention_in_both_ways_of_writing_it(way):
    model = seeded(lambda: Attention(way=way))
    ids = torch.arange(16).reshape(2, 8)
    found = report(model, ids, draws=8, gradients=True)
    assert found.agrees, str(found)
    assert found.graph.coverage == 1.0
    name = "scaled_dot_product_attention" if way == "fused" else "matmul 2"
    assert not np.isnan(by_name(found)[name].q_predicted)


def test_a_module_is_left_as_it_was():
    model = nn.Sequential(
        nn.Linear(8, 64), nn.BatchNorm1d(64), nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Linear(64, 2)
    )
    model[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.randn(16, 8)
    kept, random, numpy = x.clone(), torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    report(model, x, draws=2)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training and not model[0].weight.requires_grad and model[0].weight.grad is None
    assert not model[0]._forward_hooks and torch.equal(x, kept) and not x.requires_grad
    assert torch.equal(torch.get_rng_state(), random) and (np.random.get_state()[1] == numpy).all()  # noqa: NPY002


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ((), "must hold a tensor"),
        ((torch.zeros(2, 8),), "must not be zero"),
        ((torch.full((2, 8), float("nan")),), "must hold finite numbers"),
        ((torch.ones(2, 8, dtype=torch.complex64),), "must hold real numbers"),
        ((torch.ones(2, 8, device="meta"),), "must be on the module's device"),
        ((torch.ones(2, 9),), "must be what the module runs on"),
        ((torch.ones(0, 8),), "must hold numbers"),
        ((3,), "must hold a tensor"),
    ],
)
def test_bad_examples(example, words):
    with pytest.raises(ArgumentError, match=words):
        read(nn.Linear(8, 4), *example)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (lambda: nn.ReLU(), "must have parameters"),
        (lambda: nn.LazyLinear(3), "lazy layer"),
        (lambda: nn.Linear(8, 3, device="meta"), "meta device"),
        (lambda: nn.Linear(8, 3, dtype=torch.complex64), "must hold real numbers"),
        (lambda: "model", "must be a torch module"),
    ],
)
def test_bad_modules(module, words):
    with pytest.raises(ArgumentError, match=words):
        read(module(), torch.ones(2, 8))
