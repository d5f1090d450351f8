"""However attention is scaled, masked and written, its logits are those that the module computes, or are not judged."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from widelimit.validate.network import advise, report

TOKENS, WIDTH, HEADS = 12, 128, 4
BAND = torch.ones(TOKENS, TOKENS).tril().triu(-3).bool()  # each token and the three before it
EXACT = ["plain", "scale", "gain", "written", "from the left", "einsum", "masked after", "dropout", "causal", "band",
         "infinite", "grouped", "across", "float64"]  # fmt: skip


class Attention(nn.Module):
    """One layer of attention over tokens of mean square 1, written in one of many ways."""

    def __init__(self, way, square=1.5):
        super().__init__()
        self.way, self.kv = way, 2 if way == "grouped" else HEADS
        size = WIDTH // HEADS
        self.q, self.k, self.v = (nn.Linear(WIDTH, n * size, bias=False) for n in (HEADS, self.kv, self.kv))
        for one in (self.q, self.k, self.v):
            nn.init.normal_(one.weight, std=(square / WIDTH) ** 0.5)
        self.norm = nn.LayerNorm(WIDTH)

    def sides(self, x):
        x = self.norm(x)
        read = x[:, :5] if self.way == "across" else x
        out = []
        for side, heads, tokens in ((self.q, HEADS, x), (self.k, self.kv, read), (self.v, self.kv, read)):
            out.append(side(tokens).view(len(x), tokens.shape[1], heads, -1).transpose(1, 2))
        return out

    def forward(self, x):
        q, k, v = self.sides(x)
        return self.mixed(q, k, v).transpose(1, 2).reshape(x.shape)

    def mixed(self, q, k, v):
        way = self.way
        if way == "scale":
            return F.scaled_dot_product_attention(q, k, v, scale=0.45)
        if way == "gain":
            return F.scaled_dot_product_attention(3.0 * q, k, v)
        if way in ("written", "from the left", "masked after"):
            s = q @ k.transpose(-1, -2)
            if way == "masked after":
                s = (s + torch.where(BAND, 0.0, -math.inf)) * 0.4
            else:
                s = s / 2.5 if way == "written" else 0.4 * s
            return s.softmax(-1) @ v
        if way == "einsum":
            s = torch.einsum("bhid,bhjd->bhij", q, k) * 0.4
            return torch.einsum("bhij,bhjd->bhid", s.softmax(-1), v)
        more = {
            "dropout": {"dropout_p": 0.1},
            "causal": {"is_causal": True},
            "band": {"attn_mask": BAND},
            "infinite": {"attn_mask": torch.where(BAND, 0.0, -math.inf)},
            "grouped": {"enable_gqa": True, "is_causal": True},
            "added": {
                "attn_mask": -0.5 * (torch.arange(TOKENS)[:, None] - torch.arange(TOKENS)).abs().float()
            },
            "by name": {},
        }.get(way, {})
        if way == "by name":
            return F.scaled_dot_product_attention(query=q, key=k, value=v, scale=0.45)
        return F.scaled_dot_product_attention(q, k, v, **more)

    @property
    def scale(self):
        own = {"scale": 0.45, "by name": 0.45, "written": 0.4, "from the left": 0.4, "masked after": 0.4,
               "einsum": 0.4, "gain": 3 / (WIDTH // HEADS) ** 0.5}  # fmt: skip
        return own.get(self.way, (WIDTH // HEADS) ** -0.5)

    @torch.no_grad()
    def scatter(self, x):
        """Standard deviation of the logits that a query sees about their mean, over queries that see several."""
        q, k, _ = self.sides(x)
        s = self.scale * q @ k.repeat_interleave(HEADS // self.kv, 1).transpose(-1, -2)
        seen = torch.ones(TOKENS, s.shape[-1], dtype=torch.bool)
        if self.way in ("causal", "grouped"):
            seen = seen.tril()
        if self.way in ("band", "infinite", "masked after"):
            seen = BAND
        rows = [s[:, :, i, seen[i]].var(-1).mean() for i in range(TOKENS) if seen[i].sum() > 1]
        return float(torch.stack(rows).mean()) ** 0.5


def made(way):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        module = Attention(way)
        x = torch.randn(4, TOKENS, WIDTH)
    return (module.double(), x.double()) if way == "float64" else (module, x)


def said(found):
    return [node.softmax for node in found.graph.nodes if node.softmax is not None]


@pytest.mark.parametrize("way", EXACT)
def test_every_way_of_writing_it(way):
    module, x = made(way)
    found = report(module, x, draws=8)
    (softmax,) = said(found)
    assert found.agrees, str(found)
    assert found.graph.coverage == 1.0 or way == "dropout"
    assert softmax.std == pytest.approx(module.scatter(x), rel=0.1) and not softmax.added
    most = {"band": 4, "infinite": 4, "masked after": 4, "across": 5}
    assert softmax.tokens == most.get(way, TOKENS)


@pytest.mark.parametrize("way", ["plain", "scale", "gain", "written", "dropout", "across"])
def test_what_is_hot_is_cooled(way):
    module, x = made(way)
    edge = math.sqrt(2 * math.log(5 if way == "across" else TOKENS))
    found = advise(report(module, x, draws=4))
    changes = [one for one in found.changes if one.what == "temperature"]
    assert bool(changes) == (module.scatter(x) > edge / 2)
    if changes:
        assert found.apply(module).scatter(x) == pytest.approx(edge / 4, rel=0.1)


def test_logits_with_numbers_added_are_not_judged():
    module, x = made("added")
    module.q.weight.data *= 4
    found = report(module, x, draws=8)
    assert found.agrees and said(found)[0].added
    advice = advise(found)
    assert not [one for one in advice.changes if one.what == "temperature"]
    assert any("temperature" in one and "left alone" in one for one in advice.kept)


def test_queries_by_name():
    module, x = made("by name")
    found = report(module, x, draws=8)
    assert found.agrees, str(found)
    for softmax in said(found):
        assert softmax.std == pytest.approx(module.scatter(x), rel=0.1)


class Headed(nn.Module):
    """A mask of three axes: torch takes the first for heads, not for inputs."""

    def __init__(self, mask):
        super().__init__()
        self.inner, self.mask = Attention("plain"), mask

    def forward(self, x):
        q, k, v = self.inner.sides(x)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask).transpose(1, 2).reshape(x.shape)


def test_a_mask_of_three_axes_belongs_to_heads():
    _, x = made("plain")
    masks = torch.stack(
        [torch.ones(TOKENS, TOKENS).tril(k).bool() for k in (0, 1, 2, 9)]
    )  # as many as inputs
    node = next(n for n in report(Headed(masks), x, draws=2).graph.nodes if "attention" in n.op)
    assert node.rule == "measured" and "differs between heads" in node.why
    same = report(Headed(masks[:1]), x, draws=8)
    assert same.agrees and same.graph.coverage == 1.0


class Own(nn.Module):
    """`nn.MultiheadAttention`, which writes masks for padding, or for each head, in ways of its own."""

    def __init__(self, way):
        super().__init__()
        self.way, self.norm = way, nn.LayerNorm(WIDTH)
        self.inner = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        nn.init.normal_(self.inner.in_proj_weight, std=(1.5 / WIDTH) ** 0.5)

    def forward(self, x):
        h, pad = self.norm(x), torch.zeros(len(x), TOKENS, dtype=torch.bool)
        pad[0, -3:] = True
        if self.way == "across":  # torch splits one packed weight
            return self.inner(h, h[:, :5], h[:, :5], need_weights=False)[0]
        if self.way == "padding":
            return self.inner(h, h, h, key_padding_mask=pad, need_weights=False)[0]
        if self.way == "padding, weights":
            return self.inner(h, h, h, key_padding_mask=pad)[0]
        mask = torch.ones(TOKENS, TOKENS).triu(1).bool()
        each = torch.stack([mask] * len(x) * HEADS)
        return self.inner(h, h, h, attn_mask=mask if self.way == "causal, weights" else each)[0]


@pytest.mark.parametrize(
    "way", ["padding", "padding, weights", "causal, weights", "heads, weights", "across"]
)
def test_masks_of_torchs_own_attention(way):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        module, x = Own(way), torch.randn(3, TOKENS, WIDTH)
    found = report(module, x, draws=8)
    assert found.agrees, str(found)
    ops = {node.op: node for node in found.graph.nodes}
    attended = [
        node for name, node in ops.items() if name in ("softmax", "scaled_dot_product_attention", "bmm")
    ]
    assert attended and all(node.rule == "derived" for node in attended)
    (softmax,) = said(found)
    assert softmax.std == pytest.approx(1.5, rel=0.1)  # biases are 0
    assert softmax.tokens == (5 if way == "across" else TOKENS)


class Slices(nn.Module):
    """Two layers that take rows of one weight."""

    def __init__(self, start):
        super().__init__()
        self.weight, self.start = nn.Parameter(torch.randn(384, WIDTH) / WIDTH**0.5), start

    def forward(self, x):
        return F.linear(
            F.relu(F.linear(x, self.weight[:WIDTH])), self.weight[self.start : self.start + WIDTH]
        )


@pytest.mark.parametrize(("start", "rule"), [(WIDTH, "derived"), (WIDTH - 1, "measured")])
def test_parts_of_a_weight_are_independent_unless_they_meet(start, rule):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        module, x = Slices(start), torch.randn(8, WIDTH)
    found = report(module, x, draws=8)
    assert found.agrees and found.graph.nodes[-1].rule == rule, str(found)
