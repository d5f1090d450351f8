"""Figures of the mean-field papers, redrawn: theory as lines, networks of finite width as dots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from widelimit.validate.report.gallery import GalleryFigure

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

Arrays = Mapping[str, "np.ndarray"]

_SIGMA_W = (1.3, 2.5, 4.0)  # the three networks of poole2016exponential, at sigma_b = 0.3
_SIGMA_B = 0.3
_DEPTH = 12
_STARTS = (0.02, 0.3, 0.6, 0.9)  # 1 - c^0
_COLOURS = ("#0072b2", "#009e73", "#d55e00")
_LINE_SIGMA_B = 0.05**0.5  # the bias of schoenholz2017deep


def _phase_diagram(preset: str) -> Arrays:
    import numpy as np

    from widelimit.numerics import meanfield

    weights, biases = np.sqrt(np.linspace(0.5, 4.0, 71)), np.sqrt(np.linspace(0.0, 0.3, 61))
    grid = meanfield.phase_diagram("tanh", sigma_w=weights, sigma_b=biases)
    edge = meanfield.critical_line("tanh", q_star=np.geomspace(1e-4, 1.6, 120))
    chi_1 = np.asarray(grid["chi_1"].transpose("sigma_b", "sigma_w"))
    return {
        "sw2": weights**2,
        "sb2": biases**2,
        "chi_1": chi_1,
        "edge_sw2": edge.sigma_w**2,
        "edge_sb2": edge.sigma_b**2,
    }


def _draw_phase_diagram(arrays: Arrays, axes: Axes) -> None:
    levels = (0.5, 0.7, 0.85, 1.15, 1.3)
    lines = axes.contour(
        arrays["sw2"], arrays["sb2"], arrays["chi_1"], levels=levels, colors="#6b6f73", linewidths=0.8
    )
    axes.clabel(lines, fontsize=8, fmt=lambda level: f"{level:g}")
    axes.plot(arrays["edge_sw2"], arrays["edge_sb2"], color="#d55e00", linewidth=2)
    axes.text(1.0, 0.22, "ordered", fontsize=10)
    axes.text(2.7, 0.08, "chaotic", fontsize=10)
    axes.set(xlim=(0.5, 4), ylim=(0, 0.3), xlabel="$\\sigma_w^2$", ylabel="$\\sigma_b^2$")


def _depth_scales(preset: str) -> Arrays:
    import numpy as np

    from widelimit.numerics import meanfield

    sw2 = np.linspace(1.0, 4.0, 241)
    p = meanfield.solve("tanh", sigma_w=np.sqrt(sw2), sigma_b=_LINE_SIGMA_B)
    edge = meanfield.critical_line("tanh", sigma_b=_LINE_SIGMA_B)
    return {
        "sw2": sw2,
        "xi_q": p.xi_q,
        "xi_c": p.xi_c,
        "xi_grad": np.abs(p.xi_grad),
        "edge": np.array([edge.sigma_w**2]),
    }


def _draw_depth_scales(arrays: Arrays, axes: Axes) -> None:
    names = (("xi_q", "$\\xi_q$", "-"), ("xi_c", "$\\xi_c$", "-"), ("xi_grad", "$|\\xi_\\nabla|$", "--"))
    for (name, label, dashes), colour in zip(names, _COLOURS, strict=True):
        axes.plot(arrays["sw2"], arrays[name], dashes, color=colour, label=label)
    axes.axvline(arrays["edge"][0], color="#6b6f73", linewidth=0.8)
    axes.set(yscale="log", ylim=(0.5, 500), xlim=(1, 4), xlabel="$\\sigma_w^2$", ylabel="layers")
    axes.legend()


def _simulated(sigma_w: float, preset: str, q0: float, gap: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Mean q and c over a few networks, layers 1 to `_DEPTH`."""
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.harness.drawing.networks import Architecture
    from widelimit.validate.simulate.meanfield import forward_statistics

    width, replicates = (500, 4) if preset == "quick" else (1000, 8)
    spec = Architecture("tanh", sigma_w=sigma_w, sigma_b=_SIGMA_B, depth=_DEPTH)
    found = forward_statistics(spec, width, range(replicates), Backend(), q0=q0, one_minus_c0=gap)
    return found.q.mean(axis=0), found.c.mean(axis=0)


def _lengths(preset: str) -> Arrays:
    import numpy as np

    from widelimit.numerics import meanfield

    out = {"layer": np.arange(_DEPTH + 1)}
    for index, sigma_w in enumerate(_SIGMA_W):
        for q0 in (0.1, 8.0):
            line = meanfield.propagate("tanh", sigma_w=sigma_w, sigma_b=_SIGMA_B, q0=q0, c0=0.0, depth=_DEPTH)
            out[f"theory-{index}-{q0}"] = np.asarray(line.q)
            out[f"dots-{index}-{q0}"] = _simulated(sigma_w, preset, q0)[0]
    return out


def _correlations(preset: str) -> Arrays:
    import numpy as np

    from widelimit.numerics import meanfield

    out = {"layer": np.arange(_DEPTH + 1)}
    for index, sigma_w in enumerate(_SIGMA_W):
        q_star = meanfield.solve("tanh", sigma_w=sigma_w, sigma_b=_SIGMA_B).q_star
        for gap in _STARTS:
            line = meanfield.propagate(
                "tanh", sigma_w=sigma_w, sigma_b=_SIGMA_B, q0=q_star, c0=1 - gap, depth=_DEPTH
            )
            out[f"theory-{index}-{gap}"] = np.asarray(line.c)
            out[f"dots-{index}-{gap}"] = _simulated(sigma_w, preset, q_star, gap)[1]
    return out


def _draw_trajectories(arrays: Arrays, axes: Axes) -> None:
    """Lines and dots of every start, a colour for each sigma_w."""
    layer = arrays["layer"]
    for index, (sigma_w, colour) in enumerate(zip(_SIGMA_W, _COLOURS, strict=True)):
        label = f"$\\sigma_w$ = {sigma_w:g}"
        for name in sorted(arrays):
            kind, *rest = name.split("-")
            if rest[:1] != [str(index)]:
                continue
            if kind == "theory":
                axes.plot(layer, arrays[name], color=colour, linewidth=1.2, label=label)
                label = ""
            else:
                axes.plot(layer[1:], arrays[name], "o", color=colour, markersize=3)
    axes.set_xlabel("layer $l$")


def _draw_lengths(arrays: Arrays, axes: Axes) -> None:
    _draw_trajectories(arrays, axes)
    axes.set_ylabel("$q^l$")
    axes.legend()


def _draw_correlations(arrays: Arrays, axes: Axes) -> None:
    _draw_trajectories(arrays, axes)
    axes.set_ylabel("$c^l$")


GALLERY = (
    GalleryFigure(
        "phase-diagram",
        "Phases of tanh networks",
        "Contours of chi_1; the thick line is the edge of chaos, chi_1 = 1, explicit in q*.",
        "schoenholz2017deep",
        _phase_diagram,
        _draw_phase_diagram,
    ),
    GalleryFigure(
        "depth-scales",
        "How deep signals and gradients reach",
        "Depth scales of tanh at sigma_b^2 = 0.05. At the edge of chaos (thin line) that of the correlation diverges, "
        "that of the length does not; beyond it |xi_grad|, of exploding gradients, parts from xi_c.",
        "schoenholz2017deep",
        _depth_scales,
        _draw_depth_scales,
    ),
    GalleryFigure(
        "lengths",
        "The length of a signal settles within a few layers",
        "tanh, sigma_b = 0.3. Lines: the length map. Dots: mean over random networks of finite width.",
        "poole2016exponential",
        _lengths,
        _draw_lengths,
    ),
    GalleryFigure(
        "correlations",
        "Order draws two signals together, chaos apart",
        "tanh, sigma_b = 0.3, starting at q*; colours as before. Lines: the correlation map. Dots: networks.",
        "poole2016exponential",
        _correlations,
        _draw_correlations,
    ),
)
