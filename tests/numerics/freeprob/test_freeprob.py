"""Laws in numbers against closed forms, mpmath and one another."""

from math import comb

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from sympy import Rational, cos, exp, sqrt
from sympy.abc import g, m

from widelimit.numerics import freeprob
from widelimit.theory import freeprob as symbolic
from widelimit.theory.errors import ArgumentError, ConvergenceError, DomainError, InputError

HALF = Rational(1, 2)


def fuss_catalan(factors, t):
    """lambda(t) and the density of log lambda, by the closed parametrisation, in logarithms."""
    n = factors + 1
    log_x = n * np.log(np.sin(n * t)) - np.log(np.sin(t)) - factors * np.log(np.sin(factors * t))
    log_s = 0.5 * (
        3 * np.log(np.sin(t))
        + (factors - 2) * np.log(np.sin(factors * t))
        - (factors - 1) * np.log(np.sin(n * t))
    )
    return log_x, np.exp(log_s + log_x / 2) / np.pi


@pytest.mark.parametrize("factors", [1, 4, 10, 100, 1000])
def test_fuss_catalan(factors):
    law = freeprob.law(S=(1 + m) ** -factors)
    t = np.linspace(0.002, 0.998, 250) * np.pi / (factors + 1)
    log_x, density = fuss_catalan(factors, t)
    assert np.abs(law.log_density(log_x) - density).max() < 1e-11
    assert abs(law.mass - 1) < 1e-12 and law.error < 1e-11
    top = (factors + 1) * np.log(factors + 1) - factors * np.log(factors)
    assert law.log_largest == pytest.approx(top, rel=1e-13)
    assert [law.moment(k) for k in (1, 2, 3)] == pytest.approx(
        [comb((factors + 1) * k, k) / (factors * k + 1) for k in (1, 2, 3)], rel=1e-12
    )


def test_marchenko_pastur_closed_form():
    ratio = 0.2
    law = freeprob.law(S=1 / (1 + m / 5))
    low, high = (1 - ratio**0.5) ** 2, (1 + ratio**0.5) ** 2
    x = np.linspace(low, high, 302)[1:-1]
    exact = np.sqrt((x - low) * (high - x)) / (2 * np.pi * ratio * x)
    assert np.abs(law.density(x) - exact).max() < 1e-11
    assert law.support[0] == pytest.approx((low, high), rel=1e-12)
    cdf = [
        quad(lambda y: np.sqrt((y - low) * (high - y)) / (2 * np.pi * ratio * y), low, v)[0] for v in x[::60]
    ]
    assert np.abs(law.cdf(x[::60]) - cdf).max() < 1e-7
    assert np.abs(law.quantile(law.cdf(x)) - x).max() < 1e-10
    # Hilbert transform inside the support is a straight part of G
    hilbert = (x + ratio - 1) / (2 * ratio * x) / np.pi
    assert np.abs(law.hilbert(x) - hilbert).max() < 1e-11


def test_product_of_two_equals_the_cubic():
    """Density of MP x MP from the roots of its cubic, in mpmath."""
    law = freeprob.law(S=1 / (1 + m / 5) ** 2)
    x = np.linspace(*law.support[0], 9)[1:-1]
    exact = []
    for point in x:  # z m = (1 + m)(1 + m/5)^2
        roots = mpmath.polyroots(
            [mpmath.mpf(1) / 25, mpmath.mpf(11) / 25, mpmath.mpf(7) / 5 - point, 1],
            maxsteps=200,
            extraprec=60,
        )
        exact.append(float(max(abs(mpmath.im(r)) for r in roots)) / np.pi / point)
    assert np.abs(law.density(x) - exact).max() < 1e-12
    numeric = freeprob.multiply(freeprob.law(S=1 / (1 + m / 5)), freeprob.law(S=1 / (1 + m / 5)))
    assert np.abs(numeric.density(x) - exact).max() < 1e-11


def test_hard_edge_keeps_its_mass():
    law = freeprob.law(S=1 / (1 + m) ** 2)
    assert abs(law.mass - 1) < 1e-12
    assert law.support[0][0] == 0.0 and law.density(0.0) == np.inf
    x, factor = 1e-9, 1e-3  # density ~ x^(-2/3) at zero
    assert law.density(x * factor) / law.density(x) == pytest.approx(factor ** (-2 / 3), rel=1e-3)


def test_laws_on_the_line():
    semi = freeprob.law(R=g)
    x = np.linspace(-2, 2, 41)[1:-1]
    assert np.abs(semi.density(x) - np.sqrt(4 - x**2) / (2 * np.pi)).max() < 1e-13
    assert np.abs(semi.hilbert(x) - x / (2 * np.pi)).max() < 1e-13
    arcsine = freeprob.law(symbolic.arcsine())
    assert np.abs(arcsine.density(x) - 1 / (np.pi * np.sqrt(4 - x**2))).max() < 1e-9
    poisson = freeprob.law(R=1 / (5 * (1 - g)))
    assert poisson.atoms[0][1] == pytest.approx(0.8, abs=1e-10) and abs(poisson.atoms[0][0]) < 1e-10
    two = freeprob.law(symbolic.free_poisson(Rational(1, 5)) + symbolic.semicircle(Rational(1, 100)))
    assert len(two.support) == 2 and abs(two.mass - 1) < 1e-12


def test_gaps_and_atoms():
    law = freeprob.multiply([(0.0, 0.2), (1.0, 0.8)], [(0.0, 0.4), (1.0, 0.3), (3.0, 0.3)])
    assert len(law.support) == 2
    assert np.array(law.atoms) == pytest.approx(np.array([(0.0, 0.4), (1.0, 0.1), (3.0, 0.1)]), abs=1e-12)
    assert law.error < 1e-11
    quantiles = law.quantile([0.0, 0.3, 0.41, 1.0])
    assert quantiles[0] == quantiles[1] == 0.0 and quantiles[2] > 0 and quantiles[3] == pytest.approx(3.0)
    # mass between the two intervals stays put
    gap = np.linspace(law.support[0][1], law.support[1][0], 4)[1:-1]
    assert np.ptp(law.cdf(gap)) < 1e-12 and (law.density(gap) == 0).all()


def test_free_projections():
    """p and q projections: edges p + q - 2pq +- 2 sqrt(pq(1-p)(1-q)) and the density between them."""
    p, q = 0.5, 0.2
    law = freeprob.multiply([(0.0, 1 - p), (1.0, p)], [(0.0, 1 - q), (1.0, q)])
    half = 2 * np.sqrt(p * q * (1 - p) * (1 - q))
    edges = (p + q - 2 * p * q - half, p + q - 2 * p * q + half)
    assert law.support[0] == pytest.approx(edges, rel=1e-10)
    x = np.linspace(*edges, 20)[1:-1]
    exact = np.sqrt((x - edges[0]) * (edges[1] - x)) / (2 * np.pi * x * (1 - x))
    assert np.abs(law.density(x) - exact).max() < 1e-9


def test_numeric_sums():
    arcsine = freeprob.add([(-1.0, 0.5), (1.0, 0.5)], [(-1.0, 0.5), (1.0, 0.5)])
    x = np.linspace(-1.9, 1.9, 21)
    assert np.abs(arcsine.density(x) - 1 / (np.pi * np.sqrt(4 - x**2))).max() < 1e-9
    semi = freeprob.law(R=g)
    both = freeprob.add(semi, semi)
    assert np.abs(both.density(x) - np.sqrt(8 - x**2) / (4 * np.pi)).max() < 1e-10


def test_brownian_edges_and_bernoulli_lambert():
    smooth = freeprob.law(S=exp(-m / 4))
    assert smooth.support[0] == pytest.approx((0.3213189208099667, 2.4237626004352246), rel=1e-12)
    law = freeprob.law(S=exp(-m / (4 * (1 + m))))
    assert law.atoms[0] == pytest.approx((np.exp(0.25), 0.75), rel=1e-10)
    assert law.error < 1e-11
    for x in (0.05, 0.3, 0.6):  # G by Lambert's W just above the axis
        z = mpmath.mpc(x, 1e-25)
        w = mpmath.lambertw(-mpmath.mpf(0.25) / z)
        cauchy = mpmath.mpf(0.25) / (z * (mpmath.mpf(0.25) + w))
        assert law.density(x) == pytest.approx(abs(float(cauchy.imag)) / np.pi, rel=1e-9)


def test_the_order_of_x_does_not_matter_and_scalars_stay_scalars():
    law = freeprob.law(S=1 / (1 + m))
    x = np.array([[3.0, 0.1], [5.0, 1.0]])
    assert law.density(x).shape == (2, 2) and isinstance(law.density(1.0), float)
    assert np.array_equal(law.density(x)[0][::-1], law.density(x[0][::-1]))
    assert (
        law.density(-1.0) == 0.0 and law.cdf(-1.0) == 0.0 and law.cdf(np.inf) == pytest.approx(1.0, abs=1e-14)
    )
    assert law.moment(12) == pytest.approx(comb(24, 12) / 13, rel=1e-11)
    assert law.singular(1.0) == pytest.approx(np.sqrt(3) / np.pi, rel=1e-12)


@pytest.mark.parametrize(
    "expression",
    [1 + m, 1 / m, m, exp(-m / 4) * (1 + m) ** 3, cos(m), 1 + 0 * m + m**2, (1 + m) ** 2 / (1 + 3 * m)],
)
def test_an_s_transform_of_no_law(expression):
    with pytest.raises((DomainError, ConvergenceError)):
        freeprob.law(S=expression)


@pytest.mark.parametrize("expression", [g**3 - g, g + g**3, g - 10 * g**3, 1 / g])
def test_an_r_transform_of_no_law(expression):
    with pytest.raises((DomainError, ConvergenceError)):
        freeprob.law(R=expression)


HALF_1_3 = (1 + m) / (1 + 2 * m + sqrt(1 + m + m**2))  # S of the mixture (delta_1 + delta_3)/2
ONE_TO_TEN = 20 * (1 + m) / (19 + 110 * m + sqrt(361 + 180 * m + 8100 * m**2))  # 0.9 delta_1 + 0.1 delta_10
WITH_ZERO = (
    16 * (1 + m) / (15 + 40 * m + 3 * sqrt(25 + 48 * m + 64 * m**2))
)  # (2 delta_0 + 3 delta_1 + 3 delta_4)/8
HALF_FIVE = 8 * (1 + m) / (11 + 22 * m + sqrt(121 + 324 * m + 324 * m**2))  # (delta_1/2 + delta_5)/2


@pytest.mark.parametrize(
    ("S", "atoms", "ratio"),
    [
        (HALF_1_3, [(1.0, 0.5), (3.0, 0.5)], Rational(1, 3)),
        (HALF_1_3, [(1.0, 0.5), (3.0, 0.5)], 5),
        (ONE_TO_TEN, [(1.0, 0.9), (10.0, 0.1)], 5),
        (WITH_ZERO, [(0.0, 0.25), (1.0, 0.375), (4.0, 0.375)], Rational(1, 3)),
        (HALF_FIVE, [(0.5, 0.5), (5.0, 0.5)], Rational(1, 20)),
    ],
)
def test_roots_are_continued_and_not_principal(S, atoms, ratio):
    """A mixture times Marchenko-Pastur: the gap needs the other branch of the root; against subordination."""
    law = freeprob.law(S=S / (1 + ratio * m))
    reference = freeprob.multiply(atoms, freeprob.law(S=1 / (1 + ratio * m)))
    assert law.error < 1e-13 and len(law.support) == len(reference.support)
    assert np.array(law.support) == pytest.approx(np.array(reference.support), rel=1e-8)
    for low, high in law.support:
        x = np.linspace(low, high, 7)[1:-1]
        assert law.density(x) == pytest.approx(reference.density(x), rel=1e-9)
    assert freeprob.law(S=S).atoms == pytest.approx(np.array(atoms), abs=1e-10)  # each on a sheet of its own


def test_a_hard_edge_behind_a_root():
    """Semicircle of mean 3 times Marchenko-Pastur: moments of the symbolic product, density by its polynomial."""
    law = freeprob.law(S=2 / (3 + sqrt(9 + 4 * m)) / (1 + m))
    product = symbolic.semicircle().shift(3) * symbolic.marchenko_pastur()
    assert [law.moment(k) for k in (1, 2, 3)] == pytest.approx(
        [float(v) for v in product.moments(3)], rel=1e-12
    )
    assert law.error < 1e-12 and law.support[0][0] == 0.0
    for x in (
        0.3,
        4.0,
        11.0,
    ):  # z m S = 1 + m with m S/(1 + m)^2 = 1/z: u = m S of the semicircle, u^2 + 3u = m
        with mpmath.workdps(25):  # so z u = (1 + u^2 + 3u)^2
            roots = mpmath.polyroots([1, 6, 11, 6 - x, 1], maxsteps=200, extraprec=100)
            values = [abs(float(mpmath.im(u**2 + 3 * u))) / np.pi / x for u in roots]
        assert min(abs(v - law.density(x)) for v in values) < 1e-12


def test_bad_input():
    law = freeprob.law(S=1 / (1 + m))
    with pytest.raises(ArgumentError, match="`x`"):
        law.density(1 + 1j)
    with pytest.raises(ArgumentError, match="`x`"):
        law.cdf(["a"])
    with pytest.raises(ArgumentError, match="`p`"):
        law.quantile(1.5)
    with pytest.raises(ArgumentError, match="no symbol but m"):
        freeprob.law(S=1 / (1 + g * m))
    with pytest.raises(ArgumentError, match="Text"):
        freeprob.law(S="1/(1+m)")
    with pytest.raises(ArgumentError, match="given"):
        freeprob.law()
    with pytest.raises(InputError, match="negative values"):
        freeprob.multiply([(-1.0, 0.5), (1.0, 0.5)], [(1.0, 1.0)])
    with pytest.raises(InputError, match="mean is not zero"):
        freeprob.multiply([(0.0, 1.0)], [(1.0, 1.0)])
    with pytest.raises(ArgumentError, match="sum to one"):
        freeprob.add([(0.0, 0.5)], [(1.0, 1.0)])
    with pytest.raises(ArgumentError, match="`log_largest`"):
        _ = freeprob.law(R=g).log_largest


def test_a_shifted_arcsine_keeps_its_infinite_edges():
    law = freeprob.law(symbolic.arcsine().shift(3))
    assert law.quantile(0.25) == pytest.approx(3 - 2**0.5, abs=1e-11) and law.error < 1e-11
    product = freeprob.multiply(freeprob.law(S=1 / (1 + m / 5)), law)
    exact = (symbolic.marchenko_pastur(Rational(1, 5)) * symbolic.arcsine().shift(3)).moments(3)
    assert [product.moment(k) for k in (1, 2, 3)] == pytest.approx([float(v) for v in exact], rel=1e-11)


def test_predict_reads_text():
    found = freeprob.predict("1/(1 + m/5)**2")
    assert found.error < 1e-12 and found.mean == pytest.approx(1.0)
    assert freeprob.predict(r_transform="g").support == ((-2.0, 2.0),)
    with pytest.raises(InputError):
        freeprob.predict("__import__('os')")
    with pytest.raises(ArgumentError, match="r_transform"):
        freeprob.predict("1/(1+m)", "g")


def test_sum_of_two_projections_with_atoms():
    """a = 2P - 1, b = 2Q - 1: atoms where the projections meet, elsewhere (a + b)^2/4 has the law of P Q P."""
    law = freeprob.add([(-1.0, 0.5), (1.0, 0.5)], [(-1.0, 0.2), (1.0, 0.8)])
    assert np.array(law.atoms) == pytest.approx(np.array([(0.0, 0.3), (2.0, 0.3)]), abs=1e-12)
    edges = 2 * np.sqrt([0.1, 0.9])
    assert np.abs(law.support) == pytest.approx(np.array([edges[::-1], edges]), rel=1e-9)
    x = np.linspace(*edges, 9)[1:-1]
    t = x**2 / 4  # density of PQP at t is sqrt((t - 0.1)(0.9 - t))/(2 pi t (1 - t)), shared by both signs
    exact = np.sqrt((t - 0.1) * (0.9 - t)) / (2 * np.pi * t * (1 - t)) * x / 2
    assert np.abs(law.density(x) - exact).max() < 1e-9
