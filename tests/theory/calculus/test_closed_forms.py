"""Each closed form that the rules find, against 30-digit quadrature, which shares nothing with the rules."""

import pytest
from sympy import DiracDelta, I, Rational, S, Symbol, exp, oo, symbols, tanh

from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.calculus.gaussian.expectation import Expectation, weak_derivative

y = Symbol("y", real=True)
q, c = Symbol("q", positive=True), Symbol("c", real=True)
DIGITS = 30
POINT = {q: Rational(7, 5), c: Rational(-3, 10)}
SECOND = {q: Rational(3, 10), c: Rational(7, 10)}

SOLVED = [
    "linear", "relu", "leaky_relu(0.2)", "hard_tanh", "shifted_relu", "erf", "erf_s", "sin", "elu", "gelu", "abs",
    "monomial(2)", "monomial(5)", "x*exp(-x**2)", "sin(x) + x", "x**2*erf(x) - x", "max(x, 0, -x - 1)",
    "x*exp(-abs(x))", "cos(x)*exp(-x**2/2)", "erf(x - 1/2)", "cosh(x/3)", "exp(x)*sin(x)", "abs(x - 1)*x",
]  # fmt: skip
UNSOLVED = ["tanh", "sigmoid", "softplus", "arctan", "swish", "x*tanh(x)"]


def moments(name):
    a = Activation.of(name)
    f, slope = a.expr, a.derivative(1).expr
    return {
        "V": Expectation(f**2, x, q),
        "P": Expectation(slope**2, x, q),
        "K": Expectation(f * weak_derivative(slope, x), x, q),
        "C": Expectation(f * f.subs(x, y), (x, y), (q, q, c)),
        "S": Expectation(slope * slope.subs(x, y), (x, y), (q, q, c)),
    }


def relative(found, node, point):
    exact = node.subs(point).evalf(DIGITS)
    return abs(found.subs(point).evalf(DIGITS + 15) - exact) / max(abs(exact), S("1e-3"))


@pytest.mark.parametrize("name", SOLVED)
def test_closed_form_equals_quadrature(name):
    for key, node in moments(name).items():
        found = node.doit()
        assert not found.has(Expectation) and not found.has(I), (key, found)
        for point in (POINT, SECOND) if key in "VPK" else (POINT,):
            if node.has(DiracDelta):  # K of a kinked function: dV/dq - P instead
                exact = (
                    Expectation(x * weak_derivative(moments(name)["V"].integrand, x), x, q)
                    .subs(point)
                    .evalf(DIGITS)
                )
                exact = exact / (2 * point[q]) - moments(name)["P"].subs(point).evalf(DIGITS)
                assert abs(found.subs(point).evalf(DIGITS + 15) - exact) < S("1e-28"), key
            else:
                assert relative(found, node, point) < S("1e-28"), key


@pytest.mark.parametrize("name", ["relu", "hard_tanh", "elu", "gelu", "sin", "erf_s", "x*exp(-x**2)"])
def test_equal_inputs(name):
    """C(1) = V and S(1) = P: the closed form in c has the right limit at c = 1."""
    nodes = moments(name)
    near = {q: Rational(7, 5), c: 1 - Rational(1, 10**14)}
    for pair, single in (("C", "V"), ("S", "P")):
        limit = nodes[single].doit().subs(near).evalf(30)
        assert abs(nodes[pair].doit().subs(near).evalf(30) - limit) < 1e-6
        assert nodes[pair].subs(c, 1).doit() == nodes[single].doit()


@pytest.mark.parametrize("name", UNSOLVED)
def test_what_has_no_closed_form_stays_a_node(name):
    for node in moments(name).values():
        assert node.doit() == node


def test_a_wrong_formula_would_be_seen():
    node = moments("relu")["C"]
    assert relative(node.doit() * Rational(101, 100), node, POINT) > S("0.009")


def test_unequal_variances_and_three_thresholds():
    p = Symbol("p", positive=True)
    point = {q: Rational(3, 4), p: S(2), c: Rational(1, 3)}
    for left, right in (
        ("relu", "gelu"),
        ("hard_tanh", "erf"),
        ("relu", "erf"),
        ("abs", "x*erf(x)*relu(x)"),
    ):
        f, g = Activation.of(left).expr, Activation.of(right).expr.subs(x, y)
        node = Expectation(f * g, (x, y), (q, p, c))
        if node.doit() == node:
            assert right == "erf" and left == "hard_tanh"  # three thresholds away from zero: no rule
            continue
        assert relative(node.doit(), node, point) < S("1e-28"), (left, right)


def test_parameters_stay_symbols():
    slope = Symbol("a", positive=True)
    from widelimit.theory.calculus.activation import CATALOGUE

    a = CATALOGUE["leaky_relu"](slope).expr
    value = Expectation(a**2, x, q).doit()
    assert (value - q * (1 + slope**2) / 2).expand() == 0
    pair = Expectation(a * a.subs(x, y), (x, y), (q, q, c)).doit()
    number = {slope: Rational(1, 5)}
    assert abs((pair - moments("leaky_relu(0.2)")["C"].doit()).subs(number).subs(POINT).evalf(30)) < 1e-28


def test_forms_do_not_overflow_at_wide_variances():
    wide = {q: 1e6, c: 0.5}
    for name in ("sin", "relu", "gelu", "erf_s", "x*exp(-x**2)"):
        for node in moments(name).values():
            value = node.doit().subs(wide).evalf(15)
            assert value.is_finite and abs(value) < 1e30
    elu = Expectation(Activation.of("elu").expr ** 2, x, q).doit()
    assert abs(elu.subs(q, 10**6).evalf(20) - S(10) ** 6 / 2) < 1


def test_conditions_of_existence():
    node = Expectation(exp(x**2 / 8) * exp(y**2 / 8), (x, y), (q, q, c))
    found = node.doit()
    point = {q: S(1), c: Rational(1, 2)}
    assert abs(found.subs(point).evalf(20) - node.subs(point).evalf(20)) < 1e-17
    assert found.subs({q: S(5), c: Rational(1, 2)}) is oo


def test_mixed_nodes_stay_whole():
    a, b = symbols("a b", real=True)
    node = Expectation(tanh(x) + x**2, x, q)
    assert node.doit() == node and (a * node + b).doit() == a * node + b
