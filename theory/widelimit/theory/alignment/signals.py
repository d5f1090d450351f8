"""Error signals through several layers, Kolen and Pollack's rule with noise, estimated weights, and time courses."""

from __future__ import annotations

from sympy import Abs, Eq, Expr, Piecewise, Rational, Symbol, atanh, exp, sqrt, tanh

from widelimit.theory.alignment.noise import STEP

LAYER = Symbol("c", real=True)
ABOVE = Symbol("k", real=True)
VARIANCE = Symbol("V", nonnegative=True)
UNITS = Symbol("N", positive=True)
STEPS = Symbol("t", integer=True, nonnegative=True)
DECAY = Symbol("lambda", nonnegative=True)
NOISE = Symbol("sigma_g", nonnegative=True)
INITIAL = Symbol("v_0", nonnegative=True)
ERROR = Symbol("e", nonnegative=True)
SPREAD = Symbol("sigma", positive=True)
AT_REST = Symbol("b_*", real=True)
BEGUN = Symbol("b_0", real=True)
SPEED = Symbol("rho", nonnegative=True)
TIME = Symbol("t", nonnegative=True)


def below() -> Expr:
    """Cosine of the fed-back signal to the true one below a layer: its own times the cosine above, errors independent.

    >>> below()
    c*k
    """
    return LAYER * ABOVE


def scatter_below() -> Expr:
    """Variance of the cosine below a layer: c^2 times that above, and (1 - k'^2)^2/N of a mean over N units.

    >>> scatter_below().subs({LAYER: 1, ABOVE: 1})
    V
    """
    return LAYER**2 * VARIANCE + (1 - below() ** 2) ** 2 / UNITS


def course() -> Expr:
    """b(t) = b_* + (b_0 - b_*) exp(-rho t), one entry of B on its way to rest.

    >>> course().subs(TIME, 0)
    b_0
    """
    return AT_REST + (BEGUN - AT_REST) * exp(-SPEED * TIME)


def remembered() -> Expr:
    """(1 - eta lambda)^(2t), the share of the initial variance that is left after t steps."""
    return Abs(1 - STEP * DECAY) ** (2 * STEPS)


def common() -> Expr:
    """eta^2 sigma_g^2 (1 - a^(2t))/(1 - a^2), a = 1 - eta lambda: the variance of what W and B^T have in common.

    For small eta lambda by a^t = exp(-v), without cancellation; eta^2 sigma_g^2 t without decay.
    """
    each = (STEP * NOISE) ** 2
    fading = STEP * DECAY
    v = 2 * STEPS * atanh(fading / (2 - fading))
    lost = fading * (2 - fading)
    return each * Piecewise(
        (STEPS, Eq(fading, 0)),
        (tanh(v) * (1 + exp(-2 * v)) / lost, fading < Rational(1, 2)),
        ((1 - remembered()) / lost, True),
    )


def kolen_pollack_cosine() -> Expr:
    """cos(t) = k/(k + a^(2t) v_0) with k = `common`: W and B^T drift apart by nothing, and forget where they began."""
    return common() / (common() + remembered() * INITIAL)


def estimated_cosine() -> Expr:
    """1/sqrt(1 + e^2/sigma^2), of weights of standard deviation sigma that are known with an error e an entry.

    >>> estimated_cosine().subs({ERROR: 1, SPREAD: 1})
    sqrt(2)/2
    """
    return 1 / sqrt(1 + ERROR**2 / SPREAD**2)
