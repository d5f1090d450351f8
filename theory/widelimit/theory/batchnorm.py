"""Gradient explosion by batch normalisation: h -> phi(BN(W x)), no gain, batch size B.

At the fixed point where all pairs of a batch are equally correlated, gradients grow per layer by
E phi'^2 / Var phi as B -> infinity, at least 1 by the Gaussian Poincare inequality, with equality only for linear phi.
"""

from __future__ import annotations

from sympy import Derivative, Eq, Expr, Symbol, log, oo

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.errors import DomainError
from widelimit.theory.kernel import slope

BATCH = Symbol("B", positive=True)
Q = Symbol("q", positive=True)  # variance of one input, 1 at the fixed point

_ASSUMPTIONS = (
    "the width goes to infinity at fixed batch size, then the batch size",
    "the batch is at the symmetric fixed point: all pairs of inputs are equally correlated",
    "batch normalisation comes right before the activation, without gain",
)


def moments(activation: str | Activation) -> tuple[Expr, Expr, Expr]:
    """E phi, E phi^2 and E phi'^2 over N(0, 1), closed forms where there are any."""
    phi = Activation.of(activation)
    functions = (phi.expr, phi.expr**2, slope(phi) ** 2)
    return tuple(Expectation(f, X, 1).doit() for f in functions)


def gradient_factor(activation: str | Activation) -> Expr:
    """E phi'^2 / Var phi, for large batches (yang2019mean, theorem 3.9).

    >>> gradient_factor("relu")
    pi/(-1 + pi)
    """
    first, second, steep = moments(activation)
    return (steep / (second - first**2)).simplify()


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
    ratio = steep / (second - first**2)
    source = "yang2019mean"
    steps = [
        Step(
            "linear-batch",
            Eq(linear_factor(), 1, evaluate=False),
            "normalising a batch removes two of its B directions and divides by a chi-squared of B - 1 degrees",
            source=f"{source}, section 3.2",
            kind="limit",
            limit=(BATCH, oo),
        ),
        Step(
            "factor",
            Eq(Symbol("chi", positive=True), ratio, evaluate=False),
            "the derivative of the normalised unit by the raw one is 1 / sqrt(Var phi) of the layer below",
            source=f"{source}, theorem 3.9",
            kind="definition",
        ),
    ]
    spread = Expectation(phi.expr**2, X, Q) - Expectation(phi.expr, X, Q) ** 2
    steps.append(
        Step(
            "length-growth",
            Eq(Q * Derivative(log(spread), Q), length_growth(phi, Q), evaluate=False),
            "a deviation in length moves the variance q of one input; the batch sets the scale (Stein's identity)",
            source=f"{source}; stein1981estimation",
            domain={Q: (0.5, 2.0)},
        )
    )
    if not gradient_factor(phi).has(Expectation):
        steps.append(
            Step(
                "closed-form",
                Eq(ratio, gradient_factor(phi), evaluate=False),
                f"the integrals for {phi.name}",
                source=source,
            )
        )
    return Derivation(f"Batch normalisation before {phi.name}", tuple(steps), _ASSUMPTIONS)
