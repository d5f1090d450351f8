"""Quadratic tasks one after another, held by quadratic penalties: where each ends, and what it forgets."""

from __future__ import annotations

import math
from collections.abc import Sequence as Listed
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.synapses import curvature, formulas
from widelimit.theory.errors import ArgumentError

METHODS = ("si", "ewc", "online_ewc", "laplace")


@by_value
@dataclass(frozen=True)
class TwoTasks:
    """`parameters`: where the second task ends; `forgetting`: the loss of the first there, `new_loss` of the second.

    `joint_parameters`, `joint_forgetting`, `joint_new_loss`: the same at the minimum of the sum of both losses.
    """

    parameters: np.ndarray
    forgetting: float
    new_loss: float
    joint_parameters: np.ndarray
    joint_forgetting: float
    joint_new_loss: float


def two_tasks(
    hessian_a: Any, optimum_a: Any, hessian_b: Any, optimum_b: Any, *, importance: Any, strength: float
) -> TwoTasks:
    """Return where a second quadratic task ends behind a penalty c sum_k Omega_k (theta_k - theta_A,k)^2.

    theta = (H_B + 2 c O)^-1 (H_B theta_B + 2 c O theta_A): the penalty has no half, so that EWC's (lambda/2) F is
    importance F at strength lambda/2. 2 c O = H_A is the joint optimum of both losses.

    Args:
        hessian_a: curvature of the first task, a matrix or its diagonal; the loss has the factor 1/2.
        optimum_a: its optimum, one number a parameter.
        hessian_b: curvature of the second task.
        optimum_b: its optimum.
        importance: O, a number a parameter, or a symmetric matrix without negative eigenvalues.
        strength: c, not negative.

    Raises `ArgumentError` for matrices that are no curvatures, vectors of other lengths, or where neither the second
    task nor the penalty holds some direction.

    >>> found = two_tasks([1.0, 2.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1.0], importance=[1.0, 2.0], strength=0.5)
    >>> found.parameters.round(6), round(found.forgetting, 6), round(found.joint_forgetting, 6)
    (array([0.5     , 0.333333]), 0.236111, 0.236111)
    """
    first = curvature.hessian("hessian_a", hessian_a)
    size = len(first)
    second = _like("hessian_b", hessian_b, size)
    one, two = curvature.vector("optimum_a", optimum_a, size), curvature.vector("optimum_b", optimum_b, size)
    penalty = 2 * arguments.non_negative_number("strength", strength) * _like("importance", importance, size)
    moved, missed = held(second, two, penalty, one, "strength")
    joint, apart = held(second, two, first, one, "hessian_a")
    return TwoTasks(
        one + moved,
        cost(first, moved),
        cost(second, missed),
        one + joint,
        cost(first, joint),
        cost(second, apart),
    )


@by_value
@dataclass(frozen=True)
class Sequence:
    """`parameters`: where each task ended, a row a task; `losses[i, j]`: loss of task j after task i.

    `forgetting`: of each task at the end, less what it had when it was learnt; `total`: the sum of all losses at the
    end, `joint_total` at the minimum of their sum. `importance`: of the parameters at the end (a matrix for laplace).
    """

    parameters: np.ndarray
    losses: np.ndarray
    forgetting: np.ndarray
    total: float
    joint_total: float
    importance: np.ndarray


def sequence(
    hessians: Any,
    optima: Any,
    *,
    method: str = "si",
    strength: float,
    decay: float = 1.0,
    damping: float = 1e-3,
) -> Sequence:
    """Return where quadratic tasks end that are learnt one after another, each behind the penalty of those before.

    ``ewc``: (c/2) sum over old tasks of diag H_j about each one's end; ``online_ewc``: (c/2) O about the last end,
    O <- decay O + diag H; ``laplace``: the same with whole matrices, exact at strength 1; ``si``: c Omega about the
    last end, Omega <- relu(Omega + omega/(Delta^2 + xi)), omega the path integral of the task's own gradient along the
    flow of its loss and the penalty. The first task starts from 0.

    Args:
        hessians: curvatures of the tasks, one matrix (or diagonal) each.
        optima: their optima, one vector each.
        method: si, ewc, online_ewc or laplace.
        strength: c (EWC's lambda).
        decay: of older importances, for online_ewc; from 0 to 1.
        damping: xi, for si.

    Raises `ArgumentError` for lists of different lengths, matrices that are no curvatures, an unknown method, or where
    neither a task nor its penalty holds some direction.

    >>> tasks = [[1.0, 0.1], [0.1, 1.0]], [[1.0, 0.0], [0.0, 1.0]]
    >>> found = sequence(*tasks, method="laplace", strength=1.0)
    >>> round(found.total, 12) == round(found.joint_total, 12)
    True
    """
    name = arguments.choice("method", method, METHODS)
    c = arguments.non_negative_number("strength", strength)
    gamma = arguments.number_within("decay", decay, 0.0, 1.0)
    xi = arguments.positive_number("damping", damping)
    matrices, centres = _listed(hessians, optima)
    size = len(matrices[0])
    memory = _Memory(name, c, gamma, xi, np.zeros((size, size)), np.zeros(size))
    ends: list[np.ndarray] = []
    for matrix, centre in zip(matrices, centres, strict=True):
        penalty, anchor = memory.penalty()
        start = ends[-1] if ends else np.zeros(size)
        end = anchor + held(matrix, centre, penalty, anchor, "hessians")[0]
        memory = memory.after(matrix, centre, start, end)
        ends.append(end)
    losses = np.array([[cost(h, end - t) for h, t in zip(matrices, centres, strict=True)] for end in ends])
    whole = np.sum(matrices, axis=0)
    pull = np.sum([h @ t for h, t in zip(matrices, centres, strict=True)], axis=0)
    best = np.linalg.lstsq(whole, pull, rcond=None)[0]
    joint = math.fsum(cost(h, best - t) for h, t in zip(matrices, centres, strict=True))
    kept = memory.kept if name == "laplace" else np.diag(memory.kept).copy()
    return Sequence(
        np.array(ends), losses, losses[-1] - np.diag(losses), float(losses[-1].sum()), joint, kept
    )


@by_value
@dataclass(frozen=True)
class _Memory:
    """What is held: `kept` is the importance so far, `pull` it times where it is held; `last` the last end."""

    method: str
    strength: float
    decay: float
    damping: float
    kept: np.ndarray
    pull: np.ndarray

    def penalty(self) -> tuple[np.ndarray, np.ndarray]:
        """The curvature of the penalty, and where its slope is 0."""
        factor = 2 * self.strength if self.method == "si" else self.strength
        anchor = np.linalg.lstsq(self.kept, self.pull, rcond=None)[0] if self.kept.any() else self.pull
        return factor * self.kept, anchor

    def after(self, matrix: np.ndarray, centre: np.ndarray, start: np.ndarray, end: np.ndarray) -> _Memory:
        """The same after a task."""
        if self.method == "ewc":
            own = np.diag(np.diag(matrix))
            return self._with(self.kept + own, self.pull + own @ end)
        if self.method == "si":
            penalty = 2 * self.strength * self.kept
            omega = along(matrix, centre, matrix + penalty, start, end)
            gained = np.asarray(formulas.ratio()(omega, start - end, self.damping))
            kept = np.diag(np.maximum(np.diag(self.kept) + gained, 0.0))
        else:
            own = matrix if self.method == "laplace" else np.diag(np.diag(matrix))
            kept = (self.decay if self.method == "online_ewc" else 1.0) * self.kept + own
        return self._with(kept, kept @ end)

    def _with(self, kept: np.ndarray, pull: np.ndarray) -> _Memory:
        return _Memory(self.method, self.strength, self.decay, self.damping, kept, pull)


def along(
    matrix: np.ndarray, centre: np.ndarray, moving: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Return the integral of a task's own gradient, times the step, along the flow of another quadratic loss.

    The gradient is H (theta - centre); theta - end decays as exp(- M t), M the curvature of the loss that is followed.
    """
    values, vectors = curvature.eigen(moving)
    inside = np.where(values > 0, vectors.T @ (start - end), 0.0)
    gradient, steps = matrix @ vectors * inside, vectors * (values * inside)
    times = values[:, None] + values[None, :]
    both = np.where(times > 0, 1 / np.where(times > 0, times, 1.0), 0.0)
    path = np.einsum("ka,kb,ab->k", gradient, steps, both)
    return path + (matrix @ (end - centre)) * (vectors @ inside)


def held(
    matrix: np.ndarray, centre: np.ndarray, penalty: np.ndarray, anchor: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far the minimum of a loss and a penalty is from the anchor, and how far from the loss's own.

    In coordinates in which both are diagonal; each by its own share of the curvature, so that small ones keep digits.
    """
    whole = matrix + penalty
    size = np.trace(whole) / len(whole)
    if size <= 0 or np.linalg.eigvalsh(whole)[0] <= 1e-13 * size:
        must = "must leave one minimum of the new loss and the penalty"
        raise ArgumentError(name, must, but="leaves some direction free", help="Add samples, or a penalty.")
    vectors = eigh(matrix / size, whole / size)[1] / np.sqrt(size)
    shares, others = (np.einsum("ia,ij,ja->a", vectors, one, vectors) for one in (matrix, penalty))
    back = whole @ vectors
    one, two = back.T @ anchor, back.T @ centre
    pull = formulas.pull()
    return vectors @ np.asarray(pull(shares, one, two)), vectors @ np.asarray(pull(others, two, one))


def cost(matrix: np.ndarray, away: np.ndarray) -> float:
    """Return the loss of a task at a displacement from its optimum."""
    values, vectors = np.linalg.eigh(matrix)
    return float(np.sum(formulas.loss()(np.maximum(values, 0.0), vectors.T @ away)))


def _like(name: str, value: Any, size: int) -> np.ndarray:
    matrix = curvature.hessian(name, value)
    if len(matrix) != size:
        raise ArgumentError(name, f"must be for {size} parameters", but=f"is for {len(matrix)}")
    return matrix


def _listed(hessians: Any, optima: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    for name, value in (("hessians", hessians), ("optima", optima)):
        if not isinstance(value, Listed | np.ndarray) or isinstance(value, str) or not len(value):
            raise ArgumentError(name, "must be a list with one entry for each task", value)
    if len(hessians) != len(optima):
        raise ArgumentError(
            "optima", f"must be as many as hessians, {len(hessians)}", but=f"are {len(optima)}"
        )
    matrices = [curvature.hessian("hessians", one) for one in hessians]
    size = len(matrices[0])
    return [_like("hessians", one, size) for one in matrices], [
        curvature.vector("optima", one, size) for one in optima
    ]
