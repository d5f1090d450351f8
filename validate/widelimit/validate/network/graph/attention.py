"""Rules of attention: fused, or written out as a product, a scale, a mask, a softmax and a product.

Given its input, logits are s_ij = c q_i k_j, Gaussian with Cov(s_ij, s_kl) = c^2 d K^q_ik K^k_jl. Moments of
the softmax are averages over samples of s, one matrix of logits for all inputs of a batch, as one head has;
whatever the Gram matrices are, masks included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from widelimit.numerics.results import by_value
from widelimit.validate.network.graph.programs import Step
from widelimit.validate.network.graph.states import Atom, Axes, Measured, State, apart, permuted, root
from widelimit.validate.network.graph.walking import Done, Special, Walk, key, rule

_WORK = 2**26  # numbers that a forward pass may draw
_HEADS = (64, 1500)
_PAIRS = 2**24  # pairs of logits whose gradients are kept


@by_value
@dataclass(frozen=True)
class Side:
    """Queries, keys or values: moments (batch, tokens, batch, tokens), key of the state, number of units of a head."""

    gram: np.ndarray
    state: State
    key: str
    head: int
    heads: Axes


@by_value
@dataclass(frozen=True)
class Logits(Special):
    """Products of queries and keys, times `scale`; `mask` (broadcast to tokens x tokens) is added."""

    queries: Side
    keys: Side
    scale: float
    mask: np.ndarray | None
    origin: str


@by_value
@dataclass(frozen=True)
class Weights(Special):
    """The softmax of logits over keys."""

    logits: Logits
    samples: np.ndarray  # (draws, batch, tokens, tokens)


def side(state: Any, name: str, across: bool = False) -> Side:
    """A state (batch, heads, tokens, units of a head) as attention reads it; `across`: its last two axes exchanged."""
    if not isinstance(state, State) or len(state.axes) < 3:
        raise Measured("attention of something else than units of tokens")
    axes = state.axes
    tokens, units = (axes[-1], axes[-2]) if across else (axes[-2], axes[-1])
    if any(a.kind == "p" and a.size > 1 for a in units) or any(a.kind == "u" and a.size > 1 for a in tokens):
        raise Measured("attention over units instead of tokens")
    lead = axes[:-2]
    heads = tuple(tuple(a for a in axis if a.kind == "u") for axis in lead)
    batch = math.prod(a.size for a in lead[0] if a.kind == "p")
    count = math.prod(a.size for a in tokens)
    grouped = state.positions // (batch * count)
    gram = state.gram
    if grouped > 1:  # keys and values that serve several heads
        sizes = [[a.size for a in axis if a.kind == "p"] for axis in (lead[0], *lead[1:])]
        if sum(len(one) for one in sizes[1:]) == 0:
            raise Measured("tokens on several axes")
        at = np.arange(state.positions).reshape(batch, grouped, count)[:, 0].ravel()
        gram = gram[np.ix_(at, at)]
    return Side(
        gram.reshape(batch, count, batch, count), state, name, math.prod(a.size for a in units), heads
    )


def logits(queries: Side, keys: Side, scale: float, origin: str) -> Logits:
    """Products of independent Gaussian queries and keys."""
    for one in (queries, keys):
        if not one.state.gaussian:
            raise Measured("queries or keys that are not Gaussian")
    if queries.key == keys.key or not apart(queries.state, keys.state):
        raise Measured("queries and keys that are made of one source")
    if queries.head != keys.head:
        raise Measured("queries and keys of different sizes")
    return Logits(queries, keys, scale, None, origin)


def second(one: Logits) -> float:
    """Mean square of logits without a mask."""
    q, k = (np.einsum("aiai->ai", s.gram) for s in (one.queries, one.keys))
    return one.scale**2 * one.queries.head * float(np.mean(q.mean(axis=1) * k.mean(axis=1)))


def weights_of(one: Logits, seed: int = 0) -> np.ndarray:
    """Samples of the softmax, (draws, batch, queries, keys)."""
    (b, i), (_, j) = one.queries.gram.shape[:2], one.keys.gram.shape[:2]
    rq, rk = root(one.queries.gram.reshape(b * i, -1)), root(one.keys.gram.reshape(b * j, -1))
    count = int(np.clip(_WORK // (8 * b * b * i * j), *_HEADS))
    random = np.random.default_rng(seed)
    factor = one.scale * math.sqrt(one.queries.head)
    out = np.empty((count, b, i, j))
    step = max(1, _WORK // (16 * b * b * i * j))
    for first in range(0, count, step):
        g = random.standard_normal((min(step, count - first), b * i, b * j))
        s = factor * (rq.T @ g @ rk).reshape(-1, b, i, b, j)
        s = np.einsum("nbibj->nbij", s)
        if one.mask is not None:
            s = s + one.mask
        s = s - s.max(axis=-1, keepdims=True)
        e = np.exp(s)
        out[first : first + len(g)] = e / e.sum(axis=-1, keepdims=True)
    return out


def output(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """E A K A^T of what comes out, (batch, queries, batch, queries)."""
    return np.einsum("naij,ajbl,nbkl->aibk", weights, values, weights, optimize=True) / len(weights)


@rule("scaled_dot_product_attention")
def _fused(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    given = (*args[3:], *(None, 0.0, False)[len(args) - 3 :])
    mask, dropout, causal = given[:3]
    mask, dropout = kwargs.get("attn_mask", mask), kwargs.get("dropout_p", dropout)
    causal = kwargs.get("is_causal", causal)
    if dropout:
        raise Measured("dropout of attention's weights")
    q, k, v = (side(one, key(step, place)) for place, one in enumerate(args[:3]))
    scale = kwargs.get("scale")
    one = logits(q, k, 1 / math.sqrt(q.head) if scale is None else float(scale), step.key)
    if causal:
        mask = np.triu(np.full((q.gram.shape[1], k.gram.shape[1]), -np.inf), 1)
    elif mask is not None:
        mask = _mask(mask)
    one = replace(one, mask=mask)
    samples = weights_of(one)
    return _attended(step, one, samples, v)


def _mask(value: Any) -> np.ndarray:
    if not isinstance(value, torch.Tensor):
        raise Measured("a mask that is computed")
    array = value.numpy() if value.dtype == torch.bool else value.double().numpy()
    if array.dtype == bool:
        array = np.where(array, 0.0, -np.inf)
    if array.ndim == 4:
        if array.shape[1] != 1 and not (array == array[:, :1]).all():
            raise Measured("a mask that differs between heads")
        array = array[:, 0]
    if array.ndim > 3 or not (array.max(axis=-1) > -np.inf).all():
        raise Measured("a mask that hides all tokens")
    return array


def _attended(step: Step, one: Logits, samples: np.ndarray, v: Side) -> Done:
    gram = output(samples, v.gram)
    b, i = gram.shape[:2]
    shape = step.shape or ()
    lead = tuple(
        (*((Atom("p", b),) if place == 0 else ()), *heads) for place, heads in enumerate(one.queries.heads)
    )
    axes: Axes = (*lead, (Atom("p", i),), (Atom("u", shape[-1]),))
    sources = {**one.queries.state.sources, **one.keys.state.sources, **v.state.sources}
    new = State(
        axes,
        gram.reshape(b * i, b * i),
        np.zeros(b * i),
        False,
        {**dict.fromkeys(sources, b"?"), step.key: b"?"},
    )
    if new.shape != shape:
        raise Measured("heads of attention that theory cannot follow")
    back = _Back(one, samples, v)
    pulls = ((one.queries.key, back.queries), (one.keys.key, back.keys), (v.key, back.values))
    many = samples[0].size ** 2 > _PAIRS  # of logits: gradients are measured
    return Done(new, pulls, f"softmax attention, {len(samples)} samples of logits", opaque=many)


@by_value
@dataclass(frozen=True)
class _Back:
    """Gradients through attention: G (batch, queries, ...) behind it, in front of values, queries and keys."""

    one: Logits
    samples: np.ndarray
    v: Side
    held: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)  # the last G, and what came of it

    def _laid(self, g: np.ndarray) -> np.ndarray:
        b, i = self.one.queries.gram.shape[:2]
        return g.reshape(b, i, b, i)

    def values(self, g: np.ndarray) -> np.ndarray:
        total = np.einsum("naij,aibk,nbkl->ajbl", self.samples, self._laid(g), self.samples, optimize=True)
        return _flat(total / len(self.samples), self.v)

    def _moments(self, g: np.ndarray) -> np.ndarray:
        """E ds_ij ds_kl, (batch, queries, keys) twice, averaged over samples of the softmax."""
        if self.held and self.held[0][0] is g:
            return self.held[0][1]
        b, i, j = self.samples.shape[1:]
        few = self.samples[: max(8, _WORK // (4 * (b * i * j) ** 2))]
        laid, total = self._laid(g) * self.v.head, np.zeros((b, i, j, b, i, j))
        values = self.v.gram
        for a in few:
            rows = np.einsum("aij,ajbl->aibl", a, values)
            both = np.einsum("aibl,bkl->aibk", rows, a)
            inner = (
                values[:, None, :, :, None, :]
                - rows[:, :, None, :, None, :]
                - rows.transpose(2, 3, 0, 1)[:, None, :, :, :, None]
                + both[:, :, None, :, :, None]
            )
            total += a[:, :, :, None, None, None] * a[None, None, None] * inner * laid[:, :, None, :, :, None]
        self.held[:] = [(g, total / len(few))]
        return self.held[0][1]

    def queries(self, g: np.ndarray) -> np.ndarray:
        m = self._moments(g)
        total = np.einsum("aijbkl,ajbl->aibk", m, self.one.keys.gram, optimize=True)
        return _flat(self.one.scale**2 * total, self.one.queries)

    def keys(self, g: np.ndarray) -> np.ndarray:
        m = self._moments(g)
        total = np.einsum("aijbkl,aibk->ajbl", m, self.one.queries.gram, optimize=True)
        return _flat(self.one.scale**2 * total, self.one.keys)


def _flat(total: np.ndarray, to: Side) -> np.ndarray:
    """Back to the state's own positions, shared equally where it serves several heads."""
    count = total.shape[0] * total.shape[1]
    flat = total.reshape(count, count)
    if to.state.positions == count:
        return flat
    groups = to.state.positions // count
    b, t = total.shape[:2]
    at = np.arange(to.state.positions).reshape(b, groups, t)
    out = np.zeros((to.state.positions, to.state.positions))
    for k in range(groups):
        out[np.ix_(at[:, k].ravel(), at[:, k].ravel())] = flat
    return out


def product(walk: Walk, step: Step, one: Any, two: Any) -> Done:
    """A product of two tensors: queries with keys, or weights of attention with values."""
    if isinstance(one, Weights):
        return _attended(step, one.logits, one.samples, side(two, key(step, 1)))
    if isinstance(one, State) and isinstance(two, State):
        found = logits(side(one, key(step, 0)), side(two, key(step, 1), across=True), 1.0, step.key)
        return Done(found, (), "logits: Gaussian, given the tokens", second=second(found))
    raise Measured("a product of matrices that is no layer and no attention")


def contracted(step: Step, operands: Any, keys: list[str], letters: list[str], out: str) -> Done:
    """The same products, written as einsum: axes are brought into the order (batch, heads, tokens, units)."""
    one, two = operands
    (first, second_), text = letters, f"einsum {','.join(letters)}->{out}"
    summed = [c for c in first if c in second_ and c not in out]
    if len(summed) != 1 or not isinstance(two, State):
        raise Measured(text)
    own = [c for c in first if c not in second_], [c for c in second_ if c not in first]
    if len(own[0]) != 1 or len(own[1]) != 1:
        raise Measured(text)
    lead = [c for c in first if c in second_ and c in out]
    if isinstance(one, Weights):
        if "".join(lead) + own[0][0] + summed[0] != first:
            raise Measured(text)
        values = permuted(two, [second_.index(c) for c in (*lead, summed[0], own[1][0])])
        order = [*lead, own[0][0], own[1][0]]
        sizes = dict(zip(out, step.shape or (), strict=True))
        done = _attended(
            replace(step, shape=tuple(sizes[c] for c in order)),
            one.logits,
            one.samples,
            side(values, keys[1]),
        )
        return replace(done, value=permuted(done.value, [order.index(c) for c in out]))
    if not isinstance(one, State) or out != "".join(lead) + own[0][0] + own[1][0]:
        raise Measured(text)
    queries = permuted(one, [first.index(c) for c in (*lead, own[0][0], summed[0])])
    towards = permuted(two, [second_.index(c) for c in (*lead, own[1][0], summed[0])])
    found = logits(side(queries, keys[0]), side(towards, keys[1]), 1.0, step.key)
    return Done(found, (), "logits: Gaussian, given the tokens", second=second(found))


def rescaled(step: Step, one: Any, factor: Any) -> Done:
    """Logits times a number."""
    if isinstance(factor, torch.Tensor) and factor.numel() == 1:
        factor = float(factor)
    if isinstance(one, Weights) or not isinstance(factor, int | float):
        raise Measured("logits or weights of attention times a tensor")
    found = replace(one, scale=one.scale * factor)
    return Done(
        found, (), "logits: Gaussian, given the tokens", second=second(found) if found.mask is None else None
    )


@rule("masked_fill")
def _masked(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    one, mask, value = args[:3]
    if not isinstance(one, Logits) or not isinstance(mask, torch.Tensor) or float(value) > -1e4:
        raise Measured("masked by something else than minus infinity, or no logits")
    return Done(replace(one, mask=_mask(~mask)), (), "masked logits", second=math.nan)


@rule("softmax", "_softmax")
def _softmax(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    one = args[0]
    if not isinstance(one, Logits):
        raise Measured("a softmax over units")
    if args[1] not in (-1, len(step.shape or ()) - 1):
        raise Measured("a softmax over queries")
    samples = weights_of(one)
    return Done(
        Weights(one, samples),
        (),
        f"softmax, {len(samples)} samples of logits",
        second=float(np.mean(samples**2)),
    )
