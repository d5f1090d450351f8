"""What scikit-learn's estimators of ours are handed, checked by scikit-learn and told in our words.

Importing this module imports scikit-learn; only modules of estimators do.
"""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import validate_data

from widelimit.theory.errors import InputError


def checked(estimator: Any, *data: Any, **rules: Any) -> Any:
    """Return `sklearn.utils.validation.validate_data` of X, or of X and y, as float64; raises `InputError`."""
    try:
        return validate_data(estimator, *data, dtype="float64", **rules)
    except ValueError as error:
        raise InputError(" ".join(str(error).split())) from None
