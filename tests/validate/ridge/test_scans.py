"""Scans find what a minimiser finds on errors from other code; the spectrum without a gap has its share above."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from sklearn.linear_model import Ridge

from widelimit.validate.claims.ridge.landscape import beside
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate import ridge as simulate
from widelimit.validate.simulate.ridge import real, scans

CPU = Backend()
INPUTS = {"fraction": 0.25, "separation": 0.1, "share": 0.7, "noise": 0.2}


def _errors(population, samples, penalties, seed):
    """Mean errors by linear algebra alone: the matrices that weights and noise are multiplied by."""
    X = simulate.draw(population, samples, [seed], CPU)[0][0].numpy()
    s, w2 = population.s, population.w**2
    found = []
    for penalty in np.atleast_1d(penalties):
        if samples < s.size:
            fit = np.linalg.solve(X @ X.T / samples + penalty * np.eye(samples), X / samples).T
        else:
            fit = np.linalg.solve(X.T @ X / samples + penalty * np.eye(s.size), X.T / samples)
        missed = np.eye(s.size) - fit @ X
        found.append(s @ missed**2 @ w2 + population.noise * (1 + (s @ fit**2).sum()))
    return np.array(found)


@pytest.mark.parametrize("samples", [20, 60])
def test_curves_are_errors_of_fits(samples):
    population = simulate.Population.two_scales(INPUTS, 40)
    penalties = np.array([0.003, 0.2, 30.0])
    curve = scans.Curve.drawn(population, samples, 11, CPU)
    assert curve(penalties) == pytest.approx(_errors(population, samples, penalties, 11), rel=1e-9)


def test_the_best_penalty_is_a_minimiser_s():
    population = simulate.Population.two_scales(INPUTS, 40)

    def error(log_penalty):
        return _errors(population, 30, float(np.exp(log_penalty)), 5)[0]

    right = minimize_scalar(error, bounds=(-9, 4), method="bounded", options={"xatol": 1e-8})
    place, low, high = scans.vertices(population, 30, [5], CPU, factor=3.0)[0]
    assert place == pytest.approx(right.x, abs=2e-3)
    assert low == pytest.approx(np.log(error(place - np.log(3)) / right.fun), abs=1e-6)
    assert high == pytest.approx(np.log(error(place + np.log(3)) / right.fun), abs=1e-6)
    assert scans.least_errors(population, 30, [5], CPU)[0] == pytest.approx(right.fun, rel=1e-6)
    clean, excess = scans.excess_errors(population, 30, [5], CPU)[0]
    assert excess == pytest.approx(right.fun - population.noise, rel=1e-5)
    noiseless = simulate.Population(population.s, population.w, 0.0)
    assert clean == pytest.approx(_errors(noiseless, 30, 0.0, 5)[0], rel=1e-6)


def test_the_best_penalty_may_be_negative():
    population = simulate.Population.two_scales({**INPUTS, "share": 1.0, "fraction": 0.1, "noise": 0.0}, 60)
    X, _ = simulate.draw(population, 30, [3], CPU)
    edge = float(np.linalg.eigvalsh((X[0] @ X[0].T / 30).numpy())[0])
    around = np.linspace(-edge * 0.99, 0.05, 801)
    errors = _errors(population, 30, around, 3)
    place, gain, loss = scans.signed_bests(population, 30, [3], CPU)[0]
    assert place < 0 and place == pytest.approx(around[errors.argmin()], abs=2 * (around[1] - around[0]))
    at = _errors(population, 30, [place, -place, 0.0], 3)
    assert [gain, loss] == pytest.approx(np.log(at[:2] / at[2]).tolist(), rel=1e-7)
    assert scans.least_errors(population, 30, [3], CPU)[0] == pytest.approx(errors.min(), rel=1e-3)


def test_halves_by_scikit_learn():
    X, y = real.data_set("diabetes")
    x = X - X.mean(0)
    unit = np.linalg.eigvalsh(x.T @ x / len(y)).mean()
    grid = np.exp(np.linspace(np.log(1e-3), np.log(10), 150))
    drawn, total = np.random.default_rng(4), np.zeros(grid.size)
    for _ in range(2):
        half = drawn.permutation(len(y))[len(y) // 2 :]
        for k, penalty in enumerate(grid):
            fit = Ridge(alpha=60 * penalty * unit).fit(X[half[:60]], y[half[:60]])
            total[k] += np.mean((y[half[60:]] - fit.predict(X[half[60:]])) ** 2) / 2
    place, error = real.best_of_halves("diabetes", 60, [4], fits=2)[0]
    assert place == pytest.approx(np.log(grid[total.argmin()]), abs=0.1)  # a parabola over half a decade
    assert error == pytest.approx(np.log(total.min()), abs=2e-3)


def test_without_a_gap_the_share_lies_above():
    found = beside((1.0, 1.0 - 1e-9), (0.3, 0.7), 1.0)  # Marchenko-Pastur: density sqrt((4 - x)/x)/(2 pi)
    above = quad(lambda x: np.sqrt((4 - x) / x) / (2 * np.pi), np.exp(found.above), 4)[0]
    assert found.width == 0 and found.above == found.below and above == pytest.approx(0.3, abs=1e-5)
