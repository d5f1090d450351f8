"""Figures: how well local feedback aligns with layers of some shape, and what is left of it below many layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.report.gallery import Arrays, GalleryFigure
from widelimit.validate.report.look import BLUE, GREEN, ORANGE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (BLUE, ORANGE, GREEN, VERMILLION)
_SOURCE = "kunin2020two"
_ASPECTS = (0.25, 0.5, 1.0, 2.0)
_FAN_IN = 150
_COSINES = (0.95, 0.9, 0.8, 0.6)
_DEPTHS = (1, 2, 4, 8, 12)
_WIDTH = 200


def compute_cosines(preset: str) -> Arrays:
    """Cosines of information alignment by gamma/beta, for layers of some shapes; of drawn weights as well."""
    from widelimit.numerics import alignment
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.simulate.alignment import information

    ratios, sampled = np.geomspace(1e-3, 30, 120), np.geomspace(3e-3, 20, 8)
    lines = alignment.cosine("information", aspect=np.array(_ASPECTS)[:, None], ratio=ratios)
    seeds = range({"quick": 2, "reference": 8, "deep": 32}[preset])
    dots = [
        [
            information({"aspect": r, "sigma_w": 1.0, "ratio": z}, _FAN_IN, seeds, Backend()).mean()
            for z in sampled
        ]
        for r in _ASPECTS
    ]
    return {"ratio": ratios, "theory": lines, "sampled": sampled, "measured": np.array(dots)}


def draw_cosines(arrays: Arrays, axes: Axes) -> None:
    """Lines of theory, dots of drawn layers."""
    for k, aspect in enumerate(_ASPECTS):
        axes.semilogx(arrays["ratio"], arrays["theory"][k], color=_COLOURS[k], label=f"m/n = {aspect:g}")
        axes.plot(arrays["sampled"], arrays["measured"][k], "o", color=_COLOURS[k], ms=4)
    axes.set(xlabel="gamma/beta", ylabel="cosine of B and $W^T$", ylim=(0, 1.03))
    axes.legend()


def compute_depth(preset: str) -> Arrays:
    """Cosines of the error signal below some layers: products, and means and deviations of drawn networks."""
    from widelimit.numerics import alignment
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.simulate.alignment import deep

    seeds = range({"quick": 8, "reference": 32, "deep": 64}[preset])
    lines, means, deviations = [], [], []
    for cosine in _COSINES:
        lines.append([alignment.depth((cosine,) * layers) for layers in range(1, _DEPTHS[-1] + 1)])
        drawn = [
            deep({"layers": layers, "cosine": cosine, "activation": "relu"}, _WIDTH, seeds, Backend())
            for layers in _DEPTHS
        ]
        means.append([one.mean() for one in drawn])
        deviations.append([one.std(ddof=1) for one in drawn])
    return {"theory": np.array(lines), "measured": np.array(means), "deviation": np.array(deviations)}


def draw_depth(arrays: Arrays, axes: Axes) -> None:
    """Powers of the cosine, and networks."""
    layers = np.arange(1, arrays["theory"].shape[1] + 1)
    for k, cosine in enumerate(_COSINES):
        axes.plot(layers, arrays["theory"][k], color=_COLOURS[k], label=f"c = {cosine:g}")
        axes.errorbar(
            _DEPTHS, arrays["measured"][k], arrays["deviation"][k], fmt="o", color=_COLOURS[k], ms=4, lw=1
        )
    axes.axhline(0.0, color=SOFT, lw=0.6)
    axes.set(xlabel="layers", ylabel="cosine of the error signal", ylim=(-0.05, 1.03))
    axes.legend()


GALLERY = (
    GalleryFigure(
        "information",
        "Information alignment between pseudo-inverse and transpose",
        "Cosine of the feedback at rest with the transposed weights of Gaussian layers: little decay makes it a "
        f"pseudo-inverse, much the transpose. Lines: theory; dots: drawn layers of {_FAN_IN} inputs.",
        _SOURCE,
        compute_cosines,
        draw_cosines,
    ),
    GalleryFigure(
        "depth",
        "The gap widens with depth",
        "What is left of the error signal below some layers, each of whose feedback has the cosine c with its weights. "
        f"Lines: powers of c; dots: ReLU networks of width {_WIDTH}, with the deviation of one network.",
        f"{_SOURCE}, fig. 4",
        compute_depth,
        draw_depth,
    ),
)
