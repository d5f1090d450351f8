"""Transforms that follow from one another, against a law whose three transforms are known: 1 plus a semicircle."""

import pytest
import sympy
from sympy import Rational, sqrt

from widelimit.theory.freeprob.conversion import close, g, m, z

MOTZKIN = (1, 2, 4, 9, 21, 51)  # moments of 1 + semicircle of variance 1
S = (sqrt(1 + 4 * m) - 1) / (2 * m)  # g + g^2 = m
R = 1 + g
M = z * ((z - 1) - sqrt((z - 1) ** 2 - 4)) / 2 - 1


def moments(count):
    return [sympy.Integer(one) for one in MOTZKIN[:count]]


PLACES = (m, Rational(1, 5)), (g, Rational(1, 7)), (z, sympy.Integer(9))


@pytest.mark.parametrize(("given", "found"), [((None, R, None), "SR"), ((None, None, M), "SRM")])
def test_each_transform_gives_the_others(given, found):
    """To 30 digits, at a point each; M of R needs S, whose own inverse has no branch that SymPy can name."""
    for name, one, right, (symbol, value) in zip(
        "SRM", close(*given, moments), (S, R, M), PLACES, strict=True
    ):
        if name in found:
            assert abs((one - right).subs(symbol, value).evalf(30, chop=False)) < 1e-25, name


def test_moments_are_those_of_the_series():
    """The right values above are right: M(z) = sum_k m_k z^-k."""
    u = sympy.Symbol("u", positive=True)
    series = sympy.series(M.subs(z, 1 / u).simplify(), u, 0, 7).removeO()
    assert [series.coeff(u, k) for k in range(1, 7)] == list(MOTZKIN)
