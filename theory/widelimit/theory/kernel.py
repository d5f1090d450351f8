"""NNGP and neural tangent kernels of infinitely wide networks: the recursion and its two Gaussian expectations.

A dense layer maps the kernels by K' = sigma_w^2 T + sigma_b^2 and Theta' = K' + sigma_w^2 Tdot Theta, where T and Tdot
are the expectations of phi phi and phi' phi' over a Gaussian pair with the covariance K. Everything about an
activation is in that pair (T, Tdot), which `pair` returns in closed form where there is one.
"""

from __future__ import annotations

import functools

from sympy import Derivative, Eq, Expr, Symbol, acos, exp, pi, sqrt, symbols

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.errors import ArgumentError, InfiniteMomentError

Q1 = Symbol("q_1", positive=True)
Q2 = Symbol("q_2", positive=True)
RHO = Symbol("rho", real=True)
PAIR_SYMBOLS = (Q1, Q2, RHO)
SIGMA_W = Symbol("sigma_w", positive=True)
SIGMA_B = Symbol("sigma_b", nonnegative=True)

_U, _V = symbols("u v", real=True)
_ASSUMPTIONS = (
    "the widths of all hidden layers go to infinity",
    "weights and biases are independent, centred, with variances sigma_w^2 / fan-in and sigma_b^2",
    "tangent kernel: derivatives with respect to standard-normal parameters, the scales written in front of them",
)


def expectation(f: Expr, g: Expr | None = None) -> Expectation:
    """E f(u) g(v), unevaluated; (u, v) centred Gaussian with variances q_1, q_2 and correlation rho; g = f by
    default.
    """
    f = exact.plain("f", f)
    right = f if g is None else exact.plain("g", g)
    return Expectation(f.subs(X, _U) * right.subs(X, _V), (_U, _V), (Q1, Q2, RHO))


def slope(activation: str | Activation) -> Expr:
    """phi', for an activation without jumps.

    Raises `InfiniteMomentError` at a jump: E phi'(u)^2 is infinite there, and so is the tangent kernel.
    """
    phi = Activation.of(activation)
    derivative = phi.derivative()
    if derivative.deltas:
        raise InfiniteMomentError(
            f"{phi.name} jumps at {derivative.deltas[0][0]}, so that E phi'^2 is infinite: the network has an NNGP but "
            "no tangent kernel. Use a continuous activation."
        )
    if phi.steep:
        place, rate = phi.steep[0]
        raise InfiniteMomentError(
            f"The slope of {phi.name} grows like {abs(X - place) ** rate} at x = {place}, so that E phi'^2 is "
            "infinite: the network has an NNGP but no tangent kernel. Use an activation with a bounded slope."
        )
    return derivative.expr


@functools.lru_cache(maxsize=128)
def pair(activation: str | Activation) -> tuple[Expr, Expr]:
    """(T, Tdot) as functions of `PAIR_SYMBOLS`: closed forms where the rules find them, else `Expectation` nodes.

    T = E phi(u) phi(v) and Tdot = E phi'(u) phi'(v) with (u, v) centred Gaussian of variances q_1, q_2 and
    correlation rho (a correlation, not a covariance). Source: lee2018deep, eq. (5); jacot2018neural, prop. 1.

    >>> from sympy import Rational
    >>> t, tdot = pair("relu")
    >>> float(tdot.subs(RHO, Rational(1, 2)))  # (pi - arccos(1/2)) / (2 pi)
    0.3333333333333333
    """
    phi = Activation.of(activation)
    return expectation(phi.expr).doit(), expectation(slope(phi)).doit()


@functools.lru_cache(maxsize=128)
def equal_pair(activation: str | Activation) -> tuple[Expr, Expr, Expr, Expr]:
    """T and Tdot of equal inputs (rho = 1), then of opposite ones (rho = -1), as functions of q_1.

    The closed forms of `pair` can be 0/0 there; these are one-dimensional expectations of phi(x)^2, phi'(x)^2,
    phi(x) phi(-x) and phi'(x) phi'(-x).
    """
    phi = Activation.of(activation)
    functions = (phi.expr, slope(phi))
    same = tuple(Expectation(f**2, X, Q1).doit() for f in functions)
    opposite = tuple(Expectation(f * f.subs(X, -X), X, Q1).doit() for f in functions)
    return same + opposite


@exact.takes(expr=exact.plain)
def is_closed(expr: Expr) -> bool:
    """Whether no unevaluated expectation is left in `expr`."""
    return not expr.has(Expectation)


def derive(activation: str | Activation = "relu") -> Derivation:
    """The recursion of both kernels for `activation`, each equation checkable at random points.

    Args:
        activation: a catalogue name or an expression in x.

    Raises `InfiniteMomentError` for an activation that jumps.

    >>> print(derive("erf").result)  # doctest: +ELLIPSIS
    Eq(...)
    """
    phi = Activation.of(activation)
    t, tdot = pair(phi)
    bare, bare_dot = expectation(phi.expr), expectation(slope(phi))
    s, k, theta = Symbol("s", real=True), Symbol("K^l", real=True), Symbol("Theta^l", real=True)
    k_first, k_next, theta_next = (Symbol(n, real=True) for n in ("K^1", "K^{l+1}", "Theta^{l+1}"))
    time, rate, target = Symbol("t", positive=True), Symbol("lambda", positive=True), Symbol("y", real=True)
    start = Symbol("f_0", real=True)
    relaxed = target + (start - target) * exp(-rate * time)
    point = {Q1: (0.3, 2.0), Q2: (0.3, 2.0), RHO: (-0.9, 0.9), SIGMA_W: (0.5, 2.0), SIGMA_B: (0.1, 1.0)}
    more = {s: (-0.9, 0.9), theta: (0.5, 2.0), k: (-0.9, 0.9)}
    flow = {time: (0.1, 2.0), rate: (0.1, 2.0), target: (-1.0, 1.0), start: (-1.0, 1.0)}
    steps = [
        Step(
            "input-kernel",
            Eq(k_first, SIGMA_W**2 * s + SIGMA_B**2, evaluate=False),
            "the first pre-activations are linear in Gaussian weights; s is x . x' / n_0",
            source="lee2018deep, eq. (4)",
            domain={**point, **more},
            kind="definition",
        ),
        Step(
            "kernel-recursion",
            Eq(k_next, SIGMA_W**2 * bare + SIGMA_B**2, evaluate=False),
            "given layer l, pre-activations of layer l+1 are sums of many independent terms; their covariance averages",
            source="lee2018deep, eq. (5)",
            domain=point,
            kind="definition",
        ),
        Step(
            "price",
            Eq(Derivative(bare, RHO) / sqrt(Q1 * Q2), bare_dot, evaluate=False),
            "Price's theorem: the derivative by the covariance differentiates both factors",
            source="poole2016exponential, supplement",
            domain=point,
        ),
        Step(
            "tangent-recursion",
            Eq(theta_next, SIGMA_W**2 * bare + SIGMA_B**2 + SIGMA_W**2 * bare_dot * theta, evaluate=False),
            "the last layer's own parameters give its kernel, those below are carried up by sigma_w phi'",
            source="jacot2018neural, theorem 1",
            domain={**point, **more},
            kind="definition",
        ),
        Step(
            "gradient-flow",
            Eq(Derivative(relaxed, time), -rate * (relaxed - target), evaluate=False),
            "under half the summed squares each eigenmode of Theta relaxes at the rate of its eigenvalue",
            source="lee2019wide, eq. (8)",
            domain=flow,
        ),
    ]
    if is_closed(t):
        steps.append(
            Step(
                "kernel-closed-form",
                Eq(bare, t, evaluate=False),
                f"the Gaussian integral for {phi.name}",
                source="cho2009kernel; williams1996computing",
                domain=point,
            )
        )
    if is_closed(tdot):
        steps.append(
            Step(
                "slope-closed-form",
                Eq(bare_dot, tdot, evaluate=False),
                f"the same for the derivative of {phi.name}",
                source="jacot2018neural, theorem 1",
                domain=point,
            )
        )
    return Derivation(f"NNGP and tangent kernel of {phi.name} networks", tuple(steps), _ASSUMPTIONS)


@exact.takes(order=exact.order(0))
def arc_cosine(order: int) -> Expr:
    """The arc-cosine kernel k_0 or k_1 of the correlation rho (cho2009kernel): ReLU has T = sqrt(q1 q2) k_1 /
    2, Tdot = k_0 / 2.
    """

    angle = acos(RHO)
    if order == 0:
        return (pi - angle) / pi
    if order == 1:
        return (RHO * (pi - angle) + sqrt(1 - RHO**2)) / pi
    raise ArgumentError("order", "must be 0 or 1", order)
