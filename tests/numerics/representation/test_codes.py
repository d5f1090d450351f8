"""Measured spectra: against singular values, weighted least squares, and values of the paper's penalty."""

import numpy as np
import pytest

from widelimit.numerics import representation
from widelimit.theory.errors import ArgumentError


def repeats(stimuli, units, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((stimuli, units)) * np.arange(1, units + 1.0) ** -0.6 + 3.0
    return tuple(shared + 0.2 * rng.standard_normal(shared.shape) for _ in range(2))


@pytest.mark.parametrize("stimuli, units", [(30, 50), (50, 30), (20, 20)])
def test_cross_validation_by_singular_vectors(stimuli, units):
    one, other = repeats(stimuli, units)
    found = representation.cvpca(one, other)
    a, b = one - one.mean(axis=0), other - other.mean(axis=0)
    _, sizes, axes = np.linalg.svd(a, full_matrices=False)
    ranks = min(stimuli - 1, units)
    assert found.total == pytest.approx(sizes[:ranks] ** 2 / stimuli)
    assert found.signal == pytest.approx(((a @ axes.T) * (b @ axes.T)).sum(axis=0)[:ranks] / stimuli)
    assert found.noise == pytest.approx(found.total - found.signal)


def test_fit_is_weighted_least_squares_of_logarithms():
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    values = np.arange(1, 301.0) ** -1.3 * np.exp(0.1 * rng.standard_normal(300))
    values[[50, 80]] = [-1e-3, 0.0]
    found = representation.fit_exponent(values, first=11, last=200)
    n = np.arange(11, 201)
    good = values[10:200] > 0
    fit = sm.WLS(np.log(values[10:200][good]), sm.add_constant(np.log(n[good])), weights=1 / n[good]).fit()
    assert found.exponent == pytest.approx(-fit.params[1])
    assert found.intercept == pytest.approx(fit.params[0])
    assert found.standard_error == pytest.approx(fit.bse[1])
    assert (found.dropped, found.ranks) == (2, 188)
    assert representation.fit_exponent(values).ranks == 288  # to the last that there is
    assert representation.fit_exponent(values) == representation.fit_exponent(
        values
    )  # nothing is changed in place


@pytest.mark.parametrize("exponent, expected", [(0.5, 6.2922085), (1.5, 0.3879053)])
def test_penalty(exponent, expected):
    spectrum = np.arange(1, 201.0) ** -exponent
    assert representation.spectral_penalty(spectrum) == pytest.approx(expected, abs=5e-8)


def test_penalty_counts_from_the_rank_after_the_anchor():
    spectrum = np.array([9.0, 4.0, 6.0, 1.0, -1e-17])  # the anchor is 4 at rank 2; targets 8/3, 2, 8/5
    ratios = np.array([6.0 / (8 / 3), 0.5])
    expected = (np.sum((ratios - 1) ** 2) + ratios[0] - 1) / 5
    assert representation.spectral_penalty(spectrum, anchor=2) == pytest.approx(expected)
    assert representation.spectral_penalty(np.arange(1, 30.0) ** -2.0, exponent=2.0) == pytest.approx(
        0.0, abs=1e-14
    )


def test_robust_accuracy_against_attacked_draws():
    rng = np.random.default_rng(0)
    w, mu = np.array([1.0, -0.5, 0.2]), np.array([0.8, -0.3, 0.4])
    x = mu + 0.7 * rng.standard_normal((200_000, 3))
    inf = ((x - 0.2 * np.sign(w)) @ w > 0).mean()
    two = ((x - 0.2 * w / np.linalg.norm(w)) @ w > 0).mean()
    assert representation.robust_accuracy(w, mu, deviation=0.7, attack=0.2) == pytest.approx(inf, abs=5e-3)
    assert representation.robust_accuracy(w, mu, deviation=0.7, attack=0.2, norm="2") == pytest.approx(
        two, abs=5e-3
    )


def test_slope_on_the_circle_against_differences():
    powers = np.array([0.3, 1.0, 0.5, 0.2])
    t = np.linspace(0, 2 * np.pi, 20001)[:, None]
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, (4,))
    f = np.sqrt(2 * powers) * np.cos(np.arange(4) * t + phase)  # each frequency by itself
    slope = np.mean(np.sum(np.gradient(f, t[:, 0], axis=0) ** 2, axis=1)[:-1])
    assert representation.circle_slope(powers) == pytest.approx(slope, rel=1e-3)


one, other = repeats(12, 8)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda r: r.cvpca(one, other[:-1]),
            "`second` must have the shape of `first`, (12, 8), but has shape (11, 8)",
        ),
        (lambda r: r.cvpca(one[:2], other[:2]), "`first` must have three stimuli or more, but has 2"),
        (lambda r: r.cvpca(one[0], other[0]), "`first` must be stimuli x units"),
        (lambda r: r.cvpca(one * np.r_[1, 0, np.ones(6)], other), "has 1 constant units, first unit 1"),
        (lambda r: r.cvpca(one, np.full_like(other, 2.0)), "`second` must have units that respond"),
        (lambda r: r.cvpca(one * np.nan, other), "`first` must be a number, but holds NaN"),
        (lambda r: r.fit_exponent(np.ones(20), first=11, last=14), "`last` must be at least 15, but is 14"),
        (
            lambda r: r.fit_exponent(np.ones(14)),
            "must have five or more positive values in the fit, but has 4",
        ),
        (lambda r: r.fit_exponent(-np.ones(200)), "but has 0 positive ones"),
        (lambda r: r.fit_exponent(np.ones(50), first=0), "`first` must be an integer of at least 1"),
        (lambda r: r.spectral_penalty(np.ones(11)), "`anchor` must be below the number of eigenvalues, 11"),
        (lambda r: r.spectral_penalty(-np.ones(50)), "must be positive at the anchor"),
        (lambda r: r.spectral_penalty(np.ones(50), exponent=-1.0), "`exponent` must not be negative"),
        (lambda r: r.spectral_penalty(np.ones(50), exponent=1e4), "`exponent` must give a target"),
        (lambda r: r.robust_accuracy([1.0], [1.0, 2.0], deviation=1.0), "`mean` must have 1 entries"),
        (lambda r: r.robust_accuracy([0.0], [1.0], deviation=1.0), "`weights` must not all be zero"),
        (lambda r: r.robust_accuracy([1.0], [1.0], deviation=0.0), "`deviation` must be positive"),
        (lambda r: r.circle_slope([-1.0]), "`powers` must not be negative"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ArgumentError) as caught:
        call(representation)
    assert message in str(caught.value)
