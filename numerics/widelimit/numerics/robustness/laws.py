"""Laws of weights: the ratio of their norms, their kurtosis, and what of it a unit of N inputs shows."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.numerics.robustness.units import scaled_weights
from widelimit.theory import robustness as theory
from widelimit.theory.errors import ArgumentError, InfiniteMomentError

_DIGITS = 40
_SMALLEST = 0.0025  # exponents below make a kurtosis that no float holds
_NORMAL = 1e18  # degrees of freedom from which Student's law is Gaussian to all digits of a float


@by_value
@dataclass(frozen=True)
class WeightLaw:
    """A law of independent weights: its `name`, its `shape` if it has one, and `ratio`, rho = E |w| / sqrt(E w^2).

    |w|_1 / (sqrt(N) |w|_2) comes to rho for many weights, so that an l_inf attack of radius epsilon flips
    erf(epsilon sqrt(N) rho / (sqrt(2) s)) of the inputs of a unit.
    """

    name: str
    shape: float | None
    ratio: float

    @property
    def kurtosis(self) -> float:
        """k = E w^4 / (E w^2)^2; `InfiniteMomentError` for Student's law with four degrees of freedom or fewer."""
        return self._fourth()[0]

    def finite_ratio(self, size: Any) -> Any:
        """Return E |w|_1 / (sqrt(N) |w|_2) of N weights, rho with its term of order 1/N and no more.

        size: N, a whole number of at least 1, or an array. Raises `InfiniteMomentError` where the kurtosis is infinite:
        there is no such expansion.

        >>> round(weight_law("laplace").finite_ratio(50), 10)  # (1 + .875/50) / sqrt 2
        0.7194811499
        """
        count = arguments.positive("size", size)
        if (wrong := (count < 1) | (count != np.floor(count))).any():
            must = "must be whole numbers of at least 1"
            raise ArgumentError("size", must, float(np.asarray(count)[wrong].flat[0]))
        fourth, third = self._fourth()
        return arguments.scalar(np.asarray(_finite()(self.ratio, 1.0, third, fourth, count)))

    def _fourth(self) -> tuple[float, float]:
        """Fourth and third absolute moments of weights of variance 1."""
        if self.name == "student" and self.shape is not None and self.shape <= 4:
            raise InfiniteMomentError(
                f"Student's law with {self.shape:g} degrees of freedom has an infinite fourth moment: neither a "
                "kurtosis nor an expansion in 1/N. Its `ratio` exists; the kurtosis does for a shape above 4."
            )
        return _moments(self.name, self.shape)[1:]


def weight_law(name: str, shape: float | None = None) -> WeightLaw:
    """Return ratio and kurtosis of a law of independent, centred weights; both do not depend on its scale.

    Args:
        name: "gaussian", "laplace", "generalized_gaussian" (density exp(-|w|^shape)), "student" (shape: degrees of
            freedom), or "sparse" (Gaussian with probability shape, else zero).
        shape: for the last three: at least 0.0025; above 2, as the variance is infinite otherwise; above 0 and at most
            1.

    Raises `ArgumentError` for another name, a shape outside its range, or one of a law that has none.

    >>> law = weight_law("student", 5)
    >>> round(law.ratio, 14), round(law.kurtosis, 12)
    (0.73510519389572, 9.0)
    >>> round(weight_law("generalized_gaussian", 0.5).ratio, 14)
    0.54772255750517
    >>> round(weight_law("sparse", 0.25).ratio * (2 / np.pi) ** -0.5, 12)  # sqrt(.25) of the Gaussian's
    0.5
    """
    arguments.choice("name", name, theory.LAWS)
    value = None
    if name in ("gaussian", "laplace"):
        if shape is not None:
            raise ArgumentError("shape", f"must not be given for the {name} law", shape)
    else:
        value = _shape(name, shape)
    return WeightLaw(name, value, _moments(name, value)[0])


def _shape(name: str, shape: Any) -> float:
    if shape is None:
        raise ArgumentError("shape", f"must be given for the {name.replace('_', ' ')} law", shape)
    value = arguments.positive_number("shape", shape)
    if name == "sparse" and value > 1:
        raise ArgumentError("shape", "must be a probability, at most 1", value)
    if name == "student" and value <= 2:
        raise ArgumentError(
            "shape", "must be above 2", value, "The variance of the weights is infinite otherwise."
        )
    if name == "generalized_gaussian" and value < _SMALLEST:
        raise ArgumentError("shape", f"must be at least {_SMALLEST}", value)
    return value


@functools.lru_cache(maxsize=256)
def _moments(name: str, shape: float | None) -> tuple[float, float, float]:
    """rho, kurtosis and E |w|^3 of weights of variance 1 (the last two infinite where they do not exist)."""
    with mpmath.workdps(_DIGITS):
        beta = [] if shape is None else [mpmath.mpf(min(shape, _NORMAL) if name == "student" else shape)]

        def moment(order: int) -> Any:
            if name == "student" and shape is not None and shape <= order:
                return mpmath.inf
            return _moment(name, order).mpmath(_DIGITS)(*beta)

        first, square = moment(1), moment(2)
        third, fourth = moment(3), moment(4)
        ratio = _ratio().mpmath(_DIGITS)(first, square)
        kurtosis = mpmath.inf if mpmath.isinf(fourth) else _kurtosis().mpmath(_DIGITS)(square, fourth)
        return float(ratio), float(kurtosis), float(third / mpmath.mpf(square) ** 1.5)


@by_value
@dataclass(frozen=True)
class WeightStatistics:
    """`ratio`: |w|_1 / (sqrt(N) |w|_2) of each unit; `kurtosis`: N |w|_4^4 / |w|_2^4 about zero; `size`: N.

    `least_ratio`: kurtosis^(-1/2), below which the ratio cannot be: a large kurtosis allows protection and gives none.
    """

    ratio: Any
    kurtosis: Any
    least_ratio: Any
    size: int


def weight_statistics(weights: Any) -> WeightStatistics:
    """Return ratio of norms and kurtosis of weights of your own, a unit a row.

    Args:
        weights: (N,) or (..., N).

    Raises `ArgumentError` for units whose weights are all zero.

    >>> found = weight_statistics([1.0, -1.0, 0.0, 0.0])  # signs of density 1/k reach the bound
    >>> round(found.ratio, 12), found.kurtosis, round(found.least_ratio, 12)
    (0.707106781187, 2.0, 0.707106781187)
    """
    w, _ = scaled_weights(weights)
    sizes = np.abs(w)
    first, square, fourth = (np.asarray((sizes**k).mean(-1)) for k in (1, 2, 4))
    kurtosis = np.asarray(_kurtosis()(square, fourth))
    ratio, kurtosis, least = (
        arguments.scalar(np.asarray(one)) for one in (_ratio()(first, square), kurtosis, _least()(kurtosis))
    )
    return WeightStatistics(ratio, kurtosis, least, w.shape[-1])


@functools.cache
def _moment(name: str, order: int) -> Compiled:
    symbols = () if name in ("gaussian", "laplace") else (theory.SHAPE,)
    return compile(theory.absolute_moment(name, order), symbols, name="absolute_moment")


@functools.cache
def _ratio() -> Compiled:
    return compile(theory.size_ratio(), (theory.M_1, theory.M_2), name="size_ratio")


@functools.cache
def _kurtosis() -> Compiled:
    return compile(theory.kurtosis(), (theory.M_2, theory.M_4), name="kurtosis")


@functools.cache
def _least() -> Compiled:
    return compile(theory.least_ratio(), (theory.KURTOSIS,), name="least_ratio")


@functools.cache
def _finite() -> Compiled:
    symbols = (theory.M_1, theory.M_2, theory.M_3, theory.M_4, theory.SIZE)
    return compile(theory.finite_ratio(), symbols, name="finite_ratio")
