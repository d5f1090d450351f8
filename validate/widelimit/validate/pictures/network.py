"""Users' networks: the scales of their layers, and what a recurrent matrix is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import bars
from widelimit.validate.report.look import BLUE, INK, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_KINDS = 15  # of operations that are shown


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


def _graph(result: Any, axes: Axes) -> None:
    """How many operations of each kind there are."""
    counts: dict[str, int] = {}
    for node in result.nodes:
        counts[node.op] = counts.get(node.op, 0) + 1
    bars(axes, dict(sorted(counts.items(), key=lambda pair: -pair[1])[:_KINDS]), x_label="operations")


def _report(result: Any, axes: Axes) -> None:
    """Mean squares and squared gradients, operation by operation: theory as lines, draws as dots with their errors."""
    rows = [one for one in result.layers if np.isfinite(one.q_measured)]
    places = np.arange(len(rows))
    for letter, colour, name in (("q", BLUE, "mean square"), ("g", VERMILLION, "squared gradient")):
        said, measured, error = (
            np.array([getattr(one, f"{letter}_{part}") for one in rows], float)
            for part in ("predicted", "measured", "error")
        )
        good = np.isfinite(measured) & (measured > 0)
        if good.any():
            axes.plot(places, np.where(said > 0, said, np.nan), color=colour, lw=1.2, label=f"{name}, theory")
            bar = np.minimum(np.nan_to_num(error[good]), 0.9 * measured[good])
            axes.errorbar(
                places[good], measured[good], yerr=bar, fmt="o", color=colour, ms=3.5, lw=1, label="draws"
            )
    wrong = [k for k, one in enumerate(rows) if one.verdict == "disagrees"]
    for k in wrong:
        axes.axvline(k, color=SOFT, lw=3, alpha=0.4)
    axes.set_yscale("log")
    axes.set_xlabel("operation, from the inputs to the outputs")
    axes.set_title(
        f"{len(wrong)} of {len(rows)} disagree" if wrong else f"{len(rows)} operations, none disagrees"
    )
    axes.legend()


def _scatter(result: Any, axes: Axes) -> None:
    """Mean lengths behind the layers with the deviation of a single draw."""
    length, relative = np.asarray(result.length, float), np.sqrt(np.asarray(result.variance, float))
    layers = np.arange(1, length.size + 1)
    axes.errorbar(layers, length, yerr=length * relative, fmt="o-", color=BLUE, ms=4, lw=1)
    axes.set_xlabel("layer")
    axes.set_ylabel("length, with the deviation of one draw")


PICTURES = {
    "Network": _network,
    "RateNetwork": _rates,
    "Graph": _graph,
    "Report": _report,
    "WidthVariance": _scatter,
}
NO_PICTURE = {
    "Advice": "it is a list of changes in words",
    "Scale": "it is one layer of its network's picture",
    "Finding": "it is a sentence",
    "Place": "it is a layer's name",
    "Layer": "it is one operation of its report's picture",
    "Block": "it is one line of its report's table",
    "Node": "it is one operation of its graph",
    "Softmax": "it is what one operation of its graph reads, two numbers",
    "FirstStep": "it is a few numbers, best read as powers of the width",
}
