"""Gradient explosion by batch normalisation: h -> phi(BN(W x)), no gain, batch size B.

At the fixed point where all pairs of a batch are equally correlated, gradients grow per layer by
E phi'^2 / Var phi as B -> infinity, at least 1 by the Gaussian Poincare inequality, with equality only for linear phi.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mpmath
from sympy import Derivative, Eq, Expr, Symbol, log

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.layers import by_number, over_unit
from widelimit.theory.calculus.precision import Values
from widelimit.theory.errors import DomainError
from widelimit.theory.kernel import slope

BATCH = Symbol("B", integer=True, positive=True)
Q = Symbol("q", positive=True)  # variance of one input, 1 at the fixed point

_ASSUMPTIONS = (
    "the width goes to infinity at fixed batch size, then the batch size",
    "the batch is at the symmetric fixed point: all pairs of inputs are equally correlated",
    "batch normalisation comes right before the activation, without gain",
)


def variance(activation: str | Activation) -> Expr:
    """Var phi over N(0, 1), the mean square of activities about their mean, which the next layer divides by.

    >>> variance("relu")
    1/2 - 1/(2*pi)
    """
    phi = Activation.of(activation)
    first, second = (Expectation(f, X, 1).doit() for f in (phi.expr, phi.expr**2))
    return second - first**2


def gradient_factor(activation: str | Activation) -> Expr:
    """E phi'^2 / Var phi, for large batches (yang2019mean, theorem 3.9).

    >>> gradient_factor("relu")
    pi/(-1 + pi)
    """
    steep = Expectation(slope(Activation.of(activation)) ** 2, X, 1).doit()
    return (steep / variance(activation)).simplify()


@exact.takes(variance=exact.plain)
def length_growth(activation: str | Activation, variance: Expr | int = 1) -> Expr:
    """E x phi' (phi - E phi) / Var phi at x ~ N(0, 1): growth per layer of a relative deviation in length.

    At the fixed point all inputs of a large batch have the same length after centring, Var phi. One that enters a layer
    longer by the share epsilon has pre-activations N(0, 1 + epsilon) after normalisation (whose scale the others set),
    and leaves it longer by epsilon d log Var phi / d log q. Below 1 the fixed point attracts, above 1 (x**2: 2) the
    batch falls apart into long and short inputs; activations with phi(a x) = a phi(x) keep the shares: 1.

    >>> length_growth("x**2"), length_growth("relu")
    (2, 1)
    """
    phi = Activation.of(activation)
    tilt = X * slope(phi)
    first, second, along, mean = (
        Expectation(f, X, variance).doit() for f in (phi.expr, phi.expr**2, tilt * phi.expr, tilt)
    )
    return ((along - first * mean) / (second - first**2)).simplify()


def linear_factor(batch: Expr | int = BATCH) -> Expr:
    """(B - 2) / (B - 3), the growth of gradients in linear networks at batch size B > 3 (yang2019mean, section 3.2)."""
    size = exact.number("batch", batch, symbols=True)
    if not size.free_symbols and exact.size(size) <= 3:
        raise DomainError(
            f"Argument `batch` must be above 3, but is {batch}: the mean square gradient is infinite there."
        )
    return (size - 2) / (size - 3)


def derive(activation: str | Activation = "relu") -> Derivation:
    """The growth of gradients per layer for `activation` at large batches.

    Args:
        activation: a catalogue name or an expression in x.

    >>> derive("relu").result.rhs
    pi/(-1 + pi)
    """
    phi = Activation.of(activation)
    first, second, steep = (Expectation(f, X, 1) for f in (phi.expr, phi.expr**2, slope(phi) ** 2))
    spread = Expectation(phi.expr**2, X, Q) - Expectation(phi.expr, X, Q) ** 2
    source = "yang2019mean"
    steps = (
        Step(
            "linear-batch",
            Eq(Symbol("chi_B", positive=True), linear_factor(), evaluate=False),
            "normalising a batch removes two of its B directions and divides by a chi-squared of B - 1 degrees",
            source=f"{source}, section 3.2",
            domain={BATCH: (5, 9)},
            left=_linear_batch,
        ),
        Step(
            "variance",
            Eq(Symbol("v", positive=True), variance(phi), evaluate=False),
            "what the next normalisation divides by: the mean square about the mean, over the batch",
            source=source,
            left=partial(_variance, phi),
        ),
        Step(
            "length-growth",
            Eq(Q * Derivative(log(spread), Q), length_growth(phi, Q), evaluate=False),
            "a deviation in length moves the variance q of one input; the batch sets the scale (Stein's identity)",
            source=f"{source}; stein1981estimation",
            domain={Q: (0.5, 2.0)},
        ),
        Step(
            "factor",
            Eq(Symbol("chi", positive=True), steep / (second - first**2), evaluate=False),
            "the derivative of the normalised unit by the raw one is 1 / sqrt(Var phi) of the layer below",
            source=f"{source}, theorem 3.9",
            left=partial(_large_batch, phi),
        ),
        Step(
            "solved",
            Eq(Symbol("chi", positive=True), gradient_factor(phi), evaluate=False),
            f"the integrals for {phi.name}, in closed form where there is one",
            source=source,
            left=partial(_large_batch, phi),
        ),
    )
    return Derivation(f"Batch normalisation before {phi.name}", steps, _ASSUMPTIONS)


# what names stand for, by numbers -------------------------------------------------------------------------------------


def _variance(phi: Activation, values: Values, dps: int) -> Any:
    function, breaks = by_number(phi.expr, dps)
    mean = over_unit(function, 1, breaks)
    return over_unit(lambda u: (function(u) - mean) ** 2, 1, breaks)


def _large_batch(phi: Activation, values: Values, dps: int) -> Any:
    """Mean square of the derivative of phi(u) over its root mean square about its mean: u are the samples of a batch.

    Weights of either sign add such derivatives; the mean over a large batch does not move with one sample.
    """
    function, breaks = by_number(phi.expr, dps)
    scale = mpmath.sqrt(_variance(phi, values, dps))

    def square(u: Any) -> Any:
        with mpmath.workdps(3 * dps):  # differences of a third of the digits
            step = mpmath.mpf(10) ** (-dps)
            slope_here = (function(u + step) - function(u - step)) / (2 * step)
        return over_signs(lambda w: (w[0] * slope_here / scale) ** 2, 1)

    return over_unit(square, 1, breaks)


def _linear_batch(values: Values, dps: int) -> Any:
    """Mean square of a gradient behind y = sqrt(B) (h - mean)/|h - mean| over that before, by the Jacobian of y.

    h of a linear network whose layer below is normalised: B/(B - 1) times a standard Gaussian in B - 1 directions.
    """
    size = int(values[BATCH])
    with mpmath.workdps(3 * dps):
        step = mpmath.mpf(10) ** (-dps)
        here = [mpmath.mpf(k * k % 7) for k in range(size)]
        mean = mpmath.fsum(here) / size
        length = mpmath.sqrt(mpmath.fsum((x - mean) ** 2 for x in here))
        unit = [
            (x - mean) / length for x in here
        ]  # of length 1: the Jacobian falls as the inverse of the length

        def normalised(h: list[Any]) -> list[Any]:
            centre = mpmath.fsum(h) / size
            norm = mpmath.sqrt(mpmath.fsum((x - centre) ** 2 for x in h))
            return [mpmath.sqrt(size) * (x - centre) / norm for x in h]

        square = mpmath.mpf(0)
        for k in range(size):
            up, down = (
                normalised([x + (sign * step if j == k else 0) for j, x in enumerate(unit)])
                for sign in (1, -1)
            )
            square += mpmath.fsum(((a - b) / (2 * step)) ** 2 for a, b in zip(up, down, strict=True))
    inverse, whole = (
        mpmath.quad(lambda r, p=p: r**p * mpmath.exp(-(r**2) / 2), [0, 2, 5, 20])
        for p in (size - 4, size - 2)
    )
    return square / (size - 1) * inverse / whole * mpmath.mpf(size - 1) / size
