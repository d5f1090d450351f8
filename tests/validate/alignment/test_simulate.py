"""Simulations of alignment by value: explicit loops over samples on the same draws."""

import numpy as np
import pytest
import torch

from widelimit.validate.claims.alignment import shared
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing.weights import Draws
from widelimit.validate.simulate import alignment as simulate
from widelimit.validate.simulate.alignment import training

W, ROOT = shared.layer(3, 2, 0.5)
GIVEN = {"alpha": 1.2, "beta": 0.7, "gamma": 0.4}


def changes(rule, x, w, b):
    """Changes of B and W on one sample, from the primitives' gradients written out."""
    y, back = w @ x, b.T @ x
    alpha, beta, gamma = GIVEN.values()
    if rule == "symmetric":
        return beta * w.T - alpha * b, beta * b.T - alpha * w
    if rule == "mirror":
        return beta * np.outer(x, y) - alpha * b, beta * np.outer(back, x) - alpha * w
    if rule == "activation":
        return np.outer(x, beta * y - alpha * back), np.outer(beta * back - alpha * y, x)
    null = b @ y
    up = np.outer(alpha * x - beta * null, y) - gamma * b
    return up, np.outer(alpha * back - beta * b.T @ null, x) - gamma * w


def drawn(seed, steps, batch):
    (x,) = (Draws([seed], Backend()).normal(steps, batch, 3) @ torch.from_numpy(ROOT).mT).numpy()
    return x


@pytest.mark.parametrize("rule", ["symmetric", "mirror", "activation", "information"])
def test_feedback_of_one_layer(rule):
    inputs = {"rule": rule, **GIVEN, "learning_rate": 0.1, "steps": 6, "batch": 4}
    along = (W.T, ROOT @ ROOT.T @ W.T)
    draws, kept = Draws([7], Backend()), []
    b = 30 * draws.normal(3, 2)[0].numpy()
    for rows in (draws.normal(6, 4, 3) @ torch.from_numpy(ROOT).mT)[0].numpy():
        b = b + 0.1 * np.mean([changes(rule, x, W, b)[0] for x in rows], axis=0)
        kept.append(b)
    mean = np.mean(kept[3:], axis=0)
    right = [np.sum(mean * one) / np.sum(one * one) for one in along]
    found = simulate.resting(inputs, 0, [7], Backend(), weights=W, root=ROOT, along=along)
    assert found[0] == pytest.approx(right, rel=1e-10)


@pytest.mark.parametrize("rule", ["symmetric", "mirror", "activation", "information"])
def test_both_sides_moving(rule):
    inputs = {"rule": rule, **GIVEN, "time": 0.5, "batch": 3}
    start = shared.layer(2, 3, 0.0)[0]
    w, b = W, start
    for rows in drawn(5, 5, 3):
        moved = [changes(rule, x, w, b) for x in rows]
        w, b = w + np.mean([m[1] for m in moved], 0) / 10, b + np.mean([m[0] for m in moved], 0) / 10
    before, now = W @ W.T - start.T @ start, w @ w.T - b.T @ b
    found = simulate.left_over(inputs, 10, [5], Backend(), weights=W, feedback=start, root=ROOT)
    assert found[0, 0] == pytest.approx(np.sum(before * now) / np.sum(before**2), rel=1e-10)


@pytest.mark.parametrize("rule", ["mirror", "activation"])
def test_the_noise_of_two_feedbacks(rule):
    inputs = {"rule": rule, **GIVEN, "learning_rate": 0.1, "steps": 4, "batch": 2}
    pair, kept = [np.zeros((3, 2))] * 2, []
    for rows in drawn(9, 4, 4):
        pair = [
            b + 0.1 * np.mean([changes(rule, x, W, b)[0] for x in half], axis=0)
            for b, half in zip(pair, (rows[:2], rows[2:]), strict=True)
        ]
        one, other = pair
        apart = one - other
        kept.append(np.sum(apart * (one if rule == "activation" else apart / 2)))
    found = simulate.floor(inputs, 0, [9], Backend(), weights=W, root=ROOT)
    assert found[0, 0] == pytest.approx(np.mean(kept[2:]), rel=1e-9)


def test_a_layer_that_diverges_is_told():
    inputs = {"fan_out": 20, "sigma_w": 1.0, "beta": 1.0, "gamma": 0.3}
    found = training.divergence(inputs, 0, [0], Backend(), rates=(0.01, 0.1, 3.0))
    assert found.tolist() == [[0.0, 0.0, 1.0]]


def test_rank_correlations_share_ranks():
    values = np.array([[0.1, 0.3, 0.2, 0.1], [0.2, 0.2, 0.2, 0.3], [0.4, 0.1, 0.2, 0.3]])
    correlations = training._rank_correlation(values)
    assert correlations == pytest.approx([1.0, -1.0, 0.0, 0.8660254], abs=1e-6)


def test_networks_learn_digits():
    """Two epochs: far below chance, at the same seeds the same; feedback of the weights' own transpose is backprop."""
    plain = training.test_errors("backprop", 2, 2, [0, 1])
    assert plain.shape == (2,) and (plain < 0.25).all()
    assert (training.test_errors("backprop", 2, 2, [1])[0] == plain[1]).all()
    nets = training.Nets.draw([0], 2)
    nets.feedback = [w.mT.clone() for w in nets.weights]
    delta = torch.randn(1, 5, 10)
    assert torch.allclose(nets.returned(2, delta, True), nets.returned(2, delta, False), atol=1e-6)
