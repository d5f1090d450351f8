"""Robustness: accuracy under every attack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.report.look import BLUE, GREEN, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _report(result: Any, axes: Axes) -> None:
    """Accuracy under each attack with its interval, and without any."""
    places = np.arange(len(result.attacks))[::-1]
    for place, one in zip(places, result.attacks, strict=True):
        bar = [[max(one.accuracy - one.low, 0)], [max(one.high - one.accuracy, 0)]]
        axes.errorbar(
            [one.accuracy],
            [place],
            xerr=bar,
            fmt="o",
            color=BLUE if "gradient" in one.kind else VERMILLION,
            ms=5,
        )
    axes.axvline(float(result.clean), color=GREEN, ls="--", lw=1, label="without attack")
    axes.set_yticks(places, [one.name for one in result.attacks])
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("accuracy")
    axes.set_title(f"{result.verdict}, radius {float(result.radius):.4g}")
    axes.legend()


def _weights(result: Any, axes: Axes) -> None:
    """Units by their ratio of norms, over the least that their kurtosis allows."""
    ratio, least = (np.atleast_1d(np.asarray(one, float)) for one in (result.ratio, result.least_ratio))
    axes.plot(least, ratio, "o", color=BLUE, ms=4)
    axes.plot([0, 1], [0, 1], color=SOFT, lw=0.8)
    axes.axhline((2 / np.pi) ** 0.5, color=VERMILLION, ls="--", lw=1, label="Gaussian weights")
    axes.set_xlabel("least ratio that the kurtosis allows")
    axes.set_ylabel("ratio of norms")
    axes.legend()


PICTURES = {"MaskingReport": _report, "WeightStatistics": _weights}
NO_PICTURE = {
    "WeightLaw": "it is one ratio",
    "Moments": "it is what the solver works with",
    "Attack": "it is one line of its report's picture",
    "FirstLayer": "it is one line of its report's table",
    "Target": "it is the classifier under attack",
}
