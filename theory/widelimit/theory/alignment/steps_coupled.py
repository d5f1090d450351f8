"""Steps to what W and B keep while both move, and to where they end."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import mpmath
from sympy import Derivative, Eq, Expr, Integer, Matrix, Poly, Symbol, expand, oo, simplify, sqrt

from widelimit.theory.alignment import coupled as forms
from widelimit.theory.alignment import matrices, steps_fixed
from widelimit.theory.alignment.coupled import GROWTH, INVARIANT, SATURATION, START, TIME, VALUE
from widelimit.theory.alignment.rules import ALPHA, BETA, BT, GAMMA, WT, B, C, W
from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.precision import Values, numbers

_BALANCED = {VALUE: (0.3, 2.0), ALPHA: (1.0, 2.0), BETA: (0.5, 2.0), GAMMA: (0.1, 0.9)}
_COURSE = {GROWTH: (0.2, 1.5), SATURATION: (0.3, 1.5), START: (0.2, 2.0), TIME: (0.2, 2.0)}


def coupled() -> list[Step]:
    """Flows of both, their invariant, and a Bernoulli equation for every singular value."""
    steps: list[Step] = []
    for rule in INVARIANT:
        steps += [steps_fixed.flow(rule), steps_fixed.flow(rule, forward=True), *_invariant(rule)]
    steps += [steps_fixed.flow("activation", forward=True)]
    for rule in INVARIANT:
        steps += _balanced(rule)
    value = forms.squared_value()
    return [
        *steps,
        Step(
            "bernoulli",
            Eq(Derivative(value, TIME), 2 * (GROWTH * value - SATURATION * value**2), evaluate=False),
            "s' = g s - h s^3 is linear in 1/s^2",
            domain=_COURSE,
        ),
        Step(
            "dying",
            Eq(Derivative(value, TIME), 2 * (GROWTH * value - SATURATION * value**2), evaluate=False),
            "the same where decay wins",
            domain={**_COURSE, GROWTH: (-1.5, -0.2)},
        ),
        Step(
            "start",
            Eq(value, START**2, evaluate=False),
            "where it begins",
            domain=_COURSE,
            kind="limit",
            limit=(TIME, 0),
        ),
        Step(
            "isometry",
            Eq(sqrt(value), forms.resting_value(), evaluate=False),
            "all singular values come to the same: W becomes a multiple of a partial isometry",
            domain=_COURSE,
            kind="limit",
            limit=(TIME, oo),
        ),
        *_stability(),
    ]


def _invariant(rule: str) -> list[Step]:
    balance: Expr = forms.balance_flow(rule)
    told: Expr = -2 * forms.decay(rule) * (W * WT - BT * B)
    return [
        Step(
            f"balance-{rule}",
            Eq(Symbol("(W W^T - B^T B)'", commutative=False), balance, evaluate=False),
            "both flows, multiplied out: the terms with beta cancel in pairs",
            domain=matrices.COEFFICIENTS,
            left=partial(_moves, rule),
            right=partial(matrices.shown, balance),
        ),
        Step(
            f"invariant-{rule}",
            Eq(balance, told, evaluate=False),
            "what is left is the difference itself, for inputs and batches of any moment C",
            domain=matrices.COEFFICIENTS,
            left=partial(matrices.shown, balance),
            right=partial(matrices.shown, told),
        ),
        Step(
            f"imbalance-{rule}",
            Eq(Symbol("(W W^T - B^T B)(t)/(W W^T - B^T B)(0)"), forms.imbalance(rule), evaluate=False),
            "a difference that falls in proportion to itself; the check takes its speed from the primitives",
            domain={**matrices.COEFFICIENTS, TIME: (0.2, 2.0)},
            left=partial(_left_over, rule),
        ),
    ]


def _moves(rule: str, values: Values, dps: int) -> Any:
    """The change of W W^T - B^T B by the descents of the primitives."""
    known = matrices.matrices()
    w, b = known[W], known[B]
    forward, backward = (matrices.descent(rule, which, w, b, values, dps) for which in (True, False))
    return matrices.probed(forward * w.T + w * forward.T - backward.T * b - b.T * backward)


def _left_over(rule: str, values: Values, dps: int) -> Any:
    """exp(speed t), the speed being (W W^T - B^T B)' over W W^T - B^T B by numbers."""
    known = matrices.matrices()
    difference = matrices.probed(known[W] * known[WT] - known[BT] * known[B])
    return mpmath.exp(_moves(rule, values, dps) / difference * numbers(values, dps, TIME)[0])


def _balanced(rule: str) -> list[Step]:
    names = (f"balanced-{rule}", f"growth-{rule}", f"saturation-{rule}")
    return [
        Step(
            names[0],
            Eq(Symbol("s'"), forms.balanced(rule), evaluate=False),
            "white inputs and B = W^T, which stays so: one equation for each singular value",
            domain=_BALANCED,
            kind="derived",
            by=partial(_scalar, rule),
        ),
        Step(
            names[1],
            Eq(Symbol("g"), forms.growth(rule), evaluate=False),
            "the linear term",
            domain=_BALANCED,
            kind="derived",
            by=partial(_term, rule, "g"),
        ),
        Step(
            names[2],
            Eq(Symbol("h"), forms.saturation(rule), evaluate=False),
            "the cubic term",
            domain=_BALANCED,
            kind="derived",
            by=partial(_term, rule, "h"),
        ),
    ]


def _scalar(rule: str, earlier: Mapping[str, Eq]) -> Eq:
    flow = expand(earlier[f"forward-{rule}"].rhs)
    numbers = {W: VALUE, B: VALUE, BT: VALUE, C: Integer(1)}
    return Eq(Symbol("s'"), flow.subs(numbers), evaluate=False)


def _term(rule: str, name: str, earlier: Mapping[str, Eq]) -> Eq:
    polynomial = Poly(earlier[f"balanced-{rule}"].rhs, VALUE)
    found = polynomial.coeff_monomial(VALUE) if name == "g" else -polynomial.coeff_monomial(VALUE**3)
    return Eq(Symbol(name), found, evaluate=False)


def _stability() -> list[Step]:
    because = (
        "at rest the eigenvalues are -2(alpha - gamma) for both together, and -2 gamma for their difference"
    )
    return [
        Step(
            f"jacobian-{name}",
            Eq(Symbol(name), shown, evaluate=False),
            because,
            domain={ALPHA: (1.0, 2.0), BETA: (0.5, 2.0), GAMMA: (0.1, 0.9)},
            kind="derived",
            by=partial(_jacobian, name),
        )
        for name, shown in (("trace", -2 * ALPHA), ("determinant", 4 * GAMMA * (ALPHA - GAMMA)))
    ]


def _jacobian(name: str, earlier: Mapping[str, Eq]) -> Eq:
    """Of the flows of one number W = w, B = b at white inputs, where w = b = sqrt((alpha - gamma)/beta)."""
    w, b = Symbol("w"), Symbol("b")
    numbers = {W: w, WT: w, B: b, BT: b, C: Integer(1)}
    flows = [expand(earlier[f"{which}-information"].rhs).subs(numbers) for which in ("forward", "flow")]
    rest = sqrt((ALPHA - GAMMA) / BETA)
    jacobian = Matrix([[flow.diff(x) for x in (w, b)] for flow in flows]).subs({w: rest, b: rest})
    found = jacobian.trace() if name == "trace" else jacobian.det()
    return Eq(Symbol(name), simplify(found), evaluate=False)


__all__ = ["coupled"]
