"""A user's matrix: what it was made of is found, remainders that are not independent are told, files are read."""

import math

import numpy as np
import pytest

from widelimit.numerics import coding
from widelimit.theory.errors import ArgumentError, WidelimitError
from widelimit.validate.network import rate_network

N = 300


def made(balance=4.0, disorder=0.8, seed=0):
    rng = np.random.default_rng(seed)
    w = rng.choice([-1.0, 1.0], N)
    return -balance / N * np.outer(w, w) + disorder * rng.standard_normal((N, N)) / math.sqrt(N), w


def test_what_it_was_made_of():
    z = []
    for seed in range(12):
        W, w = made(seed=seed)
        found = rate_network(W, w, noise=0.75)
        assert found.iid, found.evidence
        assert abs(found.disorder - 0.8) < 4 * found.disorder_error
        z.append((found.balance - 4) / found.balance_error)
    assert abs(np.mean(z)) < 4 / math.sqrt(12) and 0.4 < np.std(z) < 1.8


def test_its_error_is_that_of_the_theory():
    W, w = made()
    found = rate_network(W, w, noise=0.75, delay=0.1, signal=0.2)
    p = coding.solve(
        "tanh", balance=found.balance, disorder=found.disorder, noise=0.75, delay=0.1, signal=0.2
    )
    assert found.code == p
    assert found.mean_square_error == pytest.approx(p.bias**2 + (p.variance + p.quenched_variance) / N)
    at = coding.critical_balance("tanh", delay=found.stable_delay).loop_gain
    assert at == pytest.approx(p.loop_gain, rel=1e-9)
    assert 1 < found.best_balance < 60


def test_remainders_that_are_not_independent():
    W, w = made()
    rng = np.random.default_rng(5)
    v = rng.standard_normal(N)
    symmetric = np.where(np.tri(N, dtype=bool), W, W.T)
    assert not rate_network(symmetric, w, noise=0.5).iid
    assert not rate_network(W + 2.0 * np.outer(v, rng.standard_normal(N)) / N, w, noise=0.5).iid
    rows = np.where(np.arange(N) < N // 2, 0.5, 1.5)
    assert not rate_network(W * rows[:, None], w, noise=0.5).iid


def test_files_and_tensors(tmp_path):
    import torch

    W, w = made()
    np.save(tmp_path / "W.npy", W)
    np.savetxt(tmp_path / "w.csv", w[None], delimiter=",")
    a, b = rate_network(W, w), rate_network(str(tmp_path / "W.npy"), torch.tensor(w))
    assert a == b and a.best_balance == math.inf
    alone = rate_network(-4 / N * np.outer(w, w), w, noise=0.75)
    assert alone.disorder < 1e-10 and alone.iid


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"W": np.eye(5)}, "shape"), ({"readout": np.full(N, 0.5)}, "\\+1 and -1"), ({"readout": []}, "non-empty"),
        ({"W": np.full((N, N), np.nan)}, "NaN"), ({"W": "none.npy"}, "exists"), ({"W": 1e9 * np.eye(N)}, "at most 1e6"),
    ],
)  # fmt: skip
def test_bad_input(change, match):
    W, w = made()
    with pytest.raises(ArgumentError, match=match):
        rate_network(**{"W": W, "readout": w, **change})
    with pytest.raises(ArgumentError, match="oppose"):
        rate_network(-W, w)
    with pytest.raises(WidelimitError):
        rate_network(W, w, signal=1.0)
