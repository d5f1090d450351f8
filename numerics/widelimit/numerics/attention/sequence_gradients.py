"""`sequences_gradient`: derivatives of what `sequences` returns by its scales, and along directions of what it reads.

At the samples of `sequences`: logits of fixed normals move with sigma_qk and with the roots of the Gram matrices of
queries and keys, rows of weights with them (`theory.attention`). What the softmax does to second order is known with
its derivatives, and taken off the noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from widelimit.numerics.attention import positions
from widelimit.numerics.attention.layer_gradients import by_output
from widelimit.numerics.attention.positions import Asked, four, times
from widelimit.numerics.attention.sampling import followed, root_change
from widelimit.numerics.attention.several import Sequences, sequences
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError

Array = np.ndarray


@by_value
@dataclass(frozen=True)
class SequencesSlopes:
    """Derivatives of the fields of `Sequences` by one argument, (sequences, tokens, sequences, tokens) each."""

    covariance: Array
    overlaps: Array


@by_value
@dataclass(frozen=True)
class SequencesGradient:
    """`value`: what `sequences` returns; its derivatives by `sigma_qk` and `sigma_vo`, and `along` directions.

    `along`: d/d eps at C + eps direction, and so for keys and values; None without a direction. `error`: the largest
    standard error of a derivative of C', relative to the largest entry of its matrix.
    """

    value: Sequences
    sigma_qk: SequencesSlopes
    sigma_vo: SequencesSlopes
    along: SequencesSlopes | None
    error: float


class _Move(NamedTuple):
    """By how much sigma_qk and the Gram matrices move, and the roots of those of queries and keys."""

    sigma_qk: float
    queries: Array
    keys: Array
    values: Array
    roots: tuple[Array, Array]


def sequences_gradient(
    C: Any,
    *,
    sigma_qk: Any,
    sigma_vo: Any = 1.0,
    causal: Any = False,
    mask: Any = None,
    keys: Any = None,
    values: Any = None,
    angles: Any = None,
    direction: Any = None,
    keys_direction: Any = None,
    values_direction: Any = None,
    pairs: Any = None,
    seed: Any = 0,
) -> SequencesGradient:
    """Return `sequences` and its derivatives by both scales and along a direction of the Gram matrices.

    A chain of layers takes `along` of one layer as `direction` of the next.

    Args:
        C, sigma_qk, sigma_vo, causal, mask, keys, values, angles, pairs, seed: see `sequences`.
        direction: how C moves, symmetric and of its shape; not at all by default.
        keys_direction, values_direction: the same of keys and values where they are given; those that are not given
            move with what they are by default.

    Raises `ArgumentError` as `sequences` does, for directions that do not fit, and for those in which Gram matrices
    without an inverse leave what they can be.

    >>> gram, one = np.where(np.eye(3), 1.0, 0.3), np.eye(3)
    >>> found = sequences_gradient(gram, sigma_qk=0.5, causal=True, direction=one)
    >>> [round(float(each.covariance[0, 1, 0, 2]), 3) for each in (found.sigma_qk, found.sigma_vo, found.along)]
    [0.019, 1.077, 0.347]
    """
    given = {"causal": causal, "mask": mask, "keys": keys, "values": values, "angles": angles}
    value = sequences(C, sigma_qk=sigma_qk, sigma_vo=sigma_vo, pairs=pairs, seed=seed, **given)
    asked = positions.checked(C, sigma_qk, sigma_vo, *given.values())
    moves = [_by_scale(asked)]
    if any(one is not None for one in (direction, keys_direction, values_direction)):
        moves.append(_along(asked, given, direction, keys_direction, values_direction))
    found = _moved(asked, moves, positions.pairs_of(asked, pairs), int(seed))
    slopes = [one for one, _ in found]
    error = max(value.error, *(one for _, one in found))
    by_vo = SequencesSlopes(by_output(value.covariance, asked.sigma_vo), np.zeros_like(value.overlaps))
    return SequencesGradient(value, slopes[0], by_vo, slopes[1] if slopes[1:] else None, error)


def _by_scale(asked: Asked) -> _Move:
    queries, keys, values = (np.zeros_like(one) for one in (asked.queries, asked.keys, asked.values))
    return _Move(1.0, queries, keys, values, (queries, keys))


def _along(asked: Asked, given: dict[str, Any], direction: Any, keys: Any, values: Any) -> _Move:
    queries = _direction("direction", direction, asked.queries)
    for name, one in (("keys", keys), ("values", values)):
        if one is not None and given[name] is None:
            help = f"Without `{name}` there is nothing of its own to move."
            raise ArgumentError(
                f"{name}_direction", f"must not be given without `{name}`", but="is", help=help
            )
    of_keys = queries if given["keys"] is None else _direction("keys_direction", keys, asked.keys)
    of_values = of_keys if given["values"] is None else _direction("values_direction", values, asked.values)
    roots = (
        root_change("direction", asked.queries, queries),
        root_change("direction" if given["keys"] is None else "keys_direction", asked.keys, of_keys),
    )
    return _Move(0.0, queries, of_keys, of_values, roots)


def _direction(name: str, value: Any, like: Array) -> Array:
    return np.zeros_like(like) if value is None else positions.gram_of(name, value, len(like))[0]


def _moved(asked: Asked, moves: list[_Move], count: int, seed: int) -> list[tuple[SequencesSlopes, float]]:
    """Derivatives along each of the moves, and the standard error of those of C'."""
    plain = asked.plain()
    means = [_second_order_change(asked, move) for move in moves]
    parts, expansions, overlaps = [], [], []
    common, spread = np.zeros(len(moves)), np.zeros(len(moves))
    for part in positions.samples(asked, count, seed):
        total: Any = 0.0
        known: Any = 0.0
        both: Any = 0.0
        number = 0
        for g in part:
            logits = asked.sigma_qk * asked.logits(g)
            changes = [_logits_change(asked, move, g) for move in moves]
            pair = _pair(asked, moves, logits, changes)
            noise = [
                _expanded_change(asked, move, plain, logits, change) - mean
                for move, change, mean in zip(moves, changes, means, strict=True)
            ]
            for k, (one, _) in enumerate(pair):
                common[k] += float(np.vdot(one - means[k], noise[k]))
                spread[k] += float(np.vdot(noise[k], noise[k]))
            total = total + np.array([one.sum(0) for one, _ in pair])
            known = known + np.array([one.sum(0) for one in noise])
            both = both + np.array([one for _, one in pair])
            number += len(logits)
        parts.append(total / number)
        expansions.append(known / number)
        overlaps.append(both / number)
    share = np.where(spread > 0, common / np.where(spread > 0, spread, 1.0), 0.0)[:, None, None]
    every = asked.sigma_vo**2 * (np.array(parts) - share * np.array(expansions))  # (parts, moves, ...)
    shared, found = np.mean(overlaps, 0), []
    for k in range(len(moves)):
        mean = every[:, k].mean(0)
        scale = float(np.abs(mean).max()) or 1.0
        error = float(every[:, k].std(0, ddof=1).max()) / math.sqrt(len(every)) / scale
        found.append((SequencesSlopes(four(mean, asked.count), four(shared[k], asked.count)), error))
    return found


def _pair(asked: Asked, moves: list[_Move], logits: Array, changes: list[Array]) -> list[tuple[Array, Array]]:
    """Changes of A V A' of each sample and of the sum over samples of A A', averaged over logits of both signs."""
    found: list[list[Any]] = [[0.0, 0.0] for _ in moves]
    for sign in (1.0, -1.0):
        weights = positions.softmax(sign * logits, asked.mask)
        rows = weights.reshape(len(weights), -1, weights.shape[-1])
        for place, move, change in zip(found, moves, changes, strict=True):
            changed = followed(weights, sign * change)
            half = changed.reshape(rows.shape) @ rows.swapaxes(-1, -2)
            place[0] = place[0] + _through_change(weights, changed, asked.values, move.values) / 2
            place[1] = place[1] + (half + half.swapaxes(-1, -2)).sum(0) / 2
    return [(one, shared) for one, shared in found]


def _logits_change(asked: Asked, move: _Move, g: Array) -> Array:
    """How the logits of normals change."""
    (left, right), (by_left, by_right) = asked.roots, move.roots
    found = move.sigma_qk * asked.logits(g)
    if by_left.any() or by_right.any():
        turned = asked.logits(g, (by_left, right)) + asked.logits(g, (left, by_right))
        found = found + asked.sigma_qk * turned
    return np.asarray(found)


def _through_change(weights: Array, changed: Array, matrix: Array, direction: Array) -> Array:
    """How A M A' changes: the product rule."""
    half = times(changed, times(weights, matrix[None]).swapaxes(-1, -2))
    found = half + half.swapaxes(-1, -2)
    return found + positions.through(weights, direction) if direction.any() else found


def _expanded_change(asked: Asked, move: _Move, plain: Array, logits: Array, change: Array) -> Array:
    """How `positions.expanded` changes."""
    centred, moved = positions.centred(plain, logits), positions.centred(plain, change)
    first, by_first = plain * centred, plain * moved
    second, by_second = (_curved(plain, one) for one in (centred**2, 2 * centred * moved))
    values, direction = asked.values, move.values
    once = times(by_second, times(plain, values[None]).swapaxes(-1, -2))
    once = once + times(second, times(plain, direction[None]).swapaxes(-1, -2))
    found = positions.through(plain, direction) + _through_change(first, by_first, values, direction)
    return np.asarray(found + once + once.swapaxes(-1, -2))


def _curved(plain: Array, square: Array) -> Array:
    return np.asarray(plain * (square - (plain * square).sum(-1, keepdims=True)) / 2)


def _second_order_change(asked: Asked, move: _Move) -> Array:
    """How E of `positions.expanded` changes: what is linear in each of sigma_qk^2, queries, keys and values."""
    plain = asked.plain()
    scale, by_scale = asked.sigma_qk**2, 2 * asked.sigma_qk * move.sigma_qk
    moved = replace(asked, keys=move.keys)
    pairs = positions.slopes(asked, plain, asked.values)[0]
    by_pairs = (positions.slopes(moved, plain, asked.values) + positions.slopes(asked, plain, move.values))[0]
    squares, by_squares = (positions.squares(one, plain) for one in (asked, moved))
    own, by_own = (np.diag(one)[:, None] for one in (asked.queries, move.queries))
    skew = scale * own * squares
    by_skew = (by_scale * own + scale * by_own) * squares + scale * own * by_squares
    laid, by_laid = (positions.spread(plain[0], one) for one in (skew, by_skew))
    by_curved = times(plain, (by_laid @ asked.values + laid @ move.values)[None].swapaxes(-1, -2))[0].T
    queries = (by_scale * asked.queries + scale * move.queries) * pairs + scale * asked.queries * by_pairs
    return np.asarray(positions.through(plain, move.values)[0] + queries + by_curved + by_curved.T)
