"""Formulas on fixed points and canonical correlations at values known from elsewhere."""

import math

import pytest

from widelimit.theory.dynamics import fixed, similarity


def test_newtons_radii_are_the_two_roots():
    point = {fixed.STEP: 0.1, fixed.DEFECT: 0.05, fixed.BENT: 2.0}
    small, large = (float(one.subs(point)) for one in (fixed.existence_radius(), fixed.uniqueness_radius()))
    assert small * large == pytest.approx(2 * 0.1 / 2.0) and small + large == pytest.approx(2 * 0.95 / 2.0)


def test_constants():
    assert float(fixed.tanh_bend().subs({fixed.INVERSE: 1, fixed.ROWS: 1})) == pytest.approx(0.7698003589195)
    assert float(fixed.time_constant().subs(fixed.MODULUS, math.exp(-0.1))) == pytest.approx(10)
    assert float(fixed.period().subs(fixed.ANGLE, math.pi / 6)) == pytest.approx(12)
    assert float(fixed.integrated_noise().subs({fixed.KEPT: 0.5, fixed.COUNT: 2, fixed.NOISE: 2})) == 5


def test_wachters_ends():
    point = {similarity.FIRST: 0.1, similarity.SECOND: 0.15}
    assert float(similarity.lowest().subs(point)) == pytest.approx(0.0758758667, abs=1e-10)
    assert float(similarity.highest().subs(point)) == pytest.approx(0.6589710562, abs=1e-10)
