"""Path integrals of gradient descent on a quadratic loss, in closed form: one eigendecomposition, no iteration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import integrate

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.synapses import curvature, formulas
from widelimit.theory.errors import ArgumentError, DomainError


@by_value
@dataclass(frozen=True)
class Importance:
    """`path_integral`: omega_k, each parameter's share of the loss lost; `matrix`: Q, of which it is the diagonal.

    `importance`: Omega_k = omega_k / (Delta_k^2 + xi). `displacement`: Delta, start less end. `total`: the sum of
    omega, which a finite step makes larger than the loss lost, `loss`.
    """

    path_integral: np.ndarray
    matrix: np.ndarray
    importance: np.ndarray
    displacement: np.ndarray
    total: float
    loss: float


def importance(
    hessian: Any,
    displacement: Any,
    *,
    learning_rate: float = 0.0,
    momentum: float = 0.0,
    damping: float = 0.0,
) -> Importance:
    """Return path integral and importance of every parameter after training to rest on x' H x / 2 from `displacement`.

    In the eigenbasis of H the entry (a, b) is l_a l_b d_a d_b / (l_a + l_b - eta l_a l_b) without momentum
    (zenke2017continual for the flow; finite steps and heavy-ball momentum are new). Directions without curvature do not
    move, and do not count as displacement.

    Args:
        hessian: symmetric, without negative eigenvalues; or its diagonal.
        displacement: start less optimum, one number a parameter.
        learning_rate: eta, 0 for the gradient flow; below 2 (1 + momentum) / largest eigenvalue.
        momentum: b of heavy-ball descent, from 0 to below 1.
        damping: xi, added to the squared displacement.

    Raises `ArgumentError` for a matrix that is none of these, a learning rate at which descent diverges, a momentum of
    1 or more, a negative damping, or a parameter that does not move where there is no damping.

    >>> found = importance([[1, 0.4], [0.4, 0.5]], [1, 0.5])
    >>> found.path_integral.round(9)
    array([0.59333333, 0.16916667])
    >>> importance([0.7], [1.0], learning_rate=0.3, momentum=0.9).importance.round(9)
    array([0.73899721])
    """
    matrix = curvature.hessian("hessian", hessian)
    start = curvature.vector("displacement", displacement, len(matrix))
    eta = arguments.non_negative_number("learning_rate", learning_rate)
    b = _momentum(momentum)
    xi = arguments.non_negative_number("damping", damping)
    values, vectors = curvature.eigen(matrix)
    if eta * values[-1] >= 2 * (1 + b):
        most = 2 * (1 + b) / values[-1]
        raise ArgumentError(
            "learning_rate", f"must be below {most:.6g} here", learning_rate, "Descent diverges."
        )
    inside = vectors.T @ start
    moving = np.where(values > 0, inside, 0.0)
    entries = _entries(values, moving, eta, b)
    paths = vectors @ entries @ vectors.T
    omega, moved = np.diag(paths).copy(), vectors @ moving
    small = moved**2 + xi <= (1e-14 * np.abs(start).max()) ** 2
    if small.any():
        must = "must move every parameter, or `damping` be positive"
        raise ArgumentError("displacement", must, but=f"leaves parameter {int(np.argmax(small))} where it is")
    loss = math.fsum(formulas.loss()(np.maximum(values, 1e-300), moving))
    return Importance(
        omega, paths, np.asarray(formulas.ratio()(omega, moved, xi)), moved, float(omega.sum()), loss
    )


def diagonal(bent: Any, *, learning_rate: Any = 0.0, momentum: float = 0.0) -> Any:
    """Return Omega without damping where H is diagonal: the same from every start.

    >>> diagonal([1.0, 2.0])
    array([0.5, 1. ])
    """
    values = arguments.positive("curvature", bent)
    eta, b = arguments.non_negative("learning_rate", learning_rate), _momentum(momentum)
    values, eta = arguments.broadcast(curvature=values, learning_rate=eta)
    if (values * eta >= 2 * (1 + b)).any():
        raise ArgumentError("learning_rate", "must be below 2 (1 + momentum) / curvature", learning_rate)
    return arguments.scalar(np.asarray(formulas.diagonal()(values, eta, np.full(values.shape, b))))


def _entries(values: np.ndarray, inside: np.ndarray, rate: float, momentum: float) -> np.ndarray:
    """Entries of the path integral in the eigenbasis; none where there is no curvature."""
    safe = np.where(values > 0, values, 1.0)
    found = formulas.entry()(safe[:, None], safe[None, :], inside[:, None], inside[None, :], rate, momentum)
    return np.asarray(found)


def _momentum(value: Any) -> float:
    b = arguments.non_negative_number("momentum", value)
    if b >= 1:
        raise ArgumentError("momentum", "must be below 1", value)
    return b


@by_value
@dataclass(frozen=True)
class Tail:
    """P(|Omega| > x) = `coefficient` / sqrt(x) for large x, over Gaussian starts; the mean is infinite.

    `density`: of the displacement at 0; `root_mean`: E sqrt|q|, `path_mean`: E q, of omega where the displacement is 0.
    `damped_mean`: the mean of Omega with the damping asked for, to first order in its root; None without.
    """

    coefficient: float
    density: float
    root_mean: float
    path_mean: float
    damped_mean: float | None

    def exceeds(self, x: Any) -> Any:
        """Return P(|Omega| > x) for large x."""
        at = arguments.positive("x", x)
        return arguments.scalar(np.asarray(formulas.tail()(self.density, self.root_mean, at)))


def importance_tail(
    hessian: Any, parameter: int, *, scale: float = 1.0, damping: float | None = None
) -> Tail:
    """Return how heavy the tail of one parameter's importance is, over Gaussian starts of deviation `scale`.

    A start close to the optimum along a parameter leaves its path integral q (the others move it there and back) over
    a displacement of nearly nothing. E sqrt|q| comes from the characteristic function of the quadratic form q.

    Args:
        hessian: symmetric, without negative eigenvalues, not diagonal.
        parameter: number of the parameter, from 0.
        scale: standard deviation of the start, for each parameter alike.
        damping: xi of `damped_mean`.

    Raises `DomainError` where the parameter's path integral is 0 whenever its displacement is: a diagonal matrix, whose
    importance is the same from every start.

    >>> tail = importance_tail([[1, 0.4], [0.4, 0.5]], 0, damping=1e-4)
    >>> round(tail.coefficient, 6), round(tail.damped_mean, 4)
    (0.147021, 6.6843)
    """
    matrix = curvature.hessian("hessian", hessian)
    which = arguments.count("parameter", parameter, least=0)
    if which >= len(matrix):
        raise ArgumentError("parameter", f"must be below {len(matrix)}", parameter)
    deviation = arguments.positive_number("scale", scale)
    values, vectors = curvature.eigen(matrix)
    weights = vectors[which]
    entries = _entries(values, np.ones(len(values)), 0.0, 0.0) * np.outer(weights, weights)
    entries = np.where((values > 0)[:, None] & (values > 0)[None, :], entries, 0.0)
    form = vectors @ entries @ vectors.T
    others = np.arange(len(matrix)) != which
    modes = (
        deviation**2 * np.linalg.eigvalsh(form[np.ix_(others, others)]) if len(matrix) > 1 else np.zeros(1)
    )
    if np.abs(modes).max() <= 1e-14 * deviation**2 * values[-1]:
        raise DomainError(
            f"Parameter {which} has the same importance from every start: no other one moves it."
        )
    density = 1 / (deviation * math.sqrt(2 * math.pi))
    root, mean = _root_mean(modes), float(modes.sum())
    damped = None
    if damping is not None:
        damped = float(formulas.damped()(density, mean, arguments.positive_number("damping", damping)))
    return Tail(float(formulas.tail()(density, root, 1.0)), density, root, mean, damped)


def _root_mean(modes: np.ndarray) -> float:
    """E sqrt|q| of q = sum of modes times squares of standard normals."""
    scale = np.abs(modes).max()
    unit = modes / scale

    def real(u: float) -> float:
        return float(np.exp(-0.5 * np.log(1 - 2j * unit * u**2).sum()).real)

    def near(u: float) -> float:
        return float(formulas.root()(real(u), u)) if u > 1e-6 else 0.0

    def far(w: float) -> float:  # u = 1/w
        return float(formulas.root()(real(1 / w), 1.0)) if w > 0 else float(formulas.root()(0.0, 1.0))

    total = sum(integrate.quad(part, 0, 1, epsabs=1e-13, epsrel=1e-12, limit=200)[0] for part in (near, far))
    return float(total) * math.sqrt(scale)
