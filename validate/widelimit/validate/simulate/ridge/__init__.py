"""Ridge regressions on drawn data.

regressions  fits to single targets, eigenvalues, random features
designs      fits averaged exactly over label noise and signs of the target: errors and their parts
tridiagonal  the same from tridiagonal matrices of the same law
real         on real data
scans        the best penalty of drawn data, found by a scan
"""

from widelimit.validate.simulate.ridge.designs import (
    Design,
    drawn_designs,
    mean_errors,
    mean_training_errors,
    parts,
)
from widelimit.validate.simulate.ridge.regressions import (
    Population,
    draw,
    erf_features,
    fits,
    linear_features,
    neighbours,
    new_errors,
    test_errors,
    weights_of,
)

__all__ = [
    "Design",
    "Population",
    "draw",
    "drawn_designs",
    "erf_features",
    "fits",
    "linear_features",
    "mean_errors",
    "mean_training_errors",
    "neighbours",
    "new_errors",
    "parts",
    "test_errors",
    "weights_of",
]
