"""Walking away from data and back: what a bound loses to entropy production, and what annealing costs.

Data s_0 walk away by an operator T_t(s_t | s_{t-1}) for K steps, and the bound is
L = E[log p(s_K) + sum_t log T_t(s_{t-1} | s_t) - log T_t(s_t | s_{t-1})], in nats. A linear-Gaussian operator is
s' = A s + sqrt(T) n with n ~ N(0, D): temperature multiplies the variance. Distances are measured by D^-1.
"""

from __future__ import annotations

from sympy import Abs, Expr, Integer, Piecewise, Rational, Symbol, cos, log, pi, sin

STATIONARY_I, STATIONARY_J = Symbol("pi_i", positive=True), Symbol("pi_j", positive=True)
THERE, BACK = Symbol("T_ij", positive=True), Symbol("T_ji", positive=True)
SQUARE = Symbol("m", positive=True)  # E |s - A s'|^2 / T, the squared residual of the way back
DIMENSION = Symbol("n", integer=True, positive=True)
DETERMINANT = Symbol("Delta", positive=True)
CONTRACTION = Symbol("a", positive=True)  # of the operator, below 1
ANGLE = Symbol("p", real=True)
FACTOR = Symbol("r", positive=True)  # of the temperature in a step
LAG = Symbol("x", real=True)  # 1 - 1/r
KEPT = Symbol("y", positive=True)  # 1 - x
RATIO = Symbol("R", positive=True)  # of the last temperature to the first
STEPS = Symbol("K", integer=True, positive=True)
GAP = Symbol("g", positive=True)
_TERMS = 16  # of the series: what is left of it is below 1e-16 of the first where x is below 1/20
DRIVE, TRACE = Symbol("b_2", positive=True), Symbol("b_1", positive=True)


def edge_entropy() -> Expr:
    """Return pi_i T_ij log(pi_i T_ij / (pi_j T_ji)), what one transition of a chain adds to the entropy production.

    >>> edge_entropy().subs({STATIONARY_I: 1, STATIONARY_J: 1, THERE: 2, BACK: 1})
    2*log(2)
    """
    return STATIONARY_I * THERE * log(STATIONARY_I * THERE / (STATIONARY_J * BACK))


def way_back() -> Expr:
    """Return (m - n) / 2, the mean of log T(s' | s) - log T(s | s') of a Gaussian step in n dimensions.

    m is the mean squared residual of the way back, E |s - A s'|^2 by D^-1 over the temperature; that of the way there
    is n. At stationarity and one temperature this is the entropy production of a step.
    """
    return (SQUARE - DIMENSION) / 2


def log_density() -> Expr:
    """Return -(n log 2 pi + log Delta + m) / 2: the mean log density of N(0, C), Delta = det C, m = tr C^-1 E s s'."""
    return -(DIMENSION * log(2 * pi) + log(DETERMINANT) + SQUARE) / 2


def rotation_entropy() -> Expr:
    """Return 4 a^2 sin^2 p / (1 - a^2), the entropy production of A = a R(p), D = I in the plane.

    >>> rotation_entropy().subs({CONTRACTION: 0.5, ANGLE: pi / 2})
    1.33333333333333
    """
    return 4 * CONTRACTION**2 * sin(ANGLE) ** 2 / (1 - CONTRACTION**2)


def rotation_residual() -> Expr:
    """Return m = 2 (1 + a^2 - 2 a^2 cos 2p) / (1 - a^2), the squared residual of its way back."""
    a = CONTRACTION
    return 2 * (1 + a**2 - 2 * a**2 * cos(2 * ANGLE)) / (1 - a**2)


def diffusion_entropy() -> Expr:
    """Return tr(B' Q^-1 B Sigma) - tr B, the rate of dx = - B x dt + sqrt(2 Q) dW, from its two traces."""
    return DRIVE - TRACE


def steady_excess() -> Expr:
    """Return rho - 1 = - a^2 x / (1 - a^2 (1 - x)), x = 1 - 1/r: rho the variance over T where T grows by r a step.

    rho = (1 - a^2) / (1 - a^2/r), written without differences of nearly equal numbers.
    """
    return -(CONTRACTION**2) * _lag() / _damped()


def log_excess() -> Expr:
    """Return - log(y) - x, y = 1 - x, by its series where x is small; y has the digits where x is near 1.

    >>> log_excess().subs({LAG: Rational(1, 2), KEPT: Rational(1, 2)}) == log(2) - Rational(1, 2)
    True
    """
    series: Expr = Integer(0)
    for k in range(_TERMS - 1, 1, -1):
        series = Rational(1, k) + LAG * series
    return Piecewise((LAG**2 * series, Abs(LAG) < Rational(1, 20)), (-log(KEPT) - LAG, True))


def annealing_cost() -> Expr:
    """Return (log r - rho (1 - 1/r)) / 2, lost per step and dimension to annealing by r.

    With x = 1 - 1/r it is (- log(1 - x) - x - x (rho - 1)) / 2: both parts are positive where r is above 1.
    """
    known = {LAG: _lag(), KEPT: 1 / FACTOR}
    return (log_excess().subs(known) - _lag() * steady_excess()) / 2


def end_cost() -> Expr:
    """Return (rho - 1 - log rho) / 2, lost per dimension where the end is compared with its last temperature."""
    return (
        log_excess().subs({LAG: -steady_excess(), KEPT: (1 - CONTRACTION) * (1 + CONTRACTION) / _damped()})
        / 2
    )


def _lag() -> Expr:
    """1 - 1/r."""
    return (FACTOR - 1) / FACTOR


def _damped() -> Expr:
    """1 - a^2/r."""
    return (1 - CONTRACTION) * (1 + CONTRACTION) + CONTRACTION**2 * _lag()


def steps_needed() -> Expr:
    """Return K = (log R)^2 (1 + a^2) / (4 g (1 - a^2)), the steps that a gap g per dimension takes, to first order."""
    return log(RATIO) ** 2 * (1 + CONTRACTION**2) / (4 * GAP * (1 - CONTRACTION**2))
