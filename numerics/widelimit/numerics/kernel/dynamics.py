"""What wide networks predict while they train: the Gaussian process of an ensemble, at all times from one eigenbasis.

f_t(x) = f_0(x) + A_t (y - f_0(X)), A_t = Theta(x, X) Theta^-1 (1 - exp(-Theta t)), Theta = Theta(X, X). Over
networks f_0
is a Gaussian process with the NNGP kernel K, hence the mean A_t y and the covariance
K + A_t K(X, X) A_t' - A_t K(X, x) - K(x, X) A_t'.  Source: lee2019wide, eqs. (14) to (16).

With noise of variance s in the targets, drawn for each network, and weights held back to their start by half of s times
the squared distance, Theta(X, X) and K(X, X) become those plus s: networks whose readout alone trains, Theta = K, are
draws from the posterior of the Gaussian process with that noise.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import compile
from widelimit.numerics.results import by_value
from widelimit.theory import kernel as theory
from widelimit.theory.errors import ArgumentError, DomainError

_LOG = logging.getLogger(__name__)

_flow_progress = compile(1 - theory.remaining(), (theory.RATE, theory.TIME), name="flow_progress")
_steps_progress = compile(
    1 - theory.remaining_after_steps(), (theory.RATE, theory.STEP_SIZE, theory.STEPS), name="steps_progress"
)
_descent_rate = compile(theory.descent_rate(), (theory.RATE, theory.STEP_SIZE), name="descent_rate")
_largest_step = compile(theory.largest_step(), (theory.RATE,), name="largest_step")


@by_value
@dataclass(frozen=True)
class Prediction:
    """Mean and covariance of the outputs of an ensemble at test inputs.

    `mean`: (..., tests, outputs), `covariance`: (..., tests, tests), the same for each output, with the shape of the
    times in front. `jitter`: what was added to the eigenvalues of the training kernel (0 unless it was singular to
    rounding). `largest_learning_rate`: 2 / largest rate, above which discrete steps diverge.
    """

    mean: np.ndarray
    covariance: np.ndarray
    jitter: float
    largest_learning_rate: float

    @property
    def deviation(self) -> np.ndarray:
        """The standard deviation of each output at each test input, (..., tests)."""
        return np.sqrt(np.maximum(np.diagonal(self.covariance, axis1=-2, axis2=-1), 0.0))


@by_value
@dataclass(frozen=True)
class Dynamics:
    """The linear dynamics of training in the eigenbasis of the training kernel.

    `rates` are the eigenvalues over the normaliser of the loss. Build it with `diagonalise`.
    """

    eigenvalues: np.ndarray
    rates: np.ndarray
    jitter: float
    _test: np.ndarray = field(repr=False)  # Theta(x, X) V
    _targets: np.ndarray = field(repr=False)  # V' y
    _train_kernel: np.ndarray = field(repr=False)  # V' K(X, X) V
    _cross_kernel: np.ndarray = field(repr=False)  # V' K(X, x)
    _test_kernel: np.ndarray = field(repr=False)  # K(x, x)

    @property
    def largest_learning_rate(self) -> float:
        """Gradient descent on this kernel diverges above it: 2 / largest rate."""
        return float(_largest_step(self.rates.max()))

    def flow(self, time: Any) -> Prediction:
        """Gradient flow at `time` (a number or an array, infinity allowed)."""
        time = arguments.non_negative("time", time, infinite=True)
        return self._predict(_flow_progress(self.rates, time[..., None]))

    def steps(self, learning_rate: float, steps: Any) -> Prediction:
        """Gradient descent after `steps` steps (a number or an array, infinity allowed).

        Raises `ArgumentError` for steps that are not whole, `DomainError` where training diverges.

        >>> one = np.array([[2.0]])  # a mode of the rate 2: steps of 3/4 leave (-1/2)^k of its error
        >>> learning = diagonalise(one, one, [1.0], test_ntk=one, test_nngp=one, test_test_nngp=one)
        >>> learning.steps(0.75, [1, 2]).mean.ravel().tolist(), learning.largest_learning_rate
        ([1.5, 0.75], 1.0)
        """
        learning_rate = arguments.positive_number("learning_rate", learning_rate)
        steps = arguments.non_negative("steps", steps, infinite=True)
        factor = 1.0 - learning_rate * self.rates
        if np.isinf(steps).any() and np.abs(factor).max() >= 1.0:
            raise DomainError(
                f"Argument `learning_rate` must be below {self.largest_learning_rate:.6g} = 2 / largest rate for an "
                f"infinite number of steps, but is {learning_rate:.6g}: training diverges."
            )
        finite = steps[np.isfinite(steps)]
        if (finite != np.round(finite)).any():
            raise ArgumentError("steps", "must be whole numbers", steps)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            # where no mode changes its sign, steps are gradient flow at another rate, which keeps small digits
            slow = _descent_rate(np.where(factor > 0, self.rates, 0.0), learning_rate)
            monotone = _flow_progress(slow, steps[..., None])
            progress = np.where(
                factor > 0, monotone, _steps_progress(self.rates, learning_rate, steps[..., None])
            )
        if not np.isfinite(progress).all():
            raise DomainError(
                f"Training diverges: argument `learning_rate` must be below {self.largest_learning_rate:.6g} for that "
                f"many steps, but is {learning_rate:.6g}."
            )
        return self._predict(progress)

    def _predict(self, progress: np.ndarray) -> Prediction:
        """`progress`: how much of each mode's initial error is gone, (..., modes)."""
        gain = progress / self.eigenvalues
        a = self._test * gain[..., None, :]
        mean = a @ self._targets
        mixed = a @ self._cross_kernel
        covariance = (
            self._test_kernel + a @ self._train_kernel @ a.swapaxes(-1, -2) - mixed - mixed.swapaxes(-1, -2)
        )
        return Prediction(mean, covariance, self.jitter, self.largest_learning_rate)


def diagonalise(
    ntk: np.ndarray,
    nngp: np.ndarray,
    targets: Any,
    *,
    test_ntk: np.ndarray,
    test_nngp: np.ndarray,
    test_test_nngp: np.ndarray,
    loss: Literal["sum", "mean"] = "sum",
    jitter: float | None = None,
    noise: float = 0.0,
) -> Dynamics:
    """Diagonalise the training kernel `ntk` (m, m) once.

    `nngp` (m, m), `test_ntk` and `test_nngp` (tests, m), `test_test_nngp` (tests, tests), `targets` (m,) or
    (m, outputs).
    `loss`: half the sum of squares, or half their mean over the m inputs. `jitter` is added to the eigenvalues; None
    adds 2^-26 times their mean where the smallest is not positive to rounding (m * 2^-52 * largest), and says so.
    `noise`: variance of the targets' noise, see the module.
    """
    targets = arguments.finite("y_train", targets)
    if targets.ndim == 1:
        targets = targets[:, None]
    m = ntk.shape[0]
    if targets.ndim != 2 or targets.shape[0] != m:
        raise ArgumentError(
            "y_train", f"must have one row for each of the {m} inputs", but=f"has shape {targets.shape}"
        )
    arguments.choice("loss", loss, ("sum", "mean"))
    noise = arguments.non_negative_number("noise", noise)
    eigenvalues, basis = np.linalg.eigh(ntk)
    eigenvalues = eigenvalues + noise
    floor = m * np.finfo(float).eps * abs(eigenvalues[-1])
    if eigenvalues[-1] <= 0:
        raise DomainError(
            "The training kernel is zero: all inputs are zero and sigma_b is 0. Nothing can be learned."
        )
    if jitter is None:
        # Null directions carry rounding of order floor / m; divided by the jitter it has to stay small.
        jitter = 0.0 if eigenvalues[0] >= floor else float(np.sqrt(np.finfo(float).eps) * eigenvalues.mean())
        if jitter:
            _LOG.warning(
                "the training kernel is singular to rounding (duplicate inputs?): jitter %.3g added", jitter
            )
    jitter = arguments.non_negative_number("jitter", jitter)
    eigenvalues = eigenvalues + jitter
    if eigenvalues[0] <= 0:
        raise DomainError(
            f"The training kernel is not positive definite (smallest eigenvalue {eigenvalues[0]:.3g}): argument "
            f"`jitter` "
            f"must be at least {floor - eigenvalues[0] + jitter:.3g}, or None to have it chosen."
        )
    rates = eigenvalues / (m if loss == "mean" else 1)
    return Dynamics(
        eigenvalues,
        rates,
        jitter,
        test_ntk @ basis,
        basis.T @ targets,
        basis.T @ nngp @ basis + noise * np.eye(m),
        basis.T @ test_nngp.T,
        test_test_nngp,
    )
