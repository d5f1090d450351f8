"""Gaussian responses to stimuli that are shown twice: signal of a prescribed spectrum, fresh white noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

WINDOWS = ((0.05, 0.1), (0.1, 0.2), (0.2, 0.4))  # of ranks, as shares of the units


def windows(values: Any, units: int) -> np.ndarray:
    """Means of a spectrum over `WINDOWS` of ranks."""
    ends = [(round(low * units), round(high * units)) for low, high in WINDOWS]
    return np.array([float(values[low:high].mean()) for low, high in ends])


def repeats(
    spectrum: torch.Tensor, noise: float, stimuli: int, seed: int, backend: Backend
) -> tuple[Any, Any]:
    """Two repeats, stimuli x units, in the basis of the signal's eigenvectors."""
    import torch

    generator = backend.generator(seed)

    def normal() -> torch.Tensor:
        shape = (stimuli, len(spectrum))
        return torch.randn(shape, generator=generator, device=backend.device, dtype=backend.dtype)

    signal = normal() * spectrum.sqrt()
    return signal + noise**0.5 * normal(), signal + noise**0.5 * normal()


def cross_validated(one: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(X_1 u_n).(X_2 u_n)/T and |X_1 u_n|^2/T along the principal axes u_n of the first repeat, by rank."""
    import torch

    _, _, axes = torch.linalg.svd(one, full_matrices=False)
    first, second = one @ axes.T, other @ axes.T
    return (first * second).mean(dim=0), (first**2).mean(dim=0)


def power_law(units: int, exponent: float, backend: Backend) -> torch.Tensor:
    """(n/N)^-alpha, which has a limit at every share of the ranks."""
    import torch

    ranks = torch.arange(1, units + 1, device=backend.device, dtype=backend.dtype)
    return (ranks / units) ** -exponent


def bias(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Logarithms of means over windows of ranks: cross-validated PCA, then plain PCA."""
    spectrum = power_law(size, float(inputs["exponent"]), backend)
    stimuli = round(size / float(inputs["aspect"]))
    found = cross_validated(*repeats(spectrum, float(inputs["noise"]), stimuli, seed, backend))
    return np.log(np.concatenate([windows(one.cpu().numpy(), size) for one in found]))


def spike(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Cross-validated and plain PCA eigenvalue of the first rank: one direction of variance l in white noise."""
    import torch

    spectrum = torch.zeros(size, device=backend.device, dtype=backend.dtype)
    spectrum[0] = float(inputs["variance"])
    stimuli = round(size / float(inputs["aspect"]))
    found = cross_validated(*repeats(spectrum, float(inputs["noise"]), stimuli, seed, backend))
    return np.array([float(one[0]) for one in found])


def few_stimuli(inputs: Any, size: int, seed: int, backend: Backend) -> float:
    """Mean relative bias of sample eigenvalues without noise, over ranks near a share of the stimuli."""
    import torch

    spectrum = power_law(2 * size, float(inputs["exponent"]), backend)
    one, _ = repeats(spectrum, 0.0, size, seed, backend)
    sample = torch.linalg.eigvalsh(one @ one.T).flip(0) / size
    middle = float(inputs["share"]) * size
    low, high = round(0.5 * middle), round(1.5 * middle)
    return float((sample[low:high] / spectrum[low:high] - 1).mean())


def recording(inputs: Any, seed: int, backend: Backend) -> np.ndarray:
    """A recording of `units` units and `stimuli` stimuli, eigenvalues n^-alpha: an array (2, stimuli, units)."""
    import torch

    ranks = torch.arange(1, int(inputs["units"]) + 1, device=backend.device, dtype=backend.dtype)
    spectrum = ranks ** -float(inputs["exponent"])
    both = repeats(spectrum, float(inputs["noise"]), int(inputs["stimuli"]), seed, backend)
    return torch.stack(both).cpu().numpy()
