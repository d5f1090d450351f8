"""Eigenvalues of the Fisher information matrix of wide networks: mean, spread, largest.

formulas    statistics in the limit of large width, learning rates
spread      edges of the bulk where samples or outputs do not overlap
derivation  `derive`; steps of the spread in `spread_steps`, what names stand for in `checks`, `spread_checks`
"""

from widelimit.theory.fisher.derivation import (
    derive,
)
from widelimit.theory.fisher.formulas import (
    ALPHA,
    BACKWARD,
    BACKWARD_SUM,
    BELOW_RATIO,
    FORWARD,
    KAPPA_1,
    KAPPA_2,
    MOMENT,
    OUTPUTS,
    SLOPES,
    W_ZETA,
    WIDTH,
    WIDTH_RATIO,
    W,
    bias_share,
    bulk,
    condition_number,
    gradient_below,
    largest,
    largest_learning_rate,
    layer_gain,
    layer_share,
    layer_weights,
    mean,
    outlier,
    parameters,
    pre_activation,
    second_moment,
    smallest_overlap,
)
from widelimit.theory.fisher.spread import (
    SAMPLES,
)
from widelimit.theory.kernel import (
    SIGMA_B,
    SIGMA_W,
)

__all__ = [
    "ALPHA",
    "BACKWARD",
    "BACKWARD_SUM",
    "BELOW_RATIO",
    "FORWARD",
    "KAPPA_1",
    "KAPPA_2",
    "MOMENT",
    "OUTPUTS",
    "SAMPLES",
    "SIGMA_B",
    "SIGMA_W",
    "SLOPES",
    "WIDTH",
    "WIDTH_RATIO",
    "W_ZETA",
    "W",
    "bias_share",
    "bulk",
    "condition_number",
    "derive",
    "gradient_below",
    "largest",
    "largest_learning_rate",
    "layer_gain",
    "layer_share",
    "layer_weights",
    "mean",
    "outlier",
    "parameters",
    "pre_activation",
    "second_moment",
    "smallest_overlap",
]
