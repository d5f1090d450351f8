r"""Laws whose R-transform is a ratio of linear functions: semicircle, Marchenko-Pastur and free Poisson laws, shifted.

:math:`R(g)=\frac{a+bg}{1+dg}` makes G the root of a quadratic. Free cumulants are a and then
:math:`(b-ad)(-d)^{n-2}`, the support is :math:`a-d\pm2\sqrt{b-ad}`, and an atom of mass
:math:`(a+d-b/d)/d` sits at b/d where that is positive. Nothing is compiled for a new set of parameters.
"""

from __future__ import annotations

import numpy as np
import sympy
from sympy import Expr

from widelimit.numerics.freeprob import cauchy
from widelimit.numerics.freeprob.pairs import transforms
from widelimit.numerics.freeprob.series import EXACT
from widelimit.numerics.freeprob.spectral import SpectralLaw, remembered
from widelimit.theory import freeprob as theory
from widelimit.theory.freeprob.series import moments_from_cumulants

Quadratic = tuple[float, float, float]  # a, b, d


def of_r(R: Expr) -> Quadratic | None:
    """(a, b, d) of an R-transform of that form with real numbers, else None."""
    if not R.is_rational_function(theory.g):
        return None
    top, bottom = sympy.fraction(sympy.cancel(R))
    tops, bottoms = (sympy.Poly(part, theory.g).all_coeffs()[::-1] for part in (top, bottom))
    if len(tops) > 2 or len(bottoms) > 2 or bottoms[0].is_zero:
        return None
    numbers = [
        c / bottoms[0]
        for c in (*tops, *[sympy.Integer(0)] * (2 - len(tops)), [*bottoms, sympy.Integer(0)][1])
    ]
    if not all(c.is_number and c.is_real for c in numbers):
        return None
    a, b, d = (float(c) for c in numbers)
    return (a, b, d) if b - a * d > 0 else None


def of_s(S: Expr) -> Quadratic | None:
    """The same of an S-transform: S = 1/(v + c m) has R(g) = v/(1 - c g)."""
    inverse = sympy.cancel(1 / S) if S.is_rational_function(theory.m) else None
    if inverse is None or not inverse.is_polynomial(theory.m) or sympy.degree(inverse, theory.m) != 1:
        return None
    slope, value = sympy.Poly(inverse, theory.m).all_coeffs()
    if not (slope.is_number and value.is_number and slope.is_positive and value.is_positive):
        return None
    return float(value), 0.0, -float(slope)


class Direct:
    """The branch of a law whose transform is known, with the interface of `continuation.Branch`: states are targets.

    `centre`: what the measure was moved by; in logarithms its logarithm.
    """

    noise = 1e-14
    proven, tail = True, None

    def __init__(self, measure: cauchy.Measure, logarithmic: bool, centre: float = 0.0) -> None:
        self.system = self
        self.coordinate = "log" if logarithmic else "linear"
        self.measure, self.centre = measure, centre

    def transform(self, state: np.ndarray) -> np.ndarray:
        """G, in logarithms M."""
        return transforms(self.coordinate == "log", self.measure, state[0])

    def descend(
        self, coordinate: np.ndarray, negative: bool = False, strict: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """States at real points."""
        y = np.asarray(coordinate, dtype=float) - self.centre
        return (y + (1j * np.pi if negative else 0j))[None, :], np.zeros(y.size)

    def across(self, state: np.ndarray, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same."""
        return self.descend(end)


@remembered
def quadratic_law(name: str, quadratic: Quadratic, logarithmic: bool) -> SpectralLaw:
    """The law of (a, b, d), in the coordinate log x or x."""
    a, b, d = quadratic
    cumulants = [a, *((b - a * d) * (-d) ** k for k in range(EXACT - 1))]
    moments = [float(v) for v in moments_from_cumulants(cumulants, EXACT)]
    half = 2.0 * np.sqrt(b - a * d)
    ends = [a - d - half, a - d + half]
    atoms = [] if d == 0 else [(b / d, (a + d - b / d) / d)]
    atoms = [(x, mass) for x, mass in atoms if mass > 1e-14]
    if logarithmic:  # b = 0: the lower edge is (sqrt(a) - sqrt(-d))^2
        ends[0] = float(((a + d) / (np.sqrt(a) + np.sqrt(-d))) ** 2)
        ends = [float(np.log(v)) if v > 0 else -np.inf for v in ends]
        atoms = [(-np.inf, mass) for _, mass in atoms]
        moments = [float(np.log(v)) for v in moments]
    return SpectralLaw(
        name,
        Direct(cauchy.of_quadratic(*quadratic), logarithmic),
        [(ends[0], ends[1])],
        atoms,
        lambda k: moments[k - 1],
        coordinate="log" if logarithmic else "linear",
        tolerance=1e-8,
        quadratic=quadratic,
    )
