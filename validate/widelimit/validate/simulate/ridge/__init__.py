"""Ridge regressions on drawn data.

regressions  test, training error and their parts
tridiagonal  the same from tridiagonal matrices of the same law
real         on real data
"""

from widelimit.validate.simulate.ridge.regressions import (
    Population,
    draw,
    erf_features,
    fits,
    linear_features,
    neighbours,
    new_errors,
    parts,
    test_errors,
    training_errors,
    weights_of,
)

__all__ = [
    "Population",
    "draw",
    "erf_features",
    "fits",
    "linear_features",
    "neighbours",
    "new_errors",
    "parts",
    "test_errors",
    "training_errors",
    "weights_of",
]
