"""`layer`: Gram matrix and tangent kernel behind softmax attention, for tokens with any Gram matrix."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.attention import sampling
from widelimit.numerics.attention.requests import Request, alike, averaged, request, square
from widelimit.numerics.attention.shares import at, row_overlaps
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import attention as theory

Array = np.ndarray
_SURE = 1e-10  # estimated relative error of masks' integrals


@by_value
@dataclass(frozen=True)
class Layer:
    """What a layer of softmax attention makes of the Gram matrix C of its tokens.

    `covariance`: C' behind the layer, (T, T); `ntk`: its tangent kernel, all four weights trained. `method`:
    "exchangeable" (integrals), "pair" (two tokens: a lattice) or "monte-carlo" (Sobol points). `error`: an
    estimate of the largest error of an entry, relative to the largest entry.
    """

    covariance: Array
    ntk: Array
    error: float
    method: str


def layer(
    C: Any,
    *,
    sigma_qk: Any,
    sigma_vo: Any,
    causal: Any = False,
    scaling: Any = "sqrt",
    head_dim: Any = None,
    theta: Any = None,
    seed: Any = 0,
) -> Layer:
    """Return what softmax attention with infinitely many, infinitely wide heads makes of tokens with the Gram matrix C.

    Exchangeable tokens (one length, one correlation): C'_ik = sigma_vo^2 [p + (q - p) S_ik], exact at every number of
    tokens and temperature, with a causal mask too. Two tokens: averages over a pair of logits. Others: averages over
    logits beta L g L', C = L L' (users' networks, results 1 to 8 and 12b; new).

    Args:
        C: C_ij = x_i . x_j / d, (T, T), positive semidefinite, T of 2 or more.
        sigma_qk: sigma_Q sigma_K, scales of weights of variance sigma^2 over fan-in.
        sigma_vo: sigma_V sigma_O.
        causal: whether token i sees the first i tokens alone.
        scaling: "sqrt" for logits over the root of the head dimension, "linear" for logits over the head dimension.
        head_dim: for "linear"; None for an infinite one: attention is uniform.
        theta: tangent kernel of what the layer reads, (T, T) or a number for all entries; none by default.
        seed: of Sobol points.

    Raises `ArgumentError` for a matrix that is no Gram matrix, negative scales, or logits that are too large.

    >>> gram = np.where(np.eye(8), 1.0, 0.3)
    >>> found = layer(gram, sigma_qk=2.0, sigma_vo=1.0)
    >>> found.method, [round(float(one), 4) for one in found.ntk[0, :2]]
    ('exchangeable', [1.6351, 0.9349])
    >>> linear = layer(gram, sigma_qk=4.0, sigma_vo=1.0, scaling="linear", head_dim=4)  # 4/sqrt(4) is 2
    >>> [round(float(one), 4) for one in linear.ntk[0, :2]]
    [1.6351, 0.9349]
    >>> masked = layer(gram, sigma_qk=2.0, sigma_vo=1.0, theta=0.5, causal=True)
    >>> round(float(masked.covariance[2, 4]), 6), round(float(masked.ntk[2, 4]), 6)
    (0.47243, 1.568747)
    >>> found = layer([[1, 0.2], [0.2, 2]], sigma_qk=1.5, sigma_vo=1.0)
    >>> found.method, round(float(found.covariance[0, 1]), 9)
    ('pair', 0.892367226)

    Unequal tokens are sampled; here tau is 26/27 and kappa 2/27, so that C'_11 grows by 28/27 sigma_qk^2 at first:

    >>> found = layer(np.diag([1, 2, 3]), sigma_qk=0.01, sigma_vo=1.0)
    >>> found.method, round(float(found.covariance[0, 0] - 2 / 3) / 0.01**2, 3), round(28 / 27, 3)
    ('monte-carlo', 1.037, 1.037)
    """
    asked = request(C, sigma_qk, sigma_vo, causal, scaling, head_dim)
    known = incoming("theta", theta, asked.tokens)
    number = arguments.count("seed", seed, 0)
    if asked.exchangeable and (alike(known) or not asked.causal):
        return _exchangeable(asked, known)
    if asked.tokens == 2:
        return _sampled(asked, known, "pair", number)
    return _sampled(asked, known, "monte-carlo", number)


def incoming(name: str, value: Any, tokens: int) -> Array:
    """Return a kernel or a matrix of gradients of the tokens; a number stands for all entries, None for none."""
    if value is None:
        return np.zeros((tokens, tokens))
    array = arguments.near_one(name, arguments.real(name, value))
    if array.ndim == 0:
        return np.full((tokens, tokens), float(array))
    return square(name, array, tokens)


def moments(asked: Request) -> tuple[Array, Array, float]:
    """S_ik and R_ik of exchangeable tokens, (T, T), and an estimate of their relative error."""
    t, rho = asked.tokens, 1 - asked.distance
    std = asked.logit_std
    if asked.causal:
        return *row_overlaps(std, t, rho, asked.distance), _SURE
    within, across, slope_within, slope_across, error, _ = at(std, t, rho, asked.distance)
    one = np.eye(t, dtype=bool)
    return np.where(one, within, across), np.where(one, slope_within, slope_across), error


def _exchangeable(asked: Request, known: Array) -> Layer:
    overlap, slope, error = moments(asked)
    q, p = asked.length, asked.covariance
    after = next_covariance()(asked.sigma_vo, q, p, overlap)
    t = asked.tokens
    own = float(np.diag(known).mean())
    others = float((known.sum() - np.trace(known)) / (t * (t - 1)))
    tangent = _tangent()(
        asked.sigma_vo, asked.beta, q, p, overlap, slope, after, asked.gram, own, others, known
    )
    return Layer(after, tangent, error, "exchangeable")


def _sampled(asked: Request, known: Array, method: str, seed: int) -> Layer:
    if method == "pair":
        every = sampling.averages(sampling.lattice(asked), lambda node: _both(asked, known, node.weights))
        after = _of_two(asked) if not asked.causal else every[0, 0]
        return Layer(after, every[0, 1], sampling.mean(every)[1], method)
    near, known_near = asked.near, averaged(known)

    def all_of(node: sampling.Nodes) -> Array:
        parts = [_both(asked, known, node.weights), _both(near, known_near, node.near)]
        if not asked.causal:
            parts.append(asked.sigma_vo**2 * sampling.to_second_order(node.logits, asked.gram)[:, None])
        return np.concatenate(parts, 1)

    every = sampling.averages(sampling.points(asked, seed), all_of)
    exact = _exchangeable(near, known_near)
    second = [] if asked.causal else [(every[:, 4], sampling.hot(asked))]
    after, error = sampling.mean(
        sampling.without_noise(every[:, 0], [(every[:, 2], exact.covariance), *second])
    )
    tangent, other = sampling.mean(sampling.without_noise(every[:, 1], [(every[:, 3], exact.ntk), *second]))
    return Layer(after, tangent, max(error, other), method)


def _both(asked: Request, known: Array, weights: Array) -> Array:
    """C' and Theta' of rows of weights, (points, 2, T, T)."""
    gain, scale = asked.sigma_vo**2, (asked.sigma_vo * asked.beta) ** 2
    covariance, queries, keys = contracted(weights, asked.gram, known)
    values = weights @ known @ weights.swapaxes(-1, -2)
    logits = (2 * asked.gram + known) * queries + asked.gram * keys
    return np.stack([gain * covariance, gain * (2 * covariance + values) + scale * logits], 1)


def contracted(weights: Array, gram: Array, other: Array) -> tuple[Array, Array, Array]:
    """A C A', tr J_i C J_k C and tr J_i C J_k Y of rows of weights A (points, T, T), Y = `other`; entries i, k.

    J_i = diag(A_i) - A_i A_i'; J_i C J_k has the entries A_ij A_kl [C_jl - (A C)_il - (A C)_kj + (A C A')_ik].
    """
    turned = weights.swapaxes(-1, -2)
    seen, seen_other = weights @ gram, weights @ other
    covariance, covariance_other = seen @ turned, seen_other @ turned
    found = [covariance]
    for one, rows, whole in ((gram, seen, covariance), (other, seen_other, covariance_other)):
        across = (seen * rows) @ turned
        found.append(weights @ (gram * one) @ turned - across - across.swapaxes(-1, -2) + covariance * whole)
    return found[0], found[1], found[2]


def _of_two(asked: Request) -> Array:
    """C' of two tokens by the products of their logistic functions."""

    def products(node: sampling.Nodes) -> Array:
        first = node.weights[..., 0]
        return np.asarray(first[:, :, None] * first[:, None, :])

    both = sampling.averages(sampling.lattice(asked), products)[0]
    gram = asked.gram
    spread = gram[0, 0] + gram[1, 1] - 2 * gram[0, 1]
    return np.asarray(_two()(asked.sigma_vo, gram[0, 1], spread, both))


@functools.cache
def next_covariance() -> Compiled:
    """Of sigma_vo, q, p and an overlap: an entry of C' of exchangeable tokens."""
    t = theory
    return compile(t.next_covariance(), (t.SIGMA_VO, t.Q, t.P, t.OVERLAP), name="next_covariance")


@functools.cache
def _tangent() -> Compiled:
    t = theory
    names = (t.SIGMA_VO, t.BETA, t.Q, t.P, t.OVERLAP, t.SLOPES, t.COVARIANCE, t.ROW)
    return compile(t.next_tangent(), (*names, t.THETA, t.THETA_CROSS, t.THETA_ROWS), name="next_tangent")


@functools.cache
def _two() -> Compiled:
    t = theory
    return compile(t.two_tokens(), (t.SIGMA_VO, t.ENTRY, t.SPREAD, t.BOTH), name="two_tokens")
