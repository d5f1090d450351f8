"""`sequences`, `backwards`: what softmax attention makes of all positions of several sequences, and of gradients.

One head reads every sequence with the same weights, so that logits of two sequences are correlated as their tokens are:
Cov(s_ij, s_kl) = sigma_qk^2 K^Q_ik K^K_jl F_ijkl, (i, j) of one sequence and (k, l) of another. F is 1, or, for queries
and keys that are turned in planes by angles (rotary positions), the mean over planes of cos[(b_j - a_i) - (b_l - a_k)].
Averages over logits are those of normal samples in pairs s and -s. What the softmax does to second order in its logits
about the weights that the mask alone gives is known, and taken off the noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.attention.positions import (
    Asked,
    checked,
    expanded,
    four,
    gram_of,
    pairs_of,
    samples,
    slopes,
    softmax,
    through,
    times,
    with_features,
)
from widelimit.numerics.results import by_value

Array = np.ndarray


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
    asked = checked(C, sigma_qk, sigma_vo, causal, mask, keys, values, angles)
    count, seed = pairs_of(asked, pairs), arguments.count("seed", seed, 0)
    plain, means = asked.plain(), asked.second_order()
    parts, expansions, overlaps = [], [], []
    common = spread = 0.0
    for part in samples(asked, count, seed):
        total: Any = 0.0
        known: Any = 0.0
        both: Any = 0.0
        number = 0
        for g in part:
            logits = asked.sigma_qk * asked.logits(g)
            pair: Any = 0.0
            for sign in (1.0, -1.0):
                weights = softmax(sign * logits, asked.mask)
                rows = weights.reshape(len(weights), -1, weights.shape[-1])
                pair = pair + through(weights, asked.values) / 2
                both = both + (rows @ rows.swapaxes(-1, -2)).sum(0) / 2
            noise = expanded(plain, logits, asked.values) - means
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
    return Sequences(four(mean, asked.count), four(np.mean(overlaps, 0), asked.count), error)


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
    asked = checked(C, sigma_qk, sigma_vo, causal, mask, keys, values, angles)
    upstream = gram_of("G", G, len(asked.queries))[0]
    count, seed = pairs_of(asked, pairs), arguments.count("seed", seed, 0)
    total: list[Any] = [0.0, 0.0, 0.0]
    number = 0
    for part in samples(asked, count, seed):
        for g in part:
            logits = asked.sigma_qk * asked.logits(g)
            for sign in (1.0, -1.0):
                for place, one in enumerate(_paths(asked, upstream, softmax(sign * logits, asked.mask))):
                    total[place] = total[place] + one.sum(0)
                number += len(logits)
    gain = asked.sigma_vo**2 / number
    scale = gain * asked.sigma_qk**2
    queries, keys_, values_ = (
        four(factor * one, asked.count) for factor, one in zip((scale, scale, gain), total, strict=True)
    )
    return Backwards(queries, keys_, values_)


def _paths(asked: Asked, upstream: Array, weights: Array) -> tuple[Array, Array, Array]:
    """What comes through queries, keys and values, scales aside."""
    pairs = asked.queries * upstream
    back = weights.swapaxes(-1, -2)
    seen = times(weights, asked.values[None])
    whole = times(weights, seen.swapaxes(-1, -2))
    keys: Any = 0.0
    for own in with_features(asked, weights):
        turned = own.swapaxes(-1, -2)
        spread = times(turned, pairs[None]).swapaxes(-1, -2)  # (i, l)
        mixed = times(turned, seen * spread)
        inner = times(turned, times(turned, pairs * whole).swapaxes(-1, -2))
        keys = keys + asked.values * times(turned, spread) - mixed - mixed.swapaxes(-1, -2) + inner
    return upstream * slopes(asked, weights, asked.values), keys, through(back, upstream)
