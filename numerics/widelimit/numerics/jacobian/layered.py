"""Layers that differ, as factors of a free product: equal ones share theirs, and what atoms orthogonal ones leave.

`Layer` is one D W of a Jacobian: W of variance sigma_w^2/N_(l-1), D the slopes of an activation at a length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from widelimit.numerics.freeprob.build import product_law
from widelimit.numerics.freeprob.products import Factor, Slopes
from widelimit.numerics.freeprob.spectral import SpectralLaw
from widelimit.numerics.jacobian.slope_laws import slope_law
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ConvergenceError

_NEAR = 0.05  # masses of atoms that have just appeared or vanished
_LINEAR = Slopes.of_atoms([(1.0, 1.0)])


class Layer(NamedTuple):
    """Activation, q, log of sigma_w^2 N_l/N_(l-1), and N_0 over the widths below and above."""

    phi: Activation | None
    length: float
    variance: float
    orthogonal: bool
    before: float
    after: float

    @property
    def rotates(self) -> bool:
        """Whether it changes no more than the scale."""
        return self.orthogonal and self.phi is None and self.before == self.after

    @property
    def slopes(self) -> Slopes:
        """Law of the squared slopes."""
        return _LINEAR if self.phi is None else slope_law(self.phi, self.length)


def factors(layers: Sequence[Layer]) -> list[Factor]:
    """Return one factor a kind of layer."""
    return [
        Factor(
            float(count), one.variance, not one.orthogonal, one.slopes, one.after,
            min(one.before, one.after) if one.orthogonal else 0.0,
        )
        for one, count in Counter(layers).items()
    ]  # fmt: skip


def law(layers: Sequence[Layer], name: str) -> SpectralLaw:
    """Return the law of the product. Raises `ConvergenceError`, naming an atom beside which it is not resolved."""
    try:
        return product_law(factors(layers), name, atoms(layers))
    except ConvergenceError as error:
        raise unresolved(layers, name, error) from None


def unresolved(layers: Sequence[Layer], name: str, error: ConvergenceError) -> ConvergenceError:
    """Return the error that names an atom which has just appeared or vanished; where there is none, the one given."""
    near = [(x, a) for x, a in _masses(layers) if 0 < abs(a) < _NEAR]
    if not near:
        return error
    place, mass = min(near, key=lambda one: abs(one[1]))
    said = f"has a mass of {mass:.3g} alone" if mass > 0 else f"has vanished (by a mass of {-mass:.3g})"
    return ConvergenceError(
        f"The law {name} is not resolved: its atom at {np.exp(place):.6g} {said}, and the density beside it is all but "
        "infinite. Change widths, scales or inputs a little."
    )


def atoms(layers: Sequence[Layer]) -> list[tuple[float, float]]:
    """Return atoms off zero as (log, mass); none unless all layers are orthogonal."""
    return [(x, a) for x, a in _masses(layers) if a > 1e-13]


def _masses(layers: Sequence[Layer]) -> list[tuple[float, float]]:
    """The same with those that have vanished by the last layer, of no mass or less.

    From the output back: products, then W'BW is a compression of B where a layer widens (mass a becomes (a - 1 + t)/t,
    t = N_(l-1)/N_l), and B beside zeros where it narrows.
    """
    if not all(one.orthogonal for one in layers):
        return []
    found = [(0.0, 1.0)]
    for one in reversed(layers):
        share = one.after / one.before
        step = one.variance + max(0.0, float(np.log(share)))
        slopes = [(y, b) for y, b in one.slopes.atoms if y > 0]
        found = [(x + float(np.log(y)) + step, a + b - 1.0) for x, a in found if a > 1e-13 for y, b in slopes]
        found = [(x, (a - 1.0 + share) / share if share < 1 else a / share) for x, a in found]
    return found
