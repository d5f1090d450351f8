"""Special functions in nopython code against mpmath."""

import math

import mpmath
import numpy as np
import pytest

from widelimit.numerics.compile import special
from widelimit.theory.calculus.gaussian.special import BivariateNormalCDF


@pytest.mark.parametrize("name", ["erfcx", "ndtr", "dawsn", "psi", "gammaln", "erfi", "expi"])
def test_scipy_functions_reach_nopython_code(name):
    exact = {
        "erfcx": lambda z: mpmath.exp(z * z) * mpmath.erfc(z),
        "ndtr": mpmath.ncdf,
        "dawsn": lambda z: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-z * z) * mpmath.erfi(z),
        "psi": mpmath.digamma,
        "gammaln": mpmath.loggamma,
        "erfi": mpmath.erfi,
        "expi": mpmath.ei,
    }[name]
    for point in (0.3, 1.7, 4.0):
        assert getattr(special, name)(point) == pytest.approx(float(exact(point)), rel=1e-13)


@pytest.mark.parametrize("gap", [1e-14, 1e-9, 1e-3, 0.4, 1.6, 2 - 1e-6])
def test_bivariate_normal(gap):
    for h, k in [(0.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.3, -0.4), (2.0, 2.0), (-1.5, -1.5), (0.7, 0.7001)]:
        with mpmath.workdps(40):
            exact = float(BivariateNormalCDF(h, k, 1 - mpmath.mpf(gap)).evalf(18))
        assert special.bvn(h, k, gap, 2 - gap) == pytest.approx(exact, abs=1e-15)


def test_bivariate_normal_limits():
    assert special.bvn(math.inf, 0.0, 0.5, 1.5) == 0.5 and special.bvn(-math.inf, 3.0, 0.5, 1.5) == 0.0
    assert special.bvn(0.5, 1.0, 0.0, 2.0) == special.normal_cdf(0.5)
    assert special.bvn(-1.0, 0.5, 2.0, 0.0) == 0.0


def test_lambert_w():
    for z in [-1 / math.e, -0.3678794, -0.2, -1e-9, 1e-300, 0.5, 3.0, 1e5, 1e300]:
        assert special.lambertw(z, 0) == pytest.approx(float(mpmath.lambertw(z).real), rel=1e-14)
        if z < 0:
            assert special.lambertw(z, -1) == pytest.approx(float(mpmath.lambertw(z, -1).real), rel=1e-14)
    assert math.isnan(special.lambertw(-1.0, 0))
    rng = np.random.default_rng(0)
    for _ in range(200):
        z = 10 ** rng.uniform(-3, 3) * np.exp(1j * rng.uniform(-np.pi, np.pi))
        for branch in (-1, 0, 1):
            assert special.lambertw_complex(z, branch) == pytest.approx(
                complex(mpmath.lambertw(z, branch)), rel=1e-12
            )


def test_tails_do_not_overflow():
    assert special.expit(-800.0) == 0.0 and special.expit(800.0) == 1.0
    assert special.expit(-40.0) == pytest.approx(float(mpmath.exp(-40)), rel=1e-15)
    assert special.log1pexp(1000.0) == 1000.0 and special.log1pexp(-40.0) == pytest.approx(
        math.exp(-40), rel=1e-15
    )
