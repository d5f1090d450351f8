"""The derivation of retina checks itself; its limits by hand."""

import mpmath
import pytest

from widelimit.theory import retina as t
from widelimit.theory.errors import DerivationError


def test_the_derivation_checks_itself():
    found = t.derive()
    assert all(step.passed for step in found.check(dps=15, points=1))
    assert {"chichilnisky2001simple", "mcintosh2016deep", "sahani2003linear"} <= set(found.sources)


def test_a_formula_that_is_wrong_is_found(monkeypatch):
    from widelimit.theory.retina import sampling

    right = sampling.expected_cosine()
    monkeypatch.setattr(sampling, "expected_cosine", lambda: right * 1.01)
    with pytest.raises(DerivationError, match="cosine"):
        t.derive().check(dps=15, points=1)


@pytest.mark.parametrize("q", [-3.0, -3.5, -8.0])
def test_the_tail_is_what_it_continues(q):
    with mpmath.workdps(40):
        q = mpmath.mpf(q)
        mean = q * mpmath.ncdf(q) + mpmath.npdf(q)
        square = (q * q + 1) * mpmath.ncdf(q) + q * mpmath.npdf(q)
        assert float(t.tail_mean().subs(t.BELOW, -float(q))) == pytest.approx(float(mean), rel=1e-14)
        fano = (square - mean**2) / mean
        assert float(t.tail_fano().subs(t.BELOW, -float(q))) == pytest.approx(float(fano), rel=1e-14)


def test_deltas_count_in_the_slope():
    value = t.rate_slope("heaviside(x - 1)").subs(t.DRIVE_VARIANCE, 4)
    assert float(value) == pytest.approx(float(mpmath.npdf(1, 0, 2)), rel=1e-14)
