"""Rules of attention: fused, or written out as a product, a scale, a mask, a softmax and a product.

Given its input, logits are s_ij = c q_i k_j, Gaussian with Cov(s_ij, s_kl) = c^2 d K^q_ik K^k_jl, one matrix of logits
for all inputs of a batch, as one head has. ``numerics.attention.sequences`` says what the softmax makes of them,
whatever the Gram matrices are, masks and rotary positions included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from widelimit.numerics import attention
from widelimit.numerics.results import by_value
from widelimit.validate.network.graph.programs import Step
from widelimit.validate.network.graph.states import Atom, Axes, Measured, State, apart, permuted
from widelimit.validate.network.graph.turning import Turned, turned
from widelimit.validate.network.graph.walking import Done, Special, Walk, key, rule

_PRODUCTS = 2**31  # of a sample of logits, above which gradients are measured
_QUICK = 2  # pairs of samples, where only rules are asked for


@by_value
@dataclass(frozen=True)
class Side:
    """Queries, keys or values: moments (batch, tokens, batch, tokens), key of the state, number of units of a head.

    `at`: positions of the state that these are, one of those of several heads that share them. `rotation` behind the
    state, where positions are rotary, by the operations `inside`; `shares`: how many heads it serves then, times the
    square of the number that it is multiplied by.
    """

    gram: np.ndarray
    state: State
    key: str
    head: int
    heads: Axes
    at: np.ndarray
    rotation: Turned | None = None
    inside: frozenset[str] = frozenset()
    shares: float = 1.0


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
    at = np.arange(state.positions)
    if grouped > 1:  # keys and values that serve several heads
        sizes = [[a.size for a in axis if a.kind == "p"] for axis in (lead[0], *lead[1:])]
        if sum(len(one) for one in sizes[1:]) == 0:
            raise Measured("tokens on several axes")
        at = at.reshape(batch, grouped, count)[:, 0].ravel()
    gram = state.gram[np.ix_(at, at)].reshape(batch, count, batch, count)
    return Side(gram, state, name, math.prod(a.size for a in units), heads, at)


def projected(walk: Walk, state: Any, name: str, across: bool = False) -> Side:
    """Queries or keys; where positions are rotary, those in front of the rotation."""
    if isinstance(state, State) and state.gaussian:
        return side(state, name, across)
    found = turned(walk, name, across) if isinstance(state, State) and len(state.axes) == 4 else None
    if found is None:
        side(state, name, across)
        raise Measured("queries or keys that are not Gaussian")
    batch, heads, head = found.sizes
    tokens = found.state.positions // batch
    gram = found.square * found.state.gram.reshape(batch, tokens, batch, tokens)
    lead: Axes = ((), (Atom("u", heads),))
    at = np.arange(batch * tokens)
    return Side(
        gram, found.state, found.root, head, lead, at, found, found.inside, found.square * found.shares
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


def asked(one: Logits) -> dict[str, Any]:
    """Logits as ``numerics.attention`` takes them."""
    queries, keys = one.queries, one.keys
    angles = None
    rotations = [other.rotation for other in (queries, keys) if other.rotation is not None]
    if rotations:
        if any(other.planes != rotations[0].planes for other in rotations):
            raise Measured("queries and keys that are turned in different planes")
        angles = tuple(
            np.zeros((other.gram.shape[1], other.head // 2))
            if other.rotation is None
            else other.rotation.angles
            for other in (queries, keys)
        )
    mask = one.mask
    if mask is not None and mask.ndim == 3 and len(mask) not in (1, queries.gram.shape[0]):
        raise Measured("a mask of another batch")
    return {
        "C": queries.gram, "keys": keys.gram, "sigma_qk": abs(one.scale) * math.sqrt(queries.head), "mask": mask,
        "angles": angles,
    }  # fmt: skip


@rule("scaled_dot_product_attention")
def _fused(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    given = (*args[3:], *(None, 0.0, False)[len(args) - 3 :])
    mask, dropout, causal = given[:3]
    mask, dropout = kwargs.get("attn_mask", mask), kwargs.get("dropout_p", dropout)
    causal = kwargs.get("is_causal", causal)
    if dropout:
        raise Measured("dropout of attention's weights")
    q, k = (projected(walk, one, key(step, place)) for place, one in enumerate(args[:2]))
    v = side(args[2], key(step, 2))
    scale = kwargs.get("scale")
    one = logits(q, k, 1 / math.sqrt(q.head) if scale is None else float(scale), step.key)
    if causal:
        mask = np.triu(np.full((q.gram.shape[1], k.gram.shape[1]), -np.inf), 1)
    elif mask is not None:
        mask = _mask(mask)
    return _attended(walk, step, replace(one, mask=mask), v)


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


def _attended(walk: Walk, step: Step, one: Logits, v: Side) -> Done:
    given = asked(one)
    found = attention.sequences(**given, values=v.gram, pairs=_QUICK if walk.quick else None)
    b, i = found.covariance.shape[:2]
    shape = step.shape or ()
    lead = tuple(
        (*((Atom("p", b),) if place == 0 else ()), *heads) for place, heads in enumerate(one.queries.heads)
    )
    axes: Axes = (*lead, (Atom("p", i),), (Atom("u", shape[-1]),))
    sources = {**one.queries.state.sources, **one.keys.state.sources, **v.state.sources}
    new = State(
        axes,
        found.covariance.reshape(b * i, b * i),
        np.zeros(b * i),
        False,
        {**dict.fromkeys(sources, b"?"), step.key: b"?"},
    )
    if new.shape != shape:
        raise Measured("heads of attention that theory cannot follow")
    back = _Back(one, given, v)
    pulls = ((one.queries.key, back.queries), (one.keys.key, back.keys), (v.key, back.values))
    kind = "softmax attention" if given["angles"] is None else "softmax attention, rotary positions"
    error = "" if walk.quick else f", error {100 * found.error:.1g} per cent"
    return Done(
        new, pulls, f"{kind}{error}", opaque=(b * i) ** 2 * one.keys.gram.shape[1] > _PRODUCTS,
        inside=one.queries.inside | one.keys.inside,
    )  # fmt: skip


@by_value
@dataclass(frozen=True)
class _Back:
    """Gradients through attention: G behind it, in front of queries, keys and values."""

    one: Logits
    given: dict[str, Any]
    v: Side
    held: list[tuple[np.ndarray, attention.Backwards]] = field(
        default_factory=list
    )  # the last G, what came of it

    def _of(self, g: np.ndarray) -> attention.Backwards:
        if not self.held or self.held[0][0] is not g:
            b, i = self.one.queries.gram.shape[:2]
            found = attention.backwards(G=g.reshape(b, i, b, i), **self.given, values=self.v.gram)
            self.held[:] = [(g, found)]
        return self.held[0][1]

    def queries(self, g: np.ndarray) -> np.ndarray:
        return _flat(self.v.head / self.one.queries.head * self._of(g).queries, self.one.queries)

    def keys(self, g: np.ndarray) -> np.ndarray:
        return _flat(self.v.head / self.one.queries.head * self._of(g).keys, self.one.keys)

    def values(self, g: np.ndarray) -> np.ndarray:
        return _flat(self._of(g).values, self.v)


def _flat(total: np.ndarray, to: Side) -> np.ndarray:
    """Back to the state's own positions, shared equally where it serves several heads."""
    count = total.shape[0] * total.shape[1]
    flat = to.shares * total.reshape(count, count)
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
        return _attended(walk, step, one.logits, side(two, key(step, 1)))
    if isinstance(one, State) and isinstance(two, State):
        found = logits(
            projected(walk, one, key(step, 0)), projected(walk, two, key(step, 1), across=True), 1.0, step.key
        )
        return Done(found, (), "logits: Gaussian, given the tokens", second=second(found))
    raise Measured("a product of matrices that is no layer and no attention")


def contracted(walk: Walk, step: Step, operands: Any, keys: list[str], letters: list[str], out: str) -> Done:
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
        shaped = replace(step, shape=tuple(sizes[c] for c in order))
        done = _attended(walk, shaped, one.logits, side(values, keys[1]))
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
    found = attention.sequences(**asked(one), pairs=_QUICK if walk.quick else None)
    overlaps = np.einsum("aiai->ai", found.overlaps)
    second = float(overlaps.mean()) / one.keys.gram.shape[1]
    return Done(Weights(one), (), "softmax of Gaussian logits", second=second)
