"""Residual networks at initialisation: second moments, gradients, and how long shortcuts stay open.

recursion          x' = x + V phi(W x + b) + a: moments and gradients block by block; `derive`
post_activation    x' = max(0, x + b) behind batch normalisation; Fixup's scales; evidence for it is in `walks`
"""

from widelimit.theory.residual.post_activation import (
    AFTER,
    CROSSED,
    LAST,
    fixup_scale,
    mean_step,
    normalised_growth,
    open_term,
    square_step,
    zeros_ratio,
)
from widelimit.theory.residual.recursion import (
    SIGMA_A,
    SIGMA_V,
    P,
    Q,
    derive,
    gradient_factor,
    inner_variance,
    next_second_moment,
    relu_base,
    tanh_exponent,
    tanh_linear_rate,
)
from widelimit.theory.residual.walks import BLOCK, BRANCHES, LAYERS, STEP

__all__ = [
    "AFTER",
    "BLOCK",
    "BRANCHES",
    "CROSSED",
    "LAST",
    "LAYERS",
    "SIGMA_A",
    "SIGMA_V",
    "STEP",
    "P",
    "Q",
    "derive",
    "fixup_scale",
    "gradient_factor",
    "inner_variance",
    "mean_step",
    "next_second_moment",
    "normalised_growth",
    "open_term",
    "relu_base",
    "square_step",
    "tanh_exponent",
    "tanh_linear_rate",
    "zeros_ratio",
]
