"""Plain networks with shaped activations: their layers, their whole maps, and how they learn digits at depth 100."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import functions, normals

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

Numbers = tuple[float, float, float, float]  # input scale and shift, output scale and shift
_UNITS, _WIDE = 40_000, 10_000  # units of one layer; of each of many layers
_WIDTH, _BATCH, _STEPS, _RATES = 64, 64, 200, (3e-4, 1e-3)


def applied(
    activation: str, numbers: Numbers
) -> tuple[Callable[[torch.Tensor], torch.Tensor], Callable[[torch.Tensor], torch.Tensor]]:
    """gamma (phi(alpha x + beta) + delta) and its derivative, on tensors."""
    alpha, beta, gamma, delta = numbers
    phi, slope = functions(activation)
    return (
        lambda h: gamma * (phi(alpha * h + beta) + delta),
        lambda h: gamma * alpha * slope(alpha * h + beta),
    )


def layer(inputs: Any, size: int, seed: int, backend: Backend, numbers: Numbers) -> np.ndarray:
    """Means over the units of one layer with two orthogonal inputs: Q, Q', C(0), C'(1), each over Q but the first."""
    phi, slope = applied(str(inputs["activation"]), numbers)
    h, other = normals(seed, backend)(2, _UNITS)
    h, other = (one / one.square().mean().sqrt() for one in (h, other))
    value, steep = phi(h), slope(h)
    length = float(value.square().mean())
    parts = ((value * steep * h).mean(), (value * phi(other)).mean(), steep.square().mean())
    return np.array([length, *(float(part) / length for part in parts)])


def whole(inputs: Any, size: int, seed: int, backend: Backend, numbers: Numbers) -> np.ndarray:
    """Correlations behind all layers, of pairs of inputs of given correlations."""
    import torch

    phi, _ = applied(str(inputs["activation"]), numbers)
    given = torch.tensor(PAIRS, dtype=backend.dtype, device=backend.device)
    return behind(phi, given, int(inputs["depth"]), seed, backend).cpu().numpy()


PAIRS = (0.2, 0.5, 0.8)  # correlations of pairs of inputs


def behind(phi: Any, given: torch.Tensor, depth: int, seed: int, backend: Backend) -> torch.Tensor:
    """Correlations of pairs behind `depth` layers of 10,000 units, each drawn from the Gram matrix of the layer below.

    Given the layer below, the two pre-activations of a unit are Gaussian with its Gram matrix: layers of that width are
    drawn without their matrices of weights, and made to have that Gram matrix exactly.
    """
    normal = normals(seed, backend)
    one, two, across = given * 0 + 1, given * 0 + 1, given
    for _ in range(depth):
        z, w = _orthonormal(normal(2, len(given), _WIDE))
        first = one.sqrt()[:, None] * z
        second = (across / one.sqrt())[:, None] * z + (two - across**2 / one).sqrt()[:, None] * w
        x, y = phi(first), phi(second)
        one, two, across = x.square().mean(1), y.square().mean(1), (x * y).mean(1)
    return across / (one * two).sqrt()


def _orthonormal(pair: torch.Tensor) -> torch.Tensor:
    """Two rows of Gaussians for each pair of inputs, of mean square 1 and orthogonal to each other."""
    import torch

    first, second = pair
    first = first / first.square().mean(1, keepdim=True).sqrt()
    second = second - (first * second).mean(1, keepdim=True) * first
    return torch.stack([first, second / second.square().mean(1, keepdim=True).sqrt()])


def leaky(inputs: Any, size: int, seed: int, backend: Backend, slope: float, gain: float) -> np.ndarray:
    """The correlation behind all layers of leaky ReLU of two orthogonal inputs."""
    import torch

    start = torch.zeros(1, dtype=backend.dtype, device=backend.device)
    phi = lambda h: gain * (h.clamp(min=0) + slope * h.clamp(max=0))  # noqa: E731
    return behind(phi, start, int(inputs["depth"]), seed, backend).cpu().numpy()


def gains(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """1/sqrt(Var phi) and E phi'^2 / Var phi by sums over equidistant points, offset at random."""
    import torch

    phi, slope = functions(str(inputs["activation"]))
    step = 2e-4
    shift = torch.rand((), generator=backend.generator(seed), dtype=backend.dtype, device=backend.device)
    z = (torch.arange(-45_000, 45_000, dtype=backend.dtype, device=backend.device) + shift) * step
    weight = torch.exp(-(z**2) / 2) * step / math.sqrt(2 * math.pi)
    value = phi(z)
    mean = (weight * value).sum()
    variance = float((weight * (value - mean) ** 2).sum())
    return np.array([variance**-0.5, float((weight * slope(z) ** 2).sum()) / variance])


# --- learning at depth


def learnt(inputs: Any, size: int, seeds: Sequence[int], backend: Backend, numbers: Numbers) -> np.ndarray:
    """Test accuracies on digits after 200 steps of Adam, the better of two rates, four numbers a seed.

    Gains over the default initialisation of torch: shaped with Gaussian weights, shaped with orthogonal weights, the
    plain activation with Gaussian weights at the edge of chaos; and the default's own accuracy.
    """
    rough = replace(backend, precision="float32")
    return np.array([_learnt(inputs, seed, rough, numbers) for seed in seeds])


def _learnt(inputs: Any, seed: int, backend: Backend, numbers: Numbers) -> list[float]:
    import torch

    plain, (shaped, _) = functions(str(inputs["activation"]))[0], applied(str(inputs["activation"]), numbers)
    train, labels, test, answers = _digits(seed, backend)
    arms = 4 * len(_RATES)
    weights = _weights(int(inputs["depth"]), float(inputs["edge"]), seed, backend)
    head = torch.zeros(arms, _WIDTH, 10, device=backend.device, dtype=backend.dtype)
    parts = [w.requires_grad_() for w in (*weights, head)]
    rates = torch.tensor(_RATES, device=backend.device, dtype=backend.dtype).repeat(4)[:, None, None]
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parts]
    generator = backend.generator(seed + 1)

    def outputs(x: torch.Tensor) -> torch.Tensor:
        x = x.expand(arms, *x.shape)
        half = 2 * len(_RATES)
        for w in parts[:-1]:
            h = x @ w
            x = torch.cat([shaped(h[:half]), plain(h[half:])])
        return x @ parts[-1]

    for step in range(1, _STEPS + 1):
        pick = torch.randint(len(labels), (_BATCH,), generator=generator, device=backend.device)
        scores = outputs(train[pick])
        target = labels[pick].expand(arms, -1)
        loss = (
            torch.nn.functional.cross_entropy(scores.flatten(0, 1), target.flatten(), reduction="sum")
            / _BATCH
        )
        gradients = torch.autograd.grad(loss, parts)
        with torch.no_grad():
            _adam(parts, gradients, moments, rates, step)
    with torch.no_grad():
        right = (outputs(test).argmax(-1) == answers).double().mean(-1).reshape(4, -1).max(1).values.tolist()
    gaussian, orthogonal, edge, default = right
    return [gaussian - default, orthogonal - default, edge - default, default]


def _adam(parts: Any, gradients: Any, moments: Any, rates: torch.Tensor, step: int) -> None:
    """One step of Adam, with a rate for each network of the batch."""
    for p, g, (m, v) in zip(parts, gradients, moments, strict=True):
        m.mul_(0.9).add_(g, alpha=0.1)
        v.mul_(0.999).addcmul_(g, g, value=0.001)
        size = (v / (1 - 0.999**step)).sqrt() + 1e-8
        p.sub_(rates * (m / (1 - 0.9**step)) / size)


def _weights(depth: int, edge: float, seed: int, backend: Backend) -> list[torch.Tensor]:
    """Weights for all rates: shaped Gaussian, shaped orthogonal, plain at the edge, plain by torch."""
    import torch

    normal, generator = normals(seed, backend), backend.generator(seed + 3)
    found = []
    for _ in range(depth):
        g = normal(_WIDTH, _WIDTH)
        q = torch.linalg.qr(normal(_WIDTH, _WIDTH))[0]
        u = torch.rand((_WIDTH, _WIDTH), generator=generator, device=backend.device, dtype=backend.dtype)
        arms = (g / _WIDTH**0.5, q, g * (edge / _WIDTH) ** 0.5, (2 * u - 1) / _WIDTH**0.5)
        found.append(torch.stack([one for one in arms for _ in _RATES]))
    return found


def _digits(seed: int, backend: Backend) -> tuple[torch.Tensor, ...]:
    """Images, each with the mean square 1, and their labels: 1,297 for training and 500 for the test."""
    import torch
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.as_tensor(data.data, device=backend.device, dtype=backend.dtype)
    images = images - images.mean(0)
    images = images / images.square().mean(1, keepdim=True).sqrt()
    labels = torch.as_tensor(data.target, device=backend.device)
    order = torch.randperm(len(labels), generator=backend.generator(seed + 2), device=backend.device)
    return images[order[500:]], labels[order[500:]], images[order[:500]], labels[order[:500]]
