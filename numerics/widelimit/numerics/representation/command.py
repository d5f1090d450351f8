"""What the command line asks of the topic: the exponent of a recording, or what a power law would read as."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.representation.codes import fit_exponent
from widelimit.numerics.representation.correction import corrected
from widelimit.numerics.representation.limit import LEAST_STIMULI, expected_cvpca
from widelimit.numerics.representation.recordings import read
from widelimit.numerics.representation.spectra import smoothness_bound
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError


@by_value
@dataclass(frozen=True)
class ExpectedExponents:
    """What a true power law reads as, fitted from `first_rank` to `last_rank`.

    `exponent` is the true one, `cross_validated` what cross-validated PCA shows on average, `sample` plain PCA, `bound`
    = 1 + 2/D, None where no dimension was given.
    """

    exponent: float
    cross_validated: float
    sample: float
    first_rank: int
    last_rank: int
    bound: float | None


@by_value
@dataclass(frozen=True)
class RecordedExponent:
    """The exponent of a recording, corrected.

    `exponent` is freed of the bias of cross-validated PCA and lies between `low` and `high`, `raw_exponent` is not;
    `noise`: variance of one unit in one repeat; `visible`: ranks of the fit that stand above the noise one by one;
    `flatness`: one for white noise. `bound` = 1 + 2/D, `verdict` (smooth, rough or undecided) and `deciding_stimuli`
    (about how many stimuli would decide) are None where no dimension was given.
    """

    exponent: float
    low: float
    high: float
    standard_error: float
    raw_exponent: float
    noise: float
    stimuli: int
    units: int
    first_rank: int
    last_rank: int
    visible: int
    flatness: float
    bound: float | None
    verdict: str | None
    deciding_stimuli: float | None


def predict(
    *,
    recording: str | None = None,
    dimension: float | None = None,
    exponent: float = 1.04,
    units: int = 500,
    stimuli: int = 400,
    noise: float = 0.02,
    first_rank: int = 11,
    last_rank: int | None = None,
    level: float = 0.95,
    draws: int = 40,
) -> ExpectedExponents | RecordedExponent:
    """Correct the exponent of a recording, or say what a true exponent reads as.

    Parameters
    ----------
    recording
        A .npy, .npz or .mat file with an array of shape (2, stimuli, units): two repeats of the same stimuli.
    dimension
        D of the manifold of stimuli: the exponent is compared with 1 + 2/D.
    exponent
        Without a recording: the true exponent; eigenvalues are n^-exponent.
    units
        Without a recording: how many are recorded.
    stimuli
        Without a recording: how many are shown.
    noise
        Without a recording: variance of the noise of one unit in one repeat.
    first_rank
        First rank of the fit.
    last_rank
        Last rank of the fit. 500 for a recording, a quarter of the stimuli without one.
    level
        With a recording: of the interval.
    draws
        With a recording: how many simulated recordings the interval is from.

    >>> found = predict(last_rank=100)
    >>> round(found.cross_validated, 4), round(found.sample, 4)
    (0.8881, 0.4212)
    """
    bound = (
        None
        if dimension is None
        else float(arguments.single("dimension", np.asarray(smoothness_bound(dimension))))
    )
    arguments.number_within("level", level, 0.0, 1.0)
    arguments.count("draws", draws)
    if recording is None:
        return _expected(exponent, units, stimuli, noise, first_rank, last_rank, bound)
    one, other = read(recording)
    found = corrected(
        one,
        other,
        first_rank=first_rank,
        last_rank=500 if last_rank is None else last_rank,
        level=level,
        draws=draws,
    )
    deciding = found.deciding_stimuli(dimension) if dimension is not None else None
    return RecordedExponent(
        exponent=found.exponent,
        low=found.interval[0],
        high=found.interval[1],
        standard_error=found.standard_error,
        raw_exponent=found.raw_exponent,
        noise=found.noise,
        stimuli=found.stimuli,
        units=found.units,
        first_rank=found.ranks[0],
        last_rank=found.ranks[1],
        visible=found.visible,
        flatness=found.flatness,
        bound=bound,
        verdict=found.verdict(dimension) if dimension is not None else None,
        deciding_stimuli=deciding,
    )


def _expected(
    exponent: float, units: int, stimuli: int, noise: float, first: int, last: int | None, bound: float | None
) -> ExpectedExponents:
    alpha = arguments.positive_number("exponent", exponent)
    count = costs.affordable("units", arguments.count("units", units), memory=64.0, seconds=3e-5, each="unit")
    shown = arguments.count("stimuli", stimuli, LEAST_STIMULI)
    level = arguments.non_negative_number("noise", noise)
    start = arguments.count("first_rank", first)
    end = max(start + 4, shown // 4) if last is None else arguments.count("last_rank", last)
    most = min(count, shown)
    if end > most:
        raise ArgumentError("last_rank", f"must be at most {most}, the number of ranks", end)
    with np.errstate(under="ignore"):
        spectrum = np.exp(-alpha * np.log(np.arange(1, count + 1.0)))
    found = expected_cvpca(spectrum, noise=level, stimuli=shown)
    fits = [
        fit_exponent(one, first=start, last=end).exponent for one in (found.cross_validated, found.sample)
    ]
    return ExpectedExponents(alpha, fits[0], fits[1], start, end, bound)
