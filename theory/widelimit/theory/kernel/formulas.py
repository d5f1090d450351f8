"""NNGP and neural tangent kernels of infinitely wide networks: the recursion and its two Gaussian expectations.

A dense layer maps the kernels by K' = sigma_w^2 T + sigma_b^2 and Theta' = K' + sigma_w^2 Tdot Theta, where T and Tdot
are the expectations of phi phi and phi' phi' over a Gaussian pair with the covariance K: `next_kernel` and
`next_tangent`, which all solvers compile. Everything about an activation is in the pair (T, Tdot), which `pair` returns
in closed form where there is one.
"""

from __future__ import annotations

import functools

from sympy import Expr, Symbol, exp, log, symbols

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.errors import InfiniteMomentError

Q1 = Symbol("q_1", positive=True)
Q2 = Symbol("q_2", positive=True)
RHO = Symbol("rho", real=True)
PAIR_SYMBOLS = (Q1, Q2, RHO)
SIGMA_W = Symbol("sigma_w", positive=True)
SIGMA_B = Symbol("sigma_b", nonnegative=True)
SIGMA_V = Symbol("sigma_v", nonnegative=True)  # of input weights
T, TDOT = Symbol("T", real=True), Symbol("Tdot", real=True)
INPUT = Symbol("S", real=True)
THETA = Symbol("Theta", real=True)
TRAINED_W, TRAINED_B = (
    Symbol("trained_w", integer=True),
    Symbol("trained_b", integer=True),
)  # 1, or 0 if frozen
TIME, RATE = Symbol("t", nonnegative=True), Symbol("lambda", positive=True)
STEP_SIZE, STEPS = Symbol("eta", positive=True), Symbol("k", integer=True, nonnegative=True)
V, P, V2, P2, VP = symbols(
    "V P V_2 P_2 V_P", positive=True
)  # E of phi^2, phi'^2, phi^4, phi'^4, phi^2 phi'^2
MEAN, DISTANCE = (
    Symbol("q_mean", positive=True),
    Symbol("d", nonnegative=True),
)  # of two inputs: see `close_kernel`
K, DK = Symbol("K", real=True), Symbol("dK", real=True)  # an entry, and how it changes
S1, S2 = (
    Symbol("S_1", real=True),
    Symbol("S_2", real=True),
)  # of T with the logarithms of q_1 and q_2: `stretch`
D1, D2 = Symbol("d_1", real=True), Symbol("d_2", real=True)  # changes of these logarithms
READOUT = Symbol("w_4", positive=True)  # E W^4 of a readout's standardised weights, 3 if they are Gaussian

_U, _V = symbols("u v", real=True)


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


def next_kernel() -> Expr:
    """K' = sigma_w^2 T + sigma_b^2, the covariance of units behind a layer of weights (lee2018deep, eq. (5)).

    T is the mean of products of the units below: E phi(u) phi(v) behind an activation, x . x' / n_0 of inputs.

    >>> next_kernel()
    T*sigma_w**2 + sigma_b**2
    """
    return SIGMA_W**2 * T + SIGMA_B**2


@functools.lru_cache(maxsize=128)
def stretch(activation: str | Activation) -> Expr:
    """q_1 dT/dq_1 at a fixed correlation, E u phi'(u) phi(v) / 2: a function of `PAIR_SYMBOLS`.

    >>> stretch("x**2")
    q_1*q_2*(2*rho**2 + 1)
    """
    phi = Activation.of(activation)
    closed = pair(phi)[0]
    if is_closed(closed):
        return Q1 * closed.diff(Q1)
    return expectation(X * slope(phi), phi.expr) / 2


def kernel_change() -> Expr:
    """dK' = sigma_w^2 [S_1 d_1 + S_2 d_2 + Tdot (dK - K (d_1 + d_2)/2)], the change of an entry behind a layer.

    It is that of `next_kernel` at fixed scales, where the entry in front of the activation changes by dK and the
    logarithms of both variances by d_1 and d_2; S_1 and S_2 are `stretch` for either input.

    >>> kernel_change().subs({D1: 0, D2: 0})
    Tdot*dK*sigma_w**2
    """
    return SIGMA_W**2 * (S1 * D1 + S2 * D2 + TDOT * (DK - K * (D1 + D2) / 2))


def close_kernel() -> Expr:
    """K^1 = (q + q') / 2 - sigma_w^2 d / 2 of two inputs, d = |x - x'|^2 / n_0: digits where inputs are close.

    `next_kernel` at T = x . x' / n_0, rewritten with the variances q and q' in front of the first activation.

    >>> close_kernel()
    -d*sigma_w**2/2 + q_mean
    """
    return MEAN - SIGMA_W**2 * DISTANCE / 2


def next_tangent() -> Expr:
    """Theta' = K' + sigma_w^2 Tdot Theta, the tangent kernel behind a layer of weights (jacot2018neural, theorem 1).

    Of K' only the terms of trained parameters count: `TRAINED_W` and `TRAINED_B` are 1, or 0 for frozen weights or
    biases. Tdot is E phi'(u) phi'(v), or 1 where Theta is already that of the units that the weights read.

    >>> next_tangent().subs({TRAINED_W: 0, TRAINED_B: 0})
    Tdot*Theta*sigma_w**2
    """
    own = TRAINED_W * SIGMA_W**2 * T + TRAINED_B * SIGMA_B**2
    return own + SIGMA_W**2 * TDOT * THETA


def next_recurrent() -> Expr:
    """sigma_w^2 T + sigma_v^2 S + sigma_b^2, the covariance of units that read inputs beside units, S = x_t . x'_s / n.

    They are those of a recurrent layer at the next step: T is the mean of phi phi one step earlier.
    """
    return next_kernel() + SIGMA_V**2 * INPUT


def next_recurrent_tangent() -> Expr:
    """`next_tangent` of a recurrent layer, whose input weights train if its recurrent ones do."""
    return next_tangent() + TRAINED_W * SIGMA_V**2 * INPUT


def remaining() -> Expr:
    """exp(-lambda t), the share of a mode's error that gradient flow leaves after the time t (lee2019wide, eq. (8)).

    The mode is an eigenvector of the training kernel, lambda its eigenvalue; the loss is half the summed squares.
    """
    return exp(-RATE * TIME)


def remaining_after_steps() -> Expr:
    """(1 - eta lambda)^k, the share of a mode's error after k steps of gradient descent of the size eta."""
    return (1 - STEP_SIZE * RATE) ** STEPS


def descent_rate() -> Expr:
    """-log(1 - eta lambda), the rate of the flow that leaves at the time k what k steps leave; for eta lambda < 1."""
    return -log(1 - STEP_SIZE * RATE)


def largest_step() -> Expr:
    """2 / lambda, the step size above which gradient descent diverges along the mode of the largest rate lambda."""
    return 2 / RATE


def tangent_fluctuation() -> Expr:
    """N Var Theta(x, x) / (E Theta)^2 of one hidden layer of N units, for inputs of the variance q_1 in front of it.

    Theta = sigma_b^2 + sigma_w^2 / N sum_i [phi_i^2 + W_i^2 phi'_i^2 q_1] is a mean over independent units. V, P, V_2,
    P_2 and V_P are the means of phi^2, phi'^2, phi^4, phi'^4 and phi^2 phi'^2; w_4 = E W^4.
    """
    mean = V + Q1 * P
    second = V2 + 2 * Q1 * VP + READOUT * Q1**2 * P2
    return SIGMA_W**4 * (second - mean**2) / (SIGMA_W**2 * mean + SIGMA_B**2) ** 2
