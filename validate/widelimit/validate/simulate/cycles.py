"""Cycles of a GRU of two units in torch: how neighbours spread along them, alone and under a weak rhythm.

The cell is that of `simulate.gru`. Where a claim has a size, it is the steps of a unit of time, or one over the
forcing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.gru import Cell, rk4, start

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.simulate.gru import Move

_TURNS = 6
_NEAR = 1e-6


def spread(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Return the larger singular value of dh(t)/dh(0) after six turns, and the log of the smaller one a turn.

    From where the cycle crosses the first axis upwards, by central differences of four neighbours, anew in each turn:
    what a turn leaves of a direction that dies would soon be less than their second order. The last step of a turn is
    as long as it takes to come back to the axis. The smaller value is the determinant over the larger one.
    """
    import torch

    move, step = Cell(inputs["gain"], inputs["angle"], backend), 1 / size
    h = start([seed], backend, 0.5)
    for _ in range(90 * size):
        h = rk4(move, h, step)
    h, _ = _upwards(move, h, step)
    shifts = torch.tensor(
        [[0, 0], [_NEAR, 0], [-_NEAR, 0], [0, _NEAR], [0, -_NEAR]], dtype=h.dtype, device=h.device
    )
    whole, area = torch.eye(2, dtype=h.dtype, device=h.device), 0.0
    for _ in range(_TURNS):
        h, _ = _upwards(move, h[:1] + shifts, step)
        turn = torch.stack([h[1] - h[2], h[3] - h[4]], 1) / (2 * _NEAR)
        whole, area = turn @ whole, area + math.log(float(torch.linalg.det(turn)))
    larger = float(torch.linalg.matrix_norm(whole, 2))
    return np.array([larger, (area - math.log(larger)) / _TURNS])


def _upwards(move: Move, h: torch.Tensor, step: float) -> tuple[torch.Tensor, float]:
    """The rows when the first of them next crosses the first axis upwards, by a shortened step, and the time."""
    h, time = rk4(move, h, step), step  # away from the axis, where it starts there
    while True:
        after = rk4(move, h, step)
        if float(h[0, 1]) < 0 <= float(after[0, 1]):
            break
        h, time = after, time + step
    part = step * float(h[0, 1] / (h[0, 1] - after[0, 1]))
    for _ in range(6):
        there = rk4(move, h[:1], part)
        part -= float(there[0, 1] / move(there)[0, 1])
    return rk4(move, h, part), time + part


def locked(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Return the rate at which two phases come together under a forcing of 1/size along the first unit, times size.

    The forcing has the frequency of the cycle itself, measured first; a replicate is a phase to begin with.
    """
    import torch

    move, step = Cell(inputs["gain"], inputs["angle"], backend), 0.1
    h = start(seeds, backend, 0.5)
    for _ in range(900):
        h = rk4(move, h, step)
    one, _ = _upwards(move, h[:1], step)
    _, period = _upwards(move, one, step)
    count = 40
    step, turn = period / count, 2 * math.pi / period
    push = torch.tensor([1 / size, 0.0], dtype=h.dtype, device=h.device)
    h = torch.cat([h, h + 1e-4 * move(h)])
    settle, measure = int(6 * size / period) + 2, int(2 * size / period) + 1
    gaps = []
    for k in range(settle + measure):
        for j in range(count):
            h = _driven(move, h, step * j, step, push, turn)
        if k + 1 in (settle, settle + measure):
            gaps.append((h[len(seeds) :] - h[: len(seeds)]).norm(dim=1).cpu().numpy())
    return np.asarray((np.log(gaps[0] / gaps[1]) / (measure * period) * size)[:, None])


def _driven(
    move: Move, h: torch.Tensor, time: float, step: float, push: torch.Tensor, turn: float
) -> torch.Tensor:
    """One step of the fourth-order rule under the forcing `push` cos(turn t)."""
    begin, middle, end = (push * math.cos(turn * (time + part * step)) for part in (0.0, 0.5, 1.0))
    a = move(h) + begin
    b = move(h + step / 2 * a) + middle
    c = move(h + step / 2 * b) + middle
    d = move(h + step * c) + end
    return h + step / 6 * (a + 2 * b + 2 * c + d)


_NETS, _UNITS, _LAG = 8, 16, 160
LEARNED = 0.9  # of the variance, fixed before any network was trained at this lag


def memory(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Train eight tanh networks to give back a number 160 steps after they have seen it, by the way they start.

    `initialisation`: "cycle" (pairs of units that turn, gains above 1), "focus" (the same with gains of 0.9) or "chaos"
    (independent weights, g = 2). Returns the share of networks that learn it from cycles, the share that does not from
    the others: 150 steps of Adam on the squared error, states of random starts of size 0.02.
    """
    import torch

    generator = torch.Generator().manual_seed(seed % 2**31)
    kind = str(inputs["initialisation"])

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    weights = [
        _started(kind, generator), normal(_NETS, 1, _UNITS), torch.zeros(_NETS, 1, _UNITS),
        normal(_NETS, _UNITS, 1) / _UNITS**0.5,
    ]  # fmt: skip
    weights = [one.requires_grad_() for one in weights]
    optimiser = torch.optim.Adam(weights, lr=3e-3)

    def missed(batch: int) -> torch.Tensor:
        """The squared error over the variance 1/3 of the numbers, of each network."""
        seen = 2 * torch.rand((_NETS, batch, 1), generator=generator) - 1
        h = 0.02 * normal(_NETS, batch, _UNITS)
        for t in range(_LAG + 3):
            drive = torch.baddbmm(weights[2], h, weights[0])
            h = torch.tanh(drive + seen @ weights[1] if t < 3 else drive)
        return 3 * ((seen - h @ weights[3]) ** 2).mean((1, 2))

    for _ in range(150):
        optimiser.zero_grad()
        missed(32).sum().backward()
        for one in weights:  # each network is clipped by itself
            assert one.grad is not None
            one.grad /= one.grad.flatten(1).norm(dim=1).clamp(min=1.0).view(-1, 1, 1)
        optimiser.step()
    with torch.no_grad():
        learned = float((missed(256) < 1 - LEARNED).float().mean())
    return np.array([learned if kind == "cycle" else 1 - learned])


def _started(kind: str, generator: Any) -> torch.Tensor:
    """Recurrent weights of all networks; turns of the published initialisation, between 36 and 72 degrees."""
    import torch

    if kind == "chaos":
        return 2 * torch.randn((_NETS, _UNITS, _UNITS), generator=generator) / _UNITS**0.5
    draw = torch.rand((2, _NETS, _UNITS // 2), generator=generator)
    gain = 1 + 0.2 * draw[0] if kind == "cycle" else torch.full_like(draw[0], 0.9)
    angle = math.pi * (0.2 + 0.2 * draw[1])
    c, s = gain * angle.cos(), gain * angle.sin()
    turns = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)  # nets, pairs, 2, 2
    out = torch.zeros(_NETS, _UNITS, _UNITS)
    for pair in range(_UNITS // 2):
        out[:, 2 * pair : 2 * pair + 2, 2 * pair : 2 * pair + 2] = turns[:, pair]
    return out
