"""Filters, errors, ceilings and Fano curves from recordings: against NumPy, truth and repeated sampling."""

import math
import time

import numpy as np
import pytest

from widelimit.numerics import retina
from widelimit.theory.errors import ArgumentError


def recording(seed, n=6000, p=8, k=0.7):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    return x, rng.poisson(np.exp(k * x[:, 0] - 1)).astype(float)


def test_average_and_errors_as_numpy_has_them():
    x, r = recording(0)
    x = x * [1, 2, 3, 1, 1, 1, 1, 0.1] + [0, 5, -100, 0, 0, 0, 0, 0]
    found = retina.sta(x, r)
    product = (x - x.mean(0)) * (r - r.mean())[:, None]
    assert found.filter == pytest.approx(product.mean(0), rel=1e-9, abs=1e-12)
    assert found.standard_error == pytest.approx(product.std(0) / math.sqrt(len(x)), rel=1e-9)
    shaped = retina.sta(x.reshape(-1, 2, 4).astype(np.float32), r)
    assert shaped.filter.shape == (2, 4) and shaped.filter.ravel() == pytest.approx(found.filter, abs=1e-4)
    c = np.cov(x.T, bias=True)
    white = retina.sta(x, r, c)
    inverse = np.linalg.inv(c)
    assert white.filter == pytest.approx(inverse @ found.filter, rel=1e-8, abs=1e-10)
    assert white.standard_error == pytest.approx((product @ inverse).std(0) / math.sqrt(len(x)), rel=1e-8)


def test_errors_cover_and_cosines_are_what_they_say():
    theory = retina.sta_accuracy("exp(0.7*x - 1)", gain=1, dimensions=8, samples=600)
    scores, cosines, said = [], [], []
    for seed in range(120):
        found = retina.sta(*recording(seed, n=600))
        scores.append((found.filter - theory.length * np.eye(8)[0]) / found.standard_error)
        cosines.append(found.filter[0] / np.linalg.norm(found.filter))
        said.append(found.cosine)
    scores = np.array(scores)
    assert abs(scores[:, 1:].std() - 1) < 0.06 and 0.8 < scores[:, 0].std() < 1.4
    assert np.mean(cosines) == pytest.approx(theory.cosine, abs=0.004)
    assert np.mean(said) == pytest.approx(theory.cosine, abs=0.01)


def test_history_of_a_movie():
    rng = np.random.default_rng(0)
    movie = rng.standard_normal((3000, 2, 2))
    rate = np.exp(0.8 * movie[1:, 0, 1] - 0.8 * movie[:-1, 0, 1] - 1)
    r = np.concatenate([[0.0], rng.poisson(rate)])
    found = retina.cell(movie, r, lags=3)
    assert found.filter.filter.shape == (3, 2, 2)
    best = np.unravel_index(np.argsort(np.abs(found.filter.filter).ravel())[-2:], (3, 2, 2))
    assert sorted(best[0].tolist()) == [1, 2] and best[1].tolist() == [0, 0] and best[2].tolist() == [1, 1]
    assert found.filter.samples == 2998


def test_nonlinearity_is_not_fitted_twice():
    x, r = recording(1, n=3000)
    found = retina.cell(x, r)
    assert (np.diff(found.nonlinearity.response)[3:] > 0).mean() > 0.7
    rng = np.random.default_rng(0)
    lost = retina.cell(rng.standard_normal((400, 100)), rng.poisson(1.0, 400).astype(float))
    assert abs(lost.nonlinearity.correlation) < 0.35 and lost.filter.cosine < 0.5
    with pytest.raises(ArgumentError, match="`response` must vary in both halves"):
        retina.cell(x[:8], np.array([1.0, 0, 0, 0, 0, 0, 0, 0]))


def test_signal_power_is_without_bias():
    rng = np.random.default_rng(0)
    signal = rng.standard_normal(200) * 1.3
    found = [retina.reliability(signal + 2 * rng.standard_normal((6, 200))) for _ in range(200)]
    power = np.array([one.signal_power for one in found])
    assert abs(power.mean() - signal.var()) < 4 * power.std() / math.sqrt(200)
    assert np.mean([one.standard_error for one in found]) == pytest.approx(power.std(), rel=0.25)
    assert np.mean([one.noise_power for one in found]) == pytest.approx(4, rel=0.02)
    true = math.sqrt(signal.var() / (signal.var() + 4 / 6))
    assert np.mean([one.ceiling for one in found]) == pytest.approx(true, abs=0.01)
    hidden = retina.reliability(rng.standard_normal((2, 50)))
    assert 0 <= hidden.ceiling <= 1


def test_normalised_correlation_of_the_signal_is_one():
    rng = np.random.default_rng(0)
    signal = rng.standard_normal(5000)
    trials = signal + rng.standard_normal((4, 5000))
    assert retina.normalized_correlation(3 * signal + 1, trials) == pytest.approx(1, abs=0.03)
    half = signal + rng.standard_normal(5000)
    assert retina.normalized_correlation(half, trials) == pytest.approx(math.sqrt(0.5), abs=0.03)


@pytest.mark.parametrize(("eta", "counted"), [(0.3, False), (1.0, False), (1.5, True)])
def test_latent_noise_is_found(eta, counted):
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        drive = rng.uniform(-1.0, 4.0, 250)
        rates = np.maximum(drive + eta * rng.standard_normal((80, 250)), 0)
        trials = rng.poisson(rates) if counted else rates
        found.append(retina.fano_curve(trials, counted=counted))
    values, errors = (np.array([getattr(one, name) for one in found]) for name in ("noise", "noise_error"))
    assert values.mean() == pytest.approx(eta, rel=0.03)
    assert 0.4 < values.std() / errors.mean() < 2.2
    assert counted or all(one.deviance < one.poisson_deviance for one in found)
    assert found[0].predicted == pytest.approx(found[0].fano, rel=0.25)


def test_poisson_counts_are_told():
    rng = np.random.default_rng(0)
    found = retina.fano_curve(rng.poisson(rng.uniform(0.5, 4, 300), (60, 300)))
    assert found.poisson_deviance < found.deviance
    silent = retina.fano_curve(np.hstack([rng.poisson(2.0, (20, 30)), np.zeros((20, 5))]))
    assert silent.skipped == 5


def test_files(tmp_path):
    h5py = pytest.importorskip("h5py")
    x, r = recording(3, n=500, p=3)
    expected = retina.sta(x, r)
    np.save(tmp_path / "x.npy", x)
    np.savetxt(tmp_path / "r.csv", r, delimiter=",")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["stimulus"] = x
    for name in ("x.npy", "x.h5"):
        assert retina.sta(tmp_path / name, str(tmp_path / "r.csv")) == expected
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a"], file["b"] = x, x
    (tmp_path / "bad.h5").write_bytes(b"nothing")
    for name, words in (
        ("two.h5", "hold one array"),
        ("bad.h5", "readable .h5 file"),
        ("no.h5", "exists"),
        ("x.doc", "must be a"),
    ):
        with pytest.raises(ArgumentError, match=words):
            retina.sta(tmp_path / name, r)
    told = retina.predict(stimulus=str(tmp_path / "x.npy"), response=str(tmp_path / "r.csv"))
    assert told["cosine"] == pytest.approx(expected.cosine)


X, R = recording(0, n=30, p=3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: retina.sta(X, R[:-1]), "`response` must have 30"),
        (lambda: retina.sta(X, np.ones(30)), "`response` must vary"),
        (lambda: retina.sta(np.ones((30, 3)), R), "`stimulus` must vary"),
        (lambda: retina.sta(np.where(X > 1, np.nan, X), R), "`stimulus` must be a number"),
        (lambda: retina.sta(np.where(X > 1, np.inf, X), R), "`stimulus` must be finite"),
        (lambda: retina.sta(X * 1e200, R), "`stimulus` must have squares"),
        (lambda: retina.sta(X > 0, R), "`stimulus`"),
        (lambda: retina.sta(X, R, np.ones((3, 3))), "`covariance` must not be singular"),
        (lambda: retina.sta(X, R, np.diag([1.0, 1.0, -1.0])), "negative eigenvalues"),
        (lambda: retina.sta(X, R, np.eye(2)), "`covariance` must be of shape"),
        (lambda: retina.sta(X, R, ridge=-1.0), "`ridge`"),
        (lambda: retina.sta(X[:1], R[:1]), "`stimulus` must have two rows"),
        (lambda: retina.cell(X, -R), "`response` must not hold negative"),
        (lambda: retina.cell(X, R, R), "`trials` must be of shape"),
        (lambda: retina.cell(X, R, lags=40), "`lags`"),
        (lambda: retina.reliability([[1.0, 2.0]]), "`trials` must hold two trials"),
        (lambda: retina.reliability(np.ones((3, 4))), "`trials` must vary in time"),
        (lambda: retina.fano_curve([[1.0, -1.0], [0.0, 2.0]]), "negative counts"),
        (lambda: retina.fano_curve(np.zeros((3, 4))), "there is no Fano factor"),
        (lambda: retina.fano_curve(np.ones((3, 4))), "there is no noise"),
        (lambda: retina.normalized_correlation(np.ones(4), np.eye(4)), "`prediction` must vary"),
        (lambda: retina.history(X, 0), "`lags`"),
        (lambda: retina.predict(stimulus="x.npy"), "`response` must be a file"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


def test_a_ridge_holds_what_does_not_vary():
    x = np.hstack([X, X[:, :1]])
    c = np.cov(x.T, bias=True)
    found = retina.sta(x, R, c, ridge=0.1)
    assert found.filter == pytest.approx(
        np.linalg.solve(c + 0.1 * np.eye(4), retina.sta(x, R).filter), rel=1e-8, abs=1e-10
    )


@pytest.mark.slow
def test_average_and_errors_cost_little_more_than_the_product():
    rng = np.random.default_rng(0)
    x, r = rng.standard_normal((20_000, 2_000)), rng.standard_normal(20_000)
    retina.sta(x[:100], r[:100])
    times = []
    for work in (lambda: x.T @ r, lambda: retina.sta(x, r)):
        best = math.inf
        for _ in range(5):
            start = time.perf_counter()
            work()
            best = min(best, time.perf_counter() - start)
        times.append(best)
    assert times[1] < 3 * times[0], times  # both wait for memory
