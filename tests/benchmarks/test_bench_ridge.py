"""Ridge theory and its simulation beside today's ways, in one run on the same problems.

``pytest tests/benchmarks/test_bench_ridge.py --benchmark-enable``. Solvers: Brent's method on the defining equation a
point at a time (two scales), the same on a vectorised sum (1,000 eigenvalues), plain fixed-point iteration at sample
ratio 1. Penalties: 5-fold `RidgeCV` over 100 penalties. Curves: a scikit-learn fit for each ratio and penalty.
"""

import numpy as np
import pytest
import scipy.optimize
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge, RidgeCV
from threadpoolctl import threadpool_limits

from widelimit.numerics import ridge
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate.ridge import Population, draw, weights_of

RATIOS, PENALTIES = (
    a.ravel() for a in np.meshgrid(np.geomspace(0.02, 50, 100), np.geomspace(1e-12, 10, 100))
)
TWO = np.array([1.0, 0.01]), np.array([0.1, 0.9])
MANY = np.random.default_rng(0).gamma(1.0, 1.0, 1000) + 1e-4, np.full(1000, 1e-3)


def brent(s, p, ratio, penalty):
    def excess(k):
        return k * (1 - (p * s / (s + k)).sum() / ratio) - penalty

    high = penalty + (p @ s) / ratio
    return scipy.optimize.brentq(
        excess, min(penalty, high) * (1 - 1e-12), high * (1 + 1e-12), xtol=1e-300, rtol=1e-14
    )


def brent_scalar(s1, s2, p1, p2, ratio, penalty):
    def excess(k):
        return k * (1 - (p1 * s1 / (s1 + k) + p2 * s2 / (s2 + k)) / ratio) - penalty

    high = penalty + (p1 * s1 + p2 * s2) / ratio
    return scipy.optimize.brentq(excess, penalty * (1 - 1e-12), high * (1 + 1e-12), xtol=1e-300, rtol=1e-14)


@pytest.mark.benchmark(group="two scales, per 10,000 points")
def test_two_scales_ours(benchmark):
    got = benchmark(ridge.solve, *TWO, [1, 0], 0.1, sample_ratio=RATIOS, penalty=PENALTIES)
    assert got.steps.max() < 20


@pytest.mark.benchmark(group="two scales, per 10,000 points")
def test_two_scales_brent_for_100_points(benchmark):
    chosen = np.arange(0, 10_000, 100)
    got = benchmark(lambda: [brent_scalar(1.0, 0.01, 0.1, 0.9, RATIOS[k], PENALTIES[k]) for k in chosen])
    ours = ridge.solve(*TWO, [1, 0], 0.1, sample_ratio=RATIOS[chosen], penalty=PENALTIES[chosen])
    assert ours.effective_ridge == pytest.approx(got, rel=1e-11)  # brentq's equation cancels near ratio 1


@pytest.mark.benchmark(group="1,000 eigenvalues")
def test_many_eigenvalues_ours_10000_points(benchmark):
    u = MANY[0] / MANY[0].sum()
    benchmark(ridge.solve, *MANY, u, 0.1, sample_ratio=RATIOS, penalty=PENALTIES)


@pytest.mark.benchmark(group="1,000 eigenvalues")
def test_many_eigenvalues_brent_100_points(benchmark):
    chosen = np.arange(0, 10_000, 100)
    benchmark(lambda: [brent(*MANY, RATIOS[k], PENALTIES[k]) for k in chosen])


@pytest.mark.benchmark(group="sample ratio 1, penalty 1e-9")
def test_threshold_ours(benchmark):
    got = benchmark(ridge.solve, *TWO, [1, 0], 0.1, sample_ratio=1.0, penalty=1e-9)
    assert got.steps < 20


@pytest.mark.benchmark(group="sample ratio 1, penalty 1e-9")
def test_threshold_fixed_point_until_1e_12(benchmark):
    def iterate():
        k, before, steps = 1.0, 0.0, 0
        while abs(k - before) > 1e-16 * k and steps < 1_000_000:
            k, before = 1e-9 + k * (0.1 / (1 + k) + 0.9 * 0.01 / (0.01 + k)), k
            steps += 1
        return k, steps

    _, steps = benchmark.pedantic(iterate, rounds=1)
    benchmark.extra_info["steps"] = steps
    assert steps > 10_000


@pytest.fixture(autouse=True)
def one_thread():
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def images():
    """1,000 random features of 1,797 images of digits, 1,200 of them known."""
    pixels, y = load_digits(return_X_y=True)
    random = np.random.default_rng(0)
    X = np.maximum((pixels - pixels.mean(0)) @ random.standard_normal((64, 1000)) / 50, 0.0)
    order = random.permutation(len(y))
    return X[order[:1200]], y[order[:1200]], X[order[1200:]], y[order[1200:]]


ERRORS: dict[str, float] = {}


@pytest.mark.benchmark(group="best penalty of 1,000 features of digits")
def test_asymptotic_ridge(benchmark, images):
    X, y, X_new, y_new = images
    model = benchmark.pedantic(lambda: ridge.AsymptoticRidge().fit(X, y), rounds=5, warmup_rounds=1)
    ERRORS["ours"] = np.mean((model.predict(X_new) - y_new) ** 2)
    benchmark.extra_info["test_error"] = ERRORS["ours"]


@pytest.mark.benchmark(group="best penalty of 1,000 features of digits")
def test_cross_validation_of_100_penalties(benchmark, images):
    X, y, X_new, y_new = images
    model = benchmark.pedantic(lambda: RidgeCV(alphas=np.geomspace(1e-2, 1e6, 100), cv=5).fit(X, y), rounds=1)
    benchmark.extra_info["test_error"] = error = np.mean((model.predict(X_new) - y_new) ** 2)
    assert ERRORS["ours"] < 1.01 * error


CURVE_RATIOS, CURVE_PENALTIES = np.linspace(0.1, 2, 20), np.geomspace(1e-3, 10, 20)


@pytest.fixture(scope="module")
def drawn():
    population = Population.two_scales(
        {"fraction": 0.1, "separation": 0.05, "share": 0.7, "noise": 0.1}, 1000
    )
    data = []
    for k, ratio in enumerate(CURVE_RATIOS):
        X, e = draw(population, round(ratio * 1000), [k], Backend())
        data.append((X, X @ population.tensors(Backend())[1] + 0.1**0.5 * e))
    return data


@pytest.mark.benchmark(group="simulated curve, P = 1000, 20 ratios")
def test_curve_ours_20_penalties(benchmark, drawn):
    import torch

    lam = torch.tensor(CURVE_PENALTIES)
    benchmark.pedantic(lambda: [weights_of(X, y, lam) for X, y in drawn], rounds=1, warmup_rounds=0)


@pytest.mark.benchmark(group="simulated curve, P = 1000, 20 ratios")
def test_curve_scikit_learn_2_penalties(benchmark, drawn):
    import torch

    def run():
        return [
            [
                Ridge(alpha=X.shape[1] * c, fit_intercept=False).fit(X[0].numpy(), y[0].numpy()).coef_
                for c in CURVE_PENALTIES[::10]
            ]
            for X, y in drawn
        ]

    got = benchmark.pedantic(run, rounds=1)
    ours = [weights_of(X, y, torch.tensor(CURVE_PENALTIES[::10]))[0].numpy() for X, y in drawn[::7]]
    for one, other in zip(ours, got[::7], strict=True):
        assert one == pytest.approx(np.array(other), rel=1e-6, abs=1e-9)
