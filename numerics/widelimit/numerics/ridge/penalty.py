"""The best penalty: every minimum of the test error in the penalty, and the deepest of them.

The test error is scanned in the effective ridge, from the spectral edge (or, with more samples than dimensions, from a
bound that no minimum can lie below) to a bound that no minimum can lie above, on nodes close in log kappa: its slope
has no feature narrower than its poles are far, pi. All sign changes are refined; the penalty follows without a solver.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from widelimit.numerics import arguments, threads
from widelimit.numerics.results import by_value
from widelimit.numerics.ridge import kernel
from widelimit.numerics.ridge.solving import with_signal
from widelimit.numerics.ridge.spectrum import Spectrum
from widelimit.theory.errors import ArgumentError, DomainError

_SPACING = 0.08  # of the nodes in log kappa
_MOST_EXTREMA = 512
_LEAST = 1e-18  # of the least eigenvalue: an effective ridge that is nothing
_LARGEST = 709.0  # logarithm of the largest float
_FAR = 1e200  # the noise where it is this much weaker than the signal is no noise
_WIDEST = 1e50  # ratio of samples to dimensions, or of eigenvalues, either way
_FAINT = 1e-30  # of the noise: a weaker signal changes no digit of the test error


@by_value
@dataclass(frozen=True)
class BestPenalty:
    """The penalty of least test error; floats, or arrays of the shape of the arguments.

    penalty: lambda of ``(1/N) sum of squares + lambda |w|^2``; negative where that is best, infinite without signal.
    minima: how many local minima the test error has in the penalty (above one, the best penalty can jump).
    """

    penalty: Any
    test_error: Any
    unexplained: Any
    effective_ridge: Any
    minima: Any


@by_value
@dataclass(frozen=True)
class Minimum:
    """A local minimum of the test error in the penalty."""

    penalty: float
    test_error: float
    effective_ridge: float


def optimal_penalty(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    signal: ArrayLike | None = None,
    noise: ArrayLike = 0.0,
    *,
    sample_ratio: ArrayLike,
) -> BestPenalty:
    """Penalty of least test error, over all penalties down to the spectral edge; arguments as for `solving.solve`.

    Stationarity: ``E = N kappa [sum w^2 s^2/(s + kappa)^3] / [sum s^2/(s + kappa)^3]``; all solutions are found and
    the deepest minimum is returned (Mel & Ganguli 2021; `theory.ridge.derive("optimal-penalty")`). For an isotropic
    target (w_j^2 the same everywhere) it is ``sigma^2/(N w^2)``.

    >>> best = optimal_penalty([1, 0.1], [0.1, 0.9], [1, 0], sample_ratio=0.5)
    >>> round(best.penalty, 7), round(best.test_error, 7)
    (-0.0145291, 0.0200941)
    """
    spectrum = with_signal(eigenvalues, weights, signal)
    sigma2, ratio = arguments.broadcast(
        noise=arguments.non_negative("noise", noise),
        sample_ratio=arguments.positive("sample_ratio", sample_ratio),
    )
    _some_variance(spectrum, sigma2)
    flat = list(zip(ratio.ravel() / spectrum.rank_fraction, sigma2.ravel(), strict=True))
    found: list[tuple[Minimum, int]] = [None] * len(flat)  # type: ignore[list-item]

    def work(part: slice) -> None:
        for k in range(*part.indices(len(flat))):
            minima = _minima(spectrum, *flat[k])
            found[k] = min(minima, key=lambda m: m.test_error), len(minima)

    kernel.loops()
    threads.each(work, threads.chunks(len(flat), smallest=8))
    rows = [(m.penalty, m.test_error, m.effective_ridge, count) for m, count in found]
    penalty, error, kappa, count = (
        column.reshape(ratio.shape) for column in np.array(rows, float).reshape(-1, 4).T
    )
    unexplained = error / (spectrum.total_signal + sigma2)
    plain = [arguments.scalar(np.asarray(a)) for a in (penalty, error, unexplained, kappa, count.astype(int))]
    return BestPenalty(*plain)


def minima(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    signal: ArrayLike | None = None,
    noise: float = 0.0,
    *,
    sample_ratio: float,
) -> tuple[Minimum, ...]:
    """All local minima of the test error in the penalty, in increasing penalty; arguments as for `optimal_penalty`.

    >>> [round(m.penalty, 4) for m in minima([1, 0.01], [0.1, 0.9], [0.5, 0.49], 0.01, sample_ratio=0.25)]
    [0.0082, 0.231]
    """
    spectrum = with_signal(eigenvalues, weights, signal)
    sigma2 = arguments.non_negative_number("noise", noise)
    ratio = arguments.positive_number("sample_ratio", sample_ratio)
    _some_variance(spectrum, sigma2)
    return tuple(_minima(spectrum, ratio / spectrum.rank_fraction, sigma2))


def _some_variance(spectrum: Spectrum, noise: ArrayLike) -> None:
    if (spectrum.total_signal + np.asarray(noise) == 0).any():
        raise ArgumentError("signal", "must carry some variance where there is no noise", 0.0)


def _minima(spectrum: Spectrum, alpha: float, noise: float) -> list[Minimum]:
    """The minima in units of the largest eigenvalue and of the larger of signal and noise: no power overflows."""
    if spectrum.total_signal == 0.0:
        return [Minimum(math.inf, noise, math.inf)]  # nothing to learn: do not fit
    if noise == 0.0 and alpha >= 1.0:
        return [Minimum(0.0, 0.0, 0.0)]  # everything is learnt
    s = spectrum.eigenvalues
    if not 1 / _WIDEST < alpha < _WIDEST or s[-1] < s[0] / _WIDEST:
        raise DomainError(
            f"The best penalty is computed for sample ratios and spreads of eigenvalues within {_WIDEST:g}; here they "
            f"are {alpha:.3g} and {s[0]:.3g} / {s[-1]:.3g}. Drop what no sample can show."
        )
    signal = spectrum.total_signal
    if alpha >= 1.0 and noise < signal / _FAR:
        raise DomainError(
            f"The noise {noise:.3g} is lost beside the signal {signal:.3g}: pass 0, the penalty is 0."
        )
    faint = signal < _FAINT * noise  # E is the noise to all digits, and kappa goes with noise/signal
    unit, energy = _binary(s[0]), _binary(signal if faint else max(signal, noise))
    small = replace(spectrum, eigenvalues=s / unit, signal=spectrum.signal / energy)
    found = _scaled_minima(small, alpha, 1 / _FAINT if faint else noise / energy)
    units = (unit, noise, 1 / energy, _FAINT) if faint else (unit,)
    return [
        Minimum(
            _product(one.penalty, *units),
            noise + signal if faint else one.test_error * energy,
            _product(one.effective_ridge, *units),
        )
        for one in found
    ]


def _binary(value: float) -> float:
    """The power of two below a number: dividing by it loses no digit."""
    return 2.0 ** (math.frexp(value)[1] - 1)


def _product(value: float, *factors: float) -> float:
    """A product of numbers that may overflow on the way; beyond all floats it is infinite."""
    if value == 0.0 or len(factors) == 1:
        with np.errstate(over="ignore"):
            return float(np.float64(value) * factors[0])
    size = sum(math.log(abs(v)) for v in (value, *factors))
    return math.copysign(math.exp(size) if size < _LARGEST else math.inf, value)


def _scaled_minima(spectrum: Spectrum, alpha: float, noise: float) -> list[Minimum]:
    loops = kernel.loops()
    arrays = (spectrum.eigenvalues, spectrum.weights, spectrum.signal)
    low, high = _range(spectrum, alpha, noise)
    nodes = np.exp(np.linspace(math.log(low), math.log(high), 2 + int(math.log(high / low) / _SPACING)))
    nodes[0] = low
    found = np.empty(_MOST_EXTREMA)
    count = loops.extrema(*arrays, alpha, noise, nodes, found)
    if count % 2:
        places = list(found[:count:2])
    elif (
        loops.error_slope(*arrays, alpha, noise, low)[0] > 0.0
    ):  # it rises at once: to rounding, this end is a minimum
        places = [low, *found[1:count:2]]
    else:  # and here the other one
        places = [*found[:count:2], high]
    result = []
    for kappa in places:
        penalty, error = loops.at_kappa(*arrays, alpha, noise, kappa)
        result.append(Minimum(float(penalty), float(error), float(kappa)))
    return result


def _range(spectrum: Spectrum, alpha: float, noise: float) -> tuple[float, float]:
    """Bounds of kappa: below the first the test error is sure to fall, above the second it is sure to rise."""
    s, p, u = spectrum.eigenvalues, spectrum.weights, spectrum.signal
    second, carried = float(p @ s**2), float(u @ s)
    high = max(
        10 * s[0],
        math.sqrt(2 * second / alpha),
        2.8 * (spectrum.total_signal + noise) * second / (alpha * carried),
    )
    if alpha < 1.0:
        edge = float(kernel.edges(s, p, np.array([alpha]))[0][0])  # 0 where 1 - alpha is a rounding error
        return max(edge, _LEAST * float(s[-1])), high
    ratio = float(noise * (p @ (1 / s)) / (8 * alpha * (u @ s**-2.0)))
    return min(s[-1], ratio), high
