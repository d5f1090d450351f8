"""The derivation of robustness checks itself; moments and bounds by hand."""

import math

import pytest
from sympy import simplify

from widelimit.theory import robustness as t
from widelimit.theory.errors import ArgumentError

MOMENTS = (t.M_1, t.M_2, t.M_3, t.M_4)


def of_law(law):
    return {one: t.absolute_moment(law, k) for k, one in enumerate(MOMENTS, 1)}


def test_the_derivation_checks_itself():
    found = t.derive()
    assert all(step.passed for step in found.check(dps=15, points=2))
    assert {"nayebi2017biologically", "brendel2017comment", "schoenholz2017deep"} <= set(found.sources)


def test_ratios_of_the_families():
    gaussian = t.size_ratio().subs(of_law("gaussian"))
    assert float(gaussian) == pytest.approx(math.sqrt(2 / math.pi), rel=1e-15)
    assert float(t.size_ratio().subs(of_law("laplace"))) == pytest.approx(math.sqrt(0.5), rel=1e-15)
    nu = 7.5
    known = (
        2 * math.sqrt(nu) * math.gamma((nu + 1) / 2) / (math.sqrt(math.pi) * math.gamma(nu / 2) * (nu - 1))
    )
    student = t.size_ratio().subs(of_law("student")).subs(t.SHAPE, nu)
    assert float(student) == pytest.approx(known * math.sqrt((nu - 2) / nu), rel=1e-13)
    sparse = t.kurtosis().subs(of_law("sparse")).subs(t.SHAPE, 0.3)
    assert float(sparse) == pytest.approx(10, rel=1e-14)
    assert float(t.size_ratio().subs(of_law("sparse")).subs(t.SHAPE, 0.3)) == pytest.approx(
        math.sqrt(0.6 / math.pi), rel=1e-14
    )


def test_corrections_of_order_one_over_n():
    for law, known in (("gaussian", 0.25), ("laplace", 0.875)):
        one = (t.finite_ratio() / t.size_ratio() - 1).subs(of_law(law)) * t.SIZE
        assert float(simplify(one)) == pytest.approx(known, rel=1e-14)
    third = (t.M_3 / (t.M_1 * t.M_2)).subs(of_law("student")).subs(t.SHAPE, 7.5)
    assert float(third) == pytest.approx(2 * 5.5 / 4.5, rel=1e-13)


def test_slopes_of_tanh():
    assert float(t.saturated_slope("tanh").subs(t.MARGIN, 2)) == pytest.approx(math.cosh(2) ** -2, rel=1e-14)


@pytest.mark.parametrize("function", [t.saturated_slope, t.slope_integral, t.end_square, t.absolute_moment])
@pytest.mark.parametrize("name", ["relu", "", None, 3, ["tanh"], "__import__('os')"])
def test_other_names_are_refused(function, name):
    with pytest.raises(ArgumentError):
        function(name)
