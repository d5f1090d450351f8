"""Spectra of representations: which exponents are smooth, which ones kernels have, and which ones PCA reads.

kernels          eigenvalues of one-hidden-layer kernels on spheres, and their exponents
codes            smoothness, the bias of few stimuli, a spectral penalty, robustness of a readout
crossvalidation  the limit of cross-validated PCA at any signal and noise
steps            `derive`: the equations in order, with reasons
evidence         what the names on their left sides mean, by numbers of their own
"""

from widelimit.theory.representation.codes import (
    circle_slope,
    gradient_growth,
    penalty_target,
    penalty_term,
    robust_accuracy,
    sampling_bias,
    sampling_shift,
    smoothness_bound,
)
from widelimit.theory.representation.crossvalidation import (
    SUMS,
    TERMS,
    angle,
    cross_validated,
    density,
    rank,
    sample_eigenvalue,
    sample_slope,
    spike_cross_validated,
    spike_inverse,
    spike_sample,
    spike_threshold,
)
from widelimit.theory.representation.kernels import (
    coefficient,
    coefficient_ratio,
    kernel_eigenvalue,
    kernel_exponent,
    kernel_scale,
    multiplicity,
    multiplicity_ratio,
    tangent_eigenvalue,
    tangent_exponent,
)
from widelimit.theory.representation.steps import derive

__all__ = [
    "SUMS",
    "TERMS",
    "angle",
    "circle_slope",
    "coefficient",
    "coefficient_ratio",
    "cross_validated",
    "density",
    "derive",
    "gradient_growth",
    "kernel_eigenvalue",
    "kernel_exponent",
    "kernel_scale",
    "multiplicity",
    "multiplicity_ratio",
    "penalty_target",
    "penalty_term",
    "rank",
    "robust_accuracy",
    "sample_eigenvalue",
    "sample_slope",
    "sampling_bias",
    "sampling_shift",
    "smoothness_bound",
    "spike_cross_validated",
    "spike_inverse",
    "spike_sample",
    "spike_threshold",
    "tangent_eigenvalue",
    "tangent_exponent",
]
