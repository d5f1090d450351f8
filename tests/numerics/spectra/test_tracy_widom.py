"""Tracy-Widom laws against published constants, and determinants of another kernel."""

import math
import pickle
import time

import mpmath
import numpy as np
import pytest
from scipy.special import airy

from widelimit.numerics import spectra
from widelimit.theory.errors import ArgumentError

# Bornemann (2010), table 10: mean, variance
PUBLISHED = {
    1: (-1.2065335745820, 1.607781034581),
    2: (-1.771086807411, 0.8131947928329),
    4: (-2.306884893241, 0.5177237207726),
}


def _reference(beta, s, size=60):
    """F_beta by det(1 -+ Ai((x + y)/2)/2) on x, y >= s, Ferrari and Spohn's first form, at another number of nodes."""
    s = s * (math.sqrt(2) if beta == 4 else 1)
    x, w = np.polynomial.legendre.leggauss(size)
    length = 32 - s
    places, root = s + length * (1 + x) / 2, np.sqrt(length * w / 2)
    kernel = root[:, None] * root * airy((places[:, None] + places) / 2)[0] / 2
    minus, plus = (np.linalg.det(np.eye(size) + sign * kernel) for sign in (-1, 1))
    return {1: minus, 2: minus * plus, 4: (minus + plus) / 2}[beta]


@pytest.mark.parametrize("beta", [1, 2, 4])
def test_mean_and_variance_are_the_published_ones(beta):
    law = spectra.tracy_widom(beta)
    assert law.mean == pytest.approx(PUBLISHED[beta][0], abs=2e-12)
    assert law.variance == pytest.approx(PUBLISHED[beta][1], abs=2e-12)


@pytest.mark.parametrize("beta", [1, 2, 4])
def test_distribution_against_other_determinants(beta):
    law = spectra.tracy_widom(beta)
    for s in (-6.0, -4.3, -1.001, -0.999, 0.4, 2.0):
        assert law.cdf(s) == pytest.approx(_reference(beta, s), abs=1e-12)


def test_values_of_published_tables():
    # F_2 as Bornemann prints it; quantiles of F_1 as Johnstone's test uses them
    found = spectra.tracy_widom(2).cdf([-4.0, -2.0, 0.0])
    assert found == pytest.approx([0.0035445535955, 0.4132241425051, 0.9693728283552], abs=1e-12)
    assert spectra.tracy_widom(1).quantile([0.9, 0.95, 0.99]) == pytest.approx(
        [0.4501, 0.9793, 2.0234], abs=6e-5
    )


def test_p_values_keep_their_digits_far_to_the_right():
    # 1 - F_1 -> trace of the kernel = half the integral of Ai from s on
    law = spectra.tracy_widom(1)
    for s in (10.0, 25.0):
        trace = mpmath.quad(mpmath.airyai, [s, s + 2, s + 8, s + 30]) / 2
        assert law.sf(s) == pytest.approx(float(trace), rel=1e-10)
    two = spectra.tracy_widom(2)
    s = 9.0  # 1 - F_2 -> trace of the Airy kernel
    kernel = lambda x: mpmath.airyai(x, derivative=1) ** 2 - x * mpmath.airyai(x) ** 2  # noqa: E731
    assert two.sf(s) == pytest.approx(float(mpmath.quad(kernel, [s, s + 2, s + 10])), rel=1e-8)


@pytest.mark.parametrize("beta", [1, 2, 4])
def test_density_quantile_and_distribution_belong_together(beta):
    law = spectra.tracy_widom(beta)
    p = np.array([1e-9, 1e-3, 0.2, 0.5, 0.9, 0.999, 1 - 1e-12])
    assert law.cdf(law.quantile(p)) == pytest.approx(p, rel=1e-6, abs=1e-13)
    s = np.linspace(-7, 5, 25)
    h = 1e-5
    slope = (law.cdf(s + h) - law.cdf(s - h)) / (2 * h)
    assert law.pdf(s) == pytest.approx(slope, abs=2e-10)
    everywhere = law.cdf(np.linspace(-40, 80, 4001))
    assert (np.diff(everywhere) >= -1e-14).all()
    assert everywhere[0] == 0
    assert everywhere[-1] == 1


def test_ends_and_shapes():
    law = spectra.tracy_widom(2)
    assert law.cdf([-np.inf, np.inf]).tolist() == [0.0, 1.0]
    assert law.quantile([0, 1]).tolist() == [-np.inf, np.inf]
    assert law.cdf(np.zeros((2, 3))).shape == (2, 3)
    assert isinstance(law.cdf(0), float)
    assert pickle.loads(pickle.dumps(law)) == law


def test_a_thousand_points_in_twenty_milliseconds():
    law = spectra.tracy_widom(1)
    s = np.linspace(-8, 6, 1000)
    law.cdf(s)
    start = time.process_time()
    law.cdf(s)
    assert time.process_time() - start < 0.02


@pytest.mark.parametrize("p", [-0.1, 1.1, 1e-20, float("nan"), "0.5", True])
def test_quantiles_of_no_chance_are_refused(p):
    with pytest.raises(ArgumentError, match="`p`"):
        spectra.tracy_widom(1).quantile(p)


@pytest.mark.parametrize("beta", [3, True, "1", None, float("nan"), [1], 1.5])
def test_other_betas_are_refused(beta):
    with pytest.raises(ArgumentError, match="`beta` must be 1, 2 or 4"):
        spectra.tracy_widom(beta)
