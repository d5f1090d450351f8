"""Figures: how a mode is learnt by each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.report.gallery import Arrays, GalleryFigure
from widelimit.validate.report.look import BLUE, GREEN, ORANGE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {
    "sgd": BLUE,
    "feedback_alignment": VERMILLION,
    "kolen_pollack": GREEN,
    "information_alignment": ORANGE,
}
_STRENGTH, _START, _FEEDBACK = 1.5, 1e-3, 0.6


def compute_modes(preset: str) -> Arrays:
    """Products of both weights by time, from almost nothing; of feedback alignment from zero."""
    from widelimit.numerics import rules

    times = np.linspace(0, 5, 101)
    found: dict[str, np.ndarray] = {"time": times}
    for rule in _COLOURS:
        given = {} if rule == "sgd" else {"feedback": _FEEDBACK}
        start = 0.0 if rule == "feedback_alignment" else _START
        decay = 0.15 if rule in ("kolen_pollack", "information_alignment") else 0.0
        found[rule] = rules.mode(rule, times, strength=_STRENGTH, start=start, decay=decay, **given).product
    return found


def draw_modes(arrays: Arrays, axes: Axes) -> None:
    """A line a rule."""
    for rule, colour in _COLOURS.items():
        axes.plot(arrays["time"], arrays[rule], color=colour, label=rule.replace("_", " "))
    axes.axvline(
        float(np.log(_STRENGTH / _START) / (2 * _STRENGTH)), color=BLUE, linestyle=":", linewidth=0.9
    )
    axes.set(
        xlabel="time (steps times learning rate)",
        ylabel="product of both weights",
        xlim=(0, 5),
        ylim=(0, 1.6),
    )
    axes.legend(loc="lower right")


GALLERY = (
    GalleryFigure(
        "modes",
        "Only gradient descent waits",
        f"A linear mode of strength {_STRENGTH:g} from a product of {_START:g} (feedback alignment: from 0), feedback "
        f"{_FEEDBACK:g} at the start. Gradient descent waits for log(s/u_0)/(2 s), dotted; other feedback leaves no "
        "plateau. Decay 0.15 takes Kolen and Pollack's rule to s - 0.15.",
        "refinetti2021align",
        compute_modes,
        draw_modes,
    ),
)
