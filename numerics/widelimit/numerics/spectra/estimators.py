"""`CleanedCovariance`: cleaning as a scikit-learn estimator, with the interface of its `EmpiricalCovariance`.

Importing this module imports scikit-learn; `widelimit.numerics.spectra` reaches for it only when the name is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.covariance import EmpiricalCovariance

from widelimit.numerics import arguments
from widelimit.numerics.estimation import checked
from widelimit.numerics.spectra.cleaning import METHODS, clean, of_rows


class CleanedCovariance(EmpiricalCovariance):
    """Covariance with cleaned eigenvalues; `score`, `mahalanobis`, `error_norm`, `get_precision` as in scikit-learn.

    Parameters: `method`, one of clip, linear, nonlinear; `store_precision`; `assume_centered`, whether the mean is
    known to be zero (then n samples are n degrees of freedom, else n - 1).

    Attributes after `fit`: `covariance_`, `precision_`, `location_`, `eigenvalues_` (cleaned), `risk_` (predicted:
    E tr (C - Sigma)^2/p), `n_features_in_`.

    >>> x = np.random.default_rng(0).standard_normal((50, 20))
    >>> model = CleanedCovariance(method="linear").fit(x)
    >>> model.covariance_.shape, bool(model.risk_ < 0.1)
    ((20, 20), True)
    """

    def __init__(
        self, *, method: str = "nonlinear", store_precision: bool = True, assume_centered: bool = False
    ) -> None:
        super().__init__(store_precision=store_precision, assume_centered=assume_centered)
        self.method = method

    def fit(self, X: Any, y: Any = None) -> CleanedCovariance:
        """Clean the covariance of the rows of X. Raises `InputError`, a `ValueError`, as `spectra.clean` does."""
        method = arguments.choice("method", self.method, METHODS)
        X = checked(self, X, ensure_min_samples=3)
        if self.assume_centered:
            self.location_ = np.zeros(X.shape[1])
            found = of_rows(X, X.shape[0], method)
        else:
            self.location_ = X.mean(0)
            found = clean(X, method)
        self.eigenvalues_, self.risk_ = found.eigenvalues, found.risk
        self._set_covariance(found.covariance)
        return self
