"""Trackers of torch optimisers against closed forms, and steps that stay what they were."""

import numpy as np
import pytest
import torch

from widelimit.numerics import synapses as theory
from widelimit.theory.errors import ArgumentError
from widelimit.validate import synapses

H = torch.tensor([[1.0, 0.4], [0.4, 0.5]], dtype=torch.float64)


def loss(x):
    return x @ H @ x / 2


def trained(optimiser, x, steps, closure=loss):
    for _ in range(steps):
        optimiser.zero_grad()
        closure(x).backward()
        optimiser.step()


def test_descent_is_the_closed_form():
    x = torch.tensor([1.0, 0.5], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([x], lr=0.5, momentum=0.6)
    with synapses.track(optimiser) as tracker:
        trained(optimiser, x, 400)
    expected = theory.importance(H.numpy(), [1.0, 0.5], learning_rate=0.5, momentum=0.6, damping=0.01)
    assert tracker.path_integral[0].numpy() == pytest.approx(expected.path_integral, rel=1e-10)
    assert tracker.importance(0.01)[0].numpy() == pytest.approx(np.maximum(expected.importance, 0), rel=1e-9)
    assert tracker.displacement[0].numpy() == pytest.approx([1.0, 0.5], abs=1e-12)
    before = tracker.path_integral[0].clone()
    trained(optimiser, x, 2)
    assert torch.equal(before, tracker.path_integral[0])  # stopped


@pytest.mark.parametrize("kind", ["SGD", "Adam", "RMSprop", "AdamW", "Adagrad", "NAdam"])
def test_steps_stay_what_they_are_and_the_identity_holds(kind):
    ends = []
    for watched in (True, False):
        x = torch.tensor([1.0, -0.5], dtype=torch.float64, requires_grad=True)
        optimiser = getattr(torch.optim, kind)([x], lr=0.05)
        tracker = synapses.track(optimiser) if watched else None
        first = float(loss(x.detach()))
        trained(optimiser, x, 25)
        if tracker is not None:
            x.grad = None
            loss(x).backward()
            assert abs(tracker.residual(first, float(loss(x.detach())))) < 1e-12
            assert tracker.steps == 25
        ends.append(x.detach())
    assert torch.equal(*ends)


def test_share_of_noise():
    """A parameter at its optimum whose gradient is noise: all of omega is; nothing of it in a loss without noise."""
    generator = torch.Generator().manual_seed(0)
    x = torch.zeros(400, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([x], lr=0.01)

    def noisy(one):
        return (one * torch.randn(400, generator=generator, dtype=torch.float64)).sum()

    tracker = synapses.track(optimiser, independent=lambda: noisy(x))
    trained(optimiser, x, 50, noisy)
    assert tracker.total == pytest.approx(400 * 50 * 0.01, rel=0.05)
    assert tracker.noise_share == pytest.approx(1.0, abs=0.05)
    y = torch.ones(3, dtype=torch.float64, requires_grad=True)
    clean = torch.optim.SGD([y], lr=0.1)
    other = synapses.track(clean, independent=lambda: (y**2).sum())
    trained(clean, y, 5, lambda one: (one**2).sum())
    assert other.noise_share == pytest.approx(0.0, abs=1e-12)
    other.reset()
    assert other.total == 0 and other.steps == 0 and float(other.displacement[0].abs().max()) == 0


def test_networks_with_frozen_parts_and_groups():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    net[0].bias.requires_grad_(False)
    groups = [{"params": net[0].parameters(), "lr": 0.1}, {"params": net[2].parameters(), "lr": 0.01}]
    optimiser = torch.optim.SGD(groups, lr=0.1)
    tracker = synapses.track(optimiser)
    x = torch.randn(8, 3)
    for _ in range(3):
        optimiser.zero_grad()
        (net(x) ** 2).mean().backward()
        optimiser.step()
    assert len(tracker.path_integral) == 4 and float(tracker.path_integral[1].abs().max()) == 0
    assert tracker.total > 0


def test_bad_input():
    with pytest.raises(ArgumentError, match="`optimizer` must be"):
        synapses.track("adam")
    x = torch.zeros(2, requires_grad=True)
    with pytest.raises(ArgumentError, match="`independent` must be a function"):
        synapses.track(torch.optim.SGD([x], lr=0.1), independent=3)
    tracker = synapses.track(torch.optim.SGD([x], lr=0.1))
    with pytest.raises(ArgumentError, match="`independent` must be a function"):
        _ = tracker.noise_share
    with pytest.raises(ArgumentError, match="`damping` must be positive"):
        tracker.importance(0)
