"""Rotary positions are derived however they are written; what is no rotation is measured."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from widelimit.validate.network import read, report

WAYS = ["halves", "neighbours", "complex", "a part"]


def rotated(x, angles, way):
    """x (batch, heads, tokens, units), angles (tokens, units / 2)."""
    if way == "complex":
        pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous())
        return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)
    if way == "neighbours":
        one, two = x[..., ::2], x[..., 1::2]
        cos, sin = angles.cos(), angles.sin()
        return torch.stack((one * cos - two * sin, one * sin + two * cos), dim=-1).flatten(-2)
    if way == "a part":
        kept = x[..., angles.shape[-1] :]
        return torch.cat((rotated(x[..., : angles.shape[-1]], angles[:, ::2], "halves"), kept), dim=-1)
    cos, sin = (torch.cat((one, one), dim=-1) for one in (angles.cos(), angles.sin()))
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), dim=-1) * sin


class Rotary(nn.Module):
    """Attention with as many keys as queries, or half as many."""

    def __init__(self, way, d=128, heads=4, kv=4, gain=1.0):
        super().__init__()
        self.embed, self.way, self.heads, self.kv, self.size = nn.Embedding(40, d), way, heads, kv, d // heads
        self.q, self.k, self.v, self.out = (
            nn.Linear(d, n * self.size, bias=False) for n in (heads, kv, kv, heads)
        )
        for one in (self.q, self.k, self.v, self.out):
            nn.init.normal_(one.weight, std=(1.5 / d) ** 0.5)
        self.gain = gain

    def forward(self, ids):
        x = self.embed(ids)
        b, t, d = x.shape
        q = self.q(x).view(b, t, self.heads, self.size).transpose(1, 2)
        k, v = (w(x).view(b, t, self.kv, self.size).transpose(1, 2) for w in (self.k, self.v))
        angles = torch.arange(t)[:, None] * 100.0 ** (-torch.arange(0, self.size, 2) / self.size)
        q, k = (self.gain * rotated(one, angles, self.way) for one in (q, k))
        k, v = (y.repeat_interleave(self.heads // self.kv, dim=1) for y in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, d)
        return x + self.out(y)


IDS = torch.arange(16).reshape(2, 8) % 11


def made(*args, **kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Rotary(*args, **kwargs)


@pytest.mark.parametrize(("way", "kv"), [(way, 4) for way in WAYS] + [("halves", 2)])
def test_every_way_of_writing_it(way, kv):
    found = report(made(way, kv=kv), IDS, draws=8)
    held = {layer.op: layer for layer in found.layers}
    assert found.agrees and found.graph.coverage == 1.0, str(found)
    assert "rotary positions" in held["scaled_dot_product_attention"].why
    names = {layer.name: layer for layer in found.layers}
    assert all(math.isfinite(names[one].g_predicted) for one in ("q", "k", "v"))


def test_ways_of_writing_it_are_one():
    """One set of weights, units in another order: the same predictions, but for samples of angles in float32."""
    found = [report(made(way), IDS, draws=2).layers for way in ("halves", "neighbours", "complex")]
    held = [next(one for one in layers if "attention" in one.op) for layers in found]
    for one in held[1:]:
        assert one.q_predicted == pytest.approx(held[0].q_predicted, rel=5e-3)
        assert one.rho_predicted == pytest.approx(held[0].rho_predicted, rel=5e-3)


class Stretched(Rotary):
    """Queries whose units have scales of their own, which is no rotation."""

    def forward(self, ids):
        x = self.embed(ids)
        q, k, v = (w(x).view(*x.shape[:2], 4, 32).transpose(1, 2) for w in (self.q, self.k, self.v))
        q = q * torch.linspace(0.5, 1.5, 32)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)


def attention(module):
    return next(one for one in read(module, IDS).nodes if "attention" in one.op)


def test_a_number_behind_a_rotation_is_one_of_the_scale():
    assert attention(made("halves", gain=1.1)).rule == "derived"


def test_what_is_no_rotation_is_measured():
    with torch.random.fork_rng(devices=[]):
        node = attention(Stretched("halves"))
    assert node.rule == "measured" and "not Gaussian" in node.why
