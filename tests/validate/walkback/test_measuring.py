"""Entropy production and bounds measured on modules against those of linear operators."""

import math

import numpy as np
import pytest
import torch

from widelimit.numerics import walkback as theory
from widelimit.theory.errors import ArgumentError
from widelimit.validate import walkback

A = np.array([[0.6, 0.3], [-0.2, 0.5]])


class Linear(torch.nn.Module):
    """s -> A s with noise of variance 1."""

    def __init__(self, a):
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor(a))

    def forward(self, x):
        return x @ self.a.T, torch.zeros(())


def test_entropy_production_of_a_linear_module():
    found = walkback.measure(Linear(A), np.zeros((1, 2)), chains=3000, seed=1)
    expected = theory.entropy_production(A, np.eye(2))
    assert abs(found.entropy_production - expected) < 4 * found.standard_error
    assert found.standard_error < 0.01 and found.moved < 4 and found.walk is None
    still = walkback.measure(Linear(np.diag([0.5, 0.8])), np.zeros((1, 2)), chains=1000)
    assert abs(still.entropy_production) < 4 * still.standard_error < 0.02


def test_bound_of_a_linear_module():
    generator = np.random.default_rng(0)
    data = generator.standard_normal((20_000, 2))
    prior = torch.distributions.MultivariateNormal(
        torch.zeros(2).double(), 3 * torch.eye(2).double()
    ).log_prob
    heats = (1.0, 1.4)
    found = walkback.measure(Linear(A), data, data=data, temperatures=heats, prior=prior, chains=50, path=5)
    exact = theory.bound(A, np.eye(2), data=np.eye(2), prior=3 * np.eye(2), temperatures=heats)
    assert abs(found.walk.bound - exact.bound) < 4 * found.walk.bound_error + 0.03
    assert found.walk.terms == pytest.approx(exact.terms.tolist(), abs=0.05)
    assert found.housekeeping == pytest.approx(2 * found.entropy_production)


def test_a_walk_that_has_not_settled_is_told():
    found = walkback.measure(Linear(np.diag([0.999, 0.999])), np.zeros((1, 2)), burn_in=0, chains=500)
    assert found.moved > 10


@pytest.mark.parametrize("wanted", [0.5, 0.1])
def test_a_schedule_loses_what_it_says(wanted):
    """A reversible linear module, annealed in its own steady state: - entropy of the data - bound is the gap."""
    a, ratio = np.array([0.5, 0.8]), 10.0
    found = walkback.schedule(Linear(np.diag(a)), np.zeros((1, 2)), ratio=ratio, gap=wanted, chains=2000)
    assert found.contractions == pytest.approx(a, abs=0.05)
    heats = np.array(found.temperatures)
    count, factor = len(heats), heats[0]
    assert heats[-1] == pytest.approx(ratio) and found.gap <= wanted
    assert found.gap == pytest.approx(found.housekeeping + found.annealing)
    excess = (1 - a**2) / (1 - a**2 / factor)
    data = np.diag(excess / (1 - a**2))
    prior = np.diag(heats[-1] / (1 - a**2))
    entropy = 0.5 * np.log(np.linalg.det(2 * math.pi * math.e * data))
    exact = -entropy - theory.bound(np.diag(a), np.eye(2), data=data, prior=prior, temperatures=heats).bound
    assert found.annealing == pytest.approx(exact, rel=0.1)
    fewer = walkback.schedule(Linear(np.diag(a)), np.zeros((1, 2)), ratio=ratio, gap=2 * wanted, chains=2000)
    assert len(fewer.temperatures) < count


def test_a_gap_below_the_least_is_refused_with_the_least():
    turning = Linear(0.8 * np.array([[math.cos(0.3), -math.sin(0.3)], [math.sin(0.3), math.cos(0.3)]]))
    with pytest.raises(ArgumentError, match=r"`gap` must be at least .*, what the best schedule loses"):
        walkback.schedule(turning, np.zeros((1, 2)), ratio=10.0, gap=0.5, chains=500)
    found = walkback.schedule(turning, np.zeros((1, 2)), ratio=10.0, gap=20.0, chains=500)
    assert found.gap <= 20.0 and found.least_gap <= found.gap and len(found.temperatures) <= found.best_steps


def unfit(x):
    return x[:, :1], torch.zeros(())


def wild(x):
    return 1e30 * x, torch.zeros(())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: walkback.measure(lambda x: x, np.zeros((1, 2))), "`module` must return mean and log"),
        (lambda: walkback.measure(unfit, np.zeros((1, 2))), "`module` must return means of shape"),
        (
            lambda: walkback.measure(lambda x: (x, torch.zeros(3)), np.zeros((1, 2))),
            "log standard deviations",
        ),
        (lambda: walkback.measure(wild, np.ones((1, 2)), burn_in=50), "the walk runs away"),
        (lambda: walkback.measure(Linear(A), np.zeros(2)), "`start` must be of shape"),
        (lambda: walkback.measure(Linear(A), np.zeros((1, 2)), chains=1), "`chains` must be"),
        (
            lambda: walkback.measure(Linear(A), np.zeros((1, 2)), data=np.zeros((3, 2)), path=2),
            "`prior` must be given",
        ),
        (
            lambda: walkback.measure(
                Linear(A), np.zeros((1, 2)), data=np.zeros((3, 2)), path=2, temperatures=[0]
            ),
            "`temperatures` must be positive",
        ),
        (
            lambda: walkback.measure(
                Linear(A), np.zeros((1, 2)), data=np.zeros((3, 2)), path=2, prior=lambda s: s.sum() / math.inf
            ),
            "`prior` must return 3",
        ),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
