"""Spectral laws in numbers.

    spectral               `SpectralLaw`: density, distribution, quantiles, moments, support, atoms, its own error
    transforms             laws from a user's S- or R-transform; curves, systems, continuation: its branch, followed
    real_axis, poles, edges    atoms, gaps and edges of such a law
    build, panels, masses, series    from edges to a density in panels, with moments
    subordination          free sums, products and powers of laws in numbers
    pairs, equation        subordination functions at any point; real_curve: the support from their real values
    halves, cauchy, closed     laws as operands: Cauchy transforms that compiled code reads
    finite                 mean shares of eigenvalues of matrices of finite size (`finite.cdf_at`)
    testing                whether eigenvalues have a law: linear statistics and their fluctuations
    products               products of groups of equal factors: Wishart products, network Jacobians

>>> from sympy.abc import m
>>> from widelimit.numerics import freeprob
>>> law = freeprob.law(S=1 / (1 + m) ** 2)
>>> round(law.largest, 12), round(law.moment(3), 9)
(6.75, 12.0)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sympy import Expr, Float

from widelimit.numerics import arguments
from widelimit.numerics.freeprob.spectral import SpectralLaw, remembered
from widelimit.numerics.freeprob.subordination import add, compress, multiply, power
from widelimit.numerics.freeprob.testing import LawTest
from widelimit.numerics.freeprob.transforms import law_from_cauchy, law_from_r, law_from_s
from widelimit.numerics.results import by_value
from widelimit.theory import freeprob as theory
from widelimit.theory.calculus.parsing import parse, x
from widelimit.theory.errors import ArgumentError, ConvergenceError, DomainError

__all__ = [
    "LawSummary", "LawTest", "SpectralLaw", "add", "compress", "empirical", "law", "multiply", "power", "predict",
]  # fmt: skip


@remembered
def law(
    given: theory.Law | None = None, *, S: Expr | None = None, R: Expr | None = None, name: str = ""
) -> SpectralLaw:
    r"""The law with S-transform `S` (in the symbol m) or R-transform `R` (in g), or of a symbolic `Law`.

    Conventions: :math:`S(m)=\frac{1+m}{m\,M^{-1}(m)}` and :math:`R(g)=G^{-1}(g)-1/g`. A law from S lives on [0, oo).
    Roots and logarithms start at their principal values at 0, where S = 1/mean, and are continued from there.
    Raises ArgumentError for an expression in other symbols and DomainError or ConvergenceError where the transform
    belongs to no law; what was achieved is `.error` of the result.

    >>> from widelimit.theory import freeprob as symbolic
    >>> law(symbolic.semicircle()).support
    ((-2.0, 2.0),)
    >>> named = [symbolic.arcsine(), symbolic.fuss_catalan(2), symbolic.multiplicative_brownian(1)]
    >>> named += [symbolic.wishart_product([0.5, 2]), symbolic.free_poisson(2, 3), symbolic.marchenko_pastur(2)]
    >>> [round(law(one).moment(2), 9) for one in named]
    [2.0, 3.0, 2.0, 3.5, 54.0, 3.0]
    >>> atoms = symbolic.bernoulli(0.5), symbolic.point_mass(3), symbolic.mixture([(1, 0.5), (3, 0.5)])
    >>> [round(law(one).mean, 9) for one in (*atoms, symbolic.haar_orthogonal(2))]
    [0.5, 3.0, 2.0, 4.0]
    """
    if sum(x is not None for x in (given, S, R)) != 1:
        raise ArgumentError(
            "S, R", "must be given exactly once", but="none or several of a law, S and R were given"
        )
    if S is not None:
        return law_from_s(S, name)
    if R is not None:
        return law_from_r(R, name)
    if not isinstance(given, theory.Law):
        raise ArgumentError("given", "must be a law of widelimit.theory.freeprob", given)
    if given.atoms and abs(sum(float(a) for _, a in given.atoms) - 1) < 1e-14:
        points = [(float(x), float(a)) for x, a in given.atoms]
        return SpectralLaw(
            given.name, None, [], points, lambda k: sum(a * x**k for x, a in points), coordinate="linear"
        )
    if given.made is not None and _rough(given):
        return _by_parts(given.made, name or given.name)
    try:
        return _by_transform(given, name)
    except (ConvergenceError, DomainError):
        if given.made is None:
            raise
        return _by_parts(given.made, name or given.name)


@remembered
def empirical(eigenvalues: Any, name: str = "") -> SpectralLaw:
    """Return the law of an array of eigenvalues: an atom at each, of mass one over their number.

    It adds, multiplies and compresses like any other law, so that a sample's spectrum can take part in free sums.
    Raises `ArgumentError` for no numbers, NaN, or infinities.

    >>> law = empirical([1.0, 3.0, 3.0, 5.0])
    >>> law.mean, law.var, law.ppf(0.5), law.atoms[1]
    (3.0, 2.0, 3.0, (3.0, 0.5))
    """
    values = arguments.near_one("eigenvalues", arguments.vector("eigenvalues", eigenvalues))
    points, counts = np.unique(values, return_counts=True)
    masses = counts / values.size
    return SpectralLaw(
        name or f"law of {values.size} eigenvalues",
        None,
        [],
        list(zip(points.tolist(), masses.tolist(), strict=True)),
        lambda k: float(masses @ points**k),
        coordinate="linear",
    )


def _rough(given: theory.Law) -> bool:
    """Whether a law was made of one with several atoms, whose transforms have roots: its parts tell more than those."""
    if given.made is None:
        return False
    parts = [law for law in given.made[1:] if isinstance(law, theory.Law)]
    return any(len(part.atoms or ()) > 1 or _rough(part) for part in parts)


def _by_transform(given: theory.Law, name: str) -> SpectralLaw:
    if given.S is None and given.G is not None and given.support:
        return law_from_cauchy(given)
    if given.S is not None and (
        given.support is None or all(a.is_nonnegative is not False for a, _ in given.support)
    ):
        try:
            transform = given.S.evalf(30) if given.S.has(Float) else given.S
            return law_from_s(transform, name or given.name, _told(given))
        except (ConvergenceError, DomainError):  # densities that are infinite at their edges
            if given.G is None or not given.support:
                raise
            return law_from_cauchy(given)
    if given.R is not None:
        return law_from_r(given.R, name or given.name, _told(given))
    raise DomainError(f"The law {given.name} has neither an S- nor an R-transform in closed form.")


def _by_parts(made: theory.Made, name: str) -> SpectralLaw:
    """By subordination of the laws that it was made of, each found in the same way."""
    operation, first, second = made
    one = law(first)
    if isinstance(second, theory.Law):
        found = add(one, law(second)) if operation == "sum" else multiply(one, law(second))
    else:
        found = power(one, float(second)) if operation == "power" else compress(one, float(second))
    found.name = name
    return found


def _told(given: theory.Law) -> list[tuple[float, float]] | None:
    """The atoms that the construction of a law tells, in numbers; None where it does not."""
    if given.atoms is None or any(e.free_symbols for atom in given.atoms for e in atom):
        return None
    return [(float(x), float(a)) for x, a in given.atoms if float(a) > 1e-14]


@by_value
@dataclass(frozen=True)
class LawSummary:
    """What ``widelimit predict freeprob`` prints."""

    mean: float
    variance: float
    median: float
    smallest: float
    largest: float
    support: tuple[tuple[float, float], ...]
    atoms: tuple[tuple[float, float], ...]
    moments: tuple[float, ...]
    error: float
    _law: SpectralLaw | None = field(default=None, repr=False, compare=False)

    def law(self) -> SpectralLaw | None:
        """The law itself, which has densities and quantiles, and which its picture shows."""
        return self._law


def predict(s_transform: str = "", r_transform: str = "") -> LawSummary:
    """Predict the law that belongs to an S- or an R-transform.

    Args:
        s_transform: expression in m, such as "1/(1 + m)**2" (Marchenko-Pastur if neither is given).
        r_transform: expression in g, such as "g" (the semicircle).

    >>> round(predict("1/(1 + m)**2").largest, 9)
    6.75
    """
    for argument, text in (("s_transform", s_transform), ("r_transform", r_transform)):
        if not isinstance(text, str):
            raise ArgumentError(argument, "must be text, an expression in one symbol", text)
    if s_transform and r_transform:
        raise ArgumentError("r_transform", "must not be given beside s_transform", r_transform)
    if r_transform:
        found = law_from_r(_read(r_transform, "g").subs(x, theory.g))
    else:
        found = law_from_s(_read(s_transform or "1/(1 + m)", "m").subs(x, theory.m))
    return LawSummary(
        found.mean,
        found.variance,
        found.quantile(0.5),
        found.smallest,
        found.largest,
        found.support,
        found.atoms,
        tuple(found.moment(k) for k in (1, 2, 3, 4)),
        found.error,
        found,
    )


def _read(text: str, symbol: str) -> Expr:
    """Read an expression by the whitelist that activations are read by, which calls its variable x."""
    if re.search(r"\bx\b", text):
        raise ArgumentError("transform", f"must be an expression in {symbol}", text)
    return parse(re.sub(rf"\b{symbol}\b", "x", text))
