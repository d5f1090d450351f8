"""Shaped activations: what is asked of them, by moments of their remainder, and what they come to at great depth.

``phi_hat(x) = gamma (phi(alpha x + beta) + delta)`` at variance 1. The remainder ``r = phi(alpha x + beta) - m - a x``
is what mean and linear part leave of it; its moments carry the equations without loss of digits at any depth.
"""

from __future__ import annotations

from typing import Any

from sympy import Abs, Eq, Expr, Integer, Rational, Symbol, cos, factorial, log, pi, sin, sqrt
from sympy.codegen.cfunctions import expm1

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.errors import ArgumentError, InfiniteMomentError

ALPHA = Symbol("alpha", positive=True)  # scale of the input
BETA = Symbol("beta", real=True)  # shift of the input
GAMMA = Symbol("gamma", positive=True)  # scale of the output
DELTA = Symbol("delta", real=True)  # shift of the output
MEAN = Symbol("m", real=True)  # E phi(alpha x + beta)
LINEAR = Symbol("a", real=True)  # alpha E phi'(alpha x + beta), the coefficient of x
SQUARE = Symbol("R", nonnegative=True)  # E r^2
STEEP = Symbol("S", nonnegative=True)  # E r'^2
SECOND = Symbol("T", real=True)  # E (x^2 - 1) r'
CROSS = Symbol("U", real=True)  # E x r r'
TILT = Symbol("V", real=True)  # E x r'
BENT = Symbol("W", nonnegative=True)  # E r''^2
DEPTH = Symbol("D", positive=True)
ZETA = Symbol("zeta", positive=True)  # slope of the whole network's map at 1
TAU = Symbol("tau", positive=True)  # its curvature at 1
FIRST = Symbol("f_1", real=True)  # phi' at the shift beta
BEND = Symbol("f_2", real=True)  # phi'' there
C = Symbol("c", real=True)
VARIANCE = Symbol("v", positive=True)  # of phi at variance 1
NEGATIVE = Symbol("s", nonnegative=True)  # slope of a leaky ReLU below 0
KAPPA = Symbol("kappa", nonnegative=True)  # what its kink adds to the map
ANGLE = Symbol("theta", positive=True)  # the arc cosine of a correlation

TERMS = 6  # of the series of the kink's map: 1e-17 of it at an angle of 0.3


def _sign(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in (1, -1):
        raise ArgumentError(name, "must be 1 or -1", value)
    return value


def shaped(activation: str | Activation) -> Expr:
    """Return gamma (phi(alpha x + beta) + delta).

    >>> shaped("tanh")
    gamma*(delta + tanh(alpha*x + beta))
    """
    return GAMMA * (Activation.of(activation).expr.subs(X, ALPHA * X + BETA) + DELTA)


# --- maps of an activation at variance 1


def length(activation: str | Activation) -> Expr:
    """Return Q = E phi^2 at variance 1.

    >>> length("relu")
    1/2
    """
    return Expectation(Activation.of(activation).expr ** 2, X, 1).doit()


def length_slope(activation: str | Activation) -> Expr:
    """Return Q' = E phi phi' x, the slope of the length map E phi(sqrt(q) x)^2 at q = 1."""
    phi = Activation.of(activation)
    return Expectation(X * phi.expr * _slope(phi), X, 1).doit()


def overlap(activation: str | Activation) -> Expr:
    """Return C(0) = (E phi)^2 / E phi^2, what independent inputs have in common behind the activation."""
    phi = Activation.of(activation)
    return Expectation(phi.expr, X, 1).doit() ** 2 / length(phi)


def slope(activation: str | Activation) -> Expr:
    """Return C'(1) = E phi'^2 / E phi^2. Raises `InfiniteMomentError` for an activation that jumps."""
    phi = Activation.of(activation)
    return Expectation(_slope(phi) ** 2, X, 1).doit() / length(phi)


def curvature(activation: str | Activation) -> Expr:
    """Return C''(1) = E phi''^2 / E phi^2. Raises `InfiniteMomentError` for an activation with a kink."""
    phi = Activation.of(activation)
    return Expectation(_bend(phi) ** 2, X, 1).doit() / length(phi)


def _slope(phi: Activation) -> Expr:
    first = phi.derivative(1)
    if first.deltas or first.divergent or phi.steep:
        raise InfiniteMomentError(
            f"{phi.name} jumps or is too steep somewhere, so that E phi'^2 is infinite and no slope of its "
            "correlation map exists. Use an activation without jumps."
        )
    return first.expr


def _bend(phi: Activation) -> Expr:
    second = phi.derivative(2)
    if second.deltas or second.higher or second.divergent:
        raise InfiniteMomentError(
            f"{phi.name} has a kink, so that E phi''^2 is infinite and no curvature of its correlation map exists. "
            "Use a smooth activation."
        )
    return second.expr


# --- the remainder, and what is asked of a shaped activation


def remainder(activation: str | Activation) -> Expr:
    """Return r = phi(alpha x + beta) - m - a x.

    >>> remainder("tanh")
    -a*x - m + tanh(alpha*x + beta)
    """
    return Activation.of(activation).expr.subs(X, ALPHA * X + BETA) - MEAN - LINEAR * X


def integrands(activation: str | Activation) -> tuple[Expr, ...]:
    """Return r^2, r'^2, (x^2 - 1) r', x r r', x r', whose means are R, S, T, U and V.

    Raises `InfiniteMomentError` for an activation that jumps.
    """
    phi = Activation.of(activation)
    r = remainder(phi)
    steep = ALPHA * _slope(phi).subs(X, ALPHA * X + BETA) - LINEAR
    return r**2, steep**2, (X**2 - 1) * steep, X * r * steep, X * steep


def bending(activation: str | Activation) -> Expr:
    """Return r''^2, whose mean is W. Raises `InfiniteMomentError` for an activation with a kink."""
    return (ALPHA**2 * _bend(Activation.of(activation)).subs(X, ALPHA * X + BETA)) ** 2


def shaped_maps() -> tuple[Expr, Expr, Expr, Expr, Expr]:
    """Return Q, Q', C(0), C'(1) and C''(1) of a shaped activation by its four numbers and its remainder's moments."""
    offset = MEAN + DELTA
    total = offset**2 + LINEAR**2 + SQUARE
    rate = LINEAR**2 + LINEAR * SECOND + CROSS + offset * TILT
    return GAMMA**2 * total, GAMMA**2 * rate, offset**2 / total, (LINEAR**2 + STEEP) / total, BENT / total


def dks_gain() -> Expr:
    """Return gamma = (a^2 + R)^(-1/2), which makes Q = 1 where the mean is 0."""
    return 1 / sqrt(LINEAR**2 + SQUARE)


def dks_shift() -> Expr:
    """Return delta = -m, which makes C(0) = 0."""
    return -MEAN


def dks_balance() -> Eq:
    """Return a T + U = R, which makes Q' = 1 for `dks_gain` and `dks_shift`.

    Q' - 1 is the difference of both sides over a^2 + R.
    """
    return Eq(LINEAR * SECOND + CROSS, SQUARE, evaluate=False)


def dks_slope() -> Expr:
    """Return C'(1) - 1 = (S - R) / (a^2 + R) of an activation shaped by `dks_gain` and `dks_shift`."""
    return (STEEP - SQUARE) / (LINEAR**2 + SQUARE)


def dks_target() -> Expr:
    """Return zeta^(1/D) - 1, the C'(1) - 1 of each of D layers whose whole map has the slope zeta."""
    return expm1(log(ZETA) / DEPTH)


def tat_gain() -> Expr:
    """Return gamma = (a^2 + S)^(-1/2), which makes C'(1) = 1 where Q = 1."""
    return 1 / sqrt(LINEAR**2 + STEEP)


@exact.takes(sign=_sign)
def tat_shift(sign: int = 1) -> Expr:
    """Return delta = -m +- sqrt(S - R), which makes Q = 1 for `tat_gain`."""
    return -MEAN + sign * sqrt(STEEP - SQUARE)


@exact.takes(sign=_sign)
def tat_balance(sign: int = 1) -> Eq:
    """Return a T + U +- sqrt(S - R) V = S, which makes Q' = 1 for `tat_gain` and `tat_shift`.

    Q' - 1 is the difference of both sides over a^2 + S.
    """
    return Eq(LINEAR * SECOND + CROSS + sign * sqrt(STEEP - SQUARE) * TILT, STEEP, evaluate=False)


def tat_curvature() -> Expr:
    """Return C''(1) = W / (a^2 + S) of an activation shaped by `tat_gain` and `tat_shift`."""
    return BENT / (LINEAR**2 + STEEP)


def tat_target() -> Expr:
    """Return tau / D, the C''(1) of each of D layers whose whole map has the curvature tau."""
    return TAU / DEPTH


# --- great depth: where solutions start


def dks_condition(activation: str | Activation) -> Eq:
    """Return phi''^2 = -2 phi' phi''' in x; solutions at great depth have beta where it holds."""
    first, second, third = _derivatives(activation)
    return Eq(second**2, -2 * first * third, evaluate=False)


@exact.takes(sign=_sign)
def tat_condition(activation: str | Activation, sign: int = 1) -> Eq:
    """Return +-phi'' abs(phi'') = -sqrt(2) phi' phi''' in x, which holds at the beta of solutions at great depth."""
    first, second, third = _derivatives(activation)
    return Eq(sign * second * Abs(second), -sqrt(2) * first * third, evaluate=False)


def dks_scale() -> Expr:
    """Return sqrt(2 log(zeta) / D) abs(f_1 / f_2), the alpha of solutions at great depth, by phi' and phi''."""
    return sqrt(2 * log(ZETA) / DEPTH) * Abs(FIRST / BEND)


def tat_scale() -> Expr:
    """Return sqrt(tau / D) abs(f_1 / f_2), the alpha of solutions at great depth, by phi' and phi''."""
    return sqrt(TAU / DEPTH) * Abs(FIRST / BEND)


def _derivatives(activation: str | Activation) -> tuple[Expr, Expr, Expr]:
    phi = Activation.of(activation)
    return phi.derivative(1).expr, phi.derivative(2).expr, phi.derivative(3).expr


# --- great depth: the maps of whole networks


def dks_limit() -> Expr:
    """Return c / (c + zeta (1 - c)), the correlation map of a deep network shaped by DKS, whatever the activation."""
    return C / (C + ZETA * (1 - C))


def tat_limit() -> Expr:
    """Return 1 - (1 - c) / (1 + tau (1 - c) / 2), the correlation map of a deep network of smooth TAT."""
    return 1 - (1 - C) / (1 + TAU * (1 - C) / 2)


# --- leaky ReLU


def leaky_gain() -> Expr:
    """Return sqrt(2 / (1 + s^2)), which makes E phi^2 = 1 for slopes 1 and s."""
    return sqrt(2 / (1 + NEGATIVE**2))


def leaky_kink() -> Expr:
    """Return kappa = (1 - s)^2 / (1 + s^2), 1 for ReLU and 0 for the identity."""
    return (1 - NEGATIVE) ** 2 / (1 + NEGATIVE**2)


def leaky_slope() -> Expr:
    """Return the slope s = (1 - kappa) / (1 + sqrt(kappa (2 - kappa))) from 0 to 1 whose `leaky_kink` is kappa."""
    return (1 - KAPPA) / (1 + sqrt(KAPPA * (2 - KAPPA)))


def kink_map() -> Expr:
    """Return h = (sin theta - theta cos theta) / pi, which kappa times is added to c = cos theta by a layer."""
    return (sin(ANGLE) - ANGLE * cos(ANGLE)) / pi


def kink_series() -> Expr:
    """Return `kink_map` as a series in theta, for small angles, where its terms cancel."""
    terms = (
        (-1) ** (k + 1) * ANGLE ** (2 * k + 1) * Rational(2 * k, factorial(2 * k + 1))
        for k in range(1, TERMS + 1)
    )
    return sum(terms, Integer(0)) / pi


def leaky_rate() -> Expr:
    """Return sin(theta) / h: its integral from arccos(eta) to pi/2 is kappa D at great depth D, with C(0) = eta."""
    return sin(ANGLE) / kink_map()


# --- gains without a mean


def variance(activation: str | Activation) -> Expr:
    """Return E (phi - m)^2 at variance 1, m the mean of phi."""
    return Expectation((Activation.of(activation).expr - MEAN) ** 2, X, 1)


def variance_gain() -> Expr:
    """Return v^(-1/2), which keeps the length where the weights of each unit sum to zero; v the variance of phi."""
    return 1 / sqrt(VARIANCE)


def centred_slope(activation: str | Activation) -> Expr:
    """Return chi_1 = E phi'^2 / v, the slope of the correlation map where the weights of each unit sum to zero."""
    return Expectation(_slope(Activation.of(activation)) ** 2, X, 1).doit() / VARIANCE
