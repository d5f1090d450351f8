"""Kernels of wide networks in scikit-learn: `NNGPKernel` for Gaussian processes, `NTKRegressor` for trained networks.

Importing this module imports scikit-learn; `widelimit.numerics.kernel` reaches for it only when a name is used.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel
from sklearn.utils.validation import check_is_fitted

from widelimit.numerics.estimation import checked
from widelimit.numerics.kernel import kernels
from widelimit.numerics.kernel.gradients import nngp_gradient
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
Bounds = tuple[float, float] | str


class NNGPKernel(Kernel):
    """The covariance of a wide network's outputs at random weights, as a kernel of scikit-learn.

    `nngp_ntk` of inputs (n, features); its hyperparameters sigma_w and sigma_b are the same in all layers and are
    learnt by the marginal likelihood, with the exact gradient of `nngp_gradient`. Sums and products with other kernels
    work as usual; it is not stationary.

    Parameters: `sigma_w`, `sigma_b` (positive, or fixed at 0 with ``sigma_b_bounds="fixed"``), their bounds;
    `activation`, a catalogue name or an expression in x; `depth`, hidden layers.

    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> X = np.linspace(-1, 1, 8)[:, None]; y = np.sin(3 * X[:, 0])
    >>> process = GaussianProcessRegressor(
    ...     NNGPKernel(activation="erf", depth=2, sigma_b_bounds="fixed"), alpha=1e-4
    ... ).fit(X, y)
    >>> before = process.log_marginal_likelihood(np.log([2**0.5]))  # of the scale that it started from
    >>> bool(process.log_marginal_likelihood_value_ > before), process.score(X, y) > 0.99
    (True, True)
    """

    def __init__(
        self,
        sigma_w: float = kernels.HE,
        sigma_b: float = 0.1,
        activation: str = "relu",
        depth: int = 1,
        sigma_w_bounds: Bounds = (0.1, 10.0),
        sigma_b_bounds: Bounds = (1e-3, 10.0),
    ) -> None:
        self.sigma_w = sigma_w
        self.sigma_b = sigma_b
        self.activation = activation
        self.depth = depth
        self.sigma_w_bounds = sigma_w_bounds
        self.sigma_b_bounds = sigma_b_bounds

    @property
    def hyperparameter_sigma_w(self) -> Hyperparameter:
        """How scikit-learn finds sigma_w."""
        return Hyperparameter("sigma_w", "numeric", self.sigma_w_bounds)

    @property
    def hyperparameter_sigma_b(self) -> Hyperparameter:
        """How scikit-learn finds sigma_b."""
        return Hyperparameter("sigma_b", "numeric", self.sigma_b_bounds)

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        """Return the kernel of X, or of X and Y; with `eval_gradient` also its derivatives by log hyperparameters.

        Raises `ArgumentError` for a gradient with respect to Y's kernel, as scikit-learn has none.
        """
        if not eval_gradient:
            return kernels.nngp_ntk(X, Y, **self._network()).nngp
        if Y is not None:
            raise ArgumentError("Y", "must be None where the gradient is evaluated", but="is given")
        found = nngp_gradient(X, **self._network())
        parts = [  # in the order of theta: names by the alphabet
            getattr(found, one.name).sum(0) * getattr(self, one.name)
            for one in self.hyperparameters
            if not one.fixed
        ]
        return found.nngp, np.stack(parts, axis=2) if parts else np.empty((*found.nngp.shape, 0))

    def diag(self, X: Any) -> Array:
        """Return the diagonal of the kernel of X, (n,)."""
        return kernels.variances(X, **self._network())

    def is_stationary(self) -> bool:
        """Return False: lengths of inputs matter."""
        return False

    def _network(self) -> dict[str, Any]:
        return {
            "sigma_w": self.sigma_w,
            "sigma_b": self.sigma_b,
            "activation": self.activation,
            "depth": self.depth,
        }

    def __repr__(self) -> str:
        scales = f"sigma_w={self.sigma_w:.3g}, sigma_b={self.sigma_b:.3g}"
        return f"NNGPKernel({self.activation}, depth={self.depth}, {scales})"


class NTKRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """What a wide network predicts after training, as a regressor of scikit-learn: nothing is trained.

    The mean and spread over random starts of networks that follow the gradient of half the summed squared error up to
    `time`, all layers (`kernel="ntk"`) or the readout alone (`"nngp"`); see `kernel.predict`.

    Parameters: `activation`, `sigma_w`, `sigma_b`, `depth` of the network; `kernel`; `noise`, the variance of noise in
    the targets; `time`, infinity for the end of training.

    Attributes after `fit`: `X_fit_`, `y_fit_`, `n_features_in_`.

    >>> X = np.linspace(-1, 1, 8)[:, None]; y = X[:, 0] ** 2
    >>> model = NTKRegressor(activation="erf", sigma_b=1.0, depth=2).fit(X, y)
    >>> mean, deviation = model.predict([[0.0], [2.0]], return_std=True)
    >>> bool(abs(mean[0]) < 0.03), bool(deviation[0] < deviation[1])
    (True, True)
    """

    def __init__(
        self,
        *,
        activation: str = "relu",
        sigma_w: float = kernels.HE,
        sigma_b: float = 0.1,
        depth: int = 1,
        kernel: Literal["ntk", "nngp"] = "ntk",
        noise: float = 0.0,
        time: float = math.inf,
    ) -> None:
        self.activation = activation
        self.sigma_w = sigma_w
        self.sigma_b = sigma_b
        self.depth = depth
        self.kernel = kernel
        self.noise = noise
        self.time = time

    def fit(self, X: Any, y: Any) -> NTKRegressor:
        """Keep the data. Raises `InputError`, a `ValueError`, for what is no finite matrix of numbers."""
        self.X_fit_, self.y_fit_ = checked(self, X, y, y_numeric=True, multi_output=True)
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict targets for the rows of X, with `return_std` also the standard deviation over networks, (n,)."""
        check_is_fitted(self)
        X = checked(self, X, reset=False)
        found = kernels.predict(
            self.X_fit_, self.y_fit_, X, activation=self.activation, sigma_w=self.sigma_w, sigma_b=self.sigma_b,
            depth=self.depth, kernel=self.kernel, noise=self.noise, time=self.time,
        )  # fmt: skip
        mean = found.mean[:, 0] if self.y_fit_.ndim == 1 else found.mean
        return (mean, found.deviation) if return_std else mean
