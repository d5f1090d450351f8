"""Finite convolutional, recurrent, residual and batch-normalised networks, one replicate from one seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import functions

if TYPE_CHECKING:
    import torch

    from widelimit.validate.backend import Backend


def _normal(seed: int, backend: Backend) -> Callable[..., torch.Tensor]:
    import torch

    generator = backend.generator(seed)
    return lambda *shape: torch.randn(shape, generator=generator, device=backend.device, dtype=backend.dtype)


def convolution_modes(inputs: Any, q: float, c: float, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Factor per layer of a small Fourier mode of the covariance of two signals around the fixed point (q, c).

    Both signals are Gaussian in the channels with variance q and covariance c q between any two positions and signals,
    except that the covariance of the two at position a carries a small wave of amplitude 0.05 q cos(2 pi k a /
    n). Returns
    the wave's amplitude behind one layer over that before it, both measured in the same channels.
    """
    import torch

    normal = _normal(seed, backend)
    phi, _ = functions(str(inputs["activation"]))
    n, k, width = int(inputs["positions"]), int(inputs["wave"]), int(inputs["filter_size"])
    wave = torch.cos(2 * np.pi * k * torch.arange(n, device=backend.device, dtype=backend.dtype) / n)
    shared, own_1, own_2 = normal(size, 1), normal(size, n), normal(size, n)
    amplitude = 0.15 * (1 - c)
    rho = amplitude * wave / (1 - c)
    first = (q * c) ** 0.5 * shared + (q * (1 - c)) ** 0.5 * own_1
    second = (q * c) ** 0.5 * shared + (q * (1 - c)) ** 0.5 * (rho * own_1 + (1 - rho**2).sqrt() * own_2)
    images = [phi(signal) for signal in (first, second)]
    sigma_w = float(inputs["sigma_w"])
    # the average over the next layer's weights is exact: sigma_w^2 times the filter's mean of the products of channels
    product = sigma_w**2 * (images[0] * images[1]).mean(0)
    half = width // 2
    smooth = sum(torch.roll(product, shift, 0) for shift in range(-half, half + 1)) / width
    before = float((smooth * wave).mean() / (wave**2).mean())
    return np.array([before / (q * amplitude)])


def gated(
    inputs: Any, size: int, seed: int, backend: Backend, *, steps: int = 40, tied: bool = False
) -> np.ndarray:
    """(E h^2, variance of the gate's input, growth of a gradient per step) of a minimalRNN near stationarity."""
    import torch

    normal = _normal(seed, backend)
    sigma_w, sigma_v = float(inputs["sigma_w"]), float(inputs["sigma_v"])
    r, mu = float(inputs["input_moment"]), float(inputs["bias_mean"])
    h = normal(4, size) * (0.5 * r) ** 0.5
    backward = normal(4, size)
    weights: list[torch.Tensor] = []
    memory, variance, growth = [], [], []
    for step in range(steps):
        if not tied or not weights:
            weights = [normal(size, size) * sigma_w / size**0.5, normal(size, size) * sigma_v / size**0.5]
        x = normal(4, size) * r**0.5
        pre = h @ weights[0].T + x @ weights[1].T
        u = torch.sigmoid(pre + mu)
        steep = u * (1 - u) * (h - x)
        if step >= steps // 2:
            memory.append(float((h**2).mean()))
            variance.append(float((pre**2).mean()))
            carried = backward * u + (backward * steep) @ weights[0]
            growth.append(float((carried**2).sum() / (backward**2).sum()))
        h = u * h + (1 - u) * x
    return np.array([np.mean(memory), np.mean(variance), np.mean(growth)])


def two_time(inputs: Any, size: int, seed: int, backend: Backend, *, tied: bool) -> np.ndarray:
    """Covariance of a vanilla network's pre-activations at the last two times, and their variance at the last."""
    normal = _normal(seed, backend)
    phi, _ = functions(str(inputs["activation"]))
    sigma_w, sigma_b, steps = float(inputs["sigma_w"]), float(inputs["sigma_b"]), int(inputs["steps"])

    def draw() -> tuple[torch.Tensor, torch.Tensor]:
        return normal(size, size) * sigma_w / size**0.5, normal(size) * sigma_b

    weight, bias = draw()
    h = normal(size) * float(inputs["start"]) ** 0.5
    before = h
    for _ in range(steps):
        before, h = h, weight @ phi(h) + bias
        if not tied:
            weight, bias = draw()
    return np.array([float((before * h).mean()), float((h**2).mean())])


def residual(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """log of p at the top over p at the bottom, and log of the gradient at the bottom over that at the top."""
    normal = _normal(seed, backend)
    phi, slope = functions(str(inputs["activation"]))
    sigma_w, sigma_v, sigma_b = (float(inputs[name]) for name in ("sigma_w", "sigma_v", "sigma_b"))
    start = normal(4, size)
    x, layers = start, []
    for _ in range(int(inputs["depth"])):
        inner, outer = normal(size, size) * sigma_w / size**0.5, normal(size, size) * sigma_v / size**0.5
        h = x @ inner.T + normal(size) * sigma_b
        layers.append((inner, outer, slope(h)))
        x = x + phi(h) @ outer.T
    top = normal(4, size)
    gradient = top
    for inner, outer, steep in reversed(layers):
        gradient = gradient + ((gradient @ outer) * steep) @ inner
    return np.array(
        [
            float(((x**2).mean() / (start**2).mean()).log()),
            float(((gradient**2).mean() / (top**2).mean()).log()),
        ]
    )


def batch_gradient(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Growth of the mean square gradient per layer of h -> phi(BN(W x)) from `depth` layers down, first layers
    left out.
    """
    normal = _normal(seed, backend)
    phi, slope = functions(str(inputs["activation"]))
    batch, depth = int(inputs["batch"]), int(inputs["depth"])
    x, layers = normal(batch, size), []
    for _ in range(depth):
        weight = normal(size, size) / size**0.5
        h = x @ weight.T
        centred = h - h.mean(0)
        deviation = centred.square().mean(0).sqrt()
        unit = centred / deviation
        layers.append((weight, unit, deviation, slope(unit)))
        x = phi(unit)
    gradient, norms = normal(batch, size), []
    for weight, unit, deviation, steep in reversed(layers):
        inner = gradient * steep
        inner = (inner - inner.mean(0) - unit * (inner * unit).mean(0)) / deviation
        gradient = inner @ weight
        norms.append(float(gradient.square().mean()))
    half = (
        depth // 2
    )  # the top layers carry the transient of the random gradient, the bottom ones that of the input
    return np.array([(np.log(norms[half]) - np.log(norms[0])) / half])


def architecture_kernels(
    name: str, x: np.ndarray, size: int, seed: int, backend: Backend
) -> tuple[np.ndarray, np.ndarray]:
    """NNGP (over the outputs) and tangent kernel of one drawn module of ``claims.convolution``'s and
    ``residual``'s networks.
    """
    import torch

    from widelimit.validate.claims.compositions import ARCHITECTURES
    from widelimit.validate.modules import Weighted, build

    module = build(
        ARCHITECTURES[name](),
        x.shape[1:],
        width=size,
        parametrisation="ntk",
        generator=backend.generator(seed),
        dtype=backend.dtype,
    )
    module = module.to(backend.device)
    points = torch.as_tensor(x, device=backend.device, dtype=backend.dtype)
    outputs = module(points)[:, 0]
    parameters = [p for p in module.parameters() if p.requires_grad]
    rows = [torch.autograd.grad(value, parameters, retain_graph=True) for value in outputs]
    jacobian = torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows])
    last = list(module)[-1]
    assert isinstance(last, Weighted)
    with torch.no_grad():
        below = torch.nn.Sequential(*list(module)[:-1])(points)
        nngp = last.gain_w**2 * below @ below.T + last.gain_b**2
        ntk = jacobian @ jacobian.T
    return nngp.cpu().numpy(), ntk.cpu().numpy()
