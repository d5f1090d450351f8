"""Free sums, products and compressions of laws against matrices in general position (nica2006lectures)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Inputs, Plan

if TYPE_CHECKING:
    from widelimit.numerics.freeprob import SpectralLaw
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.theory.freeprob import Law
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.simulate.freeprob import Mixture

_HALF, _THIRD = Fraction(1, 2), Fraction(1, 3)
MIXTURES: dict[str, tuple[tuple[int, Fraction], ...]] = {
    "signs": ((-1, _HALF), (1, _HALF)),
    "one-four": ((1, _HALF), (4, _HALF)),
    "projection": ((0, 1 - _THIRD), (1, _THIRD)),
}
_PLACES = (0.1, 0.3, 0.5, 0.7, 0.9)  # where the distribution function is read, as shares of the support


def symbolic(name: str) -> Law:
    """The law of a name in the domain, as an object of `theory.freeprob`."""
    from sympy import Rational

    from widelimit.theory import freeprob as theory

    if name in MIXTURES:
        return theory.mixture([(x, Rational(w.numerator, w.denominator)) for x, w in MIXTURES[name]])
    return theory.semicircle() if name == "semicircle" else theory.marchenko_pastur(Rational(1, 2))


@lru_cache(maxsize=64)
def law(operation: str, first: str, second: str) -> SpectralLaw:
    """The law of a sum or product, by subordination of the two laws, or of a corner (`second`: share kept)."""
    from sympy import Rational

    from widelimit.numerics import freeprob

    if operation == "corner":
        return freeprob.law(symbolic(first).compress(Rational(second)))
    combine = freeprob.add if operation == "sum" else freeprob.multiply
    return combine(freeprob.law(symbolic(first)), freeprob.law(symbolic(second)))


def _atoms(name: str) -> Mixture:
    return [(float(x), float(w)) for x, w in MIXTURES[name]]


def _ensemble(name: str) -> str | Mixture:
    return _atoms(name) if name in MIXTURES else name


def _names(inputs: Inputs) -> tuple[str, str, str]:
    return str(inputs["operation"]), str(inputs["first"]), str(inputs["second"])


def places(inputs: Inputs) -> np.ndarray:
    """Where the distribution function is read: between the ends of the continuous part."""
    support = law(*_names(inputs)).support
    low, high = support[0][0], support[-1][1]
    return low + (high - low) * np.array(_PLACES)


def _rows(inputs: Inputs) -> Sequence[Inputs]:
    return tuple({"x": round(float(x), 6)} for x in places(inputs))


def distribution(inputs: Inputs) -> np.ndarray:
    """The free law's distribution function at `places`."""
    return np.asarray(law(*_names(inputs)).cdf(places(inputs)))


def distribution_at(inputs: Inputs, size: int) -> np.ndarray:
    """The mean over matrices of this size of the same, to order 1/size: rotations and Gaussian matrices are real."""
    from widelimit.numerics.freeprob.finite import cdf_at

    operation, first, second = _names(inputs)
    rows = _kept(second, size) if operation == "corner" else size
    return np.asarray(cdf_at(law(operation, first, second), places(inputs), rows))


def _kept(share: str, size: int) -> int:
    """How many rows a corner keeps."""
    return round(float(Fraction(share)) * size)


def distribution_curve(inputs: Inputs, x: np.ndarray) -> np.ndarray:
    """The same anywhere."""
    return np.asarray(law(*_names(inputs)).cdf(x))


def commuting(inputs: Inputs) -> np.ndarray:
    """The same if A and B commuted and were independent: a classical convolution; for corners: A itself."""
    from widelimit.numerics import freeprob

    operation, first, second = _names(inputs)
    alone = freeprob.law(symbolic(first))
    x = places(inputs)
    if operation == "corner":
        return np.asarray(alone.cdf(x))
    if operation == "sum":
        return np.sum([w * np.asarray(alone.cdf(x - b)) for b, w in _atoms(second)], axis=0)
    return np.sum(
        [w * (np.asarray(alone.cdf(x / b)) if b else 1.0 * (x >= 0)) for b, w in _atoms(second)], axis=0
    )


def simulate(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Shares of eigenvalues up to `places`."""
    from widelimit.validate.simulate import freeprob

    operation, first, second = _names(inputs)
    if operation == "corner":
        found = freeprob.corners(_ensemble(first), _kept(second, size), size, seeds, backend)
    else:
        combine = freeprob.sums if operation == "sum" else freeprob.products
        found = combine(_ensemble(first), _atoms(second), size, seeds, backend)
    return (found[:, None, :] <= places(inputs)[:, None]).mean(axis=-1)


def derivation(inputs: Inputs) -> Derivation:
    """Transforms and moments of the law in question, and what matrices of finite size add."""
    from widelimit.theory.calculus.derivation import Derivation
    from widelimit.theory.freeprob import finite

    limit, corrections = _limit(inputs), finite.derive()
    return Derivation(
        limit.title, (*limit.steps, *corrections.steps), (*limit.assumptions, *corrections.assumptions)
    )


def _limit(inputs: Inputs) -> Derivation:
    from sympy import Rational

    from widelimit.theory import freeprob as theory

    operation, first, second = _names(inputs)
    one = symbolic(first)
    if operation == "corner":
        return theory.derive(one.compress(Rational(second)))
    return theory.derive(one + symbolic(second) if operation == "sum" else one * symbolic(second))


def _points(operation: str, *pairs: tuple[str, str]) -> tuple[Inputs, ...]:
    return tuple({"operation": operation, "first": one, "second": two} for one, two in pairs)


def _claim(
    name: str, title: str, statement: str, source: str, points: tuple[Inputs, ...], wrong: Counterfactual
) -> Claim:
    """The three claims differ in their operation alone."""
    sizes = (60, 120, 240)
    return Claim(
        id=f"freeprob.{name}",
        title=title,
        statement=statement,
        paper=f"Nica and Speicher, Lectures on the Combinatorics of Free Probability (2006), {source}",
        domain={key: Choice(tuple(dict.fromkeys(point[key] for point in points))) for key in points[0]},
        plans={
            "quick": Plan(points[:2], sizes, pilot=8, most=32, block=8),
            "reference": Plan(points, tuple(2 * size for size in sizes), pilot=8, most=48, block=8),
            "deep": Plan(points, tuple(8 * size for size in sizes), pilot=8, most=64, block=8),
        },
        predict=distribution,
        predict_at=distribution_at,
        simulate=simulate,
        rows=_rows,
        curve=distribution_curve,
        valid=lambda inputs: dict(inputs) in [dict(point) for point in points],
        derivation=derivation,
        margin=0.02,
        scale=np.ones_like,
        size_name="matrix size",
        quantity="share of eigenvalues up to x",
        observable="eigenvalues of matrices, one of them rotated at random",
        counterfactuals=(wrong,),
    )


_COMMUTING = Counterfactual("commuting matrices", "the classical convolution of the two laws", commuting)
ADDITION = _claim(
    "addition",
    "Sums of matrices in general position",
    "The spectrum of U A U' + B follows the free convolution of the laws of A and B.",
    "lecture 12",
    _points(
        "sum",
        ("semicircle", "one-four"),
        ("signs", "signs"),
        ("marchenko_pastur", "signs"),
        ("semicircle", "signs"),  # the gap just closes
    ),
    _COMMUTING,
)
MULTIPLICATION = _claim(
    "multiplication",
    "Products of matrices in general position",
    "The spectrum of B^(1/2) U A U' B^(1/2) follows the free multiplicative convolution of the laws of A and B.",
    "lecture 18",
    _points("product", ("marchenko_pastur", "projection"), ("marchenko_pastur", "one-four")),
    _COMMUTING,
)
COMPRESSION = _claim(
    "compression",
    "Corners of matrices",
    "The corner of U A U' follows the free compression of the law of A: a free power, scaled.",
    "lecture 14",
    _points("corner", ("marchenko_pastur", "1/3"), ("signs", "1/4"), ("semicircle", "1/4")),
    Counterfactual("corner like the whole", "a corner has the eigenvalues of the whole matrix", commuting),
)
CLAIMS = (ADDITION, MULTIPLICATION, COMPRESSION)
