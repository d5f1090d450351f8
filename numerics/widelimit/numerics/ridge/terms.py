"""The spectral summands of `theory.ridge`, compiled: one division a summand, shared by all of them.

`RECIPROCAL` is r = 1/(s + kappa); the loops compute it once and every compiled term is a polynomial in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Expr, Symbol, symbols

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import ridge
from widelimit.theory.ridge import (
    RATIO,
    SLOPE,
    SUMS,
    TERMS,
    alpha,
    features,
    gradients,
    kappa,
    margin,
    noise,
    p,
    penalty_symbol,
    s,
    sizes,
    u,
)

RECIPROCAL = Symbol("r", positive=True)
_ARGUMENTS = (s, p, u, kappa, RECIPROCAL)


def _compiled(expressions: Sequence[Expr], name: str) -> Compiled:
    return compile([e.subs(s + kappa, 1 / RECIPROCAL) for e in expressions], _ARGUMENTS, name=name)


_fitted, _twice = TERMS["fitted"], TERMS["fitted_twice"]

# for the root in kappa: df1/P both ways, and its first two derivatives -f', f''/2
STEP = _compiled([_fitted, TERMS["unfitted"], -_fitted.diff(kappa), _fitted.diff(kappa, 2) / 2], "ridge_step")
# for the spectral edge: df2/P both ways and its slope
EDGE = _compiled([_twice, TERMS["unfitted_twice"], TERMS["fitted_slope"]], "ridge_edge")
# for the observables at a root
SUM = _compiled(
    [TERMS[name] for name in ("fitted", "unfitted", "fitted_twice", "unfitted_twice", "missed")], "ridge_sum"
)
# for the best penalty and the peaks: `stationarity`, its slope, `learning_curve_slope`
_SLOPE_TERMS = (
    "fitted",
    "fitted_twice",
    "unfitted_twice",
    "between",
    "missed",
    "missed_slope",
    "fitted_slope",
)
_BENDS = [-TERMS[name].diff(kappa) / 3 for name in ("missed_slope", "fitted_slope")]
ERROR_SLOPE_SUMS = _compiled([*(TERMS[name] for name in _SLOPE_TERMS), *_BENDS], "ridge_error_slope_sums")

# for derivatives of everything: the order of `GRADIENT_NAMES`
_GRADIENT_TERMS = (
    "fitted", "unfitted", "fitted_twice", "unfitted_twice", "missed", "missed_slope", "fitted_slope",
)  # fmt: skip
GRADIENT_NAMES = (
    *(SUMS[name] for name in _GRADIENT_TERMS), gradients.FALLING, ridge.MISSED_BEND, ridge.FITTED_BEND,
)  # fmt: skip
GRADIENT_SUMS = _compiled(
    [*(TERMS[name] for name in _GRADIENT_TERMS), gradients.FALLING_TERM, *_BENDS], "ridge_gradient_sums"
)

RATIO_FORMS = compile(
    [ridge.effective_ridge_ratio_few_samples(), ridge.effective_ridge_ratio()],
    (alpha, margin, SUMS["fitted"], SUMS["unfitted"]),
    name="ridge_ratio",
)
SLOPE_FORMS = compile(
    [ridge.effective_ridge_slope_few_samples(), ridge.effective_ridge_slope()],
    (alpha, margin, SUMS["fitted_twice"], SUMS["unfitted_twice"]),
    name="ridge_slope",
)
ISOTROPIC = compile(ridge.isotropic_ridge(), (s, margin, penalty_symbol), name="ridge_isotropic")
OBSERVED = compile(
    [
        ridge.expected_error(),
        ridge.training_error(),
        ridge.bias(),
        ridge.variance_of_inputs(),
        ridge.variance_of_noise(),
    ],
    (SUMS["missed"], noise, RATIO, SLOPE, ridge.RHO),
    name="ridge_observed",
)
_SUMS_OF_SLOPE = (*(SUMS[name] for name in _SLOPE_TERMS), ridge.MISSED_BEND, ridge.FITTED_BEND)
ERROR_SLOPE = compile(
    [kappa * ridge.stationarity(), kappa * ridge.total_derivative(kappa * ridge.stationarity())],
    (kappa, alpha, noise, SLOPE, *_SUMS_OF_SLOPE),
    name="ridge_error_slope",
)
ALONG = compile(
    [
        ridge.ratio_at_penalty(),
        ridge.effective_ridge_slope_at_penalty(),
        kappa * ridge.learning_curve_slope(),
    ],
    (kappa, ridge.EXCESS, penalty_symbol, noise, *_SUMS_OF_SLOPE),
    name="ridge_along",
)
SENSITIVITY = compile(
    [ridge.error_by_samples(), ridge.error_by_penalty()],
    (kappa, alpha, ridge.EXCESS, penalty_symbol, noise, SLOPE, *_SUMS_OF_SLOPE),
    name="ridge_sensitivity",
)
_scales = symbols("s_1 p_1 s_2 p_2", positive=True)
GAP = compile(ridge.two_scale_gap(*_scales), _scales, name="ridge_gap")
TRANSFORM = compile(
    [term.subs(s + kappa, 1 / RECIPROCAL) for term in (_fitted, _twice)],
    (s, p, kappa, RECIPROCAL),
    name="ridge_transform",
    dtype=complex,
)

# a finite number of samples: log det of the sample covariance per dimension, and edges of its spectrum
ANGLE_TERM = compile([sizes.ANGLE_TERM], (s, p, kappa), name="ridge_angle", dtype=complex)
LOG_DETERMINANT = compile(
    [sizes.log_determinant() + alpha * sizes.log_determinant_shift() / sizes.SAMPLES],
    (sizes.ANGLE, RATIO, SLOPE, alpha, sizes.SAMPLES),
    name="ridge_log_determinant",
    dtype=complex,
)
_side = Symbol("side", real=True)
EDGE_MOVE = compile(
    sizes.edge_move(_side),
    (kappa, alpha, sizes.SAMPLES, _side, SUMS["fitted_slope"], ridge.FITTED_BEND),
    name="ridge_edge_move",
)

# random features: sums over the spectrum, the penalty that an input ridge belongs to, everything else
FEATURE_SUMS = _compiled([_fitted, _twice, *features.EXTRA_TERMS.values()], "ridge_feature_sums")
_inner = (kappa, alpha, features.psi, features.zeta, features.cost)
_shares = {features.upsilon: features.share()}
INNER = compile(
    [features.share(), (features.feature_ridge() * features.feature_ridge_ratio()).subs(_shares)],
    (*_inner, SUMS["fitted"]),
    name="ridge_feature_penalty",
)
_error = (features.feature_bias() + noise) / features.feature_ridge_slope()
_shares = {features.h: features.inner_slope(), **_shares}
FEATURES = compile(
    [
        e.subs(_shares)
        for e in (
            features.feature_ridge(),
            kappa,
            _error,
            features.feature_ridge_ratio() ** 2 * _error,
            features.feature_ridge_slope(),
        )
    ],
    (*_inner, noise, SUMS["fitted"], SUMS["fitted_twice"], *features.EXTRA_SUMS.values()),
    name="ridge_features",
)
