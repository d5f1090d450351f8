"""Figures: the fixed points of a network that holds two bits, and correlations that chance gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.simulate.dynamics import signals
from widelimit.validate.simulate.dynamics.training import Training, flip_flop, outputs, trained

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = Mapping[str, np.ndarray]
_ORDER = ("sink", "one way out", "two ways out")
_COLOURS = ("#0072b2", "#d55e00", "#009e73")
_SIGNALS = 20


def _points(preset: str) -> Arrays:
    import torch

    from widelimit.numerics.dynamics import fixed_points

    nets = trained(Training("rnn", "flip-flop", units=16, steps=200, nets=1, seed=5, batch=16))
    generator = torch.Generator().manual_seed(1)
    x, _, _ = flip_flop(generator, 1, 30, 25)
    p = {name: torch.tensor(array) for name, array in nets.weights.items()}
    with torch.no_grad():
        visited = outputs("rnn", p, x)[0].double().numpy()
    found = fixed_points(nets.cell(0), starts=visited)
    readout = nets.readout(0)
    return {
        "paths": visited @ readout[:, :-1].T + readout[:, -1],
        "points": found.outputs @ readout[:, :-1].T + readout[:, -1],
        "index": found.index,
        "edges": np.array(found.graph, dtype=int).reshape(-1, 2),
    }


def _draw_points(arrays: Arrays, axes: Axes) -> None:
    for path in arrays["paths"][:12]:
        axes.plot(path[:, 0], path[:, 1], color="0.7", linewidth=0.6, zorder=1)
    points = arrays["points"]
    for i, j in arrays["edges"]:
        if j >= 0:
            axes.plot(points[[i, j], 0], points[[i, j], 1], color="0.3", linewidth=1.2, zorder=2)
    for order, (name, colour) in enumerate(zip(_ORDER, _COLOURS, strict=True)):
        some = points[arrays["index"] == order]
        if len(some):
            axes.plot(some[:, 0], some[:, 1], "os^"[order], color=colour, label=name, zorder=3)
    axes.set(xlabel="read out of the first line", ylabel="read out of the second line", ylim=(-1.7, 2.0))
    axes.legend(loc="upper center", ncols=3, fontsize="small")


def _chances(preset: str) -> Arrays:
    from widelimit.numerics.dynamics import cca_null
    from widelimit.validate.harness.backend import Backend

    factors, dots = np.linspace(0.0, 0.99, 34), np.array([0.0, 0.5, 0.8, 0.95])
    p, q, n = _SIGNALS, 3 * _SIGNALS // 2, 20 * _SIGNALS
    null = [cca_null(n, p, q, autocorrelation=float(f) ** np.arange(n)).mean_square for f in factors]
    drawn = [signals.chance({"factor": f}, _SIGNALS, 2, Backend())[0] for f in dots.tolist()]
    return {
        "factor": factors,
        "null": np.array(null),
        "dots": dots,
        "drawn": np.array(drawn),
        "white": np.array([q / n]),
    }


def _draw_chances(arrays: Arrays, axes: Axes) -> None:
    axes.plot(arrays["factor"], arrays["null"], color="#0072b2", label="signals as smooth")
    axes.plot(arrays["dots"], arrays["drawn"], "o", color="#0072b2", markersize=4)
    axes.axhline(float(arrays["white"][0]), color="#d55e00", linestyle="--", label="white null, permutations")
    axes.set(
        xlabel="correlation of neighbouring samples", ylabel="mean squared canonical correlation", ylim=(0, 1)
    )
    axes.legend(loc="upper left")


GALLERY = (
    GalleryFigure(
        "flip-flop",
        "What a network that holds two bits computes",
        "Fixed points of a trained tanh network of 16 units, each with a proof, in the plane of its readouts; lines: "
        "where the two ways out of a saddle lead; grey: trials.",
        "maheswaranathan2019universality",
        _points,
        _draw_points,
    ),
    GalleryFigure(
        "chance",
        "Unrelated signals are correlated as far as they are smooth",
        f"Mean squared canonical correlation of {_SIGNALS} and {3 * _SIGNALS // 2} independent AR(1) signals in "
        f"{20 * _SIGNALS} samples; dots: one draw each.",
        "maheswaranathan2019universality",
        _chances,
        _draw_chances,
    ),
)
