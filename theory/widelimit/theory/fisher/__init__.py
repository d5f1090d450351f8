"""Eigenvalues of the Fisher information matrix of wide networks: mean, spread, largest.

formulas  statistics in the limit of large width, learning rates, `derive`
spread    edges of the bulk where samples or outputs do not overlap
"""

from widelimit.theory.fisher.formulas import (
    ALPHA,
    KAPPA_1,
    KAPPA_2,
    MOMENT,
    OUTPUTS,
    W_ZETA,
    WIDTH,
    W,
    bulk,
    condition_number,
    derive,
    kappa,
    largest,
    largest_learning_rate,
    layer_gain,
    mean,
    outlier,
    parameters,
    second_moment,
    smallest_overlap,
)
from widelimit.theory.fisher.spread import (
    SAMPLES,
)
from widelimit.theory.kernel import (
    SIGMA_W,
)

__all__ = [
    "ALPHA",
    "KAPPA_1",
    "KAPPA_2",
    "MOMENT",
    "OUTPUTS",
    "SAMPLES",
    "SIGMA_W",
    "WIDTH",
    "W_ZETA",
    "W",
    "bulk",
    "condition_number",
    "derive",
    "kappa",
    "largest",
    "largest_learning_rate",
    "layer_gain",
    "mean",
    "outlier",
    "parameters",
    "second_moment",
    "smallest_overlap",
]
