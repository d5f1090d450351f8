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
from widelimit.validate.network.graph.records import Softmax
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


def softmax(one: Logits) -> Softmax:
    """What stands in front of the softmax: the scatter of logits that a query sees, means over inputs and queries."""
    queries, keys = one.queries, one.keys
    given = asked(one)
    turned_ = np.ones(keys.gram.shape[1:2] * 2)
    if given["angles"] is not None:  # keys that are turned against each other
        angles = given["angles"][1]
        turned_ = np.cos(angles[:, None] - angles).mean(axis=-1)
    inputs, count = queries.gram.shape[:2]
    mask = (
        np.zeros((1, count, len(turned_))) if one.mask is None else one.mask.reshape(-1, *one.mask.shape[-2:])
    )
    seen = np.broadcast_to(np.isfinite(mask), (inputs, count, len(turned_))).astype(float)
    total = seen.sum(axis=2)
    squares = np.einsum("aiai->ai", queries.gram)
    products = np.einsum("ajal->ajl", keys.gram) * turned_
    own = (seen @ np.einsum("ajj->aj", products)[..., None])[..., 0]
    mean = ((seen @ products) * seen).sum(axis=2) / total
    several = total > 1
    spread = given["sigma_qk"] ** 2 * squares * (own - mean) / np.where(several, total - 1, 1.0)
    std = math.sqrt(max(float(spread[several].mean()), 0.0)) if several.any() else 0.0
    finite = np.where(np.isfinite(mask), mask, np.nan)
    added = bool((np.nanmax(finite, axis=2) > np.nanmin(finite, axis=2)).any())
    return Softmax(std, int(total.max()), queries.key, keys.key, added)


@rule("scaled_dot_product_attention")
def _fused(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
    given = {"attn_mask": None, "dropout_p": 0.0, "is_causal": False, "scale": None, **kwargs}
    given |= dict(zip(names, args, strict=False))
    if not {"query", "key", "value"} <= set(given) or len(args) < 3:
        raise Measured("queries, keys and values by name: give them by place")
    unknown = sorted(set(given) - {*names, "scale", "enable_gqa"})
    if unknown:
        raise Measured(f"attention with {', '.join(unknown)}")
    mask, scale = given["attn_mask"], given["scale"]
    q, k = (projected(walk, one, key(step, place)) for place, one in enumerate(args[:2]))
    v = side(args[2], key(step, 2))
    if given["is_causal"]:
        mask = np.triu(np.full((q.gram.shape[1], k.gram.shape[1]), -np.inf), 1)
    elif mask is not None:
        mask = _mask(mask, q)
    if given.get("enable_gqa"):  # what torch repeats collects the gradients of its copies
        times = args[0].shape[-3] / args[1].shape[-3]
        k, v = (replace(side_, shares=side_.shares * times) for side_ in (k, v))
    one = replace(logits(q, k, 1 / math.sqrt(q.head) if scale is None else float(scale), step.key), mask=mask)
    walk.softmaxes[step.key] = softmax(one)
    if given["dropout_p"]:
        raise Measured("dropout of attention's weights")
    return _attended(walk, step, one, v)


def _mask(value: Any, queries: Side) -> np.ndarray:
    """A mask as numbers to be added, (inputs or 1, tokens, tokens) or without the first; of all heads alike."""
    if not isinstance(value, torch.Tensor):
        raise Measured("a mask that is computed")
    array = value.numpy() if value.dtype == torch.bool else value.double().numpy()
    if array.dtype == bool:
        array = np.where(array, 0.0, -np.inf)
    array = np.atleast_2d(array)
    batch, count = queries.gram.shape[:2]
    heads = math.prod(a.size for axis in queries.heads for a in axis)
    if array.ndim == 3 and len(queries.heads) == 2:
        array = array[None]
    if array.ndim == 3 and len(queries.heads) == 1 and heads > 1 and len(array) == batch * heads:
        if [a.kind for a in queries.state.axes[0] if a.size > 1] not in (["p", "u"], ["u"]):
            raise Measured("a mask for heads and inputs in another order")
        array = array.reshape(batch, heads, *array.shape[1:])
    if array.ndim == 4:
        if array.shape[1] != 1 and not (array == array[:, :1]).all():
            raise Measured("a mask that differs between heads")
        array = array[:, 0]
    if array.ndim > 3 or not (array.max(axis=-1) > -np.inf).all():
        raise Measured("a mask that hides all tokens")
    if (array == np.inf).any():
        raise Measured("a mask that shows one token alone")
    return np.broadcast_to(array, (*array.shape[:-2], count, array.shape[-1]))


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


@rule("baddbmm")
def _added_product(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    """A mask plus a product of queries and keys, as `nn.MultiheadAttention` writes them."""
    added, one, two = args[:3]
    if not (isinstance(one, State) and isinstance(two, State) and isinstance(added, torch.Tensor)):
        raise Measured("a sum and product of matrices that is no attention")
    sides = projected(walk, one, key(step, 1)), projected(walk, two, key(step, 2), across=True)
    found = logits(*sides, float(kwargs.get("alpha", 1)), step.key)
    return shifted(found, added, float(kwargs.get("beta", 1)))


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


def _added(one: Logits, mask: np.ndarray) -> np.ndarray:
    return mask if one.mask is None else one.mask + mask


def shifted(one: Logits, value: Any, sign: float) -> Done:
    """Logits plus fixed numbers: a mask, or a bias of positions."""
    if not isinstance(value, int | float | torch.Tensor):
        raise Measured("logits plus numbers that are computed")
    mask = _mask(sign * torch.as_tensor(value, dtype=torch.double), one.queries)
    return Done(replace(one, mask=_added(one, mask)), (), "masked logits", second=math.nan)


def rescaled(step: Step, one: Any, factor: Any) -> Done:
    """Logits times a number."""
    if isinstance(factor, torch.Tensor) and factor.numel() == 1:
        factor = float(factor)
    if isinstance(one, Weights) or not isinstance(factor, int | float):
        raise Measured("logits or weights of attention times a tensor")
    mask = None if one.mask is None else one.mask * factor
    if mask is not None and not factor > 0:
        raise Measured("masked logits times a number that is not positive")
    found = replace(one, scale=one.scale * factor, mask=mask)
    return Done(
        found, (), "logits: Gaussian, given the tokens", second=second(found) if found.mask is None else None
    )


@rule("masked_fill")
def _masked(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    one, mask, value = args[:3]
    if not isinstance(one, Logits) or not isinstance(mask, torch.Tensor) or float(value) > -1e4:
        raise Measured("masked by something else than minus infinity, or no logits")
    return Done(
        replace(one, mask=_added(one, _mask(~mask, one.queries))), (), "masked logits", second=math.nan
    )


@rule("softmax", "_softmax")
def _softmax(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    one = args[0]
    if not isinstance(one, Logits):
        raise Measured("a softmax over units")
    if args[1] not in (-1, len(step.shape or ()) - 1):
        raise Measured("a softmax over queries")
    walk.softmaxes[step.key] = softmax(one)
    found = attention.sequences(**asked(one), pairs=_QUICK if walk.quick else None)
    overlaps = np.einsum("aiai->ai", found.overlaps)
    second = float(overlaps.mean()) / one.keys.gram.shape[1]
    return Done(Weights(one), (), "softmax of Gaussian logits", second=second)
