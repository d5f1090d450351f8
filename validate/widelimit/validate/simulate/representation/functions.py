"""Random networks on spheres and random fields on tori: how their energy falls with degree, and gradients with rank."""

from __future__ import annotations

from functools import lru_cache
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

_NODES = 400
DEGREES = (12, 48)  # between which the slope of the energy is measured
BLOCKS = (
    (0, 1),
    (1, 3),
    (2, 5),
    (4, 9),
)  # degree and multiplicity of what a ReLU kernel has on the sphere in 3 d


def _legendre(most: int, d: int, t: torch.Tensor) -> list[torch.Tensor]:
    """Legendre's polynomials in d dimensions, one at t = 1, to degree `most`."""
    import torch

    found = [torch.ones_like(t), t]
    for j in range(1, most):
        found.append(((2 * j + d - 2) * t * found[j] - j * found[j - 1]) / (j + d - 2))
    return found


@lru_cache(maxsize=16)
def _coefficients(most: int, d: int, power: int) -> np.ndarray:
    """Mean of max(0, t)^power P_k(t) over the sphere, by quadrature over the angle on the side where it is not zero."""
    import torch

    x, w = np.polynomial.legendre.leggauss(_NODES)
    angle = torch.as_tensor((x + 1) * np.pi / 4, dtype=torch.float64)
    weight = torch.as_tensor(w * np.pi / 4) * torch.sin(angle) ** (d - 2)
    t = torch.cos(angle)
    unit = t**power
    total = 2 * weight.sum()
    return np.array([float((weight * unit * p).sum() / total) for p in _legendre(most, d, t)])


def slope_of_energy(inputs: Any, size: int, seed: int, backend: Backend) -> float:
    """Exponent by rank of a random network's energy in spherical harmonics, over degrees that are not empty.

    The network is sum v_i max(0, g_i.x)^s with Gaussian v and g; each unit is projected by quadrature, and units
    interfere by the angles between them.
    """
    import torch

    power, d = int(inputs["power"]), int(inputs["manifold"]) + 1
    generator = backend.generator(seed)
    weights = torch.randn((size, d), generator=generator, device=backend.device, dtype=torch.float64)
    readout = torch.randn(size, generator=generator, device=backend.device, dtype=torch.float64)
    length = weights.norm(dim=1)
    cosines = (weights / length[:, None]) @ (weights / length[:, None]).T
    strength = readout * length**power
    low, high = DEGREES
    units = _coefficients(high, d, power)
    ranks, energies, passed = [], [], 0.0
    for k, p in enumerate(_legendre(high, d, cosines.clamp(-1, 1))):
        count = _harmonics(k, d)
        filled = k <= power or (k + power) % 2 == 1
        passed += count if filled else 0
        if k >= low and filled:
            ranks.append(passed - count / 2)
            energies.append(units[k] ** 2 * float(strength @ p @ strength) / size)
    return float(-np.polyfit(np.log(ranks), np.log(energies), 1, w=np.sqrt(ranks))[0])


def _harmonics(k: int, d: int) -> int:
    return comb(k + d - 1, d - 1) - (comb(k + d - 3, d - 1) if k >= 2 else 0)


def kernel_blocks(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Logarithms of mean eigenvalues of a network's kernel on so many random inputs on the sphere in 3 d, by block.

    Blocks are the ranks that degrees 0, 1, 2 and 4 fill. The network is a ReLU layer eight times as wide as there are
    inputs, with a Gaussian readout; `kernel` ntk takes the gradients of all weights, nngp those of the readout.
    """
    import torch

    generator = backend.generator(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, device=backend.device, dtype=torch.float64)

    x = normal(size, 3)
    x = x / x.norm(dim=1, keepdim=True)
    width = 8 * size
    h, readout = x @ normal(3, width), normal(width)
    features = h.clamp(min=0)
    kernel = 2 / width * features @ features.T
    if inputs["kernel"] == "ntk":
        active = (h > 0).to(h.dtype) * readout
        kernel = kernel + 2 / width * (active @ active.T) * (x @ x.T)
    values = torch.linalg.eigvalsh(kernel).flip(0) / size
    found, start = [], 0
    for _, count in BLOCKS:
        found.append(float(values[start : start + count].mean().log()))
        start += count
    return np.array(found)


def octave_growth(inputs: Any, size: int, seed: int, backend: Backend) -> float:
    """log2 of the mean square gradients of two octaves of ranks, N to 2N over N/2 to N, of a field on a torus.

    The field has a Gaussian amplitude of variance n^-alpha in its n-th mode, counted by wave number; its gradient is
    taken by differences on a grid that is refined with the wave number.
    """
    import torch

    dimension, exponent = int(inputs["manifold"]), float(inputs["exponent"])
    most = {1: size + 2, 2: int(2 * (size / np.pi) ** 0.5) + 3}[dimension]
    axes = np.meshgrid(*[np.arange(-most, most + 1)] * dimension, indexing="ij")
    vectors = np.stack([one.ravel() for one in axes], axis=1)
    vectors = vectors[np.lexsort((*vectors.T, (vectors**2).sum(axis=1)))]
    vectors = vectors[1:]  # all but the constant
    half = vectors[
        (vectors[:, 0] > 0) | ((vectors[:, 0] == 0) & (vectors[:, -1] > 0))
    ]  # k and -k: cos and sin
    generator = backend.generator(seed)
    energies = []
    for low, high in ((size // 2, size), (size, 2 * size)):
        modes = np.arange(low // 2, high // 2)
        scale = np.abs(half[modes]).max()
        points = torch.rand((256, dimension), generator=generator, dtype=torch.float64) * 2 * np.pi
        ranks = torch.as_tensor(2.0 * modes + 1.5)
        shape = (2, len(modes))
        a, b = torch.randn(shape, generator=generator, dtype=torch.float64) * (ranks**-exponent).sqrt()
        k = torch.as_tensor(half[modes], dtype=torch.float64)
        step, total = 0.02 / scale, 0.0
        for axis in range(dimension):
            shift = torch.zeros(dimension, dtype=torch.float64)
            shift[axis] = step / 2
            ahead, behind = (
                points + sign * shift @ torch.eye(dimension, dtype=torch.float64) for sign in (1, -1)
            )
            field = [torch.cos(p @ k.T) @ a + torch.sin(p @ k.T) @ b for p in (ahead, behind)]
            total += float((((field[0] - field[1]) / step) ** 2).mean())
        energies.append(total)
    return float(np.log2(energies[1] / energies[0]))
