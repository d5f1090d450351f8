"""Power-law spectra and targets: how the test error falls with samples, and where noise takes over."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.precision import evaluate
from widelimit.theory.errors import ArgumentError
from widelimit.theory.ridge import power as theory


class _Compiled(NamedTuple):
    """What theory states, as functions of numbers; the comments name arguments."""

    degrees: Compiled  # a, kappa, N -> degrees of freedom, kappa without a penalty
    gentle: Compiled  # a, b, kappa -> squared bias for b below 2 a + 1
    noisy: Compiled  # a, mu, ell, sigma^2 -> crossover, plateau
    best: Compiled  # a, mu -> exponent of the best penalty


@functools.cache
def _compiled() -> _Compiled:
    t = theory
    return _Compiled(
        degrees=compile([t.degrees_of_freedom(), t.ridgeless()], (t.a, t.ridge, t.N)),
        gentle=compile([t.gentle_bias()], (t.a, t.b, t.ridge)),
        noisy=compile([t.crossover(), t.plateau()], (t.a, t.mu, t.ell, t.noise)),
        best=compile([t.best_exponent()], (t.a, t.mu)),
    )


@by_value
@dataclass(frozen=True)
class PowerLaw:
    """Scaling of ridge regression for eigenvalues ``s_k = k^-a`` and signals ``u_k = k^-b``.

    effective_ridge: kappa without a penalty at the samples given. degrees_of_freedom: df1 at that kappa, the samples.
    bias: squared bias there, which falls as ``samples^-error_exponent``, ``mu = min(b - 1, 2a)``. plateau: excess
    error of the ridgeless fit that noise leaves, ``sigma^2 (a - 1)``. crossover: samples from which noise outweighs
    bias without a penalty (infinite without noise). penalty_exponent: the best penalty falls as ``samples^-ell``,
    ``ell = a/(1 + mu)``; noisy_exponent: the excess error then as ``samples^-(mu/(1 + mu))``.
    """

    effective_ridge: float
    degrees_of_freedom: float
    bias: float
    error_exponent: float
    plateau: float
    crossover: float
    penalty_exponent: float
    noisy_exponent: float


def power_law(exponent: float, signal_exponent: float, noise: float = 0.0, *, samples: float) -> PowerLaw:
    """Leading behaviour for many samples of ridge regression on a power-law spectrum (Bordelon 2020; Cui 2021).

    `exponent` a > 1 and `signal_exponent` b > 1, b not 2a + 1 where both terms of the bias meet; `noise` the label
    noise variance; `samples` many, and few beside the dimension. For numbers that are exact at any size use
    `Spectrum.power_law`. Raises `ArgumentError` for other exponents.

    >>> law = power_law(2.0, 2.0, 0.01, samples=1000)
    >>> round(law.effective_ridge * 1e6, 6), law.error_exponent, law.penalty_exponent
    (2.467401, 1.0, 1.0)
    >>> round(law.degrees_of_freedom, 6)  # at that ridge, as many as there are samples
    1000.0
    >>> round(law.bias * 1e3, 6), law.plateau, round(law.crossover, 9)
    (1.233701, 0.01, 100.0)
    >>> round(power_law(1.2, 5.5, samples=1000).bias * 1e6, 6)  # zeta(b - 2 a) kappa^2
    3.969376
    """
    a, b = (
        arguments.positive_number(name, value)
        for name, value in (("exponent", exponent), ("signal_exponent", signal_exponent))
    )
    sigma2 = arguments.non_negative_number("noise", noise)
    size = arguments.positive_number("samples", samples)
    for name, value in (("exponent", a), ("signal_exponent", b)):
        if value <= 1.0:
            raise ArgumentError(name, "must be above 1", value, "Otherwise the sum over modes diverges.")
    if b == 2 * a + 1:
        help = "There the bias falls with a logarithm: pass an exponent on one side."
        raise ArgumentError("signal_exponent", f"must not be 2 exponent + 1 = {b:g}", b, help)
    found, mu = _compiled(), min(b - 1, 2 * a)
    kappa = float(found.degrees(a, 1.0, size)[1])
    if b < 2 * a + 1:
        missed = found.gentle(a, b, kappa)[0]
    else:  # zeta, which no compiled code knows
        missed = evaluate(theory.steep_bias(), {theory.a: a, theory.b: b, theory.ridge: kappa}, 15)
    crossover, plateau = (
        (float(value) for value in found.noisy(a, mu, a, sigma2)) if sigma2 else (math.inf, 0.0)
    )
    ell = float(found.best(a, mu)[0])
    return PowerLaw(
        effective_ridge=kappa,
        degrees_of_freedom=float(found.degrees(a, kappa, size)[0]),
        bias=float(missed),
        error_exponent=mu,
        plateau=plateau,
        crossover=crossover,
        penalty_exponent=ell,
        noisy_exponent=ell * mu / a,
    )
