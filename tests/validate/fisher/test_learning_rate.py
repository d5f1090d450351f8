"""Gradient descent by torch on networks of many outputs: it diverges just above the predicted rate, not just below."""

import itertools
import math

import pytest
import torch

from widelimit.numerics import fisher

WIDTH, SAMPLES, STEPS = 300, 12, 60
KINDS = {"relu": torch.relu, "tanh": torch.tanh}


def growth(name: str, outputs: int, rate: float, seed: int, overlap: float) -> float:
    """By what factor the loss 1/(2 T) sum |f - y|^2 changes in steps of `rate`, targets 1e-6 from the outputs."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    sizes = [WIDTH, WIDTH, WIDTH, outputs]
    weights = [normal(m, n) * math.sqrt(2 / n) for n, m in itertools.pairwise(sizes)]
    weights = [w.requires_grad_() for w in weights]
    x = math.sqrt(overlap) * normal(1, WIDTH) + math.sqrt(1 - overlap) * normal(SAMPLES, WIDTH)

    def out():
        h = x
        for w in weights[:-1]:
            h = KINDS[name](h @ w.T)
        return h @ weights[-1].T

    y = out().detach() + 1e-6 * normal(SAMPLES, outputs)
    losses = []
    for _ in range(STEPS):
        loss = (out() - y).square().sum() / (2 * SAMPLES)
        losses.append(loss.item())
        with torch.no_grad():
            for w, g in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                w -= rate * g
    return losses[-1] / losses[0]


@pytest.mark.parametrize("outputs", [1, 10, 40])
@pytest.mark.parametrize(("name", "overlap"), [("relu", 0.3), ("tanh", 0.0)])
def test_steps_are_stable_below_the_rate_of_all_outputs(name, outputs, overlap):
    """One network's eigenvalue lies within some ten per cent of the mean over networks that theory predicts."""
    s = fisher.predict(
        name, sigma_w=math.sqrt(2), depth=2, width=float(WIDTH), samples=SAMPLES, outputs=outputs,
        input_overlap=overlap, inputs="gaussian",
    )  # fmt: skip
    assert math.isclose(s.largest_learning_rate, 2 / s.top)
    assert growth(name, outputs, 0.85 * s.largest_learning_rate, 0, overlap) < 1
    assert growth(name, outputs, 1.2 * s.largest_learning_rate, 0, overlap) > 10
    if outputs == 40:  # what the largest eigenvalue of one output would allow
        assert s.top > 1.2 * s.largest and growth(name, outputs, 2 / s.largest, 0, overlap) > 10
