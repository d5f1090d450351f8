"""Transformers that learn side by side are what they would be alone, and settings have their own exponents."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from widelimit.validate import claims
from widelimit.validate.claims.network import transformers as claim
from widelimit.validate.simulate.network import transformers as simulate


def alone(image, weights, places, skip, heads=4):
    """One network on one image, token by token where it can be."""
    x = F.layer_norm(image @ weights[0] + places, (32,))
    for block in range(8):
        q, k, v, out, up, down = weights[1 + 6 * block : 7 + 6 * block]
        mixed = torch.zeros(8, 32)
        for h in range(heads):
            part = slice(8 * h, 8 * h + 8)
            logits = (x @ q[:, part]) @ (x @ k[:, part]).T / math.sqrt(8)
            mixed[:, part] = logits.softmax(1) @ (x @ v[:, part])
        x = F.layer_norm(skip * x + mixed @ out, (32,))
        x = F.layer_norm(skip * x + torch.tanh(x @ up) @ down, (32,))
    return x.mean(0) @ weights[-1]


def test_networks_side_by_side_are_networks_alone():
    torch.manual_seed(0)
    shapes = [(8, 32), *[one for _ in range(8) for one in ((32, 32),) * 4 + ((32, 64), (64, 32))], (32, 10)]
    weights = [torch.randn(20, *one) / one[0] ** 0.5 for one in shapes]
    places, skip = torch.randn(20, 1, 8, 32), torch.rand(20) + 0.3
    images = torch.randn(3, 8, 8)
    found = simulate._outputs(images, weights, places, skip.reshape(-1, 1, 1, 1))
    assert found.shape == (20, 3, 10)
    for net, image in ((0, 0), (7, 2), (19, 1)):
        want = alone(images[image], [one[net] for one in weights], places[net, 0], skip[net])
        assert found[net, image].numpy() == pytest.approx(want.numpy(), rel=1e-3, abs=1e-4)


def test_settings_and_their_exponents():
    """The factors w^2/(w^2 + v_A) (w^2 + chi_M)/(w^2 + v_M) and (w^2 + chi_M)/(w^2 + v_M), averages of tanh by sums."""
    start = claim._start({"activation": "tanh"})
    assert len(start["settings"]) == len(start["sizes"]) == 400
    z = np.linspace(-9, 9, 3001)
    weight = np.exp(-(z**2) / 2)
    weight /= weight.sum()
    for k in (0, 57, 399):
        qk, vo, first, second, skip = start["settings"][k]
        assert (
            0.3 <= qk <= 2
            and 0.1 <= vo <= 2
            and 0.5 <= first <= 4
            and 0.1 <= second <= 2
            and 0.3 <= skip <= 1.2
        )
        v = second**2 * weight @ np.tanh(first * z) ** 2
        chi = (first * second) ** 2 * weight @ np.cosh(first * z) ** -4.0
        gradient = math.log((skip**2 + chi) / (skip**2 + v))
        angle = math.log(skip**2 / (skip**2 + vo**2)) + gradient
        assert start["sizes"][k] == pytest.approx(abs(angle) + abs(gradient), rel=1e-8)


def test_the_claim_is_for_long_runs():
    (one,) = (each for each in claims.load("network") if each.id == "network.exponents")
    assert "quick" not in one.plans and set(one.plans) == {"reference", "deep"}
