"""`layer_gradient`: derivatives of what `layer` returns by its scales, and along a direction of the Gram matrix.

Exchangeable tokens: overlaps move with variances and covariances of logits by the heat equation (`tuning`). Two tokens:
averages over their two differences of logits move by Price's theorem. Others: the same Sobol points as those of
`layer`, whose logits beta L g L' move with beta and with the root L of C at fixed normals g; the derivatives of what is
known are taken off their noise as `layer` takes off what is known. The formulas are those of `theory.attention`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sympy import Expr, Symbol

from widelimit.numerics import arguments
from widelimit.numerics.attention import sampling
from widelimit.numerics.attention.layers import Layer, incoming, layer, moments
from widelimit.numerics.attention.requests import Request, alike, averaged, beta_change, request, square
from widelimit.numerics.attention.rows import HOTTEST
from widelimit.numerics.attention.sampling import Move
from widelimit.numerics.attention.tuning import changes, row_changes
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import attention as theory
from widelimit.theory.calculus import implicit

Array = np.ndarray
_SURE = 1e-8  # relative error of integrals that are differentiated
_ORDERS = (0, 0), (1, 1), (2, 2), (2, 0), (3, 1)  # of slopes of rows i and k that are averaged
_FINE = 0.4  # step of the lattice over two logits: slopes of the third order are averaged


@by_value
@dataclass(frozen=True)
class LayerSlopes:
    """Derivatives of the fields of `Layer` by one argument, (T, T) each."""

    covariance: Array
    ntk: Array


@by_value
@dataclass(frozen=True)
class LayerGradient:
    """`value`: what `layer` returns; its derivatives by `sigma_qk` and `sigma_vo`, and `along` a direction.

    `along`: d/d eps at C + eps direction and theta + eps theta_direction; None without a direction. `error`: an
    estimate of the largest error of a derivative, relative to the largest entry of its matrix.
    """

    value: Layer
    sigma_qk: LayerSlopes
    sigma_vo: LayerSlopes
    along: LayerSlopes | None
    error: float


class _Found(NamedTuple):
    slopes: LayerSlopes
    error: float


def layer_gradient(
    C: Any,
    *,
    sigma_qk: Any,
    sigma_vo: Any,
    causal: Any = False,
    scaling: Any = "sqrt",
    head_dim: Any = None,
    theta: Any = None,
    direction: Any = None,
    theta_direction: Any = None,
    seed: Any = 0,
) -> LayerGradient:
    """Return `layer` and its derivatives by both scales and along a direction of what the layer reads.

    A chain of layers takes `along` of one layer as `direction` and `theta_direction` of the next.

    Args:
        C, sigma_qk, sigma_vo, causal, scaling, head_dim, theta, seed: see `layer`.
        direction: symmetric, (T, T): how the Gram matrix moves; not at all by default.
        theta_direction: how the tangent kernel moves, (T, T) or a number for all entries; not at all by default.

    Raises `ArgumentError` as `layer` does, and for a direction in which tokens that are drawn leave what a Gram matrix
    without an inverse can be. Exchangeable tokens and pairs at such an edge have the derivative of the side on which
    they can be.

    >>> gram, up = np.where(np.eye(8), 1.0, 0.3), np.eye(8)
    >>> found = layer_gradient(gram, sigma_qk=2.0, sigma_vo=1.0, causal=True, direction=up)  # all tokens grow longer
    >>> [round(float(one.ntk[4, 7]), 6) for one in (found.sigma_qk, found.sigma_vo, found.along)]
    [0.063838, 1.806149, 0.44359]
    >>> pair = layer_gradient([[1, 0.2], [0.2, 2]], sigma_qk=1.5, sigma_vo=1.0, direction=[[0, 1], [1, 0]])
    >>> [round(float(one.ntk[0, 1]), 6) for one in (pair.sigma_qk, pair.along)]
    [0.059498, 1.690177]
    >>> drawn = layer_gradient(np.diag([1.0, 1.0, 2.0]) + 0.2, sigma_qk=0.5, sigma_vo=1.0, direction=np.diag([0, 0, 1]))
    >>> [round(float(one.ntk[0, 2]), 4) for one in (drawn.sigma_qk, drawn.along)]
    [0.2157, 0.2765]
    """
    value = layer(
        C, sigma_qk=sigma_qk, sigma_vo=sigma_vo, causal=causal, scaling=scaling, head_dim=head_dim,
        theta=theta, seed=seed,
    )  # fmt: skip
    asked = request(C, sigma_qk, sigma_vo, causal, scaling, head_dim)
    known = incoming("theta", theta, asked.tokens)
    still = np.zeros_like(asked.gram)
    moves = [Move(beta_change(scaling, head_dim), still, still)]
    if direction is not None or theta_direction is not None:
        gram = still if direction is None else square("direction", direction, asked.tokens)
        moves.append(
            Move(
                0.0,
                arguments.near_one("direction", gram),
                incoming("theta_direction", theta_direction, asked.tokens),
            )
        )
    found = _along(asked, known, moves, int(seed))
    by_qk, *rest = (one.slopes for one in found)
    scaled = LayerSlopes(*(by_output(one, asked.sigma_vo) for one in (value.covariance, value.ntk)))
    error = max(value.error, *(one.error for one in found))
    return LayerGradient(value, by_qk, scaled, rest[0] if rest else None, error)


def _along(asked: Request, known: Array, moves: Sequence[Move], seed: int) -> list[_Found]:
    if asked.tokens == 2 and not (asked.exchangeable and alike(known)):
        return _of_two(asked, known, moves)
    smooth = asked.exchangeable and (alike(known) or not asked.causal)
    exact = [smooth and alike(one.gram) and (alike(one.theta) or not asked.causal) for one in moves]
    if asked.tokens == 2 and not all(exact):
        return _of_two(asked, known, moves)
    even = asked.beta == 0 and not exact[0]  # in beta, which alone the first of the moves moves
    others = [one for one, plain in zip(moves[even:], exact[even:], strict=True) if not plain]
    drawn = iter(_sampled(asked, known, others, seed) if others else ())
    still = [_Found(LayerSlopes(moves[0].gram.copy(), moves[0].gram.copy()), 0.0)] if even else []
    return still + [
        _Found(_exchangeable(asked, known, one), _SURE) if plain else next(drawn)
        for one, plain in zip(moves[even:], exact[even:], strict=True)
    ]


def by_output(entries: Array, sigma_vo: float) -> Array:
    """The derivative by sigma_vo of entries that are its square times what does not depend on it."""
    return np.asarray(_output_change()(sigma_vo, entries)) if sigma_vo else np.zeros_like(entries)


# --- exchangeable tokens ---------------------------------------------------------------------------------------------


def _exchangeable(asked: Request, known: Array, move: Move) -> LayerSlopes:
    """Of tokens, kernels and directions that are exchangeable; without a mask kernels may be any."""
    t, q, p, beta = asked.tokens, asked.length, asked.covariance, asked.beta
    by_q, by_p = _two_kinds(move.gram)
    overlap, slope, _ = moments(asked)
    heating, coupling = _overlap_changes(asked)
    variance, shared = _logit_changes()(beta, q, p, move.beta, by_q, by_p)
    by_overlap, by_slope = heating * variance + coupling * shared
    vo = asked.sigma_vo
    after, change = _covariance()(vo, q, p, overlap, by_q, by_p, by_overlap)
    own, others = _two_kinds(known)
    by_own, by_others = _two_kinds(move.theta)
    tangent = _tangent()(
        vo, beta, q, p, overlap, slope, after, asked.gram, own, others, known,
        move.beta, by_q, by_p, by_overlap, by_slope, change, move.gram, by_own, by_others, move.theta,
    )  # fmt: skip
    return LayerSlopes(np.broadcast_to(change, (t, t)).copy(), np.broadcast_to(tangent, (t, t)).copy())


def _two_kinds(matrix: Array) -> tuple[float, float]:
    """The mean of the diagonal, and of what is beside it."""
    size = len(matrix)
    own = float(np.diag(matrix).mean())
    return own, float((matrix.sum() - np.trace(matrix)) / (size * (size - 1)))


def _overlap_changes(asked: Request) -> tuple[Array, Array]:
    """How S_ik and R_ik change with the variance and with the covariance of logits, (2, T, T) each."""
    t, rho = asked.tokens, 1 - asked.distance
    std = max(asked.logit_std, HOTTEST)  # smooth in the variance
    if asked.causal:
        return row_changes(std, t, rho, asked.distance)
    found = changes(std, t, rho, asked.distance)
    one = np.eye(t, dtype=bool)
    heating, coupling = (
        np.array([np.where(one, each[k], each[k + 1]) for k in (0, 2)]) for each in found[:2]
    )
    return heating, coupling


# --- two tokens ------------------------------------------------------------------------------------------------------


def _of_two(asked: Request, known: Array, moves: Sequence[Move]) -> list[_Found]:
    """Averages of products of two logistic functions and of their slopes, and how they move."""

    def products(node: sampling.Nodes) -> Array:
        slopes = _logistic()(node.weights[..., 0])
        return np.stack([slopes[j][:, :, None] * slopes[k][:, None, :] for j, k in _ORDERS], 1)

    mean = dict(zip(_ORDERS, sampling.averages(sampling.lattice(asked, _FINE), products)[0], strict=True))
    gram, means = asked.gram, np.array([1.0 if asked.causal else 0.5, 0.5])
    spread, other = _spread(gram), _spread(known)
    pairs = means[:, None], means
    both, steep = mean[0, 0], mean[1, 1]
    sums = [
        _sum()(one[0, 1], one[1, 1], *pairs, apart, both) for one, apart in ((gram, spread), (known, other))
    ]
    paths = [_paths()(steep, spread, apart) for apart in (spread, other)]
    found = []
    for move in moves:
        by_spread, by_other = _spread(move.gram), _spread(move.theta)
        covariance = _logits()(asked.beta, gram, spread, move.beta, move.gram, by_spread)
        own = np.diag(covariance)
        by_both, by_steep = (
            _pair()(own[:, None], own, covariance, mean[j + 2, j], mean[j + 2, j].T, mean[j + 1, j + 1])
            for j in (0, 1)
        )
        by_sums = [
            _sum_change()(one[0, 1], one[1, 1], *pairs, apart, both, by[0, 1], by[1, 1], by_apart, by_both)
            for one, apart, by, by_apart in (
                (gram, spread, move.gram, by_spread),
                (known, other, move.theta, by_other),
            )
        ]
        by_paths = [
            _paths_change()(steep, spread, apart, by_steep, by_spread, by_apart)
            for apart, by_apart in ((spread, by_spread), (other, by_other))
        ]
        found.append(_Found(_entries(asked, known, move, (*sums, *paths), (*by_sums, *by_paths)), _SURE))
    return found


def _spread(matrix: Array) -> float:
    return float(matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1])


def _entries(
    asked: Request, known: Array, move: Move, sums: tuple[Array, ...], changed: tuple[Array, ...]
) -> LayerSlopes:
    """Changes of C' and Theta' from c, c_Theta, r and r_Theta, and their changes."""
    here = asked.sigma_vo, asked.beta, asked.gram, known
    return LayerSlopes(*_entry_changes()(*here, *sums, move.beta, move.gram, move.theta, *changed))


# --- tokens with any Gram matrix -------------------------------------------------------------------------------------


def _sampled(asked: Request, known: Array, moves: Sequence[Move], seed: int) -> list[_Found]:
    near, known_near = asked.near, averaged(known)
    near_moves = [Move(one.beta, averaged(one.gram), averaged(one.theta)) for one in moves]

    def all_of(node: sampling.Nodes) -> Array:
        every = []
        for move, near_move, moved in zip(moves, near_moves, node.moved, strict=True):
            parts = [
                _both(asked, known, move, node.weights, moved.weights),
                _both(near, known_near, near_move, node.near, moved.near),
            ]
            if not asked.causal:
                change = sampling.to_second_order_change(node.logits, moved.logits, asked.gram, move.gram)
                parts.append(asked.sigma_vo**2 * change[:, None])
            every.append(np.concatenate(parts, 1))
        return np.stack(every, 1)

    means = sampling.averages(sampling.points(asked, seed, moves), all_of)
    found = []
    for k, (move, near_move) in enumerate(zip(moves, near_moves, strict=True)):
        every, exact = means[:, k], _exchangeable(near, known_near, near_move)
        second = [] if asked.causal else [(every[:, 4], sampling.hot_change(asked, move))]
        after, error = sampling.mean(
            sampling.without_noise(every[:, 0], [(every[:, 2], exact.covariance), *second])
        )
        tangent, other = sampling.mean(
            sampling.without_noise(every[:, 1], [(every[:, 3], exact.ntk), *second])
        )
        found.append(_Found(LayerSlopes(after, tangent), max(error, other)))
    return found


def _both(asked: Request, known: Array, move: Move, weights: Array, changed: Array) -> Array:
    """Changes of C' and Theta' of rows of weights that change, (points, 2, T, T)."""
    sums, by_sums = _contracted(weights, changed, (asked.gram, known), (move.gram, move.theta))
    slopes = _entries(asked, known, move, sums, by_sums)
    return np.stack([slopes.covariance, slopes.ntk], 1)


def _contracted(
    weights: Array, changed: Array, matrices: tuple[Array, Array], directions: tuple[Array, Array]
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """A C A', A Y A', tr J_i C J_k C and tr J_i C J_k Y as in `layers.contracted`, and their changes: the product rule.

    `matrices`: C and Y; `directions`: their changes.
    """
    turned, turned_change = weights.swapaxes(-1, -2), changed.swapaxes(-1, -2)
    seen = [weights @ one for one in matrices]
    by_seen = [changed @ one + weights @ by for one, by in zip(matrices, directions, strict=True)]
    whole = [one @ turned for one in seen]
    by_whole = [by @ turned + one @ turned_change for one, by in zip(seen, by_seen, strict=True)]
    gram, direction = matrices[0], directions[0]
    paths, by_paths = [], []
    for k in (0, 1):
        product = gram * matrices[k]
        by_product = direction * matrices[k] + gram * directions[k]
        both = seen[0] * seen[k]
        across = both @ turned
        by_across = (by_seen[0] * seen[k] + seen[0] * by_seen[k]) @ turned + both @ turned_change
        laid = weights @ product
        paths.append(laid @ turned - across - across.swapaxes(-1, -2) + whole[0] * whole[k])
        by_paths.append(
            (changed @ product + weights @ by_product) @ turned
            + laid @ turned_change
            - by_across
            - by_across.swapaxes(-1, -2)
            + by_whole[0] * whole[k]
            + whole[0] * by_whole[k]
        )
    return (*whole, *paths), (*by_whole, *by_paths)


# --- formulas and their changes --------------------------------------------------------------------------------------


def _moved(
    formulas: Sequence[Expr],
    symbols: Sequence[Symbol],
    moving: Sequence[Symbol],
    name: str,
    value: bool = False,
) -> Compiled:
    """Changes of formulas, of their symbols and of changes of those that move; with `value` the formulas in front."""
    moves = sampling.moved_symbols(moving)
    changed = [implicit.along(one, moves) for one in formulas]
    every = [*formulas, *changed] if value else changed
    return compile(every if len(every) > 1 else every[0], (*symbols, *moves.values()), name=name)


@functools.cache
def _logit_changes() -> Compiled:
    """Of the variance a^2 of a row's logits, and of the covariance a^2 p/q of two rows'."""
    t = theory
    variance = t.logit_variance()
    names = (t.BETA, t.Q, t.P)
    return _moved((variance, (variance * t.P / t.Q).expand()), names, names, "logit_variance_changes")


@functools.cache
def _covariance() -> Compiled:
    t = theory
    moving = (t.Q, t.P, t.OVERLAP)
    return _moved((t.next_covariance(),), (t.SIGMA_VO, *moving), moving, "next_covariance_change", value=True)


@functools.cache
def _tangent() -> Compiled:
    t = theory
    moving = (
        t.BETA,
        t.Q,
        t.P,
        t.OVERLAP,
        t.SLOPES,
        t.COVARIANCE,
        t.ROW,
        t.THETA,
        t.THETA_CROSS,
        t.THETA_ROWS,
    )
    return _moved((t.next_tangent(),), (t.SIGMA_VO, *moving), moving, "next_tangent_change")


@functools.cache
def _logistic() -> Compiled:
    return compile(theory.logistic_slopes(), (theory.SHARE,), name="logistic_slopes")


@functools.cache
def _pair() -> Compiled:
    t = theory
    names = (t.MOVE_I, t.MOVE_K, t.MOVE_IK, t.CURVED_I, t.CURVED_K, t.STEEP)
    return compile(t.pair_change(), names, name="pair_change")


@functools.cache
def _logits() -> Compiled:
    t = theory
    moving = (t.BETA, t.ROW, t.SPREAD)
    return _moved((t.two_token_logits(),), moving, moving, "two_token_logits_change")


_SUM = (theory.ENTRY, theory.SECOND, theory.MEAN_I, theory.MEAN_K, theory.SPREAD, theory.BOTH)
_PATHS = (theory.BOTH_SLOPES, theory.SPREAD, theory.SPREAD_OTHER)


@functools.cache
def _sum() -> Compiled:
    return compile(theory.two_token_sum(), _SUM, name="two_token_sum")


@functools.cache
def _sum_change() -> Compiled:
    t = theory
    moving = (t.ENTRY, t.SECOND, t.SPREAD, t.BOTH)
    return _moved((t.two_token_sum(),), _SUM, moving, "two_token_sum_change")


@functools.cache
def _paths() -> Compiled:
    return compile(theory.two_token_paths(), _PATHS, name="two_token_paths")


@functools.cache
def _paths_change() -> Compiled:
    return _moved((theory.two_token_paths(),), _PATHS, _PATHS, "two_token_paths_change")


@functools.cache
def _entry_changes() -> Compiled:
    t = theory
    sums = (t.SUM, t.SUM_THETA, t.PATHS, t.PATHS_THETA)
    names = (t.SIGMA_VO, t.BETA, t.ROW, t.THETA_ROWS, *sums)
    return _moved(t.layer_entries(), names, names[1:], "layer_entry_changes")


@functools.cache
def _output_change() -> Compiled:
    return compile(theory.output_change(), (theory.SIGMA_VO, theory.COVARIANCE), name="output_change")
