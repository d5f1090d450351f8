"""Non-contrastive learning: where a mode settles, how it gets there, how many dimensions are left."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import lines, plane, swept
from widelimit.validate.report.look import BLUE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _mode(result: Any, axes: Axes) -> None:
    """The line of the predictor's eigenvalue: where it rests (full: stable), and where it goes between."""
    low, high = float(result.predictor_unstable), float(result.predictor)
    top = 1.4 * max(high, low, 0.1)
    axes.axhline(0, color=SOFT, lw=0.8)
    rests = [(0.0, low > 0 or result.collapses, "collapse")]
    if high > 0:
        rests += [(high, True, "p₊, learned")] + ([(low, False, "p₋, border")] if low > 0 else [])
    for place, stable, name in rests:
        colour = BLUE if stable else VERMILLION
        axes.plot([place], [0], "o", color=colour, mfc=colour if stable else "none", ms=9)
        axes.annotate(
            f"{name}\n{place:.4g}",
            (place, 0),
            (0, 14 if stable else -36),
            textcoords="offset points",
            ha="center",
            fontsize=9.5,
        )
    ends = [*sorted(place for place, _, _ in rests), top]
    for start, end in pairwise(ends):
        up = high > 0 and start >= low and end <= high
        a, b = start + 0.3 * (end - start), start + 0.7 * (end - start)
        axes.annotate(
            "", ((b if up else a), 0), ((a if up else b), 0), arrowprops={"arrowstyle": "->", "lw": 1.4}
        )
    axes.set_ylim(-1, 1.4)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("eigenvalue of the predictor")


def _trajectory(result: Any, axes: Axes) -> None:
    """Predictor and covariance in time, one curve a start."""
    time = np.asarray(result.time, float).ravel()
    for name, value, colour in (
        ("predictor", result.predictor, BLUE),
        ("covariance", result.covariance, VERMILLION),
    ):
        rows = np.asarray(value, float).reshape(-1, time.size)
        for k, row in enumerate(rows[:20]):
            axes.plot(time, row, color=colour, lw=1.2, label=name if k == 0 else None)
    axes.set_xlabel("time")
    axes.legend()


def _thresholds(result: Any, axes: Axes) -> None:
    """Weight decays that one, two, ... dimensions survive."""
    found = np.asarray(result.thresholds, float)
    lines(
        axes,
        np.arange(1, found.size + 1),
        {"largest weight decay": found},
        x_label="dimensions that survive",
        log="y",
    )
    if result.dimensions is not None and result.dimensions:
        axes.axvline(float(result.dimensions), color=SOFT, lw=0.8, ls=":")


def _target(result: Any, axes: Axes) -> None:
    plane(axes, result.eigenvalues, unit=False)


PICTURES = {
    "Prediction": _mode,
    "FixedPoints": swept("predictor", "predictor_unstable", "covariance", one=_mode),
    "Trajectory": _trajectory,
    "Views": _thresholds,
    "ViewPrediction": _thresholds,
    "MovingTarget": _target,
    "CollapseRates": swept("no_stop_gradient", "no_predictor", log="y"),
    "DirectPred": swept("largest", "critical_epsilon", "normalised_epsilon"),
}
NO_PICTURE = {"Modes": "it is what the solvers work with"}
