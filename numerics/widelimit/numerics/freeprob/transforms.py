r"""Laws from a user's S- or R-transform: the expression is compiled, the rest is found and checked.

S-transform: with t = (1 + m)/m, which is the subordinate of a point mass at one, :math:`\log z=\log t-\log S(1/(t-1))`.
R-transform: with :math:`\omega=1/G`, :math:`z=\omega+R(1/\omega)`. Both unknowns map the upper half plane into itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import sympy
from sympy import Expr, Symbol

from widelimit.numerics.compile import compile
from widelimit.numerics.freeprob.closed import of_r, of_s, quadratic_law
from widelimit.numerics.freeprob.continuation import Branch
from widelimit.numerics.freeprob.curves import log_s, r_curve, s_curve
from widelimit.numerics.freeprob.edges import detect_intervals, line_intervals
from widelimit.numerics.freeprob.poles import poles
from widelimit.numerics.freeprob.real_axis import (
    line_atom,
    outer_edge,
    positive_atoms,
    s_intervals,
    zero_mass,
)
from widelimit.numerics.freeprob.series import EXACT, moments_of_cumulants, moments_of_log, taylor
from widelimit.numerics.freeprob.spectral import SpectralLaw, remembered
from widelimit.numerics.freeprob.systems import ExplicitSystem, RSystem, SSystem
from widelimit.theory import freeprob as theory
from widelimit.theory.calculus import exact
from widelimit.theory.errors import ArgumentError, ConvergenceError, DomainError


@remembered
def law_from_cauchy(law: theory.Law) -> SpectralLaw:
    """Law of a symbolic `Law` with Cauchy transform and support in closed form."""
    if law.R is not None and (quadratic := of_r(law.R)):
        return quadratic_law(law.name, quadratic, logarithmic=False)
    assert law.G is not None and law.support is not None
    values = [float(v) for v in law.moments(EXACT)]
    compiled = compile(law.G, [theory.z], name="cauchy", dtype=complex)
    branch = Branch(ExplicitSystem(compiled), 0.0, 1.0)
    intervals = [(float(a), float(b)) for a, b in law.support]
    atoms = [(float(x), float(a)) for x, a in law.atoms or ()]
    return SpectralLaw(
        law.name,
        branch,
        intervals,
        atoms,
        lambda k: values[k - 1],
        coordinate="linear",
        known=EXACT,
    )


Atoms = Sequence[tuple[float, float]]  # (location, mass)
ALL = 1 - 1e-9  # mass of atoms beside which nothing is left


@remembered
def law_from_s(S: Expr, name: str = "", known: Atoms | None = None) -> SpectralLaw:
    """Law on [0, oo) whose S-transform is `S`, an expression in the symbol m; `known`: its atoms, where told."""
    S = _checked("S", S, theory.m)
    name = name or f"S = {S}"
    if quadratic := of_s(S):
        return quadratic_law(name, quadratic, logarithmic=True)
    curve = s_curve(S)
    mean, spread, moments = _moments_of_s(S)
    system = SSystem(curve, mean)

    def branch() -> Branch:
        return Branch(system, float(np.log(1e3 * mean * spread)), np.pi / 2)

    if known is None:
        zero = zero_mass(curve)
        atoms = ([(-np.inf, zero)] if zero > 0 else []) + positive_atoms(curve, branch)
    else:
        atoms = [(float(np.log(x)) if x > 0 else -np.inf, a) for x, a in known]
        zero = sum(a for x, a in atoms if x == -np.inf)
    if sum(a for _, a in atoms) > ALL:
        return SpectralLaw(name, None, [], atoms, moments, known=EXACT)
    path = branch()
    try:
        intervals = s_intervals(curve, path)
        return SpectralLaw(name, path, intervals, atoms, moments, tolerance=1e-8, known=EXACT)
    except (ConvergenceError, DomainError, IndexError):
        intervals = detect_intervals(path, None, float(np.log(mean)), zero, None)
        return SpectralLaw(name, path, intervals, atoms, moments, known=EXACT)


def _moments_of_s(S: Expr) -> tuple[float, float, Callable[[int], float]]:
    """The mean, the second moment over its square, and all moments; `DomainError` where they are not those of a law."""
    coefficients = taylor(lambda m: -log_s(S)(m), "S")
    moments = moments_of_log(coefficients)
    spread = float(np.exp(moments(2) - 2 * moments(1)))
    if spread < 1.0 - 1e-9:
        raise DomainError(
            f"The S-transform {S} is not that of a law: it implies a second moment of {spread:.4g} squared means, less "
            "than one. Check that S decreases at 0."
        )
    return float(np.exp(coefficients[0])), spread, moments


@remembered
def law_from_r(R: Expr, name: str = "", known: Atoms | None = None) -> SpectralLaw:
    """Law on the line whose R-transform is `R`, an expression in the symbol g; `known`: its atoms, where told."""
    R = _checked("R", R, theory.g)
    name = name or f"R = {R}"
    if quadratic := of_r(R):
        return quadratic_law(name, quadratic, logarithmic=False)
    cumulants = taylor(compile(R, [theory.g], name="r_transform", dtype=complex), "R")
    mean, variance = float(cumulants[0]), float(cumulants[1])
    if variance <= 0:
        if np.abs(cumulants[1:]).max() < 1e-12:
            return SpectralLaw(name, None, [], [(mean, 1.0)], lambda k: mean**k, coordinate="linear")
        raise DomainError(f"The R-transform {R} is not that of a law: its variance R'(0) is {variance:.4g}.")
    deviation = float(np.sqrt(variance))
    curve = r_curve(R)
    values = [float(v) for v in moments_of_cumulants(cumulants)]
    system = RSystem(curve, mean, deviation)
    branch = Branch(system, mean, 100.0 * deviation)
    if known is None:
        atoms = poles(R, branch, deviation) or line_atom(curve, deviation)
    else:
        atoms = list(known)
    law = partial(SpectralLaw, coordinate="linear", known=EXACT)
    if (total := sum(a for _, a in atoms)) > ALL:
        atoms = [(x, a / total) for x, a in atoms]
        return law(name, None, [], atoms, lambda k: values[k - 1])
    low, high = (outer_edge(curve, deviation, sign, mean) for sign in (-1.0, 1.0))
    intervals = line_intervals(branch, low, high)
    return law(name, branch, intervals, atoms, lambda k: values[k - 1])


def _checked(name: str, expression: Expr, symbol: Symbol) -> Expr:
    expression = exact.expression(name, expression, [symbol])
    if extra := expression.free_symbols - {symbol}:
        raise ArgumentError(
            name, f"must have no symbol but {symbol}", expression, f"Substitute numbers for {extra}."
        )
    if expression.has(sympy.oo):
        raise ArgumentError(name, "must be finite", expression)
    return expression
