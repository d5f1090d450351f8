"""Residual networks at initialisation: x' = x + V phi(W x + b) + a, V = 1 and a = 0 in the reduced form.

p = E x^2 of a unit grows without bound: linearly in depth for bounded phi, with gradients that grow like
exp(A sqrt(l)), and exponentially for ReLU. With fresh V of variance sigma_v^2 / N the branch is uncorrelated with x.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import mpmath
from sympy import Eq, Expr, Rational, Symbol, integrate, oo, pi, sqrt

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.layers import by_number, over_unit
from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.kernel import SIGMA_B, SIGMA_W, slope
from widelimit.theory.residual import post_activation

SIGMA_V = Symbol("sigma_v", positive=True)
SIGMA_A = Symbol("sigma_a", nonnegative=True)
P = Symbol("p", positive=True)
Q = Symbol("q", positive=True)

_SOURCE = "yang2017mean"
_POINT = {
    P: (0.5, 3.0),
    Q: (0.3, 2.0),
    SIGMA_W: (0.5, 2.0),
    SIGMA_B: (0.1, 1.0),
    SIGMA_V: (0.5, 1.5),
    SIGMA_A: (0.1, 1.0),
}
_ASSUMPTIONS = (
    "the width goes to infinity; W, V and the biases are independent in all layers",
    "gradients are averaged as if the weights of the backward pass were independent of the forward pass",
)


def inner_variance() -> Expr:
    """Return the variance q = sigma_w^2 p + sigma_b^2 inside the branch."""
    return SIGMA_W**2 * P + SIGMA_B**2


def next_second_moment(activation: str | Activation) -> Expr:
    """Return p' = p + sigma_v^2 E phi^2 + sigma_a^2 at inner variance q (yang2017mean, theorem 2).

    The reduced form has sigma_v = 1 and sigma_a = 0.

    >>> next_second_moment("relu")
    p + q*sigma_v**2/2 + sigma_a**2
    """
    phi = Activation.of(activation)
    return P + SIGMA_V**2 * Expectation(phi.expr**2, X, Q).doit() + SIGMA_A**2


def gradient_factor(activation: str | Activation) -> Expr:
    """Return the growth 1 + sigma_v^2 sigma_w^2 E phi'^2 of the mean square gradient in one block (yang2017mean, 5)."""
    return 1 + SIGMA_V**2 * SIGMA_W**2 * Expectation(slope(activation) ** 2, X, Q).doit()


def relu_base() -> Expr:
    """Return B = 1 + sigma_v^2 sigma_w^2 / 2, by which p and the gradients of a ReLU network grow per block."""
    return 1 + SIGMA_V**2 * SIGMA_W**2 / 2


def tanh_linear_rate() -> Expr:
    """Return the limit sigma_v^2 + sigma_a^2 of p_l / l for tanh, which saturates as p grows."""
    return SIGMA_V**2 + SIGMA_A**2


def tanh_exponent() -> Expr:
    """Return A in log(gradient ratio) ~ A sqrt(l): (4/3) sqrt(2/pi) sigma_v^2 sigma_w / sqrt(sigma_v^2 + sigma_a^2).

    >>> tanh_exponent().subs({SIGMA_V: 2, SIGMA_A: 0, SIGMA_W: 3})
    8*sqrt(2)/sqrt(pi)
    """
    return Rational(4, 3) * sqrt(2 / pi) * SIGMA_V**2 * SIGMA_W / sqrt(tanh_linear_rate())


def derive(activation: str | Activation = "tanh") -> Derivation:
    """The recursions for `activation`, for tanh and ReLU also the rates at large depth; post-activation networks.

    Args:
        activation: a catalogue name or an expression in x.

    >>> derive("relu")["relu-rate"].equation.rhs
    sigma_v**2*sigma_w**2/2 + 1
    """
    phi = Activation.of(activation)
    steps = _recursion(phi)
    if phi == Activation.of("tanh"):
        steps += _saturating(phi)
    if phi == Activation.of("relu"):
        steps.append(
            Step(
                "relu-rate",
                Eq(
                    1 + SIGMA_V**2 * SIGMA_W**2 * Expectation(slope(phi) ** 2, X, Q),
                    relu_base(),
                    evaluate=False,
                ),
                "E phi'^2 = 1/2 at any variance",
                source=f"{_SOURCE}, theorem 7",
                domain=_POINT,
            )
        )
    return Derivation(f"Residual networks with {phi.name}", (*steps, *post_activation.steps()), _ASSUMPTIONS)


def _recursion(phi: Activation) -> list[Step]:
    return [
        Step(
            "inner-variance",
            Eq(Q, inner_variance(), evaluate=False),
            "W x + b is a sum of independent terms; the check sums over all signs of the weights and the bias",
            source=_SOURCE,
            domain=_POINT,
            left=_inner,
        ),
        Step(
            "second-moment",
            Eq(Symbol("p'", positive=True), next_second_moment(phi), evaluate=False),
            "the branch has fresh weights V, so that it is uncorrelated with x; the check sums over their signs",
            source=f"{_SOURCE}, theorem 2",
            domain=_POINT,
            left=partial(_next, phi),
        ),
        Step(
            "gradient",
            Eq(Symbol("chi", positive=True), gradient_factor(phi), evaluate=False),
            "identity plus V phi' W, uncorrelated; the check sums over the signs of V and W",
            source=f"{_SOURCE}, theorem 5",
            domain=_POINT,
            left=partial(_gradient, phi),
        ),
    ]


def _saturating(phi: Activation) -> list[Step]:
    """What tanh makes of a second moment that grows with depth."""
    return [
        Step(
            "tail",
            Eq(sqrt(2 * pi * Q) * Expectation(slope(phi) ** 2, X, Q), Rational(4, 3), evaluate=False),
            "at large q the density is flat where tanh' is not zero; the area under tanh'^2 is 4/3",
            source=_SOURCE,
            domain={Q: (1e3, 1e4)},
            kind="limit",
            limit=(Q, oo),
        ),
        Step(
            "linear-rate",
            Eq(next_second_moment(phi) - P, tanh_linear_rate(), evaluate=False),
            "tanh^2 is 1 at large q, so that every block adds the same",
            source=f"{_SOURCE}, theorem 2",
            domain=_POINT,
            kind="limit",
            limit=(Q, oo, Rational(1, 2)),
        ),
        Step(
            "exponent",
            Eq(Symbol("A", positive=True), tanh_exponent(), evaluate=False),
            "log chi ~ chi - 1 of every block at q ~ sigma_w^2 (sigma_v^2 + sigma_a^2) l, summed over the blocks as an "
            "integral",
            source=f"{_SOURCE}, theorem 5",
            domain=_POINT,
            kind="derived",
            by=_exponent,
        ),
    ]


def _exponent(earlier: Mapping[str, Eq]) -> Eq:
    """Integrate chi - 1 over l from 0 to L with E phi'^2 by its tail and q by its linear growth; per sqrt(L)."""
    tail, block, depth = earlier["tail"], Symbol("l", positive=True), Symbol("L", positive=True)
    node = next(iter(tail.lhs.atoms(Expectation)))
    lost = (earlier["gradient"].rhs - 1).subs(node, tail.rhs * node / tail.lhs)
    inner = earlier["inner-variance"].rhs.subs(P, earlier["linear-rate"].rhs * block)
    far = lost.subs(Q, inner.expand().coeff(block) * block)  # biases do not grow with l
    return Eq(Symbol("A", positive=True), integrate(far, (block, 0, depth)) / sqrt(depth), evaluate=False)


# --- what the left sides mean: units whose weights run through all signs


def _inner(values: Values, dps: int) -> Any:
    """Mean square of W x + b for two units with the mean square p, weights of variance sigma_w^2/2."""
    p, w, b = numbers(values, dps, P, SIGMA_W, SIGMA_B)
    x = (mpmath.sqrt(p / 2), mpmath.sqrt(3 * p / 2))
    return over_signs(lambda s: (w / mpmath.sqrt(2) * (s[0] * x[0] + s[1] * x[1]) + s[2] * b) ** 2, 3)


def _next(phi: Activation, values: Values, dps: int) -> Any:
    """Mean square of x + V phi(u) + a over the signs of V and a, for x^2 = p."""
    p, v, a, q = numbers(values, dps, P, SIGMA_V, SIGMA_A, Q)
    f, breaks = by_number(phi.expr, dps, phi.derivative(1).expr)
    root = mpmath.sqrt(p)
    return over_unit(lambda u: over_signs(lambda s: (root + s[0] * v * f(u) + s[1] * a) ** 2, 2), q, breaks)


def _gradient(phi: Activation, values: Values, dps: int) -> Any:
    """Mean square of (1 + W phi'(u) V) g over the signs of V and W, for g = 1."""
    w, v, q = numbers(values, dps, SIGMA_W, SIGMA_V, Q)
    f, breaks = by_number(phi.derivative(1).expr, dps)
    return over_unit(lambda u: over_signs(lambda s: (1 + s[0] * w * f(u) * s[1] * v) ** 2, 2), q, breaks)
