"""Canonical correlations against scikit-learn's angles, Monte Carlo and Wachter's law by mpmath."""

import warnings

import mpmath
import numpy as np
import pytest
from scipy.linalg import subspace_angles, toeplitz
from scipy.optimize import brentq

from widelimit.numerics import dynamics
from widelimit.numerics.dynamics import similarity
from widelimit.theory.errors import ArgumentError, CertainWarning, DataWarning, WidelimitError


def smooth(generator, n, p, factor):
    """Independent AR(1) signals in their stationary state."""
    x = generator.normal(size=(n, p))
    for t in range(1, n):
        x[t] = factor * x[t - 1] + np.sqrt(1 - factor**2) * x[t]
    return x


def test_correlations_are_cosines_of_angles():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(60, 4)), generator.normal(size=(60, 7))
    y[:, :2] += x[:, :2]
    found = dynamics.cca(x, y)
    assert np.allclose(found.correlations, np.sort(np.cos(subspace_angles(x, y)))[::-1], atol=1e-14)
    assert (found.p, found.q, found.samples) == (4, 7, 60)
    assert found.largest == found.correlations[0] and found.smallest == found.correlations[-1]
    assert found.mean == pytest.approx(found.correlations.mean())
    assert found.mean_square == pytest.approx((found.correlations**2).mean())
    for same in (dynamics.cca(y, 1e200 * x), dynamics.cca(y.reshape(3, 20, 7), x.reshape(3, 20, 4))):
        assert np.allclose(same.correlations, found.correlations, atol=1e-14) and (same.p, same.q) == (4, 7)


def test_no_mean_is_removed():
    ones, wave = np.ones((40, 1)), np.sin(np.arange(40.0))[:, None] + 2
    expected = wave.sum() / np.sqrt(40 * (wave**2).sum())
    assert dynamics.cca(ones, wave).largest == pytest.approx(expected, rel=1e-14)


def test_what_both_share_is_regressed_out():
    generator = np.random.default_rng(1)
    shared = generator.normal(size=(200, 3))
    x = shared @ generator.normal(size=(3, 5)) + generator.normal(size=(200, 5))
    y = shared @ generator.normal(size=(3, 5)) + generator.normal(size=(200, 5))
    raw, partial = dynamics.cca(x, y), dynamics.cca(x, y, given=shared)
    assert partial.samples == 197
    # residuals by least squares, then angles
    residual = [z - shared @ np.linalg.lstsq(shared, z, rcond=None)[0] for z in (x, y)]
    assert np.allclose(partial.correlations, np.sort(np.cos(subspace_angles(*residual)))[::-1])
    assert raw.mean_square > 5 * partial.mean_square and abs(partial.mean_square - 5 / 197) < 0.02
    assert partial.null().mean_square == pytest.approx(5 / 197)


def test_components_are_the_principal_ones():
    generator = np.random.default_rng(2)
    x = generator.normal(size=(100, 6)) * np.array([9, 7, 5, 1, 0.5, 0.1])
    y = generator.normal(size=(100, 3))
    top, left = (np.linalg.svd(z, full_matrices=False)[0][:, :2] for z in (x, y))
    found = dynamics.cca(x, y, components=2)
    assert (found.p, found.q) == (2, 2)
    assert np.allclose(found.correlations, np.sort(np.cos(subspace_angles(top, left)))[::-1], atol=1e-14)


@pytest.mark.parametrize(
    ("p", "q", "n"), [(100, 150, 1000), (30, 30, 300), (5, 400, 1000), (40, 41, 90), (50, 70, 100)]
)
def test_wachters_law(p, q, n):
    """Mean r against mpmath's quadrature of the density in its textbook form; ends and atom from theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CertainWarning)
        null = dynamics.cca_null(n, p, q)
    a, b = mpmath.mpf(p) / n, mpmath.mpf(q) / n
    low = abs(mpmath.sqrt(a * (1 - b)) - mpmath.sqrt(b * (1 - a)))
    high = mpmath.sqrt(a * (1 - b)) + mpmath.sqrt(b * (1 - a))

    def at(angle):  # r = sqrt(low^2 + (high^2 - low^2) sin^2)
        x = low**2 + (high**2 - low**2) * mpmath.sin(angle) ** 2
        weight = mpmath.sqrt((x - low**2) * (high**2 - x)) / (2 * mpmath.pi * a * x * (1 - x))
        return mpmath.sqrt(x) * weight * (high**2 - low**2) * mpmath.sin(2 * angle)

    atom = max(0, (a + b - 1) / a)
    assert null.mean == pytest.approx(
        float(mpmath.quad(at, mpmath.linspace(0, mpmath.pi / 2, 9)) + atom), rel=1e-9
    )
    assert null.smallest == pytest.approx(float(low), abs=1e-12)
    assert null.largest == (1.0 if atom else pytest.approx(float(high), rel=1e-12))
    assert null.mean_square == pytest.approx(q / n) and null.atom == pytest.approx(float(atom))


def test_worked_values_of_the_white_null():
    null = dynamics.cca_null(1000, 100, 150)
    assert null.mean == pytest.approx(0.3555780422, abs=1e-10)
    assert (null.smallest, null.largest) == pytest.approx((0.0758758667, 0.6589710562), abs=1e-10)
    assert dynamics.cca_null(1000, 150, 100) == null


@pytest.mark.parametrize(
    ("factor", "n", "p", "q", "value", "measured", "error"),
    [
        (0.5, 400, 20, 30, 0.11695, 0.1177, 7e-4),
        (0.98, 400, 20, 20, 0.4864, 0.4779, 22e-4),
        (0.95, 1000, 50, 50, 0.4124, 0.4098, 7e-4),
    ],
)
def test_smooth_signals_have_the_means_that_were_measured(factor, n, p, q, value, measured, error):
    """The note's table of AR(1) signals, and its Monte Carlo within four errors and 1/p."""
    null = dynamics.cca_null(n, p, q, autocorrelation=lambda lag: factor**lag)
    assert null.mean_square == pytest.approx(value, abs=6e-5)
    assert abs(null.mean_square - measured) < 4 * error + 0.4 * value / p
    assert null.mean is None and null.largest is None and null.smallest is None


def test_other_autocorrelations():
    assert dynamics.cca_null(400, 20, 30, autocorrelation=0.9 ** np.arange(400)).mean_square == pytest.approx(
        0.40682, abs=5e-6
    )
    white = dynamics.cca_null(300, 20, 30, autocorrelation=[2.0])
    assert white.mean_square == pytest.approx(0.1, rel=1e-12) and white.degrees == pytest.approx(300)
    bell = dynamics.cca_null(500, 10, 10, autocorrelation=lambda lag: np.exp(-(lag**2) / 200))
    assert bell.mean_square == pytest.approx(0.3121, abs=5e-5)


def test_monte_carlo_of_stretches():
    """Eight independent trials of 50 samples: blocks of the covariance; and the null of the data's own correlation."""
    generator = np.random.default_rng(3)
    found = []
    for _ in range(30):
        x, y = (np.stack([smooth(generator, 50, k, 0.9) for _ in range(8)]) for k in (20, 30))
        found.append(dynamics.cca(x, y).mean_square)
    null = dynamics.cca_null(400, 20, 30, autocorrelation=lambda lag: 0.9**lag, trials=8)
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - null.mean_square) < 4 * error + 0.4 * null.mean_square / 20
    assert abs(np.mean(found) - 0.075) > 100 * error  # the white null
    whole = smooth(generator, 400, 20, 0.9)
    own = dynamics.cca(whole, smooth(generator, 400, 30, 0.9)).null(
        autocorrelation=dynamics.autocorrelation(whole)
    )
    assert own.mean_square == pytest.approx(0.4068, rel=0.12)


def test_the_mean_has_a_closed_form_in_both_ridges():
    """sum pi(p) pi(q) = (kappa_p p - kappa_q q)/(kappa_p - kappa_q), by partial fractions: another road to the sum."""
    modes = similarity._Spectrum(np.linalg.eigvalsh(toeplitz(0.8 ** np.arange(200))), np.ones(200))
    few, many = similarity._ridges(modes, 10, 25, 1)
    closed = (few * 10 - many * 25) / (few - many) / 10
    assert dynamics.cca_null(200, 10, 25, autocorrelation=0.8 ** np.arange(200)).mean_square == pytest.approx(
        closed
    )


@pytest.mark.parametrize("n", [1, 2, 5, 6, 31])
def test_halves_of_a_toeplitz_matrix_have_its_eigenvalues(n):
    row = 0.7 ** np.arange(n) * np.cos(np.arange(n))
    assert np.allclose(np.sort(similarity._split(row)), np.linalg.eigvalsh(toeplitz(row)), atol=1e-14)


def test_long_stretches_have_the_spectrum_of_a_circle():
    exact, circle = (
        similarity._Spectrum(make(0.9 ** np.arange(1500)), np.ones(1500))
        for make in (similarity._split, similarity._circulant)
    )
    found, right = (similarity._ridges(modes, 40, 60, 1) for modes in (circle, exact))
    assert found == pytest.approx(right, rel=2e-2)


def test_as_many_signals_as_modes_need_no_ridge():
    modes = similarity._Spectrum(np.array([1.0, 2.0, 3.0]), np.ones(3))
    few, all_ = similarity._ridges(modes, 2, 6, 2)
    assert all_ == 0 and float((modes.values / (modes.values + few)).sum()) == pytest.approx(1)
    assert not similarity._ridges(modes, 3, 3, 1).any()
    assert dynamics.cca_null(6000, 50, 60, autocorrelation=[1.0]).mean_square == pytest.approx(0.01)


LONG = {
    "memory of 20": (lambda k: 0.95**k, True),
    "turning": (lambda k: 0.9**k * np.cos(0.4 * k), True),
    "moving average": (lambda k: np.where(k == 0, 1.0, np.where(k < 3, 0.3, 0.0)), True),
    "memory of 1000": (lambda k: 0.999**k, False),  # half a stretch is not long enough
    "bell": (lambda k: np.exp(-(k**2) / 200), False),  # the symbol vanishes by rounding
    "a sum": (lambda k: 0.5 * 0.99**k + 0.5 * (k == 0), False),
}


@pytest.mark.parametrize("name", LONG)
def test_a_stretch_and_the_symbol_stand_for_all_samples(name):
    """Against the eigenvalues of the whole matrix and a root by bisection; where they do not stand, all are taken."""
    shape, quick = LONG[name]
    n, p, q = 900, 30, 50
    row = np.asarray(shape(np.arange(n)), dtype=float)
    values = np.maximum(np.linalg.eigvalsh(toeplitz(row)), 0)

    def ridge(count):
        return brentq(lambda x: (values / (values + np.exp(x))).sum() - count, -60, 20, xtol=1e-12)

    one, other = (values / (values + np.exp(ridge(count))) for count in (p, q))
    null = dynamics.cca_null(n, p, q, autocorrelation=shape)
    assert null.mean_square == pytest.approx(one @ other / p, rel=1e-6)
    assert null.degrees == pytest.approx(values.sum() ** 2 / (values**2).sum(), rel=1e-9)
    assert (similarity._linear(row, p, q, 1) is not None) is quick


def test_signals_that_count_as_fewer():
    x = np.random.default_rng(4).normal(size=(30, 3))
    doubled = np.concatenate([x, x @ np.ones((3, 2))], 1)
    with pytest.warns(DataWarning, match="5 of them span 3"):
        found = dynamics.cca(doubled, x[:, :2])
    assert (found.p, found.q) == (2, 3) and found.smallest == pytest.approx(1)


def test_too_few_samples_say_so():
    generator = np.random.default_rng(5)
    with pytest.warns(CertainWarning, match="10 of the 20 canonical correlations are 1"):
        found = dynamics.cca(generator.normal(size=(50, 20)), generator.normal(size=(50, 40)))
    assert (found.correlations > 1 - 1e-12).sum() == 10
    with pytest.warns(CertainWarning):
        null = dynamics.cca_null(50, 20, 40)
    assert null.atom == 0.5 and null.largest == 1.0 and null.mean_square == pytest.approx(0.8)
    with pytest.warns(CertainWarning):
        assert dynamics.cca_null(40, 20, 40).mean == pytest.approx(1)


BAD = {
    "autocorrelation not positive definite": (
        lambda: dynamics.cca_null(50, 2, 3, autocorrelation=[1, 0.9]),
        "eigenvalue",
    ),
    "nor this one": (
        lambda: dynamics.cca_null(50, 2, 3, autocorrelation=lambda k: 1 - k / 10),
        "lag 0|eigenvalue",
    ),
    "nothing at lag 0": (lambda: dynamics.cca_null(50, 2, 3, autocorrelation=[0.0, 1.0]), "at lag 0"),
    "one wave": (lambda: dynamics.cca_null(50, 3, 3, autocorrelation=lambda k: np.cos(k)), "has 2"),
    "constant": (lambda: dynamics.cca_null(50, 2, 2, autocorrelation=np.ones(50)), "has 1"),
    "nan": (lambda: dynamics.cca_null(50, 2, 2, autocorrelation=[np.nan]), "NaN"),
    "text": (lambda: dynamics.cca_null(50, 2, 2, autocorrelation="exp"), "autocorrelation"),
    "empty": (lambda: dynamics.cca_null(50, 2, 2, autocorrelation=[]), "non-empty"),
    "raises": (lambda: dynamics.cca_null(50, 2, 2, autocorrelation=lambda k: 1 / 0), "ZeroDivisionError"),
    "samples 0": (lambda: dynamics.cca_null(0, 2, 2), "samples"),
    "samples below signals": (lambda: dynamics.cca_null(10, 2, 11), "at least 11"),
    "p not whole": (lambda: dynamics.cca_null(10, 2.5, 3), "`p`"),
    "p true": (lambda: dynamics.cca_null(10, True, 3), "`p`"),
    "trials": (lambda: dynamics.cca_null(10, 2, 3, trials=3), "divide"),
    "no array": (lambda: dynamics.cca("x", np.eye(3)), "`x`"),
    "a vector": (lambda: dynamics.cca(np.ones(3), np.eye(3)), "`x`"),
    "other samples": (lambda: dynamics.cca(np.eye(3), np.eye(4)), "3 samples"),
    "zero": (lambda: dynamics.cca(np.zeros((3, 2)), np.eye(3)), "not zero"),
    "zero autocorrelation": (lambda: dynamics.autocorrelation(np.zeros((3, 2))), "not zero"),
    "nan signals": (lambda: dynamics.cca(np.full((3, 2), np.nan), np.eye(3)), "NaN"),
    "given": (lambda: dynamics.cca(np.ones((3, 1)), np.ones((3, 1)), given=np.ones((4, 1))), "`given`"),
    "components": (lambda: dynamics.cca(np.ones((3, 1)), np.ones((3, 1)), components=0), "components"),
    "no samples": (lambda: dynamics.autocorrelation(np.zeros((0, 2))), "`x`"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, text = BAD[case]
    with pytest.raises(WidelimitError, match=text):
        call()


def test_extremes_stay_numbers():
    tiny = 1e-300 * np.random.default_rng(6).normal(size=(20, 2))
    assert np.isfinite(
        dynamics.cca(tiny, 1e300 * np.random.default_rng(7).normal(size=(20, 3))).correlations
    ).all()
    with pytest.raises(ArgumentError):
        dynamics.cca_null(10**400, 2, 2)
    assert dynamics.cca_null(10**6, 1, 1).mean > 0
