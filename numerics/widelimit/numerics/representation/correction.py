"""The exponent behind a recording: cross-validated PCA corrected for its bias, with an interval.

model      lambda_n = exp(level) n^-alpha for all units and white noise, of the variance by which two repeats differ
match      alpha and level at which the measured cv_n scatter evenly about what theory expects: the root of two
           equations that are linear in the data, so that negative estimates of late ranks are used as they are
interval   by recordings drawn from the fitted model, each matched as well; or by random halves of the
           stimuli, corrected for half as many

Eigenvalues of one matrix repel each other: resampled stimuli scatter more than new ones, so that halves (and every
other resampling) are cautious, by about a factor of two. Draws of the model have the scatter of new stimuli if
responses are nearly Gaussian.
"""

from __future__ import annotations

import math
import warnings
import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from widelimit.numerics import arguments
from widelimit.numerics.representation.codes import FEWEST, cross, fit_exponent, pair
from widelimit.numerics.representation.limit import expected_cvpca
from widelimit.numerics.representation.spectra import smoothness_bound
from widelimit.numerics.results import pictured
from widelimit.theory.errors import ArgumentError, DataWarning, DomainError

Array = np.ndarray
_STEP = 1e-4  # of alpha and level, for slopes
_NEAR = 3  # steps from the fitted model to what a recording drawn from it gives
_FLAT = 0.5  # noise is called white above this
_HELP = "Use more stimuli, a range of lower ranks, or more units."


@pictured
@dataclass(frozen=True)
class CorrectedExponent:
    """The exponent of the signal's spectrum behind two repeats.

    `exponent` with its `interval` and `standard_error`; `raw_exponent` is the fit to cross-validated PCA as it stands.
    `noise`: variance of one unit in one repeat. `amplitude`: the first eigenvalue of the fitted power law. `ranks`:
    first and last of the fit; `visible`: how many eigenvalues of the fit stand above the noise one by one, beyond
    sqrt(N/T) sigma^2: where there are few, the exponent rests on the model. `flatness` of the noise's spectrum, one if
    it is white. `stimuli` and `units` of the recording, `level` of the interval.
    """

    exponent: float
    interval: tuple[float, float]
    raw_exponent: float
    standard_error: float
    noise: float
    amplitude: float
    ranks: tuple[int, int]
    visible: int
    flatness: float
    stimuli: int
    units: int
    level: float

    def verdict(self, dimension: float) -> str:
        """Whether the code of a manifold of so many dimensions is smooth, rough, or undecided: 1 + 2/D is inside.

        Raises `ArgumentError` for dimensions below one.
        """
        bound = arguments.single("dimension", np.asarray(smoothness_bound(dimension)))
        if self.interval[0] > bound:
            return "smooth"
        return "rough" if self.interval[1] < bound else "undecided"

    def deciding_stimuli(self, dimension: float) -> float:
        """About how many stimuli would put 1 + 2/D outside of the interval; infinite for an exponent at the bound.

        Intervals shrink like T^(-1/2) or faster.
        """
        bound = arguments.single("dimension", np.asarray(smoothness_bound(dimension)))
        off, half = abs(self.exponent - bound), (self.interval[1] - self.interval[0]) / 2
        return math.ceil(self.stimuli * (half / off) ** 2) if off > 1e-6 * half else math.inf


class _Match(NamedTuple):
    """A range of ranks, what the model expects there at (alpha, level), and the slopes of the equations."""

    ranks: Array
    expected: Array
    slopes: Array


def corrected(
    first: Any,
    second: Any,
    *,
    first_rank: int = 11,
    last_rank: int = 500,
    level: float = 0.95,
    draws: int = 40,
    resample: str = "model",
    seed: int = 0,
) -> CorrectedExponent:
    """Return the exponent of the signal's spectrum behind two repeats of the same stimuli, freed of the bias of cvPCA.

    Fits a power law of all units and white noise such that the limit of cross-validated PCA (`expected_cvpca`) matches
    what is measured in a range of ranks.

    Args:
        first: responses of one repeat, stimuli x units.
        second: of the other, the same stimuli and units in the same order.
        first_rank: of the fit, counted from 1.
        last_rank: of the fit, or the last that there is.
        level: of the interval.
        draws: how many recordings, or halvings of the stimuli, the interval is from.
        resample: "model" draws Gaussian recordings from the fit; "stimuli" takes halves of them, which is cautious.
        seed: of the draws, which differ from recording to recording as well.

    Raises `ArgumentError` for repeats that `cvpca` refuses and for fewer than five ranks; `DomainError` where no power
    law matches, as the noise is too large. Noise that is far from white gives a `DataWarning`.

    >>> rng = np.random.default_rng(0)
    >>> signal = rng.standard_normal((150, 200)) * np.arange(1, 201.0) ** -0.55
    >>> one, other = (signal + 0.1 * rng.standard_normal((150, 200)) for _ in range(2))
    >>> found = corrected(one, other, first_rank=5, last_rank=50)
    >>> round(found.raw_exponent, 2), round(found.exponent, 2), found.interval[0] < 1.1 < found.interval[1]
    (1.07, 1.1, True)
    """
    count = arguments.count("draws", draws, 5)
    one, other = pair(first, second, times=count)
    stimuli, units = one.shape
    most = min(stimuli - 1, units)
    begin, end = arguments.count("first_rank", first_rank), arguments.count("last_rank", last_rank)
    if min(end, most) < begin + FEWEST - 1:
        must = f"must be {FEWEST - 1} or more above `first_rank`"
        but = f"is {end}, and {stimuli} stimuli of {units} units have {most} ranks"
        raise ArgumentError("last_rank", must, but=but)
    share = arguments.number_within("level", level, 0.5, 0.999)
    how = arguments.choice("resample", resample, ("model", "stimuli"))
    chosen = arguments.count("seed", seed, 0)
    generator = np.random.default_rng([chosen, zlib.crc32(np.ascontiguousarray(one).tobytes())])
    size = float(np.abs(one).max())
    one, other = one / size, other / size
    flatness = _flatness(one - other)
    if flatness < _FLAT:
        warnings.warn(
            f"The noise is far from white (flatness {flatness:.2f}): directions of much noise are read as a steeper "
            "spectrum. The correction assumes white noise of the same variance.",
            DataWarning,
            stacklevel=2,
        )
    ranks = np.arange(begin, min(end, most) + 1)
    measured, noise = _measured(one, other, ranks)
    raw = fit_exponent(cross(one, other).signal, first=begin, last=end)
    at = _matched(measured, noise, (stimuli, units), ranks, np.array([raw.exponent, raw.intercept]))
    error = (
        _by_model(at, noise, (stimuli, units), ranks, count, generator)
        if how == "model"
        else _by_halves(one, other, at, ranks, count, generator)
    )
    reach = float(stdtrit(count - 1, (1 + share) / 2)) * error
    amplitude = float(np.exp(at[1]))
    threshold = math.sqrt(units / stimuli) * noise
    return CorrectedExponent(
        exponent=float(at[0]),
        interval=(float(at[0] - reach), float(at[0] + reach)),
        raw_exponent=raw.exponent,
        standard_error=error,
        noise=noise * size**2,
        amplitude=amplitude * size**2,
        ranks=(begin, int(ranks[-1])),
        visible=int((amplitude * ranks ** -at[0] > threshold).sum()),
        flatness=flatness,
        stimuli=stimuli,
        units=units,
        level=share,
    )


def _measured(one: Array, other: Array, ranks: Array) -> tuple[Array, float]:
    """Cross-validated eigenvalues of a range of ranks, and the variance of the noise."""
    stimuli, units = one.shape
    noise = float(np.sum((one - other) ** 2)) / (2 * (stimuli - 1) * units)
    return cross(one, other).signal[ranks - 1], noise


def _flatness(difference: Array) -> float:
    """Squared mean over mean square of the eigenvalues of the noise, by unbiased estimates of both for Gaussians."""
    stimuli, units = difference.shape
    free = stimuli - 1
    gram = difference.T @ difference if units < stimuli else difference @ difference.T
    trace, square = float(np.trace(gram)) / free, float(np.sum(gram**2)) / free**2
    if trace == 0.0 or free < 2:
        return 1.0
    of_squares = free**2 / ((free - 1) * (free + 2)) * (square - trace**2 / free)
    return min(1.0, trace**2 / units / of_squares) if of_squares > 0 else 1.0


def _expected(at: Array, noise: float, shape: tuple[int, int], ranks: Array) -> Array:
    """What the model expects of recordings whose means over stimuli are subtracted."""
    stimuli, units = shape
    with np.errstate(all="ignore"):
        spectrum = np.exp(at[1] - at[0] * np.log(np.arange(1, units + 1.0)))
    if not np.isfinite(spectrum).all() or spectrum.max() > 1e100:
        raise DomainError(
            f"No power law matches the cross-validated spectrum: the noise is too large. {_HELP}"
        )
    found = expected_cvpca(spectrum, noise=noise, stimuli=max(stimuli - 1, 3))
    return found.cross_validated[ranks - 1] * (1 - 1 / stimuli)


def _equations(measured: Array, expected: Array, ranks: Array) -> Array:
    """Weighted sums of relative deviations, with and without log n: both vanish where the deviations are even."""
    weights, x = 1 / ranks, np.log(ranks)
    off = weights * (measured / expected - 1)
    return np.array([off.sum(), (off * (x - np.average(x, weights=weights))).sum()])


def _prepared(at: Array, noise: float, shape: tuple[int, int], ranks: Array) -> _Match:
    """The model at a place, and how the equations fall as alpha and level grow, for data as expected."""
    here = _expected(at, noise, shape, ranks)
    slopes = np.empty((2, 2))
    for k in range(2):
        moved = at.copy()
        moved[k] += _STEP
        slopes[:, k] = _equations(here, _expected(moved, noise, shape, ranks), ranks) / _STEP
    return _Match(ranks, here, slopes)


def _matched(measured: Array, noise: float, shape: tuple[int, int], ranks: Array, start: Array) -> Array:
    """The root in (alpha, level), by Newton's method with steps that are kept short."""
    at = np.array(start)
    for _ in range(60):
        match = _prepared(at, noise, shape, ranks)
        left, slopes = _equations(measured, match.expected, ranks), match.slopes
        if not (np.isfinite(slopes).all() and np.isfinite(left).all()) or np.linalg.cond(slopes) > 1e10:
            break
        move = -np.linalg.solve(slopes, left)
        move *= min(1.0, 0.3 / max(abs(move[0]), abs(move[1]) / 3, 1e-300))
        at = at + move
        if at[0] <= 0.0 or at[0] > 20.0:
            break
        if np.abs(move).max() < 1e-8:
            return at
    raise DomainError(f"No power law matches the cross-validated spectrum: the noise is too large. {_HELP}")


def _by_model(
    at: Array, noise: float, shape: tuple[int, int], ranks: Array, draws: int, generator: np.random.Generator
) -> float:
    """Standard deviation of alpha over Gaussian recordings of the fitted model."""
    stimuli, units = shape
    match = _prepared(at, noise, shape, ranks)
    roots, found = np.exp((at[1] - at[0] * np.log(np.arange(1, units + 1.0))) / 2), []
    for _ in range(draws):
        signal = generator.standard_normal((stimuli, units)) * roots
        one, other = (
            signal + math.sqrt(noise) * generator.standard_normal((stimuli, units)) for _ in range(2)
        )
        measured, drawn = _measured(one - one.mean(axis=0), other - other.mean(axis=0), ranks)
        found.append(_near(match, measured, at, drawn, shape)[0])
    return float(np.std(found, ddof=1))


def _near(match: _Match, measured: Array, at: Array, noise: float, shape: tuple[int, int]) -> Array:
    """The root next to that of the model, with the model's slopes: a step or two do."""
    found = at
    for _ in range(_NEAR):
        off = _equations(measured, _expected(found, noise, shape, match.ranks), match.ranks)
        found = found - np.linalg.solve(match.slopes, off)
    return found


def _by_halves(
    one: Array, other: Array, at: Array, ranks: Array, draws: int, generator: np.random.Generator
) -> float:
    """Root mean square deviation of halves of the stimuli, each corrected for its number, from the whole."""
    stimuli, found = len(one), []
    half = stimuli // 2
    ranks = ranks[ranks <= min(half - 1, one.shape[1])]
    if ranks.size < FEWEST:
        must = f"must be twice {FEWEST + 1} beyond `first_rank` or more to be halved"
        raise ArgumentError("first", must, but=f"has {stimuli} stimuli", help="Use resample='model'.")
    for _ in range(draws):
        order = generator.permutation(stimuli)[:half]
        a, b = (repeat[order] - repeat[order].mean(axis=0) for repeat in (one, other))
        measured, noise = _measured(a, b, ranks)
        found.append(_matched(measured, noise, (half, one.shape[1]), ranks, at)[0] - at[0])
    return float(np.sqrt(np.mean(np.square(found))))
