"""Formulas of sample covariance spectra against published values, counts and limits from outside."""

import math

import pytest
from sympy import Rational, S

from widelimit.theory import spectra as t


@pytest.fixture(scope="module")
def derivation():
    return t.derive()


def test_the_derivation_checks_itself(derivation):
    assert all(step.passed for step in derivation.check(dps=15, points=1))
    assert {"bornemann2010numerical", "baik2006eigenvalues", "gavish2014optimal"} <= set(derivation.sources)


def test_white_noise_is_marchenko_pastur():
    at = {t.RATIO: Rational(1, 4), t.NOISE: 2, t.SPREAD: 0}
    assert t.bulk_edge().subs(at) == 2 * Rational(9, 4)
    assert t.bulk_edge(-1).subs(at) == 2 * Rational(1, 4)
    x = 1.3
    root = math.sqrt((4.5 - x) * (x - 0.5))
    assert float(t.bulk_density().subs({**at, t.VALUE: x})) == pytest.approx(
        root / (2 * math.pi * 0.25 * 2 * x), rel=1e-14
    )


def test_spikes_of_textbooks():
    # l = 3 in unit noise: x = l (1 + c/(l - 1)), cos^2 = (1 - c/(l - 1)^2)/(1 + c/(l - 1))
    at = {t.SPIKE: 3, t.NOISE: 1, t.RATIO: Rational(1, 2)}
    assert t.spiked_eigenvalue().subs(at) == Rational(15, 4)
    assert t.spiked_overlap().subs(at).expand() == Rational(7, 10)
    assert t.threshold().subs({t.NOISE: 3, t.RATIO: Rational(1, 4)}) == Rational(9, 2)


def test_the_largest_eigenvalue_of_noise_by_johnstone_and_ma():
    n, p = 100, 40
    at = {t.SAMPLES: n, t.DIMENSIONS: p, t.NOISE: 1, t.SPREAD: 0}
    a, b = math.sqrt(n - 0.5), math.sqrt(p - 0.5)
    assert float(t.largest_centre().subs(at)) == pytest.approx((a + b) ** 2 / n, rel=1e-14)
    assert float(t.largest_scale().subs(at)) == pytest.approx(
        (a + b) * (1 / a + 1 / b) ** (1 / 3) / n, rel=1e-13
    )


def test_thresholds_for_singular_values_of_gavish_and_donoho():
    assert float(t.hard_threshold().subs(t.RATIO, 1)) == pytest.approx(4 / math.sqrt(3), rel=1e-15)
    wide, narrow = (float(t.hard_threshold().subs(t.RATIO, one)) for one in (S(4), Rational(1, 4)))
    assert wide == pytest.approx(2 * narrow, rel=1e-14)  # the transposed matrix, in its own units


@pytest.mark.parametrize("beta", [3, True, 0])
def test_other_betas_are_refused(beta):
    with pytest.raises(ValueError, match="`beta` must be 1, 2 or 4"):
        t.distribution(beta)
