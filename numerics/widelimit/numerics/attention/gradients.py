"""`gradient`: squared gradients and their products between tokens in front of softmax attention, path by path."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.attention import sampling
from widelimit.numerics.attention.layers import incoming, moments
from widelimit.numerics.attention.requests import Request, averaged, request
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import attention as theory

Array = np.ndarray


@by_value
@dataclass(frozen=True)
class Gradient:
    """Products of gradients in front of a layer of attention, E g_m . g_n / d, (T, T).

    `gradient` is the sum of what comes through `values` (the averages themselves), `queries` and `keys` (the softmax).
    `method` and `error`: see `Layer`.
    """

    gradient: Array
    values: Array
    queries: Array
    keys: Array
    error: float
    method: str


def gradient(
    C: Any,
    G: Any,
    *,
    sigma_qk: Any,
    sigma_vo: Any,
    causal: Any = False,
    scaling: Any = "sqrt",
    head_dim: Any = None,
    seed: Any = 0,
) -> Gradient:
    """Return the products of gradients in front of softmax attention from those behind it, for any C and any G.

    With k = sigma_vo^2 beta^2 (q - p), exchangeable tokens have G' = sigma_vo^2 [S_2 G + (T - 1) S_rho G_x]
    + k [(q - p) G R_2 + K], K = q G R_2 + (T - 1) p G_x R_rho: values, queries, keys (users' networks, result 10; new).
    In general values are sigma_vo^2 E A' G A, queries sigma_vo^2 beta^2 G_ik E tr J_i C J_k C, and keys
    sigma_vo^2 beta^2 sum_ik C_ik G_ik E J_i C J_k.

    Args:
        C: Gram matrix of the tokens that the layer reads, see `layer`.
        G: products of gradients behind it, (T, T), E g_i . g_k / d; or a number for all entries.
        sigma_qk, sigma_vo, causal, scaling, head_dim, seed: see `layer`.

    Raises `ArgumentError` as `layer` does.

    >>> gram, one = np.where(np.eye(12), 1.0, 0.3), np.eye(12)
    >>> found = gradient(gram, one, sigma_qk=1.0, sigma_vo=1.0)
    >>> round(float(found.gradient[0, 0]), 4), round(float(found.values[0, 0]), 4)
    (0.2655, 0.1422)
    >>> masked = gradient(gram[:4, :4], np.where(one[:4, :4], 1.0, 0.2), sigma_qk=1.0, sigma_vo=1.0, causal=True)
    >>> [round(float(one), 6) for one in masked.values[0, :2]]
    [2.138319, 0.697697]
    >>> [round(float(one), 6) for one in masked.keys[0, :2]]
    [0.141353, -0.098463]
    """
    asked = request(C, sigma_qk, sigma_vo, causal, scaling, head_dim)
    upstream = incoming("G", G, asked.tokens)
    number = arguments.count("seed", seed, 0)
    if not asked.exchangeable:
        return _sampled(asked, upstream, number)
    return _causal(asked, upstream) if asked.causal else _exchangeable(asked, upstream)


def _exchangeable(asked: Request, upstream: Array) -> Gradient:
    """A token's own upstream gradient goes through queries, what tokens have on average through values and keys."""
    overlap, slope, error = moments(asked)
    t, q, p = asked.tokens, asked.length, asked.covariance
    own = float(np.diag(upstream).mean())
    cross = float((upstream.sum() - np.trace(upstream)) / (t * (t - 1)))
    point = (asked.sigma_vo, asked.beta, q, p, t)
    rows = overlap[0, 0], overlap[0, 1], slope[0, 0], slope[0, 1]
    value, _, key, value_cross, _, key_cross = _maps()(*point, *rows, own, cross)
    one = np.eye(t, dtype=bool)
    queries = np.where(
        one,
        _maps()(*point, *rows, np.diag(upstream)[:, None], 0.0)[1],
        _maps()(*point, *rows, 0.0, upstream)[4],
    )
    values, keys = np.where(one, value, value_cross), np.where(one, key, key_cross)
    return Gradient(values + queries + keys, values, queries, keys, error, "exchangeable")


def _causal(asked: Request, upstream: Array) -> Gradient:
    """Rows of different lengths: what a token collects is summed over the rows that see it."""
    overlap, slope, error = moments(asked)
    t = asked.tokens
    i = np.minimum.outer(np.arange(t), np.arange(t)) + 1
    k = np.maximum.outer(np.arange(t), np.arange(t)) + 1
    same, other, later = _shares()(overlap, i, k)
    same_slope, other_slope = _share_slopes()(slope, i)
    other, other_slope = np.where(i > 1, other, 0.0), np.where(i > 1, other_slope, 0.0)
    scale = float(_scale()(asked.sigma_vo, asked.beta, asked.length, asked.covariance))
    values = asked.sigma_vo**2 * _collected(upstream, same, other, later)
    keys = scale * _collected(asked.gram * upstream, same_slope, other_slope, np.zeros_like(same))
    queries = scale * (asked.length - asked.covariance) * upstream * slope
    return Gradient(values + queries + keys, values, queries, keys, error, "exchangeable")


def _collected(weights: Array, same: Array, other: Array, later: Array) -> Array:
    """sum_ik w_ik M_ik(m, n): M_ik is `same` where m = n, `other` elsewhere in the shorter row, `later` behind it."""
    t = len(weights)
    shorter = np.minimum.outer(np.arange(t), np.arange(t))
    from_end = functools.partial(_from_end, shorter)
    both = from_end(weights * other)
    found = np.asarray(both[np.maximum.outer(np.arange(t), np.arange(t))])
    np.fill_diagonal(found, from_end(weights * same))
    beyond = np.triu(weights * later, 1)[:, ::-1].cumsum(1)[:, ::-1]  # (i, n): rows k that see n
    beyond = np.vstack([beyond.cumsum(0), np.zeros(t)])
    after = np.zeros((t, t))
    for m in range(t):  # rows i that see m and end before n
        n = np.arange(m + 1, t)
        after[m, n] = beyond[n - 1, n] - (beyond[m - 1, n] if m else 0.0)
    return found + after + after.T


def _from_end(shorter: Array, values: Array) -> Array:
    """Sums over pairs of rows that both see a token, for each token."""
    each = np.bincount(shorter.reshape(-1), values.reshape(-1), len(shorter))
    return np.asarray(each[::-1].cumsum()[::-1])


def _sampled(asked: Request, upstream: Array, seed: int) -> Gradient:
    if asked.tokens == 2:
        every = sampling.averages(sampling.lattice(asked), lambda node: _paths(asked, upstream, node.weights))
        values, queries, keys = every[0]
        return Gradient(every[0].sum(0), values, queries, keys, sampling.mean(every)[1], "pair")
    near, upstream_near = asked.near, averaged(upstream)

    def both(node: sampling.Nodes) -> Array:
        own, other = _paths(asked, upstream, node.weights), _paths(near, upstream_near, node.near)
        return np.concatenate([own, other], 1)

    every = sampling.averages(sampling.points(asked, seed), both)
    exact = (_causal if asked.causal else _exchangeable)(near, upstream_near)
    known = (exact.values, exact.queries, exact.keys)
    parts = [sampling.without_noise(every[:, n], [(every[:, 3 + n], known[n])]) for n in range(3)]
    found, error = sampling.mean(parts[0] + parts[1] + parts[2])
    return Gradient(found, parts[0].mean(0), parts[1].mean(0), parts[2].mean(0), error, "monte-carlo")


def _paths(asked: Request, upstream: Array, weights: Array) -> Array:
    """What comes through values, queries and keys: A' G A, tr J_i C J_k C, and sum_ik C_ik G_ik J_i C J_k of rows A."""
    gram = asked.gram
    turned = weights.swapaxes(-1, -2)
    seen = weights @ gram
    whole = seen @ turned
    across = (seen * seen) @ turned
    slopes = weights @ (gram * gram) @ turned - across - across.swapaxes(-1, -2) + whole * whole
    pairs = gram * upstream
    spread = pairs @ weights
    mixed = turned @ (seen * spread)
    keys = gram * (turned @ spread) - mixed - mixed.swapaxes(-1, -2) + turned @ (pairs * whole) @ weights
    gain = asked.sigma_vo**2
    scale = gain * asked.beta**2
    return np.stack([gain * (turned @ upstream @ weights), scale * upstream * slopes, scale * keys], 1)


@functools.cache
def _maps() -> Compiled:
    t = theory
    cross = t.key_gradient_cross().subs(t.KEYS, t.key_gradient())
    formulas = (
        t.value_gradient(),
        t.query_gradient(),
        t.key_gradient(),
        t.value_gradient_cross(),
        t.query_gradient_cross(),
        cross,
    )
    rows = (t.S2, t.S_RHO, t.R2, t.R_RHO)
    return compile(
        formulas, (t.SIGMA_VO, t.BETA, t.Q, t.P, t.TOKENS, *rows, t.G, t.G_CROSS), name="gradients"
    )


@functools.cache
def _shares() -> Compiled:
    t = theory
    formulas = (t.same_token(), t.other_token(), t.later_token())
    return compile(formulas, (t.OVERLAP, t.ROW_I, t.ROW_K), name="shares")


@functools.cache
def _share_slopes() -> Compiled:
    t = theory
    return compile((t.same_slope(), t.other_slope()), (t.SLOPES, t.ROW_I), name="share_slopes")


@functools.cache
def _scale() -> Compiled:
    t = theory
    return compile(t.path_scale(), (t.SIGMA_VO, t.BETA, t.Q, t.P), name="path_scale")
