"""Residual networks at initialisation: x' = x + V phi(W x + b) + a, V = 1 and a = 0 in the reduced form.

p = E x^2 of a unit grows without bound: linearly in depth for bounded phi, with gradients that grow like
exp(A sqrt(l)), and exponentially for ReLU. With fresh V of variance sigma_v^2 / N the branch is uncorrelated with x.
"""

from __future__ import annotations

from sympy import Eq, Expr, Rational, Symbol, oo, pi, sqrt, tanh

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.kernel import SIGMA_B, SIGMA_W, slope

SIGMA_V = Symbol("sigma_v", positive=True)
SIGMA_A = Symbol("sigma_a", nonnegative=True)
P = Symbol("p", positive=True)
Q = Symbol("q", positive=True)

_ASSUMPTIONS = (
    "the width goes to infinity; W, V and the biases are independent in all layers",
    "gradients are averaged as if the weights of the backward pass were independent of the forward pass",
)


def inner_variance() -> Expr:
    """Variance q = sigma_w^2 p + sigma_b^2 inside the branch."""
    return SIGMA_W**2 * P + SIGMA_B**2


def next_second_moment(activation: str | Activation) -> Expr:
    """p' = p + sigma_v^2 E phi^2 + sigma_a^2 at inner variance q (yang2017mean, theorem 2; reduced: sigma_v =
    1, sigma_a = 0).
    """
    phi = Activation.of(activation)
    return P + SIGMA_V**2 * Expectation(phi.expr**2, X, Q).doit() + SIGMA_A**2


def gradient_factor(activation: str | Activation) -> Expr:
    """Growth 1 + sigma_v^2 sigma_w^2 E phi'^2 of the mean square gradient in one block (yang2017mean, theorem 5)."""
    return 1 + SIGMA_V**2 * SIGMA_W**2 * Expectation(slope(activation) ** 2, X, Q).doit()


def relu_base() -> Expr:
    """B = 1 + sigma_v^2 sigma_w^2 / 2, by which p and the gradients of a ReLU network grow per block."""
    return 1 + SIGMA_V**2 * SIGMA_W**2 / 2


def tanh_linear_rate() -> Expr:
    """p_l / l -> sigma_v^2 + sigma_a^2 for tanh, which saturates as p grows."""
    return SIGMA_V**2 + SIGMA_A**2


def tanh_exponent() -> Expr:
    """A in log(gradient ratio) ~ A sqrt(l): (4/3) sqrt(2/pi) sigma_v^2 sigma_w / sqrt(sigma_v^2 + sigma_a^2)."""
    return Rational(4, 3) * sqrt(2 / pi) * SIGMA_V**2 * SIGMA_W / sqrt(tanh_linear_rate())


def derive(activation: str | Activation = "tanh") -> Derivation:
    """The recursions for `activation`; for tanh and ReLU also the rates at large depth.

    Args:
        activation: a catalogue name or an expression in x.

    >>> derive("relu").result.rhs
    sigma_v**2*sigma_w**2/2 + 1
    """
    phi = Activation.of(activation)
    point = {
        P: (0.5, 3.0),
        Q: (0.3, 2.0),
        SIGMA_W: (0.5, 2.0),
        SIGMA_B: (0.1, 1.0),
        SIGMA_V: (0.5, 1.5),
        SIGMA_A: (0.1, 1.0),
    }
    source = "yang2017mean"
    steps = [
        Step(
            "inner-variance",
            Eq(Q, inner_variance(), evaluate=False),
            "W x + b is a sum of independent terms",
            source=source,
            domain=point,
            kind="definition",
        ),
        Step(
            "second-moment",
            Eq(
                Symbol("p'", positive=True),
                P + SIGMA_V**2 * Expectation(phi.expr**2, X, Q) + SIGMA_A**2,
                evaluate=False,
            ),
            "the branch has fresh weights V, so that it is uncorrelated with x",
            source=f"{source}, theorem 2",
            domain=point,
            kind="definition",
        ),
        Step(
            "gradient",
            Eq(
                Symbol("chi", positive=True),
                1 + SIGMA_V**2 * SIGMA_W**2 * Expectation(slope(phi) ** 2, X, Q),
                evaluate=False,
            ),
            "identity plus V phi' W, uncorrelated",
            source=f"{source}, theorem 5",
            domain=point,
            kind="definition",
        ),
    ]
    if phi == Activation.of("tanh"):
        steps.append(
            Step(
                "tail",
                Eq(
                    sqrt(2 * pi * Q) * Expectation((1 - tanh(X) ** 2) ** 2, X, Q),
                    Rational(4, 3),
                    evaluate=False,
                ),
                "at large q the density is flat where tanh' is not zero; the area under tanh'^2 is 4/3",
                source=source,
                domain={Q: (1e3, 1e4)},
                kind="limit",
                limit=(Q, oo),
            ),
        )
        steps.append(
            Step(
                "exponent",
                Eq(Symbol("A", positive=True), tanh_exponent(), evaluate=False),
                "sum over layers of sigma_v^2 sigma_w^2 (4/3) / sqrt(2 pi sigma_w^2 (sigma_v^2 + sigma_a^2) l), and "
                "sum l^(-1/2) ~ 2 sqrt(l)",
                source=f"{source}, theorem 5",
                domain=point,
                kind="definition",
            ),
        )
    if phi == Activation.of("relu"):
        growth = 1 + SIGMA_V**2 * SIGMA_W**2 * Expectation(slope(phi) ** 2, X, Q)
        steps.append(
            Step(
                "relu-rate",
                Eq(growth, relu_base(), evaluate=False),
                "E phi'^2 = 1/2 at any variance",
                source=f"{source}, theorem 7",
                domain=point,
            )
        )
    return Derivation(f"Residual networks with {phi.name}", tuple(steps), _ASSUMPTIONS)
