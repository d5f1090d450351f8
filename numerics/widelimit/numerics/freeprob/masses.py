"""A law as masses: panels of its continuous part and atoms, in its coordinate."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from widelimit.numerics.freeprob.panels import Panels
from widelimit.numerics.results import by_value


@by_value
@dataclass(frozen=True)
class Masses:
    """`panels` of disjoint intervals in increasing order, and `atoms` as (location, mass)."""

    panels: tuple[Panels, ...]
    atoms: tuple[tuple[float, float], ...]

    @property
    def total(self) -> float:
        """Integral of the density plus the masses of the atoms."""
        return sum(p.mass for p in self.panels) + sum(a for _, a in self.atoms)

    @property
    def top(self) -> float:
        """Largest value, atoms included."""
        return max([p.interval.high for p in self.panels] + [x for x, _ in self.atoms])

    def cdf(self, y: np.ndarray) -> np.ndarray:
        """Mass at or below y."""
        flat = np.atleast_1d(np.asarray(y, dtype=float)).ravel()
        result = np.zeros(flat.shape)
        for panels in self.panels:
            result += panels.below(flat)
        for location, mass in self.atoms:
            result += mass * (flat >= location)
        return np.minimum(result, 1.0).reshape(np.shape(y))

    def quantile(self, p: np.ndarray, bottom: float) -> np.ndarray:
        """Smallest y with cdf(y) >= p; `bottom` where p is zero."""
        cuts = sorted({x for x, _ in self.atoms})
        flat = np.atleast_1d(p).ravel()
        result = np.full(flat.shape, bottom)
        for panels in self.panels:
            inner = [x for x in cuts if panels.interval.low < x < panels.interval.high]
            ends = [panels.interval.low, *inner, panels.interval.high]
            for left, right in itertools.pairwise(ends):
                base = panels.below(np.array([left]))[0] if left != panels.interval.low else 0.0
                upto = panels.below(np.array([right]))[0]
                before = float(self.cdf(np.array([left]))[0])
                here = (flat > before) & (flat <= before + upto - base)
                if here.any():
                    result[here] = panels.invert(base + flat[here] - before)
        for location, mass in self.atoms:
            before = float(self.cdf(np.array([location]))[0]) - mass
            result[(flat > before) & (flat <= before + mass)] = location
        result[flat >= float(self.cdf(np.array([self.top]))[0])] = self.top
        return result.reshape(np.shape(p))

    def log_moment(self, k: int) -> float:
        """Logarithm of the integral of exp(k y)."""
        terms = [(k * p.coordinate, p.density * p.weights) for p in self.panels]
        terms += [(np.array([k * x]), np.array([a])) for x, a in self.atoms if np.isfinite(x)]
        exponents, weights = np.concatenate([t[0] for t in terms]), np.concatenate([t[1] for t in terms])
        top = exponents.max()
        return float(top + np.log(np.sum(weights * np.exp(exponents - top))))

    def moment(self, k: int, absolute: bool = False, origin: float = 0.0) -> float:
        """Integral of (y + origin)^k or of its absolute value."""
        change = np.abs if absolute else np.asarray
        total = sum(float((change(p.coordinate + origin) ** k * p.density) @ p.weights) for p in self.panels)
        return total + sum(float(change(x + origin)) ** k * a for x, a in self.atoms)
