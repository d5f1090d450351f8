"""Atoms and intervals of laws: what a transform tells about them, and what becomes of them under free operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sympy import Expr, Integer, Max, fraction, limit, oo, simplify, solve, together

from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.freeprob.algebraic import m


class Atom(NamedTuple):
    """A point of positive mass."""

    location: Expr
    mass: Expr


def atoms_of_inverse(inverse: Expr) -> tuple[Atom, ...]:
    """Atoms of the law with z(m) = `inverse`.

    At an atom of mass a and location x > 0, m = a x/(z - x) is infinite, so x = 1/S(oo), a = lim m (z/x - 1).
    At zero m tends to -(1 - a), where z(m) vanishes.
    """
    found = []
    location = limit(inverse, m, oo)
    if location.is_finite and location.is_positive:
        mass = limit(m * (inverse / location - 1), m, oo)
        if mass.is_positive:
            found.append(Atom(location, simplify(mass)))
    roots = [r for r in solve(fraction(together(inverse))[0], m) if r.is_real]
    inside = [r for r in roots if r != -1 and (not r.is_number or -1 < r < 0)]
    if inside:
        found.insert(0, Atom(Integer(0), simplify(1 + Max(*inside))))
    return tuple(found)


def positive(mass: Expr) -> Rewritten:
    """What is left of a mass after an operation that may use it up."""
    return Max(0, mass)


def atoms_of_sum(first: tuple[Atom, ...] | None, second: tuple[Atom, ...] | None) -> tuple[Atom, ...] | None:
    """Bercovici and Voiculescu 1998: a + b has an atom where the masses of both exceed one together."""
    if first is None or second is None:
        return None
    return tuple(Atom(x + y, positive(a + b - 1)) for x, a in first for y, b in second)


def atoms_of_product(
    first: tuple[Atom, ...] | None, second: tuple[Atom, ...] | None
) -> tuple[Atom, ...] | None:
    """As for sums where neither location is zero; at zero the larger of the two masses."""
    if first is None or second is None:
        return None
    zeros = [max((a for x, a in law if x.is_zero), default=Integer(0), key=_size) for law in (first, second)]
    zero = Max(*zeros)
    atoms = [
        Atom(x * y, positive(a + b - 1)) for x, a in first for y, b in second if not (x.is_zero or y.is_zero)
    ]
    return (*([] if zero == 0 else [Atom(Integer(0), zero)]), *atoms)


def _size(mass: Expr) -> float:
    return float(mass) if mass.is_number else 1.0


def stretched(
    intervals: Sequence[tuple[Expr, Expr]], factor: Expr
) -> tuple[tuple[Rewritten, Rewritten], ...]:
    """The intervals times a number, in increasing order."""
    scaled = [(factor * low, factor * high) for low, high in intervals]
    return tuple((high, low) for low, high in reversed(scaled)) if factor.is_negative else tuple(scaled)
