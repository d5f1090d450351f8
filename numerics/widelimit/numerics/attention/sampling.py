"""Attention over tokens with any Gram matrix: rows of weights at nodes, and what is averaged over them.

Two tokens have logits that differ by a pair of Gaussians: a lattice over them. More tokens have the logits
beta L g L', C = L L', g of independent normals: scrambled Sobol points, whose error is seen from eight of them. Two
things are known and taken off the noise: what exchangeable tokens of the same mean length and covariance make of the
same g, and what the softmax does to second order in its logits (`theory.hot_covariance`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import expit, ndtri
from scipy.stats import qmc

from widelimit.numerics.attention.requests import Request
from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import attention as theory

Array = np.ndarray
_REACH = 7.0
_FINE = 0.75  # of pi over the standard deviation: the logistic function's poles
_SCRAMBLES = 8
_LARGEST = 4096  # dimensions of Sobol points
_WORK = 2**24  # numbers in a batch of weights
_EFFORT = 3e8  # products that points are spent on, all of them together


class Nodes(NamedTuple):
    """Rows of weights (points, T, T), the weight of each point, the part they belong to, and logits less their mean.

    `near`: rows of weights of exchangeable tokens at the same points.
    """

    weights: Array
    measure: Array
    part: int
    logits: Array
    near: Array


def lattice(request: Request) -> Iterator[Nodes]:
    """Weights of two tokens where both rows see both, on a lattice over the two differences of logits."""
    gram = request.gram
    spread = gram[0, 0] + gram[1, 1] - 2 * gram[0, 1]
    covariance = np.array([[_logits()(request.beta, gram[i, k], spread) for k in (0, 1)] for i in (0, 1)])
    one = math.sqrt(max(covariance[0, 0], 0.0))
    slope = covariance[0, 1] / one if one else 0.0
    rest = math.sqrt(max(covariance[1, 1] - slope**2, 0.0))
    step = min(0.5, _FINE * 1.0 / max(one, abs(slope), rest, 1e-9))
    z = np.arange(-math.ceil(_REACH / step), math.ceil(_REACH / step) + 1) * step
    density = np.exp(-(z**2) / 2)
    density /= density.sum()
    for place, measure in zip(z, density, strict=True):  # a row of the lattice at a time
        first = np.full(z.size, one * place)
        second = slope * place + rest * z
        logits = np.stack([first, second], 1)[..., None] * np.array([0.5, -0.5])
        weights = expit(2 * logits)
        if request.causal:
            weights[:, 0] = (1.0, 0.0)
        yield Nodes(weights, measure * density, 0, logits, weights)


def points(request: Request, seed: int) -> Iterator[Nodes]:
    """Weights at scrambled Sobol points (or at random where there are too many dimensions), in eight parts."""
    tokens = request.tokens
    pairs = [
        (one, one if request.causal else one - one.mean(0))
        for one in (root(request.gram), root(request.near.gram))
    ]
    size = tokens**2
    count = 2 ** int(np.clip(math.log2(_EFFORT / _SCRAMBLES / tokens**3), 3, 13))
    for part in range(_SCRAMBLES):
        each = np.random.default_rng([seed, part])
        if size <= _LARGEST:
            uniform = qmc.Sobol(size, scramble=True, rng=each).random(count)
            normal = ndtri(np.clip(uniform, 1e-16, 1 - 1e-16))
        else:
            normal = each.standard_normal((count, size))
        batch = max(1, _WORK // size)
        for start in range(0, count, batch):
            g = normal[start : start + batch].reshape(-1, tokens, tokens)
            logits, other = (request.beta * (left @ g @ right.T) for left, right in pairs)
            weights, near = softmax(logits, request.causal), softmax(other, request.causal)
            yield Nodes(weights, np.full(len(g), 1.0 / count), part, logits, near)


def softmax(logits: Array, causal: bool) -> Array:
    """Rows of weights; under a causal mask row i sees the first i tokens."""
    if causal:
        logits = np.where(np.tri(logits.shape[-1], dtype=bool), logits, -np.inf)
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True))


def root(gram: Array) -> Array:
    """The symmetric root of C, so that tokens that are nearly exchangeable have nearly the root of those that are."""
    values, vectors = np.linalg.eigh(gram)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def averages(nodes: Iterator[Nodes], function: Callable[[Nodes], Array]) -> Array:
    """Return the average over nodes of arrays, (parts, ...)."""
    parts: dict[int, Array] = {}
    for node in nodes:
        one = np.tensordot(node.measure, function(node), 1)
        parts[node.part] = parts[node.part] + one if node.part in parts else one
    return np.array(list(parts.values()))


def mean(every: Array) -> tuple[Array, float]:
    """Return the mean over parts and the largest standard error of an entry, relative to the largest entry."""
    found = np.asarray(every.mean(0))
    if len(every) == 1:
        return found, 1e-10
    scale = float(np.abs(found).max()) or 1.0
    return found, float(every.std(0, ddof=1).max() / math.sqrt(len(every)) / scale)


def without_noise(every: Array, controls: list[tuple[Array, Array]]) -> Array:
    """Take off what the parts have in common with controls (parts, ...) whose means are known."""
    own = (every - every.mean(0)).reshape(-1)
    common = np.stack([(control - control.mean(0)).reshape(-1) for control, _ in controls], 1)
    sizes = np.maximum(np.abs(common).max(0), 1e-300)
    shares = np.linalg.lstsq(common / sizes, own, rcond=1e-10)[0] / sizes
    for share, (control, known) in zip(shares, controls, strict=True):
        every = every - share * (control - known)
    return np.asarray(every)


def hot(request: Request) -> Array:
    """C' of any Gram matrix to second order in beta."""
    gram, tokens = request.gram, request.tokens
    centred = gram - gram.mean(0) - gram.mean(1)[:, None] + gram.mean()
    own = np.diag(centred)
    skew = float(((own - own.mean()) * gram.mean(1)).mean())
    squares = float((centred**2).sum()) / tokens**2
    lengths = np.diag(gram)
    rows = (lengths[:, None] + lengths) / 2
    found = _hot()(request.sigma_vo, request.beta, float(gram.mean()), gram, rows, squares, skew)
    return np.asarray(found)


def to_second_order(logits: Array, gram: Array) -> Array:
    """sum_jl A_ij A_kl C_jl to second order in logits without mean (points, T, T), whose mean `hot` knows."""
    tokens = gram.shape[0]
    square = logits**2
    once = logits + (square - square.mean(-1, keepdims=True)) / 2
    means_of_rows = gram.mean(1)
    first = once @ means_of_rows / tokens
    return np.asarray(
        gram.mean()
        + first[..., :, None]
        + first[..., None, :]
        + logits @ gram @ logits.swapaxes(-1, -2) / tokens**2
    )


@functools.cache
def _logits() -> Compiled:
    return compile(
        theory.two_token_logits(), (theory.BETA, theory.ROW, theory.SPREAD), name="two_token_logits"
    )


@functools.cache
def _hot() -> Compiled:
    t = theory
    arguments = (t.SIGMA_VO, t.BETA, t.MEAN, t.ROW, t.ROWS, t.SQUARES, t.SKEW)
    return compile(t.hot_covariance(), arguments, name="hot_covariance")
