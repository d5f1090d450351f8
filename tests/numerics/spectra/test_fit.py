"""Fits of matrices whose population is known, outliers and thresholds against closed forms."""

import math
import time
import warnings

import numpy as np
import pytest
from scipy.linalg import eigh_tridiagonal
from sklearn import datasets

from widelimit.numerics import spectra
from widelimit.theory.errors import ArgumentError, DomainError, WidelimitError


def wishart(n, p, spikes=(), seed=0):
    x = np.random.default_rng(seed).standard_normal((n, p))
    x[:, : len(spikes)] *= np.sqrt(spikes)
    gram = x.T @ x / n if p <= n else x @ x.T / n
    return np.concatenate([np.linalg.eigvalsh(gram), np.zeros(max(0, p - n))])


def factors(n=600, p=120, seed=0):
    """Returns of p stocks: a market, two sectors, and noise of variance 1/4."""
    random = np.random.default_rng(seed)
    loading = np.zeros((p, 3))
    loading[:, 0] = 0.3
    loading[:40, 1] = loading[80:, 2] = 0.25
    return random.standard_normal((n, 3)) @ loading.T + 0.5 * random.standard_normal((n, p)) + 2.0


# single spikes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spike", "ratio", "noise"), [(3.0, 0.5, 1.0), (12.0, 4.0, 2.0), (0.2, 0.25, 1.0), (0.0, 0.5, 1)]
)
def test_where_a_spike_shows(spike, ratio, noise):
    found = spectra.bbp(spike, ratio, noise=noise)
    d = spike / noise - 1
    assert found.eigenvalue == pytest.approx(spike * (1 + ratio / d), rel=1e-14)
    assert found.overlap == pytest.approx((1 - ratio / d**2) / (1 + ratio / d), rel=1e-13)
    assert found.threshold == pytest.approx(noise * (1 + math.sqrt(ratio)), rel=1e-15)


@pytest.mark.parametrize(("spike", "ratio"), [(1.3, 0.25), (1.5, 0.25), (0.8, 0.25), (1.0, 1.0), (0.1, 2.0)])
def test_a_lost_spike_is_at_the_edge(spike, ratio):
    found = spectra.bbp(spike, ratio)
    side = 1 if spike >= 1 else -1
    assert (found.overlap, found.deviation) == (0.0, 0.0)
    assert found.eigenvalue == pytest.approx((1 + side * math.sqrt(ratio)) ** 2, rel=1e-14, abs=1e-15)


def test_spikes_broadcast():
    found = spectra.bbp(np.array([[2.0], [5.0]]), [0.1, 0.2, 0.3])
    assert found.overlap.shape == found.threshold.shape == (2, 3)
    assert found.overlap[1, 2] == spectra.bbp(5.0, 0.3).overlap


def test_thresholds_for_singular_values():
    # the median of the quarter circle is 2 sin(y/2) with y + sin y = pi/2
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        y = (low + high) / 2
        low, high = (y, high) if y + math.sin(y) < math.pi / 2 else (low, y)
    assert spectra.gavish_donoho(1.0) == pytest.approx(4 / math.sqrt(3), rel=1e-15)
    unknown = spectra.gavish_donoho(1.0, noise_known=False)
    assert unknown == pytest.approx(4 / math.sqrt(3) / (2 * math.sin(y / 2)), rel=1e-10)
    assert spectra.gavish_donoho([0.5, 2.0], noise_known=False)[0] == pytest.approx(
        spectra.gavish_donoho(2.0, noise_known=False), rel=1e-12
    )  # the same matrix, transposed
    # table of the paper, to its digits
    assert spectra.gavish_donoho(0.5) == pytest.approx(1.978, abs=1e-3)
    assert spectra.gavish_donoho([0.05, 0.5], noise_known=False) == pytest.approx([1.5194, 2.1711], abs=2e-4)


# fits ------------------------------------------------------------------------------------------------------------


def test_a_spiked_matrix():
    found = spectra.fit(eigenvalues=wishart(2000, 400, (8.0, 4.0, 2.2)), samples=2000)
    assert found.components == len(found.p_values) == 3
    assert (found.p_values < 1e-8).all()
    assert found.next_p_value > 0.01
    assert np.abs(found.spikes - [8.0, 4.0, 2.2]).max() < 3 * found.spike_errors.max()
    assert abs(found.noise - 1) < 3 * found.noise_error
    truth = spectra.bbp([8.0, 4.0, 2.2], 0.2)
    assert found.overlaps == pytest.approx(truth.overlap, abs=0.03)
    assert found.edges == pytest.approx(((1 - math.sqrt(0.2)) ** 2, (1 + math.sqrt(0.2)) ** 2), rel=0.02)
    assert found.threshold == pytest.approx(found.noise * (1 + math.sqrt(found.ratio)), rel=1e-5)
    assert found.threshold < found.detection_limit < 2.0
    assert found.law.largest == pytest.approx(found.edges[1], rel=1e-9)
    assert found.law.mean == pytest.approx(found.noise, rel=1e-9)


def test_noise_is_unbiased_and_its_error_true_over_many_draws():
    fits = [spectra.fit(eigenvalues=wishart(80, 40, (5.0,), seed), samples=80) for seed in range(300)]
    noise = np.array([one.noise for one in fits])
    assert abs(noise.mean() - 1) < 3 * noise.std() / math.sqrt(300)
    assert noise.std() == pytest.approx(fits[0].noise_error, rel=0.15)
    assert np.mean([one.components != 1 for one in fits]) < 0.03  # level .01


def drawn(dimensions, samples, spike, seed):
    """Eigenvalues of X'X/n with one population eigenvalue `spike`, by the bidiagonal matrix of chi-distributed numbers
    that reflections make of X (Dumitriu and Edelman 2002); zeros where there are more dimensions than samples.
    """
    random = np.random.default_rng(seed)
    short, long = sorted((dimensions, samples))
    i = np.arange(short)
    diagonal, below = np.sqrt(random.chisquare(long - i)), np.sqrt(random.chisquare(short - 1 - i[:-1]))
    diagonal[0] *= math.sqrt(spike)  # where dimensions are the shorter side
    square = diagonal**2
    square[1:] += below**2
    found = eigh_tridiagonal(square, diagonal[:-1] * below, eigvals_only=True) / samples
    return np.concatenate([np.maximum(found, 0.0), np.zeros(dimensions - short)])


@pytest.mark.parametrize("draws", [60, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("dimensions", "samples", "spike"), [(1000, 2000, 6.0), (1000, 1250, 1.0), (1000, 600, 1.0)]
)
def test_noise_and_ratio_of_a_thousand_eigenvalues_have_no_bias_and_true_errors(
    dimensions, samples, spike, draws
):
    """Of 500 draws at (1000, 2000, 6) the means were off by 1.0e-5 (noise) and 0.2e-5 (ratio), .23 and .05 of the
    means' own standard errors; intervals of 95 per cent held the truth in 95.2 and 94.4 per cent.
    """
    fits = [spectra.fit(eigenvalues=drawn(dimensions, samples, spike, seed)) for seed in range(draws)]
    left = dimensions - (spike > 1)
    columns = [([one.noise for one in fits], [one.noise_error for one in fits], 1.0)]
    if dimensions < samples:  # else zeros tell the samples, and the ratio is known
        columns.append(([one.ratio for one in fits], [one.ratio_error for one in fits], left / samples))
    for values, errors, truth in columns:
        values, errors = np.array(values), np.array(errors)
        off = values - truth
        assert abs(off.mean()) < 3.3 * off.std(ddof=1) / math.sqrt(draws)
        assert abs(off.mean()) < 0.5 * errors.mean()
        assert off.std(ddof=1) == pytest.approx(errors.mean(), rel=3.3 / math.sqrt(2 * draws))
        covered = float((np.abs(off) < 1.959964 * errors).mean())
        assert abs(covered - 0.95) < 3.3 * math.sqrt(0.95 * 0.05 / draws)


def test_p_values_of_noise_are_uniform_in_small_matrices():
    chances = np.array([spectra.fit(eigenvalues=wishart(40, 20, (), seed), samples=40, level=1e-9).next_p_value
                        for seed in range(500)])  # fmt: skip
    for level in (0.05, 0.3):
        assert np.mean(chances < level) == pytest.approx(
            level, abs=3.5 * math.sqrt(level * (1 - level) / 500)
        )


def test_more_dimensions_than_samples():
    found = spectra.fit(eigenvalues=wishart(150, 450, (30.0,)))  # the zeros tell the samples
    assert (found.components, found.samples) == (1, 150.0)
    assert found.spikes[0] == pytest.approx(30.0, abs=3 * found.spike_errors[0])
    assert abs(found.noise - 1) < 3 * found.noise_error


def test_the_number_of_samples_is_fitted_where_it_is_not_known():
    found = spectra.fit(eigenvalues=wishart(900, 300, (6.0, 3.0)))
    assert found.components == 2
    assert abs(found.ratio - 298 / 900) < 3 * found.ratio_error
    assert found.ratio_error == pytest.approx(2 * found.ratio / 298, rel=1e-12)


def test_a_bulk_that_is_not_white():
    random = np.random.default_rng(3)
    n, p, q = 1200, 300, 0.3
    of = q / (1 + q)  # inverse Wishart of mean one and relative variance q
    g = random.standard_normal((p, round(p / of)))
    root = np.linalg.cholesky(np.linalg.inv(g @ g.T / g.shape[1]) * (1 - of))
    x = random.standard_normal((n, p)) @ root.T
    values = np.linalg.eigvalsh(x.T @ x / n)
    white = spectra.fit(eigenvalues=values, samples=n)
    found = spectra.fit(eigenvalues=values, samples=n, family="deformed")
    assert white.components > 5
    assert found.components == 0
    assert found.spread == pytest.approx(q, rel=0.1)
    assert found.law.variance == pytest.approx(np.var(values), rel=0.05)
    assert found.law.largest == pytest.approx(found.edges[1], rel=1e-8)
    assert found.edges[1] == pytest.approx(values[-1], rel=0.05)


def test_samples_that_resemble_their_neighbours_widen_the_bulk():
    random = np.random.default_rng(0)
    x = random.standard_normal((1500, 200))
    for t in range(1, 1500):
        x[t] = 0.5 * x[t - 1] + math.sqrt(0.75) * x[t]
    assert spectra.fit(x).components > 5
    assert spectra.fit(x, family="deformed").components <= 1


def test_centring_costs_a_sample():
    x = factors()
    found = spectra.fit(x)
    assert found.samples == 599
    assert found.ratio == pytest.approx(117 / 599, rel=1e-14)
    gram = np.cov(x.T)
    assert found.eigenvalues == pytest.approx(np.linalg.eigvalsh(gram)[::-1], rel=1e-10)


def test_factors_of_stocks():
    found = spectra.fit(factors())
    assert found.components == 3
    assert found.noise == pytest.approx(0.25, abs=3 * found.noise_error)
    loading = np.zeros((120, 3))
    loading[:, 0] = 0.3
    loading[:40, 1] = loading[80:, 2] = 0.25
    truth = np.linalg.eigvalsh(loading.T @ loading)[::-1] + 0.25
    assert (np.abs(found.spikes - truth) < 3.5 * found.spike_errors).all()


def test_real_data():
    digits = spectra.fit(datasets.load_digits().data)
    assert len(digits.constant_features) == 3
    assert (digits.components, digits.dimensions) == (
        59,
        61,
    )  # pixels have no white noise at all, and it says so
    assert digits.next_p_value < digits.level
    diabetes = spectra.fit(datasets.load_diabetes().data)
    assert diabetes.dimensions == 10
    assert diabetes.components == 8  # and the same of ten blood values: two are left


def test_units_do_not_matter():
    values = wishart(300, 100, (5.0,))
    one, two = (spectra.fit(eigenvalues=scale * values, samples=300) for scale in (1.0, 1e-12))
    assert two.noise == pytest.approx(1e-12 * one.noise, rel=1e-12)
    assert two.p_values == pytest.approx(one.p_values, rel=1e-6)


def test_a_thousand_eigenvalues_in_fifty_milliseconds():
    values = wishart(2000, 1000, (6.0, 3.0))
    spectra.fit(eigenvalues=values, samples=2000)
    start = time.process_time()
    spectra.fit(eigenvalues=values, samples=2000)
    assert time.process_time() - start < 0.05


def test_files_and_frames(tmp_path):
    import pandas

    x = factors(200, 20)
    np.savetxt(tmp_path / "returns.csv", x, delimiter=",")
    np.save(tmp_path / "returns.npy", x)
    found = spectra.fit(x)
    assert spectra.fit(str(tmp_path / "returns.npy")) == found
    assert spectra.fit(tmp_path / "returns.csv").noise == pytest.approx(found.noise, rel=1e-12)
    assert spectra.fit(pandas.DataFrame(x)).components == found.components
    assert spectra.predict(data=str(tmp_path / "returns.npy")).noise == found.noise


# what is refused --------------------------------------------------------------------------------------------------


def _with(value, row=3, column=1):
    x = factors(30, 6)
    x[row, column] = value
    return x


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"data": _with(np.nan)}, "`data` must be finite, but is missing in row 3, column 1"),
        ({"data": _with(np.inf)}, "`data` must be finite, but is infinite in row 3, column 1"),
        ({"data": [[1.0, 2.0], [2.0, 3.0]]}, "at least three samples"),
        ({"data": [1.0, 2.0, 3.0]}, "table of samples x features"),
        ({"data": np.ones((9, 4))}, "feature that varies"),
        ({"data": _with(0.0)[:, :2]}, "at least three eigenvalues"),
        ({"data": [["a", "b"], ["c", "d"]]}, "`data`"),
        ({"data": "nowhere.csv"}, "`data` must be a file that exists"),
        ({"data": _with(1.0), "samples": 30}, "`samples` must be left out"),
        ({"data": _with(1e200)}, "spread between"),
        ({}, "neither is given"),
        ({"data": _with(1.0), "eigenvalues": [1.0, 2.0, 3.0]}, "both are given"),
        ({"eigenvalues": [1.0, 2.0]}, "at least three eigenvalues"),
        ({"eigenvalues": [1.0, 2.0, -1.0]}, "must not be negative"),
        ({"eigenvalues": [1.0, 2.0, np.nan]}, "`eigenvalues`"),
        ({"eigenvalues": [1.0, 2.0, 1e40]}, "`eigenvalues` must lie between"),
        ({"eigenvalues": [True, 2.0, 3.0]}, "`eigenvalues`"),
        ({"eigenvalues": [1.0, 2.0, 3.0], "samples": 0}, "`samples` must be positive"),
        ({"eigenvalues": [1.0, 2.0, 3.0], "samples": 1e300}, "`samples`"),
        ({"eigenvalues": [1.0, 2.0, 3.0], "samples": 9, "family": "wigner"}, "`family` must be one of"),
        ({"eigenvalues": [1.0, 2.0, 3.0], "family": "deformed"}, "`samples` must be given"),
        ({"eigenvalues": [1.0, 2.0, 3.0], "samples": 9, "level": 0.0}, "`level`"),
    ],
)
def test_bad_input_is_refused_by_name(named, message):
    with pytest.raises(ArgumentError, match=message):
        spectra.fit(**named)


def test_matrices_without_noise_are_refused():
    with pytest.raises(DomainError, match="All eigenvalues are zero"):
        spectra.fit(eigenvalues=[0.0, 0.0, 0.0, 0.0], samples=10)
    with pytest.raises(DomainError, match="noise"):
        spectra.fit(eigenvalues=[5.0, 3.0, 1.0, 0.0, 0.0, 0.0], samples=100)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, 10**400, 1e300, True, "1", None, [], {}])
def test_extremes_of_spikes_are_refused_or_finite(bad):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in (lambda: spectra.bbp(bad, 0.5), lambda: spectra.bbp(2.0, bad), lambda: spectra.gavish_donoho(bad),
                     lambda: spectra.bbp(2.0, 0.5, noise=bad)):  # fmt: skip
            try:
                found = call()
            except WidelimitError:
                continue
            numbers = [found] if not hasattr(found, "overlap") else [found.eigenvalue, found.overlap]
            assert all(np.isfinite(one).all() for one in numbers)
