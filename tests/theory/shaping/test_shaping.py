"""Shaped activations: the derivation checks itself, and formulas against worked values from outside."""

import math

import pytest
from sympy import Symbol

from widelimit.theory import shaping as t
from widelimit.theory.errors import ArgumentError, InfiniteMomentError


@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_the_derivation_checks_itself(activation):
    found = t.derive(activation)
    assert all(step.passed for step in found.check(dps=15, points=1))
    assert {"martens2021rapid", "zhang2022deep", "brock2021characterizing"} <= set(found.sources)


def test_kinks_have_no_curvature():
    with pytest.raises(InfiniteMomentError, match="has a kink"):
        t.derive("relu")
    with pytest.raises(InfiniteMomentError, match="jumps"):
        t.slope("sign(x)")


def test_relu_in_closed_form():
    assert float(t.overlap("relu")) == pytest.approx(1 / math.pi, rel=1e-14)
    assert float(t.slope("relu")) == 1.0 and float(t.length_slope("relu")) == 0.5


@pytest.mark.parametrize("kappa", [1e-6, 0.3, 0.9, 1.0])
def test_slope_and_kink_are_inverse(kappa):
    slope = t.leaky_slope().subs(t.KAPPA, kappa)
    assert float(t.leaky_kink().subs(t.NEGATIVE, slope)) == pytest.approx(kappa, rel=1e-9)


def test_signs_are_signs():
    for bad in (0, 2, True, "1", 1.0, Symbol("s")):
        with pytest.raises(ArgumentError, match="must be 1 or -1"):
            t.tat_shift(bad)
