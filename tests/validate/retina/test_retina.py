"""Models of users against their own averages; fits of simulations against scikit-learn; claims see wrong theories."""

import numpy as np
import pytest
import torch

from widelimit.theory.errors import ArgumentError
from widelimit.validate import retina
from widelimit.validate.claims import retina as claims
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate import retina as simulate


class Subunits(torch.nn.Module):
    """Two rectified filters, with a dropout that has to be off."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Linear(6, 2)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.first(x.flatten(1))).relu().sum(1, keepdim=True)


def test_filter_of_a_module_by_its_gradients():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20_000, 2, 3))
    model = Subunits().train()
    found = retina.predicted_sta(model, x)
    assert model.drop.training and found.filter.shape == (2, 3)
    assert 0.3 < found.discrepancy < 2.2
    k, b = (one.detach().numpy() for one in (model.first.weight, model.first.bias))
    from scipy.stats import norm

    exact = norm.cdf(b / np.linalg.norm(k, axis=1)) @ k
    assert found.filter.ravel() == pytest.approx(exact, abs=0.03)
    fixed = retina.predicted_sta(model, x, covariance=1.0)
    assert np.abs(fixed.filter.ravel() - exact).max() < 4 * fixed.standard_error.max() + 1e-9
    shifted = retina.predicted_sta(model, np.exp(x))
    assert shifted.discrepancy > 5  # stimuli that are not Gaussian
    other = retina.predicted_sta(model, x, rng.poisson(np.exp(-x[:, 0, 0])))
    assert other.discrepancy > 5  # another cell


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda x: x, "`model` must return 40 rates"),
        (lambda x: torch.zeros(len(x)), "`model` must depend"),
        (lambda x: x[:, 0] / 0, "`model` must have finite rates"),
        ("relu", "`model` must be a torch module"),
    ],
)
def test_bad_models(model, words):
    with pytest.raises(ArgumentError, match=words):
        retina.predicted_sta(model, np.random.default_rng(0).standard_normal((40, 3)))


def test_fits_of_maximum_likelihood_are_those_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    inputs = {"dimensions": 4, "gain": 0.8, "activation": "exp"}
    x, r, _ = simulate._recorded(inputs, 500, 3, Backend(), 3)
    theta = simulate.likelihood(x, r, "exp")
    for own, stimuli, counts in zip(theta, x, r, strict=True):
        fit = linear_model.PoissonRegressor(alpha=0.0, tol=1e-10, max_iter=500).fit(
            stimuli.numpy(), counts.numpy()
        )
        assert own.numpy() == pytest.approx([*fit.coef_, fit.intercept_], abs=1e-5)


@pytest.mark.parametrize("claim", claims.CLAIMS[:-2], ids=lambda claim: claim.id)
def test_every_claim_at_its_first_point(claim):
    point = claim.plans["quick"].points[0]
    truth = np.atleast_1d(claim.predict(point))
    size = (claim.plans["quick"].sizes or (1,))[-1]
    drawn = np.array([np.ravel(claim.simulate(point, size, [seed], Backend())) for seed in range(6)])
    assert drawn.mean(0) == pytest.approx(truth, rel=0.12)
    for one in claim.counterfactuals:
        assert np.atleast_1d(one.predict(point)) != pytest.approx(truth, rel=0.005)


@pytest.mark.slow
def test_models_learn_a_cell():
    found = simulate.models({"samples": 2000}, 1, [1, 2], Backend())
    assert found.shape == (2, 3) and np.abs(found).max() < 1
    assert found[:, :2].min() > 0  # the network is best
