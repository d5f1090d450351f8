"""GRUs of two units with all of their gates, stepped in torch: frequencies, circles, borders, rest.

U_h = 2 g R(theta) behind reset gates of 1/2, U_z = U_r = 0, update gates 1/2 where nothing else is said. Times are
those of dh/dt = (1 - z)(n - h). A replicate is a start, drawn by its seed; all replicates move together, a row each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.dynamics.trained import SOLVED, distinct
from widelimit.validate.simulate.dynamics.training import Training, outputs, sentiment, trained

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

    Move = Callable[[torch.Tensor], torch.Tensor]

_NEAR = 1e-5
_SIDES = np.array([[0.0, 0.0], [_NEAR, 0.0], [0.0, _NEAR]])


class Cell:
    """h -> (1 - z)(n - h) of states in the last axis."""

    def __init__(
        self, gain: float, angle: float, backend: Backend, biases: Any = None, logits: Any = 0.0
    ) -> None:
        import torch

        def tensor(values: Any) -> torch.Tensor:
            return torch.as_tensor(values, dtype=torch.float64, device=backend.device)

        c, s = 2 * gain * math.cos(angle), 2 * gain * math.sin(angle)
        self.hidden = tensor([[c, s], [-s, c]])
        self.reset = torch.sigmoid(tensor(0.0))
        self.open = 1 - torch.sigmoid(tensor(logits))
        self.biases = tensor([0.0, 0.0]) if biases is None else tensor(biases)

    def __call__(self, h: torch.Tensor) -> torch.Tensor:
        """Return the velocities."""
        return self.open * (((self.reset * h) @ self.hidden + self.biases).tanh() - h)


def rk4(move: Move, h: torch.Tensor, step: float) -> torch.Tensor:
    """Return the states after a step of the classical fourth-order rule."""
    a = move(h)
    b = move(h + step / 2 * a)
    c = move(h + step / 2 * b)
    d = move(h + step * c)
    return h + step / 6 * (a + 2 * b + 2 * c + d)


def start(seeds: Sequence[int], backend: Backend, radius: float) -> torch.Tensor:
    """Return a state for each seed, on a circle, at a phase that it draws."""
    import torch

    look: dict[str, Any] = {"dtype": torch.float64, "device": backend.device}
    turns = [float(torch.rand(1, generator=backend.generator(seed), **look)) for seed in seeds]
    turn = 2 * math.pi * torch.tensor(turns, **look)
    return radius * torch.stack([turn.cos(), turn.sin()], 1)


def _followed(step: Move, h: torch.Tensor, count: int) -> np.ndarray:
    """Rows of states, and of two neighbours each, after every one of `count` steps: (count + 1, rows, 3, 2)."""
    import torch

    h = h[:, None] + torch.as_tensor(_SIDES, dtype=h.dtype, device=h.device)
    out = [h]
    for _ in range(count):
        h = step(h)
        out.append(h)
    return np.asarray(torch.stack(out).cpu().numpy())


def _area(path: np.ndarray) -> np.ndarray:
    one, other = path[..., 1, :] - path[..., 0, :], path[..., 2, :] - path[..., 0, :]
    return np.abs(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])


def _last_turn(path: np.ndarray, step: float) -> np.ndarray:
    """Period and rate of the area over the last turn: between crossings of the first axis, upwards."""
    areas, found = np.log(_area(path)), []
    for lane in range(path.shape[1]):
        height = path[:, lane, 0, 1]
        k = np.flatnonzero((height[:-1] < 0) & (height[1:] >= 0))[-2:]
        part = height[k] / (height[k] - height[k + 1])
        times = step * (k + part)
        logs = (1 - part) * areas[k, lane] + part * areas[k + 1, lane]
        found.append([times[1] - times[0], (logs[1] - logs[0]) / (times[1] - times[0])])
    return np.array(found)


def weakly(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Return frequency and transverse exponent of Euler's rule with steps of 1/size.

    The exponent is the rate at which the area between three neighbours shrinks.
    """
    cell, step = Cell(inputs["gain"], inputs["angle"], backend), 1 / size
    h = start(seeds, backend, 0.33)
    for _ in range(60 * size):
        h = h + step * cell(h)
    turns = _last_turn(_followed(lambda x: x + step * cell(x), h, 32 * size), step)
    return np.stack([2 * math.pi / turns[:, 0], turns[:, 1]], 1)


def circle(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Return radius and rotation of the trained map."""
    cell = Cell(inputs["gain"], inputs["angle"], backend)
    h = start(seeds, backend, 0.15)
    for _ in range(1200):
        h = h + cell(h)
    path = _followed(lambda x: x + cell(x), h, 400)[:, :, 0]
    angles = np.arctan2(path[..., 1], path[..., 0])
    return np.stack(
        [np.sqrt((path**2).sum(-1).mean(0)), (np.diff(angles, axis=0) % (2 * math.pi)).mean(0)], 1
    )


def ghost(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Return the period times the root of 1/size, at an angle 1/size above where the saddle-nodes meet."""
    step = 0.4
    cell = Cell(inputs["gain"], _border(inputs["gain"]) + 1 / size, backend)
    path = _followed(
        lambda x: rk4(cell, x, step), start(seeds, backend, 0.6), int(90 * math.sqrt(size) / step)
    )
    return _last_turn(path, step)[:, :1] / math.sqrt(size)


def _border(gain: float) -> float:
    """The largest angle p - arg(tanh(s cos p), tanh(s sin p)) of a fixed point, by its definition, on grids."""
    p = np.linspace(0.8, 1.57, 4001)
    for _ in range(3):
        low, high = np.full(p.shape, 1e-9), np.full(p.shape, 2 * gain)
        for _ in range(60):
            s = (low + high) / 2
            small = s < gain * np.hypot(np.tanh(s * np.cos(p)), np.tanh(s * np.sin(p)))
            low, high = np.where(small, s, low), np.where(small, high, s)
        angle = p - np.arctan2(np.tanh(s * np.sin(p)), np.tanh(s * np.cos(p)))
        best = int(angle.argmax())
        found, p = float(angle[best]), np.linspace(p[max(best - 2, 0)], p[min(best + 2, p.size - 1)], 4001)
    return found


def steep(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Return period and transverse exponent at gain `size`."""
    cell, step = Cell(size, inputs["angle"], backend), 0.4 / size
    h = start(seeds, backend, 0.8)
    for _ in range(int(8 / step)):
        h = rk4(cell, h, step)
    return _last_turn(_followed(lambda x: rk4(cell, x, step), h, int(24 / step)), step)


def gates(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Return whether the origin's neighbours grow (1, -1) for update gates alike and apart, and how far it moved."""
    import torch

    hidden = torch.tensor([[3.2, -3.0], [3.0, inputs["second"]]], dtype=torch.float64, device=backend.device)
    out = []
    for logits in ([0.0, 0.0], [-3.0, 3.0]):
        cell = Cell(1.0, 0.0, backend, logits=logits)
        cell.hidden = hidden.T
        h = torch.cat(
            [start(seeds, backend, 1e-6), torch.zeros((1, 2), dtype=torch.float64, device=backend.device)]
        )
        for _ in range(250):
            h = rk4(cell, h, 0.2)
        sizes = h.norm(dim=1).cpu().numpy()
        out.append((np.sign(sizes[:-1] - 1e-6), sizes[-1]))
    moved = np.full(len(seeds), out[0][1] + out[1][1])
    return np.stack([out[0][0], out[1][0], moved], 1)


def torch_form(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Return the state that a GRUCell of torch with weights of its own makes of (1/2, -1/2)."""
    import torch

    cell = torch.nn.GRUCell(1, 2, dtype=torch.float64)
    with torch.no_grad():
        for name, value in drawn(int(inputs["network"])).items():
            getattr(cell, name).copy_(torch.from_numpy(value))
        h = torch.tensor([[0.5, -0.5]], dtype=torch.float64)
        return np.asarray(cell(torch.zeros((1, 1), dtype=torch.float64), h)[0].numpy())


def drawn(network: int) -> dict[str, np.ndarray]:
    """Return weights of a GRU of two units with one input, as torch names them."""
    rng = np.random.default_rng(network)
    return {
        "weight_hh": 2 * rng.standard_normal((6, 2)),
        "weight_ih": rng.standard_normal((6, 1)),
        "bias_hh": rng.standard_normal(6),
        "bias_ih": rng.standard_normal(6),
    }


_BESIDE = (
    0.312,
    -0.876,
)  # inside the cycle, between saddle and focus of gain 2, angle pi/6, second bias -0.16
_LEFT, _RIGHT = -1.0946, -1.0939  # of first biases: a cycle, and none


def _beside(seeds: Sequence[int], backend: Backend, copies: int) -> torch.Tensor:
    """Starts next to `_BESIDE`, one for each seed, repeated."""
    import torch

    middle = torch.tensor(_BESIDE, dtype=torch.float64, device=backend.device)
    return (middle + start(seeds, backend, 0.0005)).repeat_interleave(copies, 0)


def _with_biases(first: np.ndarray, backend: Backend) -> Cell:
    """The cell of gain 2, angle pi/6 with a first bias for each row."""
    return Cell(2.0, math.pi / 6, backend, np.stack([first, np.full(first.shape, -0.16)], 1))


def homoclinic(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Return the bias up to which there is a cycle (above -1.09, in thousandths), and the cycle's period at `bias`.

    The first by halving an interval into 32 twice: a state beside the cycle's place stays there, or is gone to the sink
    after a time of 300. Time is that of dh/dt = n - h.
    """
    low, width = np.full(len(seeds), _LEFT), _RIGHT - _LEFT
    for _ in range(2):
        width /= 32
        cell = _with_biases((low[:, None] + width * np.arange(1, 33)).ravel(), backend)
        h = _beside(seeds, backend, 32)
        for _ in range(1500):
            h = rk4(cell, h, 0.4)
        stays = (h[:, 0] > 0).cpu().numpy().reshape(-1, 32)
        low = low + width * np.logical_and.accumulate(stays, 1).sum(1)
    return np.stack([1000 * (low + width / 2 + 1.09), _slow_turn(float(inputs["bias"]), seeds, backend)], 1)


def _slow_turn(bias: float, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The last time between two crossings of the focus's height, upwards."""
    import torch

    step = 0.4
    cell = _with_biases(np.full(len(seeds), bias), backend)
    h, heights = _beside(seeds, backend, 1), []
    for _ in range(2500):
        h = rk4(cell, h, step)
        heights.append(h[:, 1])
    found = []
    for height in torch.stack(heights, 1).cpu().numpy() + 0.804:
        k = np.flatnonzero((height[:-1] < 0) & (height[1:] >= 0))[-2:]
        times = k + height[k] / (height[k] - height[k + 1])
        found.append((times[1] - times[0]) * step / 2)
    return np.array(found)


def forgotten(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Of eight GRUs of two units that add up words, the share of the solved ones that keep no sum.

    After 3,000 steps of silence all of sixty sums have come to at most four states (two units have no more sinks), and
    after 1,000 the sum that is read out is off by more than a word.
    """
    import torch

    asked = Training("gru", "sentiment", units=2, steps=400, nets=8, seed=seed % 2**31, length=25)
    nets = trained(asked)
    generator = torch.Generator().manual_seed(seed % 2**31 + 1)
    x, _, _ = sentiment(generator, 8, 60, 20)
    p = {name: torch.tensor(array) for name, array in nets.weights.items()}
    with torch.no_grad():
        h = outputs("gru", p, torch.cat([x, torch.zeros(8, 60, 3000, 2)], 2)).double().numpy()
    right = []
    for net in np.flatnonzero(nets.loss < SOLVED["sentiment"]):
        sums = 10 * h[net] @ nets.readout(int(net))[0, :2]
        drift = np.abs(sums[:, 1019] - sums[:, 19]).mean()
        right.append(len(distinct(h[net, :, -1], 0.01)) <= 4 and drift > 1)
    return np.array([float(np.mean(right)) if right else 0.0])
