"""Fixed points of a trained network: certificates, time scales, and what an imperfect integrator keeps.

F(h) = h - f(h), C an approximate inverse of F'(h0), eta >= |C F(h0)|, delta >= |I - C F'(h0)| and
omega >= |C (F'(x) - F'(y))| / |x - y| in the maximum norm.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol, exp, log, pi, sqrt

STEP, DEFECT, BENT = (
    Symbol("eta", positive=True),
    Symbol("delta", nonnegative=True),
    Symbol("omega", positive=True),
)
CONTRACTION = Symbol("alpha", nonnegative=True)  # bound of |I - C F'| on a ball
INVERSE, ROWS = (
    Symbol("c", positive=True),
    Symbol("w", positive=True),
)  # norm of C, largest sum of a row of |W|
MODULUS, ANGLE = Symbol("rho", positive=True), Symbol("theta", positive=True)  # of an eigenvalue of a step
KEPT = Symbol("lambda", positive=True)  # eigenvalue of an integrator
TASK = Symbol("T", positive=True)  # steps
COUNT = Symbol("t", integer=True, positive=True)  # steps of an integrator
NOISE = Symbol("s", positive=True)  # standard deviation of white input


def existence_radius() -> Expr:
    """Return 2 eta / (1 - delta + sqrt((1 - delta)^2 - 2 eta omega)), within which exactly one root lies.

    Theorem of Newton and Kantorovich; it needs 2 eta omega <= (1 - delta)^2.

    >>> existence_radius().subs({STEP: 0.125, DEFECT: 0, BENT: 3})
    0.166666666666667
    """
    left = 1 - DEFECT
    return 2 * STEP / (left + sqrt(left**2 - 2 * STEP * BENT))


def uniqueness_radius() -> Expr:
    """Return (1 - delta + sqrt((1 - delta)^2 - 2 eta omega)) / omega, within which no other root lies."""
    left = 1 - DEFECT
    return (left + sqrt(left**2 - 2 * STEP * BENT)) / BENT


def tanh_bend() -> Expr:
    """Return omega = c 4/(3 sqrt 3) w^2 of a tanh network: 4/(3 sqrt 3) is the largest |tanh''|.

    >>> tanh_bend().subs({INVERSE: 1, ROWS: 1}).evalf(5)
    0.76980
    """
    return INVERSE * 4 / (3 * sqrt(Integer(3))) * ROWS**2


def contraction_radius() -> Expr:
    """Return eta / (1 - alpha), where the root lies if h - C F(h) contracts by alpha on a ball that it keeps."""
    return STEP / (1 - CONTRACTION)


def time_constant() -> Expr:
    """Return tau = 1/|log |lambda|| in steps, of an eigenvalue lambda of a step."""
    return 1 / abs(log(MODULUS))


def period() -> Expr:
    """Return 2 pi / |arg lambda| in steps, of an eigenvalue lambda of a step."""
    return 2 * pi / ANGLE


def lasting() -> Expr:
    """Return exp(-1/T), the eigenvalue whose time constant is T steps."""
    return exp(-1 / TASK)


def integrated_noise() -> Expr:
    """Return the variance s^2 (1 - lambda^(2t))/(1 - lambda^2) of an integrator after t steps of white input."""
    return NOISE**2 * (1 - KEPT ** (2 * COUNT)) / (1 - KEPT**2)
