"""The best penalty of drawn data, found by scanning: nothing is known but the errors of fits.

A replicate draws several data sets, and looks where their mean error is least: the place of a flat minimum is a ratio
of small differences, whose bias falls with the number of errors that are averaged before it is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.simulate.ridge.regressions import Population, draw

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_WIDE = np.geomspace(1e-5, 1e3, 49)  # penalties over the mean eigenvalue
_ROUNDS, _FINE = 2, 9  # each round looks between the neighbours of the best of the last


@by_value
@dataclass(frozen=True)
class Curve:
    """Mean error on new data of the data sets of one replicate, as a function of the penalty.

    With weights ``Q g``, ``g = z/(d + penalty)``, an error is ``g' A g - 2 b' g + rest``: the eigenvalues `d` of the
    smaller Gram matrix, `z` the targets and `A`, `b` the new data on its eigenvectors, one a data set.
    """

    d: np.ndarray
    z: np.ndarray
    A: np.ndarray
    b: np.ndarray
    rest: float

    @classmethod
    def drawn(cls, population: Population, samples: int, seed: int, copies: int, backend: Backend) -> Curve:
        """Draw `copies` data sets and decompose each once for all penalties."""
        import torch

        X, e = draw(population, samples, [seed], backend, copies)
        s, w = population.tensors(backend)
        y = X @ w + population.noise**0.5 * e
        if samples < s.numel():
            d, Q = torch.linalg.eigh(X @ X.mT / samples)
            z, Q = (Q.mT @ y[..., None])[..., 0] / samples, X.mT @ Q
        else:
            d, Q = torch.linalg.eigh(X.mT @ X / samples)
            z = (Q.mT @ (X.mT @ y[..., None]))[..., 0] / samples
        A, b = Q.mT @ (s[:, None] * Q), Q.mT @ (s * w)
        rest = float((s * w**2).sum()) + population.noise
        d, z, A, b = (part.cpu().numpy() for part in (d, z, A, b))
        return cls(d, z, A, b, rest)

    def __call__(self, penalties: np.ndarray) -> np.ndarray:
        """Mean errors at penalties above minus the lowest eigenvalue."""
        g = self.z[:, None, :] / (self.d[:, None, :] + penalties[:, None])
        squares = ((g @ self.A) * g).sum(-1) - 2 * (g @ self.b[..., None])[..., 0]
        return squares.mean(axis=0) + self.rest

    def best(self, scale: float, *, negative: bool = False) -> float:
        """The penalty of least error between 1e-5 and 1e3 times `scale`, by a scan, finer scans and a parabola.

        `negative`: measured from minus the lowest eigenvalue, where the loss ceases to have a minimum.
        """
        start = -max(0.0, float(self.d.min())) if negative else 0.0
        logs = np.log(scale * _WIDE)
        for _ in range(_ROUNDS):
            errors = self(start + np.exp(logs))
            place = int(np.clip(np.argmin(errors), 1, len(logs) - 2))
            logs = np.linspace(logs[place - 1], logs[place + 1], _FINE)
        errors = self(start + np.exp(logs))
        place = int(np.clip(np.argmin(errors), 1, _FINE - 2))
        low, middle, high = errors[place - 1 : place + 2]
        bend = low - 2 * middle + high
        turn = 0.5 * (low - high) / bend if bend > 0 else 0.0
        return start + float(np.exp(logs[place] + np.clip(turn, -1, 1) * (logs[1] - logs[0])))


def least_errors(population: Population, samples: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The least error on new data that any penalty of either sign gives, one a seed."""
    found = []
    for seed in seeds:
        curve = Curve.drawn(population, samples, seed, 1, backend)
        found.append(curve(np.array([curve.best(population.s.mean(), negative=True)]))[0])
    return np.array(found)


def vertices(
    population: Population,
    samples: int,
    seeds: Sequence[int],
    backend: Backend,
    *,
    copies: int,
    factor: float,
) -> np.ndarray:
    """log of the best penalty of `copies` data sets together, and by how much log E rises to either side of it.

    The sides are the best penalty over `factor` and times it; one row a seed.
    """
    found = []
    for seed in seeds:
        curve = Curve.drawn(population, samples, seed, copies, backend)
        best = curve.best(population.s.mean())
        errors = np.log(curve(best * np.array([1.0, 1.0 / factor, factor])))
        found.append([np.log(best), *(errors[1:] - errors[0])])
    return np.array(found)


def signed_bests(population: Population, samples: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The best penalty of either sign, log E there over E without a penalty, and the same at minus the best one.

    One row and one data set a seed. Where minus a positive best one lies below the lowest eigenvalue, the error there
    is that of another branch, and large.
    """
    found = []
    for seed in seeds:
        curve = Curve.drawn(population, samples, seed, 1, backend)
        best = curve.best(population.s.mean(), negative=True)
        errors = np.log(curve(np.array([best, -best, 0.0])))
        found.append([best, *(errors[:2] - errors[2])])
    return np.array(found)
