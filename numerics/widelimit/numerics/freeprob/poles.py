r"""Atoms of a law given by an algebraic R-transform, where there may be several.

An atom of mass a at x is a pole :math:`a/(z-x)` of G. On the curve of an irreducible polynomial P(G, z) = 0 the
function G is infinite only where the coefficient of its highest power vanishes. Whether it is so on the physical
branch, and with what residue, the branch tells.
"""

from __future__ import annotations

import numpy as np
import sympy
from sympy import Expr

from widelimit.numerics.freeprob.continuation import Branch, polish, track
from widelimit.theory import freeprob as theory
from widelimit.theory.errors import WidelimitError

_ABOVE = 1e-5  # standard deviations above the axis, where the residue is read
_LEAST = 1e-7  # mass
_DEGREE = 12  # of the polynomial in G, above which it is not looked at


def poles(R: Expr, branch: Branch, deviation: float) -> list[tuple[float, float]]:
    """Pairs (location, mass) of all atoms; none where R is not algebraic."""
    places = _candidates(R)
    found = [(x, _residue(branch, x, _ABOVE * deviation)) for x in places]
    return [(x, a) for x, a in found if a > _LEAST]


def _candidates(R: Expr) -> list[float]:
    """Real z at which G may be infinite."""
    if R.atoms(sympy.Function) or any(not power.exp.is_Rational for power in R.atoms(sympy.Pow)):
        return []
    try:
        polynomial = theory.Law.of(R=sympy.nsimplify(R, rational=True)).polynomial
    except WidelimitError:
        return []
    if polynomial is None:
        return []
    cauchy = sympy.Dummy("g")
    in_cauchy = sympy.Poly(sympy.expand(polynomial.subs(theory.m, theory.z * cauchy - 1)), cauchy)
    if in_cauchy.degree() > _DEGREE:
        return []
    lead = sympy.Poly(in_cauchy.LC(), theory.z).sqf_part()  # roots that are not simple are hard to find
    if lead.degree() < 1:
        return []
    return [float(root) for root in lead.nroots(n=30, maxsteps=200) if root.is_real]


def _residue(branch: Branch, x: float, height: float) -> float:
    """Mass at x: (z - x) G(z) above it, whose error falls with the height; two heights give its limit."""
    start = branch.above(np.array([x]))
    values = []
    for y in (height, 0.5 * height):
        begin, end = np.array([x + 1j * branch.height]), np.array([x + 1j * y])
        state, done = track(branch.system, start, begin, end)
        if done[0] < 1:
            return 0.0
        state, _ = polish(branch.system, state, end)
        values.append(float((1j * y * branch.system.transform(state)[0]).real))
    return (4 * values[1] - values[0]) / 3 if abs(values[1] - values[0]) < 0.1 * abs(values[1]) else 0.0
