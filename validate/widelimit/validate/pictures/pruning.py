"""Pruning: at which compression layers empty, and what a mask keeps of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import bars
from widelimit.validate.report.look import BLUE, INK, LINE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 30  # layers by name


def _collapse(result: Any, axes: Axes) -> None:
    """Compressions up to which each way of pruning leaves every layer a weight."""
    parts = {
        "median": result.median,
        "geometric mean": result.geometric_mean,
        "one weight a layer": result.maximum,
    }
    bars(axes, parts, x_label="weights before over weights after", log=True)


def _flow(result: Any, axes: Axes) -> None:
    """How the total flow grows with layers like these, and where it leaves the numbers."""
    depth = float(result.overflow_depth)
    reach = int(depth * 1.2) + 1 if np.isfinite(depth) else 100
    layers = np.arange(reach + 1)
    growth = np.log10(max(float(result.growth), 1e-300))
    axes.plot(layers, growth * layers, color=BLUE, label="log10 of the flow's growth")
    if np.isfinite(depth):
        axes.axvline(depth, color=VERMILLION, ls="--", lw=1, label="beyond floats")
    axes.set_xlabel("layers")
    axes.set_ylabel("log10 of the growth of the flow")
    axes.legend()


def _kept(result: Any, axes: Axes) -> None:
    """Weights kept in each layer, over all of them in grey; red where a layer is empty."""
    names = list(result.masks)[:_MOST]
    whole = np.array([result.masks[name].numel() for name in names], float)
    kept = np.array([float(result.kept[name]) for name in names])
    places = np.arange(len(names))[::-1]
    axes.barh(places, whole, color=LINE, height=0.7, label="before")
    axes.barh(places, np.maximum(kept, 1e-12), color=BLUE, height=0.4, label="kept")
    axes.set_xscale("log")
    axes.set_xlim(0.5, 2 * whole.max())
    for place, number in zip(places, kept, strict=True):
        if number == 0:
            axes.plot([0.6], [place], "X", color=VERMILLION, ms=7)
    axes.set_yticks(places, names)
    axes.set_xlabel("weights")
    axes.set_title(
        f"{float(result.reached):.4g} times fewer weights"
        + (", a layer is empty" if result.collapsed else "")
    )
    axes.legend()


def _conservation(result: Any, axes: Axes) -> None:
    """What the flow through each cut lacks, in order; where the law holds it is rounding."""
    residuals = np.array([abs(float(cut.residual)) for cut in result.cuts])
    axes.semilogy(np.arange(1, residuals.size + 1), np.maximum(residuals, 1e-17), "o", color=BLUE, ms=5)
    axes.axhline(1e-6, color=SOFT, lw=0.8, ls=":")
    axes.set_xlabel("cut, from the inputs to the outputs")
    axes.set_ylabel("relative residual of the flow")
    axes.set_title(
        "the law holds" if result.holds else "broken at " + ", ".join(result.broken)[:50], color=INK
    )


PICTURES = {"Collapse": _collapse, "Flow": _flow, "Pruned": _kept, "Conservation": _conservation}
NO_PICTURE = {
    "Layers": "it is what a threshold is found by",
    "Cut": "it is one line of a table",
    "Node": "it is one line of a table",
}
