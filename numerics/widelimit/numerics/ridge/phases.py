"""Where learning changes character as samples are added: peaks and valleys of the error, gaps of the landscape,
sign changes and jumps of the best penalty."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.ridge import kernel
from widelimit.numerics.ridge.gaps import gap_thresholds
from widelimit.numerics.ridge.penalty import Minimum, _minima
from widelimit.numerics.ridge.solving import with_signal
from widelimit.numerics.ridge.spectrum import Spectrum
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
_SPACING = 0.04  # of the scan in log kappa
_POINTS = 400  # sample ratios that a scan for transitions of the best penalty starts from
_REMOTE = 1e40  # of the largest eigenvalue: a penalty with which nothing is learnt
_NOTHING = 1e-100  # of the same: a penalty that is none
_WIDEST = 1e120  # of effective ridges, either way
_JUMP = 1e-3  # a change of log kappa across an interval of the last digits of the sample ratio


@by_value
@dataclass(frozen=True)
class Peaks:
    """Local maxima and minima of the test error in the sample ratio, in increasing sample ratio.

    A peak at N = rank with zero penalty and noise has an infinite error.
    """

    peak_ratio: Array
    peak_error: Array
    valley_ratio: Array
    valley_error: Array


@by_value
@dataclass(frozen=True)
class Jump:
    """A first-order transition of the best penalty: two minima of equal depth, at a sample ratio."""

    sample_ratio: float
    test_error: float
    penalty_below: float
    penalty_above: float


@by_value
@dataclass(frozen=True)
class PhaseTransitions:
    """Transitions met between two sample ratios.

    peaks: of the test error at the given penalty. gaps: openings of the Hessian's gaps, in decreasing order
    of the scales
    beside them. negative: intervals of sample ratio where the best penalty is below zero. jumps: of the best penalty.
    """

    peaks: Peaks
    gaps: Array
    negative: tuple[tuple[float, float], ...]
    jumps: tuple[Jump, ...]


def peaks(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    signal: ArrayLike | None = None,
    noise: float = 0.0,
    *,
    penalty: float = 0.0,
    low: float = 1e-3,
    high: float = 10.0,
) -> Peaks:
    """Find every peak and valley of the learning curve at one penalty >= 0, between sample ratios `low` and `high`.

    The curve is swept in kappa, its exact parameter, so that nothing is solved: ``alpha = kappa f/(kappa - lambda)``.
    Separated scales give a peak at each cumulative fraction of dimensions (Mel & Ganguli 2021).

    >>> peaks([1, 1e-2, 1e-4], [0.1, 0.3, 0.6], [0.5, 0.3, 0.15], 0.05).peak_ratio.round(4)
    array([0.1015, 0.3927, 1.    ])
    """
    spectrum = with_signal(eigenvalues, weights, signal)
    sigma2, lam = (
        arguments.non_negative_number(name, value) for name, value in (("noise", noise), ("penalty", penalty))
    )
    ends = _ends(low, high)
    inside = [ratio / spectrum.rank_fraction for ratio in ends]
    if spectrum.total_signal + sigma2 == 0:
        raise ArgumentError("signal", "must carry some variance where there is no noise", 0.0)
    extremes: list[tuple[float, float, bool]] = []
    scaled, unit = spectrum.in_units()
    variance = 2.0 ** min(1022, math.frexp(spectrum.total_signal + sigma2)[1] - 1)
    scaled = Spectrum(scaled.eigenvalues, scaled.weights, scaled.signal / variance)
    own = lam / unit if lam >= _NOTHING * unit else 0.0
    if own < _REMOTE:  # above, nothing is learnt at any ratio
        reach = _kappa_range(scaled, own, inside)
        if reach is not None:
            extremes = [
                (ratio, error * variance, peak)
                for ratio, error, peak in _extremes(scaled, own, sigma2 / variance, *reach)
            ]
    if lam == 0.0 and sigma2 > 0.0 and inside[0] < 1.0 < inside[1]:
        extremes.append((1.0, math.inf, True))
    rows = sorted((ratio * spectrum.rank_fraction, error, peak) for ratio, error, peak in extremes)
    columns = [np.array([row[k] for row in rows if row[2] == peak]) for peak in (True, False) for k in (0, 1)]
    return Peaks(*columns)


def phase_transitions(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    signal: ArrayLike | None = None,
    noise: float = 0.0,
    *,
    penalty: float = 0.0,
    low: float = 0.01,
    high: float = 10.0,
) -> PhaseTransitions:
    """Find the transitions in error, landscape and best penalty between sample ratios `low` and `high`.

    The best penalty is followed on 400 sample ratios and each change located to rounding; intervals narrower than the
    spacing, 1.7 % at the defaults, can be missed.

    >>> found = phase_transitions([1, 0.01], [0.1, 0.9], [0.5, 0.49], 0.01, high=2.0)
    >>> [round(jump.sample_ratio, 7) for jump in found.jumps], found.gaps.round(4)
    ([0.2497857], array([0.1345]))
    """
    spectrum = with_signal(eigenvalues, weights, signal)
    ends = _ends(low, high)
    turning = peaks(spectrum, noise=noise, penalty=penalty, low=low, high=high)
    sigma2 = arguments.non_negative_number("noise", noise)
    gaps = gap_thresholds(spectrum, below=ends[1])

    def best(ratio: float) -> Minimum:
        return min(_minima(spectrum, ratio / spectrum.rank_fraction, sigma2), key=lambda m: m.test_error)

    ratios = np.geomspace(*ends, _POINTS)
    followed = [best(ratio) for ratio in ratios]
    return PhaseTransitions(
        turning,
        gaps[(gaps >= ends[0]) & (gaps <= ends[1])],
        _negative(best, ratios, followed),
        _jumps(best, ratios, followed),
    )


def _negative(
    best: Callable[[float], Minimum], ratios: Array, followed: list[Minimum]
) -> tuple[tuple[float, float], ...]:
    below = [m.penalty < 0 for m in followed]
    ends = [float(ratios[0])] if below[0] else []
    for k in range(1, len(ratios)):
        if below[k] != below[k - 1]:
            start, end = _bisect(lambda r: (best(r).penalty < 0) == below[k - 1], ratios[k - 1], ratios[k])  # noqa: B023
            ends.append((start + end) / 2)
    if below[-1]:
        ends.append(float(ratios[-1]))
    return tuple(zip(ends[::2], ends[1::2], strict=True))


def _jumps(best: Callable[[float], Minimum], ratios: Array, followed: list[Minimum]) -> tuple[Jump, ...]:
    found = []
    for k in range(1, len(ratios)):
        before, after = followed[k - 1].effective_ridge, followed[k].effective_ridge
        if not (before > 0 and after > 0 and math.isfinite(before)) or abs(math.log(after / before)) < 0.05:
            continue
        middle = math.sqrt(before * after)
        start, end = _bisect(
            lambda r: (best(r).effective_ridge > middle) == (before > middle),  # noqa: B023
            ratios[k - 1],
            ratios[k],
        )
        one, other = best(start), best(end)
        if abs(math.log(one.effective_ridge / other.effective_ridge)) > _JUMP:
            error = (one.test_error + other.test_error) / 2
            found.append(Jump((start + end) / 2, error, one.penalty, other.penalty))
    return tuple(found)


def _bisect(still: Callable[[float], bool], low: float, high: float) -> tuple[float, float]:
    """Shrink an interval, at whose lower end `still` holds and at whose upper end it does not, to a few ulps."""
    low, high = float(low), float(high)
    while high - low > 4e-15 * high:
        middle = (low + high) / 2
        if still(middle):
            low = middle
        else:
            high = middle
    return low, high


def _ends(low: float, high: float) -> tuple[float, float]:
    first, last = (arguments.positive_number(name, value) for name, value in (("low", low), ("high", high)))
    if first >= last:
        raise ArgumentError("high", f"must be above `low` = {first:g}", last)
    return first, last


def _kappa_range(spectrum: Spectrum, penalty: float, ratios: list[float]) -> tuple[float, float] | None:
    """Effective ridges at the two sample ratios; without a penalty the sweep stops just short of alpha = 1."""
    if penalty == 0.0 and ratios[0] >= 1.0:
        return None
    zeros = np.zeros(1)
    arrays = (spectrum.eigenvalues, spectrum.weights, spectrum.signal)

    def at(ratio: float) -> float:
        return float(kernel.solve_all(*arrays, np.array([ratio]), np.array([penalty]), zeros)[0][0, 0])

    least = at(ratios[1]) if penalty > 0.0 or ratios[1] < 1.0 else 1e-10 * float(spectrum.eigenvalues[-1])
    return least, at(ratios[0])


def _extremes(
    spectrum: Spectrum, penalty: float, noise: float, low: float, high: float
) -> list[tuple[float, float, bool]]:
    loops = kernel.loops()
    arrays = (spectrum.eigenvalues, spectrum.weights, spectrum.signal)

    def along(excess: Array) -> Array:  # kappa = penalty + excess: no digits are lost next to the penalty
        out = np.empty((3, excess.size))
        loops.along_curve(*arrays, penalty, noise, excess, out)
        return out

    start, end = max(low - penalty, 1e-14 * low), high - penalty
    if not 0 < start < end:
        return []
    if end > start * _WIDEST:
        raise DomainError(
            f"Peaks are sought over effective ridges within a factor of {_WIDEST:g}; here they are {start:.3g} to "
            f"{end:.3g} of the largest eigenvalue. Drop eigenvalues that no sample can show, or narrow `low` to `high`."
        )
    nodes = np.geomspace(start, end, 2 + int(math.log(end / start) / _SPACING))
    slope = along(nodes)[2]
    found = []
    for k in np.flatnonzero(np.signbit(slope[1:]) != np.signbit(slope[:-1])):
        a, b = nodes[k], nodes[k + 1]
        while b - a > 4e-16 * b:
            middle = (a + b) / 2
            if not a < middle < b:
                break
            if np.signbit(along(np.array([middle]))[2, 0]) == np.signbit(slope[k]):
                a = middle
            else:
                b = middle
        ratio, error, _ = along(np.array([b]))[:, 0]
        # a rising sample ratio is a falling kappa: where E first rises with kappa and then falls there is a peak
        found.append((float(ratio), float(error), bool(slope[k] > 0)))
    return found
