"""Powers of what may vanish: a kink where it does, nothing where it does not, a refusal where that cannot be told."""

import contextlib
import gc
import warnings

import pytest
import sympy

from widelimit.theory import Activation
from widelimit.theory.calculus.budget import Exhausted, within
from widelimit.theory.errors import ParseError


@pytest.mark.parametrize(
    ("text", "kinks"),
    [
        ("sqrt(log(1+x**2))", (0,)),  # like abs(x) at 0
        ("tanh(sign(x)*abs(x)**.7)", (0,)),
        ("abs(x**2-1)**.75", (-1, 1)),
        ("sqrt(1-exp(-x**2))", (0,)),
        ("abs(x**3-x)**1.5", (-1, 0, 1)),
        ("sqrt(2+sin(x))", ()),
        ("sqrt(softplus(x))", ()),  # vanishes at infinity only
        ("(1+erf(x))**.5", ()),
        ("1/(1.5+tanh(x)+.1*x**2)", ()),
    ],
)
def test_kinks(text, kinks):
    assert Activation.of(text).kinks == kinks


@pytest.mark.parametrize(
    "text", ["sqrt(1-cos(x))", "sqrt(exp(x)-x-1)", "sqrt(x**2+tanh(x)**2)", "sqrt(x-log(1+x**2)+10)"]
)
def test_zeros_that_no_rule_finds_are_refused(text):
    with pytest.raises(ParseError, match="cannot be found"):
        Activation.of(text)


def test_cases_that_leave_a_gap():
    x = sympy.Symbol("x", real=True)
    with pytest.raises(ParseError, match="without a value"):
        Activation.of(sympy.Piecewise((x, x > 0)))


def test_an_exhausted_budget_prints_nothing(capfd):
    u = sympy.Symbol("u", real=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for calls in range(300, 20_000, 1013):
            with contextlib.suppress(Exhausted):
                within(calls, lambda n=calls: sympy.simplify(sympy.cos(u) ** 2 + sympy.sin(u) ** 2 + u / n))
        gc.collect()
    assert capfd.readouterr().err == ""
