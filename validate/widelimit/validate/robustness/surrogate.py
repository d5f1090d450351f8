"""A twin of a classifier that is learnt from its answers alone, for attacks that transfer."""

from __future__ import annotations

import torch
from torch import nn

from widelimit.validate.robustness.attacks import Target

_WIDTH, _STEPS, _BATCH, _RATE = 64, 200, 128, 5e-3


def distilled(target: Target, classes: int, generator: torch.Generator) -> nn.Module:
    """Return a smooth perceptron that answers like a classifier at its inputs and at random points of their balls."""
    size = target.x[0].numel()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        twin = nn.Sequential(
            nn.Flatten(), nn.Linear(size, _WIDTH), nn.SiLU(), nn.Linear(_WIDTH, _WIDTH), nn.SiLU(),
            nn.Linear(_WIDTH, classes),
        ).to(target.x)  # fmt: skip
    optimiser = torch.optim.Adam(twin.parameters(), lr=_RATE)
    for _ in range(_STEPS):
        rows = torch.randint(len(target.x), (min(_BATCH, 4 * len(target.x)),), generator=generator)
        some = target.only(rows.to(target.x.device))
        share = torch.rand(some.x.shape, generator=generator, dtype=torch.float64).to(some.x)
        points = some.low + share * (some.high - some.low)
        with torch.no_grad():
            answers = target.module(points).argmax(1)
        with torch.enable_grad():
            loss = nn.functional.cross_entropy(twin(points), answers)
            optimiser.zero_grad()
            loss.backward()
        optimiser.step()
    return twin.train(False)
