"""The node: bound variables, derivatives by Price and Stein, quadrature to any precision, moments that do not exist."""

import mpmath
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sympy import (
    Abs,
    DiracDelta,
    Max,
    Rational,
    S,
    atan,
    cos,
    cosh,
    erfc,
    exp,
    latex,
    log,
    oo,
    sign,
    sinh,
    sqrt,
    symbols,
    tanh,
)

from widelimit.theory.calculus.gaussian.expectation import Expectation, score, weak_derivative
from widelimit.theory.calculus.gaussian.growth import widest
from widelimit.theory.calculus.mathml import mathml
from widelimit.theory.calculus.precision import evaluate
from widelimit.theory.errors import ArgumentError, DomainError, InfiniteMomentError

x, y = symbols("x y", real=True)
q, p = symbols("q p", positive=True)
c, a = symbols("c a", real=True)


def plane(f, qx, qy, rho, dps=15):
    """E f by nested mpmath quadrature over standard Gaussians, knowing nothing of widelimit."""
    with mpmath.workdps(dps):
        s = mpmath.sqrt(1 - rho**2)

        def inner(u):
            return mpmath.quad(
                lambda v: f(mpmath.sqrt(qx) * u, mpmath.sqrt(qy) * (rho * u + s * v)) * mpmath.npdf(v),
                [-8, 0, 8],
                method="gauss-legendre",
                maxdegree=5,
            )

        return mpmath.quad(
            lambda u: inner(u) * mpmath.npdf(u), [-8, 0, 8], method="gauss-legendre", maxdegree=5
        )


def test_bound_and_free_symbols():
    node = Expectation(tanh(a * x) * y, (x, y), (q, p, c))
    assert node.free_symbols == {a, q, p, c}
    assert node.subs(x, 5) == node
    assert node.xreplace({x: S(5)}) == node
    renamed = node.subs(a, x)  # no capture: the free x is another x
    assert renamed.free_symbols == {x, q, p, c}
    point = {q: 1, p: 2, c: Rational(1, 2)}
    expected = node.subs(a, Rational(1, 3)).subs(point).evalf(20)
    assert abs(renamed.subs(x, Rational(1, 3)).subs(point).evalf(20) - expected) < 1e-18
    assert Expectation(*node.args) == node


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((x, 3, q), "variables"), ((x, x, (q, p, c)), "covariance"), ((x, x, -1), "variances"),
     ((x * y, (x, y), (1, 1, 2)), "correlation"), ((x, (x, x), (1, 1, 0)), "variables")],
)  # fmt: skip
def test_wrong_nodes_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Expectation(*arguments)


@pytest.mark.parametrize("variance", ["1e-6", "0.3", "50", "1e4"])
@pytest.mark.parametrize(("f", "number", "cuts"), [
    (tanh(x) ** 2, lambda t: mpmath.tanh(t) ** 2, [0]),
    (Max(x - 1, 0) * atan(x), lambda t: max(t - 1, 0) * mpmath.atan(t), [1]),
    (1 / cosh(x) ** 4, lambda t: mpmath.sech(t) ** 4, [0]),
])  # fmt: skip
def test_one_variable_at_narrow_and_wide_variances(f, number, cuts, variance):
    value = Expectation(f, x, Rational(variance)).evalf(30)
    with mpmath.workdps(32):
        v = mpmath.mpf(variance)
        root = mpmath.sqrt(v)
        scales = [mpmath.mpf(2) ** k for k in range(-12, 12)]
        points = {*cuts, *(s * t for t in scales for s in (1, -1)), -14 * root, 14 * root}
        points = sorted(mpmath.mpf(t) for t in points if abs(t) <= 14 * root)
        exact = mpmath.quad(
            lambda t: number(t) * mpmath.exp(-t * t / (2 * v)), points, method="gauss-legendre"
        )
        exact /= mpmath.sqrt(2 * mpmath.pi * v)
        assert abs(mpmath.mpf(str(value)) - exact) < mpmath.mpf(10) ** -26 * max(
            abs(exact), mpmath.mpf(10) ** -8
        )


@pytest.mark.parametrize("rho", ["-0.95"])
def test_two_variables_against_nested_quadrature(rho):
    value = Expectation(tanh(x) * atan(y), (x, y), (Rational(3, 2), S.Half, Rational(rho))).evalf(20)
    exact = plane(lambda s, t: mpmath.tanh(s) * mpmath.atan(t), 1.5, 0.5, mpmath.mpf(rho))
    assert abs(value - exact) < 1e-11
    mixed = Expectation(tanh(x - y), (x, y), (1, 1, Rational(rho))).evalf(12)
    assert abs(mixed) < 1e-12  # odd: a function of both variables that is no product


def test_perfect_correlation_and_zero_variance():
    pair = Expectation(tanh(x) * tanh(y), (x, y), (1, 4, -1)).evalf(20)
    assert abs(pair - Expectation(-tanh(x) * tanh(2 * x), x, 1).evalf(20)) < 1e-18
    assert Expectation(tanh(x) + 2, x, 0).doit() == 2
    assert abs(Expectation(tanh(x) * (y + 3), (x, y), (2, 0, 0)).evalf(20)) < 1e-18


def test_weak_derivative_keeps_jumps():
    assert weak_derivative(sign(x) * a, x) == 2 * a * DiracDelta(x)
    assert weak_derivative(x * Max(x, 0) + Abs(x - 1), x).has(DiracDelta) is False
    with pytest.raises(DomainError):
        weak_derivative(DiracDelta(x) * Abs(x), x)


@pytest.mark.parametrize(
    "f",
    [
        tanh(x) * tanh(y),
        Max(x, 0) * tanh(y) ** 2,
        Max(-1, x) * Max(y, -Rational(1, 2)),
        sign(x) * tanh(y),
        x**2 * y,
    ],
)
def test_derivatives_agree_with_the_differentiated_density(f):
    """Price's and Stein's identities against E f d(log density), which moves no derivative onto f."""
    point = {q: Rational(4, 5), p: Rational(6, 5), c: Rational(2, 5)}
    node = Expectation(f, (x, y), (q, p, c))
    for index, symbol in enumerate((q, p, c)):
        moved = node.diff(symbol).subs(point).evalf(20)
        direct = score(node, index).subs(point).evalf(20)
        assert abs(moved - direct) < 1e-17


def test_chain_rule_and_parameters():
    node = Expectation(tanh(a * x), x, a**2 + 1)
    h = Rational(1, 10**8)
    slope = (node.subs(a, 1 + h).evalf(40) - node.subs(a, 1 - h).evalf(40)) / (2 * h)
    assert abs(node.diff(a).subs(a, 1).evalf(20) - slope) < 1e-14
    square = Expectation(tanh(a * x) ** 2, x, a**2 + 1)
    slope = (square.subs(a, 1 + h).evalf(40) - square.subs(a, 1 - h).evalf(40)) / (2 * h)
    assert abs(square.diff(a).subs(a, 1).evalf(20) - slope) < 1e-14


def test_delta_functions_are_integrated_out():
    node = Expectation(DiracDelta(2 * x - 1) * tanh(x), x, q)
    density = exp(-1 / (8 * q)) / sqrt(2 * S.Pi * q)
    assert abs((node.doit() - tanh(S.Half) * density / 2).subs(q, 3).evalf(20)) < 1e-18
    both = Expectation(DiracDelta(x) * DiracDelta(y), (x, y), (1, 1, c)).doit()
    assert abs(both.subs(c, Rational(3, 5)).evalf(20) - 1 / (2 * S.Pi * Rational(4, 5)).evalf(20)) < 1e-18


@pytest.mark.parametrize(("f", "bound"), [
    (exp(x**2), S.Half), (exp(x**2 / 2) ** 2, S.Half), (exp(-(x**2)) * exp(x**3), 0), (exp(exp(x)), 0), (exp(x**4), 0),
    (exp(-(x**4)) * x, oo), (exp(x * tanh(x)), oo), (exp(Abs(x) * x / 3), Rational(3, 2)), (sinh(x**2), S.Half),
    (log(1 + exp(x**2)), oo), (erfc(x) * exp(x**2 / 2), 1), (tanh(exp(x)), oo), (2 ** (x**2), 1 / (2 * log(2))),
])  # fmt: skip
def test_which_moments_exist(f, bound):
    assert (widest(f, x) - bound == 0) if bound is not oo else widest(f, x) is oo


def test_infinite_moments_are_errors():
    with pytest.raises(InfiniteMomentError):
        Expectation(exp(x**2), x, 1).doit()
    for f in (exp(x**2), exp(exp(x)), exp(x**4)):
        with pytest.raises(InfiniteMomentError):
            Expectation(f, x, 1).evalf(20)
    below = Expectation(exp(x**2), x, q).doit()
    assert below.subs(q, Rational(1, 4)) == sqrt(2)
    assert below.subs(q, 1) is oo


@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.floats(0.05, 20), st.floats(-0.9, 0.9))
def test_cauchy_schwarz_and_symmetry(variance, rho):
    node = Expectation(tanh(x) * tanh(y), (x, y), (S(variance), S(variance), S(rho)))
    top = Expectation(tanh(x) ** 2, x, S(variance)).evalf(15)
    assert abs(node.evalf(15)) <= top
    mirrored = Expectation(tanh(x) * tanh(y), (x, y), (S(variance), S(variance), S(-rho))).evalf(15)
    assert abs(node.evalf(15) + mirrored) < 1e-12


def test_printing():
    node = Expectation(tanh(x) * y, (x, y), (q, p, c))
    assert str(node) == "E[y*tanh(x); x, y ~ N(0, q, p; c)]"
    assert latex(node).startswith(r"\mathbb{E}_{x, y \sim \mathcal{N}(0, q, p; c)}\left[")
    assert "𝔼" in mathml(node) and "&InvisibleTimes;" not in mathml(node)


@pytest.mark.parametrize("wave", [30, 58, 116])
@pytest.mark.parametrize("variance", [Rational(1, 100), 1, 3])
def test_oscillations_that_all_steps_of_a_lattice_miss(wave, variance):
    """E cos(w x) = exp(-w^2 q/2); at q = 1 and 3 some waves take one value at all nodes 1/4 and 1/8 apart."""
    node = Expectation(1 + cos(wave * x), x, q)
    exact_value = 1 + mpmath.exp(-(mpmath.mpf(wave) ** 2) * mpmath.mpf(str(float(variance))) / 2)
    assert abs(evaluate(node, {q: variance}, 15) - exact_value) < 1e-14


def test_pairs_of_oscillations():
    for wave in (3, 30, 52):
        node = Expectation((1 + cos(wave * x)) * (1 + cos(wave * y)), (x, y), (1, 1, Rational(1, 2)))
        one = mpmath.exp(-(mpmath.mpf(wave) ** 2) / 2)
        exact_value = 1 + 2 * one + one**2 * mpmath.cosh(mpmath.mpf(wave) ** 2 / 2)
        assert abs(evaluate(node, {}, 15) - exact_value) < 1e-14


def test_removable_singularities_lie_between_the_nodes():
    node = Expectation(tanh(x) / x, x, q)
    assert (
        abs(
            evaluate(node, {q: 1}, 20)
            - mpmath.quad(lambda z: mpmath.tanh(z) / z * mpmath.npdf(z), [-9, -1, 0, 1, 9])
        )
        < 1e-12
    )
