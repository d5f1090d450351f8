"""Closed forms of `Expectation` nodes: reduce, apply the rules once per integrand, put the moments back in."""

from __future__ import annotations

from functools import lru_cache

from sympy import DiracDelta, Dummy, Expr, Matrix, Piecewise, S, Symbol, oo, sqrt

from widelimit.theory.calculus.gaussian.expectation import Expectation, close_with, degenerate, without_deltas
from widelimit.theory.calculus.gaussian.rules import ClosedForm, closed_form
from widelimit.theory.calculus.gaussian.terms import NoRule
from widelimit.theory.calculus.powers import closed_power
from widelimit.theory.errors import InfiniteMomentError, ParseError

_VARIANCES = (Dummy("q_x", positive=True), Dummy("q_y", positive=True))
_CORRELATION = Dummy("c", real=True)


@close_with
def closed(node: Expectation) -> Expr:
    """Return a closed form of the node, or the node itself."""
    f, names, moments = node.integrand, node.variables, node.covariance
    if f.has(DiracDelta):
        return _each(without_deltas(node))
    if not f.has(*names):
        return f
    if len(names) == 1 and moments[0].is_zero:
        return f.subs(names[0], 0)
    if len(names) == 2:
        if moments[0].is_zero or moments[1].is_zero or abs(moments[2]) == 1:
            return closed(degenerate(node)) if isinstance(degenerate(node), Expectation) else degenerate(node)
        for kept, gone in ((0, 1), (1, 0)):
            if not f.has(names[gone]):
                return closed(Expectation(f, names[kept], moments[kept]))
    if len(names) == 1 and (power := closed_power(f, names[0], moments[0])) is not None:
        if power.is_infinite:
            raise InfiniteMomentError(f"The expectation {node} is infinite.")
        return power
    found = _formula(f, names, len(moments) == 3 and moments[0] == moments[1])
    if found is not None:
        return _specialised(found, node)
    return node


def _each(expr: Expr) -> Expr:
    nodes = expr.atoms(Expectation)
    return expr.xreplace({node: closed(node) for node in nodes})


@lru_cache(maxsize=1024)
def _formula(f: Expr, names: tuple[Symbol, ...], equal: bool) -> ClosedForm | None:
    qx, qy = _VARIANCES if not equal else (_VARIANCES[0],) * 2
    mixed = _CORRELATION * sqrt(qx) * sqrt(qy)
    covariance = Matrix([[qx]]) if len(names) == 1 else Matrix([[qx, mixed], [mixed, qy]])
    try:
        return closed_form(f, names, covariance)
    except (NoRule, ParseError):
        return None


def _specialised(form: ClosedForm, node: Expectation) -> Expr:
    moments = node.covariance
    values = dict(zip(_VARIANCES, moments[:2], strict=False))
    if len(moments) == 3:
        values[_CORRELATION] = moments[2]
    value = form.value.xreplace(values)
    holds = S.true
    for condition in form.conditions:
        holds &= condition.xreplace(values) > 0
    if holds == True:  # noqa: E712 - a SymPy boolean
        return value
    if holds == False:  # noqa: E712
        raise InfiniteMomentError(f"The expectation {node} is infinite.")
    return Piecewise((value, holds), (oo, True))
