"""Ridge fits to drawn inputs, averaged over targets without drawing any: label noise and signs of the weights.

A fit is linear in its labels: its weights are off by ``M w`` without noise, ``M = 1 - V diag(g) V^T``, and noise adds
``V diag(h) e``. Means of squares over standard normal e are sums, and so are those over signs of w. (A coordinate of
the inputs and its negative have the same law, so that targets whose weights have other signs are as good as other
inputs.) What is left is how inputs scatter: a relative deviation of O(1/N), where single targets scatter by N^(-1/2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.simulate.ridge.regressions import Population, draw

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

Array = np.ndarray


@by_value
@dataclass(frozen=True)
class Design:
    """Inputs of one training set: `d`, the eigenvalues of the smaller Gram matrix over N, and what fits need beside.

    `V` are their eigenvectors among the dimensions (P, smaller of N and P), `among` is V^T Sigma V, `aligned` V^T W V
    of the squared weights W, `crossed` the diagonal of V^T W Sigma V.
    """

    population: Population
    samples: int
    d: Array
    V: Array
    among: Array
    aligned: Array
    crossed: Array

    def errors(self, penalties: Sequence[float] | Array) -> Array:
        """Mean squared errors on new data, label noise included."""
        return self.population.noise + self.missed(penalties) + self.noise_fitted(penalties)

    def missed(self, penalties: Sequence[float] | Array) -> Array:
        """What fits without label noise miss."""
        _, g = self._shrunk(penalties)
        signal = float((self.population.s * self.population.w**2).sum())
        return np.asarray(signal - 2 * g @ self.crossed + ((g @ (self.among * self.aligned)) * g).sum(-1))

    def noise_fitted(self, penalties: Sequence[float] | Array) -> Array:
        """What fitting the label noise adds."""
        shrunk, g = self._shrunk(penalties)
        return np.asarray(self.population.noise / self.samples * (g / shrunk) @ np.diagonal(self.among))

    def training_errors(self, penalties: Sequence[float] | Array) -> Array:
        """Mean squared residuals."""
        shrunk, _ = self._shrunk(penalties)
        left = (np.asarray(penalties, dtype=float)[:, None] / shrunk) ** 2
        noise = self.population.noise * (left.sum(-1) + self._beyond) / self.samples
        return np.asarray(left @ (self.d * np.diagonal(self.aligned)) + noise)

    def left(self, penalties: Sequence[float] | Array) -> Array:
        """1 less the degrees of freedom per sample, lambda tr(K + lambda)^-1/N."""
        _, g = self._shrunk(penalties)
        return np.asarray(((1 - g).sum(-1) + self._beyond) / self.samples)

    def missed_by_both(self, other: Design, penalty: float) -> float:
        """Mean product of what this fit and another's miss without label noise."""
        s, w2 = self.population.s, self.population.w**2
        (_, (g,)), (_, (h,)) = self._shrunk([penalty]), other._shrunk([penalty])
        among, aligned = (self.V.T @ (weight[:, None] * other.V) for weight in (s, w2))
        return float((s * w2).sum() - g @ self.crossed - h @ other.crossed + g @ (among * aligned) @ h)

    def _shrunk(self, penalties: Sequence[float] | Array) -> tuple[Array, Array]:
        """d + lambda and d/(d + lambda), one row a penalty."""
        shrunk = self.d + np.asarray(penalties, dtype=float)[:, None]
        return shrunk, self.d / shrunk

    @property
    def _beyond(self) -> int:
        """Eigenvalues of the Gram matrix of samples beyond those of the smaller one, which are zero."""
        return max(0, self.samples - self.d.size)


def drawn_designs(
    population: Population, samples: int, seeds: Sequence[int], backend: Backend, copies: int = 1
) -> Iterator[Design]:
    """Draw `copies` designs a seed, one after the other, all from the seed's one generator."""
    import torch

    s, w = population.tensors(backend)
    for seed in seeds:
        for X in draw(population, samples, [seed], backend, copies)[0]:
            if samples < X.shape[1]:
                d, U = torch.linalg.eigh(X @ X.mT / samples)
                V = X.mT @ (U / (samples * d).sqrt())
            else:
                d, V = torch.linalg.eigh(X.mT @ X / samples)
            among, aligned = (V.mT @ (weight[:, None] * V) for weight in (s, w**2))
            crossed = (V**2 * (s * w**2)[:, None]).sum(0)
            yield Design(
                population, samples, *(part.cpu().numpy() for part in (d, V, among, aligned, crossed))
            )


def mean_errors(
    population: Population, samples: int, penalties: Sequence[float], seeds: Sequence[int], backend: Backend
) -> Array:
    """Errors on new data, one row a design, one column a penalty."""
    return np.array([one.errors(penalties) for one in drawn_designs(population, samples, seeds, backend)])


def mean_training_errors(
    population: Population, samples: int, penalties: Sequence[float], seeds: Sequence[int], backend: Backend
) -> Array:
    """Training errors at each penalty, then their generalised cross-validation scores."""
    found = []
    for one in drawn_designs(population, samples, seeds, backend):
        train = one.training_errors(penalties)
        found.append(np.concatenate([train, train / one.left(penalties) ** 2]))
    return np.array(found)


def parts(
    population: Population, samples: int, penalty: float, seeds: Sequence[int], backend: Backend
) -> Array:
    """Squared bias, variance over inputs and variance over noise of one penalty, each without bias.

    A replicate has two designs. The mean product of what both fits miss is the squared bias; what the square of either
    has more is the variance over inputs; noise adds the square of its own fit.
    """
    found = []
    for seed in seeds:
        one, two = drawn_designs(population, samples, [seed], backend, 2)
        bias = one.missed_by_both(two, penalty)
        missed, noise = (
            float(np.mean([each([penalty]) for each in pair]))
            for pair in ((one.missed, two.missed), (one.noise_fitted, two.noise_fitted))
        )
        found.append([bias, missed - bias, noise])
    return np.array(found)
