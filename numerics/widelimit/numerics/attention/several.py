"""`sequences`, `backwards`: what softmax attention makes of all positions of several sequences, and of gradients.

One head reads every sequence with the same weights, so that logits of two sequences are correlated as their tokens are:
Cov(s_ij, s_kl) = sigma_qk^2 K^Q_ik K^K_jl F_ijkl, (i, j) of one sequence and (k, l) of another. F is 1, or, for queries
and keys that are turned in planes by angles (rotary positions), the mean over planes of cos[(b_j - a_i) - (b_l - a_k)].
Averages over logits are those of normal samples in pairs s and -s. What the softmax does to second order in its logits
about the weights that the mask alone gives is known, and taken off the noise.
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
class Sequences:
    """What attention makes of the positions of several sequences.

    `covariance`: C' behind it, (sequences, tokens, sequences, tokens). `overlaps`: E sum_j A_ij A_kj, of the same
    shape. `error`: the largest standard error of an entry of C', relative to the largest entry.
    """

    covariance: Array
    overlaps: Array
    error: float


@by_value
@dataclass(frozen=True)
class Backwards:
    """Products of gradients in front of queries, keys and values, (sequences, tokens, sequences, tokens) each."""

    queries: Array
    keys: Array
    values: Array


def sequences(
    C: Any,
    *,
    sigma_qk: Any,
    sigma_vo: Any = 1.0,
    causal: Any = False,
    mask: Any = None,
    keys: Any = None,
    values: Any = None,
    angles: Any = None,
    pairs: Any = None,
    seed: Any = 0,
) -> Sequences:
    """Return the Gram matrix behind softmax attention over sequences whose tokens have any Gram matrix.

    C'_ik = sigma_vo^2 E sum_jl A_ij A_kl C_jl, A the rows of softmax weights of infinitely many, infinitely wide heads
    (users' networks, results 1 to 8; rotary positions and several sequences new). Heads that share keys and values
    (grouped queries) have the same averages.

    Args:
        C: Gram matrix of the tokens that queries are made of, (T, T), or (N, T, N, T) for N sequences.
        sigma_qk: scale of logits, sigma_Q sigma_K.
        sigma_vo: sigma_V sigma_O.
        causal: whether token i sees the first i tokens alone.
        mask: numbers that are added to logits, (T, T) or (N, T, T); -inf hides a token.
        keys, values: Gram matrices of what keys and values are made of; C by default.
        angles: of rotary positions, (T, planes), or a pair of them for queries and keys; none by default.
        pairs: of samples; as many as the sizes allow by default.
        seed: of the samples.

    Raises `ArgumentError` for matrices that are no Gram matrices or do not fit, rows that see nothing, or logits that
    are too large.

    >>> gram = np.where(np.eye(8), 1.0, 0.3)
    >>> found = sequences(gram, sigma_qk=1.0, causal=True)
    >>> bool(abs(found.covariance[0, 0, 0, 7] - (0.3 + 0.7 / 8)) < 1e-4)  # the first token, at every temperature
    True
    >>> gram = [[1.0, 0.2], [0.2, 2.0]]
    >>> turned = sequences(gram, sigma_qk=0.1, angles=[[0.0], [1.0]])  # 0.854173 with angles of 0
    >>> round(float(turned.covariance[0, 0, 0, 0]), 5)  # by a sum over the difference of two logits: 0.854462
    0.85446
    """
    asked = _asked(C, sigma_qk, sigma_vo, causal, mask, keys, values, angles)
    count, seed = _pairs(asked, pairs), arguments.count("seed", seed, 0)
    plain, means = asked.plain(), asked.second_order()
    parts, expansions, overlaps = [], [], []
    common = spread = 0.0
    for part in _samples(asked, count, seed):
        total: Any = 0.0
        known: Any = 0.0
        both: Any = 0.0
        number = 0
        for logits in part:
            pair: Any = 0.0
            for sign in (1.0, -1.0):
                weights = _softmax(sign * logits, asked.mask)
                rows = weights.reshape(len(weights), -1, weights.shape[-1])
                pair = pair + _through(weights, asked.values) / 2
                both = both + (rows @ rows.swapaxes(-1, -2)).sum(0) / 2
            noise = _expanded(plain, logits, asked.values) - means
            common += float(np.vdot(pair - means, noise))
            spread += float(np.vdot(noise, noise))
            total, known, number = total + pair.sum(0), known + noise.sum(0), number + len(logits)
        parts.append(total / number)
        expansions.append(known / number)
        overlaps.append(both / number)
    share = common / spread if spread > 0 else 0.0
    found = asked.sigma_vo**2 * (np.array(parts) - share * np.array(expansions))
    mean = found.mean(0)
    error = float(found.std(0, ddof=1).max()) / math.sqrt(len(found)) / (float(np.abs(mean).max()) or 1.0)
    return Sequences(_four(mean, asked.count), _four(np.mean(overlaps, 0), asked.count), error)


def backwards(
    C: Any,
    G: Any,
    *,
    sigma_qk: Any,
    sigma_vo: Any = 1.0,
    causal: Any = False,
    mask: Any = None,
    keys: Any = None,
    values: Any = None,
    angles: Any = None,
    pairs: Any = None,
    seed: Any = 0,
) -> Backwards:
    """Return the products of gradients in front of queries, keys and values from those behind attention.

    With J_i = diag(A_i) - A_i A_i': values sigma_vo^2 E A' G A, queries sigma_vo^2 sigma_qk^2 G_ik E tr J_i V J_k K,
    and keys sigma_vo^2 sigma_qk^2 sum_ik K^Q_ik G_ik E J_i V J_k (see `gradient`). Gradients of queries and keys that
    are turned are those in front of the rotation.

    Args:
        C, sigma_qk, sigma_vo, causal, mask, keys, values, angles, pairs, seed: see `sequences`.
        G: products of gradients behind attention, as C.

    Raises `ArgumentError` as `sequences` does.

    >>> gram, one = np.where(np.eye(12), 1.0, 0.3), np.eye(12)
    >>> found = backwards(gram, one, sigma_qk=1.0)
    >>> total = sum(each[0, :, 0].diagonal().mean() for each in (found.queries, found.keys, found.values))
    >>> bool(abs(total / 0.2655 - 1) < 0.01)
    True
    """
    asked = _asked(C, sigma_qk, sigma_vo, causal, mask, keys, values, angles)
    upstream = _gram("G", G, len(asked.queries))[0]
    count, seed = _pairs(asked, pairs), arguments.count("seed", seed, 0)
    total: list[Any] = [0.0, 0.0, 0.0]
    number = 0
    for part in _samples(asked, count, seed):
        for logits in part:
            for sign in (1.0, -1.0):
                for place, one in enumerate(_paths(asked, upstream, _softmax(sign * logits, asked.mask))):
                    total[place] = total[place] + one.sum(0)
                number += len(logits)
    gain = asked.sigma_vo**2 / number
    scale = gain * asked.sigma_qk**2
    queries, keys_, values_ = (
        _four(factor * one, asked.count) for factor, one in zip((scale, scale, gain), total, strict=True)
    )
    return Backwards(queries, keys_, values_)


@by_value
@dataclass(frozen=True)
class _Request:
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

    def plain(self) -> Array:
        """Weights that the mask alone gives."""
        return _softmax(np.zeros((1, *self.mask.shape)), self.mask)

    def second_order(self) -> Array:
        """E of `_expanded`."""
        plain = self.plain()
        scale = self.sigma_qk**2
        pairs = _slopes(self, plain, self.values)[0]
        skew = scale * np.diag(self.queries)[:, None] * _squares(self, plain)
        curved = _times(plain, (_spread(plain[0], skew) @ self.values)[None].swapaxes(-1, -2))[0].T
        return np.asarray(_through(plain, self.values)[0] + scale * self.queries * pairs + curved + curved.T)


def _asked(
    C: Any, sigma_qk: Any, sigma_vo: Any, causal: Any, mask: Any, keys: Any, values: Any, angles: Any
) -> _Request:
    queries, count = _gram("C", C)
    key = queries if keys is None else _gram("keys", keys)[0]
    value = key if values is None else _gram("values", values, len(key))[0]
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
    return _Request(queries, key, value, roots, count, beta, vo, added, _features(angles, sizes))


def _gram(name: str, value: Any, size: int | None = None) -> tuple[Array, int]:
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


def _pairs(asked: _Request, given: Any) -> int:
    """How many pairs of samples."""
    each = len(asked.features) * len(asked.keys) * len(asked.queries) * (asked.mask[0].size ** 0.5 + 8)
    if given is not None:
        count = arguments.count("pairs", given, 2)
        return costs.affordable("pairs", count, seconds=1e-5 + each * _SECONDS, each="pair")
    variance = asked.sigma_qk**2 * float(np.diag(asked.queries).max() * np.diag(asked.keys).max())
    return int(np.clip(_EFFORT / (4 * each) * min(max(variance, _COOL), 1.0), *_PAIRS))


def _samples(asked: _Request, pairs: int, seed: int) -> Iterator[Iterator[Array]]:
    """Logits (samples, sequences, tokens, tokens) in batches, of several parts."""
    parts = min(_PARTS, pairs)
    for part in range(parts):
        random = np.random.default_rng([seed, part])
        yield _batches(asked, -(-pairs // parts), random)


def _batches(asked: _Request, count: int, random: np.random.Generator) -> Iterator[Array]:
    n, features, (left, right) = asked.count, asked.features, asked.roots
    rows, columns = len(left), len(right)
    batch = max(1, _BATCH // (rows * columns * len(features)))
    inside = np.arange(n)
    for start in range(0, count, batch):
        size = min(batch, count - start)
        g = random.standard_normal((size, len(features), rows, columns))
        s = (asked.sigma_qk * (left @ g @ right)).reshape(size, len(features), n, rows // n, n, columns // n)
        own = s[:, :, inside, :, inside]  # (sequences, samples, features, tokens, tokens)
        yield np.einsum("anrij,rij->naij", own, features[:, 0])


def _softmax(logits: Array, mask: Array) -> Array:
    logits = logits + mask
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True))


def _times(weights: Array, matrix: Array) -> Array:
    """Weights (samples, sequences, i, j), each of its own sequence, times matrices (samples or 1, positions j, m)."""
    n = weights.shape[1]
    laid = matrix.reshape(len(matrix), n, -1, matrix.shape[-1])
    found = weights @ laid
    return np.asarray(found.reshape(len(found), -1, matrix.shape[-1]))


def _through(weights: Array, matrix: Array) -> Array:
    """A M A' of a symmetric matrix M, for every sample."""
    return _times(weights, _times(weights, matrix[None]).swapaxes(-1, -2))


def _turned(asked: _Request, weights: Array) -> Iterator[Array]:
    """Weights times each of F's features."""
    for one in asked.features:
        yield weights * one


def _slopes(asked: _Request, weights: Array, values: Array) -> Array:
    """sum_jl (J_i V J_k)_jl K_jl F_ijkl, for every sample."""
    seen = _times(weights, values[None])
    whole = _times(weights, seen.swapaxes(-1, -2))
    total: Any = 0.0
    for own in _turned(asked, weights):
        keys = _times(own, asked.keys[None])
        once = _through(own, asked.keys * values)
        across = _times(own, (seen * keys).swapaxes(-1, -2))
        total = total + once - across - across.swapaxes(-1, -2) + whole * _times(own, keys.swapaxes(-1, -2))
    return np.asarray(total)


def _paths(asked: _Request, upstream: Array, weights: Array) -> tuple[Array, Array, Array]:
    """What comes through queries, keys and values, scales aside."""
    pairs = asked.queries * upstream
    back = weights.swapaxes(-1, -2)
    seen = _times(weights, asked.values[None])
    whole = _times(weights, seen.swapaxes(-1, -2))
    keys: Any = 0.0
    for own in _turned(asked, weights):
        turned = own.swapaxes(-1, -2)
        spread = _times(turned, pairs[None]).swapaxes(-1, -2)  # (i, l)
        mixed = _times(turned, seen * spread)
        inner = _times(turned, _times(turned, pairs * whole).swapaxes(-1, -2))
        keys = keys + asked.values * _times(turned, spread) - mixed - mixed.swapaxes(-1, -2) + inner
    return upstream * _slopes(asked, weights, asked.values), keys, _through(back, upstream)


def _centred(plain: Array, logits: Array) -> Array:
    return np.asarray(logits - (plain * logits).sum(-1, keepdims=True))


def _expanded(plain: Array, logits: Array, values: Array) -> Array:
    """A V A' to second order in logits, without what is odd in them, for every sample."""
    centred = _centred(plain, logits)
    first = plain * centred
    square = centred**2
    second = plain * (square - (plain * square).sum(-1, keepdims=True)) / 2
    once = _times(second, _times(plain, values[None]).swapaxes(-1, -2))
    return np.asarray(_through(plain, values) + _through(first, values) + once + once.swapaxes(-1, -2))


def _squares(asked: _Request, plain: Array) -> Array:
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


def _spread(plain: Array, rows: Array) -> Array:
    """Rows of weights (positions i, tokens j) as a matrix over the positions of all sequences."""
    n, tokens, columns = plain.shape
    out = np.zeros((n, tokens, n, columns))
    out[np.arange(n), :, np.arange(n)] = rows.reshape(n, tokens, columns)
    return out.reshape(n * tokens, n * columns)


def _four(matrix: Array, count: int) -> Array:
    size = len(matrix) // count
    return np.asarray(matrix.reshape(count, size, count, size))


@functools.cache
def _turned_parts() -> Compiled:
    return compile(theory.turned_parts(), (theory.ANGLE,), name="turned_parts")
