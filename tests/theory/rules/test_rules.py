"""The derivation of learning rules checks itself; laws by hand."""

import math

import pytest
from sympy import Rational, Symbol, diff, exp, log, simplify, solve, sqrt

from widelimit.theory import rules as t
from widelimit.theory.errors import ArgumentError


def test_the_derivation_checks_itself():
    found = t.derive()
    assert all(step.passed for step in found.check(dps=20))
    assert {"nayebi2020identifying", "saxe2014exact", "refinetti2021align", "oja1982simplified"} <= set(
        found.sources
    )


def test_gradient_descent_as_it_is_printed():
    at = {t.STRENGTH: 1.7, t.START: 0.01, t.TIME: 2, t.DECAY: 0}
    grown = math.exp(2 * 1.7 * 2)
    assert float(t.sgd_product().subs(at)) == pytest.approx(1.7 * grown / (grown - 1 + 170), rel=1e-14)
    assert float(t.sgd_product().subs(at)) == pytest.approx(1.43070185185, abs=5e-12)


def test_the_first_layer_by_feedback_alignment_from_zero():
    v, b, s = t.FIRST, t.FEEDBACK, t.STRENGTH
    slope = t.flow("feedback_alignment")[0].subs({t.SECOND: t.feedback_second(), t.DECAY: 0})
    assert simplify(slope - b * s * (1 - v**3 / t.feedback_end() ** 3)) == 0
    end = [root for root in solve(slope, v) if root.is_positive]
    assert simplify(end[0] - t.feedback_end()) == 0


def test_the_clock_is_the_integral_of_the_flow():
    x = t.SHARE
    whole = t.feedback_clock().subs(t.REMAINING, log(1 - x))
    assert simplify(diff(whole, x) - 1 / (1 - x**3)) == 0
    assert whole.subs(x, 0) == 0


def test_invariants_of_the_flows():
    v, w, b = t.FIRST, t.SECOND, t.FEEDBACK
    first, second, _ = t.flow("feedback_alignment")
    held = {t.DECAY: 0}
    assert simplify((second - v * first / b).subs(held)) == 0
    first, second, back = t.flow("kolen_pollack")
    assert simplify(second - back + t.DECAY * (w - b)) == 0
    assert simplify(v * first - b * back + t.DECAY * (v**2 - b**2)) == 0  # another, beyond the paper
    first, second, _ = t.flow("sgd")
    assert simplify(v * first - w * second + t.DECAY * (v**2 - w**2)) == 0


def test_oja_with_one_eigenvector_is_the_logistic_law():
    a, value, time = t.COMPONENT, t.EIGENVALUE, t.TIME
    one = t.oja_component().subs(t.TOTAL, t.oja_term()).subs(t.LARGEST, value)
    printed = a**2 * exp(2 * value * time) / (1 + a**2 * (exp(2 * value * time) - 1))
    assert simplify(one**2 - printed) == 0
    left = simplify(diff(one, time) - value * one * (1 - one**2))
    assert left.subs({a: Rational(1, 3), value: 2, time: 1}).evalf() == pytest.approx(0, abs=1e-14)


def test_roots_of_momentum_meet_at_the_edges():
    low, high = t.momentum_edges()
    x = Symbol("x")
    for edge in (low, high):
        polynomial = x**2 - t.momentum_trace().subs(t.DROP, edge) * x + t.MOMENTUM
        assert {simplify(abs(root) - sqrt(t.MOMENTUM)) for root in solve(polynomial, x)} == {0}


@pytest.mark.parametrize(
    ("rule", "power"), [("sgd", (1, 2)), ("feedback_alignment", (1, 3)), ("information_alignment", (0, 1))]
)
def test_exponents(rule, power):
    assert t.norm_exponent(rule) == Rational(*power)


@pytest.mark.parametrize("call", [t.flow, t.norm_exponent])
def test_unknown_rules(call):
    with pytest.raises(ArgumentError, match="rule"):
        call("backprop")
