"""Distribution functions of matrices of finite size: `theory.freeprob.finite` at the subordination functions.

Newton's determinant 1 - h_1' h_2' of the equation between those (`equation.step`) is all that a rotation adds; a part
that is a Gaussian matrix itself adds the slope of its own transform.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.freeprob.cauchy import Measure, evaluate
from widelimit.numerics.freeprob.closed import Direct
from widelimit.numerics.freeprob.pairs import Pair
from widelimit.numerics.freeprob.real_curve import POWER
from widelimit.numerics.freeprob.spectral import SpectralLaw
from widelimit.theory.errors import ArgumentError, ConvergenceError, DomainError
from widelimit.theory.freeprob import finite as theory

Array = np.ndarray
_SINGULAR = 1e-5  # of Newton's determinant: a share of 1e-10 of the support away from an edge


def cdf_at(law: SpectralLaw, x: Any, size: Any, gaussian: bool = True) -> Any:
    """Return the mean share of eigenvalues up to x of real symmetric matrices of `size` rows, to order 1/size.

    That is F(x) + c(x)/size; in a sum, product or corner of a law with itself or with others, the matrices are rotated
    against one another by the orthogonal group. `gaussian`: parts that are semicircles or Marchenko-Pastur laws are
    drawn Gaussian matrices, which differ from their limits themselves; else matrices that have exactly those spectra.
    Parts made of atoms are matrices that have these eigenvalues exactly. Of a corner, `size` is the number of rows
    kept. Next to an edge, where the order 1/size is no small correction, what is returned may leave [0, 1]. Raises
    `DomainError` for laws from a transform, which tells of no matrices, and, unless `gaussian` is False, for parts
    that are sums or products themselves.

    >>> from widelimit.numerics import freeprob
    >>> signs = [(-1.0, 0.5), (1.0, 0.5)]
    >>> arcsine = freeprob.add(signs, signs)
    >>> round(float(arcsine.cdf(-1.6)), 6), round(float(cdf_at(arcsine, -1.6, 30)), 6)
    (0.204833, 0.206338)
    """
    if not isinstance(law, SpectralLaw):
        raise ArgumentError("law", "must be a SpectralLaw, as freeprob.add and multiply return them", law)
    places = arguments.real("x", x, infinite=True)
    count = arguments.count("size", size)
    arguments.near_one("size", arguments.positive("size", count))
    drawn = arguments.flag("gaussian", gaussian)
    limit = np.asarray(law.cdf(places), dtype=float)
    return arguments.scalar(limit + _counts(law, places, drawn) / count)


def _counts(law: SpectralLaw, x: Array, drawn: bool) -> Array:
    """c(x) = -Im H/pi."""
    found = np.zeros(x.shape)
    branch = law._branch  # noqa: SLF001 - of this room; a door in `spectral` would make all laws' code anew
    if branch is None:  # atoms alone: eigenvalues are where they are
        return found
    if not isinstance(branch, Pair | Direct):
        raise DomainError(
            f"The law {law.name} is given by a transform, which does not tell what matrices it is the limit of. Make "
            "it of its parts, by freeprob.add, multiply or compress."
        )
    some = np.isfinite(x) & ((x > 0) | (not law.logarithmic))
    if not some.any():
        return found
    y = np.log(x[some]) if law.logarithmic else x[some] - law.origin
    states, _ = branch.descend(y)
    turned = _turned(branch, np.ascontiguousarray(states), drawn)
    if not np.isfinite(turned).all():
        raise ConvergenceError(f"The correction of {law.name} could not be found at x = {x[some]}.")
    found[some] = -turned / np.pi
    return found


def _turned(branch: Pair | Direct, states: Array, drawn: bool) -> Array:
    """Im H at states."""
    product = branch.coordinate == "log"
    if isinstance(branch, Direct):
        return _own(product, branch.measure, states[0]) if drawn else np.zeros(states.shape[1])
    made = branch.equation
    one = _slopes(product, made.one, states[0])
    if made.mode == POWER:
        two = np.full(one.shape, made.power - 1.0, dtype=complex)
        parts = [(made.one, states[0])]
    else:
        two = _slopes(product, made.two, states[1])
        parts = [(made.one, states[0]), (made.two, states[1])]
    total = _shifts()(one, two)[0].imag
    if drawn:
        total = total + sum(_own(product, measure, state) for measure, state in parts)
    # |h_1' h_2'| is at most one; more is what rounding makes of a cusp
    singular = (np.abs(1.0 - one * two) < _SINGULAR) | (np.abs(one * two) > 1.0 + _SINGULAR)
    return np.where(singular, 0.0, total)


def _own(product: bool, measure: Measure, states: Array) -> Array:
    """What a Gaussian part adds; nothing where it is one of atoms."""
    if measure.panels.size:
        raise DomainError(
            "A part of this law is neither one of atoms nor a semicircle or Marchenko-Pastur law: how drawn matrices "
            "differ from it is not known. Pass gaussian=False for matrices that have exactly its spectrum."
        )
    if not measure.quadratic.size:
        return np.zeros(states.size)
    slopes = _slopes(False, measure, np.exp(states) if product else states)
    found = _shifts()(slopes, np.zeros(slopes.shape, dtype=complex))[1].imag
    return np.where(np.abs(1.0 + slopes) > 1.0 / _SINGULAR, 0.0, found)


def _slopes(product: bool, measure: Measure, states: Array) -> Array:
    out = np.empty(states.size, dtype=complex)
    _each(product, measure, np.ascontiguousarray(states), out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _each(product, measure, states, out):
    for k in range(states.size):
        out[k] = evaluate(product, measure, states[k])[1]


@functools.cache
def _shifts() -> Compiled:
    """h_1', h_2' -> what a rotation and what a Gaussian part adds to H."""
    formulas = (theory.rotation_shift(), theory.gaussian_shift())
    return compile(formulas, (theory.SLOPE_ONE, theory.SLOPE_TWO), name="finite_size", dtype=complex)
