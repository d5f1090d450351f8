"""Feedback alignment: at which angle feedback comes to rest, and what is left of the error below many layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import COLOURS, lines
from widelimit.validate.report.look import BLUE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _arrows(result: Any, axes: Axes) -> None:
    """The true direction and the feedback's, for one layer and for the whole error signal, at their angles."""
    turn = np.linspace(0, np.pi, 100)
    axes.plot(np.cos(turn), np.sin(turn), color=SOFT, lw=0.6)
    shown = [("true gradient", 1.0, SOFT), ("one layer", result.cosine, BLUE)]
    if hasattr(result, "signal"):
        shown.append(("below all layers", result.signal, VERMILLION))
    for name, cosine, colour in shown:
        value = float(np.clip(cosine, -1, 1))
        end = (value, (1 - value**2) ** 0.5)
        axes.annotate("", end, (0, 0), arrowprops={"arrowstyle": "->", "color": colour, "lw": 2})
        axes.plot([], [], color=colour, label=f"{name}, {np.degrees(np.arccos(value)):.4g}°")
    axes.set_xlim(-1.1, 1.1)
    axes.set_ylim(-0.05, 1.15)
    axes.set_aspect("equal")
    axes.set_xlabel("along the true gradient")
    axes.set_ylabel("across it")
    axes.legend()


def _rates(result: Any, axes: Axes) -> None:
    """How fast the entries of the feedback come to rest, fastest first."""
    rates = np.sort(np.asarray(result.rates, float))[::-1]
    lines(
        axes,
        np.arange(1, rates.size + 1),
        {"rate": rates},
        x_label="direction",
        log="y" if (rates > 0).any() else "",
    )
    axes.set_title(f"cosine with the transposed weights {float(result.cosine):.4g}")


def _advice(result: Any, axes: Axes) -> None:
    """By rule what is left of the error signal at the first layer: predicted bars, measured crosses."""
    names = sorted(result.signal, key=lambda name: -float(result.signal[name]))
    places = np.arange(len(names))[::-1]
    axes.barh(
        places,
        [float(result.signal[name]) for name in names],
        color=COLOURS[0],
        alpha=0.5,
        height=0.6,
        label="predicted",
    )
    measured = [result.measured_signal.get(name, np.nan) for name in names]
    axes.plot(np.array(measured, float), places, "x", color=VERMILLION, ms=8, label="measured here")
    axes.set_yticks(places, [name.replace("_", " ") for name in names])
    axes.set_xlabel("cosine with backpropagation")
    axes.legend()


PICTURES = {"Prediction": _arrows, "FixedPoint": _rates, "Advice": _advice}
NO_PICTURE = {
    "Bases": "it is what the solver works with",
    "Rest": "it is what the solver works with",
    "Layer": "it is what is measured of one layer",
    "LayerAdvice": "it is one line of its network's picture",
}
