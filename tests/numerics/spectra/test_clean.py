"""Cleaned covariance matrices against oracles that know the population, and scikit-learn's linear shrinkage."""

import time

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance, LedoitWolf
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import cross_val_score

from widelimit.numerics import spectra
from widelimit.theory.errors import ArgumentError

P = 240
POPULATIONS = {
    "three": np.repeat([1.0, 3.0, 10.0], [48, 96, 96]),
    "smooth": np.linspace(0.5, 5.0, P),
    "white": np.ones(P),
    "spiked": np.concatenate([[20.0, 10.0, 5.0], np.ones(P - 3)]),
}


def draw(population, n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, population.size)) * np.sqrt(population) + 1.0


def loss(found, population):
    return float(((found.covariance - np.diag(population)) ** 2).sum()) / population.size


def oracle(x, population):
    """Mean squared error of the best eigenvalues for the sample's eigenvectors."""
    vectors = np.linalg.eigh(np.cov(x.T))[1]
    best = (vectors**2 * population[:, None]).sum(0)
    return float((population**2).mean() - (best**2).mean())


@pytest.mark.parametrize(("name", "ratio"), [("three", 1 / 3), ("three", 2.0), ("smooth", 0.5)])
def test_nonlinear_shrinkage_is_near_the_oracle(name, ratio):
    population = POPULATIONS[name]
    x = draw(population, round(P / ratio))
    found = spectra.clean(x)
    best = oracle(x, population)
    kernel = (
        12 * round(P / ratio) ** (-4 / 3) * float((population**2).mean())
    )  # its own error, which falls with n
    assert loss(found, population) < best + 2 * kernel
    assert loss(found, population) <= loss(spectra.clean(x, "linear"), population)


@pytest.mark.parametrize("name", POPULATIONS)
def test_nonlinear_shrinkage_is_never_above_linear(name):
    population = POPULATIONS[name]
    ours, linear = 0.0, 0.0
    for seed in range(3):
        x = draw(population, 2 * P, seed)
        ours += loss(spectra.clean(x, "nonlinear"), population)
        linear += loss(spectra.clean(x, "linear"), population)
    assert ours <= linear * (1 + 1e-12)


@pytest.mark.parametrize("method", ["clip", "linear", "nonlinear"])
@pytest.mark.parametrize("name", ["three", "smooth"])
def test_risk_is_predicted_before_it_is_measured(name, method):
    population = POPULATIONS[name]
    found = [spectra.clean(draw(population, 600, seed), method) for seed in range(2)]
    measured = np.mean([loss(one, population) for one in found])
    assert np.mean([one.risk for one in found]) == pytest.approx(measured, rel=0.08)
    exact = (np.mean(population**2) + P * np.mean(population) ** 2) / 599
    assert found[0].sample_risk == pytest.approx(exact, rel=0.05)


def test_linear_shrinkage_is_that_of_scikit_learn():
    x = draw(POPULATIONS["three"], 200)
    ours = spectra.clean(x, "linear").covariance
    theirs = LedoitWolf().fit(x).covariance_ * 200 / 199  # which divides by n
    assert np.abs(ours - theirs).max() < 2e-3 * np.abs(theirs).max()


def test_clipping_keeps_the_trace_and_the_components():
    x = draw(POPULATIONS["spiked"], 600)
    found = spectra.clean(x, "clip")
    assert np.trace(found.covariance) == pytest.approx(np.trace(np.cov(x.T)), rel=1e-12)
    assert np.unique(found.eigenvalues.round(9)).size == 4
    assert np.linalg.eigvalsh(found.covariance)[::-1] == pytest.approx(found.eigenvalues, rel=1e-9)


def test_more_features_than_samples_leave_no_zeros():
    population = POPULATIONS["three"]
    for method in ("linear", "nonlinear"):
        found = spectra.clean(draw(population, 80), method)
        assert np.linalg.eigvalsh(found.covariance).min() > 0.1
        assert loss(found, population) < 0.4 * found.sample_risk


def test_constant_features_and_units():
    x = draw(POPULATIONS["three"], 300)[:, ::6]
    x[:, 3] = 7.0
    found = spectra.clean(x)
    assert found.constant_features == (3,)
    assert not found.covariance[3].any()
    assert found.eigenvalues.size == 39
    again = spectra.clean(1e-6 * x)
    assert again.covariance == pytest.approx(1e-12 * found.covariance, rel=1e-9, abs=1e-30)
    assert again.risk == pytest.approx(1e-24 * found.risk, rel=1e-6)


@pytest.mark.parametrize(("load", "rows"), [(load_digits, 120), (load_diabetes, 25)])
def test_real_data_out_of_sample(load, rows):
    x = load().data
    cleaned, raw = 0.0, 0.0
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(x))
        train, target = x[order[:rows]], np.cov(x[order[rows:]].T)
        cleaned += float(((spectra.clean(train).covariance - target) ** 2).sum())
        raw += float(((np.cov(train.T) - target) ** 2).sum())
    assert cleaned < 0.95 * raw


def left_out_risk(x, rows, seed):
    """E |C - Sigma|^2/p of the sample covariance and of all methods, without bias: both halves of what was left out
    stand for the population, once each. And the risks that are predicted, the sample's first.
    """
    order = np.random.default_rng(seed).permutation(len(x))
    train, rest = x[order[:rows]], x[order[rows:]]
    half = len(rest) // 2
    one, two = np.cov(rest[:half].T), np.cov(rest[half:].T)
    found = [spectra.clean(train, method) for method in ("clip", "linear", "nonlinear")]
    matrices = [np.cov(train.T), *(each.covariance for each in found)]
    measured = [float(((c - one) * (c - two)).sum()) / x.shape[1] for c in matrices]
    return measured, [found[0].sample_risk, *(each.risk for each in found)]


def test_cleaning_ten_measurements_of_patients():
    """Diabetes, 50 of 442 rows, 150 splits: linear and nonlinear leave .86(2) of the sample's risk, clipping 1.31(1).

    Ten correlated features have no bulk of white noise for clipping to flatten.
    """
    x = load_diabetes().data
    both = [left_out_risk(x, 50, seed) for seed in range(60)]
    measured, predicted = (np.array([one[k] for one in both]) for k in (0, 1))
    sample = measured[:, 0].mean()
    change = measured - measured[:, :1]
    error = change.std(0, ddof=1) / np.sqrt(len(both)) / sample
    gain = change.mean(0) / sample
    assert gain[1] > 5 * error[1]  # clip
    assert gain[2] < -3 * error[2]  # linear
    assert (measured[:, 3] == measured[:, 2]).all()  # of so few features nothing else is told from linear
    scatter = measured.std(0, ddof=1) / np.sqrt(len(both))
    assert (np.abs(predicted.mean(0) - measured.mean(0)) < 3.5 * scatter + 0.05 * measured.mean(0)).all()


@pytest.mark.parametrize("method", ["clip", "linear", "nonlinear"])
def test_the_estimator_is_one_of_scikit_learn(method):
    x = draw(POPULATIONS["three"], 300)[:, ::8]
    model = spectra.CleanedCovariance(method=method).fit(x)
    assert isinstance(model, EmpiricalCovariance)
    found = spectra.clean(x, method)
    assert model.covariance_ == pytest.approx(found.covariance, rel=1e-12)
    assert model.risk_ == found.risk
    assert model.get_precision() @ model.covariance_ == pytest.approx(np.eye(30), abs=1e-8)
    assert model.mahalanobis(x).shape == (300,)
    assert np.isfinite(cross_val_score(spectra.CleanedCovariance(method=method), x, cv=3)).all()
    centred = spectra.CleanedCovariance(method=method, assume_centered=True).fit(x - x.mean(0))
    assert centred.covariance_ == pytest.approx(model.covariance_, rel=0.05, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ratio"), [("three", 0.8), ("smooth", 0.5), ("three", 2.0)])
def test_risk_at_a_thousand_features_is_within_two_per_cent_of_the_oracle(name, ratio):
    population = np.repeat(POPULATIONS[name], 5)[: 1000 if name == "three" else None]
    x = draw(population, round(population.size / ratio))
    assert loss(spectra.clean(x), population) < 1.02 * oracle(x, population)


def test_a_thousand_features_in_half_a_second():
    x = np.random.default_rng(0).standard_normal((1000, 500))  # an eigth of the work of p = 1,000 ...
    spectra.clean(x)
    start = time.process_time()
    spectra.clean(x)
    assert time.process_time() - start < 0.25  # ... most of which is one eigendecomposition


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0, 2.0], [np.nan, 1.0], [0.0, 3.0]],), "is missing in row 1, column 0"),
        (([[1.0, 2.0], [3.0, 1.0]],), "at least three samples"),
        ((np.ones((5, 3)),), "feature that varies"),
        ((np.eye(5), "shrink"), "`method` must be one of 'clip', 'linear', 'nonlinear'"),
        ((np.eye(5), None), "`method`"),
        (("nowhere.npy",), "must be a file that exists"),
        ((np.ones(5),), "table of samples x features"),
        ((1e300 * np.eye(5),), "spread"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        spectra.clean(*arguments)


def test_the_estimator_refuses_in_the_same_way():
    with pytest.raises(ValueError, match="NaN"):
        spectra.CleanedCovariance().fit([[1.0, np.nan], [1.0, 2.0], [3.0, 1.0]])
    with pytest.raises(ArgumentError, match="`method`"):
        spectra.CleanedCovariance(method="other").fit(np.eye(5))


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("method", ["clip", "linear", "nonlinear"])
def test_few_features(columns, method):
    x = draw(POPULATIONS["three"], 20)[:, :columns]
    found = spectra.clean(x, method)
    assert np.isfinite(found.covariance).all()
    assert (found.eigenvalues > 0).all()
    assert found.risk >= 0
