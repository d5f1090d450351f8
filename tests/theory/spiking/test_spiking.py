"""The derivation of spiking checks itself; limits and worked values by hand."""

import math

import mpmath
import pytest
from sympy import limit, simplify

from widelimit.theory import spiking as t
from widelimit.theory.errors import WidelimitError


def test_the_derivation_checks_itself():
    found = t.derive()
    assert all(step.passed for step in found.check(dps=15, points=2))
    assert {"zenke2018superspike", "vanrossum2001novel", "siegert1951first"} <= set(found.sources)


def test_both_time_constants_alike():
    """t exp(-t/a), and the overlaps of that: a^2 (a + D) exp(-D/a)/4."""
    at = {t.RISE: t.DECAY}
    assert simplify(t.response().subs(at) - t.TIME * (t.response().subs(at) / t.TIME)) == 0
    alike = t.overlap().subs(at).subs({t.DECAY: 2.0, t.LAG: 3.0})
    assert float(alike) == pytest.approx(4 * 5 * math.exp(-1.5) / 4, rel=1e-14)
    near = t.overlap().subs({t.DECAY: 2.0, t.RISE: 2.0 - 1e-7, t.LAG: 3.0})
    assert float(near) == pytest.approx(float(alike), rel=1e-6)
    assert limit(t.overlap_square().subs(t.DECAY, 1), t.RISE, 1).equals(5 / (4 * mpmath.mpf(8)))


def test_windows_meet_where_input_and_target_coincide():
    at = {t.DECAY: 0.01, t.RISE: 0.005, t.LAG: 0.0}
    assert float(t.window_after().subs(at)) == pytest.approx(float(t.window_before().subs(at)), rel=1e-12)


def test_surrogates_are_even_and_probabilities_complete():
    for name in t.NAMES:
        at = {t.SLOPE: 1.3, t.POTENTIAL: 0.37}
        other = {**at, t.POTENTIAL: -0.37}
        assert float(t.surrogate(name).subs(at)) == pytest.approx(
            float(t.surrogate(name).subs(other)), rel=1e-14
        )
        both = t.firing_probability(name).subs(at) + t.firing_probability(name).subs(other)
        assert float(both) == pytest.approx(1, rel=1e-14)
    with pytest.raises(WidelimitError, match="`name` must be one of"):
        t.surrogate("step")
