"""A bypass, h' = l h + (1 - l)(W phi(h) + b): a share l of the state is kept, weights fresh at each step, or tied.

With fresh weights it is a layer of other scales: the stationary variance is that of a layer of weights s sigma_w and
biases s sigma_b, s^2 = (1 - l)/(1 + l). With tied weights a state at rest is that of the network without bypass, and
its perturbations grow by l + (1 - l) times what they grow by there: the bypass moves the time scale, not the threshold.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mpmath
from sympy import Eq, Expr, Sum, Symbol, exp, loggamma, oo, pi, sqrt

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.precision import Values, evaluate, numbers
from widelimit.theory.kernel import SIGMA_B, SIGMA_W, T
from widelimit.theory.recurrence.gated import Q

KEEP = Symbol("l", nonnegative=True)
LAYER = Symbol("chi_s", positive=True)  # chi_1 of the layer that the bypass with fresh weights amounts to
SLOPE = Symbol(
    "rho", positive=True
)  # radius of W D at rest, D the slopes: the growth of the network without bypass
STEPS = Symbol("t", integer=True, positive=True)
TERM = Symbol("k", integer=True, nonnegative=True)
_SOURCE = "nayebi2018task, section 2.2"


def _next_variance() -> Expr:
    """Next variance l^2 q + (1 - l)^2 (sigma_w^2 T + sigma_b^2) with fresh weights, T = E phi^2."""
    return KEEP**2 * Q + (1 - KEEP) ** 2 * (SIGMA_W**2 * T + SIGMA_B**2)


def bypass_scale() -> Expr:
    """Factor sqrt((1 - l)/(1 + l)) of sigma_w and sigma_b that makes a layer of the same stationary variance.

    >>> bypass_scale().subs(KEEP, 0)
    1
    """
    return sqrt((1 - KEEP) / (1 + KEEP))


def bypass_growth() -> Expr:
    """chi_1 = l^2 + (1 - l)^2 sigma_w^2 E phi'^2 with fresh weights, as l^2 + (1 - l^2) chi_s of the layer's chi_s."""
    return KEEP**2 + (1 - KEEP**2) * LAYER


def bypass_loss() -> Expr:
    """1 - chi_1 = (1 - l^2)(1 - chi_s), in digits of its own: the edge of chaos is the layer's."""
    return (1 - KEEP) * (1 + KEEP) * (1 - LAYER)


def tied_radius() -> Expr:
    """Spectral radius l + (1 - l) rho of a perturbation's step at rest with tied weights: 1 at rho = 1 for every l."""
    return KEEP + (1 - KEEP) * SLOPE


def tied_loss() -> Expr:
    """1 - `tied_radius` = (1 - l)(1 - rho), in digits of its own."""
    return (1 - KEEP) * (1 - SLOPE)


def tied_time_scale() -> Expr:
    """Steps 1/((1 - l)(1 - rho)) that a perturbation at rest is kept with tied weights; negative where it grows."""
    return 1 / tied_loss()


def tied_term() -> Expr:
    """The squared binomial term (C(t, k) l^(t-k) ((1 - l) rho)^k)^2 of growth in t steps at rest, tied weights.

    Powers of W D send a state into directions that are orthogonal to each other, each of rho^2 its length squared.
    """
    ways = exp(loggamma(STEPS + 1) - loggamma(TERM + 1) - loggamma(STEPS - TERM + 1))
    return (ways * KEEP ** (STEPS - TERM) * ((1 - KEEP) * SLOPE) ** TERM) ** 2


def _mean_square() -> Expr:
    """The sum of the `tied_term` from k = 0 to t."""
    return Sum(tied_term(), (TERM, 0, STEPS))


def bypass_steps(phi: Activation) -> tuple[Step, ...]:
    """What a bypass does to the mean field of phi, fresh weights and tied ones."""
    scales = {KEEP: (0.1, 0.9), SIGMA_W: (0.5, 2.0), SIGMA_B: (0.1, 1.0)}
    rest = {KEEP: (0.1, 0.9), SLOPE: (0.3, 0.9)}
    stationary = bypass_scale() ** 2 * (SIGMA_W**2 * T + SIGMA_B**2)
    fresh = _next_variance().subs(T, Expectation(phi.expr**2, X, Q))
    layer = (bypass_scale() * SIGMA_W) ** 2 * Symbol("P", positive=True)
    return (
        Step(
            "bypass-variance",
            Eq(Symbol("q_{t+1}", positive=True), fresh, evaluate=False),
            "W is fresh, so that what is kept and what is added are uncorrelated",
            source=_SOURCE,
            domain={**scales, Q: (0.3, 2.0)},
            left=partial(_variance_of_signs, phi),
        ),
        Step(
            "bypass-stationary",
            Eq(stationary, _next_variance().subs(Q, stationary), evaluate=False),
            "q = l^2 q + (1 - l)^2 (...) is a layer of the scales s sigma_w and s sigma_b",
            source=_SOURCE,
            domain={**scales, T: (0.1, 1.0)},
        ),
        Step(
            "bypass-chi",
            Eq(Symbol("chi_1", positive=True), bypass_growth().subs(LAYER, layer), evaluate=False),
            "dh'/dh = l + (1 - l) W D, whose two parts are uncorrelated; chi_s = s^2 sigma_w^2 E phi'^2",
            source=_SOURCE,
            domain={**scales, Symbol("P", positive=True): (0.1, 1.0)},
            left=_gradient_of_signs,
        ),
        Step(
            "bypass-loss",
            Eq(bypass_loss(), 1 - bypass_growth(), evaluate=False),
            "chi_1 = 1 where sigma_w^2 E phi'^2 = (1 + l)/(1 - l)",
            source=_SOURCE,
            domain={KEEP: (0.1, 0.9), LAYER: (0.3, 2.0)},
        ),
        Step(
            "tied-mean-square",
            Eq(
                Symbol("E|h_t|^2/|h_0|^2", positive=True),
                _mean_square().subs(STEPS, 6).doit(),
                evaluate=False,
            ),
            "W^j h and W^k h are orthogonal for j != k, as those of a shift are; t = 6",
            source="haagerup2000brown",
            domain=rest,
            left=_shifted,
        ),
        Step(
            "tied-radius",
            Eq(
                Symbol("E|h_t|^2/|h_0|^2", positive=True),
                tied_radius() ** (2 * STEPS + 1) / (2 * sqrt(pi * STEPS * KEEP * (1 - KEEP) * SLOPE)),
                evaluate=False,
            ),
            "the terms are squares of a binomial law's, next to their largest those of a bell",
            source="haagerup2000brown",
            domain=rest,
            kind="limit",
            limit=(STEPS, oo, 1),
            left=_summed,
        ),
        Step(
            "tied-loss",
            Eq(tied_loss(), 1 - tied_radius(), evaluate=False),
            "1 at rho = 1 whatever l",
            domain=rest,
        ),
        Step(
            "tied-time-scale",
            Eq(Symbol("tau", real=True), tied_time_scale(), evaluate=False),
            "what is left of a perturbation, summed over all steps",
            domain=rest,
            left=_kept_in_all,
        ),
    )


# --- evidence: two units whose weights are signs; a shift in place of W


def _variance_of_signs(phi: Activation, values: Values, dps: int) -> Any:
    """E h'^2 of a unit that keeps its own state and reads phi of another's, over signs of state, weight and bias."""
    keep, w, b, q = numbers(values, dps, KEEP, SIGMA_W, SIGMA_B, Q)
    z = Symbol("z", real=True)
    read = mpmath.sqrt(evaluate(Expectation(phi.expr.subs(X, z) ** 2, z, Q), values, dps))
    h = mpmath.sqrt(q)
    return over_signs(lambda s: (keep * s[0] * h + (1 - keep) * (w * s[1] * read + b * s[2])) ** 2, 3)


def _gradient_of_signs(values: Values, dps: int) -> Any:
    """Sum over i of E (dh'_i/dh_0)^2 in a net of two units of slope sqrt(P), over signs of its weights."""
    keep, w, size = numbers(values, dps, KEEP, SIGMA_W, Symbol("P", positive=True))
    slope = mpmath.sqrt(size) * w / mpmath.sqrt(2)
    return over_signs(lambda s: (keep + (1 - keep) * s[0] * slope) ** 2 + ((1 - keep) * s[1] * slope) ** 2, 2)


def _moved(keep: Any, slope: Any, steps: int) -> Any:
    """|(l + (1 - l) rho P)^t e_0|^2 of a cyclic shift P of more than t sites, step by step."""
    state = [mpmath.mpf(1)] + [mpmath.mpf(0)] * steps
    for _ in range(steps):
        state = [keep * state[k] + (1 - keep) * slope * state[k - 1] for k in range(steps + 1)]
    return mpmath.fsum(one**2 for one in state)


def _shifted(values: Values, dps: int) -> Any:
    keep, slope = numbers(values, dps, KEEP, SLOPE)
    return _moved(keep, slope, 6)


def _summed(values: Values, dps: int) -> Any:
    """The sum of squares of binomial terms, each from the one before."""
    keep, slope, steps = numbers(values, dps, KEEP, SLOPE, STEPS)
    grow = (1 - keep) * slope / keep
    term, total = keep**steps, mpmath.mpf(0)
    for k in range(int(steps) + 1):
        total += term**2
        term *= grow * (steps - k) / (k + 1)
    return total


def _kept_in_all(values: Values, dps: int) -> Any:
    """The sum of all powers of what a step keeps, in steps that double."""
    keep, slope = numbers(values, dps, KEEP, SLOPE)
    power, total = keep + slope - keep * slope, mpmath.mpf(1)
    while power > mpmath.mpf(10) ** (-dps - 5):
        total, power = total * (1 + power), power * power
    return total
