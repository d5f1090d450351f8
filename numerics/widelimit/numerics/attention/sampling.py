"""Attention over tokens with any Gram matrix: rows of weights at nodes, and what is averaged over them.

Two tokens have logits that differ by a pair of Gaussians: a lattice over them. More tokens have the logits
beta L g L', C = L L', g of independent normals: scrambled Sobol points, whose error is seen from eight of them. Two
things are known and taken off the noise: what exchangeable tokens of the same mean length and covariance make of the
same g, and what the softmax does to second order in its logits (`theory.hot_covariance`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, ndtri
from scipy.stats import qmc
from sympy import Symbol

from widelimit.numerics.attention.requests import Request, averaged
from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import attention as theory
from widelimit.theory.calculus import implicit
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_REACH = 7.0
_FINE = 0.5  # times the standard deviation: the logistic function's poles, which slopes double
_SCRAMBLES = 8
_LARGEST = 4096  # dimensions of Sobol points
_WORK = 2**24  # numbers in a batch of weights
_EFFORT = 3e8  # products that points are spent on, all of them together
_NOTHING, _LEFT = 1e-9, 1e-8  # eigenvalues of C that are 0, and what a direction may say of them, relative


class Move(NamedTuple):
    """A direction in which a layer's arguments move: by how much beta, the Gram matrix and the tangent kernel do."""

    beta: float
    gram: Array
    theta: Array


class Moved(NamedTuple):
    """How a node's weights, logits and `near` change in a direction."""

    weights: Array
    logits: Array
    near: Array


class Nodes(NamedTuple):
    """Rows of weights (points, T, T), the weight of each point, the part they belong to, and logits less their mean.

    `near`: rows of weights of exchangeable tokens at the same points. `moved`: how all of them change.
    """

    weights: Array
    measure: Array
    part: int
    logits: Array
    near: Array
    moved: tuple[Moved, ...] = ()


def lattice(request: Request, fine: float = _FINE) -> Iterator[Nodes]:
    """Weights of two tokens where both rows see both, on a lattice over the two differences of logits.

    `fine`: its step, in standard deviations of the widest logit.
    """
    gram = request.gram
    spread = gram[0, 0] + gram[1, 1] - 2 * gram[0, 1]
    covariance = np.array([[_logits()(request.beta, gram[i, k], spread) for k in (0, 1)] for i in (0, 1)])
    one = math.sqrt(max(covariance[0, 0], 0.0))
    slope = covariance[0, 1] / one if one else 0.0
    rest = math.sqrt(max(covariance[1, 1] - slope**2, 0.0))
    step = min(0.5, fine / max(one, abs(slope), rest, 1e-9))
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


def points(request: Request, seed: int, moves: Sequence[Move] = ()) -> Iterator[Nodes]:
    """Weights at scrambled Sobol points (or at random where there are too many dimensions), in eight parts.

    With their changes in directions: the same normals, the logits of other scales and roots.
    """
    tokens = request.tokens
    layers = [(request, moves), (request.near, [one._replace(gram=averaged(one.gram)) for one in moves])]
    laid = [_Laid.of(asked, each) for asked, each in layers]
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
            logits, other = (one.logits(g) for one in laid)
            weights, near = softmax(logits, request.causal), softmax(other, request.causal)
            moved = []
            for k in range(len(moves)):
                change, other_change = (one.changed(g, k) for one in laid)
                moved.append(Moved(followed(weights, change), change, followed(near, other_change)))
            yield Nodes(weights, np.full(len(g), 1.0 / count), part, logits, near, tuple(moved))


class _Laid(NamedTuple):
    """Roots of a Gram matrix for queries and for keys, less what is common to a row, and their changes."""

    beta: float
    left: Array
    right: Array
    moves: list[tuple[float, Array, Array]]

    @classmethod
    def of(cls, asked: Request, moves: Sequence[Move]) -> _Laid:
        def keys(one: Array) -> Array:
            return one if asked.causal else one - one.mean(0)

        left = root(asked.gram)
        changes = [(one.beta, root_change("direction", asked.gram, one.gram)) for one in moves]
        return cls(asked.beta, left, keys(left), [(beta, one, keys(one)) for beta, one in changes])

    def logits(self, g: Array) -> Array:
        return np.asarray(self.beta * (self.left @ g @ self.right.T))

    def changed(self, g: Array, k: int) -> Array:
        """How the logits of the normals g change in a direction."""
        beta, left, right = self.moves[k]
        found = beta * (self.left @ g @ self.right.T)
        if left.any():
            found = found + self.beta * (left @ g @ self.right.T + self.left @ g @ right.T)
        return np.asarray(found)


def root_change(name: str, gram: Array, direction: Array) -> Array:
    """The change of `root` as C moves in a direction.

    Where C has no inverse, the root of C + eps D has a derivative only if D leaves at 0 what is 0: else C leaves the
    Gram matrices on one side, and `ArgumentError` says so of the argument `name`.
    """
    values, vectors = np.linalg.eigh(gram)
    kept = values > _NOTHING * values[-1]
    lengths = np.sqrt(np.where(kept, values, 0.0))
    turned = vectors.T @ direction @ vectors
    gone = ~kept[:, None] & ~kept
    if gone.any() and np.abs(turned[gone]).max() > _LEFT * np.abs(direction).max():
        help = "Combinations of tokens that are 0 have a square of no sign: move C a little into its inside."
        raise ArgumentError(name, "must leave at 0 what is 0 in C", but="does not", help=help)
    turned[gone] = 0.0
    found = _root_change()(turned, np.where(gone, 1.0, lengths[:, None]), lengths)
    return np.asarray(vectors @ found @ vectors.T)


def followed(weights: Array, change: Array) -> Array:
    """The change of rows of weights with that of their logits."""
    return np.asarray(_weight_change()(weights, change, (weights * change).sum(-1, keepdims=True)))


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
    return np.asarray(_hot()(request.sigma_vo, request.beta, *_sums(request.gram)))


def hot_change(request: Request, move: Move) -> Array:
    """How `hot` changes in a direction."""
    gram, direction = request.gram, move.gram
    known = *_sums(gram), *_sums(gram, direction)
    return np.asarray(_hot_change()(request.sigma_vo, request.beta, *known, move.beta))


def _sums(gram: Array, direction: Array | None = None) -> tuple[Any, ...]:
    """What `hot` is made of: m, C_ik, C_m, tau, kappa; with a direction how they change."""
    moved = gram if direction is None else direction
    centred, other = (one - one.mean(0) - one.mean(1)[:, None] + one.mean() for one in (gram, moved))
    lengths, own, other_own = np.diag(moved), np.diag(centred), np.diag(other)
    spread, other_spread = own - own.mean(), other_own - other_own.mean()
    skew = float((other_spread * gram.mean(1)).mean())
    squares = float((centred * other).sum()) / len(gram) ** 2
    if direction is not None:  # both are of second order in C
        skew, squares = skew + float((spread * moved.mean(1)).mean()), 2 * squares
    return float(moved.mean()), moved, (lengths[:, None] + lengths) / 2, squares, skew


def to_second_order(logits: Array, gram: Array) -> Array:
    """sum_jl A_ij A_kl C_jl to second order in logits without mean (points, T, T), whose mean `hot` knows."""
    tokens = gram.shape[0]
    first = _once(logits) @ gram.mean(1) / tokens
    return np.asarray(
        gram.mean()
        + first[..., :, None]
        + first[..., None, :]
        + logits @ gram @ logits.swapaxes(-1, -2) / tokens**2
    )


def to_second_order_change(logits: Array, change: Array, gram: Array, direction: Array) -> Array:
    """How `to_second_order` changes with logits and C: the product rule."""
    tokens = gram.shape[0]
    both = logits * change
    once = change + both - both.mean(-1, keepdims=True)
    first = (once @ gram.mean(1) + _once(logits) @ direction.mean(1)) / tokens
    turned = logits.swapaxes(-1, -2)
    crossed = change @ gram @ turned
    second = (crossed + crossed.swapaxes(-1, -2) + logits @ direction @ turned) / tokens**2
    return np.asarray(direction.mean() + first[..., :, None] + first[..., None, :] + second)


def _once(logits: Array) -> Array:
    """A row of weights to second order, times T and less 1."""
    square = logits**2
    return np.asarray(logits + (square - square.mean(-1, keepdims=True)) / 2)


@functools.cache
def _logits() -> Compiled:
    return compile(
        theory.two_token_logits(), (theory.BETA, theory.ROW, theory.SPREAD), name="two_token_logits"
    )


_HOT = (theory.MEAN, theory.ROW, theory.ROWS, theory.SQUARES, theory.SKEW)


@functools.cache
def _hot() -> Compiled:
    t = theory
    return compile(t.hot_covariance(), (t.SIGMA_VO, t.BETA, *_HOT), name="hot_covariance")


@functools.cache
def _hot_change() -> Compiled:
    t = theory
    moves = moved_symbols((*_HOT, t.BETA))
    formula = implicit.along(t.hot_covariance(), moves)
    return compile(formula, (t.SIGMA_VO, t.BETA, *_HOT, *moves.values()), name="hot_covariance_change")


@functools.cache
def _weight_change() -> Compiled:
    t = theory
    return compile(t.weight_change(), (t.WEIGHT, t.LOGIT_MOVE, t.MEAN_MOVE), name="weight_change")


@functools.cache
def _root_change() -> Compiled:
    t = theory
    return compile(t.root_change(), (t.TURNED, t.ROOT_A, t.ROOT_B), name="root_change")


def moved_symbols(symbols: Sequence[Symbol]) -> dict[Symbol, Symbol]:
    """A symbol for the change of each symbol, for `implicit.along`."""
    return {one: Symbol(f"moved_{k}", real=True) for k, one in enumerate(symbols)}
