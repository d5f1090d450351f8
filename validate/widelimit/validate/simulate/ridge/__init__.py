"""Ridge regressions on drawn data.

regressions  test, training error and their parts
tridiagonal  the same from tridiagonal matrices of the same law
real         on real data
scans        the best penalty of drawn data, found by a scan
"""

from widelimit.validate.simulate.ridge.regressions import (
    TARGETS,
    Population,
    draw,
    erf_features,
    fits,
    linear_features,
    mean_test_errors,
    mean_training_errors,
    neighbours,
    new_errors,
    parts,
    test_errors,
    weights_of,
)

__all__ = [
    "TARGETS",
    "Population",
    "draw",
    "erf_features",
    "fits",
    "linear_features",
    "mean_test_errors",
    "mean_training_errors",
    "neighbours",
    "new_errors",
    "parts",
    "test_errors",
    "weights_of",
]
