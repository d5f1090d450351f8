"""Edges of chaos at small q, steep slopes, stability of batch normalisation and of gates, step by step."""

import pytest
from sympy import Abs, Rational, S, Symbol, oo

from widelimit.theory import Activation, Derivation, batchnorm, meanfield, recurrence
from widelimit.theory.calculus.activation import x
from widelimit.theory.calculus.gaussian.expectation import weak_derivative
from widelimit.theory.calculus.pieces import exponent, one_sided, split
from widelimit.theory.errors import DomainError


def passed(derivation, name):
    """Check one step of a derivation."""
    return Derivation("part", (derivation[name],)).check(dps=25, points=2)[0].passed


@pytest.mark.parametrize("name", ["elu", "gelu", "cos(x)", "abs(x)**1.5"])
def test_the_form_without_cancellation_is_the_edge(name):
    step = meanfield.derive(name)["critical-line-digits"]
    assert step.kind == "identity" and passed(meanfield.derive(name), "critical-line-digits")


def test_stability_steps():
    for name in ("relu", "x**2"):
        assert passed(batchnorm.derive(name), "length-growth")
    assert passed(recurrence.derive(), "memory-slope") and passed(recurrence.derive(), "memory")
    assert batchnorm.length_growth("monomial(3)") == 3


def test_breaks_where_a_root_hides_a_kink():
    assert split((x**2 + x**4) ** S.Half, x).breaks == (0,) and Activation.of("sqrt(x**2+x**4)").kinks == (0,)
    assert split(x / (1 + x**2) ** S.Half, x).breaks == ()
    assert one_sided(x / Abs(x).subs(Abs(x), -x), x, S.Zero, -1) == -1
    assert exponent(x ** Rational(-2, 5), x, S.Zero, 1) == Rational(-2, 5)
    assert Activation.of("sqrt(abs(x))").steep == ((0, -S.Half),) and not Activation.of("abs(x)**0.7").steep


def test_derivatives_that_are_no_functions():
    slope = Activation.of("abs(x)**0.7").derivative(1)
    assert not slope.deltas and not slope.divergent
    assert Activation.of("abs(x)**0.7").derivative(2).divergent == (0,)
    with pytest.raises(DomainError, match="no function"):
        weak_derivative(slope.expr, x)


def test_moments_below_a_variance():
    q = Symbol("q", positive=True)
    with meanfield.where_finite():
        v = meanfield.second_moment("exp(x**2/16)")
    assert abs(v.subs(q, 2).subs(meanfield.q, 2) - 2**S.Half) < 1e-15 and v.subs(meanfield.q, 5) == oo
    with pytest.raises(DomainError, match="from 4 on"):
        meanfield.second_moment("exp(x**2/16)")
