"""Bivariate normal probabilities and erfcx against integrals of the density."""

import mpmath
import pytest
from sympy import Rational, S, Symbol, asin, diff, erfc, latex, oo, pi, symbols
from sympy.printing.mathml import mathml

from widelimit.theory.calculus.gaussian.special import BivariateNormalCDF, erfcx, normal_cdf

POINTS = [
    ("1", "1/2", "1/3"), ("1", "-2", "-9/10"), ("-3", "-4", "-9/10"), ("-1", "2", "19/20"), ("1/10", "-1/10", "-4/5"),
    ("-3", "-4", "1/2"), ("3", "2", "-1/2"),
]  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
def test_against_the_conditional_integral(point):
    """P = int_{-oo}^h phi(x) Phi((k - rho x)/sqrt(1 - rho^2)) dx, to 25 digits relative."""
    h, k, rho = map(S, point)
    value = BivariateNormalCDF(h, k, rho).evalf(30)
    with mpmath.workdps(40):
        a, b, r = (mpmath.mpf(t.p) / t.q for t in (h, k, rho))
        s = mpmath.sqrt(1 - r * r)
        cuts = [a - mpmath.mpf(k) / 2 for k in range(28, 0, -1)]
        peak = max(mpmath.npdf(t) * mpmath.ncdf((b - r * t) / s) for t in (*cuts, a))

        def density(t):  # quad stops at an absolute error
            return mpmath.npdf(t) * mpmath.ncdf((b - r * t) / s) / peak

        exact = peak * mpmath.quad(density, [*cuts, a], method="gauss-legendre")
        assert abs(mpmath.mpf(str(value)) - exact) < mpmath.mpf(10) ** -25 * exact


def test_elementary_cases():
    h, k, rho = symbols("h k rho", real=True)
    assert BivariateNormalCDF(0, 0, rho) == Rational(1, 4) + asin(rho) / (2 * pi)
    assert BivariateNormalCDF(h, k, 0) == normal_cdf(h) * normal_cdf(k)
    assert BivariateNormalCDF(h, oo, rho) == normal_cdf(h)
    assert BivariateNormalCDF(-oo, k, rho) == 0
    assert BivariateNormalCDF(1, 2, 1) == normal_cdf(S.One)
    assert BivariateNormalCDF(-1, Rational(1, 2), -1) == 0
    assert abs((BivariateNormalCDF(1, 2, -1) - normal_cdf(S(1)) - normal_cdf(S(2)) + 1).evalf(20)) < 1e-18


def test_continuity_towards_perfect_correlation():
    near = BivariateNormalCDF(Rational(3, 10), Rational(7, 10), 1 - Rational(1, 10**9)).evalf(20)
    assert abs(near - normal_cdf(Rational(3, 10)).evalf(20)) < 1e-15  # the thresholds are far apart


@pytest.mark.parametrize("argument", range(3))
def test_derivatives(argument):
    names = symbols("h k rho", real=True)
    point = dict(zip(names, (Rational(2, 5), Rational(-3, 4), Rational(3, 5)), strict=True))
    claimed = diff(BivariateNormalCDF(*names), names[argument]).subs(point).evalf(25)
    step = Rational(1, 10**10)
    up, down = (
        BivariateNormalCDF(
            *(v + side * step * int(i == argument) for i, v in enumerate(point.values()))
        ).evalf(45)
        for side in (1, -1)
    )
    assert abs((up - down) / (2 * step) - claimed) < 1e-18


def test_erfcx():
    z = Symbol("z", real=True)
    for value in (Rational(-3, 2), Rational(1, 7), S(40)):
        with mpmath.workdps(50):
            point = mpmath.mpf(value.p) / value.q
            exact = mpmath.exp(point**2) * mpmath.erfc(point)
            assert abs(mpmath.mpf(str(erfcx(value).evalf(30))) / exact - 1) < 1e-28
    assert erfcx(S(10) ** 6).evalf(10) > 0
    assert erfcx(z).rewrite(erfc).has(erfc)
    slope = erfcx(z).diff(z).subs(z, 1).evalf(20)
    assert (
        abs(slope - (erfcx(1 + S(10) ** -12) - erfcx(1 - S(10) ** -12)).evalf(40) / (2 * S(10) ** -12))
        < 1e-15
    )


def test_printing():
    h, k, rho = symbols("h k rho")
    node = BivariateNormalCDF(h, k, rho)
    assert latex(node) == r"\Phi_2\left(h, k, \rho\right)"
    assert mathml(node, printer="presentation").startswith("<mrow><msub><mi>&#934;</mi><mn>2</mn></msub>")
