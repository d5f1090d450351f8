"""The derivation of walkback checks itself; worked values by hand."""

import math

import pytest
from sympy import simplify

from widelimit.theory import walkback as t


def test_the_derivation_checks_itself():
    found = t.derive()
    assert all(step.passed for step in found.check(dps=20))
    assert {"goyal2017variational", "sivak2012thermodynamic"} <= set(found.sources)


def test_a_rotation_is_half_of_its_residual_less_two():
    found = t.way_back().subs({t.DIMENSION: 2, t.SQUARE: t.rotation_residual()})
    assert simplify(found - t.rotation_entropy()) == 0
    value = t.rotation_entropy().subs({t.CONTRACTION: 0.8, t.ANGLE: 0.6})
    assert float(value) == pytest.approx(4 * 0.64 * math.sin(0.6) ** 2 / 0.36, rel=1e-14)
