"""Curves of inputs through finite random networks: h, dh/dt and d2h/dt2 carried exactly from layer to layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.calculus.activation import Activation
from widelimit.validate.simulate.kernel import functions

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_ANGLES = 8


def metric(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """|dh/dt|^2 / N of every layer behind the first, of a circle of squared radius N q."""
    return circle(inputs, size, seed, backend)[0, 1:]


def curvature(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """N times the squared extrinsic curvature of every layer behind the first, of a circle of squared radius N q."""
    return circle(inputs, size, seed, backend)[1, 1:]


def circle(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Metric and curvature (N kappa^2) of a circle of squared radius N q, averaged over eight angles, a column a layer.

    The curve starts as a circle of pre-activations; the second derivative of phi is taken by automatic differentiation.
    """
    import torch

    generator = backend.generator(seed)
    phi, slope = functions(str(inputs["activation"]))
    sigma_w, sigma_b, q = (float(inputs[name]) for name in ("sigma_w", "sigma_b", "q"))

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, device=backend.device, dtype=backend.dtype)

    plane = torch.linalg.qr(normal(size, 2))[0] * (size * q) ** 0.5
    angle = torch.arange(_ANGLES, device=backend.device, dtype=backend.dtype) * (2 * np.pi / _ANGLES)
    cos, sin = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
    h, first = cos * plane[:, 0] + sin * plane[:, 1], -sin * plane[:, 0] + cos * plane[:, 1]
    second = -h
    out = [_geometry(first, second, size)]
    for _ in range(int(inputs["depth"])):
        weight, bias = normal(size, size) * sigma_w / size**0.5, normal(size) * sigma_b
        point = h.clone().requires_grad_()
        steep = slope(point)
        (bend,) = (
            torch.autograd.grad(steep.sum(), point, allow_unused=True) if steep.requires_grad else (None,)
        )
        steep = steep.detach()
        bend = torch.zeros_like(h) if bend is None else bend
        second = (steep * second + bend * first**2) @ weight.T
        first = (steep * first) @ weight.T
        h = phi(h) @ weight.T + bias
        out.append(_geometry(first, second, size))
    return np.array(out).T


def _geometry(first: Any, second: Any, size: int) -> tuple[float, float]:
    speed, along, total = (first**2).sum(-1), (first * second).sum(-1), (second**2).sum(-1)
    squared = (total * speed - along**2) / speed**3
    return float(speed.mean()) / size, float(squared.mean()) * size


def growth(inputs: Any, size: int, seed: int, backend: Backend, points: int = 200) -> list[float]:
    """A straight line of inputs: factor of its length in the last layer, and kinks crossed per unit of layer 1.

    The latter only where the activation has kinks.
    """
    import torch

    generator = backend.generator(seed)
    phi, _ = functions(str(inputs["activation"]))
    kinks = [float(kink) for kink in Activation.of(str(inputs["activation"])).kinks]
    sigma_w, sigma_b = float(inputs["sigma_w"]), float(inputs["sigma_b"])

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, device=backend.device, dtype=backend.dtype)

    ends = normal(2, size)
    t = torch.linspace(0, 1, points, device=backend.device, dtype=backend.dtype)[:, None]
    x, lengths, crossed = ends[0] * (1 - t) + ends[1] * t, [], 0.0
    for layer in range(int(inputs["depth"]) + 1):
        h = x @ (normal(size, size) * sigma_w / size**0.5).T + normal(size) * sigma_b
        lengths.append(float((h[1:] - h[:-1]).norm(dim=1).sum()))
        if layer == 0:
            crossed = sum(float(((h[1:] > k) != (h[:-1] > k)).sum()) for k in kinks) / size
        x = phi(h)
    return [lengths[-1] / lengths[-2], crossed][: 2 if kinks else 1]
