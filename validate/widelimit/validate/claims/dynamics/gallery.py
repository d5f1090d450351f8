"""Figures: fixed points of networks that hold two bits and their eigenvalues, a line attractor, correlations of chance.

Each figure trains a network or three, which takes a second, and keeps them as the claims do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.report.look import INK, LINE, SOFT, VERMILLION
from widelimit.validate.simulate.dynamics import signals
from widelimit.validate.simulate.dynamics.training import (
    BLOCKS,
    Networks,
    Training,
    flip_flop,
    outputs,
    sentiment,
    trained,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

Arrays = Mapping[str, np.ndarray]
_ORDER = ("sink", "one way out", "two ways out")
_COLOURS = ("#0072b2", "#d55e00", "#009e73")
_SIGNALS, _APART = 20, 2.6


def _latch(kind: str, length: int) -> Networks:
    """A network of 16 units that holds two bits."""
    return trained(Training(kind, "flip-flop", units=16, steps=200, nets=1, seed=5, length=length, batch=16))


def _visited(kind: str, nets: Networks, x: Tensor) -> np.ndarray:
    """Outputs h along trials, (trials, steps, units)."""
    import torch

    p = {name: torch.tensor(array) for name, array in nets.weights.items()}
    with torch.no_grad():
        return np.asarray(outputs(kind, p, x)[0].double().numpy())


def _pulses() -> Tensor:
    import torch

    return flip_flop(torch.Generator().manual_seed(1), 1, 30, 25)[0]


def _points(preset: str) -> Arrays:
    from widelimit.numerics.dynamics import fixed_points

    nets = _latch("rnn", 25)
    visited = _visited("rnn", nets, _pulses())
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


def _planes(preset: str) -> Arrays:
    from widelimit.numerics.dynamics import fixed_points

    found: dict[str, np.ndarray] = {}
    for kind in BLOCKS:
        nets = _latch(kind, 25 if kind == "rnn" else 15)
        one = fixed_points(nets.cell(0), starts=_visited(kind, nets, _pulses()))
        found |= {kind: one.eigenvalues, f"{kind} index": one.index}
    return found


def _draw_planes(arrays: Arrays, axes: Axes) -> None:
    """Three planes side by side in one pair of axes, their origins at multiples of `_APART`."""
    turn = np.linspace(0, 2 * np.pi, 181)
    for k, kind in enumerate(BLOCKS):
        centre = _APART * k
        axes.plot(centre + np.cos(turn), np.sin(turn), color=SOFT, linewidth=0.8, zorder=1)
        axes.plot([centre - 1.2, centre + 1.2], [0, 0], color=LINE, linewidth=0.6, zorder=0)
        axes.text(centre, 1.25, kind.upper(), ha="center")
        for order, (name, colour) in enumerate(zip(_ORDER, _COLOURS, strict=True)):
            values = arrays[kind][arrays[f"{kind} index"] == order].ravel()
            axes.plot(
                centre + values.real, values.imag, "os^"[order], color=colour, markersize=4, alpha=0.7,
                label=name if k == 0 else None, zorder=2,
            )  # fmt: skip
    ticks = [_APART * k + x for k in range(len(BLOCKS)) for x in (-1, 0, 1)]
    axes.set_xticks(ticks, [f"{x}" for x in (-1, 0, 1)] * len(BLOCKS))
    axes.set(aspect="equal", ylim=(-2.0, 1.6), yticks=(-1, 0, 1), xlabel="real part", ylabel="imaginary part")
    axes.legend(loc="lower center", ncols=3, fontsize="small")


def _line(preset: str) -> Arrays:
    import torch

    from widelimit.numerics.dynamics import fixed_points, line_attractor

    nets = trained(Training("gru", "sentiment", units=16, steps=300, nets=1, seed=6, length=20, batch=16))
    x, _, _ = sentiment(torch.Generator().manual_seed(1), 1, 40, 20)
    visited = _visited("gru", nets, x)
    found = fixed_points(nets.cell(0), starts=visited[:, 4::5].reshape(-1, visited.shape[-1]))
    line = line_attractor(found, task_steps=20)
    centre = visited.mean((0, 1))
    axes = np.linalg.svd((visited - centre).reshape(-1, len(centre)), full_matrices=False)[2][:2]
    shown = {"paths": visited, "points": found.outputs, "slow": found.slow.states, "line": line.states}
    return {name: (states - centre) @ axes.T for name, states in shown.items()} | {
        "index": found.index,
        "speeds": found.slow.speeds,
        "readout": axes @ nets.readout(0)[0, :-1],
        "passes": np.array(line.is_line),
    }


def _draw_line(arrays: Arrays, axes: Axes) -> None:
    for path in arrays["paths"][:15]:
        axes.plot(path[:, 0], path[:, 1], color="0.7", linewidth=0.6, zorder=1)
    name = "line attractor" if arrays["passes"] else "slow, and no line"
    axes.plot(*arrays["line"].T, color=INK, linewidth=1.2, label=name, zorder=2)
    speed = np.log10(arrays["speeds"])
    slow = arrays["slow"]
    image = axes.scatter(slow[:, 0], slow[:, 1], c=speed, cmap="viridis", s=22, label="slow point", zorder=3)
    for order, (name, colour) in enumerate(zip(_ORDER, _COLOURS, strict=True)):
        some = arrays["points"][arrays["index"] == order]
        if len(some):
            axes.plot(some[:, 0], some[:, 1], "os^"[order], color=colour, label=name, zorder=4)
    readout = arrays["readout"] / np.linalg.norm(arrays["readout"])
    height = arrays["paths"][..., 1]
    low = height.min() - 0.1 * np.ptp(height)
    end = (0.6 * float(readout[0]), low + 0.6 * float(readout[1]))
    axes.annotate("", end, (0.0, low), arrowprops={"arrowstyle": "->", "color": VERMILLION})
    axes.text(0.05, low, "what is read out", ha="left", va="bottom", color=VERMILLION)
    figure = axes.get_figure()
    if figure is not None:
        figure.colorbar(image, ax=axes, label="log10 of the speed of slow points")
    axes.set(
        xlabel="first principal axis", ylabel="second principal axis", ylim=(low - 0.5 * np.ptp(height), None)
    )
    axes.legend(loc="lower left", fontsize="small")


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
        "planes",
        "How fixed points of three architectures forget",
        "Eigenvalues of a step at all fixed points found of networks of 16 units that hold two bits: four sinks, four "
        "saddles of one way out and one of two in each of them. An LSTM has twice as many, of h and c.",
        "maheswaranathan2019universality",
        _planes,
        _draw_planes,
    ),
    GalleryFigure(
        "line",
        "A sum is kept along a line",
        "A GRU of 16 units that adds up words, in the plane of its states: trials (grey), fixed and slow points at no "
        "input, and the line through them, which passes all tests of `line_attractor`.",
        "maheswaranathan2019line",
        _line,
        _draw_line,
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
