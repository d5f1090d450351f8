"""The derivation of balanced coding checks itself, for odd activations and others; limits by hand."""

import pytest
from sympy import limit, simplify

from widelimit.theory import coding as t


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_derivation_checks_itself(activation):
    found = t.derive(activation)
    assert all(step.passed for step in found.check(dps=15, points=1))
    assert "kadmon2020predictive" in found.sources


def test_a_delay_of_zero_is_none():
    none = {t.DELAY: 0, t.COSINE: 1, t.SINE: 0}
    assert simplify(t.delayed_mode().subs(none) - t.mode_variance()) == 0


def test_the_linear_law_is_the_first_mode():
    assert simplify(t.mode_variance().subs(t.MODE, 1) - 1 / (1 + t.LOOP)) == 0
    assert limit(t.mode_variance(), t.MODE, 0) == 1 / (1 + t.LOOP) ** 2
