"""The best penalty of drawn data, found by scanning: nothing is known but the errors of fits.

Errors of a replicate's inputs are exact averages over label noise and signs of the target (`designs`). What is left
scatters by O(1/N) of an error: so does the place of its minimum, with a bias of O(1/N^2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.simulate.ridge.designs import Design, drawn_designs
from widelimit.validate.simulate.ridge.regressions import Population

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_WIDE = np.geomspace(1e-5, 1e3, 49)  # penalties over the mean eigenvalue
_ROUNDS, _FINE = 2, 9  # each round looks between the neighbours of the best of the last


@by_value
@dataclass(frozen=True)
class Curve:
    """Mean error on new data of fits to the inputs of one replicate, as a function of the penalty."""

    design: Design
    scale: float

    @classmethod
    def drawn(cls, population: Population, samples: int, seed: int, backend: Backend) -> Curve:
        """Draw inputs and decompose them once for all penalties."""
        (design,) = drawn_designs(population, samples, [seed], backend)
        return cls(design, float(population.s.mean()))

    def __call__(self, penalties: np.ndarray) -> np.ndarray:
        """Mean errors at penalties above minus the lowest eigenvalue."""
        return self.design.errors(penalties)

    def best(self, *, negative: bool = False) -> float:
        """The penalty of least error between 1e-5 and 1e3 mean eigenvalues, by a scan, finer scans and a parabola.

        `negative`: measured from minus the lowest eigenvalue, where the loss ceases to have a minimum.
        """
        start = -max(0.0, float(self.design.d[0])) if negative else 0.0
        logs = np.log(self.scale * _WIDE)
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
        curve = Curve.drawn(population, samples, seed, backend)
        found.append(curve(np.array([curve.best(negative=True)]))[0])
    return np.array(found)


def excess_errors(population: Population, samples: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Errors beyond the label noise, one row a seed: without noise or penalty, and the least of any penalty with it."""
    found = []
    for seed in seeds:
        curve = Curve.drawn(population, samples, seed, backend)
        least = curve(np.array([curve.best(negative=True)]))[0] - population.noise
        found.append([curve.design.missed([0.0])[0], least])
    return np.array(found)


def vertices(
    population: Population,
    samples: int,
    seeds: Sequence[int],
    backend: Backend,
    *,
    factor: float,
) -> np.ndarray:
    """log of the best penalty, and by how much log E rises to either side of it.

    The sides are the best penalty over `factor` and times it; one row a seed.
    """
    found = []
    for seed in seeds:
        curve = Curve.drawn(population, samples, seed, backend)
        best = curve.best()
        errors = np.log(curve(best * np.array([1.0, 1.0 / factor, factor])))
        found.append([np.log(best), *(errors[1:] - errors[0])])
    return np.array(found)


def signed_bests(population: Population, samples: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The best penalty of either sign, log E there over E without a penalty, and the same at minus the best one.

    One row and one design a seed. Where minus a positive best one lies below the lowest eigenvalue, the error there
    is that of another branch, and large.
    """
    found = []
    for seed in seeds:
        curve = Curve.drawn(population, samples, seed, backend)
        best = curve.best(negative=True)
        errors = np.log(curve(np.array([best, -best, 0.0])))
        found.append([best, *(errors[:2] - errors[2])])
    return np.array(found)
