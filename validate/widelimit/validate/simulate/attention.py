"""Drawn attention layers and transformer blocks of finite width: moments, gradients, tangent kernels.

Tokens have exactly the Gram matrix that is asked for. Every draw has weights of its own; draws of a replicate are run
as one batch in single precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.simulate.kernel import normals

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

_DRAWS = 12  # a replicate
_WIDTH, _HEADS, _HEAD = 256, 16, 32
_HIDDEN = 2  # hidden units of the second branch, in widths


@by_value
@dataclass(frozen=True)
class Attention:
    """Weights of one layer with `heads` heads, (draws, width, heads * head) each, and its scales."""

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    out: torch.Tensor
    heads: int
    logit: float
    gain: float
    causal: bool = False

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Attend: (draws, tokens, width) to the same."""
        import torch

        draws, tokens, width = x.shape
        size = self.query.shape[-1] // self.heads

        def split(weight: torch.Tensor) -> torch.Tensor:
            return (x @ weight / math.sqrt(width)).reshape(draws, tokens, self.heads, size).transpose(1, 2)

        logits = self.logit * split(self.query) @ split(self.key).transpose(-1, -2) / math.sqrt(size)
        if self.causal:
            seen = torch.ones((tokens, tokens), dtype=torch.bool, device=x.device).tril()
            logits = logits.masked_fill(~seen, -math.inf)
        mixed = logits.softmax(-1) @ split(self.value)
        whole = mixed.transpose(1, 2).reshape(draws, tokens, self.heads * size)
        return self.gain * whole @ self.out.transpose(-1, -2) / math.sqrt(self.heads * size)


def attention(
    inputs: Any, normal: Callable[..., torch.Tensor], draws: int, width: int, heads: int
) -> Attention:
    """Draw a layer."""
    query, key, value, out = (normal(draws, width, heads * _HEAD) for _ in range(4))
    logit, gain, causal = (
        float(inputs["sigma_qk"]),
        float(inputs["sigma_vo"]),
        bool(inputs.get("causal", False)),
    )
    return Attention(query, key, value, out, heads, logit, gain, causal)


def tokens(inputs: Any, normal: Callable[..., torch.Tensor], draws: int, width: int) -> torch.Tensor:
    """Tokens of mean square q and correlation rho, exactly: (draws, tokens, width)."""
    import torch

    count, rho, q = int(inputs["tokens"]), float(inputs["rho"]), float(inputs.get("q", 1.0))
    frame, _ = torch.linalg.qr(normal(draws, width, count).double())
    gram = torch.full((count, count), q * rho, dtype=torch.float64, device=frame.device)
    gram.fill_diagonal_(q)
    values, vectors = torch.linalg.eigh(gram)
    root = vectors * values.clamp(min=0).sqrt()
    sample = normal(1)
    return (math.sqrt(width) * root @ frame.transpose(-1, -2)).to(sample.dtype)


def gram(x: torch.Tensor) -> torch.Tensor:
    """Gram matrices of a batch of tokens, over the width."""
    return (x @ x.transpose(-1, -2) / x.shape[-1]).double()


def _apart(matrix: torch.Tensor) -> tuple[float, float]:
    """Mean over draws of the diagonal and of what is beside it."""
    count = matrix.shape[-1]
    own = matrix.diagonal(dim1=-2, dim2=-1).sum(-1)
    beside = (matrix.sum((-2, -1)) - own) / (count * (count - 1))
    return float(own.mean() / count), float(beside.mean())


def _start(seed: int, backend: Backend) -> Callable[..., torch.Tensor]:
    return normals(seed, replace(backend, precision="float32"))


def moments(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean square behind a layer, and the covariance of two tokens."""
    normal = _start(seed, backend)
    x = tokens(inputs, normal, _DRAWS, _WIDTH)
    return np.array(_apart(gram(attention(inputs, normal, _DRAWS, _WIDTH, _HEADS)(x))))


def distance(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """1 - rho behind a layer, the quotient of two means over draws."""
    normal = _start(seed, backend)
    x = tokens(inputs, normal, _DRAWS, _WIDTH)
    own, beside = _apart(gram(attention(inputs, normal, _DRAWS, _WIDTH, _HEADS)(x)))
    return np.array([1 - beside / own])


def causal(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """C' of the first token with the third, and of the second, behind a layer with a causal mask."""
    normal = _start(seed, backend)
    x = tokens(inputs, normal, _DRAWS, _WIDTH)
    found = gram(attention({**inputs, "causal": True}, normal, _DRAWS, _WIDTH, _HEADS)(x)).mean(0)
    return np.array([float(found[0, 2]), float(found[1, 1])])


def gradients(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean square of gradients in front of a layer, and the product of two tokens', over those behind it."""
    normal = _start(seed, backend)
    x = tokens(inputs, normal, _DRAWS, _WIDTH).requires_grad_()
    out = attention(inputs, normal, _DRAWS, _WIDTH, _HEADS)(x)
    upstream = tokens({**inputs, "rho": float(inputs["g_cross"]), "q": 1.0}, normal, _DRAWS, _WIDTH)
    out.backward(upstream)
    assert x.grad is not None
    return np.array(_apart(gram(x.grad)))


def tangent(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Tangent kernel of a layer, of one token and of two: products of gradients of a random output by all weights."""
    import torch

    normal = _start(seed, backend)
    width = _WIDTH // 2
    x = tokens(inputs, normal, _DRAWS, width)
    layer = attention(inputs, normal, _DRAWS, width, _HEADS)
    weights = [weight.requires_grad_() for weight in (layer.query, layer.key, layer.value, layer.out)]
    out = layer(x)
    probe = normal(_DRAWS, width)
    probe = probe / probe.norm(dim=-1, keepdim=True)
    sums = (out * probe[:, None]).sum((0, 2))  # draws share no weights
    first = torch.autograd.grad(sums[0], weights, retain_graph=True)
    second = torch.autograd.grad(sums[1], weights)
    own = sum(float((one**2).sum()) + float((two**2).sum()) for one, two in zip(first, second, strict=True))
    beside = sum(float((one * two).sum()) for one, two in zip(first, second, strict=True))
    return np.array([own / (2 * _DRAWS), beside / _DRAWS])


def entropy(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean of sum_j A_ij^2 over rows of softmax weights with Gaussian logits."""
    normal = _start(seed, backend)
    count = int(inputs["tokens"])
    rows = max(100, 200_000 // count)
    weights = (float(inputs["logit_std"]) * normal(rows, count)).softmax(-1)
    return np.array([float((weights**2).sum(-1).mean())])


# --- stacks ----------------------------------------------------------------------------------------------------------


def _unit(x: torch.Tensor) -> torch.Tensor:
    return x / (x**2).mean(-1, keepdim=True).sqrt()


def _functions() -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    import torch

    return {"relu": torch.relu, "gelu": torch.nn.functional.gelu, "silu": torch.nn.functional.silu}


def _mlp(
    inputs: Any, normal: Callable[..., torch.Tensor], draws: int, width: int
) -> Callable[..., torch.Tensor]:
    phi = _functions()[str(inputs["activation"])]
    hidden = _HIDDEN * width
    first = normal(draws, width, hidden) * float(inputs["sigma_1"]) / math.sqrt(width)
    second = normal(draws, hidden, width) * float(inputs["sigma_2"]) / math.sqrt(hidden)
    return lambda x: phi(x @ first) @ second


def stack(
    inputs: Any, normal: Callable[..., torch.Tensor], x: torch.Tensor, heads: int
) -> list[torch.Tensor]:
    """The stream in front of a stack of blocks, and behind each."""
    draws, _, width = x.shape
    found = [x]
    for _ in range(int(inputs["blocks"])):
        for branch in (attention(inputs, normal, draws, width, heads), _mlp(inputs, normal, draws, width)):
            x = _unit(x + branch(x)) if inputs["norm"] == "post" else x + branch(_unit(x))
        found.append(x)
    return found


def _separation(x: torch.Tensor) -> float:
    own, beside = _apart(gram(x))
    return math.log(1 - beside / own)


def separations(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """log of (1 - rho) behind a stack over that behind its first half."""
    normal = _start(seed, backend)
    x = tokens(inputs, normal, _DRAWS, _WIDTH // 2)
    found = stack(inputs, normal, x, _HEADS // 2)
    return np.array([_separation(found[-1]) - _separation(found[len(found) // 2])])


def angle(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """log of (1 - rho) behind one block over that in front."""
    normal = _start(seed, backend)
    x = tokens(inputs, normal, _DRAWS, _WIDTH)
    found = stack({**inputs, "blocks": 1}, normal, x, _HEADS)
    return np.array([_separation(found[-1]) - _separation(found[0])])


def stack_gradients(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """log of mean squared gradients in front of a stack over those behind it, which differ from token to token."""
    normal = _start(seed, backend)
    x = tokens(inputs, normal, _DRAWS, _WIDTH).requires_grad_()
    found = stack(inputs, normal, x, _HEADS)
    found[-1].backward(tokens({**inputs, "rho": 0.0}, normal, _DRAWS, _WIDTH))
    assert x.grad is not None
    return np.array([math.log(_apart(gram(x.grad))[0])])


def copies(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """log of the mean square of the stream behind layers that are copies of one."""
    normal = _start(seed, backend)
    branch = _mlp(inputs, normal, _DRAWS, _WIDTH)
    x = _unit(normal(_DRAWS, 1, _WIDTH))
    for _ in range(int(inputs["layers"])):
        x = x + branch(_unit(x))
    return np.array([math.log(float((x**2).mean()))])


def gated(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean square behind W_2 (phi(W_1 x) * W_3 x), and of gradients in front of it."""
    normal = _start(seed, backend)
    phi = _functions()[str(inputs["activation"])]
    x = (_unit(normal(_DRAWS, 2, _WIDTH)) * math.sqrt(float(inputs["q"]))).requires_grad_()
    one, three = (
        normal(_DRAWS, _WIDTH, _HIDDEN * _WIDTH) * float(inputs[name]) / math.sqrt(_WIDTH)
        for name in ("sigma_1", "sigma_3")
    )
    two = normal(_DRAWS, _HIDDEN * _WIDTH, _WIDTH) * float(inputs["sigma_2"]) / math.sqrt(_HIDDEN * _WIDTH)
    out = (phi(x @ one) * (x @ three)) @ two
    upstream = _unit(normal(_DRAWS, 2, _WIDTH))
    out.backward(upstream)
    assert x.grad is not None
    return np.array([float((out.detach() ** 2).mean()), float((x.grad**2).mean())])


def words(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean squared scalar product of embedded words over their squares: how often two words of a text are the same."""
    import torch

    generator = backend.generator(seed)
    count = int(inputs["vocabulary"])
    frequencies = 1 / torch.arange(1, count + 1, dtype=torch.float64, device=backend.device)
    drawn = torch.multinomial(frequencies, 200_000, replacement=True, generator=generator).reshape(2, -1)
    return np.array([float((drawn[0] == drawn[1]).double().mean())])


def correlations(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Correlation of two tokens in front of a stack and behind each block."""
    normal = _start(seed, backend)
    x = tokens(inputs, normal, _DRAWS, _WIDTH // 2)
    found = [_apart(gram(one)) for one in stack(inputs, normal, x, _HEADS // 2)]
    return np.array([beside / own for own, beside in found])
