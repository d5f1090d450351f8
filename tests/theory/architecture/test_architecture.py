"""Derivations of Fisher statistics, geometry and architectures: their own checks, and limits worked by hand."""

import mpmath as mp
import pytest
from sympy import Rational, Symbol, pi, simplify, sqrt

from widelimit.theory import batchnorm, convolution, fisher, geometry, recurrence, residual
from widelimit.theory.calculus.precision import evaluate
from widelimit.theory.errors import ArgumentError, DomainError, InfiniteMomentError
from widelimit.theory.kernel import SIGMA_W


@pytest.mark.parametrize(
    ("module", "activation"),
    [
        (fisher, "erf"),
        (geometry, "erf"),
        (recurrence, "erf"),
        (residual, "relu"),
        (batchnorm, "relu"),
        (convolution, "erf"),
    ],
)
def test_derivations_check_themselves(module, activation):
    derivation = module.derive(activation)
    assert all(check.passed for check in derivation.check(dps=20, points=1))
    assert derivation.latex() and derivation.mathml()


def test_residual_tanh_tail_is_a_limit():
    step = residual.derive("tanh")["tail"]
    with mp.workdps(15):
        left = evaluate(step.equation.args[0], {residual.Q: 10**5}, 15)
    assert abs(left / mp.mpf("1.3333333333333333") - 1) < 1e-4


def test_batchnorm_and_residual_constants():
    assert simplify(batchnorm.gradient_factor("relu") - pi / (pi - 1)) == 0
    assert batchnorm.linear_factor(8) == Rational(6, 5)
    assert batchnorm.gradient_factor("linear") == 1
    with pytest.raises(DomainError, match="above 3"):
        batchnorm.linear_factor(3)
    reduced = residual.tanh_exponent().subs({residual.SIGMA_V: 1, residual.SIGMA_A: 0})
    assert simplify(reduced - 4 * sqrt(2 / pi) * SIGMA_W / 3) == 0


def test_curvature_needs_a_second_derivative():
    for name in ("relu", "hard_tanh"):
        with pytest.raises(InfiniteMomentError, match="kink"):
            geometry.bending(name)


def test_curvature_at_the_edge_of_chaos_grows_linearly():
    """The general solution tends to its special case as chi_1 -> 1."""
    layer = 7
    solved = geometry.derive("tanh")["curvature-solved"].equation.lhs
    near = solved.subs(
        {
            geometry.LAYER: layer - 1,
            geometry.CHI_1: 1 + mp.mpf("1e-12"),
            geometry.CHI_2: 2,
            geometry.CURVATURE: 3,
        }
    )
    with mp.workdps(30):
        assert abs(mp.mpf(str(near.evalf(30))) - (3 + 3 * 2 * (layer - 1))) < 1e-3


def test_rice_at_level_zero():
    q, s, m = (Symbol(n, positive=True) for n in ("q0", "s0", "m0"))
    rate = geometry.crossing_rate().subs(
        {geometry.LEVEL: 0, geometry.Q: q, geometry.CROSS: s, geometry.MOMENT: m}
    )
    values = {q: mp.mpf(2), s: mp.mpf("0.5"), m: mp.mpf(3)}
    with mp.workdps(20):
        expected = mp.sqrt(mp.mpf(3) / 2 - mp.mpf("0.25") / 4) / mp.pi
        assert abs(evaluate(rate, values, 20) - expected) < 1e-15


def test_filters():
    assert sum(convolution.filter_weight(5)) == 1 and convolution.filter_weight(3, "delta") == (0, 1, 0)
    with pytest.raises(ArgumentError, match="odd"):
        convolution.filter_weight(4)


@pytest.mark.parametrize(("level", "s"), [("0.7", "0.5"), ("-1.3", "0.8"), ("2.1", "-0.4")])
def test_rice_at_a_level_by_counting(level, s):
    """The rate over a short time dt is the probability that h and h + hdot dt lie on two sides of the level."""
    q, m, dt = mp.mpf(2), mp.mpf(3), mp.mpf("1e-7")
    level, s = mp.mpf(level), mp.mpf(s)
    values = {geometry.Q: q, geometry.CROSS: s, geometry.MOMENT: m, geometry.LEVEL: level}
    with mp.workdps(20):
        found = evaluate(geometry.crossing_rate(), values, 20)
        noise = mp.sqrt(m - s**2 / q)

        def passes(y):  # h = level + dt y, hdot given h is Gaussian of mean s h/q
            h = level + dt * y
            beyond = (s * h / q + y) / noise  # hdot above -y, in standard deviations
            return mp.npdf(h, 0, mp.sqrt(q)) * mp.ncdf(beyond if y < 0 else -beyond)

        counted = mp.quad(passes, [-12 * noise, 0, 12 * noise])
    assert abs(found / counted - 1) < 1e-6  # of the order of dt
