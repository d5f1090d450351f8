"""What more samples, or another penalty, would change: derivatives of the test error, exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.ridge import loops
from widelimit.numerics.ridge.solving import solved, with_signal
from widelimit.numerics.ridge.spectrum import Spectrum
from widelimit.theory.errors import ArgumentError, ConvergenceError


@by_value
@dataclass(frozen=True)
class Sensitivity:
    """The test error E and its derivatives.

    by_samples: ``d log E/d log N`` at this penalty, -0.5: one per cent more samples, half a per cent less error;
    positive on the way to a peak, where more data hurt. by_penalty: ``dE/d lambda`` at this number of samples, zero at
    the best penalty, negative below it.
    """

    test_error: float
    by_samples: float
    by_penalty: float


def sensitivity(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    signal: ArrayLike | None = None,
    noise: float = 0.0,
    *,
    sample_ratio: float,
    penalty: float = 0.0,
) -> Sensitivity:
    """Return how the test error changes with samples and penalty; arguments as for `solve`, one number each.

    ``theory.ridge.error_by_samples`` and ``error_by_penalty`` at the effective ridge. Raises `ArgumentError` as `solve`
    does, and where the error is infinite (as many samples as dimensions, without a penalty); `ConvergenceError` where
    nothing or everything is learnt so fully that floats hold no derivative.

    >>> before_the_peak = sensitivity([1.0], [1.0], [1.0], 0.1, sample_ratio=0.9)
    >>> round(before_the_peak.by_samples, 4), round(before_the_peak.by_penalty, 4)  # E = 1.1
    (7.3636, -162.0)
    """
    spectrum = with_signal(eigenvalues, weights, signal)
    sigma2 = arguments.non_negative_number("noise", noise)
    ratio = arguments.positive_number("sample_ratio", sample_ratio)
    lam = arguments.finite_number("penalty", penalty)
    values = solved(spectrum, np.array(sigma2), np.array(ratio), np.array(lam))
    error, kappa = float(values["test_error"]), float(values["effective_ridge"])
    if not np.isfinite(error):
        raise ArgumentError("sample_ratio", "must not be 1 at penalty 0, where the error is infinite", ratio)
    inside, unit = spectrum.in_units()
    alpha = ratio / spectrum.rank_fraction
    parts = (inside.eigenvalues, inside.weights, inside.signal)
    by_samples, by_penalty = loops.sensitivity(*parts, alpha, lam / unit, sigma2, kappa / unit)
    if not np.isfinite([by_samples, by_penalty]).all():
        raise ConvergenceError(
            f"The derivatives at sample_ratio {ratio:g}, penalty {lam:g} are beyond what floats hold; the error there "
            f"is {error:.6g}. Ask nearer to where it changes."
        )
    return Sensitivity(error, float(by_samples), float(by_penalty) / unit)
