"""The derivation of a GRU in the plane holds, and single formulas are what mpmath says."""

import math

import mpmath
import pytest

from widelimit.theory import gru


def test_every_step_holds():
    assert all(check.passed for check in gru.derive().check(dps=20, points=2))


@pytest.mark.parametrize("gain,angle", [(2.0, math.pi / 6), (2.7, 0.4)])
def test_double_zero(gain, angle):
    """At a Bogdanov-Takens point trace and determinant vanish."""
    slopes = [float(gru.bt_slope().subs({gru.GAIN: gain, gru.ANGLE: angle, gru.SIGN: k})) for k in (1, -1)]
    c, s = gain * math.cos(angle), gain * math.sin(angle)
    assert c * sum(slopes) == pytest.approx(2, abs=1e-14)
    assert (c * slopes[0] - 1) * (c * slopes[1] - 1) + s * s * slopes[0] * slopes[1] == pytest.approx(
        0, abs=1e-14
    )


def test_sign_limit_at_sixty_degrees():
    period = gru.sign_period().subs({gru.ANGLE: mpmath.pi / 3, gru.GATE: 0})
    assert float(period) == pytest.approx(5.2678315876, abs=1e-9)


def test_hopf_angle_keeps_its_digits():
    with mpmath.workdps(40):
        gain = mpmath.mpf(1) + mpmath.mpf(2) ** -30
        true = float(mpmath.acos(1 / gain))
    assert float(gru.hopf_angle().subs(gru.GAIN, 1 + 2.0**-30).evalf(20)) == pytest.approx(true, rel=1e-14)
