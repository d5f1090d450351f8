"""Random recurrent networks, drawn and run: covariances of Euler's steps, Lyapunov exponents by QR, rank one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import normals

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

_COPIES = 4


def covariances(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Variance of x and its correlation after four units of time, of Euler's steps of four tanh networks."""
    import torch

    normal = normals(seed, backend)
    g, alpha = float(inputs["g"]), float(inputs["step"])
    weights = alpha * g / size**0.5 * normal(_COPIES, size, size)
    x = normal(_COPIES, size, 1)
    lag, skip, count = round(4 / alpha), round(20 / alpha), round(50 / alpha)
    kept: list[torch.Tensor] = []
    for step in range(count):
        x = (1 - alpha) * x + torch.bmm(weights, torch.tanh(x))
        if step >= skip:
            kept.append(x)
    path = torch.stack(kept)
    variance = float((path**2).mean())
    return np.array([variance, float((path[lag:] * path[:-lag]).mean()) / variance])


def exponents(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Exponents of a discrete tanh network by QR at each step, above shares 1/4, 1/2, 3/4; dimension and entropy.

    Both over the number of units; noise is the same for all replicas.
    """
    import torch

    normal = normals(seed, backend)
    g, sigma = float(inputs["g"]), float(inputs.get("noise", 0.0))
    weights = g / size**0.5 * normal(size, size)
    x, frame = normal(size), torch.linalg.qr(normal(size, size))[0]
    logs, skip, count = torch.zeros(size, dtype=x.dtype, device=x.device), 40, 120
    for step in range(count):
        slope = 1 - torch.tanh(x) ** 2
        x = weights @ torch.tanh(x) + (sigma * normal(size) if sigma else 0.0)
        frame, r = torch.linalg.qr(weights @ (slope[:, None] * frame))
        if step >= skip:
            logs = logs + torch.diagonal(r).abs().log()
    found = np.sort((logs / (count - skip)).double().cpu().numpy())[::-1]
    shares = (np.arange(size)[::-1] + 0.5) / size
    quantiles = np.interp([0.25, 0.5, 0.75], shares[::-1], found[::-1])
    sums = np.cumsum(found)
    last = int(np.argmax(sums < 0)) if (sums < 0).any() else size
    part = sums[last - 1] / -found[last] if 0 < last < size else 0.0
    return np.array([*quantiles, (last + part) / size, np.maximum(found, 0).sum() / size])


def spectrum(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The exponents above shares 1/4, 1/2, 3/4."""
    return exponents(inputs, size, seed, backend)[:3]


def dimension(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Kaplan and Yorke's dimension over the number of units."""
    return exponents(inputs, size, seed, backend)[3:4]


def entropy(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The sum of positive exponents over the number of units."""
    return exponents(inputs, size, seed, backend)[4:]


def growth(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The largest exponent of discrete tanh networks whose noise is a multiple of a variance: `noise`."""
    import torch

    normal = normals(seed, backend)
    g, sigma = float(inputs["g"]), float(inputs["noise"])
    weights = g / size**0.5 * normal(_COPIES, size, size)
    x, vector = normal(_COPIES, size, 1), normal(_COPIES, size, 1)
    total, skip, count = 0.0, 40, 200
    for step in range(count):
        rate = torch.tanh(x)
        vector = torch.bmm(weights, (1 - rate**2) * vector)
        length = vector.norm(dim=1, keepdim=True)
        vector = vector / length
        x = torch.bmm(weights, rate) + sigma * normal(_COPIES, size, 1)
        if step >= skip:
            total += float(length.log().mean())
    return np.array([total / (count - skip)])


def separation(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """The largest exponent in continuous time: growth of a small difference by fourth-order steps of 1/2, 30 to 50.

    Two networks a replicate, both run from time 0; ten units of time turn a difference to where it grows. The longer
    it is watched, the more a finite network's own few directions count.
    """
    import torch

    normal, step, start, skip, count = normals(seed, backend), 0.5, 40, 60, 100
    weights = float(inputs["g"]) / size**0.5 * normal(2, size, size)
    y, total = normal(2, size, 2), 0.0  # states and differences side by side

    def move(y: torch.Tensor) -> torch.Tensor:
        rate = torch.tanh(y[..., :1])
        return torch.bmm(weights, torch.cat([rate, (1 - rate**2) * y[..., 1:]], 2)) - y

    for k in range(count):
        a = move(y)
        b = move(y + step / 2 * a)
        c = move(y + step / 2 * b)
        y = y + step / 6 * (a + 2 * b + 2 * c + move(y + step * c))
        if k == start - 1:
            y[..., 1:] = normal(2, size, 1)
        length = y[..., 1:].norm(dim=1, keepdim=True)
        y[..., 1:] /= length
        if k >= skip:
            total += float(length.log().mean())
    return np.array([total / ((count - skip) * step)])


def settled(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """kappa of a tanh network of rank one at rest beyond its threshold, |m|^2/N = 1 and overlap as given exactly."""
    import torch

    normal = normals(seed, backend)
    m = normal(size)
    m = m / (m @ m / size) ** 0.5
    free = normal(size)
    free = free - m * (m @ free) / size
    n = float(inputs["overlap"]) * m + float(inputs["free"]) * free
    x = 0.5 * m
    for _ in range(400):
        x = 0.9 * x + 0.1 * m * (n @ torch.tanh(x)) / size
    return np.array([float((x**2).mean() ** 0.5)])
