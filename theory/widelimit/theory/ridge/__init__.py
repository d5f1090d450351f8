"""Ridge regression in high dimension, every formula explicit in the effective ridge kappa.

formulas     sums over the spectrum and the observables in terms of them: lambda(kappa), errors, best penalty
derivations  `derive`: a result by its name
test_error   from the Marchenko-Pastur equation to effective ridge, test error, training error, bias, variance
penalty      the best penalty: stationarity, its sign, isotropic targets, jumps
phases       one eigenvalue, separated scales, gaps of the Hessian, aligned signals
power        power-law spectra and targets
features     random features, by applying the effective ridge twice
gradients    derivatives of errors and of the best penalty by noise, sample ratio and penalty
sizes        a finite number of samples: what means exceed their limits by
size_steps   the derivation of that, from log det of the sample covariance
steps        what the derivations share: sums checked on three random scales
conventions  how other papers and scikit-learn write the same quantities
"""

from widelimit.theory.ridge.derivations import (
    RESULTS,
    derive,
)
from widelimit.theory.ridge.formulas import (
    EXCESS,
    FITTED_BEND,
    MISSED_BEND,
    RATIO,
    RHO,
    SLOPE,
    SUMS,
    TERMS,
    D,
    S,
    U,
    W,
    alpha,
    bias,
    effective_ridge_ratio,
    effective_ridge_ratio_few_samples,
    effective_ridge_slope,
    effective_ridge_slope_at_penalty,
    effective_ridge_slope_few_samples,
    error_by_penalty,
    error_by_samples,
    expected_error,
    in_full,
    isotropic_ridge,
    j,
    kappa,
    learning_curve_slope,
    margin,
    noise,
    over_spectrum,
    p,
    penalty_symbol,
    ratio_at_penalty,
    s,
    stationarity,
    total_derivative,
    training_error,
    two_scale_gap,
    u,
    variance_of_inputs,
    variance_of_noise,
)

__all__ = [
    "EXCESS",
    "FITTED_BEND",
    "MISSED_BEND",
    "RATIO",
    "RESULTS",
    "RHO",
    "SLOPE",
    "SUMS",
    "TERMS",
    "D",
    "S",
    "U",
    "W",
    "alpha",
    "bias",
    "derive",
    "effective_ridge_ratio",
    "effective_ridge_ratio_few_samples",
    "effective_ridge_slope",
    "effective_ridge_slope_at_penalty",
    "effective_ridge_slope_few_samples",
    "error_by_penalty",
    "error_by_samples",
    "expected_error",
    "in_full",
    "isotropic_ridge",
    "j",
    "kappa",
    "learning_curve_slope",
    "margin",
    "noise",
    "over_spectrum",
    "p",
    "penalty_symbol",
    "ratio_at_penalty",
    "s",
    "stationarity",
    "total_derivative",
    "training_error",
    "two_scale_gap",
    "u",
    "variance_of_inputs",
    "variance_of_noise",
]
