"""The trace of a random network's Hessian, of the loss |f|^2/2 in the mean over inputs.

Over Gaussian weights of variance s each, the mean of the Laplacian of g is 2 d/ds E g: the heat equation. With
g = |f|^2/2 and E |f|^2 = C q, q the variance of an output, the trace over a layer's weights is C N dq/d(sigma_w^2) and
over its biases C dq/d(sigma_b^2). Derivatives of q pass a layer by dV/dq = E phi'^2 + E phi phi''; with E phi'^2 alone
it is the trace of the Gauss-Newton matrix, which is the Fisher matrix of Gaussian outputs.
"""

from __future__ import annotations

from sympy import Expr, S, Symbol, exp, pi, sqrt

from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.errors import DomainError
from widelimit.theory.kernel import SIGMA_W

GAIN = Symbol("R", real=True)  # dq/dq_l: of the output's variance by that of a layer
OUTPUTS = Symbol("C", positive=True)
ACTIVITY = Symbol("v", nonnegative=True)  # mean square of what the layer's weights read
FAN_IN = Symbol("N", nonnegative=True)  # weights of a unit that are trained
BIASES = Symbol("B", nonnegative=True)  # biases of a unit that are trained: 1 or 0
SLOPE = Symbol("dV", real=True)  # dV/dq
LENGTH = Symbol("q", positive=True)


def gain_below() -> Expr:
    """Return sigma_w^2 dV R: dq/dq_(l-1) from the dq/dq_l above weights."""
    return SIGMA_W**2 * SLOPE * GAIN


def layer_trace() -> Expr:
    """Return C R (N v + B), the trace of the Hessian over one layer's weights and biases.

    >>> layer_trace().subs({OUTPUTS: 2, GAIN: 3, FAN_IN: 10, ACTIVITY: 1, BIASES: 1})
    66
    """
    return OUTPUTS * GAIN * (FAN_IN * ACTIVITY + BIASES)


def kink_share(activation: str | Activation | Expr) -> Expr:
    """Return what kinks add to E phi phi'': phi(b) times the jump of phi' times the density there, over kinks b.

    A Hessian by derivatives of phi between its kinks, as programs compute it, has dV/dq less this. Raises `DomainError`
    for an activation that jumps.

    >>> kink_share("relu"), kink_share("hard_tanh")
    (0, -sqrt(2)*exp(-1/(2*q))/(sqrt(pi)*sqrt(q)))
    """
    phi = Activation.of(activation)
    found = phi.derivative(2)
    if found.higher or found.divergent:
        raise DomainError(f"The activation {phi} jumps: its second derivative has no mean.")
    total: Expr = S.Zero
    for place, jump in found.deltas:
        value = phi.expr.subs(x, place)
        total += value * jump * exp(-(place**2) / (2 * LENGTH)) / sqrt(2 * pi * LENGTH)
    return total
