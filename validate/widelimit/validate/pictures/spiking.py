"""Spikes: surrogates and the noise that they imply, losses against chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import bars, swept
from widelimit.validate.report.look import BLUE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDE = 5.0  # widths of a surrogate that are shown


def _surrogate(result: Any, axes: Axes) -> None:
    """The surrogate derivative, and the probability of firing whose derivative it is (times Z)."""
    reach = _WIDE / max(float(result.slope), 1e-12)
    u = np.linspace(-reach, reach, 301)
    axes.plot(u, np.asarray(result.value(u), float), color=BLUE, label="surrogate derivative")
    axes.plot(
        u, np.asarray(result.firing_probability(u), float), color=VERMILLION, label="firing probability"
    )
    axes.set_xlabel("potential less threshold")
    axes.legend()


def _compare(result: Any, axes: Axes) -> None:
    """The loss, and what independent trains of the same rates would have."""
    axes.plot([float(result.loss)], [0], "o", color=VERMILLION, ms=7, label="these trains")
    if result.expected is not None:
        axes.errorbar(
            [float(result.expected)], [1], xerr=[float(result.deviation)], fmt="o", color=BLUE, label="chance"
        )
    axes.set_yticks([])
    axes.set_ylim(-0.7, 1.7)
    axes.set_xlim(left=0)
    axes.set_xlabel("loss, s³")
    axes.legend()


def _sharp(result: Any, axes: Axes) -> None:
    bars(
        axes,
        {"true gradient": result.gradient, "surrogate gradient": result.surrogate_gradient},
        x_label="dL/dw",
    )


def _layers(result: Any, axes: Axes) -> None:
    """True and surrogate gradients, potential by potential."""
    true, mean = (
        np.atleast_1d(np.asarray(one, float)).ravel() for one in (result.gradient, result.surrogate)
    )
    places = np.arange(true.size)
    axes.plot(places, true, "o", color=BLUE, label="true gradient")
    axes.plot(places, mean, "x", color=VERMILLION, label="mean surrogate gradient")
    axes.set_xlabel("unit of the first layer")
    axes.legend()


def _implied(result: Any, axes: Axes) -> None:
    """P(u) of firing under the noise that a surrogate implies."""
    axes.plot(np.asarray(result.places, float), np.asarray(result.probability, float), color=BLUE)
    axes.axhline(0, color=SOFT, lw=0.6)
    axes.set_xlabel("potential less threshold")
    axes.set_ylabel("firing probability")


PICTURES = {
    "Surrogate": _surrogate,
    "Comparison": _compare,
    "SharpLimit": _sharp,
    "TwoLayers": _layers,
    "ImpliedNoise": _implied,
    "PoissonLoss": swept("mean", "variance", log="y"),
}
NO_PICTURE = {"Kernel": "it is two time constants"}
