"""Steps of `derive` for canonical correlations that chance gives."""

from __future__ import annotations

from functools import partial

from sympy import Eq, Symbol, sqrt

from widelimit.theory.calculus.derivation import Step
from widelimit.theory.dynamics import similarity as f
from widelimit.theory.dynamics import similarity_checks as checks

WACHTER = "wachter1980limiting"
_ASPECTS = {f.FIRST: (0.06, 0.14), f.SECOND: (0.4, 0.6)}
_SHARES = {f.FEWER: f.FIRST, f.MORE: f.SECOND, f.SAMPLES: 1}
_MEETING = {f.FIRST: (0.3, 0.34), f.SECOND: (0.88, 0.92)}  # a + b above 1
_MODES = {checks.MODE_1: (0.5, 1.0), checks.MODE_2: (0.3, 0.8)}


def steps() -> tuple[Step, ...]:
    """Steps of the null of canonical correlations, white and smooth."""
    return (*_white(), *_smooth())


def _white() -> tuple[Step, ...]:
    return (
        Step(
            "lowest",
            Eq(f.LOWEST, f.lowest(), evaluate=False),
            "where the resolvent of a product of two free projections branches",
            source=f"{WACHTER}, limit law",
            domain=_ASPECTS,
            left=partial(checks.edge, upper=False),
        ),
        Step(
            "highest",
            Eq(f.HIGHEST, f.highest(), evaluate=False),
            "its other end",
            source=f"{WACHTER}, limit law",
            domain=_ASPECTS,
            left=partial(checks.edge, upper=True),
        ),
        Step(
            "mass",
            Eq(Symbol("mass"), 1 - f.certain().subs(_SHARES), evaluate=False),
            "two spans whose dimensions exceed n together meet; the density has the rest",
            domain=_MEETING,
            left=partial(checks.integrated, order=0),
        ),
        Step(
            "white-mean",
            Eq(Symbol("E_r2"), f.white_mean_square(), evaluate=False),
            "a random projection of rank q keeps q/n of any direction, and the density with its atom says the same",
            domain=_ASPECTS,
            left=partial(checks.integrated, order=1),
        ),
        Step(
            "white-fourth",
            Eq(Symbol("E_r4"), f.SECOND * (f.FIRST + f.SECOND - f.FIRST * f.SECOND), evaluate=False),
            "the trace of p q p q of free projections, over a",
            domain=_ASPECTS,
            left=partial(checks.integrated, order=2),
        ),
    )


def _smooth() -> tuple[Step, ...]:
    one, two = checks.MODE_1, checks.MODE_2
    ridge = sqrt(one * two)  # b_1/(b_1 + kappa) + b_2/(b_2 + kappa) = 1
    alike = {f.RIDGE: ridge, f.RIDGE_2: ridge}
    squares = [f.shared_square().subs({**alike, f.TEMPORAL: mode}) for mode in (one, two)]
    return (
        Step(
            "share",
            Eq(Symbol("pi_1"), f.share().subs({f.RIDGE: ridge, f.TEMPORAL: one}), evaluate=False),
            "mean projection on the span of p signals: degrees of freedom of ridgeless regression; exact for one "
            "signal in two samples",
            domain=_MODES,
            left=checks.spanned,
        ),
        Step(
            "smooth-mean",
            Eq(Symbol("E_r2"), squares[0] + squares[1], evaluate=False),
            "tr of the product of both mean projections, which commute with the temporal covariance",
            domain=_MODES,
            left=checks.between,
        ),
    )
