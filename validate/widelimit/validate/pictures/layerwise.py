"""Topics whose results are numbers layer by layer: geometry, convolution, recurrence, residual networks, batch norm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import bars, lines, matrix
from widelimit.validate.report.look import BLUE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DEPTH = 30


def circle(result: Any, axes: Axes) -> None:
    """A great circle of inputs: its length and curvature layer by layer."""
    length = np.asarray(result.length, float)
    curves = {"length": length}
    if result.curvature is not None:
        curves |= {
            "N κ²": np.asarray(result.curvature, float),
            "length of the Gauss map": np.asarray(result.gauss_length, float),
        }
    lines(axes, np.arange(length.size), curves, x_label="layer", log="y")


def straight(result: Any, axes: Axes) -> None:
    """A straight line of inputs: its length and the kinks that it crosses, layer by layer."""
    length, crossings = np.asarray(result.length, float), np.asarray(result.crossings, float)
    curves = {"length": length} | ({"kinks crossed, a unit": crossings} if (crossings > 0).any() else {})
    lines(axes, np.arange(length.size), curves, x_label="layer", log="y")


def modes(result: Any, axes: Axes) -> None:
    """Growth a layer of each Fourier mode: above 1 it grows."""
    lines(
        axes,
        result.wave_number,
        {"factor a layer": result.factor, "of the filter alone": result.multiplier},
        x_label="wave number",
    )
    axes.axhline(1, color=SOFT, lw=0.8, ls=":")


def gated(result: Any, axes: Axes) -> None:
    """Squared gradients back in time, with the gate and with what a published implementation leaves out."""
    steps = np.arange(_DEPTH + 1)
    curves = {
        "with the gate": steps * np.log10(max(float(np.ravel(result.chi_1)[0]), 1e-300)),
        "gate left out": steps * np.log10(max(float(np.ravel(result.chi_1_without_gate)[0]), 1e-300)),
    }
    lines(axes, steps, curves, x_label="steps back", y_label="log10 of the squared gradient")


def bypassed(result: Any, axes: Axes) -> None:
    """Squared perturbations in time: what one step makes of them, again and again."""
    steps = np.arange(_DEPTH + 1)
    growth = np.log10(max(float(np.ravel(result.chi_1)[0]), 1e-300))
    lines(
        axes,
        steps,
        {"squared perturbation": steps * growth},
        x_label="steps",
        y_label="log10 of a squared perturbation",
    )
    axes.axhline(0, color=SOFT, lw=0.6)


def two_time(result: Any, axes: Axes) -> None:
    """The covariance of two times, or the variance in time."""
    if result.covariance is not None:
        matrix(axes, result.covariance, "covariance")
        axes.set_xlabel("time")
        axes.set_ylabel("time")
        return
    variance = np.asarray(result.variance, float)
    lines(axes, np.arange(variance.size), {"variance": variance}, x_label="time")


def residual(result: Any, axes: Axes) -> None:
    """Second moment and squared gradient, layer by layer."""
    moment, gradient = np.asarray(result.second_moment, float), np.asarray(result.gradient, float)
    lines(
        axes,
        np.arange(moment.size),
        {"second moment": moment, "squared gradient, over that at the top": gradient},
        x_label="layer",
        log="y",
    )


def post_activation(result: Any, axes: Axes) -> None:
    """Share of units that are zero, mean and second moment, block after block."""
    blocks = np.arange(len(np.asarray(result.zeros)))
    curves = {"share of zeros": result.zeros, "mean": result.mean, "second moment": result.second_moment}
    lines(axes, blocks, curves, x_label="block")


def coverage(result: Any, axes: Axes) -> None:
    """Share of a filter's taps that meet positions, at each output (of several dimensions along the first)."""
    share = np.asarray(result.share, float)
    lines(axes, np.arange(share.size), {"share of taps": share.ravel()}, x_label="output")


def batch(result: Any, axes: Axes) -> None:
    """Squared gradients back through layers of batch normalisation: they explode wherever the factor is above 1."""
    layers = np.arange(_DEPTH + 1)
    factor = float(np.ravel(result.factor)[0])
    lines(
        axes,
        layers,
        {"squared gradient": layers * np.log10(factor)},
        x_label="layers back",
        y_label="log10 of the squared gradient",
    )
    axes.set_title(
        f"{factor:.4g} a layer" + ("" if np.all(result.stable) else ", and lengths are not stable")
    )


def statistics(result: Any, axes: Axes) -> None:
    """Levels of the Fisher spectrum on a logarithmic line, and the largest at this width."""
    parts = {
        "mean": result.mean,
        "bulk": result.bulk,
        "outlier": result.outlier,
        "largest": result.largest,
        "top of all outputs": result.top,
    }
    bars(
        axes,
        {name: value for name, value in parts.items() if value is not None and value > 0},
        x_label="eigenvalue",
        log=True,
    )


def depths(result: Any, axes: Axes) -> None:
    """Forward and backward statistics, layer by layer."""
    forward, backward = np.asarray(result.forward, float), np.asarray(result.backward, float)
    layers = np.arange(1, forward.size + 1)
    axes.semilogy(layers, forward, "o-", color=BLUE, ms=4, label="activities, mean square")
    axes.semilogy(
        np.arange(1, backward.size + 1), backward, "s-", color=VERMILLION, ms=4, label="squared gradient"
    )
    axes.set_xlabel("layer of weights")
    axes.legend()


def bounds(result: Any, axes: Axes) -> None:
    """Bounds of the largest eigenvalue, layer by layer, and of the whole matrix."""
    layers = np.asarray(result.layers, float)
    axes.semilogy(np.arange(1, layers.size + 1), layers, "o", color=BLUE, ms=5, label="one layer")
    axes.axhline(float(result.whole), color=VERMILLION, lw=1, ls="--", label="whole matrix")
    axes.set_xlabel("layer of weights")
    axes.set_ylabel("bound of the largest eigenvalue")
    axes.legend()
