"""`AsymptoticRidge`: a scikit-learn regressor that picks its penalty from the theory, without cross-validation.

Importing this module imports scikit-learn; `widelimit.numerics.ridge` reaches for it only when the name is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from widelimit.numerics.ridge_penalty import optimal_penalty
from widelimit.numerics.ridge_posterior import Population
from widelimit.numerics.ridge_sample import decompose

Array = np.ndarray


class AsymptoticRidge(RegressorMixin, BaseEstimator):
    """Ridge regression with the penalty of least test error in high dimension.

    One eigendecomposition estimates the population covariance, the signal and the noise (`ridge_data.from_data`),
    gives the best penalty (Mel & Ganguli 2021) and the fit itself; nothing is fitted twice, and rows of large leverage
    (inputs of heavy tails) count as what they are. The penalty is that of the loss
    ``(1/N) sum of squares + penalty_ |w|^2``; ``alpha_ = N penalty_`` is what `sklearn.linear_model.Ridge` calls alpha.

    Parameters: `fit_intercept`; `negative`, whether penalties below zero may be used where the theory finds them best
    (they are kept above half of the edge that this very sample has).

    Attributes after `fit`: `coef_`, `intercept_`, `penalty_`, `alpha_`, `test_error_` (predicted mean squared error on
    new data), `noise_` (estimated label noise), `n_features_in_`.

    >>> random = np.random.default_rng(0)
    >>> X = random.standard_normal((200, 50)); y = X[:, 0] + random.standard_normal(200)
    >>> model = AsymptoticRidge().fit(X, y)
    >>> model.penalty_ > 0, model.predict(X[:2]).shape
    (True, (2,))
    """

    def __init__(self, *, fit_intercept: bool = True, negative: bool = True) -> None:
        self.fit_intercept = fit_intercept
        self.negative = negative

    def fit(self, X: Any, y: Any) -> AsymptoticRidge:
        """Estimate the population, choose the penalty, fit."""
        X, y = validate_data(self, X, y, y_numeric=True, dtype=np.float64)
        intercept = bool(self.fit_intercept) and X.shape[0] > 1
        mean, level = (X.mean(0), float(y.mean())) if intercept else (np.zeros(X.shape[1]), 0.0)
        x, target = X - mean, y - level
        samples = X.shape[0] - intercept
        self.coef_ = np.zeros(X.shape[1])
        self.penalty_ = self.alpha_ = 0.0
        self.noise_ = self.test_error_ = float(target @ target) / max(1, samples)
        scale = float(np.abs(x).max(initial=0.0))
        if scale > 1e-12 * max(1.0, float(np.abs(X).max())) and self.noise_ > 0.0:
            self._choose(x, target, samples, X.shape[0])
        self.intercept_ = level - float(mean @ self.coef_)
        return self

    def _choose(self, x: Array, target: Array, samples: int, number: int) -> None:
        sample = decompose(x, target, samples)
        if sample.rank < 2:  # one direction: nothing to estimate a spectrum from
            spectrum = None
            penalty = 0.0
        else:
            population = Population.of(sample)
            self.noise_ = population.posteriors[0].noise
            ratio = samples / population.dimensions
            best = optimal_penalty(population.spectrum(), noise=self.noise_, sample_ratio=ratio)
            self.freedom_ = population.freedom(best.effective_ridge)
            penalty = best.penalty
            self.test_error_ = best.test_error * (1 + (number - samples) / number)
        lowest = (
            -0.5 * sample.squares[-1] if self.negative and sample.rank == min(samples, x.shape[1]) else 0.0
        )
        penalty = max(penalty, lowest)
        if np.isfinite(penalty):
            self.coef_ = sample.weights(penalty)
        self.alpha_ = samples * penalty
        self.penalty_ = self.alpha_ / number

    def predict(self, X: Any) -> Array:
        """Predict targets for the rows of X."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return X @ self.coef_ + self.intercept_
