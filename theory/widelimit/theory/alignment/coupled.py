"""Weights and feedback that both move: an invariant, and the singular values of balanced starts."""

from __future__ import annotations

from sympy import Abs, Eq, Expr, Integer, Mul, Piecewise, Poly, Symbol, exp, expand, sqrt, tanh

from widelimit.theory.alignment.rules import BT, WT, B, C, W, flow, forward_flow
from widelimit.theory.calculus import exact
from widelimit.theory.errors import DomainError

TIME = Symbol("t", nonnegative=True)
START = Symbol("s_0", positive=True)
VALUE = Symbol("s", positive=True)
GROWTH = Symbol("g", real=True)
SATURATION = Symbol("h", nonnegative=True)

INVARIANT = ("symmetric", "mirror", "information")
_TRANSPOSED = {W: WT, WT: W, B: BT, BT: B, C: C}


def transposed(expr: Expr) -> Expr:
    """The transpose of a polynomial in the matrices, C being symmetric.

    >>> transposed(B * W * C)
    C*W^T*B^T
    """
    total = Integer(0)
    for term in expand(expr).as_ordered_terms():
        numbers, factors = term.args_cnc()
        turned = []
        for factor in reversed(factors):
            base, power = factor.as_base_exp()
            turned.append(_TRANSPOSED[base] ** power)
        total += Mul(*numbers, *turned)
    return total


def balance_flow(rule: str) -> Expr:
    """(W W^T - B^T B)' along the flows of W and B, multiplied out.

    >>> balance_flow("mirror").subs({W: 0, WT: 0})
    2*alpha*B^T*B
    """
    forward, backward = forward_flow(rule), flow(rule)
    return expand(
        forward * WT + W * transposed(forward) - transposed(backward) * B - BT * backward, deep=True
    )


def decay(rule: str) -> Expr:
    """kappa of the invariant W W^T - B^T B = exp(-2 kappa t) const: alpha, or gamma for information; any C.

    Raises `DomainError` for rules that have none: activation at inputs that are not white, kolen_pollack.

    >>> decay("information")
    gamma
    """
    if exact.one_of("rule", rule, (*INVARIANT, "activation", "kolen_pollack")) not in INVARIANT:
        raise DomainError(f"W W^T - B^T B is no invariant of {rule}. Choose one of {', '.join(INVARIANT)}.")
    return -balance_flow(rule).coeff(W * WT) / 2


def imbalance(rule: str) -> Expr:
    """exp(-2 kappa t), what is left of W W^T - B^T B.

    >>> imbalance("mirror")
    exp(-2*alpha*t)
    """
    return exp(-2 * decay(rule) * TIME)


def balanced(rule: str) -> Expr:
    """s' of a singular value of W where B = W^T, C = 1: what both flows come to.

    >>> balanced("symmetric"), balanced("information")
    (-alpha*s + beta*s, alpha*s - beta*s**3 - gamma*s)
    """
    return expand(forward_flow(rule)).subs({W: VALUE, WT: VALUE, B: VALUE, BT: VALUE, C: Integer(1)})


def growth(rule: str) -> Expr:
    """g of s' = g s - h s^3: beta - alpha, or alpha - gamma for information.

    >>> growth("information")
    alpha - gamma
    """
    return Poly(balanced(rule), VALUE).coeff_monomial(VALUE)


def saturation(rule: str) -> Expr:
    """h of s' = g s - h s^3: 0, or beta for information."""
    return -Poly(balanced(rule), VALUE).coeff_monomial(VALUE**3)


def squared_value() -> Expr:
    """s^2 at time t of s' = g s - h s^3: g s_0^2 e^(2gt)/(g + h s_0^2 (e^(2gt) - 1)), without cancellation at small g.

    >>> squared_value().subs({SATURATION: 0, GROWTH: 0})
    s_0**2
    """
    left = exp(-2 * Abs(GROWTH) * TIME)
    gone = Piecewise((2 * TIME, Eq(GROWTH, 0)), (tanh(GROWTH * TIME) * (1 + left) / GROWTH, True))
    dying = GROWTH < 0  # then both sides of the fraction are multiplied with e^(2gt)
    whole = Piecewise((left, dying), (Integer(1), True))
    return START**2 * whole / (Piecewise((Integer(1), dying), (left, True)) + SATURATION * START**2 * gone)


def resting_value() -> Expr:
    """sqrt(g/h), which every singular value comes to: W is a partial isometry times this.

    >>> resting_value()
    sqrt(g)/sqrt(h)
    """
    return sqrt(GROWTH) / sqrt(SATURATION)


__all__ = [
    "GROWTH", "INVARIANT", "SATURATION", "START", "TIME", "VALUE", "balance_flow", "balanced", "decay", "growth",
    "imbalance", "resting_value", "saturation", "squared_value", "transposed",
]  # fmt: skip
