"""`line_attractor`: whether a network's slow points form a line along which it keeps what it has added up."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist

from widelimit.numerics import arguments
from widelimit.numerics.cells import Cell
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.dynamics import newton
from widelimit.numerics.dynamics.points import FixedPoints
from widelimit.numerics.dynamics.scales import time_constants
from widelimit.numerics.results import by_value
from widelimit.theory.dynamics import fixed as theory
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
_ALONG = 60  # states at which the line is looked at
_DAMPING, _RELAXED = 0.1, 8
_TANGENT = 0.8  # |cos| between the slow direction and the chain


@by_value
@dataclass(frozen=True)
class Line:
    """What a chain of fixed and slow points says of a line attractor.

    `is_line`: all tests are passed; `fails`: the words for those that are not. `states`: the chain, relaxed onto the
    slow manifold, `length` its length in outputs h. Along it: `top`, the smallest time constant of the slowest mode in
    steps, and `top_range` the smallest and largest; `gap`, the smallest ratio of the slowest time constant to the next;
    `alignment`, the median |cos| of the slowest mode to the chain; `drift`, the largest motion along it in a step, and
    `kick`, the median motion that a unit of the strongest input makes. `spread`: standard deviation of the sum of unit
    white inputs after the task, in kicks; sqrt(task_steps) of a perfect integrator.
    """

    is_line: bool
    fails: tuple[str, ...]
    states: Array
    length: float
    drift: float
    kick: float
    top: float
    top_range: tuple[float, float]
    gap: float
    alignment: float
    spread: float


def line_attractor(
    found: FixedPoints, *, task_steps: int, gap: float = 5.0, kick: float | None = None
) -> Line:
    """Test whether fixed and slow points form a line attractor for a task of so many steps (maheswaranathan2019line).

    The points are ordered along the longest path of their minimum spanning tree, the path is filled up and relaxed onto
    the slow manifold, and three things are asked of all of it: one eigenvalue above exp(-1/task_steps) and a gap to the
    next; its right vector tangent to the chain; drift per step below kick/task_steps. A ring of fixed points with
    saddles between them fails the last, though its points alone would pass.

    Args:
        found: of `fixed_points`, from states along which the network integrates.
        task_steps: how long it has to keep what it adds up.
        gap: the ratio of the two slowest time constants that is asked for.
        kick: how far an input moves the state along the line; from the cell's input weights if left out.

    Raises `ArgumentError` for a task of no steps, `DomainError` for fewer than three points, or a cell without inputs
    where no kick is given.
    """
    steps = arguments.count("task_steps", task_steps)
    ratio = arguments.positive_number("gap", gap)
    push = None if kick is None else arguments.positive_number("kick", kick)
    if not isinstance(found, FixedPoints):
        raise ArgumentError("found", "must be what fixed_points returns", found)
    cell = found.cell
    points = np.concatenate([found.outputs, found.slow.states[:, : cell.size]])
    if len(points) < 3:
        raise DomainError(
            f"A line needs three fixed or slow points, and there are {len(points)}: start from more states, or pass a "
            "larger slow_speed to fixed_points."
        )
    if push is None and not cell.input_weights.any():
        raise DomainError("The cell has no inputs to compare the drift with: pass `kick`.")
    chain = _chain(cell, points)
    return _judged(cell, chain, steps, ratio, push)


def _chain(cell: Cell, points: Array) -> Array:
    """The points in order along the longest path of their tree, filled up evenly, relaxed onto the slow manifold."""
    path = points[_longest(points)]
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    even = np.linspace(0.0, along[-1], _ALONG)
    filled = np.stack([np.interp(even, along, column) for column in path.T], 1)
    offsets = cell.offsets
    for h in filled:
        newton.relax(cell.code, cell.weights, offsets, h, _DAMPING, _RELAXED)
    return np.asarray(filled)


def _longest(points: Array) -> list[int]:
    """Vertices of the longest path of the minimum spanning tree."""
    distances = cdist(points, points)
    tree = minimum_spanning_tree(distances + 1e-12 * (1 + distances.max())).toarray()
    tree = tree + tree.T
    ends, before = _farthest(tree, 0)
    end, before = _farthest(tree, ends)
    path = [end]
    while before[path[-1]] >= 0:
        path.append(before[path[-1]])
    return path


def _farthest(tree: Array, root: int) -> tuple[int, list[int]]:
    """The vertex of a tree farthest from a root, and every vertex's neighbour on the way back."""
    far, before, stack = {root: 0.0}, [-1] * len(tree), [root]
    while stack:
        i = stack.pop()
        for j in np.flatnonzero(tree[i]):
            if int(j) not in far:
                far[int(j)], before[int(j)] = far[i] + float(tree[i, j]), i
                stack.append(int(j))
    return max(far, key=lambda k: far[k]), before


def _judged(cell: Cell, chain: Array, steps: int, ratio: float, push: float | None) -> Line:
    moves = np.gradient(chain, axis=0)
    length = float(np.linalg.norm(np.diff(chain, axis=0), axis=1).sum())
    tops, gaps, angles, drifts, kicks, kept = [], [], [], [], [], []
    for h, move in zip(chain, moves, strict=True):
        state = cell.full(h)
        values, vectors = np.linalg.eig(cell.jacobian(state))
        scales = time_constants(np.minimum(np.abs(values), 1.0))  # what grows slowly is slow, too
        order = np.argsort(-np.abs(values))
        one, next_ = order[0], (order[1] if len(order) > 1 else order[0])
        tops.append(float(scales[one]))
        gaps.append(_ratio(float(scales[one]), float(scales[next_])) if len(order) > 1 else math.inf)
        kept.append(float(np.abs(values[one])))
        right, tangent = vectors[:, one].real, move / max(float(np.linalg.norm(move)), 1e-300)
        outward = right[: cell.size]
        size = float(np.linalg.norm(outward))
        angles.append(abs(float(outward @ tangent)) / size if size > 0 else 0.0)
        left = _left(vectors, int(one))
        drifts.append(abs(float((left @ (cell.step(state) - state)).real)) * size)
        if cell.input_weights.any():
            kicks.append(float(np.abs(left @ cell.input_jacobian(state)).max()) * size)
    kick = push if push is not None else float(np.median(kicks))
    keep = _keep(steps)
    alignment, drift, gap = float(np.median(angles)), max(drifts), min(gaps)
    fails = tuple(
        word
        for word, wrong in (
            ("memory: the slowest mode fades within the task", min(kept) < keep),
            ("gap: another mode is nearly as slow", gap < ratio),
            ("tangent: the slow direction leaves the chain", alignment < _TANGENT),
            ("drift: the state moves along the chain by more than inputs do", drift * steps >= kick),
        )
        if wrong
    )
    spread = _spread(float(np.median(kept)), steps)
    return Line(
        not fails, fails, cell.full(chain), length, float(drift), kick, min(tops), (min(tops), max(tops)),
        float(gap), alignment, spread,
    )  # fmt: skip


def _ratio(one: float, other: float) -> float:
    if math.isinf(one):
        return 1.0 if math.isinf(other) else math.inf
    return one / other if other > 0 else math.inf


def _left(vectors: Array, which: int) -> Array:
    """The row of the inverse that belongs to one eigenvector."""
    unit = np.zeros(len(vectors), complex)
    unit[which] = 1.0
    return np.asarray(np.linalg.lstsq(vectors.T.astype(complex), unit, rcond=None)[0])


def _keep(steps: int) -> float:
    """The eigenvalue whose time constant is so many steps.

    >>> round(_keep(25), 9)
    0.960789439
    """
    return float(_lasting().njit(steps))


def _spread(kept: float, steps: int) -> float:
    """Standard deviation of an integrator after steps of unit white input; of one that grows, as if it did not.

    >>> round(_spread(0.5, 2), 9), round(_spread(1.0, 25), 6)
    (1.118033989, 5.0)
    """
    return math.sqrt(float(_noise().njit(min(kept, 1 - 1e-12), steps, 1.0)))


@functools.cache
def _lasting() -> Compiled:
    return compile(theory.lasting(), (theory.TASK,), name="lasting")


@functools.cache
def _noise() -> Compiled:
    return compile(
        theory.integrated_noise(), (theory.KEPT, theory.COUNT, theory.NOISE), name="integrated_noise"
    )
