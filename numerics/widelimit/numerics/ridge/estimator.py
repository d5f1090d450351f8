"""`AsymptoticRidge`: a scikit-learn regressor that picks its penalty from the theory, without cross-validation.

Importing this module imports scikit-learn; `widelimit.numerics.ridge` reaches for it only when the name is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from widelimit.numerics.estimation import checked
from widelimit.numerics.ridge import serial
from widelimit.numerics.ridge.posterior import Population
from widelimit.numerics.ridge.rows import observations, weights
from widelimit.numerics.ridge.sample import centred, decompose, refuse_extremes
from widelimit.theory.errors import ArgumentError

Array = np.ndarray


class AsymptoticRidge(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Ridge regression with the penalty of least test error in high dimension.

    One eigendecomposition estimates the population covariance, the signal and the noise (`data.from_data`),
    gives the best penalty (Mel & Ganguli 2021) and the fit itself; nothing is fitted twice, and rows of large leverage
    (inputs of heavy tails) count as what they are. What the data leave open is averaged over: near interpolation, where
    they can look free of noise by chance, the penalty stays positive. The penalty is that of the loss
    ``(1/N) sum of squares + penalty_ |w|^2``; ``alpha_ = N penalty_`` is what `sklearn.linear_model.Ridge` calls alpha.

    Rows must be independent; copies of a row are seen and count as one. `fit` warns (`DependenceWarning`) where errors
    on neighbouring rows resemble each other, which independent rows do by chance once in a thousand data sets.

    Parameters: `fit_intercept`; `negative`, whether penalties below zero may be used where the theory finds them best
    (they are kept above half of the edge that this very sample has).

    Attributes after `fit`, with a first axis of targets where y has two dimensions: `coef_`, `intercept_`, `penalty_`,
    `alpha_`, `test_error_` (predicted mean squared error on new data; cautious for fewer than 18 rows, of which no mean
    of squares is known within a factor of four), `test_error_interval_` (95 per cent), `noise_`
    (mean label noise); `rows_independent_` (False after a warning), `n_features_in_`.

    >>> random = np.random.default_rng(0)
    >>> X = random.standard_normal((200, 50)); y = X[:, 0] + random.standard_normal(200)
    >>> model = AsymptoticRidge().fit(X, y)
    >>> model.penalty_ > 0, model.predict(X[:2]).shape
    (True, (2,))
    """

    def __init__(self, *, fit_intercept: bool = True, negative: bool = True) -> None:
        self.fit_intercept = fit_intercept
        self.negative = negative

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> AsymptoticRidge:
        """Estimate the population, choose the penalty (one for each target), fit.

        `y` of shape (samples,) or (samples, targets). Squared errors count `sample_weight` times, and the fit is that
        of `sklearn.linear_model.Ridge(alpha=alpha_)` with the same weights; predicted errors are for weights of mean 1.
        Copies of a row are one observation of larger weight, and whole weights are copies (`rows`).

        Raises `InputError`, a `ValueError`, for text, missing or infinite entries, lengths that differ, and weights
        that are negative or all zero.
        """
        X, y = self._read(X, y)
        rows = observations(X, y, weights(sample_weight, X.shape[0]))
        X, y, weight = X[rows.kept], y[rows.kept], rows.weight
        targets = y if y.ndim == 2 else y[:, None]
        number = X.shape[0] if weight is None else round(float(weight.sum()))
        intercept = bool(self.fit_intercept) and X.shape[0] > 1
        x, mean = centred(X, weight, intercept)
        centre, level = centred(targets, weight, intercept)
        refuse_extremes("X", x)
        refuse_extremes("y", centre)
        centre[:, np.ptp(targets, 0) == 0] *= not intercept  # constant, but for rounding
        found = self._choose(x, centre, number - intercept, weight, rows.counts)
        coef, penalty, self.noise_, self.test_error_, self.test_error_interval_, chance = found
        self.coef_, self.intercept_ = coef, level - coef @ mean
        self.alpha_ = (number - intercept) * penalty / rows.scale
        self.penalty_ = (number - intercept) * penalty / number
        self.rows_independent_ = chance >= serial.FALSE_ALARM
        if y.ndim == 1:
            for name in ("coef_", "test_error_interval_"):
                setattr(self, name, getattr(self, name)[0])
            for name in ("intercept_", "alpha_", "penalty_", "noise_", "test_error_"):
                setattr(self, name, float(getattr(self, name)[0]))
        serial.warn(chance, stacklevel=2)
        return self

    def _read(self, X: Any, y: Any) -> tuple[Array, Array]:
        if y is not None and _text(y):
            raise ArgumentError("y", "must be numbers", but="holds text", help="Encode it as numbers.")
        X, y = checked(self, X, y, y_numeric=True, multi_output=True)
        return X, y

    def _choose(
        self, x: Array, targets: Array, samples: int, weight: Array | None, counts: bool
    ) -> tuple[Array, Array, Array, Array, Array, float]:
        """Weights, penalties, noises, test errors, their intervals, and the chance of such errors if independent."""
        kinds = targets.shape[1]
        coef, penalty = np.zeros((kinds, x.shape[1])), np.zeros(kinds)
        noise = (targets**2).sum(0) / max(1, samples)
        error, interval = noise.copy(), np.repeat(noise[:, None], 2, 1)
        varies = noise > 0
        if not np.abs(x).max(initial=0.0) > 0 or not varies.any():
            return coef, penalty, noise, error, interval, 1.0
        sample = decompose(x, targets[:, varies], samples, weight, counts=counts)
        if sample.rank >= 2:  # else one direction: nothing to estimate a spectrum from
            population = Population.of(sample)
            for k, which in enumerate(np.flatnonzero(varies)):
                noise[which] = population.posteriors[k].noise
                best = population.choice(k)
                penalty[which], error[which] = best.penalty, best.test_error * sample.grown
                interval[which] = population.interval(error[which], best.effective_ridge, k)
        full = sample.rank == min(samples, x.shape[1])
        penalty[varies] = np.maximum(
            penalty[varies], -0.5 * sample.squares[-1] if self.negative and full else 0.0
        )
        for k, which in enumerate(np.flatnonzero(varies)):
            if np.isfinite(penalty[which]):
                coef[which] = sample.weights(penalty[which], k)
        return coef, penalty, noise, error, interval, serial.dependence(sample, penalty[varies])

    def predict(self, X: Any) -> Array:
        """Predict targets for the rows of X."""
        check_is_fitted(self)
        X = checked(self, X, reset=False)
        return X @ self.coef_.T + self.intercept_


def _text(y: Any) -> bool:
    array = np.asarray(y)
    return array.dtype.kind in "US" or (
        array.dtype.kind == "O" and any(isinstance(item, str | bytes) for item in array.flat)
    )
