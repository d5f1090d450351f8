"""How moments of squared singular values change with scales, depth and dropout, the length at its fixed point.

Behind dropout that keeps a share rho of the units, divided by rho, slopes are phi'/rho or 0: mu_k becomes
rho^(1 - 2k) mu_k.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sympy import Eq, Expr, Integer, Symbol

from widelimit.theory.calculus import implicit
from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.precision import Values, evaluate, numbers
from widelimit.theory.jacobian import laws
from widelimit.theory.jacobian.laws import depth, mu_1, mu_2, mu_3, q, sigma_w
from widelimit.theory.meanfield import keep, length_move, moment_change

MOMENTS = (mu_1, mu_2, mu_3)
MOVES = tuple(Symbol(f"dmu_{k}", real=True) for k in (1, 2, 3))  # d mu_k/dq
NAMES = ("mean", "second_moment", "third_moment", "variance", "variance_ratio")


def observables(weights: str = "orthogonal") -> tuple[Expr, ...]:
    """Return what is differentiated, in the order of `NAMES`: three moments, variance, variance over squared mean."""
    first, second, third = laws.moments(3, weights)
    ratio = laws.variance_ratio(weights)
    masked = {mu: keep ** (1 - 2 * k) * mu for k, mu in enumerate(MOMENTS, 1)}
    return tuple(
        one.subs(masked, simultaneous=True) for one in (first, second, third, ratio * first**2, ratio)
    )


def changes(parameter: Symbol | None, weights: str = "orthogonal") -> tuple[Expr, ...]:
    """Return how each changes with sigma_w, the depth, `keep` or, None, a parameter that only moves the length q.

    `length_move` stands for d q/d parameter, `MOVES` for the slopes of mu_k = E phi'^2k in q.

    >>> print(changes(None)[0].subs(keep, 1))
    L*dmu_1*dq*(mu_1*sigma_w**2)**L/mu_1
    """
    moves = {mu: move * length_move for mu, move in zip(MOMENTS, MOVES, strict=True)}
    itself = {} if parameter is None else {parameter: Integer(1)}
    return tuple(implicit.along(one, {**itself, **moves}) for one in observables(weights))


def slope_moment_changes(activation: str | Activation) -> tuple[Expr, ...]:
    """Return d mu_k/dq for k = 1 to 3.

    >>> slope_moment_changes("relu")
    (0, 0, 0)
    """
    slope = Activation.of(activation).derivative(1).expr
    for k in (1, 2, 3):
        laws.slope_moment(activation, k)  # refuses what has none
    return tuple(moment_change(Expectation(slope ** (2 * k), x, q), q) for k in (1, 2, 3))


def derive_gradients(activation: str | Activation = "erf_s", weights: str = "orthogonal") -> Derivation:
    """Return the moments behind dropout, and their changes as steps that are held against differences of them."""
    phi = Activation.of(activation)
    mus = [laws.slope_moment(phi, k) for k in (1, 2, 3)]
    table = dict(zip((*MOMENTS, *MOVES), (*mus, *slope_moment_changes(phi)), strict=True))
    domain = {
        sigma_w: (0.8, 1.3), q: (0.5, 1.5), depth: (2.0, 4.0), keep: (0.5, 0.9), length_move: (0.2, 1.0),
    }  # fmt: skip
    slopes = {mu_1: (0.5, 0.9), mu_2: (1.0, 1.5), mu_3: (2.0, 3.0)}
    steps = [
        Step(
            name.replace("_", "-"),
            Eq(Symbol(name), observable, evaluate=False),
            "Slopes behind dropout are phi'/rho with probability rho, else 0.",
            assumptions=("all layers see one length",),
            domain={**slopes, **{one: domain[one] for one in (sigma_w, depth, keep)}},
            left=partial(masked, weights, index),
        )
        for index, (name, observable) in enumerate(zip(NAMES, observables(weights), strict=True))
    ]
    for parameter in (sigma_w, depth, keep):
        for index, (name, change) in enumerate(zip(NAMES, changes(parameter, weights), strict=True)):
            written = change.xreplace(table)
            if written == 0:
                continue
            steps.append(
                Step(
                    f"{name.replace('_', '-')}-change-{parameter}",
                    Eq(Symbol(f"d{name}_{parameter}"), written, evaluate=False),
                    "The chain rule along the parameter and the length.",
                    assumptions=("dq is the change of the length with the parameter",),
                    domain=domain,
                    left=partial(moved, phi, weights, index, parameter),
                )
            )
    return Derivation(f"Derivatives of the moments of {phi}'s Jacobian, {weights} weights", tuple(steps))


def masked(weights: str, index: int, values: Values, dps: int) -> Any:
    """Return one of `NAMES` by moments of slopes that are averaged over masks, and by moments alone."""
    (rho,) = numbers(values, dps, keep)
    means = {
        mu: sum(share * scale ** (2 * k) for share, scale in ((rho, 1 / rho), (1 - rho, 0))) * values[mu]
        for k, mu in enumerate(MOMENTS, 1)
    }
    first, second, third = (evaluate(one, {**values, **means}, dps) for one in laws.moments(3, weights))
    variance = second - first**2
    return (first, second, third, variance, variance / first**2)[index]


def moved(phi: Activation, weights: str, index: int, parameter: Symbol, values: Values, dps: int) -> Any:
    """Return the change of a moment by a difference in the parameter, along which the length moves by dq."""
    mus = {mu: laws.slope_moment(phi, k) for k, mu in enumerate(MOMENTS, 1)}
    formula = observables(weights)[index].xreplace(mus)
    here, start, drift = (evaluate(one, values, 2 * dps) for one in (parameter, q, length_move))

    def along(theta: Any, digits: int) -> Any:
        return evaluate(formula, {**values, q: start + drift * (theta - here), parameter: theta}, digits)

    return implicit.difference(along, here, dps)
