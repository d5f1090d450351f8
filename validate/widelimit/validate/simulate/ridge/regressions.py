"""Ridge fits of finite random data, batched: one eigendecomposition of the smaller Gram matrix serves all penalties.

Each replicate draws its own data from its own seed. Errors on new data are exact averages over Gaussian inputs,
``sum_j s_j (w^_j - w_j)^2 + sigma^2``, not those of a test set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.harness.claim import Inputs

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend


_TRIDIAGONAL = 100  # from this size on


@by_value
@dataclass(frozen=True)
class Population:
    """Inputs with covariance eigenvalues `s`, a target with weights `w` on their eigenvectors, label noise."""

    s: np.ndarray
    w: np.ndarray
    noise: float

    @classmethod
    def two_scales(cls, inputs: Inputs, size: int) -> Population:
        """Eigenvalue 1 on a `fraction` of `size` dimensions, which carry `share` of the signal, and `separation`."""
        strong = round(float(inputs["fraction"]) * size)
        share = float(inputs["share"])
        s = np.repeat([1.0, float(inputs["separation"])], [strong, size - strong])
        u = np.repeat([share / strong, (1 - share) / (size - strong)], [strong, size - strong])
        return cls(s, np.sqrt(u / s), float(inputs["noise"]))

    @classmethod
    def power_law(cls, size: int, exponent: float, signal_exponent: float, noise: float) -> Population:
        """``s_k = k^-exponent`` carrying ``k^-signal_exponent``, k = 1 .. size."""
        k = np.arange(1.0, size + 1)
        return cls(k**-exponent, k ** ((exponent - signal_exponent) / 2), noise)

    def tensors(self, backend: Backend) -> tuple[torch.Tensor, torch.Tensor]:
        """`s` and `w` on the device."""
        import torch

        return tuple(torch.as_tensor(a, dtype=backend.dtype, device=backend.device) for a in (self.s, self.w))  # type: ignore[return-value]


def draw(
    population: Population, samples: int, seeds: Sequence[int], backend: Backend, copies: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (replicates, samples, dimensions) and standard normal label noise (replicates, samples).

    `copies` independent data sets per seed follow one another, all from the seed's one generator.
    """
    import torch

    X, e = [], []
    for seed in seeds:
        generator = backend.generator(seed)
        for _ in range(copies):
            one, noise = _data(population, samples, generator, backend)
            X.append(one)
            e.append(noise)
    return torch.stack(X), torch.stack(e)


def _data(
    population: Population, samples: int, generator: torch.Generator, backend: Backend
) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    s, _ = population.tensors(backend)
    options: dict[str, Any] = {"dtype": backend.dtype, "device": backend.device, "generator": generator}
    return torch.randn(samples, s.numel(), **options) * s.sqrt(), torch.randn(samples, **options)


def fits(X: torch.Tensor, y: torch.Tensor, penalties: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (replicates, penalties, dimensions) of ``(1/N) sum of squares + penalty |w|^2``, and eigenvalues.

    The eigenvalues are those of the smaller of ``X X^T/N`` and ``X^T X/N``.
    """
    import torch

    samples, dimensions = X.shape[-2:]
    if samples < dimensions:
        values, vectors = torch.linalg.eigh(X @ X.mT / samples)
        inner = (vectors.mT @ y[..., None]).mT / (samples * (values[:, None, :] + penalties[:, None]))
        return inner @ vectors.mT @ X, values
    values, vectors = torch.linalg.eigh(X.mT @ X / samples)
    inner = (vectors.mT @ (X.mT @ y[..., None]) / samples).mT / (values[:, None, :] + penalties[:, None])
    return inner @ vectors.mT, values


def weights_of(X: torch.Tensor, y: torch.Tensor, penalties: torch.Tensor) -> torch.Tensor:
    """The weights of `fits` alone: on a CPU from a tridiagonalisation, which pays from some hundred dimensions on."""
    import torch

    samples, dimensions = X.shape[-2:]
    if X.device.type != "cpu" or X.dtype != torch.float64 or min(samples, dimensions) < _TRIDIAGONAL:
        return fits(X, y, penalties)[0]
    from widelimit.validate.simulate.ridge.tridiagonal import weights

    pairs = zip(X.numpy(), y.numpy(), strict=True)
    return torch.stack([torch.from_numpy(weights(one, target, penalties.numpy())) for one, target in pairs])


def new_errors(weights: torch.Tensor, s: torch.Tensor, w: torch.Tensor, noise: float) -> torch.Tensor:
    """Mean squared error on new data of each fit, label noise included."""
    return ((weights - w) ** 2 * s).sum(-1) + noise


def test_errors(
    population: Population, samples: int, penalties: Sequence[float], seeds: Sequence[int], backend: Backend
) -> np.ndarray:
    """Errors on new data, one row a replicate, one column a penalty; all penalties on the same data."""
    found = []
    for X, e in _batches(population, samples, seeds, backend):
        s, w = population.tensors(backend)
        weights = weights_of(X, X @ w + population.noise**0.5 * e, _tensor(penalties, backend))
        found.append(new_errors(weights, s, w, population.noise).cpu().numpy())
    return np.concatenate(found)


def neighbours(
    population: Population, samples: int, place: int, seeds: Sequence[int], backend: Backend
) -> np.ndarray:
    """Eigenvalues number `place` and `place` + 1 of ``X^T X/N``, from the top."""
    found = []
    for X, _ in _batches(population, samples, seeds, backend):
        import torch

        small = X @ X.mT if X.shape[1] < X.shape[2] else X.mT @ X
        values = torch.linalg.eigvalsh(small / samples).flip(-1)
        found.append(values[:, place - 1 : place + 1].cpu().numpy())
    return np.concatenate(found)


def _batches(
    population: Population, samples: int, seeds: Sequence[int], backend: Backend
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Draws in batches that fit the memory."""
    size = population.s.size
    batch = backend.batch(8 * (3 * samples * size + 3 * min(samples, size) ** 2), 64)
    for start in range(0, len(seeds), batch):
        yield draw(population, samples, seeds[start : start + batch], backend)


def _tensor(values: Sequence[float], backend: Backend) -> torch.Tensor:
    import torch

    return torch.tensor(list(values), dtype=backend.dtype, device=backend.device)


def linear_features(
    population: Population,
    samples: int,
    features: int,
    penalties: Sequence[float],
    seeds: Sequence[int],
    backend: Backend,
) -> np.ndarray:
    """Errors of ridge on features ``W x/sqrt(n_1)``, W_ij ~ N(0, 1), exactly averaged over new Gaussian inputs."""
    return _on_features(population, samples, features, penalties, seeds, backend, "linear")


def erf_features(
    population: Population,
    samples: int,
    features: int,
    penalties: Sequence[float],
    seeds: Sequence[int],
    backend: Backend,
) -> np.ndarray:
    """Errors of ridge on features ``sqrt(P/n_1) erf(W x/sqrt(P))``, exactly averaged over new Gaussian inputs."""
    return _on_features(population, samples, features, penalties, seeds, backend, "erf")


def _on_features(
    population: Population,
    samples: int,
    features: int,
    penalties: Sequence[float],
    seeds: Sequence[int],
    backend: Backend,
    kind: str,
) -> np.ndarray:
    import torch

    s, w = population.tensors(backend)
    lam = _tensor(penalties, backend)
    scale = (s.numel() / features) ** 0.5
    found = []
    for seed in seeds:
        generator = backend.generator(seed)
        X, e = _data(population, samples, generator, backend)
        W = torch.randn(features, s.numel(), generator=generator, dtype=backend.dtype, device=backend.device)
        W = W / s.numel() ** 0.5
        z = X @ W.T
        F = scale * (torch.erf(z) if kind == "erf" else z)
        y = X @ w + population.noise**0.5 * e
        v = fits(F[None], y[None], lam)[0][0]
        # second moments of features among themselves and with the target, for Gaussian inputs
        among = (W * s) @ W.T
        own = torch.diagonal(among)
        with_target = (W * s) @ w
        if kind == "erf":
            reach = torch.sqrt((1 + 2 * own)[:, None] * (1 + 2 * own)[None, :])
            among = 2 / torch.pi * torch.asin(2 * among / reach)
            with_target = 2 / torch.pi**0.5 / torch.sqrt(1 + 2 * own) * with_target
        quadratic = ((v @ among) * v).sum(-1) * scale**2
        error = (s * w**2).sum() - 2 * scale * (v @ with_target) + quadratic + population.noise
        found.append(error.cpu().numpy())
    return np.array(found)
