"""Balanced networks by Euler's steps: units with fresh or delayed decoding, noise and random weights.

For odd rates the signs w_i are a gauge: here w_i = 1. Copies are networks of their own, run side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import functions, normals

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

BURN = 5.0  # time that is not counted
RESOLVED = 0.1  # steps of fast loops, in units of 1/(1 + b)


def run(
    inputs: Any,
    size: int,
    seed: int,
    backend: Backend,
    *,
    copies: int,
    time: float,
    step: float,
    burn: float = BURN,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run `copies` networks: x_hat (times, copies), and mean and mean square of h over units and copies at the end.

    The last array is the mean over units of the variance of h in time, of the second half.
    """
    import torch

    normal = normals(seed, backend)
    phi, _ = functions(str(inputs.get("activation", "tanh")))
    b, sigma, g, d, x = (
        float(inputs.get(name, 0.0)) for name in ("balance", "noise", "disorder", "delay", "signal")
    )
    weights = g / size**0.5 * normal(copies, size, size) if g else None
    h = 0.5 * normal(copies, size) + 0.01
    late = round(d / step)
    rates = phi(h)
    past = [rates if g else rates.mean(1)] * (late + 1)
    kick, count, skip = sigma * step**0.5, int((time + burn) / step), int(burn / step)
    decoded, first, second, halves = [], torch.zeros_like(h), torch.zeros_like(h), 0
    for t in range(count):
        rates = phi(h)
        mean = rates.mean(1)
        past[t % (late + 1)] = rates if g else mean
        old = past[(t + 1) % (late + 1)] if late else past[0]
        feedback = b * (x - (old.mean(1) if g else old))
        force = feedback[:, None] - h
        if weights is not None:
            force = force + torch.bmm(weights, old[:, :, None])[:, :, 0]
        if t >= skip:
            decoded.append(mean)
            if t >= (count + skip) // 2:
                first, second, halves = first + h, second + h * h, halves + 1
        h = h + step * force
        if sigma:
            h = h + kick * normal(copies, size)
    motion = (second / halves - (first / halves) ** 2).mean(1)
    return (
        torch.stack(decoded).double().cpu().numpy(),
        h.double().cpu().numpy(),
        motion.double().cpu().numpy(),
    )


def bias(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """x less the mean of x_hat."""
    decoded, _, _ = run(inputs, size, seed, backend, copies=8, time=5.0, step=0.05, burn=3.0)
    return np.array([float(inputs["signal"]) - decoded.mean()])


def fluctuations(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """N times the variance of x_hat in time, of networks without disorder, about the mean of all copies."""
    decoded, _, _ = run(
        inputs, size, seed, backend, copies=64, time=2.0, step=float(inputs["step"]), burn=1.5
    )
    return np.array([size * decoded.var()])


def disordered(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """N E x_hat^2 of four networks without a signal, whose mean is zero."""
    decoded, _, _ = run(
        inputs, size, seed, backend, copies=4, time=10.0, step=float(inputs["step"]), burn=8.0
    )
    return np.array([size * (decoded**2).mean()])


def strong(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """b N Var x_hat."""
    return float(inputs["balance"]) * disordered(inputs, size, seed, backend)


def fall(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """By what N E x_hat^2 of chaos falls where the balance doubles, as a power of two."""
    b = float(inputs["balance"])
    low, high = (disordered({**inputs, "balance": one}, size, seed, backend)[0] for one in (b, 2 * b))
    return np.array([np.log2(high / low)])


def superclassical(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """N^2 Var x_hat at b = beta N, with steps that resolve the loop."""
    b = float(inputs["ratio"]) * size
    step = RESOLVED / (1 + b)
    decoded, _, _ = run(
        {**inputs, "balance": b}, size, seed, backend, copies=64, time=1.0, step=step, burn=1.0
    )
    return np.array([size**2 * decoded.var()])


def motion(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The variance of units in time, long after the start."""
    _, _, found = run(inputs, size, seed, backend, copies=4, time=30.0, step=0.1, burn=30.0)
    return np.array([found.mean()])


def swings(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The rms of x_hat."""
    decoded, _, _ = run(
        inputs, size, seed, backend, copies=1, time=12.0, step=float(inputs["step"]), burn=18.0
    )
    return np.array([np.sqrt((decoded**2).mean())])


def against_best(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """N Var x_hat at a balance, over that at another; near the threshold the loop forgets its start slowly."""
    found = []
    for name in ("balance", "other"):
        at = {**inputs, "balance": inputs[name]}
        decoded, _, _ = run(
            at, size, seed, backend, copies=24, time=10.0, step=float(inputs["step"]), burn=12.0
        )
        found.append(decoded.var())
    return np.array([found[0] / found[1]])
