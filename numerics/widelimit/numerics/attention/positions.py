"""Positions of several sequences: what is asked of them, their logits, and averages over softmax weights.

Logits are sigma_qk Q^(1/2) g K^(1/2) of normals g, turned by the features of rotary positions.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.attention.shares import COLDEST
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import attention as theory
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_PARTS = 8
_PAIRS = (4, 4096)  # of samples, at least and at most
_EFFORT = 2e8  # products that samples are spent on
_SECONDS = 2e-9  # a product
_COOL = 0.05  # of the variance of logits: below it, the share of samples that are drawn
_BATCH = 2**22  # numbers in a batch
_PLAIN = 1e-9  # share of F's features that is left out
_ALIKE = 1e-9  # of entries and their mirror images
_NEGATIVE = 1e-9  # eigenvalues of a Gram matrix, relative to the largest


@by_value
@dataclass(frozen=True)
class Asked:
    """Gram matrices (positions, positions), `roots` of queries' and keys', `count` of sequences, `mask` (count,
    tokens, tokens), F's `features` (features, 1, tokens, tokens).
    """

    queries: Array
    keys: Array
    values: Array
    roots: tuple[Array, Array]
    count: int
    sigma_qk: float
    sigma_vo: float
    mask: Array
    features: Array

    def logits(self, g: Array, roots: tuple[Array, Array] | None = None) -> Array:
        """Logits of normals g over sigma_qk, (samples, sequences, tokens, tokens); of these `roots` or of others."""
        left, right = self.roots if roots is None else roots
        n, inside = self.count, np.arange(self.count)
        s = left @ g @ right
        s = s.reshape(*s.shape[:2], n, s.shape[2] // n, n, s.shape[3] // n)
        own = s[:, :, inside, :, inside]  # (sequences, samples, features, tokens, tokens)
        return np.einsum("anrij,rij->naij", own, self.features[:, 0])

    def plain(self) -> Array:
        """Weights that the mask alone gives."""
        return softmax(np.zeros((1, *self.mask.shape)), self.mask)

    def second_order(self) -> Array:
        """E of `expanded`."""
        plain = self.plain()
        scale = self.sigma_qk**2
        pairs = slopes(self, plain, self.values)[0]
        skew = scale * np.diag(self.queries)[:, None] * squares(self, plain)
        curved = times(plain, (spread(plain[0], skew) @ self.values)[None].swapaxes(-1, -2))[0].T
        return np.asarray(through(plain, self.values)[0] + scale * self.queries * pairs + curved + curved.T)


def checked(
    C: Any, sigma_qk: Any, sigma_vo: Any, causal: Any, mask: Any, keys: Any, values: Any, angles: Any
) -> Asked:
    """Return what is asked of sequences; `ArgumentError` for what does not fit."""
    queries, count = gram_of("C", C)
    key = queries if keys is None else gram_of("keys", keys)[0]
    value = key if values is None else gram_of("values", values, len(key))[0]
    if len(key) % count:
        raise ArgumentError("keys", f"must hold {count} sequences", but=f"has {len(key)} tokens")
    sizes = len(queries) // count, len(key) // count
    beta, vo = (
        float(arguments.near_one(name, np.asarray(arguments.non_negative_number(name, one))))
        for name, one in (("sigma_qk", sigma_qk), ("sigma_vo", sigma_vo))
    )
    largest = beta * math.sqrt(float(np.diag(queries).max()) * float(np.diag(key).max()))
    if largest > COLDEST:
        help = "Weights are one-hot to a per cent where logits have a standard deviation of 100."
        but = f"gives logits up to a standard deviation of {largest:.3g}"
        raise ArgumentError("sigma_qk", f"must keep logits below {COLDEST:g}", but=but, help=help)
    added = _added(mask, sizes, count)
    if arguments.flag("causal", causal):
        added = np.where(np.tri(*sizes, dtype=bool), added, -np.inf)
    if not (added.max(-1) > -np.inf).all():
        raise ArgumentError("mask", "must leave every token one that it sees", but="hides all from one")
    roots = _root("C", queries), _root("keys", key)
    return Asked(queries, key, value, roots, count, beta, vo, added, _features(angles, sizes))


def gram_of(name: str, value: Any, size: int | None = None) -> tuple[Array, int]:
    """A symmetric matrix over the positions of sequences, and how many sequences there are."""
    array = arguments.real(name, value)
    arguments.near_one(name, np.abs(array).max(initial=0.0))
    if array.ndim not in (2, 4) or array.shape[: array.ndim // 2] != array.shape[array.ndim // 2 :]:
        must = "must be a square matrix, or one over (sequences, tokens)"
        raise ArgumentError(name, must, but=f"has shape {array.shape}")
    count = array.shape[0] if array.ndim == 4 else 1
    positions = math.prod(array.shape[: array.ndim // 2])
    if not positions or (size is not None and positions != size):
        raise ArgumentError(name, f"must have {size or 'some'} tokens", but=f"has {positions}")
    costs.affordable(name, positions, memory=200.0, seconds=1e-6, power=2, each="token")
    matrix = array.reshape(positions, positions)
    if np.abs(matrix - matrix.T).max() > _ALIKE * np.abs(matrix).max():
        raise ArgumentError(name, "must be symmetric", but="is not")
    return np.asarray((matrix + matrix.T) / 2), count


def _root(name: str, gram: Array) -> Array:
    values, vectors = np.linalg.eigh(gram)
    if values[0] < -_NEGATIVE * values[-1]:
        help = "It holds scalar products: no combination of tokens has a negative square."
        raise ArgumentError(name, "must be positive semidefinite", but="has a negative eigenvalue", help=help)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def _added(mask: Any, sizes: tuple[int, int], count: int) -> Array:
    if mask is None:
        return np.zeros((count, *sizes))
    array = arguments.real("mask", mask, infinite=True)
    shapes = (sizes, (1, *sizes), (count, *sizes))
    if array.shape not in shapes:
        must = f"must have the shape {sizes}, or {(count, *sizes)}"
        raise ArgumentError("mask", must, but=f"has shape {array.shape}")
    if np.isposinf(array).any():
        raise ArgumentError("mask", "must hold numbers, or -inf", but="holds inf")
    return np.broadcast_to(array, (count, *sizes))


def _features(angles: Any, sizes: tuple[int, int]) -> Array:
    """Functions f_r of (query, key) with sum_r f_r f_r = F, the few of them that F is made of."""
    if angles is None:
        return np.ones((1, 1, *sizes))
    held = angles if isinstance(angles, tuple) else (angles, angles)
    queries, keys = (arguments.real("angles", one) for one in held)
    for one, size in ((queries, sizes[0]), (keys, sizes[1])):
        if one.ndim != 2 or one.shape != (size, queries.shape[-1]):
            but = f"has shape {one.shape}"
            raise ArgumentError("angles", f"must have a row of planes for each of {size} tokens", but=but)
    between = (keys[None] - queries[:, None]).reshape(-1, keys.shape[1])
    parts = np.concatenate(np.broadcast_arrays(*_turned_parts()(between)), 1) / math.sqrt(keys.shape[1])
    lengths, turned = np.linalg.eigh(parts.T @ parts)
    kept = np.cumsum(lengths) > _PLAIN * lengths.sum()
    features = (parts @ turned[:, kept]).T
    return np.asarray(features.reshape(-1, 1, *sizes))


def pairs_of(asked: Asked, given: Any) -> int:
    """How many pairs of samples."""
    each = len(asked.features) * len(asked.keys) * len(asked.queries) * (asked.mask[0].size ** 0.5 + 8)
    if given is not None:
        count = arguments.count("pairs", given, 2)
        return costs.affordable("pairs", count, seconds=1e-5 + each * _SECONDS, each="pair")
    variance = asked.sigma_qk**2 * float(np.diag(asked.queries).max() * np.diag(asked.keys).max())
    return int(np.clip(_EFFORT / (4 * each) * min(max(variance, _COOL), 1.0), *_PAIRS))


def samples(asked: Asked, pairs: int, seed: int) -> Iterator[Iterator[Array]]:
    """Normals g (samples, features, positions of queries, of keys) in batches, of several parts."""
    parts = min(_PARTS, pairs)
    for part in range(parts):
        random = np.random.default_rng([seed, part])
        yield _batches(asked, -(-pairs // parts), random)


def _batches(asked: Asked, count: int, random: np.random.Generator) -> Iterator[Array]:
    shape = len(asked.features), len(asked.queries), len(asked.keys)
    batch = max(1, _BATCH // math.prod(shape))
    for start in range(0, count, batch):
        yield random.standard_normal((min(batch, count - start), *shape))


def softmax(logits: Array, mask: Array) -> Array:
    """Rows of weights of logits to which a mask is added."""
    logits = logits + mask
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True))


def times(weights: Array, matrix: Array) -> Array:
    """Weights (samples, sequences, i, j), each of its own sequence, times matrices (samples or 1, positions j, m)."""
    n = weights.shape[1]
    laid = matrix.reshape(len(matrix), n, -1, matrix.shape[-1])
    found = weights @ laid
    return np.asarray(found.reshape(len(found), -1, matrix.shape[-1]))


def through(weights: Array, matrix: Array) -> Array:
    """A M A' of a symmetric matrix M, for every sample."""
    return times(weights, times(weights, matrix[None]).swapaxes(-1, -2))


def with_features(asked: Asked, weights: Array) -> Iterator[Array]:
    """Weights times each of F's features."""
    for one in asked.features:
        yield weights * one


def slopes(asked: Asked, weights: Array, values: Array) -> Array:
    """sum_jl (J_i V J_k)_jl K_jl F_ijkl, for every sample."""
    seen = times(weights, values[None])
    whole = times(weights, seen.swapaxes(-1, -2))
    total: Any = 0.0
    for own in with_features(asked, weights):
        keys = times(own, asked.keys[None])
        once = through(own, asked.keys * values)
        across = times(own, (seen * keys).swapaxes(-1, -2))
        total = total + once - across - across.swapaxes(-1, -2) + whole * times(own, keys.swapaxes(-1, -2))
    return np.asarray(total)


def centred(plain: Array, logits: Array) -> Array:
    """Logits less their mean over weights."""
    return np.asarray(logits - (plain * logits).sum(-1, keepdims=True))


def expanded(plain: Array, logits: Array, values: Array) -> Array:
    """A V A' to second order in logits, without what is odd in them, for every sample."""
    apart = centred(plain, logits)
    first = plain * apart
    square = apart**2
    second = plain * (square - (plain * square).sum(-1, keepdims=True)) / 2
    once = times(second, times(plain, values[None]).swapaxes(-1, -2))
    return np.asarray(through(plain, values) + through(first, values) + once + once.swapaxes(-1, -2))


def squares(asked: Asked, plain: Array) -> Array:
    """Half of A (s~^2 - mean) by key, over the variance scale of the row: (positions i, tokens j)."""
    n, rows, columns = asked.mask.shape
    blocks = asked.keys.reshape(n, columns, n, columns)[np.arange(n), :, np.arange(n)]  # (n, j, l)
    weights = plain[0]
    total: Any = 0.0
    for one in asked.features:
        laid = one * weights
        mean = (laid @ blocks) * one  # sum_l u_l K_jl F_ijil
        total = total + np.einsum("njj->nj", blocks)[:, None] * one**2 - 2 * mean
        total = total + ((laid @ blocks) * laid).sum(-1, keepdims=True)
    half = weights * (total - (weights * total).sum(-1, keepdims=True)) / 2
    return np.asarray(half.reshape(n * rows, columns))


def spread(plain: Array, rows: Array) -> Array:
    """Rows of weights (positions i, tokens j) as a matrix over the positions of all sequences."""
    n, tokens, columns = plain.shape
    out = np.zeros((n, tokens, n, columns))
    out[np.arange(n), :, np.arange(n)] = rows.reshape(n, tokens, columns)
    return out.reshape(n * tokens, n * columns)


def four(matrix: Array, count: int) -> Array:
    """A matrix over all positions as (sequences, tokens, sequences, tokens)."""
    size = len(matrix) // count
    return np.asarray(matrix.reshape(count, size, count, size))


@functools.cache
def _turned_parts() -> Compiled:
    return compile(theory.turned_parts(), (theory.ANGLE,), name="turned_parts")
