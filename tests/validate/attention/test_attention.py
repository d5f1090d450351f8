"""What is simulated is softmax attention: against torch's own, and tokens have the Gram matrix that is asked for."""

import math

import numpy as np
import pytest
import torch

from widelimit.validate.claims import attention as claims
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate import attention as simulate
from widelimit.validate.simulate.kernel import normals

INPUTS = {"tokens": 5, "rho": 0.3, "q": 1.7, "sigma_qk": 1.4, "sigma_vo": 0.8}


def test_tokens_have_their_gram_matrix():
    x = simulate.tokens(INPUTS, normals(3, Backend()), 4, 64)
    expected = np.where(np.eye(5), 1.7, 0.51)
    assert simulate.gram(x).numpy() == pytest.approx(np.broadcast_to(expected, (4, 5, 5)), abs=1e-12)
    other = simulate.tokens({**INPUTS, "rho": -0.25}, normals(3, Backend()), 1, 64)  # they sum to zero
    assert float(other.sum(1).abs().max()) < 1e-6


@pytest.mark.parametrize("causal", [False, True])
def test_a_layer_is_torch_s_attention(causal):
    normal = normals(5, Backend())
    x = simulate.tokens(INPUTS, normal, 2, 64)
    layer = simulate.attention({**INPUTS, "causal": causal}, normal, 2, 64, 4)

    def heads(weight):
        return (x @ weight / 8).reshape(2, 5, 4, 32).transpose(1, 2)

    mixed = torch.nn.functional.scaled_dot_product_attention(
        1.4 * heads(layer.query), heads(layer.key), heads(layer.value), is_causal=causal
    )
    expected = 0.8 * mixed.transpose(1, 2).reshape(2, 5, 128) @ layer.out.transpose(-1, -2) / math.sqrt(128)
    assert torch.allclose(layer(x), expected, atol=1e-12)


def test_replicates_repeat_and_differ():
    inputs = {**INPUTS, "q": 1.0}
    first, again, other = (simulate.moments(inputs, 1, seed, Backend()) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).all()


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.id)
def test_claims_predict_numbers_and_wrong_ones_are_others(claim):
    """At the quick preset's points every wrong theory that applies is away from the truth."""
    for inputs in claim.plans["quick"].points:
        truth = np.asarray(claim.predict(inputs))
        assert np.isfinite(truth).all()
        applied = [one for one in claim.counterfactuals if one.applies is None or one.applies(inputs)]
        assert applied
        for one in applied:
            assert np.abs(np.asarray(one.predict(inputs)) - truth).max() > 0.02 * np.abs(truth).max()
