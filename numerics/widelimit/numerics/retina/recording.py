"""All that a recording of one cell tells: filter, nonlinearity, noise, ceiling, and how long to record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.retina import checks
from widelimit.numerics.retina.filters import Filter, by_drive, lagged, sta
from widelimit.numerics.retina.repeats import (
    FanoCurve,
    Reliability,
    fano_curve,
    normalized_correlation,
    reliability,
)
from widelimit.numerics.retina.sampling import sta_accuracy
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_MOST = 2000  # dimensions that a stimulus' own covariance is estimated of


@by_value
@dataclass(frozen=True)
class Nonlinearity:
    """Response by what a filter of unit length makes of the stimulus: `drive`, `response`, `standard_error` of bins.

    The filter of each half of the recording is tried on the other half, so that nothing is fitted twice.
    `correlation`: of the response with this curve, on those halves.
    """

    drive: Array
    response: Array
    standard_error: Array
    correlation: float


@by_value
@dataclass(frozen=True)
class Cell:
    """A cell: `filter`, `nonlinearity`; from repeats `reliability` and `fano`, None without trials.

    `normalized_correlation`: of the linear-nonlinear model with the signal, None without trials of the same bins.
    """

    filter: Filter
    nonlinearity: Nonlinearity
    reliability: Reliability | None
    fano: FanoCurve | None
    normalized_correlation: float | None

    def samples_for(self, cosine: Any) -> Any:
        """Return how many bins a wanted cosine between filter and truth takes."""
        return self.filter.samples_for(cosine)

    def seconds_for(self, cosine: Any, bin: Any) -> Any:
        """Return how many seconds of recording it takes, `bin` being the width of a bin in seconds."""
        width = arguments.single("bin", checks.scale("bin", bin))
        return arguments.scalar(np.asarray(np.asarray(self.samples_for(cosine)) * width))


def cell(
    stimulus: Any,
    response: Any,
    trials: Any = None,
    *,
    lags: int = 1,
    whiten: bool = False,
    ridge: float = 0.0,
    counted: bool = False,
    bins: int = 12,
) -> Cell:
    """Return what a recording tells about a cell: filter, nonlinearity, Fano curve, ceiling, recording time.

    Args:
        stimulus: one row for each bin, of any shape; an array, or a file (.npy, .npz, text, .h5).
        response: counts or rates, one for each bin.
        trials: responses to repeats of one stimulus, (trials, bins).
        lags: frames of the stimulus, up to the bin's own, that the response may depend on.
        whiten: whether to divide by the stimulus' own covariance, where it is not white.
        ridge: added to that covariance's diagonal.
        counted: whether responses are Poisson counts behind the latent noise.
        bins: of the nonlinearity and of the Fano curve.

    Raises `ArgumentError` for lengths that differ, constant or negative responses, one trial only, or a stimulus whose
    covariance is singular without ridge.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((4000, 5))
    >>> found = cell(x, rng.poisson(np.exp(0.7 * x[:, 0] - 1)))
    >>> found.filter.cosine > 0.98, found.samples_for(0.99) > 300, found.seconds_for(0.99, 0.01) > 3
    (True, True, True)
    """
    depth, own = arguments.count("lags", lags), arguments.flag("whiten", whiten)
    wanted = arguments.count("bins", bins, least=2)
    x, r = lagged(stimulus, response, depth, counts=True)
    flat = x.reshape(len(x), -1)
    matrix = _covariance(flat) if own else None
    found = sta(flat, r, matrix, ridge=ridge)
    shaped = Filter(
        found.filter.reshape(x.shape[1:]), found.standard_error.reshape(x.shape[1:]), found.cosine, found.snr,
        found.samples, found.dimensions,
    )  # fmt: skip
    curve, guess = _nonlinearity(flat, r, matrix, ridge, wanted)
    if trials is None:
        return Cell(shaped, curve, None, None, None)
    repeats = checks.trials(trials, counts=True)
    same = repeats.shape[1] == len(guess)
    explained = None
    repeated = reliability(repeats)
    if same and repeated.signal_power > 0 and guess.std() > 0:
        explained = normalized_correlation(guess, repeats)
    return Cell(shaped, curve, repeated, fano_curve(repeats, counted=counted, bins=wanted), explained)


def _covariance(rows: Array) -> Array:
    if rows.shape[1] > _MOST:
        raise ArgumentError(
            "whiten", f"must be for {_MOST} dimensions or fewer", but=f"is for {rows.shape[1]}",
            help="Whiten by a model of the stimulus' covariance: sta(stimulus, response, covariance).",
        )  # fmt: skip
    checked = arguments.real("stimulus", rows)
    away = checked - checked.mean(0)
    return np.asarray(away.T @ away / len(away))


def _nonlinearity(
    rows: Array, r: Array, matrix: Array | None, ridge: float, bins: int
) -> tuple[Nonlinearity, Array]:
    """The curve, and what it predicts of every bin."""
    middle = len(rows) // 2
    drive = np.empty(len(rows))
    for train, test in ((slice(0, middle), slice(middle, None)), (slice(middle, None), slice(0, middle))):
        if middle < 4 or (r[train] == r[train][0]).all():
            raise ArgumentError("response", "must vary in both halves of the recording", but="does not")
        k = sta(rows[train], r[train], matrix, ridge=ridge).filter
        length = float(np.linalg.norm(k))
        drive[test] = rows[test] @ (k / length if length > 0 else k)
    parts, centre, mean = by_drive(drive, r, min(bins, len(rows) // 2))
    error = np.array([r[part].std(ddof=1) / np.sqrt(len(part)) for part in parts])
    guess = np.interp(drive, centre, mean)
    fits = np.corrcoef(guess, r)[0, 1] if guess.std() > 0 else 0.0
    return Nonlinearity(centre, mean, error, float(fits)), guess


def predict(
    activation: str = "exp(x - 1)",
    gain: float = 0.7,
    dimensions: int = 60,
    samples: int = 4000,
    input_std: float = 1.0,
    stimulus: str | None = None,
    response: str | None = None,
    trials: str | None = None,
    lags: int = 1,
) -> dict[str, float]:
    """Return how well a recording tells a cell's filter: by theory, or from files of a recording.

    Args:
        activation: rate as a function of x, the stimulus along the filter times the gain.
        gain: of the filter.
        dimensions: of the stimulus.
        samples: bins.
        input_std: standard deviation of the white stimulus.
        stimulus: a file (.npy, .npz, text, .h5) with one row for each bin; then the recording's own figures.
        response: a file of one number for each bin.
        trials: a file of repeats, (trials, bins).
        lags: frames that a response depends on.

    >>> found = predict("exp(0.7*x - 1)", gain=1.0)
    >>> round(found["cosine"], 9), round(found["variance_ratio"], 6)
    (0.960881519, 1.297195)
    """
    arguments.count("lags", lags)
    if stimulus is None and response is None and trials is None:
        found = sta_accuracy(
            activation, gain=gain, dimensions=dimensions, samples=samples, input_std=input_std
        )
        return {
            "cosine": found.cosine,
            "likelihood_cosine": found.likelihood_cosine,
            "variance_ratio": found.variance_ratio,
            "snr": found.snr,
            "samples_for_95": found.samples_for(0.95),
            "samples_for_99": found.samples_for(0.99),
        }
    if stimulus is None or response is None:
        missing = "stimulus" if stimulus is None else "response"
        raise ArgumentError(missing, "must be a file", but="was not given", help="Both are needed.")
    one = cell(stimulus, response, trials, lags=lags)
    out = {
        "cosine": one.filter.cosine,
        "snr": one.filter.snr,
        "samples_for_95": float(one.samples_for(0.95)),
        "samples_for_99": float(one.samples_for(0.99)),
        "correlation": one.nonlinearity.correlation,
    }
    if one.reliability is not None and one.fano is not None:
        out |= {"ceiling": one.reliability.ceiling, "signal_power": one.reliability.signal_power}
        out |= {"latent_noise": one.fano.noise, "latent_noise_error": one.fano.noise_error}
    return out
