"""Users' networks: the scales of their layers, and what a recurrent matrix is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import bars
from widelimit.validate.report.look import BLUE, INK, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _network(result: Any, axes: Axes) -> None:
    """Scales of each layer's weights and biases with their standard errors, from the inputs to the outputs."""
    scales = result.scales
    places = np.arange(len(scales))
    for name, colour, mark in (("sigma_w", BLUE, "o"), ("sigma_b", VERMILLION, "s")):
        values = np.array([_number(getattr(one, name)) for one in scales])
        errors = np.array([_number(getattr(one, f"{name}_error")) for one in scales])
        axes.errorbar(
            places,
            values,
            yerr=values * np.nan_to_num(errors),
            fmt=mark,
            color=colour,
            ms=5,
            label=name.replace("sigma", "σ"),
        )
    axes.set_xticks(places, [str(one.layer) for one in scales], rotation=30, ha="right")
    axes.set_ylim(0, None)
    axes.set_ylabel("scale of the weights")
    axes.axhline(0, color=SOFT, lw=0.6)
    axes.set_title(f"hidden layers: {result.phase}", color=INK)
    axes.legend()


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _rates(result: Any, axes: Axes) -> None:
    bars(
        axes,
        {"balance b": result.balance, "best balance": result.best_balance, "disorder g": result.disorder},
    )
    axes.set_title(f"mean squared error of the code {float(result.mean_square_error):.4g}")


PICTURES = {"Network": _network, "RateNetwork": _rates}
NO_PICTURE = {
    "Scale": "it is one layer of its network's picture",
    "Finding": "it is a sentence",
    "Place": "it is a layer's name",
}
