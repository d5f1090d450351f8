"""Ridge regression: what the error is made of, learning curves with the best penalty, spectra and transitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import bars, lines, swept
from widelimit.validate.report.look import BLUE, GREEN, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.numerics.ridge import DataPrediction, DataTheory, PhaseTransitions, RidgeSolution

_CURVE = 16  # places of a learning curve


def _parts(result: RidgeSolution, axes: Axes) -> None:
    """What the test error of one point is made of."""
    noise = float(result.test_error) - float(result.bias) - float(result.variance)
    parts = {
        "label noise": max(noise, 0.0),
        "bias": result.bias,
        "variance by inputs": result.variance_of_inputs,
        "variance by noise": result.variance_of_noise,
        "test error": result.test_error,
        "training error": result.training_error,
    }
    bars(axes, parts, x_label="mean squared error")


def _solution(result: RidgeSolution, axes: Axes, x: Any = None, label: str = "") -> None:
    """Errors over the argument that was an array; one point by its parts."""
    if np.ndim(result.test_error) == 0:
        return _parts(result, axes)
    swept("test_error", "training_error", "bias", "variance", log="y")(result, axes, x, label)
    return None


def _prediction(result: DataPrediction, axes: Axes) -> None:
    """The predicted learning curve of a data set, each number of samples at its best penalty."""
    samples, mean, error = (
        np.asarray(one, float)
        for one in (result.curve_samples, result.curve_test_error, result.curve_standard_error)
    )
    _band(axes, samples, mean, error)
    low, high = float(result.best_error_low), float(result.best_error_high)
    _here(axes, result.samples, result.test_error, low, high)
    axes.set_title(f"best penalty here: {float(result.penalty):.4g}")


def _band(axes: Axes, samples: Any, mean: Any, error: Any) -> None:
    axes.plot(samples, mean, color=BLUE, label="predicted, best penalty")
    axes.fill_between(samples, np.maximum(mean - error, mean / 10), mean + error, color=BLUE, alpha=0.2, lw=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("samples")
    axes.set_ylabel("test error")


def _here(axes: Axes, samples: float, error: float, low: float, high: float) -> None:
    bar = [[max(float(error) - low, 0.0)], [max(high - float(error), 0.0)]]
    axes.errorbar(
        [float(samples)], [float(error)], yerr=bar, fmt="o", color=VERMILLION, ms=5, label="these data, 95 %"
    )
    axes.legend()


def _data(result: DataTheory, axes: Axes) -> None:
    """The learning curve of a data set at the best penalty of each size, from a tenth to ten times as many samples."""
    samples = np.unique(np.geomspace(max(4, result.samples / 10), 10 * result.samples, _CURVE).round())
    means, errors = [], []
    for n in samples:
        best = float(result.best_penalty(n))
        curve = result.learning_curve(samples=[n], penalty=[best])
        means.append(float(curve.test_error.values[0, 0]))
        errors.append(float(curve.test_error_standard_error.values[0, 0]))
    _band(axes, samples, np.array(means), np.array(errors))
    low, high = (float(end) for end in result.test_error_interval)
    _here(axes, result.samples, result.test_error, low, high)
    axes.set_title(f"best penalty here: {float(result.penalty):.4g}")


def _best(result: Any, axes: Axes, x: Any = None, label: str = "") -> None:
    """The best penalty and its error over the argument that was an array."""
    swept("test_error", "penalty")(result, axes, x, label)


def _sensitivity(result: Any, axes: Axes, x: Any = None, label: str = "") -> None:
    """How the error moves with samples: below zero more data help."""
    swept("by_samples")(result, axes, x, label)
    axes.axhline(0, color=SOFT, lw=0.6)
    axes.set_ylabel("d log E / d log N: above 0 more data hurt")


def _gaps(result: Any, axes: Axes) -> None:
    """Bulks as bands, as high as their share of dimensions."""
    for low, high, share in zip(result.lower, result.upper, result.fractions, strict=True):
        axes.fill_between([low, high], 0, share, color=BLUE, alpha=0.4, lw=0)
    axes.set_xscale("log")
    axes.set_ylim(0, None)
    axes.set_xlabel("eigenvalue of the sample covariance")
    axes.set_ylabel("share of dimensions in the bulk")


def _peaks(result: Any, axes: Axes) -> None:
    """Maxima and minima of the error over samples per dimension."""
    for x, y, colour, name in (
        (result.peak_ratio, result.peak_error, VERMILLION, "peaks"),
        (result.valley_ratio, result.valley_error, GREEN, "valleys"),
    ):
        places, values = np.asarray(x, float), np.asarray(y, float)
        endless = ~np.isfinite(values)
        axes.plot(places[~endless], values[~endless], "o", color=colour, label=name)
        for place in places[endless]:
            axes.axvline(place, color=colour, ls="--", lw=1, label="infinite")
    axes.set_xlabel("samples per dimension")
    axes.set_ylabel("test error")
    axes.legend()


def _transitions(result: PhaseTransitions, axes: Axes) -> None:
    """Where along a learning curve something changes, a row a kind."""
    ratios = np.asarray(result.peaks.peak_ratio, float)
    rows = (
        ("peaks of the error", ratios, VERMILLION),
        ("gaps open", np.asarray(result.gaps, float).ravel(), BLUE),
        ("best penalty jumps", np.array([jump.sample_ratio for jump in result.jumps], float), GREEN),
    )
    for k, (_, places, colour) in enumerate(rows):
        axes.plot(places, np.full(places.shape, k), "o", color=colour)
    for low, high in np.asarray(result.negative, float).reshape(-1, 2):
        axes.plot([low, high], [3, 3], color=SOFT, lw=4)
    axes.set_yticks(range(4), [name for name, _, _ in rows] + ["best penalty negative"])
    axes.set_ylim(-0.5, 3.5)
    axes.set_xlabel("samples per dimension")


def _spectrum(result: Any, axes: Axes) -> None:
    """Eigenvalues with their shares of dimensions and of the signal."""
    x = np.asarray(result.eigenvalues, float)
    curves = {"share of dimensions": result.weights}
    if result.signal is not None:
        curves["signal variance"] = result.signal
    for (name, y), colour, mark in zip(curves.items(), (BLUE, VERMILLION), "os", strict=False):
        axes.vlines(x, 0, y, color=colour, lw=1)
        axes.plot(x, y, mark, color=colour, ms=4, label=name)
    axes.set_xscale("log")
    axes.set_xlabel("eigenvalue of the covariance")
    axes.legend()


def _power(result: Any, axes: Axes) -> None:
    """Laws of the error over samples, from its exponents: bias, and the plateau that noise leaves."""
    here = float(np.asarray(result.degrees_of_freedom).ravel()[0])
    bias = float(np.asarray(result.bias).ravel()[0])
    samples = np.geomspace(max(here / 30, 1), here * 30, 60)
    curves = {"squared bias": bias * (samples / here) ** -float(np.asarray(result.error_exponent).ravel()[0])}
    plateau = float(np.asarray(result.plateau).ravel()[0])
    if plateau > 0:
        curves["left by noise"] = np.full(samples.shape, plateau)
    lines(axes, samples, curves, x_label="samples", y_label="excess error without a penalty", log="xy")


PICTURES = {
    "RidgeSolution": _solution,
    "DataPrediction": _prediction,
    "DataTheory": _data,
    "BestPenalty": _best,
    "FeatureSolution": swept("test_error", "training_error", log="y"),
    "RidgeAtSamples": swept("test_error", "training_error", "cross_validation", log="y"),
    "Sensitivity": _sensitivity,
    "HessianGaps": _gaps,
    "Peaks": _peaks,
    "PhaseTransitions": _transitions,
    "Spectrum": _spectrum,
    "PowerLaw": _power,
}
NO_PICTURE = {
    "RidgeGradient": "draw its `value`; derivatives are numbers by argument",
    "RidgeSlopes": "derivatives are numbers by argument; draw the `value` beside them",
    "BestPenaltyGradient": "draw its `value`; derivatives are numbers by argument",
    "BestPenaltySlopes": "derivatives are numbers by argument; draw the `value` beside them",
    "Minimum": "it is one point of a curve, three numbers",
    "Jump": "it is one point of a curve, four numbers",
}
