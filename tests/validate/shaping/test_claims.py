"""Claims of shaped activations and of networks: simulations that owe nothing to the theory, and how claims are told."""

import numpy as np
import pytest

from widelimit.validate import claims
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate import shaping as simulate


def test_ids():
    ids = {claim.id for claim in claims.load("shaping")}
    assert ids == {
        "shaping.targets", "shaping.limit-map", "shaping.leaky", "shaping.nf-gain", "shaping.trains-deep",
    }  # fmt: skip
    assert "quick" not in next(c for c in claims.load("shaping") if c.id == "shaping.trains-deep").plans


def test_ids_of_networks():
    known = {claim.id: claim for claim in claims.load("network")}
    assert {
        "network.dead-units", "network.open-shortcut", "network.width-variance", "network.coverage",
        "network.depthwise-kurtosis", "network.advice", "network.mu-p",
    } <= set(known)  # fmt: skip
    assert "quick" not in known["network.advice"].plans and "reference" in known["network.advice"].plans


def test_layers_drawn_by_gram_matrices_are_those_of_weights():
    import torch

    given, depth = torch.tensor([0.5], dtype=torch.float64), 3
    found = np.mean([float(simulate.behind(torch.tanh, given, depth, k, Backend())) for k in range(2)])
    generator, total = torch.Generator().manual_seed(0), []
    for _ in range(8):
        one, across = torch.randn(2, 200, generator=generator, dtype=torch.float64)
        across = across - (across @ one) / (one @ one) * one
        x = (
            torch.stack([one / one.norm(), 0.5 * one / one.norm() + 0.75**0.5 * across / across.norm()])
            * 200**0.5
        )
        for _ in range(depth):
            x = torch.tanh(x @ torch.randn(200, 200, generator=generator, dtype=torch.float64) / 200**0.5)
        total.append(float(x[0] @ x[1] / (x[0].norm() * x[1].norm())))
    assert found == pytest.approx(np.mean(total), abs=0.04)
