"""How the predictions of ridge regression change with noise, sample ratio, penalty and the strength of the signal.

The effective ridge moves by the implicit function theorem on lambda = kappa (1 - df1/N), of which the slope in kappa is
1 - df2/N; observables follow by the chain rule. The best penalty moves with the zero of `stationarity`.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType

from sympy import Expr, Integer, S, Symbol, diff

from widelimit.theory.calculus import exact, implicit
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.ridge import formulas as r
from widelimit.theory.ridge.formulas import RATIO, RHO, SLOPE, SUMS, alpha, kappa, noise, penalty_symbol
from widelimit.theory.ridge.steps import spectral

PARAMETERS = (noise, alpha, penalty_symbol)
FALLING_TERM = -r.TERMS["fitted"].diff(kappa)  # p s/(s + kappa)^2
FALLING = Symbol("falling", real=True)
KAPPA_MOVE = Symbol("dkappa", real=True)  # d kappa/d parameter
TOTAL = Symbol("total", positive=True)  # variance of the labels without noise
STRENGTH = Symbol("strength", positive=True)  # a factor of all components of the signal, at 1
_OF_SIGNAL = (SUMS["missed"], SUMS["missed_slope"], TOTAL)  # proportional to it


@exact.takes(parameter=implicit.symbol)
def kappa_change(parameter: Symbol) -> Expr:
    """Return d kappa/d parameter at fixed other parameters: -F_theta/F_kappa of F = kappa (1 - df1/N) - lambda.

    >>> kappa_change(penalty_symbol), kappa_change(alpha)
    (1/ridge_slope, -fitted*kappa/(alpha**2*ridge_slope))
    """
    equation = kappa * r.effective_ridge_ratio_few_samples() - penalty_symbol  # no signal in it
    return -equation.diff(parameter) / SLOPE


def observables() -> dict[str, Expr]:
    """Return what is differentiated, by the names of the solver's fields."""
    return {
        "effective_ridge": kappa,
        "test_error": r.expected_error(),
        "training_error": r.training_error(),
        "unexplained": r.expected_error() / (TOTAL + noise),
        "bias": r.bias(),
        "variance": r.variance_of_inputs() + r.variance_of_noise(),
        "variance_of_inputs": r.variance_of_inputs(),
        "variance_of_noise": r.variance_of_noise(),
        "degrees_of_freedom": SUMS["fitted"],
        "rho": RHO,
    }


@exact.takes(expression=exact.plain, parameter=implicit.symbol)
def total_change(expression: Expr, parameter: Symbol) -> Rewritten:
    """Return how an expression of kappa, sums, `RATIO`, `SLOPE` and `RHO` changes with a parameter and `KAPPA_MOVE`.

    >>> total_change(RATIO, alpha)
    dkappa*falling/alpha + fitted/alpha**2
    >>> total_change(r.bias(), STRENGTH)
    2*dkappa*kappa*missed_slope + missed
    """
    slope = 2 * SUMS["fitted_slope"] / alpha
    with_kappa = {
        kappa: Integer(1),
        SUMS["missed"]: 2 * kappa * SUMS["missed_slope"],
        SUMS["fitted"]: -FALLING,
        SLOPE: slope,
        RHO: -slope,
        RATIO: FALLING / alpha,
    }
    itself = {
        parameter: Integer(1),
        SLOPE: r.effective_ridge_slope_few_samples().diff(parameter),
        RHO: -r.effective_ridge_slope_few_samples().diff(parameter),
        RATIO: r.effective_ridge_ratio_few_samples().diff(parameter),
    }
    if parameter == STRENGTH:
        itself |= {one: one for one in _OF_SIGNAL}
    found = KAPPA_MOVE * sum((diff(expression, one) * change for one, change in with_kappa.items()), S.Zero)
    return found + sum((diff(expression, one) * change for one, change in itself.items()), S.Zero)


@exact.takes(parameter=implicit.symbol)
def best_kappa_change(parameter: Symbol) -> Expr:
    """Return how the effective ridge of least test error moves: -G_theta/G_kappa of the zero of G = `stationarity`."""
    zero = r.stationarity()
    if parameter == STRENGTH:
        return -sum((diff(zero, one) * one for one in _OF_SIGNAL), S.Zero) / r.total_derivative(zero)
    moved = diff(zero, parameter) + diff(zero, SLOPE) * r.effective_ridge_slope_few_samples().diff(parameter)
    return -moved / r.total_derivative(zero)


@exact.takes(parameter=implicit.symbol)
def best_penalty_change(parameter: Symbol) -> Expr:
    """Return how the best penalty kappa (1 - df1/N) moves, where `KAPPA_MOVE` is what `best_kappa_change` gives.

    >>> best_penalty_change(alpha)
    dkappa*ridge_slope + fitted*kappa/alpha**2
    """
    return SLOPE * KAPPA_MOVE + kappa * r.effective_ridge_ratio_few_samples().diff(parameter)


# --- derivation: along a line in (parameter, kappa) every sum is differentiated as it stands


def _written(expression: Expr) -> Expr:
    """Put sums over the spectrum in place of names."""
    forms = {
        SLOPE: r.effective_ridge_slope_few_samples(),
        RHO: 1 - r.effective_ridge_slope_few_samples(),
        RATIO: r.effective_ridge_ratio_few_samples(),
        r.MISSED_BEND: r.over_spectrum(-r.TERMS["missed_slope"].diff(kappa) / 3),
        r.FITTED_BEND: r.over_spectrum(-r.TERMS["fitted_slope"].diff(kappa) / 3),
        FALLING: r.over_spectrum(FALLING_TERM),
    }
    return r.in_full(expression.subs(forms).subs(forms))


def _along(expression: Expr, parameter: Symbol) -> Expr:
    """Return the derivative of sums as they stand, in the parameter and, by `KAPPA_MOVE`, in kappa."""
    whole = _written(expression)
    return diff(whole, parameter) + KAPPA_MOVE * diff(whole, kappa)


def _steps() -> tuple[Step, ...]:
    domain = {KAPPA_MOVE: (-1.0, 1.0), TOTAL: (0.5, 2.0), penalty_symbol: (0.1, 1.0)}
    step = partial(spectral, domain=domain, source="mel2021anisotropic")
    penalty = kappa * r.effective_ridge_ratio_few_samples()
    found = []
    for parameter in (alpha, penalty_symbol):
        name, still = Symbol(f"F_{parameter}"), _written(penalty - penalty_symbol)
        found.append(
            step(
                f"kappa-change-{parameter}",
                name,
                _written(kappa_change(parameter)),
                "The implicit function theorem on lambda = kappa (1 - df1/N).",
                where={name: -diff(still, parameter) / diff(still, kappa)},
            )
        )
    for parameter in PARAMETERS:
        for field, expression in observables().items():
            moved = _written(total_change(expression, parameter))
            if moved == 0 or field == "effective_ridge":
                continue
            name = Symbol(f"d{field}_{parameter}")
            found.append(
                step(
                    f"{field.replace('_', '-')}-change-{parameter}",
                    name,
                    moved,
                    "The chain rule along the effective ridge, whose own change is dkappa.",
                    where={name: _along(expression, parameter)},
                )
            )
    zero = _written(r.stationarity())
    for parameter in (noise, alpha):
        name = Symbol(f"dkappa_{parameter}")
        found.append(
            step(
                f"best-kappa-change-{parameter}",
                name,
                _written(best_kappa_change(parameter)),
                "The implicit function theorem on the zero of the slope of the test error in kappa.",
                where={name: -diff(zero, parameter) / diff(zero, kappa)},
            )
        )
    name = Symbol("dlambda_alpha")
    found.append(
        step(
            "best-penalty-change",
            name,
            _written(best_penalty_change(alpha)),
            "lambda = kappa (1 - df1/N) along both.",
            where={name: _along(penalty, alpha)},
        )
    )
    return tuple(found)


DERIVATIONS = MappingProxyType(
    {"gradients": lambda: Derivation("Derivatives of ridge regression's errors", _steps())}
)
