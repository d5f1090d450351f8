"""Retina: filters with their errors, nonlinearities, Fano factors, what can be explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import bars, matrix, swept
from widelimit.validate.report.look import BLUE, INK, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _filter(result: Any, axes: Axes) -> None:
    """A filter of one axis as a curve with its errors, one of two as an image."""
    values = np.asarray(result.filter, float)
    if values.ndim == 2:
        matrix(axes, values, "filter")
        return
    flat = values.ravel()
    places = np.arange(flat.size)
    axes.plot(places, flat, color=BLUE)
    error = getattr(result, "standard_error", None)
    if error is not None:
        spread = np.broadcast_to(np.asarray(error, float), values.shape).ravel()
        axes.fill_between(places, flat - spread, flat + spread, color=BLUE, alpha=0.25, lw=0)
    axes.axhline(0, color=SOFT, lw=0.6)
    axes.set_xlabel("entry of the stimulus")
    axes.set_ylabel("filter")
    if hasattr(result, "cosine"):
        axes.set_title(f"expected cosine with the truth {float(result.cosine):.4g}")


def _model(result: Any, axes: Axes) -> None:
    """The filter of a model, and what the stimuli in hand say of it."""
    _filter(result, axes)
    if np.ndim(result.filter) != 2:
        axes.plot(
            np.asarray(result.average, float).ravel(), "o", color=VERMILLION, ms=3, label="average of stimuli"
        )
        axes.legend()


def _nonlinearity(result: Any, axes: Axes) -> None:
    drive, response, error = (
        np.asarray(one, float) for one in (result.drive, result.response, result.standard_error)
    )
    axes.errorbar(drive, response, yerr=error, fmt="o-", color=BLUE, ms=4, lw=1)
    axes.set_xlabel("drive, filter times stimulus")
    axes.set_ylabel("mean response")


def _cell(result: Any, axes: Axes) -> None:
    """A cell by its nonlinearity; its parts have pictures of their own."""
    _nonlinearity(result.nonlinearity, axes)
    axes.set_title(f"filter's expected cosine {float(result.filter.cosine):.4g}")


def _fano(result: Any, axes: Axes) -> None:
    """Fano factors over the mean, with the fit of latent noise; Poisson counts lie at 1."""
    mean = np.asarray(result.mean, float)
    order = np.argsort(mean)
    axes.plot(mean, np.asarray(result.fano, float), "o", color=BLUE, ms=4, label="measured")
    axes.plot(mean[order], np.asarray(result.predicted, float)[order], color=VERMILLION, label="latent noise")
    axes.axhline(1, color=SOFT, lw=0.8, ls=":")
    axes.set_xlabel("mean response")
    axes.set_ylabel("Fano factor")
    axes.legend()


def _powers(result: Any, axes: Axes) -> None:
    bars(
        axes, {"signal": result.signal_power, "noise": result.noise_power}, x_label="variance of the response"
    )
    axes.set_title(f"best correlation of a model {float(result.ceiling):.4g}")


def _explained(result: Any, axes: Axes) -> None:
    share = float(np.ravel(result.explained)[0])
    bars(axes, {"explained": share, "not explained": 1 - share}, x_label="share of the variance")


def _change(result: Any, axes: Axes) -> None:
    """What of a change of gain a cell without memory shows, and what is adaptation, with its standard error."""
    values = [float(result.change), float(result.static), float(result.adaptation)]
    axes.barh([2, 1, 0], values, color=[SOFT, BLUE, VERMILLION], height=0.6)
    axes.errorbar([values[2]], [0], xerr=[float(result.standard_error)], color=INK, lw=1.4)
    axes.axvline(0, color=SOFT, lw=0.6)
    axes.set_yticks([2, 1, 0], ["change of gain", "without memory", "adaptation"])
    axes.set_xlabel("logarithm of the ratio of gains")


def _accuracy(result: Any, axes: Axes) -> None:
    """The expected cosine over the number of samples, from the signal-to-noise ratio of one."""
    snr, size = (float(np.ravel(one)[0]) for one in (result.snr, result.dimensions))
    samples = np.geomspace(max(size / 10, 1), 1000 * size / max(min(snr, 1), 1e-6), 80)
    axes.semilogx(samples, 1 / np.sqrt(1 + size / (samples * snr)), color=BLUE)
    axes.set_xlabel("samples")
    axes.set_ylabel("cosine of the average with the filter")
    axes.set_ylim(0, 1.02)


PICTURES = {
    "Filter": _filter,
    "ModelFilter": _model,
    "Nonlinearity": _nonlinearity,
    "Cell": _cell,
    "FanoCurve": _fano,
    "Reliability": _powers,
    "Ceiling": _explained,
    "Accuracy": swept("cosine", "likelihood_cosine", one=_accuracy),
    "ContrastChange": _change,
    "Variability": swept("fano", "mean", "variance"),
    "Adaptation": swept("state", "gain", "recovery"),
}
NO_PICTURE = {"FanoMaximum": "it is one point of a curve"}
