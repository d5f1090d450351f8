"""Networks of finite width at initialisation: how far the length of one draw lies from the mean.

Behind a layer of N units, ``x_l = phi(W x_{l-1} + b)``, the mean square ``|x_l|^2 / N`` of a draw has the mean E phi^2
and a relative variance of order 1/N, which grows with depth.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mpmath
from sympy import Eq, Expr, Symbol

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.layers import by_number, over_unit
from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.errors import InfiniteMomentError
from widelimit.theory.kernel import SIGMA_B, SIGMA_W

Q = Symbol("q", positive=True)  # variance of the pre-activations
LENGTH = Symbol("V", positive=True)  # mean square behind the layer below
WIDTH = Symbol("N", positive=True)
SPREAD = Symbol("s", nonnegative=True)  # of phi^2, relative
SENSITIVITY = Symbol("kappa", real=True)  # d log V / d log of the length below
VARIANCE = Symbol("v", nonnegative=True)  # relative variance of the length below

_ASSUMPTIONS = (
    "weights of a layer are Gaussian, of variance sigma_w^2/fan-in, and independent of those below",
    "depth: to first order in one over the widths, exact where phi is homogeneous (ReLU) and there are no biases",
)


def inner_variance() -> Expr:
    """Return the variance q = sigma_w^2 V + sigma_b^2 of the pre-activations."""
    return SIGMA_W**2 * LENGTH + SIGMA_B**2


def length(activation: str | Activation) -> Expr:
    """Return V' = E phi^2 at q.

    >>> length("relu")
    q/2
    """
    return Expectation(Activation.of(activation).expr ** 2, X, Q).doit()


def spread(activation: str | Activation) -> Expr:
    """Return E phi^4 / (E phi^2)^2 - 1 at q: N times the relative variance that a layer of N units adds.

    >>> spread("relu")
    5
    """
    phi = Activation.of(activation)
    return Expectation(phi.expr**4, X, Q).doit() / length(phi) ** 2 - 1


def sensitivity(activation: str | Activation) -> Expr:
    """Return d log V' / d log V = (E u phi phi' / E phi^2) (sigma_w^2 V / q), which passes on deviations of a length.

    Raises `InfiniteMomentError` for an activation that jumps.
    """
    phi = Activation.of(activation)
    first = phi.derivative(1)
    if first.deltas or first.divergent:
        raise InfiniteMomentError(f"{phi.name} jumps, so that its length map has no slope of this kind.")
    return Expectation(X * phi.expr * first.expr, X, Q).doit() / length(phi) * SIGMA_W**2 * LENGTH / Q


def next_variance() -> Expr:
    """Return (1 + kappa^2 v)(1 + s/N) - 1, the relative variance of a length behind one more layer.

    5/N for one layer of ReLU, and prod (1 + 5/N_l) - 1 for several.
    """
    return (1 + SENSITIVITY**2 * VARIANCE) * (1 + SPREAD / WIDTH) - 1


def derive(activation: str | Activation = "tanh") -> Derivation:
    """The relative variance of a drawn length, layer by layer.

    Args:
        activation: a catalogue name or an expression in x.

    >>> derive("relu")["spread"].equation.rhs
    5
    """
    phi = Activation.of(activation)
    inner = {Q: (0.5, 2.0)}
    steps = (
        Step(
            "inner-variance",
            Eq(Q, inner_variance(), evaluate=False),
            "a sum of independent terms, here of two units of mean square V",
            domain={SIGMA_W: (0.5, 2.0), SIGMA_B: (0.1, 1.0), LENGTH: (0.5, 2.0)},
            left=_inner,
        ),
        Step(
            "length",
            Eq(Symbol("V'"), length(phi), evaluate=False),
            "units of a layer are independent, given the layer below",
            domain=inner,
            left=partial(_power, phi, 2),
        ),
        Step(
            "spread",
            Eq(SPREAD, spread(phi), evaluate=False),
            "N times the relative variance of a mean of N squares; here of two units",
            source="hanin2018start",
            domain=inner,
            left=partial(_pair, phi),
        ),
        Step(
            "sensitivity",
            Eq(SENSITIVITY, sensitivity(phi), evaluate=False),
            "the length map differentiated in logarithms",
            domain={**inner, SIGMA_W: (0.5, 1.0), LENGTH: (0.1, 0.4)},
            left=partial(_slope, phi),
        ),
        Step(
            "next-variance",
            Eq(Symbol("v'"), next_variance(), evaluate=False),
            "deviations below are passed on by kappa, to first order; those of the layer are independent of them",
            source="hanin2018start",
            domain={SENSITIVITY: (0.3, 1.5), VARIANCE: (0.01, 0.1), SPREAD: (1.0, 5.0), WIDTH: (50, 100)},
            left=_compounded,
        ),
    )
    return Derivation(f"Lengths of drawn networks with {phi.name}", steps, _ASSUMPTIONS)


# --- evidence


def _inner(values: Values, dps: int) -> Any:
    w, b, v = numbers(values, dps, SIGMA_W, SIGMA_B, LENGTH)
    x = (mpmath.sqrt(v / 2), mpmath.sqrt(3 * v / 2))
    return over_signs(lambda s: (w / mpmath.sqrt(2) * (s[0] * x[0] + s[1] * x[1]) + s[2] * b) ** 2, 3)


def _power(phi: Activation, order: int, values: Values, dps: int) -> Any:
    (q,) = numbers(values, dps, Q)
    f, breaks = by_number(phi.expr, dps)
    return over_unit(lambda u: f(u) ** order, q, breaks)


def _pair(phi: Activation, values: Values, dps: int) -> Any:
    """Twice the relative variance of the mean of two independent squares, all four of their products summed."""
    means = {0: 1, 2: _power(phi, 2, values, dps), 4: _power(phi, 4, values, dps)}
    square = sum(means[2 * (i + j)] * means[4 - 2 * (i + j)] for i in (0, 1) for j in (0, 1)) / 4
    return 2 * (square / means[2] ** 2 - 1)


def _slope(phi: Activation, values: Values, dps: int) -> Any:
    q, w, v = numbers(values, dps, Q, SIGMA_W, LENGTH)
    f, breaks = by_number(phi.expr, dps)
    bias = q - w**2 * v

    def log_length(log_below: Any) -> Any:
        inside = w**2 * mpmath.exp(log_below) + bias
        return mpmath.log(over_unit(lambda u: f(u) ** 2, inside, breaks))

    return mpmath.diff(log_length, mpmath.log(v))


def _compounded(values: Values, dps: int) -> Any:
    kappa, v, s, n = numbers(values, dps, SENSITIVITY, VARIANCE, SPREAD, WIDTH)
    below, here = kappa * mpmath.sqrt(v), mpmath.sqrt(s / n)
    return over_signs(lambda e: ((1 + e[0] * below) * (1 + e[1] * here)) ** 2, 2) - 1
