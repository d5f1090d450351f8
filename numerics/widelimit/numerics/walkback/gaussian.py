"""Linear-Gaussian operators s' = A s + sqrt(T) n, n ~ N(0, D): second moments along a walk, exactly."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_continuous_lyapunov

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import walkback as theory
from widelimit.theory.errors import ArgumentError

_MARGIN = 1e-12  # below 1 that rounding leaves a spectral radius
_DOUBLINGS = 60  # of the number of steps that are summed; at a radius of 1 - 1e-12 it takes 45
_ROUNDING = 1e-17


def entropy_production(transition: Any, noise: Any) -> Any:
    """Return the entropy production per step, in nats, of s' = A s + n, n ~ N(0, D), at stationarity.

    (E |s - A s'|^2 - dim)/2 by D^-1, which is tr D^-1 (Sigma + A Sigma A' - A^2 Sigma - Sigma A'^2)/2 - dim/2 with
    Sigma = A Sigma A' + D; 0 exactly where A D = D A' (detailed balance), whatever the temperature.

    Args:
        transition: A, (n, n), or a stack of them (..., n, n), of spectral radius below 1.
        noise: D, (n, n), symmetric and positive definite, or a stack.

    Raises `ArgumentError` for other shapes, a spectral radius of 1 or more, or a D that is not positive definite.

    >>> turn = 0.8 * np.array([[np.cos(0.6), -np.sin(0.6)], [np.sin(0.6), np.cos(0.6)]])
    >>> round(entropy_production(turn, np.eye(2)), 10)  # 4 a^2 sin^2 p / (1 - a^2)
    2.2671724285
    >>> round(entropy_production([[0.6, 0.3], [-0.2, 0.5]], [[1, 0.3], [0.3, 0.5]]), 10)
    0.550304878
    """
    a, d = _operators(transition, noise)
    root = np.linalg.cholesky(d)
    white = np.linalg.solve(root, a @ root)  # A in units of the noise
    with np.errstate(all="ignore"):
        covariance = _stationary(white)
        square = _residual(white, covariance, white @ covariance, covariance)
    _finite("transition", square)
    dimension = float(a.shape[-1])
    return arguments.scalar(np.asarray(_way_back()(square, np.full(square.shape, dimension))))


def diffusion_entropy_production(drift: Any, diffusion: Any) -> float:
    """Return the entropy production rate of dx = - B x dt + sqrt(2 Q) dW: tr(B' Q^-1 B Sigma) - tr B.

    Sigma solves B Sigma + Sigma B' = 2 Q.

    Args:
        drift: B, (n, n), with eigenvalues of positive real part.
        diffusion: Q, (n, n), symmetric and positive definite.

    Raises `ArgumentError` for other shapes, a drift that lets some direction go, or a Q that is not positive definite.

    >>> round(diffusion_entropy_production([[1.0, 0.5], [-0.5, 1.0]], np.eye(2)), 12)  # 2 w^2 / b
    0.5
    """
    b = _square("drift", drift)
    q = positive("diffusion", diffusion, len(b))
    if np.linalg.eigvals(b).real.min() <= 0:
        least = float(np.linalg.eigvals(b).real.min())
        raise ArgumentError(
            "drift", "must have eigenvalues of positive real part", but=f"has one of {least:.4g}"
        )
    size, root = np.abs(b).max(), np.linalg.cholesky(q)
    white = np.linalg.solve(root, b @ root) / size  # in units of the noise, and of the drift's own time
    covariance = solve_continuous_lyapunov(white, 2 * np.eye(len(b)))
    drive = float(np.trace(white.T @ white @ covariance))
    return float(size) * float(_diffusion()(drive, float(np.trace(white))))


@by_value
@dataclass(frozen=True)
class Bound:
    """`bound`: E L in nats; `log_likelihood`: of the data by the model that walks back from the prior; `gap`: between.

    `terms`: what each step adds to the bound, E log T_t(s_{t-1} | s_t) - log T_t(s_t | s_{t-1}); `end`: E log p(s_K).
    """

    bound: float
    log_likelihood: float
    gap: float
    terms: np.ndarray
    end: float


def bound(transition: Any, noise: Any, *, data: Any, prior: Any, temperatures: Any) -> Bound:
    """Return the bound of variational walkback for Gaussian data and a linear-Gaussian operator (goyal2017variational).

    Second moments are followed exactly: S_t = A S_{t-1} A' + T_t D, and a step adds -(m - dim)/2, m the mean squared
    residual of the way back.

    Args:
        transition: A, (n, n); its spectral radius may be anything.
        noise: D, symmetric and positive definite.
        data: covariance of the data.
        prior: covariance of the prior that s_K is scored by.
        temperatures: T_1 ... T_K, factors of the noise's variance.

    Raises `ArgumentError` for other shapes, covariances that are not positive definite, or temperatures that are not
    positive.

    >>> a, d = np.array([[0.6, 0.3], [-0.2, 0.5]]), np.array([[1, 0.3], [0.3, 0.5]])
    >>> stationary = sum(np.linalg.matrix_power(a, k) @ d @ np.linalg.matrix_power(a, k).T for k in range(200))
    >>> found = bound(a, d, data=stationary, prior=stationary, temperatures=[1, 1, 1, 1])
    >>> round(found.bound, 10), round(found.gap / 4, 10)  # the gap is K times the entropy production
    (-5.1270019565, 0.550304878)
    """
    a = _square("transition", transition)
    d, start, end = (
        positive(name, one, len(a)) for name, one in (("noise", noise), ("data", data), ("prior", prior))
    )
    heats = arguments.positive("temperatures", np.atleast_1d(arguments.real("temperatures", temperatures)))
    if heats.ndim != 1 or not heats.size:
        raise ArgumentError("temperatures", "must be a list of one number a step", temperatures)
    with np.errstate(all="ignore"):
        return _bound(a, d, start, end, heats)


def _bound(a: np.ndarray, d: np.ndarray, start: np.ndarray, end: np.ndarray, heats: np.ndarray) -> Bound:
    root = np.linalg.cholesky(d)
    white = np.linalg.solve(root, a @ root)
    here, terms = _inside(root, start), []
    for heat in heats.tolist():
        across = white @ here
        there = across @ white.T + heat * np.eye(len(a))
        square = float(_residual(white, here, across, there)) / heat
        terms.append(-float(_way_back()(square, float(len(a)))))
        here = there
    score = _score(root @ here @ root.T, end)
    model = end
    for heat in heats[::-1].tolist():
        model = a @ model @ a.T + heat * d
    likelihood = _score(start, model)
    _finite("temperatures", np.array([*terms, score, likelihood]))
    total = score + math.fsum(terms)
    return Bound(total, likelihood, likelihood - total, np.array(terms), score)


def _residual(white: np.ndarray, here: np.ndarray, across: np.ndarray, there: np.ndarray) -> np.ndarray:
    """E |s - A s'|^2 from the covariances of s, of s' and s, and of s'."""
    back = white @ across  # A C, C = E s' s'
    whole = here - back - np.swapaxes(back, -1, -2) + white @ there @ np.swapaxes(white, -1, -2)
    return np.asarray(np.trace(whole, axis1=-2, axis2=-1))


def _score(covariance: np.ndarray, model: np.ndarray) -> float:
    """Mean of log N(s; 0, model) over s of a covariance."""
    root = np.linalg.cholesky(model)
    scaled = np.linalg.solve(root, np.linalg.solve(root, covariance).T)
    # the determinant may leave the range of floats: coordinates of determinant 1, and its logarithm beside them
    logs = 2 * math.fsum(np.log(np.diag(root)))
    return float(_density()(float(np.trace(scaled)), float(len(model)), 1.0)) - logs / 2


def _stationary(white: np.ndarray) -> np.ndarray:
    """Sigma = A Sigma A' + 1 = sum of A^k A^k', by doubling the number of terms."""
    total, power = np.broadcast_to(np.eye(white.shape[-1]), white.shape), white
    for _ in range(_DOUBLINGS):
        more = power @ total @ np.swapaxes(power, -1, -2)
        total = total + more
        if not np.abs(more).max() > _ROUNDING * np.abs(total).max():  # NaN ends it, too
            break
        power = power @ power
    return np.asarray(total)


def _inside(root: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    return np.linalg.solve(root, np.linalg.solve(root, covariance).T).T


def _operators(transition: Any, noise: Any) -> tuple[np.ndarray, np.ndarray]:
    a, d = arguments.real("transition", transition), arguments.real("noise", noise)
    for name, one in (("transition", a), ("noise", d)):
        if one.ndim < 2 or one.shape[-1] != one.shape[-2] or not one.size:
            raise ArgumentError(
                name, "must be a square matrix or a stack of them", but=f"has shape {one.shape}"
            )
    if a.shape[-1] != d.shape[-1]:
        raise ArgumentError("noise", f"must be {a.shape[-1]} by {a.shape[-1]}", but=f"has shape {d.shape}")
    a, d = arguments.broadcast(transition=a, noise=d)
    radius = np.abs(np.linalg.eigvals(a)).max(-1)
    if (radius >= 1 - _MARGIN).any():
        help = "There is no stationary state."
        raise ArgumentError(
            "transition",
            "must have a spectral radius below 1",
            but=f"has one of {radius.max():.6g}",
            help=help,
        )
    _definite("noise", d)
    return a, d


def _finite(name: str, found: np.ndarray) -> None:
    if not np.isfinite(found).all():
        help = "Choose units in which all of them are near 1."
        raise ArgumentError(
            name, "must lead to covariances that a float holds", but="leads beyond", help=help
        )


def _square(name: str, value: Any) -> np.ndarray:
    array = arguments.real(name, value)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not array.size:
        raise ArgumentError(name, "must be a square matrix", but=f"has shape {array.shape}")
    return array


def positive(name: str, value: Any, size: int) -> np.ndarray:
    """Return a covariance of a size, symmetric and positive definite."""
    array = _square(name, value)
    if len(array) != size:
        raise ArgumentError(name, f"must be {size} by {size}", but=f"has shape {array.shape}")
    _definite(name, array)
    return (array + array.T) / 2


def _definite(name: str, array: np.ndarray) -> None:
    size = np.abs(array).max()
    if np.abs(array - np.swapaxes(array, -1, -2)).max() > 1e-10 * size:
        raise ArgumentError(name, "must be symmetric", but="is not")
    least = float(np.linalg.eigvalsh(array)[..., 0].min())
    if least <= 1e-14 * size:
        raise ArgumentError(name, "must be positive definite", but=f"has the eigenvalue {least:.4g}")


@functools.cache
def _way_back() -> Compiled:
    return compile(theory.way_back(), (theory.SQUARE, theory.DIMENSION), name="way_back")


@functools.cache
def _density() -> Compiled:
    symbols = (theory.SQUARE, theory.DIMENSION, theory.DETERMINANT)
    return compile(theory.log_density(), symbols, name="log_density")


@functools.cache
def _diffusion() -> Compiled:
    return compile(theory.diffusion_entropy(), (theory.DRIVE, theory.TRACE), name="diffusion_entropy")
