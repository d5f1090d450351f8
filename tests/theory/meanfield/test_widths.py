"""Finite width in theory: closed forms that are known, and steps that see one per cent."""

import pytest
from sympy import Rational, simplify

from widelimit.theory import meanfield as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.errors import DerivationError
from widelimit.theory.meanfield import width_steps, widths

Q, ONE = theory.q, {theory.keep: 1}


def test_closed_forms():
    """E u^(2k) = (2k - 1)!! q^k."""
    assert theory.fourth_moment("x**2") == 105 * Q**4
    assert theory.second_moment_curvature("x**3") == 90 * Q
    assert theory.square_variance("linear").subs(ONE) == 2 * Q**2
    spread = theory.length_spread_map("linear").subs(ONE)
    assert simplify(spread - theory.sigma_w**4 * (theory.spread + 2 * Q**2)) == 0


def test_a_closed_second_moment_has_a_closed_curvature():
    for name in ("erf", "sin", "hard_tanh", "elu"):
        difference = theory.second_moment_curvature(name) - theory.second_moment(name).diff(Q, 2)
        assert abs(difference.subs(Q, Rational(7, 10)).evalf(20)) < 1e-15


@pytest.mark.parametrize(
    "name", ["length_shift_map", "length_spread_map", "square_variance", "length_curvature"]
)
def test_one_per_cent_is_seen(name, monkeypatch):
    right = getattr(widths, name)
    monkeypatch.setattr(widths, name, lambda activation: right(activation) * Rational(101, 100))
    with pytest.raises(DerivationError):
        Derivation("wrong", tuple(width_steps.steps(Activation.of("tanh")))).check(dps=15, points=1)
