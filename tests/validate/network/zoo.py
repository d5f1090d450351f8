"""Networks as users write them, small: what `network.report` has to read."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def mlp(width=128, depth=3):
    layers = [nn.Linear(16, width), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


class BasicBlock(nn.Module):
    """ResNet v1: ReLU behind the sum."""

    def __init__(self, read, write, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(read, write, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(write)
        self.conv2 = nn.Conv2d(write, write, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(write)
        self.relu = nn.ReLU(inplace=True)
        self.down = None
        if stride != 1 or read != write:
            self.down = nn.Sequential(nn.Conv2d(read, write, 1, stride, bias=False), nn.BatchNorm2d(write))

    def forward(self, x):
        kept = x if self.down is None else self.down(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += kept
        return self.relu(out)


class PreBlock(nn.Module):
    """ResNet v2: normalisation and ReLU in front of weights."""

    def __init__(self, read, write, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(read)
        self.conv1 = nn.Conv2d(read, write, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(write)
        self.conv2 = nn.Conv2d(write, write, 3, 1, 1, bias=False)
        self.down = (
            nn.Conv2d(read, write, 1, stride, bias=False) if stride != 1 or read != write else nn.Identity()
        )

    def forward(self, x):
        out = F.relu(self.bn1(x))
        out = self.conv2(F.relu(self.bn2(self.conv1(out))))
        return out + self.down(x)


class ResNet(nn.Module):
    def __init__(self, block, width=32):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(block(width, width, 1), block(width, width, 1))
        self.layer2 = nn.Sequential(block(width, 2 * width, 2), block(2 * width, 2 * width, 1))
        self.fc = nn.Linear(2 * width, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer2(self.layer1(x))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class ScaledConv(nn.Conv2d):
    """Weights standardised by filter, times a gain (NF-nets)."""

    def forward(self, x):
        mean = self.weight.mean((1, 2, 3), keepdim=True)
        var = self.weight.var((1, 2, 3), keepdim=True)
        scale = torch.rsqrt(var * self.weight[0].numel() + 1e-8)
        return F.conv2d(x, (self.weight - mean) * scale, self.bias, self.stride, self.padding)


class NFBlock(nn.Module):
    def __init__(self, width=64, alpha=0.2, beta=1.0):
        super().__init__()
        self.conv1 = ScaledConv(width, width, 3, padding=1)
        self.conv2 = ScaledConv(width, width, 3, padding=1)
        self.alpha, self.beta = alpha, beta

    def forward(self, x):
        out = F.relu(x * self.beta) * 1.7128585504
        out = self.conv2(F.relu(self.conv1(out)) * 1.7128585504)
        return x + self.alpha * out


class NFNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, padding=1)
        self.blocks = nn.Sequential(NFBlock(), NFBlock(beta=0.98))

    def forward(self, x):
        return self.blocks(self.stem(x))


class ConvNeXtBlock(nn.Module):
    def __init__(self, d=96):
        super().__init__()
        self.dwconv = nn.Conv2d(d, d, 7, padding=3, groups=d)
        self.norm = nn.LayerNorm(d, eps=1e-6)
        self.pw1, self.pw2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.gamma = nn.Parameter(0.1 * torch.ones(d))

    def forward(self, x):
        y = self.dwconv(x).permute(0, 2, 3, 1)
        y = self.pw2(F.gelu(self.pw1(self.norm(y))))
        return x + (self.gamma * y).permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 96, 4, stride=4)
        self.blocks = nn.Sequential(ConvNeXtBlock(), ConvNeXtBlock())
        self.head = nn.Linear(96, 10)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean([-2, -1]))


class MixerBlock(nn.Module):
    def __init__(self, tokens, d):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.t1, self.t2 = nn.Linear(tokens, 2 * tokens), nn.Linear(2 * tokens, tokens)
        self.c1, self.c2 = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x):
        y = self.t2(F.gelu(self.t1(self.n1(x).transpose(1, 2)))).transpose(1, 2)
        x = x + y
        return x + self.c2(F.gelu(self.c1(self.n2(x))))


class Mixer(nn.Module):
    def __init__(self, tokens=32, d=128):
        super().__init__()
        self.embed = nn.Linear(12, d)
        self.blocks = nn.ModuleList(MixerBlock(tokens, d) for _ in range(2))

    def forward(self, x):
        x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return x


class GPTBlock(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.c_attn, self.c_proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.fc, self.proj, self.heads = nn.Linear(d, 4 * d), nn.Linear(4 * d, d), heads

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = (
            y.view(b, t, self.heads, d // self.heads).transpose(1, 2)
            for y in self.c_attn(self.ln_1(x)).split(d, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(y.transpose(1, 2).contiguous().view(b, t, d))
        return x + self.proj(F.gelu(self.fc(self.ln_2(x)), approximate="tanh"))


class GPT(nn.Module):
    """Causal, with the head tied to the embedding."""

    def __init__(self, d=128, blocks=2, heads=4, words=64, longest=16):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(words, d), nn.Embedding(longest, d)
        self.blocks = nn.ModuleList(GPTBlock(d, heads) for _ in range(blocks))
        self.ln_f, self.head = nn.LayerNorm(d), nn.Linear(d, words, bias=False)
        self.apply(self._init)
        self.head.weight = self.wte.weight

    def _init(self, module):
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln_f(x))


class BERT(nn.Module):
    """The encoder of torch, whose layers are copies of one."""

    def __init__(self, d=64, layers=3):
        super().__init__()
        self.embed = nn.Embedding(50, d)
        layer = nn.TransformerEncoderLayer(d, 4, 2 * d, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, ids):
        return self.encoder(self.embed(ids))


def rotated(x, cos, sin):
    one, two = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-two, one), dim=-1) * sin


class LlamaBlock(nn.Module):
    """Grouped queries, rotary positions, RMSNorm by hand, SwiGLU."""

    def __init__(self, d=128, heads=8, kv=2):
        super().__init__()
        self.d, self.heads, self.kv, self.size = d, heads, kv, d // heads
        self.q, self.k, self.v = (
            nn.Linear(d, heads * self.size, bias=False),
            nn.Linear(d, kv * self.size, bias=False),
            nn.Linear(d, kv * self.size, bias=False),
        )
        self.o = nn.Linear(d, d, bias=False)
        self.gate, self.up, self.down = (
            nn.Linear(d, 3 * d, bias=False),
            nn.Linear(d, 3 * d, bias=False),
            nn.Linear(3 * d, d, bias=False),
        )
        self.g1, self.norm2 = nn.Parameter(torch.ones(d)), nn.RMSNorm(d)

    def norm(self, x):
        return self.g1 * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))

    def forward(self, x):
        b, t, _ = x.shape
        h = self.norm(x)
        q = self.q(h).view(b, t, self.heads, self.size).transpose(1, 2)
        k, v = (w(h).view(b, t, self.kv, self.size).transpose(1, 2) for w in (self.k, self.v))
        rates = 10000.0 ** (-torch.arange(0, self.size, 2) / self.size)
        angles = torch.arange(t)[:, None] * rates[None, :]
        angles = torch.cat((angles, angles), dim=-1)
        q, k = rotated(q, angles.cos(), angles.sin()), rotated(k, angles.cos(), angles.sin())
        k, v = (y.repeat_interleave(self.heads // self.kv, dim=1) for y in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, self.d)
        x = x + self.o(y)
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 128)
        self.layers = nn.ModuleList([LlamaBlock(), LlamaBlock()])

    def forward(self, ids):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x)
        return x


class UNet(nn.Module):
    def __init__(self, c=32):
        super().__init__()
        self.d1, self.d2 = nn.Conv2d(3, c, 3, padding=1), nn.Conv2d(c, 2 * c, 3, padding=1)
        self.up, self.u1 = nn.ConvTranspose2d(2 * c, c, 2, stride=2), nn.Conv2d(2 * c, c, 3, padding=1)
        self.out = nn.Conv2d(c, 2, 1)

    def forward(self, x):
        a = F.relu(self.d1(x))
        b = F.relu(self.d2(F.max_pool2d(a, 2)))
        return self.out(F.relu(self.u1(torch.cat([self.up(b), a], dim=1))))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn = kind(12, 64, batch_first=True)
        self.fc = nn.Linear(64, 4)

    def forward(self, x):
        out, _ = self.rnn(x)
        return self.fc(out[:, -1])


class Branch(nn.Module):
    """What runs depends on a tensor's value."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(16, 64), nn.Linear(64, 4)

    def forward(self, x):
        h = self.fc1(x)
        if h.mean() > 0:
            h = torch.relu(h)
        else:
            h = torch.tanh(h)
        return self.fc2(h)


class Adapted(nn.Module):
    """A frozen layer with a low-rank adapter that starts at zero."""

    def __init__(self, d=128, rank=8):
        super().__init__()
        self.base = nn.Linear(d, d)
        self.base.requires_grad_(False)
        self.a, self.b = nn.Linear(d, rank, bias=False), nn.Linear(rank, d, bias=False)
        nn.init.zeros_(self.b.weight)

    def forward(self, x):
        return self.base(x) + 2.0 * self.b(self.a(x))


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


class Custom(nn.Module):
    """Activations written by hand."""

    def __init__(self, d=128):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(16, d), nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, x):
        x = quick_gelu(self.a(x))
        y = self.b(x)
        y = 0.5 * y * (1 + torch.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3)))
        return self.c(y)
