"""Walks away from data and back: sampled log ratios of operators, chains and learnt networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import normals

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

_WALKS = 4000
_STEPS, _BATCH, _RATE, _TURN = 600, 256, 3e-3, 0.6


def operator(inputs: Any, backend: Backend) -> torch.Tensor:
    """A = a R(p) in the plane."""
    import torch

    a, p = float(inputs["contraction"]), float(inputs["angle"])
    rows = [[a * math.cos(p), -a * math.sin(p)], [a * math.sin(p), a * math.cos(p)]]
    return torch.tensor(rows, dtype=backend.dtype, device=backend.device)


def lost(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """E log pi(s_0) less the bound of a walk from the stationary law of A = a R(p), D = I: mean over pairs of walks."""
    normal = normals(seed, backend)
    a, contraction = operator(inputs, backend), float(inputs["contraction"])
    variance = 1 / (1 - contraction**2)
    s = normal(_WALKS, 2) * math.sqrt(variance)
    total = -(s**2).sum(1) / (2 * variance)
    for _ in range(int(inputs["steps"])):
        noise = normal(_WALKS, 2)
        after = s @ a.T + noise
        total = total - ((noise**2).sum(1) - ((s - after @ a.T) ** 2).sum(1)) / 2
        s = after
    total = total + (s**2).sum(1) / (2 * variance)
    return np.array([float(total.mean())])


def rotation(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean log ratio of a stationary step and its reverse, along walks of forty steps."""
    return lost({**inputs, "steps": 40}, size, seed, backend) / 40


def diffusion(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The same of Euler steps of a spiral dx = - B x dt + sqrt(2) dW, of length 1/size, over that length."""
    import torch

    normal = normals(seed, backend)
    b, w, step = float(inputs["pull"]), float(inputs["turn"]), 1.0 / size
    drift = torch.tensor([[b, w], [-w, b]], dtype=backend.dtype, device=backend.device)
    s = normal(_WALKS, 2) / math.sqrt(b)
    total = torch.zeros(_WALKS, dtype=backend.dtype, device=backend.device)
    for _ in range(2 * size):
        noise = normal(_WALKS, 2)
        after = s - step * s @ drift.T + math.sqrt(2 * step) * noise
        back = s - (after - step * after @ drift.T)
        total = total + ((back**2).sum(1) / (2 * step) - (noise**2).sum(1)) / 2
        s = after
    return np.array([float(total.mean()) / 2])


def any_data(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The bound of a reversible chain of four states from data of its own, by sampled walks."""
    import torch

    weights = 0.1 + torch.rand((4, 4), generator=backend.generator(11), dtype=torch.float64)
    weights = weights + weights.T
    t, law = weights / weights.sum(1, keepdim=True), weights.sum(1) / weights.sum()
    generator = torch.Generator().manual_seed(seed)
    data = torch.tensor(start(inputs), dtype=torch.float64)
    here = torch.multinomial(data, _WALKS, replacement=True, generator=generator)
    total = torch.zeros(_WALKS, dtype=torch.float64)
    for _ in range(int(inputs["steps"])):
        after = torch.multinomial(t[here], 1, generator=generator)[:, 0]
        total += (t[after, here] / t[here, after]).log()
        here = after
    return np.array([float((total + law[here].log()).mean())])


def start(inputs: Any) -> list[float]:
    """The law of the data: most of it in one state."""
    share = float(inputs["share"])
    return [share, *([(1 - share) / 3] * 3)]


def scheduled(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The bound of a walk whose temperature grows by a factor a step, from data N(0, I) to a prior N(0, 4 I)."""
    normal = normals(seed, backend)
    a = operator(inputs, backend)
    s, heat, total = normal(_WALKS, 2), 1.0, normal(_WALKS) * 0
    for _ in range(int(inputs["steps"])):
        heat *= float(inputs["factor"])
        noise = normal(_WALKS, 2)
        after = s @ a.T + math.sqrt(heat) * noise
        total = total + ((noise**2).sum(1) - ((s - after @ a.T) ** 2).sum(1) / heat) / 2
        s = after
    total = total - (s**2).sum(1) / 8 - math.log(2 * math.pi) - math.log(4.0)
    return np.array([float(total.mean())])


def annealed(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """What a step loses in the long run to a temperature that grows by r: entropy gained less heat over temperature."""
    normal = normals(seed, backend)
    a, r = float(inputs["contraction"]), float(inputs["factor"])
    s, total, last = normal(_WALKS) * 0, 0.0, 40
    for step in range(60):
        noise = normal(_WALKS)
        s = s / math.sqrt(r)  # in units of the new temperature
        after = a * s + noise
        if step >= 60 - last:
            total += math.log(r) / 2 + float((((s - a * after) ** 2) - noise**2).mean()) / 2
        s = after
    return np.array([total / last])


def trained(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Entropy production of a network trained by the bound over that at its start, one number a seed.

    Three blobs in the plane; the mean is rotated at the start. `objective`: "bound", or "released" for an L1
    reconstruction of the step before.
    """
    rough = replace(backend, precision="float32")
    return np.array([[_trained(inputs, seed, rough)] for seed in seeds])


def _trained(inputs: Any, seed: int, backend: Backend) -> float:
    import torch

    torch.manual_seed(seed % 2**31)
    net = torch.nn.Sequential(
        torch.nn.Linear(2, 64),
        torch.nn.Tanh(),
        torch.nn.Linear(64, 64),
        torch.nn.Tanh(),
        torch.nn.Linear(64, 4),
    ).to(backend.device, backend.dtype)
    turn = torch.tensor(
        [[math.cos(_TURN), -math.sin(_TURN)], [math.sin(_TURN), math.cos(_TURN)]],
        dtype=backend.dtype, device=backend.device,
    )  # fmt: skip
    normal = normals(seed, backend)
    angles = torch.tensor([0.0, 2.1, 4.2], dtype=backend.dtype, device=backend.device)
    blobs = 1.5 * torch.stack([angles.cos(), angles.sin()], 1)

    def module(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out = net(x)
        return 0.7 * x @ turn.T + out[:, :2], out[:, 2:] - 0.5

    before = _produced(module, normal)
    optimiser = torch.optim.Adam(net.parameters(), lr=_RATE)
    batches = backend.generator(seed + 1)
    for _ in range(_STEPS):
        which = torch.randint(3, (_BATCH,), generator=batches, device=backend.device)
        s, heat = blobs[which] + 0.3 * normal(_BATCH, 2), 1.0
        loss = torch.zeros(_BATCH, dtype=backend.dtype, device=backend.device)
        for _step in range(6):
            mean, log_sd = module(s)
            noise = normal(_BATCH, 2)
            after = mean + math.sqrt(heat) * log_sd.exp() * noise
            if inputs["objective"] == "released":
                after = after.detach()
            back, back_sd = module(after)
            if inputs["objective"] == "released":
                loss = loss + (s - back).abs().sum(1)
            else:
                there = -(noise**2 / 2 + log_sd).sum(1) - math.log(heat)
                behind = -(((s - back) / back_sd.exp()) ** 2 / (2 * heat) + back_sd).sum(1) - math.log(heat)
                loss = loss + there - behind
            s, heat = after, heat * 1.3
        if inputs["objective"] != "released":
            loss = loss + (s**2).sum(1) / (2 * 4.0)
        optimiser.zero_grad()
        loss.mean().backward()
        optimiser.step()
    return _produced(module, normal) / before


def _produced(module: Any, normal: Any) -> float:
    """Entropy production along paths of a hundred steps, behind two hundred."""
    import torch

    with torch.no_grad():
        s, total = normal(1000, 2), 0.0
        for step in range(300):
            mean, log_sd = module(s)
            noise = normal(1000, 2)
            after = mean + log_sd.exp() * noise
            if step >= 200:
                back, back_sd = module(after)
                there = -(noise**2 / 2 + log_sd).sum(1)
                behind = -(((s - back) / back_sd.exp()) ** 2 / 2 + back_sd).sum(1)
                total += float((there - behind).mean())
            s = after
    return total / 100
