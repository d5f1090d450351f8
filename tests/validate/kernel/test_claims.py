"""Claims of kernels and what follows: shapes, repeatability, and a wrong theory that a short run tells apart."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from widelimit.validate.harness import finding
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate.kernel import Net, functions, tangent_of_one_layer

TOPICS = ("kernel", "fisher", "geometry", "convolution", "recurrence", "residual", "batchnorm")
ALL = tuple(claim for claim in finding.load([f"{topic}.*" for topic in TOPICS]) if "quick" in claim.plans)


@pytest.mark.parametrize("claim", ALL, ids=lambda claim: claim.id)
def test_shapes_and_seeds(claim):
    """Replicate r depends on seed r alone, however seeds are split, and predictions match rows."""
    inputs = claim.plans["quick"].points[0]
    size = min(claim.plans["quick"].sizes, default=0)
    predicted = np.asarray(claim.predict(inputs))
    together = claim.simulate(inputs, size, [5, 9], Backend())
    apart = np.concatenate([claim.simulate(inputs, size, [seed], Backend()) for seed in (5, 9)])
    assert together.shape == (2, predicted.size) and len(claim.rows(inputs)) == predicted.size
    assert np.allclose(together, apart, rtol=1e-9, atol=1e-12)
    if np.allclose(together[0], together[1]):  # what is found by bisection may coincide once
        assert not np.allclose(together[0], claim.simulate(inputs, size, [11], Backend())[0])


@pytest.mark.parametrize("claim", ALL, ids=lambda claim: claim.id)
def test_each_counterfactual_differs_by_more_than_the_margin_somewhere(claim):
    for counterfactual in claim.counterfactuals:
        if counterfactual.predict_at is not None:  # asked where it differs at the sizes of a plan
            continue
        gaps = []
        for inputs in filter(counterfactual.applies, claim.plans["quick"].points):
            predicted = np.asarray(claim.predict(inputs))
            scale = np.abs(predicted) if claim.scale is None else claim.scale(predicted)
            gaps.append(
                np.max(
                    np.abs(np.asarray(counterfactual.predict(inputs)) - predicted) / (claim.margin * scale)
                )
            )
        assert max(gaps) > 1.3


def test_listing_claims_imports_neither_torch_nor_statistics():
    topics = ", ".join(f"'{topic}.*'" for topic in TOPICS)
    code = f"from widelimit.validate import claims; claims.load([{topics}])"
    code += "; import sys; sys.exit(bool({'torch', 'scipy.stats'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_share_of_networks_that_decide_for_a_digit():
    """A claim without a quick plan: shares of 80 networks of width 64 beside the Gaussian process, image by image."""
    (claim,) = finding.load(["kernel.digits-classes"])
    inputs = claim.plans["reference"].points[1]
    shares = claim.simulate(inputs, 64, range(5), Backend())
    predicted = claim.predict(inputs)
    assert np.array_equal(shares[1:2], claim.simulate(inputs, 64, [1], Backend()))
    # binomial errors of 80 networks, four of them, and 1/64 of bias
    error = 4 * np.sqrt(predicted * (1 - predicted) / 80) + 0.05
    assert (np.abs(shares.mean(axis=0) - predicted) < error).all()
    for counterfactual in claim.counterfactuals:
        assert np.max(np.abs(counterfactual.predict(inputs) - predicted)) > 1.3 * claim.margin


def test_tangent_of_one_layer_is_the_product_of_gradients():
    """The batch of networks against one network at a time, with the same weights, and the ReLU constant 3."""
    x, backend = np.array([0.4, -1.0, 0.7]), Backend()
    theta = tangent_of_one_layer(x, ("tanh", 1.4, 0.3), 20, 5, seed=3, backend=backend)
    generator = backend.generator(3)
    weights, biases, readout = (
        torch.randn(shape, generator=generator, dtype=backend.dtype)
        for shape in ((5, 20, 3), (5, 20), (5, 20))
    )
    for w, b, v, value in zip(weights, biases, readout, theta, strict=True):
        net = Net([w, v[None]], [b, torch.zeros(1, dtype=backend.dtype)], 1.4, 0.3, *functions("tanh"))
        assert value == pytest.approx(float(net.kernels(torch.tensor(x[None]))[1]), rel=1e-12)
    many = tangent_of_one_layer(np.ones(2), ("relu", 1.0, 0.0), 64, 20000, seed=4, backend=backend)
    # a variance of 20,000 numbers with a tail, standard error 1.5 %
    assert 64 * many.var() / many.mean() ** 2 == pytest.approx(3.0, rel=0.06)
