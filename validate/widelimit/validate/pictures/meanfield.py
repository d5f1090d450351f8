"""Mean field: how far signals and gradients travel, lines of criticality, layers one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import COLOURS, lines, swept
from widelimit.validate.report.look import BLUE, GREEN, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.numerics.meanfield import CriticalLine, MeanField, Propagation

_REACH = 4.0  # depth scales that a picture shows
_LONGEST = 400  # layers


def _point(result: MeanField, axes: Axes, depth: int | None = None) -> None:
    """What is left, layer by layer, of a deviation in length, of one in correlation, and of a squared gradient."""
    scales = [abs(float(one)) for one in (result.xi_q, result.xi_c, result.xi_grad)]
    finite = [one for one in scales if np.isfinite(one) and one > 0]
    last = depth or int(np.clip(_REACH * max(finite, default=10), 5, _LONGEST))
    layers = np.arange(last + 1)
    curves = (
        (result.xi_q, "length q", BLUE),
        (result.xi_c, "correlation c", VERMILLION),
        (result.xi_grad, "squared gradient", GREEN),
    )
    for scale, label, colour in curves:
        rate = 0.0 if np.isinf(scale) else (-1 / float(scale) if scale else -np.inf)
        with np.errstate(invalid="ignore"):
            left = np.where(layers == 0, 0.0, rate * layers) / np.log(10)
        axes.plot(layers, left, color=colour, label=label)
    axes.axhline(0, color=SOFT, lw=0.6)
    low = min(-1.0, max(-8.0, axes.get_ylim()[0]))
    axes.set_ylim(low, max(0.5, min(8.0, axes.get_ylim()[1])))
    axes.set_xlabel("layer")
    axes.set_ylabel("log10 of what is left of a deviation")
    axes.set_title(f"{result.phase}: χ_1 = {float(result.chi_1):.4g}, q* = {float(result.q_star):.4g}")
    axes.legend()


def _sweep(result: MeanField, axes: Axes, x: Any = None, label: str = "", depth: int | None = None) -> None:
    """A point by its depth scales; of an array the slopes that decide the phase."""
    if np.ndim(result.q_star) == 0:
        return _point(result, axes, depth)
    swept("chi_1", "length_slope", "c_star")(result, axes, x, label)
    if np.ndim(result.q_star) == 1:
        axes.axhline(1, color=SOFT, lw=0.8, ls=":")
    return None


def _critical(result: CriticalLine, axes: Axes) -> None:
    """The edge of chaos in the plane of biases and weights; hollow where it is not stable."""
    w, b, stable = (np.atleast_1d(np.asarray(one)) for one in (result.sigma_w, result.sigma_b, result.stable))
    order = np.argsort(b)
    good = np.isfinite(w[order].astype(float))
    axes.plot(b[order][good], w[order][good], color=BLUE)
    for chosen, face, name in ((stable, BLUE, "stable"), (~stable.astype(bool), "none", "not stable")):
        mask = chosen.astype(bool) & np.isfinite(w.astype(float))
        if mask.any() and (w.size <= 40):
            axes.plot(b[mask], w[mask], "o", color=BLUE, mfc=face, ms=5, label=name)
    axes.set_xlabel("σ_b")
    axes.set_ylabel("σ_w at the edge of chaos")
    if axes.get_legend_handles_labels()[1]:
        axes.legend()


def _layers(result: Propagation, axes: Axes) -> None:
    """Length and correlation layer by layer; with a width, bands of one standard deviation over networks."""
    q = (
        np.atleast_2d(np.asarray(result.q, float).T).T
        if np.ndim(result.q) == 1
        else np.asarray(result.q, float)
    )
    rows = q.reshape(-1, q.shape[-1]) if np.ndim(result.q) > 1 else q.reshape(1, -1)
    layers = np.arange(rows.shape[-1])
    for k, row in enumerate(rows[:4]):
        axes.plot(
            layers, row, color=COLOURS[k], label="length q" if len(rows) == 1 else f"length q, input {k}"
        )
    at = result.at_width
    if at is not None:
        means, spreads = (np.asarray(one, float).reshape(-1, layers.size) for one in (at.mean, at.deviation))
        for k, (mean, spread) in enumerate(zip(means[:4], spreads[:4], strict=True)):
            axes.fill_between(layers, mean - spread, mean + spread, color=COLOURS[k], alpha=0.2, lw=0)
    if result.c is not None:
        for row in np.asarray(result.c, float).reshape(-1, layers.size)[:4]:
            axes.plot(layers, row, color=SOFT, ls="--", label="correlation c")
    axes.set_xlabel("layer")
    axes.legend()


def _at_width(result: Any, axes: Axes) -> None:
    """Mean length with the scatter from network to network, a band a width."""
    widths = np.atleast_1d(result.width)
    means, spreads = (np.atleast_2d(np.asarray(one, float)) for one in (result.mean, result.deviation))
    layers = np.arange(means.shape[-1])
    means, spreads = means.reshape(-1, layers.size), spreads.reshape(-1, layers.size)
    for k, (mean, spread) in enumerate(zip(means[:4], spreads[:4], strict=True)):
        name = f"width {widths[k]:g}" if widths.size == len(means) else f"{k}"
        axes.plot(layers, mean, color=COLOURS[k], label=name)
        axes.fill_between(layers, mean - spread, mean + spread, color=COLOURS[k], alpha=0.2, lw=0)
    axes.set_xlabel("layer")
    axes.set_ylabel("length q, mean and standard deviation")
    axes.legend()


def _correlations(result: Any, axes: Axes) -> None:
    """How inputs drift together at the edge."""
    eps = np.asarray(result.eps, float)
    rows = eps.reshape(-1, eps.shape[-1])
    curves = {f"input {k}" if len(rows) > 1 else "1 − c": row for k, row in enumerate(rows[:4])}
    lines(axes, np.arange(eps.shape[-1]), curves, x_label="layer", y_label="1 − c", log="y")


PICTURES = {
    "MeanField": _sweep,
    "CriticalLine": _critical,
    "Propagation": _layers,
    "AtWidth": _at_width,
    "Correlations": _correlations,
}
NO_PICTURE = {
    "MeanFieldGradient": "draw its `value`; derivatives are numbers by argument",
    "Slopes": "derivatives are numbers by argument; draw the `value` beside them",
}
