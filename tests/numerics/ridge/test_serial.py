"""Rows that are not independent are noticed; independent ones are not accused more often than is said."""

import warnings

import numpy as np
import pytest
from scipy.stats import beta

from widelimit.numerics import ridge
from widelimit.numerics.ridge import serial
from widelimit.theory.errors import DependenceWarning, WidelimitWarning


def autoregressive(n, memory, random):
    noise, e = random.standard_normal(n), np.zeros(n)
    e[0] = noise[0]
    for i in range(1, n):
        e[i] = memory * e[i - 1] + np.sqrt(1 - memory**2) * noise[i]
    return e


def series(n, p, memory, seed):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, p))
    return X, X @ np.full(p, p**-0.5) + 0.7 * autoregressive(n, memory, random)


def test_ratio_of_ranks_by_hand_and_its_distribution():
    # ranks 1..10 in order: nine steps of 1 over a sum of squares of 82.5
    n = 10
    shape = 5 * n * (n + 1) * (n - 1) ** 2 / (2 * (n - 2) * (5 * n**2 - 2 * n - 9)) - 0.5
    expected = beta.cdf(9 / 82.5 / 4, shape, shape) / 0.9
    assert serial.p_value(np.arange(10.0)) == pytest.approx(expected, rel=1e-12)
    # Bartels 1982: mean 2 and variance 4 (n - 2)(5n^2 - 2n - 9)/(5n(n + 1)(n - 1)^2) of the ratio
    assert 16 / (4 * (2 * shape + 1)) == pytest.approx(4 * 8 * 471 / (5 * 10 * 11 * 81), rel=1e-12)


@pytest.mark.parametrize("n", [10, 40, 300])
def test_false_alarms_are_as_rare_as_said(n):
    random = np.random.default_rng(n)
    errors = random.standard_cauchy((3000, n))  # tails do not matter to ranks
    rate = np.mean([serial.p_value(row) < 0.05 for row in errors])
    assert rate == pytest.approx(0.05, abs=0.014)  # 3.5 standard errors


def test_independent_rows_are_not_accused_and_series_are():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(10):
            assert ridge.from_data(*series(100, 30, 0.0, seed), redrawn=2).rows_independent
    for memory in (0.7, -0.9):
        with pytest.warns(DependenceWarning, match="errors that resemble|alternate") as caught:
            theory = ridge.from_data(*series(300, 30, memory, 0))
        assert not theory.rows_independent and theory.dependence < 1e-3
        assert caught[0].filename == __file__
        assert issubclass(DependenceWarning, WidelimitWarning) and issubclass(DependenceWarning, UserWarning)
    with pytest.warns(DependenceWarning) as caught:
        model = ridge.AsymptoticRidge().fit(*series(300, 30, 0.7, 0))
    assert not model.rows_independent_
    assert caught[0].filename == __file__
    order = np.random.default_rng(1).permutation(300)
    X, y = series(300, 30, 0.7, 0)
    assert ridge.AsymptoticRidge().fit(X[order], y[order]).rows_independent_


def test_more_features_than_rows_of_a_series():
    with pytest.warns(DependenceWarning):
        ridge.from_data(*series(150, 200, 0.9, 1))


def test_sorted_tables_and_labels_in_turns_are_no_series():
    random = np.random.default_rng(0)
    X = random.standard_normal((120, 8))
    y = X @ np.ones(8) + random.standard_normal(120)
    order = np.argsort(y)
    for rows in (order, order[::-1]):
        assert ridge.from_data(X[rows], y[rows]).rows_independent
    label = np.arange(120) % 3.0
    assert ridge.from_data(X + label[:, None], label).rows_independent


def test_the_command_line_says_it_too(tmp_path):
    X, y = series(300, 5, 0.8, 2)
    np.save(tmp_path / "series.npy", np.column_stack([X, y]))
    with pytest.warns(DependenceWarning):
        assert ridge.predict(data=str(tmp_path / "series.npy")).rows_independent is False
