"""What layers of attention are asked: Gram matrices and scales, checked once."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.attention.shares import COLDEST
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory import attention as theory
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_ALIKE = 1e-11  # entries of exchangeable tokens differ by rounding only
_NEGATIVE = 1e-9  # eigenvalues of a Gram matrix, relative to the largest


@by_value
@dataclass(frozen=True)
class Request:
    """A layer of attention over tokens with a Gram matrix; `beta` = sigma_QK, of logits over the root of d_h."""

    gram: Array
    beta: float
    sigma_vo: float
    causal: bool

    @property
    def tokens(self) -> int:
        """T."""
        return len(self.gram)

    @property
    def exchangeable(self) -> bool:
        """Whether all tokens have one length, and all pairs one covariance."""
        return alike(self.gram)

    @property
    def length(self) -> float:
        """q."""
        return float(np.diag(self.gram).mean())

    @property
    def covariance(self) -> float:
        """p, the mean over pairs."""
        t = self.tokens
        return float((self.gram.sum() - np.trace(self.gram)) / (t * (t - 1)))

    @property
    def distance(self) -> float:
        """1 - rho."""
        return min(max((self.length - self.covariance) / self.length, 0.0), self.tokens / (self.tokens - 1))

    @property
    def near(self) -> Request:
        """The same layer over exchangeable tokens of the same mean length and covariance."""
        return replace(self, gram=averaged(self.gram))

    @property
    def logit_std(self) -> float:
        """a."""
        return float(math.sqrt(logit_variance(self.beta, self.length, self.covariance)))


def request(gram: Any, sigma_qk: Any, sigma_vo: Any, causal: Any, scaling: Any, head_dim: Any) -> Request:
    """Return the checked request; "linear" `scaling` is a smaller beta, 0 at an infinite head dimension."""
    beta = float(
        arguments.near_one("sigma_qk", np.asarray(arguments.non_negative_number("sigma_qk", sigma_qk)))
    )
    vo = float(
        arguments.near_one("sigma_vo", np.asarray(arguments.non_negative_number("sigma_vo", sigma_vo)))
    )
    kind = arguments.choice("scaling", scaling, ("sqrt", "linear"))
    head = None if head_dim is None else arguments.count("head_dim", head_dim)
    if kind == "linear":
        beta = 0.0 if head is None else float(_linear()(beta, min(head, 10**15)))
    found = Request(covariances("C", gram), beta, vo, arguments.flag("causal", causal))
    largest = float(np.sqrt(max(logit_variance(beta, np.diag(found.gram).max(), 0.0), 0.0)))
    if largest > COLDEST:
        help = "Weights are one-hot to a per cent where logits have a standard deviation of 100."
        but = f"gives logits up to a standard deviation of {largest:.3g}"
        raise ArgumentError("sigma_qk", f"must keep logits below {COLDEST:g}", but=but, help=help)
    return found


def beta_change(scaling: str, head_dim: int | None) -> float:
    """How beta changes with sigma_qk, both arguments as `request` has checked them."""
    if scaling != "linear":
        return 1.0
    return 0.0 if head_dim is None else float(_linear_change()(1.0, min(int(head_dim), 10**15)))


def covariances(name: str, value: Any) -> Array:
    """Return a checked Gram matrix of two tokens or more."""
    array = square(name, value)
    array = arguments.near_one(name, array)
    scale = float(np.abs(array).max())
    if scale == 0:
        raise ArgumentError(name, "must have a token that is not 0", but="is 0")
    if float(np.linalg.eigvalsh(array / scale)[0]) < -_NEGATIVE:
        help = "It holds scalar products: no combination of tokens has a negative square."
        raise ArgumentError(name, "must be positive semidefinite", but="has a negative eigenvalue", help=help)
    if (np.diag(array) == 0).any():
        token = int(np.argmin(np.diag(array)))
        raise ArgumentError(name, "must have tokens that are not 0", but=f"has a 0 for token {token}")
    return array


def square(name: str, value: Any, size: int | None = None) -> Array:
    """Return a checked symmetric matrix of products between tokens."""
    array = arguments.real(name, value)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ArgumentError(name, "must be a square matrix", but=f"has shape {array.shape}")
    if size is not None and len(array) != size:
        raise ArgumentError(name, f"must have a row for each of {size} tokens", but=f"has {len(array)}")
    if len(array) < 2:
        help = "One token attends to itself: nothing is averaged."
        raise ArgumentError(name, "must have two tokens or more", but=f"has {len(array)}", help=help)
    costs.affordable(name, len(array), memory=48.0, seconds=1e-6, power=2, each="token")
    if np.abs(array - array.T).max() > _ALIKE * np.abs(array).max():
        raise ArgumentError(name, "must be symmetric", but="is not")
    return np.asarray((array + array.T) / 2)


def averaged(matrix: Array) -> Array:
    """A matrix with the mean of its diagonal on it, and the mean of what is beside it beside it."""
    size = len(matrix)
    own = float(np.trace(matrix)) / size
    beside = (float(matrix.sum()) - size * own) / (size * (size - 1))
    return np.where(np.eye(size, dtype=bool), own, beside)


def alike(matrix: Array) -> bool:
    """Whether a matrix has one number on its diagonal and one beside it, but for rounding."""
    beside = matrix[~np.eye(len(matrix), dtype=bool)]
    scale = _ALIKE * float(np.abs(matrix).max())
    return bool(np.ptp(np.diag(matrix)) <= scale and np.ptp(beside) <= scale)


def logit_variance(beta: Any, length: Any, covariance: Any) -> Any:
    """a^2; rounding leaves no negative one."""
    return np.maximum(_variance()(beta, length, np.minimum(covariance, length)), 0.0)


@functools.cache
def _variance() -> Compiled:
    return compile(theory.logit_variance(), (theory.BETA, theory.Q, theory.P), name="logit_variance")


@functools.cache
def _linear() -> Compiled:
    return compile(theory.linear_scale(), (theory.BETA, theory.HEAD), name="linear_scale")


@functools.cache
def _linear_change() -> Compiled:
    t = theory
    return compile(t.linear_scale().diff(t.BETA), (t.BETA, t.HEAD), name="linear_scale_change")
