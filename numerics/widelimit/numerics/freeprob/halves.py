"""Laws as operands of free operations: what is known of each in numbers, and the `Half` that compiled code reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.freeprob import cauchy
from widelimit.numerics.freeprob.panels import ORDER, Panels
from widelimit.numerics.freeprob.real_curve import Half
from widelimit.numerics.freeprob.spectral import SpectralLaw
from widelimit.theory.errors import ArgumentError
from widelimit.theory.freeprob.series import cumulants_from_moments

Quadratic = tuple[float, float, float]  # a, b, d of R(g) = (a + b g)/(1 + d g)


@dataclass(frozen=True)
class Known:
    """A law: `atoms` as (location, mass), `intervals` of its continuous part, and from what this is integrated.

    That is `quadratic`, or `law`, whose values are multiplied by `factor`.
    """

    atoms: tuple[tuple[float, float], ...]
    intervals: tuple[tuple[float, float], ...] = ()
    quadratic: Quadratic | None = None
    law: SpectralLaw | None = None
    factor: float = 1.0
    error: float = 0.0

    @property
    def discrete(self) -> bool:
        """Whether there are only atoms."""
        return not self.intervals

    @property
    def point(self) -> bool:
        """Whether all mass is in one atom."""
        return self.discrete and len(self.atoms) == 1

    @property
    def smallest(self) -> float:
        """Bottom of the support."""
        return min([x for x, _ in self.atoms] + [low for low, _ in self.intervals])

    @property
    def largest(self) -> float:
        """Top of the support."""
        return max([x for x, _ in self.atoms] + [high for _, high in self.intervals])

    def mass_at(self, location: float) -> float:
        """Mass of the atom there."""
        return sum(a for x, a in self.atoms if x == location)

    def moment(self, k: int) -> float:
        """E x^k."""
        if self.law is not None:
            return self.factor**k * self.law.moment(k)
        return sum(a * x**k for x, a in self.atoms)

    @property
    def hard(self) -> bool:
        """Whether there is a density down to zero, where it may be infinite, and nothing below."""
        return bool(self.intervals) and self.smallest == 0.0 and self.mass_at(0.0) == 0.0

    @property
    def heaviest(self) -> float:
        """Place of the heaviest atom."""
        return max(self.atoms, key=lambda atom: atom[1])[0]

    @property
    def mean(self) -> float:
        """First moment."""
        return self.moment(1)

    @property
    def log_mean(self) -> float:
        """Logarithm of the mean of a law on [0, oo)."""
        return float(np.log(self.mean))

    def relative(self, order: int) -> np.ndarray:
        """Moments in units of the mean."""
        return np.array([self.moment(k) / self.mean**k for k in range(1, order + 1)])

    def cumulants(self, order: int) -> list[float]:
        """Free cumulants, from the moments about the mean, which lose nothing."""
        centre = self.mean
        if self.discrete:
            moments = [sum(a * (x - centre) ** k for x, a in self.atoms) for k in range(1, order + 1)]
        elif self.quadratic is not None:
            a, b, d = self.quadratic
            return [a, *((b - a * d) * (-d) ** k for k in range(order - 1))]
        else:
            return [
                float(c) for c in cumulants_from_moments([self.moment(k) for k in range(1, order + 1)], order)
            ]
        found = [float(c) for c in cumulants_from_moments(moments, order)]
        return [centre, *found[1:]]

    def scaled(self, factor: float) -> Known:
        """The law of `factor` times this one, factor > 0."""
        quadratic = self.quadratic
        if quadratic is not None:  # factor R(factor g)
            a, b, d = quadratic
            quadratic = (factor * a, factor**2 * b, factor * d)
        return replace(
            self,
            atoms=tuple((factor * x, a) for x, a in self.atoms),
            intervals=tuple((factor * low, factor * high) for low, high in self.intervals),
            quadratic=quadratic,
            factor=factor * self.factor,
        )


def known(name: str, law: SpectralLaw | Sequence[tuple[float, float]]) -> Known:
    """Read an argument: a law in numbers, or a list of (location, mass)."""
    if isinstance(law, SpectralLaw):
        return Known(law.atoms, law.support, law.quadratic, law, 1.0, law.error)
    pairs = arguments.real(name, law)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ArgumentError(name, "must be a SpectralLaw or a list of (location, mass)", law)
    if (pairs[:, 1] < 0).any() or abs(pairs[:, 1].sum() - 1.0) > 1e-9:
        raise ArgumentError(name, "must have masses that are not negative and sum to one", law)
    total = pairs[:, 1].sum()
    places = np.unique(pairs[pairs[:, 1] > 0, 0])
    masses = [float(pairs[pairs[:, 0] == x, 1].sum() / total) for x in places]
    return Known(tuple(zip((float(x) for x in places), masses, strict=True)))


def half(part: Known, product: bool, shift: float = 0.0) -> Half:
    """One side of a pair. Sums see laws moved by `shift`, to mean zero or with their hard edge at zero."""
    if part.discrete:
        measure = cauchy.of_atoms(part.atoms, shift)
    elif part.quadratic is not None:
        measure = cauchy.of_quadratic(*part.quadratic, shift)
    else:
        assert part.law is not None
        measure = _of_panels(part, shift)
    elements = [(low - shift, high - shift, 0.0) for low, high in part.intervals]
    for x, a in part.atoms:
        inside = any(low <= x <= high for low, high in part.intervals)
        if not (inside or (product and x == 0.0)):
            elements.append((x - shift, x - shift, a))
    elements.sort()
    ends = np.array([(low, high) for low, high, _ in elements])
    moments = [part.moment(k) for k in (1, 2, 3)]
    if product:
        row = (
            moments[0],
            moments[1] / moments[0],
            ends[0, 0],
            ends[-1, 1],
            moments[1] / moments[0] ** 2 - 1.0,
        )
    else:
        row = (1.0, part.mean - shift, ends[0, 0], ends[-1, 1], part.cumulants(2)[1])
    return Half(measure, ends, np.array([a for _, _, a in elements]), np.array(row))


def _of_panels(part: Known, shift: float) -> cauchy.Measure:
    law = part.law
    assert law is not None
    move = np.log(part.factor) if law.logarithmic else 0.0
    u = np.polynomial.legendre.leggauss(ORDER)[0]
    rows, values = [], []
    for panels in law.panels:
        for k, coefficients in enumerate(panels.coefficients):
            rows.append(_row(panels, k))
            values.append(np.polynomial.legendre.legval(u, coefficients))
    table = np.array(rows)
    if law.logarithmic:
        table[:, 3:5] += move
    else:
        table[:, 3:5] = part.factor * (table[:, 3:5] + law.origin) - shift
        table[:, 3:5][table[:, 2] == 1] = np.nan  # half-infinite intervals belong to logarithms
    return cauchy.of_panels(table, np.array(values), part.atoms, law.logarithmic, shift)


def _row(panels: Panels, k: int) -> tuple[float, ...]:
    """A row of `cauchy.Measure.panels`."""
    interval, left, right = panels.interval, panels.edges[k], panels.edges[k + 1]
    if interval.bent:
        if right <= np.pi * (1 + 1e-12):
            return left, right, 2.0, interval.knee, interval.high, 0.0
        return left, right, 1.0, 0.0, interval.knee, np.pi
    if interval.decreasing:
        return left, right, 1.0, 0.0, interval.high, 0.0
    return left, right, 0.0, interval.low, interval.high, 0.0
