"""Learning rules: modes in time, momentum in the plane, which rule a recording shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import bars, plane, swept
from widelimit.validate.report.look import BLUE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _weights(result: Any, axes: Axes) -> None:
    """Both weights of a mode and their product, which learns the strength."""
    bars(axes, {"first layer": result.first, "second layer": result.second, "product": result.product})
    axes.set_title(f"{getattr(result, 'rule', '')} {result.method}".replace("_", " ").strip())


def _momentum(result: Any, axes: Axes) -> None:
    """Roots of descent with momentum: inside the unit circle it comes to rest, off the real line it oscillates."""
    plane(axes, result.roots, unit=True, label="roots")


def _identified(result: Any, axes: Axes) -> None:
    """Probabilities by rule."""
    found = dict(sorted(result.probabilities.items(), key=lambda pair: -pair[1]))
    bars(axes, {name.replace("_", " "): value for name, value in found.items()}, x_label="probability")
    axes.set_title("outside the bank: no answer" if result.abstains else f"{result.rule}".replace("_", " "))


def _calibration(result: Any, axes: Axes) -> None:
    """Observed over predicted shares: calibrated probabilities lie on the line."""
    axes.plot([0, 1], [0, 1], color=SOFT, lw=0.8)
    axes.plot(np.asarray(result.predicted, float), np.asarray(result.observed, float), "o", color=BLUE)
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("share that it was")


def _pilots(result: Any, axes: Axes) -> None:
    """Accuracy over the number of recorded units, up to what all would tell."""
    units = np.geomspace(1, 10 * max(float(result.needed), 2), 80)
    axes.semilogx(units, [float(result.accuracy(one)) for one in units], color=BLUE)
    axes.axhline(float(result.limit), color=SOFT, ls=":", lw=1)
    axes.axvline(float(result.needed), color=VERMILLION, ls="--", lw=1)
    axes.set_xlabel("recorded units")
    axes.set_ylabel("accuracy of telling two rules apart")


def _bank(result: Any, axes: Axes) -> None:
    """The first recorded number of every network, by rule, snapshot after snapshot."""
    rules = sorted(set(map(str, result.rules)))
    for k, rule in enumerate(rules):
        chosen = np.array([str(one) == rule for one in result.rules])
        mean = np.asarray(result.values, float)[chosen][:, :, 0].mean(0)
        axes.plot(np.arange(mean.size), mean, marker="o", ms=4, label=rule.replace("_", " "), color=f"C{k}")
    axes.set_xlabel("snapshot")
    axes.set_ylabel(str(result.columns[0]))
    axes.legend()


PICTURES = {
    "Mode": swept("first", "second", "product", one=_weights),
    "Prediction": _weights,
    "Momentum": _momentum,
    "Identified": _identified,
    "Calibration": _calibration,
    "Pilots": _pilots,
    "Bank": _bank,
}
NO_PICTURE = {
    "Signature": "it is an exponent and two answers",
    "Scale": "it is what the bank is measured with",
    "Snapshot": "it is a network's weights",
}
