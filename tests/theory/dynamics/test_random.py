"""The derivation of random networks checks itself, also for an activation with a kink."""

import pytest
from sympy import log

from widelimit.theory import dynamics as t


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_derivation_checks_itself(activation):
    found = t.derive(activation)
    assert all(step.passed for step in found.check(dps=15, points=2))
    assert "sompolinsky1988chaos" in found.sources


def test_newmans_law_is_the_spectrum_of_slopes_one():
    # E d/(zeta - d) = t - 1 at d = 1 has zeta = t/(t - 1)
    here = t.spectrum_exponent().subs(t.ZETA, t.FRACTION / (t.FRACTION - 1))
    assert (here - log(t.DISORDER**2 * t.FRACTION) / 2).subs({t.FRACTION: 0.3, t.DISORDER: 1.7}).evalf() == 0
