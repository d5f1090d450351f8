"""Balanced networks by Euler's steps: units with fresh or delayed decoding, noise and random weights.

For odd rates the signs w_i are a gauge: here w_i = 1. All seeds run side by side, and so do the copies of a seed, which
are networks of their own; what a seed draws does not depend on the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.harness.drawing.weights import Draws

Inputs = Mapping[str, Any]

LAG = 4.0  # of motion, in units of time
RESOLVED = 0.1  # steps of fast loops, in units of 1/(1 + b)
_DRAWN = 2**14  # normal numbers that a seed draws at once: many steps of a small network


def _walk(
    inputs: Inputs, size: int, draws: Draws, *, copies: int, time: float, step: float, burn: float
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield x_hat (networks,) and h (networks, N) of each step after `burn`."""
    import torch

    from widelimit.validate.harness.drawing.functions import activation_function

    phi = activation_function(str(inputs.get("activation", "tanh")))
    b, sigma, g, d, x = (
        float(inputs.get(name, 0.0)) for name in ("balance", "noise", "disorder", "delay", "signal")
    )
    weights = step * g / size**0.5 * draws.normal(copies, size, size).flatten(0, 1) if g else None
    h = (0.5 * draws.normal(copies, size) + 0.01).flatten(0, 1)
    late, count, skip = round(d / step), int((time + burn) / step), int(burn / step)
    kicks = _kicks(draws, copies, size, sigma * step**0.5)
    rates = phi(h)
    past = [(rates.mean(1), rates)] * (late + 1)
    for t in range(count):
        rates = phi(h)
        past[t % (late + 1)] = mean, _ = rates.mean(1), rates
        if t >= skip:
            yield mean, h
        heard, old = past[(t + 1) % (late + 1)]
        h = (1 - step) * h + (step * b * (x - heard))[:, None]
        if weights is not None:
            h += torch.bmm(weights, old[:, :, None])[:, :, 0]
        if sigma:
            h += next(kicks)


def _kicks(draws: Draws, copies: int, size: int, scale: float) -> Iterator[torch.Tensor]:
    """Noise of one step after the other, (networks, N), drawn for many at once."""
    steps = max(1, _DRAWN // (copies * size))
    while True:
        drawn = draws.normal(steps, copies, size) * scale
        yield from drawn.movedim(1, 0).flatten(1, 2)


def _decoded(
    inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend, *, copies: int, **times: float
) -> np.ndarray:
    """x_hat of all counted steps, (seeds, steps, copies)."""
    import torch

    from widelimit.validate.harness.drawing.networks import in_batches
    from widelimit.validate.harness.drawing.weights import Draws

    def measure(group: Sequence[int]) -> torch.Tensor:
        steps = _walk(inputs, size, Draws(group, backend), copies=copies, **times)
        found = torch.stack([mean for mean, _ in steps], dim=1)
        return found.view(len(group), copies, -1).mT.flatten(1)

    found = in_batches(measure, seeds, _bytes(inputs, size, copies), backend)
    return found.reshape(len(seeds), -1, copies)


def _bytes(inputs: Inputs, size: int, copies: int) -> int:
    """Memory of one seed: its weights, the noise of some steps and a handful of states."""
    weights = size if inputs.get("disorder") else 0
    return 8 * (copies * size * (weights + 8) + 2 * _DRAWN)


def bias(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """x less the mean of x_hat."""
    decoded = _decoded(inputs, size, seeds, backend, copies=8, time=5.0, step=0.05, burn=3.0)
    return float(inputs["signal"]) - decoded.mean((1, 2))[:, None]


def fluctuations(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """N times the variance of x_hat in time, of networks without disorder, about the mean of all copies."""
    step = float(inputs["step"])
    decoded = _decoded(inputs, size, seeds, backend, copies=64, time=2.0, step=step, burn=1.5)
    return size * decoded.var((1, 2))[:, None]


def disordered(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """N E x_hat^2 of four networks without a signal, whose mean is zero."""
    step = float(inputs["step"])
    decoded = _decoded(inputs, size, seeds, backend, copies=4, time=10.0, step=step, burn=8.0)
    return size * (decoded**2).mean((1, 2))[:, None]


def strong(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """b N Var x_hat."""
    return float(inputs["balance"]) * disordered(inputs, size, seeds, backend)


def fall(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """By what N E x_hat^2 of chaos falls where the balance doubles, as a power of two."""
    b = float(inputs["balance"])
    low, high = (disordered({**inputs, "balance": one}, size, seeds, backend) for one in (b, 2 * b))
    return np.log2(high / low)


def superclassical(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """N^2 Var x_hat at b = beta N, with steps that resolve the loop."""
    b = float(inputs["ratio"]) * size
    step, at = RESOLVED / (1 + b), {**inputs, "balance": b}
    decoded = _decoded(at, size, seeds, backend, copies=64, time=1.0, step=step, burn=1.0)
    return size**2 * decoded.var((1, 2))[:, None]


def motion(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Half the mean square of what units move in four units of time, of four networks, to a thousandth.

    Where units come to rest, what is left of their motion falls with every further unit of time.
    """
    units = int(inputs.get("units", size))
    import torch

    from widelimit.validate.harness.drawing.networks import in_batches
    from widelimit.validate.harness.drawing.weights import Draws

    def measure(group: Sequence[int]) -> torch.Tensor:
        step, total, count = 0.05, torch.zeros(()), 0
        past: deque[torch.Tensor] = deque(maxlen=round(LAG / step))
        for _, h in _walk(inputs, units, Draws(group, backend), copies=4, time=12.0, step=step, burn=30.0):
            if len(past) == past.maxlen:
                total, count = total + (h - past[0]) ** 2, count + 1
            past.append(h)
        return (total / (2 * count)).view(len(group), -1).mean(1, keepdim=True)

    kept = 8 * 4 * units * round(LAG / 0.05)
    return in_batches(measure, seeds, _bytes(inputs, units, 4) + kept, backend).round(3)


def swings(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The rms of x_hat."""
    step = float(inputs["step"])
    decoded = _decoded(inputs, size, seeds, backend, copies=1, time=12.0, step=step, burn=18.0)
    return np.sqrt((decoded**2).mean((1, 2)))[:, None]


def against_best(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """N Var x_hat at a balance, over that at another; near the threshold the loop forgets its start slowly."""
    found, step = [], float(inputs["step"])
    for name in ("balance", "other"):
        at = {**inputs, "balance": inputs[name]}
        decoded = _decoded(at, size, seeds, backend, copies=24, time=10.0, step=step, burn=12.0)
        found.append(decoded.var((1, 2))[:, None])
    return found[0] / found[1]
