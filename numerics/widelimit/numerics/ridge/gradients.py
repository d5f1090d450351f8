"""Derivatives of what ridge regression does by noise, sample ratio, penalty and signal; of the best penalty as well.

Formulas are those of `theory.ridge` ("gradients"), at the certified effective ridge: the implicit function theorem and
the chain rule, never differences. Eigenvalues are in units of a power of two inside, as in `solving`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sympy import Symbol

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.numerics.ridge import kernel
from widelimit.numerics.ridge.penalty import BestPenalty, optimal_penalty
from widelimit.numerics.ridge.solving import RidgeSolution, solve, with_signal
from widelimit.numerics.ridge.spectrum import Spectrum
from widelimit.theory import ridge as theory
from widelimit.theory.errors import DomainError
from widelimit.theory.ridge import gradients as formulas

Array = np.ndarray
_SYMBOLS = {
    "noise": theory.noise, "sample_ratio": theory.alpha, "penalty": theory.penalty_symbol,
    "strength": formulas.STRENGTH,
}  # fmt: skip


@by_value
@dataclass(frozen=True)
class RidgeSlopes:
    """Derivatives of the fields of `RidgeSolution` by one argument; floats, or arrays. nan where there is none."""

    effective_ridge: Any
    test_error: Any
    training_error: Any
    unexplained: Any
    bias: Any
    variance: Any
    variance_of_inputs: Any
    variance_of_noise: Any
    degrees_of_freedom: Any
    rho: Any


@by_value
@dataclass(frozen=True)
class RidgeGradient:
    """`value`: what `solve` returns; `noise`, `sample_ratio`, `penalty`: its derivatives by each.

    `strength`: those by a factor of all components of the signal, at 1.
    """

    value: RidgeSolution
    noise: RidgeSlopes
    sample_ratio: RidgeSlopes
    penalty: RidgeSlopes
    strength: RidgeSlopes


@by_value
@dataclass(frozen=True)
class BestPenaltySlopes:
    """Derivatives of the fields of `BestPenalty` by one argument; floats, or arrays. nan where there is none."""

    penalty: Any
    test_error: Any
    unexplained: Any
    effective_ridge: Any


@by_value
@dataclass(frozen=True)
class BestPenaltyGradient:
    """`value`: what `optimal_penalty` returns; `noise`, `sample_ratio` and `strength`: see `RidgeGradient`."""

    value: BestPenalty
    noise: BestPenaltySlopes
    sample_ratio: BestPenaltySlopes
    strength: BestPenaltySlopes


def gradient(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    signal: ArrayLike | None = None,
    noise: ArrayLike = 0.0,
    *,
    sample_ratio: ArrayLike,
    penalty: ArrayLike = 0.0,
) -> RidgeGradient:
    """Return `solve` and its derivatives by noise, sample ratio, penalty and the signal's strength.

    Arguments are as of `solve`.

    ``dkappa/dlambda = 1/(1 - rho)``, ``dkappa/dalpha = -kappa f/(alpha^2 (1 - rho))``, f = df1/P, and the chain rule.
    There is no derivative at a peak (sample ratio 1 without penalty): nan in arrays, `DomainError` for one point. Next
    to where floats hold none, nan as well.

    >>> found = gradient([1.0], signal=[1.0], noise=0.1, sample_ratio=2.0)  # E = noise/(1 - 1/alpha)
    >>> round(found.noise.test_error, 12), round(found.sample_ratio.test_error, 12)
    (2.0, -0.1)
    >>> found = gradient([1.0], signal=[1.0], sample_ratio=1.0, penalty=0.5)  # penalty = kappa^2/(1 + kappa)
    >>> round(found.value.effective_ridge, 12), round(found.penalty.effective_ridge, 12)
    (1.0, 1.333333333333)
    """
    spectrum = with_signal(eigenvalues, weights, signal)
    value = solve(spectrum, None, None, noise, sample_ratio=sample_ratio, penalty=penalty)
    shape = np.shape(value.test_error)
    at = _Point(spectrum, shape, noise, sample_ratio, penalty, value.effective_ridge)
    if not shape and at.slope[0] == 0:
        raise DomainError(
            "The errors of ridge regression have no derivative at a peak: as many samples as dimensions, without a "
            "penalty. Give a penalty, or another sample ratio."
        )
    found = {}
    for name in _SYMBOLS:
        rule, moved = _rules(name)
        with np.errstate(all="ignore"):
            rows = rule(*at.arguments, moved(*at.arguments, np.zeros_like(at.kappa)))
        found[name] = RidgeSlopes(*at.scaled(rows, name, fields(RidgeSlopes)))
    return RidgeGradient(value, **found)


def optimal_gradient(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    signal: ArrayLike | None = None,
    noise: ArrayLike = 0.0,
    *,
    sample_ratio: ArrayLike,
) -> BestPenaltyGradient:
    """Return `optimal_penalty` and its derivatives by noise, sample ratio and the signal's strength.

    Arguments are as of `optimal_penalty`.

    The effective ridge of least error moves with the zero of `theory.ridge.stationarity`, the penalty with it, the
    least error as at a fixed penalty. nan where the penalty is infinite, or zero because everything is learnt; the
    derivative is that of the deepest minimum, which may jump to another one.

    >>> found = optimal_gradient([1.0], signal=[1.0], noise=0.5, sample_ratio=2.0)  # penalty: noise/alpha
    >>> round(found.value.penalty, 9), round(found.noise.penalty, 9), round(found.sample_ratio.penalty, 9)
    (0.25, 0.5, -0.125)
    """
    spectrum = with_signal(eigenvalues, weights, signal)
    value = optimal_penalty(spectrum, None, None, noise, sample_ratio=sample_ratio)
    shape = np.shape(value.penalty)
    inner = np.isfinite(value.penalty) & (np.asarray(value.effective_ridge) > 0)
    penalty, kappa = (np.where(inner, one, 1.0) for one in (value.penalty, value.effective_ridge))
    at = _Point(spectrum, shape, noise, sample_ratio, penalty, kappa)
    found = {}
    for name in ("noise", "sample_ratio", "strength"):
        with np.errstate(all="ignore"):
            best, fixed = _best_rules(name)
            move = best(*at.arguments, np.zeros_like(at.kappa))
            (lam,) = fixed(*at.arguments, move)
            rule, moved = _rules(name)
            by_name = dict(
                zip(
                    _observed(),
                    rule(*at.arguments, moved(*at.arguments, np.zeros_like(at.kappa))),
                    strict=True,
                )
            )
        each = (lam, by_name["test_error"], by_name["unexplained"], move)
        rows = [np.where(np.ravel(inner), row, np.nan) for row in each]
        found[name] = BestPenaltySlopes(*at.scaled(rows, name, fields(BestPenaltySlopes)))
    return BestPenaltyGradient(value, **found)


def _observed() -> tuple[str, ...]:
    """Names of what `theory.ridge` differentiates, in its order."""
    return tuple(formulas.observables())


class _Point:
    """Flat arrays of the arguments of the compiled rules, eigenvalues in units of `unit`."""

    def __init__(
        self, spectrum: Spectrum, shape: tuple[int, ...], noise: Any, ratio: Any, penalty: Any, kappa: Any
    ) -> None:
        self.shape, self.rank = shape, spectrum.rank_fraction
        inside, self.unit = spectrum.in_units()
        sigma2, alpha, lam, self.kappa = (
            np.array(np.broadcast_to(np.asarray(one, float), shape)).reshape(-1)
            for one in (noise, ratio, penalty, kappa)
        )
        alpha, lam = alpha / self.rank, lam / self.unit
        self.kappa = self.kappa / self.unit
        out = np.empty((2 + len(_names()), self.kappa.size))
        parts = (inside.eigenvalues, inside.weights, inside.signal)
        kernel.loops().gradient(*parts, alpha, lam, self.kappa, out)
        ratio_, self.slope, *sums = out
        rho = sums[2] / alpha
        total = np.full_like(alpha, spectrum.total_signal)
        self.arguments = (self.kappa, alpha, lam, sigma2, total, ratio_, self.slope, rho, *sums)

    def scaled(self, rows: Any, name: str, wanted: Any) -> list[Any]:
        """Return derivatives in the units of the arguments, of the shape of the request."""
        found = []
        for row, field in zip(rows, wanted, strict=True):
            value = np.broadcast_to(np.asarray(row, float), self.kappa.shape)
            if field.name in ("effective_ridge", "penalty"):
                value = value * self.unit
            value = value / {"penalty": self.unit, "sample_ratio": self.rank}.get(name, 1.0)
            value = np.where(np.isfinite(value) & (self.slope != 0), value, np.nan)
            found.append(arguments.scalar(value.reshape(self.shape)))
        return found


def _names() -> tuple[Symbol, ...]:
    from widelimit.numerics.ridge import terms  # with `loops`, half a second

    return terms.GRADIENT_NAMES


def _symbols() -> list[Symbol]:
    t = theory
    front = [t.kappa, t.alpha, t.penalty_symbol, t.noise, formulas.TOTAL, t.RATIO, t.SLOPE, t.RHO]
    return [*front, *_names(), formulas.KAPPA_MOVE]


@functools.cache
def _rules(name: str) -> tuple[Compiled, Compiled]:
    """Return how every observable changes with an argument, given how kappa does, and how kappa does."""
    parameter = _SYMBOLS[name]
    each = [formulas.total_change(one, parameter) for one in formulas.observables().values()]
    moved = formulas.kappa_change(parameter)
    return (
        compile(each, _symbols(), name=f"ridge_change_{name}"),
        compile(moved, _symbols(), name=f"ridge_kappa_change_{name}"),
    )


@functools.cache
def _best_rules(name: str) -> tuple[Compiled, Compiled]:
    """Return how kappa changes at the best penalty, and, given that, how the penalty does."""
    parameter = _SYMBOLS[name]
    return (
        compile(formulas.best_kappa_change(parameter), _symbols(), name=f"ridge_best_kappa_{name}"),
        compile([formulas.best_penalty_change(parameter)], _symbols(), name=f"ridge_best_penalty_{name}"),
    )
