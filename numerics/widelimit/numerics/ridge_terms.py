"""The spectral summands of `theory.ridge`, compiled: one division a summand, shared by all of them.

`RECIPROCAL` is r = 1/(s + kappa); the loops compute it once and every compiled term is a polynomial in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Expr, Symbol

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory import ridge
from widelimit.theory.ridge import SLACK, SPARE, SUMS, TERMS, alpha, kappa, noise, p, penalty_symbol, s, u

RECIPROCAL = Symbol("r", positive=True)
MARGIN = Symbol("margin", real=True)  # 1 - 1/alpha, passed on as it is so that it need not cancel
_ARGUMENTS = (s, p, u, kappa, RECIPROCAL)


def _compiled(expressions: Sequence[Expr], name: str) -> Compiled:
    return compile([e.subs(s + kappa, 1 / RECIPROCAL) for e in expressions], _ARGUMENTS, name=name)


_fitted, _twice = TERMS["fitted"], TERMS["fitted_twice"]

# for the root in kappa: df1/P both ways, and its first two derivatives -f', f''/2
STEP = _compiled(
    [_fitted, TERMS["unfitted"], -_fitted.diff(kappa), _fitted.diff(kappa, 2) / 2], "ridge_step"
)
# for the spectral edge: df2/P both ways and its slope
EDGE = _compiled([_twice, TERMS["unfitted_twice"], TERMS["fitted_slope"]], "ridge_edge")
# for the observables at a root
SUM = _compiled([TERMS[name] for name in ("fitted", "unfitted", "fitted_twice", "unfitted_twice", "missed")], "ridge_sum")
# for the best penalty: what `stationarity` and its derivative in kappa need
TILT = _compiled(
    [
        *(TERMS[name] for name in ("fitted_twice", "unfitted_twice", "missed", "missed_slope", "fitted_slope")),
        *(-TERMS[name].diff(kappa) / 3 for name in ("missed_slope", "fitted_slope")),
    ],
    "ridge_tilt",
)

_few = (alpha, SUMS["fitted"])
SLACK_FORMS = compile([ridge.slack_few_samples(), ridge.slack()], (*_few, SUMS["unfitted"]), name="ridge_slack")
SPARE_FORMS = compile(
    [ridge.spare_few_samples(), ridge.spare()], (alpha, SUMS["fitted_twice"], SUMS["unfitted_twice"]), name="ridge_spare"
)
ISOTROPIC = compile(
    [e.subs(1 / alpha, 1 - MARGIN) for e in ridge.isotropic_ridge()],
    (s, MARGIN, penalty_symbol),
    name="ridge_isotropic",
)
OBSERVED = compile(
    [ridge.test_error(), ridge.training_error(), ridge.variance_of_inputs(), ridge.variance_of_noise()],
    (SUMS["missed"], noise, SLACK, SPARE),
    name="ridge_observed",
)
TILTED = compile(
    ridge.stationarity(),
    (kappa, alpha, noise, SPARE, SUMS["missed"], SUMS["missed_slope"], SUMS["fitted_slope"]),
    name="ridge_tilted",
)
