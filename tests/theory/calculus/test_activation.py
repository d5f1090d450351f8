"""Kinks, derivatives and their distributional parts, against numerical differentiation and integration by parts."""

import mpmath
import pytest
from sympy import Abs, Max, Rational, S, Symbol, lambdify, sign, symbols, tanh

from widelimit.theory.calculus.activation import CATALOGUE, Activation, x
from widelimit.theory.calculus.pieces import split
from widelimit.theory.errors import ArgumentError, ParseError

KINKS = {
    "relu": (0,), "leaky_relu": (0,), "abs": (0,), "elu": (0,), "hard_tanh": (-1, 1),
    "shifted_relu": (-Rational(1, 2),), "prelu": (0,), "rrelu": (0,), "relu6": (0, 6), "squared_relu": (0,),
    "hard_sigmoid": (-3, 3), "hard_swish": (-3, 3), "softsign": (0,), "softshrink": (-Rational(1, 2), Rational(1, 2)),
    "hardshrink": (-Rational(1, 2), Rational(1, 2)), "celu": (0,), "selu": (0,), "sign": (0,), "step": (0,),
    "threshold(1, 0)": (1,),
}  # fmt: skip
ODD = {
    "linear", "hard_tanh", "erf", "erf_s", "tanh", "arctan", "sin", "monomial(3)", "softsign", "tanhshrink",
    "softshrink", "hardshrink", "sign",
}  # fmt: skip
NEEDY = {"monomial": "monomial(3)", "threshold": "threshold(1, 0)"}
NAMES = [NEEDY.get(name, name) for name in CATALOGUE]


def numeric(pieces, point):
    e = pieces.exprs[sum(1 for b in pieces.breaks if b < point)]
    return lambdify(x, e, "mpmath")(mpmath.mpf(point))


@pytest.mark.parametrize("name", NAMES)
def test_catalogue(name):
    a = Activation.of(name)
    assert a.kinks == KINKS.get(name, ())
    assert a.is_smooth == (name not in KINKS)
    assert a.is_odd == (name in ODD)
    with mpmath.workdps(30):
        for point in (-1.7, -0.3, 0.4, 2.2):
            for n in (1, 2):
                by_difference = mpmath.diff(lambda t, n=n: numeric(a.derivative(n - 1).regular, t), point)
                assert abs(numeric(a.derivative(n).regular, point) - by_difference) < 1e-12


@pytest.mark.parametrize("name", [*KINKS, "max(x, 0, -x - 1)", "sign(x)*x**2", "abs(tanh(x) - 1/2)"])
def test_deltas_by_integration_by_parts(name):
    """int phi'' g = int phi g'' for a smooth g that vanishes far out."""
    a = Activation.of(name)
    second = a.derivative(2)
    with mpmath.workdps(20):

        def g(t):
            return mpmath.exp(-((t - mpmath.mpf("0.3")) ** 2))

        cuts = [-12, *sorted(float(k.evalf()) for k in {*a.pieces.breaks, S(0)}), 12]
        left = mpmath.quad(lambda t: numeric(second.regular, t) * g(t), cuts)
        left += sum(mpmath.mpf(w.evalf(20)) * g(mpmath.mpf(b.evalf(20))) for b, w in second.deltas)
        for b, w, order in second.higher:  # the derivatives of delta that jumps of phi itself leave
            left += (-1) ** order * mpmath.mpf(w.evalf(20)) * mpmath.diff(g, mpmath.mpf(b.evalf(20)), order)
        right = mpmath.quad(lambda t: numeric(a.pieces, t) * mpmath.diff(g, t, 2), cuts)
        assert abs(left - right) < 1e-9


def test_higher_derivatives_keep_the_derivatives_of_delta():
    third = Activation.of("relu").derivative(3)
    assert third.deltas == () and third.higher == ((0, 1, 1),)
    assert Activation.of("elu").derivative(3).deltas == ((0, -1),)


def test_jump_of_the_function_itself():
    assert Activation.parse("sign(x) + x").derivative(1).deltas == ((0, 2),)


def test_parameters_may_be_symbols():
    slope = Symbol("a", positive=True)
    a = CATALOGUE["leaky_relu"](slope)
    assert a.derivative(2).deltas == ((0, 1 - slope),)
    assert a.parameters == {slope}


def test_split_orders_symbolic_breaks_only_where_it_can():
    a, b = symbols("a b", real=True)
    assert split(Max(x - a, 0), x).breaks == (a,)
    with pytest.raises(ParseError, match="unknown sign"):
        split(Abs(x - a) + Abs(x - b), x)


def test_split_agrees_with_the_expression():
    f = Abs(x - 1) * Max(-1, Max(x, -(x**2) / 2) * sign(x + 2)) + Abs(tanh(x) - Rational(1, 3))
    pieces = split(f, x)
    for k in range(-37, 41, 3):
        point = Rational(k, 10) + Rational(1, 97)
        assert abs((pieces.expr - f).subs(x, point).evalf(30)) < 1e-25


def test_wrong_orders_are_refused():
    with pytest.raises(ArgumentError, match="`n` must be"):
        Activation.of("relu").derivative(-1)
    with pytest.raises(ArgumentError, match="`activation` must be"):
        Activation.of(3)
