"""Linear networks and neurons that follow a rule step by step, none of whose trajectories is put in.

All seeds are followed side by side, along the first axis; what a seed draws does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.harness.drawing.weights import Draws

Inputs = Mapping[str, Any]
Weights = tuple["torch.Tensor", ...]
Flow = Callable[[Weights], Weights]
_OTHERS = (0.6, 1.1)  # strengths of the other modes that a network learns
_HIDDEN, _BATCH, _WALKS = 5, 32, 100
SPECTRUM = (1.0, 0.6, 0.3)  # of the inputs of a neuron


def _draws(seeds: Sequence[int], backend: Backend) -> Draws:
    from widelimit.validate.harness.drawing.weights import Draws

    return Draws(seeds, backend)


def _orthogonal(draws: Draws, rows: int, columns: int) -> torch.Tensor:
    """Columns of an orthogonal matrix for each seed."""
    import torch

    return torch.linalg.qr(draws.normal(rows, rows))[0][..., :columns]


def _teacher(strengths: Sequence[float], draws: Draws) -> tuple[torch.Tensor, ...]:
    """Input and output directions of modes, hidden ones of a network, and the strengths on a diagonal."""
    import torch

    count = len(strengths)
    inputs, outputs, hidden = (_orthogonal(draws, size, count) for size in (6, 5, _HIDDEN))
    return inputs, outputs, hidden, torch.diag(_numbers(strengths, draws.backend))


def _numbers(values: Sequence[float], backend: Backend) -> torch.Tensor:
    import torch

    return torch.tensor(values, dtype=backend.dtype, device=backend.device)


def _along(left: torch.Tensor, weights: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Weights along each mode, (seeds, modes)."""
    return (left.mT @ weights @ right).diagonal(dim1=-2, dim2=-1)


def descended(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Product of both weights along one mode after time t of stochastic gradient descent: `size` steps a unit of time.

    Three modes are learnt at once, from batches of white inputs whose outputs the teacher says.
    """
    import torch

    strength, start = float(inputs["strength"]), float(inputs["start"])
    draws = _draws(seeds, backend)
    enter, leave, hidden, strengths = _teacher((strength, *_OTHERS), draws)
    teacher = leave @ strengths @ enter.mT
    small = start**0.5
    first = (small * hidden @ enter.mT).requires_grad_()
    second = (small * leave @ hidden.mT).requires_grad_()
    optimiser = torch.optim.SGD([first, second], lr=1.0 / size)
    for _ in range(round(float(inputs["t"]) * size)):
        x = draws.normal(_BATCH, 6)
        loss = (x @ (teacher - second @ first).mT).square().sum() / (
            2 * _BATCH
        )  # each network's, and all of them
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return _along(leave, (second @ first).detach(), enter)[:, :1].cpu().numpy()


def _followed(flow: Flow, weights: Weights, time: float, steps: int) -> Weights:
    """A flow followed by Runge and Kutta's rule of order 4."""
    length = time / steps

    def away(rates: Weights, share: float) -> Weights:
        return tuple(w + share * length * rate for w, rate in zip(weights, rates, strict=True))

    for _ in range(steps):
        one = flow(weights)
        two = flow(away(one, 0.5))
        three = flow(away(two, 0.5))
        four = flow(away(three, 1.0))
        weights = tuple(
            w + length / 6 * (a + 2 * b + 2 * c + d)
            for w, a, b, c, d in zip(weights, one, two, three, four, strict=True)
        )
    return weights


def _feedback_flow(teacher: torch.Tensor, back: torch.Tensor) -> Flow:
    """Feedback alignment with white inputs: the error reaches the first layer through fixed weights."""

    def flow(weights: Weights) -> Weights:
        first, second = weights
        error = teacher - second @ first
        return back @ error, error @ first.mT

    return flow


def _gradient_flow(teacher: torch.Tensor) -> Flow:
    """Gradient descent with white inputs, by torch's own gradient."""
    import torch

    def flow(weights: Weights) -> Weights:
        leaves = [w.detach().requires_grad_() for w in weights]
        loss = (teacher - leaves[1] @ leaves[0]).square().sum() / 2
        return tuple(-one for one in torch.autograd.grad(loss, leaves))

    return flow


def _by_feedback(
    strengths: Sequence[float], b: float, time: float, seeds: Sequence[int], backend: Backend
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights of each mode after feedback alignment from zero, by layer."""
    enter, leave, hidden, diagonal = _teacher(strengths, _draws(seeds, backend))
    flow = _feedback_flow(leave @ diagonal @ enter.mT, b * hidden @ leave.mT)
    first, second = _followed(
        flow,
        (0 * hidden @ enter.mT, 0 * leave @ hidden.mT),
        time,
        max(40, round(time * max(14, 6 * max(strengths)))),
    )
    return _along(hidden, first, enter), _along(leave, second, hidden)


def gained(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Weight of the second layer over the squared one of the first, along one of three modes."""
    strengths = (float(inputs["strength"]), *_OTHERS)
    v, w = _by_feedback(strengths, float(inputs["feedback"]), float(inputs["t"]), seeds, backend)
    return (w / v**2)[:, :1].cpu().numpy()


def slopes(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Slope of the log of the first layer's weights at the end over the log of the strength, over four modes."""
    strengths = tuple(float(inputs["least"]) * 2.0**k for k in range(4))
    if inputs["rule"] == "sgd":
        enter, leave, hidden, diagonal = _teacher(strengths, _draws(seeds, backend))
        flow = _gradient_flow(leave @ diagonal @ enter.mT)
        start = (0.1 * hidden @ enter.mT, 0.1 * leave @ hidden.mT)
        first, _ = _followed(flow, start, 12 / strengths[0], 400)
        v = _along(hidden, first, enter)
    else:
        v, _ = _by_feedback(strengths, float(inputs["feedback"]), 12 / strengths[0], seeds, backend)
    x, y = np.log2(strengths), v.log2().cpu().numpy()
    x = x - x.mean()
    return (y @ x / (x @ x))[:, None]


def kolen_pollack(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """What is left of W - B' at time t from drawn starts; the largest squared singular value of W at a late time."""
    import torch

    draws = _draws(seeds, backend)
    strength, decay = float(inputs["strength"]), float(inputs["decay"])
    enter, leave, _, diagonal = _teacher((strength, 0.5 * strength), draws)
    teacher = leave @ diagonal @ enter.mT

    def flow(weights: Weights) -> Weights:
        first, second, back = weights
        error = teacher - second @ first
        moved = error @ first.mT
        return back @ error - decay * first, moved - decay * second, moved.mT - decay * back

    begun = (0.3 * draws.normal(_HIDDEN, 6), 0.3 * draws.normal(5, _HIDDEN), 0.3 * draws.normal(_HIDDEN, 5))
    time = float(inputs["t"])
    _, second, back = now = _followed(flow, begun, time, max(20, round(25 * time)))
    norm = torch.linalg.matrix_norm
    left = norm(second - back.mT) / norm(begun[1] - begun[2].mT)
    _, second, _ = _followed(flow, now, 34 / decay, round(100 / decay))
    return torch.stack([left, torch.linalg.svdvals(second)[:, 0] ** 2], dim=1).cpu().numpy()


def neurons(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Mean weights along three axes after time t of Oja's rule on drawn inputs: `size` steps a unit of time."""
    draws = _draws(seeds, backend)
    root = _numbers(SPECTRUM, backend) ** 0.5
    w = _numbers([0.2, 0.3, 0.4], backend).expand(len(seeds), _WALKS, 3) * float(inputs["length"])
    for _ in range(round(float(inputs["t"]) * size)):
        x = draws.normal(_WALKS, 3) * root
        y = (x * w).sum(-1, keepdim=True)
        w = w + y * (x - y * w) / size
    return w.mean(1).cpu().numpy()


def heavy_ball(inputs: Inputs, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Where torch's SGD with momentum takes a parameter of quadratic loss from 1, after some steps."""
    import torch

    x = torch.ones((), dtype=backend.dtype, device=backend.device, requires_grad=True)
    optimiser = torch.optim.SGD([x], lr=float(inputs["learning_rate"]), momentum=float(inputs["momentum"]))
    for _ in range(int(inputs["steps"])):
        optimiser.zero_grad()
        (float(inputs["curvature"]) * x**2 / 2).backward()
        optimiser.step()
    return np.array([x.item()])


def adams(inputs: Inputs, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean distance that torch's Adam takes weights in its first steps, for a steep loss times a factor."""
    import torch

    from widelimit.validate.simulate.kernel import normals

    slope = 2 * torch.sign(normals(seed, backend)(200))
    x = torch.zeros_like(slope, requires_grad=True)
    optimiser = torch.optim.Adam([x], lr=float(inputs["learning_rate"]))
    for _ in range(int(inputs["steps"])):
        optimiser.zero_grad()
        (10.0 ** float(inputs["decades"]) * slope @ x).backward()
        optimiser.step()
    return np.array([x.detach().abs().mean().item()])
