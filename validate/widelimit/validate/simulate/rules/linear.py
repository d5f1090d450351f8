"""Linear networks and neurons that follow a rule step by step, none of whose trajectories is put in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import normals

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

Inputs = Mapping[str, Any]
Weights = tuple["torch.Tensor", ...]
Flow = Callable[[Weights], Weights]
_OTHERS = (0.6, 1.1)  # strengths of the other modes that a network learns
_HIDDEN, _BATCH, _WALKS = 5, 32, 100
SPECTRUM = (1.0, 0.6, 0.3)  # of the inputs of a neuron


def _orthogonal(normal: Callable[..., torch.Tensor], rows: int, columns: int) -> torch.Tensor:
    """Columns of an orthogonal matrix."""
    import torch

    return torch.linalg.qr(normal(rows, rows))[0][:, :columns]


def _teacher(strengths: Sequence[float], seed: int, backend: Backend) -> tuple[torch.Tensor, ...]:
    """Input and output directions of modes, hidden ones of a network, and the strengths on a diagonal."""
    import torch

    normal, count = normals(seed, backend), len(strengths)
    inputs, outputs, hidden = (_orthogonal(normal, size, count) for size in (6, 5, _HIDDEN))
    return (
        inputs,
        outputs,
        hidden,
        torch.diag(torch.tensor(strengths, dtype=backend.dtype, device=backend.device)),
    )


def descended(inputs: Inputs, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Product of both weights along one mode after time t of stochastic gradient descent: `size` steps a unit of time.

    Three modes are learnt at once, from batches of white inputs whose outputs the teacher says.
    """
    import torch

    strength, start = float(inputs["strength"]), float(inputs["start"])
    enter, leave, hidden, strengths = _teacher((strength, *_OTHERS), seed, backend)
    teacher = leave @ strengths @ enter.T
    small = start**0.5
    first = (small * hidden @ enter.T).requires_grad_()
    second = (small * leave @ hidden.T).requires_grad_()
    optimiser = torch.optim.SGD([first, second], lr=1.0 / size)
    normal = normals(seed + 1, backend)
    for _ in range(round(float(inputs["t"]) * size)):
        x = normal(_BATCH, 6)
        loss = (x @ (teacher - second @ first).T).square().sum() / (2 * _BATCH)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    learnt = (leave[:, 0] @ (second @ first).detach() @ enter[:, 0]).item()
    return np.array([learnt])


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
        return back @ error, error @ first.T

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
    strengths: Sequence[float], b: float, time: float, seed: int, backend: Backend
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights of each mode after feedback alignment from zero, by layer."""
    enter, leave, hidden, diagonal = _teacher(strengths, seed, backend)
    flow = _feedback_flow(leave @ diagonal @ enter.T, b * hidden @ leave.T)
    first, second = _followed(
        flow,
        (0 * hidden @ enter.T, 0 * leave @ hidden.T),
        time,
        max(40, round(time * max(14, 6 * max(strengths)))),
    )
    return (hidden.T @ first @ enter).diagonal(), (leave.T @ second @ hidden).diagonal()


def gained(inputs: Inputs, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Weight of the second layer over the squared one of the first, along one of three modes."""
    strengths = (float(inputs["strength"]), *_OTHERS)
    v, w = _by_feedback(strengths, float(inputs["feedback"]), float(inputs["t"]), seed, backend)
    return np.array([float(w[0] / v[0] ** 2)])


def slopes(inputs: Inputs, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Slope of the log of the first layer's weights at the end over the log of the strength, over four modes."""
    import torch

    strengths = tuple(float(inputs["least"]) * 2.0**k for k in range(4))
    if inputs["rule"] == "sgd":
        enter, leave, hidden, diagonal = _teacher(strengths, seed, backend)
        flow = _gradient_flow(leave @ diagonal @ enter.T)
        start = (0.1 * hidden @ enter.T, 0.1 * leave @ hidden.T)
        first, _ = _followed(flow, start, 12 / strengths[0], 400)
        v = (hidden.T @ first @ enter).diagonal()
    else:
        v, _ = _by_feedback(strengths, float(inputs["feedback"]), 12 / strengths[0], seed, backend)
    x, y = torch.tensor(strengths, dtype=v.dtype).log2(), v.log2().cpu()
    return np.array([float(((x - x.mean()) * y).sum() / ((x - x.mean()) ** 2).sum())])


def kolen_pollack(inputs: Inputs, size: int, seed: int, backend: Backend) -> np.ndarray:
    """What is left of W - B' at time t from drawn starts; the largest squared singular value of W at a late time."""
    normal = normals(seed, backend)
    strength, decay = float(inputs["strength"]), float(inputs["decay"])
    enter, leave, _, diagonal = _teacher((strength, 0.5 * strength), seed + 1, backend)
    teacher = leave @ diagonal @ enter.T

    def flow(weights: Weights) -> Weights:
        first, second, back = weights
        error = teacher - second @ first
        moved = error @ first.T
        return back @ error - decay * first, moved - decay * second, moved.T - decay * back

    begun = (0.3 * normal(_HIDDEN, 6), 0.3 * normal(5, _HIDDEN), 0.3 * normal(_HIDDEN, 5))
    time = float(inputs["t"])
    _, second, back = now = _followed(flow, begun, time, max(20, round(25 * time)))
    left = float((second - back.T).norm() / (begun[1] - begun[2].T).norm())
    _, second, _ = _followed(flow, now, 34 / decay, round(100 / decay))
    return np.array([left, float(second.svd().S[0] ** 2)])


def neurons(inputs: Inputs, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean weights along three axes after time t of Oja's rule on drawn inputs: `size` steps a unit of time."""
    import torch

    normal = normals(seed, backend)
    root = torch.tensor(SPECTRUM, dtype=backend.dtype, device=backend.device) ** 0.5
    start = torch.tensor([0.2, 0.3, 0.4], dtype=backend.dtype, device=backend.device) * float(
        inputs["length"]
    )
    w = start.repeat(_WALKS, 1)
    for _ in range(round(float(inputs["t"]) * size)):
        x = normal(_WALKS, 3) * root
        y = (x * w).sum(1, keepdim=True)
        w = w + y * (x - y * w) / size
    return w.mean(0).cpu().numpy()


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

    normal = normals(seed, backend)
    slope = 2 * torch.sign(normal(200))
    x = torch.zeros_like(slope, requires_grad=True)
    optimiser = torch.optim.Adam([x], lr=float(inputs["learning_rate"]))
    for _ in range(int(inputs["steps"])):
        optimiser.zero_grad()
        (10.0 ** float(inputs["decades"]) * slope @ x).backward()
        optimiser.step()
    return np.array([x.detach().abs().mean().item()])
